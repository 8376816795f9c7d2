"""Stopping lots: everything on hand of them goes into quarantine at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from inventory.errors import ReservedByOther, WrongState
from inventory.locks import ANYWHERE, Cell, lock_for_posting
from inventory.models import (
    Location,
    LocationKind,
    Lot,
    Posting,
    PostingKind,
    Reservation,
    ReservationChange,
    StockBalance,
    StockStatus,
)
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text


@dataclass(frozen=True, slots=True)
class QuarantineResult:
    posting: Posting
    on_the_road: Sequence[Cell]
    """Cells that stay as they are until they arrive; hold them then. Empty when replayed."""
    released: Decimal
    """Promises that were let go of, summed over items."""
    replayed: bool


@operation
def quarantine_lots(
    *,
    key: UUID,
    lots: Iterable[Lot],
    reason: str,
    actor: Actor,
    release_reserved: bool = False,
    reference: str = "",
    note: str = "",
) -> QuarantineResult:
    """Put everything on hand of `lots` into quarantine, wherever it lies and whatever its status, all of it or nothing.

    Goods on the road stay as they are. Promised stock stands in the way and is listed (ReservedByOther), unless
    `release_reserved` lets go of those promises. Raises WrongState without a reason or when nothing is on hand that is not
    in quarantine already; nothing is written then.
    """
    wanted = {lot.pk: lot for lot in lots}
    if not wanted:
        raise WrongState("No lot was named. Choose the lots that are to be stopped.")
    if not reason.strip():
        raise WrongState("Stopping lots needs a reason. Say what is wrong with them.")
    claim = claim_posting(
        key=key,
        kind=PostingKind.STATUS_CHANGE,
        request={"quarantine": sorted(wanted), "reason": reason, "release": release_reserved, "reference": reference},
        actor=actor,
        effective_at=None,
        reference=reference,
        reason=reason,
        note=note,
    )
    if not claim.is_new:
        return QuarantineResult(claim.posting, (), ZERO, replayed=True)

    rows = lock_for_posting(items={lot.item_id for lot in wanted.values()}, within=ANYWHERE, statuses=list(StockStatus))
    road = set(Location.objects.filter(kind=LocationKind.IN_TRANSIT).values_list("pk", flat=True))
    held = [
        cell
        for cell in rows.cells.values()
        if cell.lot_id in wanted and cell.quantity > ZERO and cell.status != StockStatus.QUARANTINE
    ]
    here = [cell for cell in held if cell.location_id not in road]
    if not here:
        raise WrongState(_nothing(wanted.values(), is_on_the_road=bool(held)))
    promised = [cell for cell in here if cell.reserved > ZERO]
    released = ZERO
    if promised:
        reservations = _reservations(promised)
        if not release_reserved:
            raise _reserved(promised, wanted, reservations)
        released = _release(promised, reservations, posting=claim.posting)
    draft = Draft(rows)
    for cell in here:
        target = (cell.item_id, cell.location_id, cell.lot_id, StockStatus.QUARANTINE.value)
        draft.move(cell.key, target, cell.quantity)
    post(posting=claim.posting, draft=draft)
    return QuarantineResult(
        claim.posting, [cell for cell in held if cell.location_id in road], released, replayed=False
    )


def _nothing(lots: Iterable[Lot], *, is_on_the_road: bool) -> str:
    codes = ", ".join(lot.code or "goods without lots" for lot in list(lots)[:5])
    if is_on_the_road:
        return f"All that is left of {codes} is on the road. Hold it when it arrives."
    return f"Nothing of {codes} is on hand outside quarantine, so there is nothing to stop."


def _reservations(cells: Sequence[Cell]) -> list[Reservation]:
    """Pinned promises in these cells, locked, in order of id."""
    places = {(cell.location_id, cell.lot_id) for cell in cells}
    rows = (
        Reservation.objects.filter(lot_id__in={lot_id for _, lot_id in places}, quantity__gt=0)
        .select_for_update(of=("self",), no_key=True)
        .order_by("id")
    )
    return [row for row in rows if row.lot_id is not None and (row.location_id, row.lot_id) in places]


def _reserved(cells: Sequence[Cell], lots: dict[int, Lot], reservations: Sequence[Reservation]) -> ReservedByOther:
    places = Location.objects.in_bulk({cell.location_id for cell in cells})
    words = "; ".join(
        f"{as_text(row.quantity)} of lot {lots[row.lot_id].code} for {row.demand_kind} {row.demand_ref}"
        for row in reservations[:10]
        if row.lot_id is not None
    )
    return ReservedByOther(
        f"Some of it is promised: {words}. Nothing was stopped. Let go of these promises as well, or settle them first.",
        reserved=[
            {
                "lot": lots[row.lot_id].code,
                "location": places[row.location_id].code,
                "quantity": as_text(row.quantity),
                "demand_kind": row.demand_kind,
                "demand_ref": row.demand_ref,
            }
            for row in reservations
            if row.lot_id is not None
        ],
    )


def _release(cells: Sequence[Cell], reservations: Sequence[Reservation], *, posting: Posting) -> Decimal:
    """Let go of the promises in these cells; the rows are locked."""
    StockBalance.objects.filter(pk__in=[cell.id for cell in cells]).update(reserved=ZERO)
    ReservationChange.objects.bulk_create(
        ReservationChange(
            reservation=row,
            quantity=-row.quantity,
            reason=f"lot stopped by posting {posting.pk}",
            actor_id=posting.actor_id,
        )
        for row in reservations
    )
    Reservation.objects.filter(pk__in=[row.pk for row in reservations]).update(quantity=ZERO)
    return sum((row.quantity for row in reservations), ZERO)
