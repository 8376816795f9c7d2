"""What a completion takes when its order goes by what was issued to it and not by the BOM (rule S4). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import ZERO, round_half_up, round_up
from production.explosion import MANUAL, Rate, expected_usage
from production.planned import NOTHING, Substitution


@dataclass(frozen=True, slots=True)
class IssuedStock:
    """What stands on the floor for an order, and how much of the order a completion makes."""

    left: Mapping[int, Decimal]
    """By item, its stock unit; substitutes that were issued are among them."""
    started: Decimal
    """Good and scrapped of this completion, stock unit of the output."""
    remaining: Decimal
    """Of the order before this completion, stock unit of the output."""

    def share(self, item_id: int, *, step: Decimal) -> Decimal:
        """In proportion to what is made of the rest of the order; the completion that ends it takes all."""
        left = self.left.get(item_id, ZERO)
        if self.started >= self.remaining:
            return left
        exact = Fraction(left) * Fraction(self.started) / Fraction(self.remaining)
        rounded = round_up(exact, step) if step == step.to_integral_value() else round_half_up(exact, step)
        return min(rounded, left)

    def lacks(
        self, rate: Rate, instead: Sequence[Substitution], *, started_before: Decimal, booked: Decimal, step: Decimal
    ) -> bool:
        """Whether less was issued of a component, its substitutes included, than the rest of the order needs by the BOM."""
        there = Fraction(self.left.get(rate.component_id, ZERO)) + sum(
            (Fraction(self.left.get(other.component.id, ZERO)) / Fraction(other.ratio) for other in instead), NOTHING
        )
        whole = started_before + max(self.remaining, self.started)
        return there < Fraction(expected_usage(rate, started_after=whole, booked=booked, step=step))


def is_issued(rate: Rate) -> bool:
    """Whether a line goes by what was issued; the others are taken as if there were no such basis."""
    return not (rate.is_consumable or rate.is_optional or rate.issue_method == MANUAL)


def stand_ins(
    rates: Sequence[Rate], substitutes: Mapping[int, Mapping[int, Decimal]], left: Mapping[int, Decimal]
) -> dict[int, int]:
    """By issued item that is no component: the component it stands in for, one of which nothing was issued if there is one."""
    components = [rate.component_id for rate in rates if is_issued(rate)]
    found: dict[int, int] = {}
    for component_id in sorted(components, key=lambda one: left.get(one, ZERO) > ZERO):
        for item_id in substitutes.get(component_id, {}):
            if left.get(item_id, ZERO) > ZERO and item_id not in components:
                found.setdefault(item_id, component_id)
    return found
