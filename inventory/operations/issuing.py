"""Goods leave: issued to a use, or scrapped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from inventory.errors import InvalidQuantity
from inventory.locks import CellKey, lock_for_posting
from inventory.models import CostEntryKind, Item, Location, Posting, PostingKind, StockStatus
from inventory.operations.checking import check_effective_at, check_item, check_quantity, check_source
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.taking import (
    LotQuantity,
    Wanted,
    check_may_use_expired,
    check_picked_in_order,
    choose_cells,
    take_cells,
    take_expired,
)
from inventory.operations.transactions import operation
from inventory.picking import Pick


@dataclass(frozen=True, slots=True)
class IssueResult:
    posting: Posting
    value: Decimal | None  # base currency; None when the cost is not known
    replayed: bool


@operation
def issue_stock(
    *,
    key: UUID,
    item: Item,
    location: Location,
    quantity: Decimal,
    actor: Actor,
    lots: Sequence[LotQuantity] = (),
    effective_at: datetime | None = None,
    reference: str = "",
    reason: str = "",
    note: str = "",
    demand: tuple[str, str] | None = None,
    may_go_below: bool = False,
    use_expired: bool = False,
) -> IssueResult:
    """Take `quantity` (stock unit, positive) of available stock out of `location` and everything below it.

    Without `lots` the earliest expiry goes first, then the oldest; lots out of that order need a `reason`. `demand` (kind,
    reference) uses that demand's own pinned stock first. With `may_go_below` an item that allows it goes below zero at
    `location`. With `use_expired`, which needs a privilege and a reason, the named `lots` may be past their last day, set to
    expired or not yet (rule S15). Raises InsufficientStock, ReservedByOther, LotExpired, LotRequired, LotMismatch,
    PickReasonRequired, NegativeNotAllowed, InvalidQuantityStep, BackdatingNotAllowed, PeriodLocked or IdempotencyMismatch;
    nothing is written then.
    """
    check_item(item)
    check_source(location)
    check_quantity(item, quantity)
    check_effective_at(effective_at, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.ISSUE,
        request={
            "item": item.pk,
            "location": location.pk,
            "quantity": quantity,
            "lots": lots_request(lots),
            "effective_at": effective_at,
            "reference": reference,
            "reason": reason,
            "demand": demand,
            **({"may_go_below": True} if may_go_below else {}),
            **({"use_expired": True} if use_expired else {}),
        },
        actor=actor,
        effective_at=effective_at,
        reference=reference,
        reason=reason,
        note=note,
        demand=demand,
    )
    if not claim.is_new:
        return IssueResult(claim.posting, issued_value(claim.posting), replayed=True)

    if use_expired:
        check_may_use_expired(item, lots, actor=actor, reason=reason)
    statuses = (StockStatus.AVAILABLE, StockStatus.EXPIRED) if use_expired else (StockStatus.AVAILABLE,)
    rows = lock_for_posting(items=[item.pk], within=location.path, statuses=statuses, demand=demand)
    wanted = Wanted(item, quantity, location, lots=lots, allow_expired=use_expired)
    draft = Draft(rows)
    day = timezone.localdate(claim.posting.effective_at)
    if use_expired:
        cells, picks = take_expired(rows, wanted, on=day)
    else:
        check_picked_in_order(rows, wanted, on=day, reason=reason)
        cells, picks = take_cells(draft, wanted, on=day, actor=actor, reason=reason, may_go_below=may_go_below)
    value = draft.issue(item.pk, cells)
    fulfil(draft, item, picks)
    post(posting=claim.posting, draft=draft)
    return IssueResult(claim.posting, value, replayed=False)


@operation
def scrap_stock(
    *,
    key: UUID,
    item: Item,
    location: Location,
    quantity: Decimal,
    reason: str,
    actor: Actor,
    status: str = StockStatus.AVAILABLE,
    lots: Sequence[LotQuantity] = (),
    effective_at: datetime | None = None,
    note: str = "",
) -> IssueResult:
    """Write off `quantity` at its current cost to scrap expense (rule S8).

    Expired stock may be scrapped; a tracked item must name its lots. Raises as issue_stock, and InvalidQuantity without a
    reason.
    """
    check_item(item)
    check_source(location)
    check_quantity(item, quantity)
    check_effective_at(effective_at, actor=actor)
    if not reason.strip():
        raise InvalidQuantity(f"Scrapping {item.sku} needs a reason. Choose or type one.", item=item.sku)
    claim = claim_posting(
        key=key,
        kind=PostingKind.SCRAP,
        request={
            "item": item.pk,
            "location": location.pk,
            "quantity": quantity,
            "status": str(status),
            "lots": lots_request(lots),
            "effective_at": effective_at,
            "reason": reason,
        },
        actor=actor,
        effective_at=effective_at,
        reason=reason,
        note=note,
    )
    if not claim.is_new:
        return IssueResult(claim.posting, issued_value(claim.posting), replayed=True)

    rows = lock_for_posting(items=[item.pk], within=location.path, statuses=[status])
    wanted = Wanted(item, quantity, location, status=status, lots=lots, allow_expired=True, must_name_lot=True)
    picks = choose_cells(rows, wanted, on=timezone.localdate(claim.posting.effective_at))
    draft = Draft(rows)
    value = draft.issue(item.pk, cells_of(item, picks, status))
    draft.expense(item.pk, CostEntryKind.SCRAP, value)
    post(posting=claim.posting, draft=draft)
    return IssueResult(claim.posting, value, replayed=False)


def lots_request(lots: Sequence[LotQuantity]) -> list[list[object]]:
    """Hand-picked lots as they enter a request's hash."""
    return [[lot.pk, quantity] for lot, quantity in lots]


def cells_of(item: Item, picks: Sequence[Pick], status: str) -> list[tuple[CellKey, Decimal]]:
    """Picks as cells with quantities, in picking order."""
    return [((item.pk, pick.location_id, pick.lot_id, str(status)), pick.quantity) for pick in picks]


def fulfil(draft: Draft, item: Item, picks: Sequence[Pick]) -> None:
    """Use up the demand's own pins that the picks took."""
    for pick in picks:
        if pick.own:
            draft.fulfil((item.pk, pick.location_id, pick.lot_id, StockStatus.AVAILABLE.value), pick.cell_id, pick.own)


def issued_value(posting: Posting) -> Decimal | None:
    """The (positive) value that a posting took out of stock; None when a part of it is unknown."""
    values = list(posting.movements.filter(quantity__lt=0).values_list("value", flat=True))
    return None if None in values else -sum((v for v in values if v is not None), Decimal(0))
