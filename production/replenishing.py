"""When an item is to be made or bought again, and how much of it; pure (rule S24)."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import ZERO, round_up


@dataclass(frozen=True, slots=True)
class Projection:
    """What there will be of an item once what is on its way came in and what is asked for was taken; its stock unit.

    `making`, `buying` and `moving` (on the road between our places) arrive within the lead time. `missing` is asked for,
    neither promised nor on its way; `components` is needed by released work orders and not reserved for them.
    """

    available: Decimal
    making: Decimal = ZERO
    buying: Decimal = ZERO
    missing: Decimal = ZERO
    components: Decimal = ZERO
    moving: Decimal = ZERO

    @property
    def projected(self) -> Decimal:
        return self.available + self.making + self.buying + self.moving - self.missing - self.components


def is_low(projected: Decimal, *, point: Decimal | None) -> bool:
    """Whether the reorder point is reached: at it counts, not only below. Never without a point."""
    return point is not None and projected <= point


def to_replenish(projected: Decimal, *, point: Decimal | None, quantity_min: Decimal | None, step: Decimal) -> Decimal:
    """What to make or buy: up to the point again, at least `quantity_min`, in whole steps upwards; zero above the point.

    Zero also exactly at the point when no `quantity_min` says how much is worth while.
    """
    if point is None or not is_low(projected, point=point):
        return ZERO
    need = max(quantity_min or ZERO, point - projected)
    return round_up(Fraction(need), step) if need > ZERO else ZERO
