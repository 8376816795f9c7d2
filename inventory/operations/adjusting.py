"""Putting the book right: quantity adjustments with a reason, and cost corrections."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from inventory.errors import InvalidQuantity, NoStockToRevalue
from inventory.locks import ANYWHERE, lock_for_posting
from inventory.models import CostEntryKind, Item, Location, LocationKind, Movement, Posting, PostingKind, StockStatus
from inventory.operations.checking import (
    check_active,
    check_effective_at,
    check_item,
    check_location,
    check_quantity,
    check_source,
)
from inventory.operations.found_goods import found_value
from inventory.operations.issuing import cells_of, issued_value, lots_request
from inventory.operations.lots import LotSpec, check_lot_code, ensure_lots, refuse_serials_on_hand
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.receiving import check_value
from inventory.operations.taking import LotQuantity, Wanted, choose_cells
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, round_half_up
from inventory.reads.transit import is_on_the_road


@dataclass(frozen=True, slots=True)
class AdjustmentResult:
    posting: Posting
    value: Decimal | None  # signed, base currency; None when the cost is not known
    replayed: bool


@operation
def adjust_stock(
    *,
    key: UUID,
    item: Item,
    location: Location,
    quantity: Decimal,
    reason: str,
    actor: Actor,
    status: str = StockStatus.AVAILABLE,
    lot_code: str = "",
    expires_on: date | None = None,
    lots: tuple[LotQuantity, ...] = (),
    value: Decimal | None = None,
    effective_at: datetime | None = None,
    reference: str = "",
    note: str = "",
) -> AdjustmentResult:
    """Raise or lower the book by a signed `quantity` (stock unit).

    What is found is worth `value`, or when no value is given the average of its lot, where lots carry their cost, else of
    the item, else its last cost (unknown when there is none). What is missing leaves at its cost, from `lots` or in picking
    order, expired lots included. From where goods on the road stand only what no transfer looks for may leave. Raises
    InvalidQuantity for zero or without a reason, and as receive_stock and issue_stock; nothing is written then.
    """
    check_item(item)
    if quantity > ZERO:
        check_location(location)
    else:
        check_active(location)
    if quantity == ZERO:
        raise InvalidQuantity(f"An adjustment of {item.sku} by 0 changes nothing. Give the difference.", item=item.sku)
    check_quantity(item, abs(quantity))
    check_value(item, value)
    check_effective_at(effective_at, actor=actor)
    if not reason.strip():
        raise InvalidQuantity(f"Adjusting {item.sku} needs a reason. Choose or type one.", item=item.sku)
    code = check_lot_code(item, lot_code, quantity) if quantity > ZERO else ""
    claim = claim_posting(
        key=key,
        kind=PostingKind.ADJUSTMENT,
        request={
            "item": item.pk,
            "location": location.pk,
            "quantity": quantity,
            "status": str(status),
            "lot": code,
            "lots": lots_request(lots),
            "expires_on": expires_on,
            "value": None if value is None else as_text(value),
            "effective_at": effective_at,
            "reason": reason,
            "reference": reference,
        },
        actor=actor,
        effective_at=effective_at,
        reference=reference,
        reason=reason,
        note=note,
    )
    if not claim.is_new:
        return AdjustmentResult(claim.posting, _adjusted_value(claim.posting), replayed=True)

    day = timezone.localdate(claim.posting.effective_at)
    if quantity > ZERO:
        spec = LotSpec(item, code, day, expires_on)
        rows = lock_for_posting(items=[item.pk], locations=[location.pk], statuses=[status])
        lot_ids = ensure_lots([spec])
        refuse_serials_on_hand([spec], lot_ids)
        draft = Draft(rows)
        cell = (item.pk, location.pk, lot_ids[spec.key], str(status))
        worth = found_value(rows, cell, quantity) if value is None else value
        draft.receive(cell, quantity, worth)
        signed = worth
    else:
        rows = lock_for_posting(items=[item.pk], within=location.path, statuses=[status])
        if location.kind == LocationKind.IN_TRANSIT and is_on_the_road(item=item, at=location):
            check_source(location)  # only what no transfer looks for is cleared away
        wanted = Wanted(item, -quantity, location, status=status, lots=lots, allow_expired=True)
        draft = Draft(rows)
        taken = draft.issue(item.pk, cells_of(item, choose_cells(rows, wanted, on=day), status))
        signed = None if taken is None else -taken
    post(posting=claim.posting, draft=draft)
    return AdjustmentResult(claim.posting, signed, replayed=False)


@operation
def correct_cost(
    *, key: UUID, item: Item, unit_cost: Decimal, reason: str, actor: Actor, note: str = ""
) -> AdjustmentResult:
    """Set the value of all stock of `item` to `unit_cost` (base currency per stock unit), rounded once to the currency.

    The difference enters or leaves as a cost correction; an unknown cost becomes known. What was issued before keeps the
    value it had. Raises NoStockToRevalue when nothing is on hand.
    """
    check_item(item)
    if not unit_cost.is_finite() or unit_cost < ZERO:
        raise InvalidQuantity(f"{unit_cost} is not a unit cost for {item.sku}. Give zero or more.", item=item.sku)
    if not reason.strip():
        raise InvalidQuantity(
            f"Correcting the cost of {item.sku} needs a reason. Say where the figure is from.", item=item.sku
        )
    claim = claim_posting(
        key=key,
        kind=PostingKind.COST_CORRECTION,
        request={"item": item.pk, "unit_cost": unit_cost, "reason": reason},
        actor=actor,
        effective_at=None,
        reason=reason,
        note=note,
    )
    if not claim.is_new:
        return AdjustmentResult(claim.posting, _adjusted_value(claim.posting), replayed=True)

    rows = lock_for_posting(items=[item.pk], within=ANYWHERE, statuses=list(StockStatus))
    draft = Draft(rows)
    pool = draft.pool(item.pk)
    held = [cell for cell in rows.of_item(item.pk) if cell.quantity > ZERO]
    if not held:
        raise NoStockToRevalue(f"Nothing of {item.sku} is on hand, so there is no value to correct.", item=item.sku)
    worth = round_half_up(Fraction(unit_cost) * Fraction(pool.quantity), settings.CURRENCY_STEP)
    amount = worth - pool.value
    draft.revalue(held[0].key, amount, unknown_moved=_unknown_moved(item))
    draft.expense(item.pk, CostEntryKind.COST_CORRECTION, -amount)
    post(posting=claim.posting, draft=draft)
    return AdjustmentResult(claim.posting, amount, replayed=False)


def _unknown_moved(item: Item) -> Decimal:
    """The sum of the item's movements whose value is not known; stock unit."""
    moved = Movement.objects.filter(item=item, value__isnull=True).aggregate(total=Sum("quantity"))["total"]
    return moved or ZERO


def _adjusted_value(posting: Posting) -> Decimal | None:
    if posting.kind == PostingKind.COST_CORRECTION or posting.movements.filter(quantity__gt=0).exists():
        values = list(posting.movements.values_list("value", flat=True))
        return None if None in values else sum((v for v in values if v is not None), ZERO)
    taken = issued_value(posting)
    return None if taken is None else -taken
