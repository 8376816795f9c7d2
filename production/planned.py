"""What was entered for a component, and the line of a completion that follows from it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from inventory.quantities import ZERO
from production.explosion import MANUAL
from production.facts import ComponentFact

NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Usage:
    """An actual quantity somebody entered for a component, in its stock unit, with hand-picked lots if any."""

    quantity: Decimal
    reason: str = ""
    lots: Sequence[tuple[int, Decimal]] = ()
    scrapped: Decimal = ZERO
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Substitution:
    """What was used instead of a component; `ratio` of its stock units replace one of the component's."""

    component: ComponentFact
    usage: Usage
    ratio: Decimal
    is_issued: bool = False
    """Whether it is used because it was issued to the order, and not because somebody entered it."""

    @property
    def replaced(self) -> Fraction:
        """How much of the original it stands for, exact, in the original's stock unit."""
        return Fraction(self.usage.quantity) / Fraction(self.ratio)


class PlannedPick(NamedTuple):
    lot_id: int
    lot_code: str
    location_id: int
    quantity: Decimal
    expires_on: date | None


class PlannedLine(NamedTuple):
    """One component of a completion: standard, actual, where it comes from, what it costs.

    Quantities in the component's stock unit, `value` in base currency (None: unknown). `on_hand` counts available stock at
    the source; `short` is what is missing.
    """

    component: ComponentFact
    expected: Decimal
    actual: Decimal
    reason: str
    issue_method: str
    is_consumable: bool
    is_optional: bool
    picks: Sequence[PlannedPick]
    on_hand: Decimal
    free: Decimal
    short: Decimal
    value: Decimal | None
    work_order_line_id: int | None
    expired: Decimal = ZERO
    """Of what is on hand, what is past its day."""
    overdrawn: Decimal = ZERO
    """Of the actual quantity, what nobody had free: it takes the stock below zero."""
    needed: Decimal | None = None
    """What the BOM needs of it, where less was issued to an order that goes by what was issued; else None."""
    scrapped: Decimal = ZERO
    cause: str = ""
    replaced: Fraction = NOTHING
    """Of this component, exact, what substitutes stood in for."""
    substitute_for: ComponentFact | None = None

    @property
    def on_hand_after(self) -> Decimal:
        return self.on_hand if self.is_consumable else self.on_hand - self.actual

    @property
    def variance(self) -> Decimal:
        return self.actual - self.expected

    def deviates(self, tolerance: Decimal) -> bool:
        """Whether actual differs from standard by more than the share `tolerance` of it."""
        if self.issue_method == MANUAL or self.is_optional:  # expected nowhere: that some was used is as designed
            return False
        if self.needed is not None and self.lacking > Fraction(self.needed) * Fraction(tolerance):
            return True
        if self.replaced or self.substitute_for is not None:
            return abs(self.deviation) > Fraction(self.expected) * Fraction(tolerance)
        return self.actual != self.expected and abs(self.actual - self.expected) > self.expected * tolerance

    @property
    def lacking(self) -> Fraction:
        """What the BOM needs and was neither issued nor entered, substitutes counted as what they replace."""
        return Fraction(0) if self.needed is None else Fraction(self.needed) - Fraction(self.actual) - self.replaced

    @property
    def is_left_out(self) -> bool:
        """Whether goods would be made without any of a component that the BOM needs."""
        return self.needed is not None and not self.actual and not self.replaced

    @property
    def deviation(self) -> Fraction:
        """Actual less standard, substitutes counted as what they replace; nothing for a substitute itself."""
        if self.substitute_for is not None:
            return Fraction(0)
        return Fraction(self.actual) + self.replaced - Fraction(self.expected)
