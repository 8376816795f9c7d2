"""Completions nobody recorded, and some recorded that never were, seen from what counts found. Pure.

A forgotten completion of n units leaves the components short by n times their rates, and the finished goods over by n. One
that was recorded twice does the opposite. Counts that differ in those proportions give n.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import ZERO, round_half_up
from production.explosion import Rate

TOLERANCE = Fraction(10, 100)
"""How far estimates from different components may lie apart, as a share of the middle one."""
WITNESSES_MIN = 2
"""Items that must agree: two components, or one and the finished goods."""
AGREEING = Fraction(2, 3)
"""Of the counted items that speak at all, so many must agree."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many units a difference speaks for: positive were made and not recorded, negative recorded and not made."""

    quantity: Decimal
    witnesses: Sequence[int]
    """Items whose counts agree on it, the finished goods among them."""


def estimate(*, item_id: int, step: Decimal, rates: Sequence[Rate], found: Mapping[int, Decimal]) -> Estimate | None:
    """What the differences `found` by counts (counted less booked, by item) say about an item; None when nothing agrees."""
    says: dict[int, Fraction] = {}
    for rate in rates:
        difference = found.get(rate.component_id, ZERO)
        if difference and rate.per_unit:
            says[rate.component_id] = -Fraction(difference) / rate.per_unit
    own = found.get(item_id, ZERO)
    if own:
        says[item_id] = Fraction(own)
    if len(says) < WITNESSES_MIN:
        return None
    ordered = sorted(says.values())
    middle = (
        ordered[len(ordered) // 2]
        if len(ordered) % 2
        else (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2
    )
    agreeing = sorted(one for one, quantity in says.items() if abs(quantity - middle) <= TOLERANCE * abs(middle))
    if len(agreeing) < WITNESSES_MIN or len(agreeing) < AGREEING * len(says):
        return None
    mean = sum((says[one] for one in agreeing), Fraction(0)) / len(agreeing)
    quantity = round_half_up(mean, step)
    return Estimate(quantity, agreeing) if quantity else None
