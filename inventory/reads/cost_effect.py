"""What a new cost of the stock on hand would change, before it is posted."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.conf import settings

from inventory.models import CostPool, Item, Movement, Posting, PostingKind
from inventory.quantities import ZERO, round_half_up

RECEIPTS_SHOWN_MAX = 5
RECEIPT_LINES_READ = 20


@dataclass(frozen=True, slots=True)
class CostEffect:
    """The stock of one item at its present and at a new unit cost. Values in base currency; None where not known."""

    quantity: Decimal  # stock unit
    unknown_quantity: Decimal
    known_value: Decimal
    unit_cost_before: Decimal | None
    unit_cost_after: Decimal | None
    value_after: Decimal | None
    receipts: Sequence[Posting]
    """The last receipts, whose price can be corrected instead, so that what was used of them is shown."""

    @property
    def amount(self) -> Decimal | None:
        """What enters (positive) or leaves the value of stock."""
        return None if self.value_after is None else self.value_after - self.known_value


def cost_effect(item: Item, unit_cost: Decimal | None) -> CostEffect | None:
    """What operations.adjusting.correct_cost would do; None when nothing is on hand. Two statements."""
    pool = CostPool.objects.filter(item=item, lot=None).first()
    if pool is None or pool.quantity <= ZERO:
        return None
    after = None
    if unit_cost is not None and unit_cost >= ZERO:
        after = round_half_up(Fraction(unit_cost) * Fraction(pool.quantity), settings.CURRENCY_STEP)
    came_in = Movement.objects.filter(item=item, posting__kind=PostingKind.RECEIPT, quantity__gt=0)
    newest = list(came_in.select_related("posting").order_by("-pk")[:RECEIPT_LINES_READ])
    receipts = {movement.posting_id: movement.posting for movement in newest}
    return CostEffect(
        quantity=pool.quantity,
        unknown_quantity=pool.unknown_quantity,
        known_value=pool.value,
        unit_cost_before=pool.unit_cost,
        unit_cost_after=None if after is None else unit_cost,
        value_after=after,
        receipts=list(receipts.values())[:RECEIPTS_SHOWN_MAX],
    )
