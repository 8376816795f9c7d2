"""What is left of each receipt and what used the rest, from the movements of items; what late costs rest on (rule S21)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db import connection

from inventory.arrays import numbers, texts
from inventory.late_costs import Flow, Received, TracedUse, share_over_uses, track
from inventory.models import NEUTRAL_KINDS, CostMethod, LandedCostShare, Movement, Posting, PostingKind
from inventory.quantities import ZERO, proportion

_FLOWS = """
SELECT m.item_id, m.lot_id, m.id, m.posting_id, m.quantity, p.reverses_id,
       CASE WHEN p.kind = 'supplier_return' THEN p.related_id END, m.value IS NULL, coalesce(o.kind, p.kind) = 'lot_change'
FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id
LEFT JOIN inventory_posting o ON o.id = p.reverses_id
WHERE m.item_id = ANY(%s::bigint[]) AND coalesce(o.kind, p.kind) <> ALL(%s::text[])
  AND (m.quantity <> 0) = (p.kind <> 'cost_correction')
ORDER BY m.item_id, m.id
"""


def track_receipts(
    *, items: Collection[int], methods: Mapping[int, str] | None = None
) -> dict[int, dict[int, Received]]:
    """By item id, what is left of every movement that brought something in, by movement id. One statement.

    `methods` are the cost methods of items that are not of moving average: where lots carry their cost each lot is a stock
    of its own, and what was split off or merged left the one and came into the other.
    """
    flows: dict[tuple[int, int], list[Flow]] = {}
    by_lot = {item for item, method in (methods or {}).items() if method == CostMethod.LOT}
    left_out = [str(kind) for kind in (*NEUTRAL_KINDS, PostingKind.LANDED_COST)]
    with connection.cursor() as cursor:
        cursor.execute(_FLOWS, [numbers(items), texts(left_out)])
        for item_id, lot_id, *flow, is_lot_change in cursor:
            if item_id in by_lot:
                flows.setdefault((item_id, lot_id), []).append(Flow(*flow))
            elif not is_lot_change:
                flows.setdefault((item_id, 0), []).append(Flow(*flow))
    found: dict[int, dict[int, Received]] = {item_id: {} for item_id in items}
    for (item_id, lot_id), of_one in flows.items():
        receipts = track(of_one)
        for one in receipts.values():
            one.lot_id = lot_id
        found[item_id] |= receipts
    return found


@dataclass(frozen=True, slots=True)
class UseCost:
    """What used a part of a receipt, and what that part costs now that a cost came late."""

    posting: Posting
    quantity: Decimal  # stock unit
    share: Decimal  # of the late cost, base currency
    recorded: Decimal | None  # what it was booked at; None when that is not known

    @property
    def true_cost(self) -> Decimal | None:
        return None if self.recorded is None else self.recorded + self.share


@dataclass(frozen=True, slots=True)
class UsedPart:
    """The used part of one receipt: the units in order of use, and what was expensed for them."""

    received: Received | None
    used: Decimal
    expensed: Decimal


def use_costs(parts: Sequence[UsedPart]) -> list[list[UseCost]]:
    """For each used part what used it, first in first out. Two statements for any number of parts."""
    step = settings.CURRENCY_STEP
    traced: list[list[TracedUse]] = [
        []
        if part.received is None
        else share_over_uses(part.received.uses, used=part.used, expensed=part.expensed, step=step)
        for part in parts
    ]
    ids = {one.use.flow_id for uses in traced for one in uses}
    movements = {m.pk: m for m in Movement.objects.filter(pk__in=ids).select_related("posting")} if ids else {}
    return [[_use_cost(one, movements[one.use.flow_id], step) for one in uses] for uses in traced]


def _use_cost(traced: TracedUse, movement: Movement, step: Decimal) -> UseCost:
    recorded = None
    if movement.value is not None:
        recorded = proportion(-movement.value, traced.use.quantity, -movement.quantity, step=step)
    return UseCost(movement.posting, traced.use.quantity, traced.share, recorded)


@dataclass(frozen=True, slots=True)
class PostedShare:
    """A share of a posted late cost with what had used its receipt by then."""

    share: LandedCostShare
    uses: Sequence[UseCost]

    @property
    def used(self) -> Decimal:
        return self.share.received - self.share.remaining


def posted_shares(posting: Posting) -> list[PostedShare]:
    """The shares of a landed cost's posting, traced to what had used the goods before it."""
    shares = list(
        LandedCostShare.objects.filter(landed_cost__posting=posting)
        .select_related("movement__item", "movement__posting", "movement__lot")
        .order_by("id")
    )
    items = {share.movement.item for share in shares}
    tracked = track_receipts(items={item.pk for item in items}, methods={i.pk: i.cost_method for i in items})
    parts = [
        UsedPart(
            tracked[share.movement.item_id].get(share.movement_id), share.received - share.remaining, share.expensed
        )
        for share in shares
    ]
    return [PostedShare(share, uses) for share, uses in zip(shares, use_costs(parts), strict=True)]


def prices_of(movements: Collection[int]) -> dict[int, Decimal]:
    """What later price corrections added to the value of received movements (ids); those without any are left out."""
    found: dict[int, Decimal] = {}
    shares = LandedCostShare.objects.filter(movement_id__in=movements, landed_cost__kind="price")
    for movement_id, amount in shares.values_list("movement_id", "amount"):
        found[movement_id] = found.get(movement_id, ZERO) + amount
    return found


def priced_movements(items: Collection[int]) -> set[int]:
    """Receipts of items (ids) whose cost was given, or corrected, after they came in."""
    shares = LandedCostShare.objects.filter(movement__item__in=items, landed_cost__kind="price")
    return set(shares.values_list("movement_id", flat=True))
