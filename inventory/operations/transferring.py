"""Stock changes its place or its status; its value goes with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from inventory.errors import WrongState
from inventory.locks import CellKey, lock_for_posting
from inventory.models import Item, Location, Posting, PostingKind, StockStatus
from inventory.operations.checking import check_effective_at, check_item, check_location, check_quantity, check_source
from inventory.operations.issuing import lots_request
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.taking import LotQuantity, Wanted, choose_cells
from inventory.operations.transactions import operation


@dataclass(frozen=True, slots=True)
class MoveResult:
    posting: Posting
    replayed: bool


@operation
def transfer_stock(
    *,
    key: UUID,
    item: Item,
    source: Location,
    target: Location,
    quantity: Decimal,
    actor: Actor,
    status: str = StockStatus.AVAILABLE,
    lots: Sequence[LotQuantity] = (),
    effective_at: datetime | None = None,
    reference: str = "",
    note: str = "",
) -> MoveResult:
    """Carry `quantity` from `source` (and below) to `target`; lots and status stay.

    Raises WrongState when both places are the same, and as issue_stock; nothing is written then.
    """
    check_item(item)
    check_location(target)
    check_source(source)
    check_quantity(item, quantity)
    check_effective_at(effective_at, actor=actor)
    if source.pk == target.pk:
        raise WrongState(f"{source.code} is both source and target. Choose another target.", location=source.code)
    claim = claim_posting(
        key=key,
        kind=PostingKind.TRANSFER,
        request={
            "item": item.pk,
            "source": source.pk,
            "target": target.pk,
            "quantity": quantity,
            "status": str(status),
            "lots": lots_request(lots),
            "effective_at": effective_at,
            "reference": reference,
        },
        actor=actor,
        effective_at=effective_at,
        reference=reference,
        note=note,
    )
    if not claim.is_new:
        return MoveResult(claim.posting, replayed=True)

    rows = lock_for_posting(items=[item.pk], within=source.path, locations=[target.pk], statuses=[status])
    takeable = rows.where(lambda cell: cell.path.startswith(source.path) and cell.location_id != target.pk)
    wanted = Wanted(item, quantity, source, status=status, lots=lots, allow_expired=True)
    draft = Draft(rows)
    for pick in choose_cells(takeable, wanted, on=timezone.localdate(claim.posting.effective_at)):
        cell: CellKey = (item.pk, pick.location_id, pick.lot_id, str(status))
        draft.move(cell, (item.pk, target.pk, pick.lot_id, str(status)), pick.quantity)
    post(posting=claim.posting, draft=draft)
    return MoveResult(claim.posting, replayed=False)


@operation
def change_status(
    *,
    key: UUID,
    item: Item,
    location: Location,
    quantity: Decimal,
    from_status: str,
    to_status: str,
    actor: Actor,
    reason: str = "",
    lots: Sequence[LotQuantity] = (),
    effective_at: datetime | None = None,
    note: str = "",
) -> MoveResult:
    """Change the status of `quantity` at `location` (and below): hold, quarantine, damage, or release to available.

    Raises WrongState when nothing would change or when something leaves available without a reason, LotExpired for expired
    stock that would become available, and as issue_stock; nothing is written then.
    """
    check_item(item)
    check_source(location)
    check_quantity(item, quantity)
    check_effective_at(effective_at, actor=actor)
    if from_status == to_status:
        raise WrongState(f"The stock has status {StockStatus(from_status).label} already. Choose another status.")
    if from_status == StockStatus.AVAILABLE and not reason.strip():
        raise WrongState(
            f"Taking {item.sku} out of available stock needs a reason. Say why it can no longer be sold.", item=item.sku
        )
    claim = claim_posting(
        key=key,
        kind=PostingKind.STATUS_CHANGE,
        request={
            "item": item.pk,
            "location": location.pk,
            "quantity": quantity,
            "from": str(from_status),
            "to": str(to_status),
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
        return MoveResult(claim.posting, replayed=True)

    rows = lock_for_posting(items=[item.pk], within=location.path, statuses=[from_status, to_status])
    wanted = Wanted(
        item,
        quantity,
        location,
        status=from_status,
        lots=lots,
        allow_expired=to_status != StockStatus.AVAILABLE,
    )
    draft = Draft(rows)
    for pick in choose_cells(rows, wanted, on=timezone.localdate(claim.posting.effective_at)):
        place = (item.pk, pick.location_id, pick.lot_id)
        draft.move((*place, str(from_status)), (*place, str(to_status)), pick.quantity)
    post(posting=claim.posting, draft=draft)
    return MoveResult(claim.posting, replayed=False)
