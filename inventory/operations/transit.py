"""Two-step transfers: goods leave one place today, stand on the road, and arrive at another later, whole or in parts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid5

from django.utils import timezone

from inventory.errors import InvalidQuantity, WrongState
from inventory.locks import CellKey, lock_for_posting
from inventory.models import (
    CostEntryKind,
    Item,
    Location,
    LocationKind,
    Posting,
    PostingKind,
    StockStatus,
    StockTransfer,
    StockTransferLine,
    StockTransferReceipt,
    TransferState,
)
from inventory.operations.checking import (
    check_active,
    check_effective_at,
    check_item,
    check_location,
    check_quantity,
    check_source,
)
from inventory.operations.choosing import check_lines, choose_lines
from inventory.operations.issuing import lots_request
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.taking import LotQuantity, Wanted
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text

ARRIVAL_STATUSES = (StockStatus.QC_HOLD, StockStatus.QUARANTINE, StockStatus.DAMAGED)
"""What goods that were sent as available may become on arrival."""

TRANSIT_CODES = ("TRANSIT", "IN-TRANSIT", "ON-THE-ROAD")


@dataclass(frozen=True, slots=True)
class DispatchLine:
    """A quantity (stock unit, positive) that is sent. Without `lots` the earliest expiry goes first."""

    item: Item
    quantity: Decimal
    status: str = StockStatus.AVAILABLE
    lots: Sequence[LotQuantity] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of a line of a transfer: how much arrived, and how much did not and never will. Stock unit.

    What arrived has `status` from then on, one of ARRIVAL_STATUSES; empty: the one it was sent with. A line may have several
    arrivals, so that a part of it is held.
    """

    line: StockTransferLine
    received: Decimal = ZERO
    lost: Decimal = ZERO
    status: str = ""


@dataclass(frozen=True, slots=True)
class TransferResult:
    transfer: StockTransfer
    posting: Posting  # of what moved; of the loss when nothing else moved
    loss: Posting | None  # of what was lost
    replayed: bool


@operation
def dispatch_transfer(
    *,
    key: UUID,
    source: Location,
    target: Location,
    lines: Sequence[DispatchLine],
    actor: Actor,
    transit: Location | None = None,
    expected_on: date | None = None,
    effective_at: datetime | None = None,
    reference: str = "",
    note: str = "",
) -> TransferResult:
    """Send goods from `source` (and below) towards `target`, all lines or none; they stand at `transit` until they arrive.

    Without `transit` the only place of kind in transit is used, and one is made when there is none. Lots, status and value
    stay. Raises WrongState for places that do not fit, InsufficientStock that lists every short line, and as
    transfer_stock; nothing is written then.
    """
    check_lines(lines, what="A transfer")
    for line in lines:
        check_item(line.item)
        check_quantity(line.item, line.quantity)
    check_location(target)
    check_source(source)
    if source.pk == target.pk:
        raise WrongState(f"{source.code} is both source and target. Choose another target.", location=source.code)
    check_effective_at(effective_at, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.TRANSFER,
        request={
            "dispatch": [source.pk, target.pk, None if transit is None else transit.pk, expected_on],
            "lines": [[one.item.pk, one.quantity, str(one.status), lots_request(one.lots)] for one in lines],
            "effective_at": effective_at,
            "reference": reference,
        },
        actor=actor,
        effective_at=effective_at,
        reference=reference,
        note=note,
    )
    if not claim.is_new:
        return TransferResult(StockTransfer.objects.get(dispatch=claim.posting), claim.posting, None, replayed=True)

    road = _road(transit, source=source, target=target)
    rows = lock_for_posting(
        items=[line.item.pk for line in lines],
        within=source.path,
        locations=[road.pk],
        statuses=sorted({str(line.status) for line in lines}),
    )
    takeable = rows.where(lambda cell: cell.path.startswith(source.path) and cell.location_id != road.pk)
    wanted = [Wanted(one.item, one.quantity, source, str(one.status), one.lots, allow_expired=True) for one in lines]
    chosen = choose_lines(takeable, wanted, on=timezone.localdate(claim.posting.effective_at))
    draft = Draft(rows)
    sent: dict[tuple[int, int, str], Decimal] = {}
    for line, picks in zip(lines, chosen, strict=True):
        for pick in picks:
            cell: CellKey = (line.item.pk, pick.location_id, pick.lot_id, str(line.status))
            draft.move(cell, (line.item.pk, road.pk, pick.lot_id, str(line.status)), pick.quantity)
            what = (line.item.pk, pick.lot_id, str(line.status))
            sent[what] = sent.get(what, ZERO) + pick.quantity
    post(posting=claim.posting, draft=draft)
    transfer = StockTransfer.objects.create(
        number=f"new-{claim.posting.pk}",
        source=source,
        target=target,
        transit=road,
        dispatched_at=claim.posting.effective_at,
        expected_on=expected_on,
        reference=reference,
        note=note,
        dispatch=claim.posting,
        created_by_id=getattr(actor, "pk", None),
    )
    transfer.number = f"TR-{transfer.pk:06d}"
    transfer.save(update_fields=["number"])
    StockTransferLine.objects.bulk_create(
        StockTransferLine(transfer=transfer, item_id=item_id, lot_id=lot_id, status=status, quantity=quantity)
        for (item_id, lot_id, status), quantity in sent.items()
    )
    return TransferResult(transfer, claim.posting, None, replayed=False)


def _road(transit: Location | None, *, source: Location, target: Location) -> Location:
    """The place goods on the road stand at: the given one, the only one, or a new one when there is none."""
    if transit is None:
        known = list(Location.objects.active().filter(kind=LocationKind.IN_TRANSIT).order_by("pk")[:2])
        if len(known) > 1:
            raise WrongState("There are several places for goods on the road. Choose the one to use.")
        transit = known[0] if known else _make_road()
    check_active(transit)
    if transit.kind != LocationKind.IN_TRANSIT or transit.pk in (source.pk, target.pk):
        raise WrongState(
            f"{transit.code} is no place for goods on the road. Choose one of kind in transit, other than source and target.",
            location=transit.code,
        )
    return transit


def _make_road() -> Location:
    taken = {code.upper() for code in Location.objects.values_list("code", flat=True)}
    code = next((code for code in TRANSIT_CODES if code not in taken), None)
    if code is None:
        raise WrongState("There is no place for goods on the road. Add a location of kind in transit.")
    values = {"name": "In transit", "kind": LocationKind.IN_TRANSIT, "is_sellable": False}
    return Location.objects.get_or_create(code=code, defaults=values)[0]


@operation
def receive_transfer(
    *,
    key: UUID,
    transfer: StockTransfer,
    arrivals: Sequence[Arrival],
    actor: Actor,
    loss_reason: str = "",
    effective_at: datetime | None = None,
    note: str = "",
) -> TransferResult:
    """Book what arrived of a transfer, whole or in part, and what was lost on the way, which becomes scrap expense.

    The transfer is received when nothing of it is on the road any more. Raises InvalidQuantity for more than is on the road,
    for nothing at all and for a loss without a reason, WrongState for a transfer that is closed and for another status of what
    was not sent as available; nothing is written then.
    """
    moved = [arrival for arrival in arrivals if arrival.received or arrival.lost]
    check_lines(moved, what=f"An arrival of {transfer.number}")
    check_location(transfer.target)
    for arrival in moved:
        for quantity in (arrival.received, arrival.lost):
            if quantity:
                check_quantity(arrival.line.item, quantity)
        _check_status(transfer, arrival)
    is_lost = any(arrival.lost for arrival in moved)
    if is_lost and not loss_reason.strip():
        raise InvalidQuantity(
            f"What was lost of {transfer.number} needs a reason. Say what happened.", transfer=transfer.number
        )
    check_effective_at(effective_at, actor=actor)
    has_arrived = any(arrival.received for arrival in moved)
    kind = PostingKind.TRANSFER if has_arrived else PostingKind.SCRAP
    request = {
        "transfer": transfer.pk,
        "arrivals": [
            [one.line.pk, one.received, one.lost, *([str(one.status)] if one.status else [])] for one in moved
        ],
        "loss_reason": loss_reason,
        "effective_at": effective_at,
    }
    claim = claim_posting(
        key=key,
        kind=kind,
        request=request,
        actor=actor,
        effective_at=effective_at,
        reference=transfer.number,
        reason="" if has_arrived else loss_reason,
        note=note,
        related=transfer.dispatch,
    )
    loss_key = uuid5(key, "lost")
    if not claim.is_new:
        loss = Posting.objects.filter(key=loss_key).first() if has_arrived and is_lost else None
        return TransferResult(_fresh(transfer), claim.posting, loss, replayed=True)

    held = _lock(transfer)
    _refuse_early(held, claim.posting)
    lines = {line.pk: line for line in held.lines.select_related("item", "lot").order_by("id")}
    _check_room(held, lines, moved)
    loss = None if has_arrived else claim.posting
    if has_arrived:
        arrived = [(lines[one.line.pk], one.received, str(one.status)) for one in moved if one.received]
        _carry(claim.posting, held, arrived, held.target)
        if is_lost:
            loss = claim_posting(
                key=loss_key,
                kind=PostingKind.SCRAP,
                request=request,
                actor=actor,
                effective_at=claim.posting.effective_at,
                reference=held.number,
                reason=loss_reason,
                note=note,
                related=held.dispatch,
            ).posting
    if loss is not None:
        _write_off(loss, held, [(lines[one.line.pk], one.lost) for one in moved if one.lost])
    for arrival in moved:
        line = lines[arrival.line.pk]
        line.received += arrival.received
        line.lost += arrival.lost
    StockTransferLine.objects.bulk_update(list(lines.values()), ["received", "lost"])
    if all(line.quantity == line.received + line.lost for line in lines.values()):
        held.state, held.closed_at = TransferState.RECEIVED, claim.posting.effective_at
        held.save(update_fields=["state", "closed_at"])
    return TransferResult(held, claim.posting, loss, replayed=False)


@operation
def return_transfer(
    *,
    key: UUID,
    transfer: StockTransfer,
    actor: Actor,
    reason: str = "",
    effective_at: datetime | None = None,
    note: str = "",
) -> TransferResult:
    """Bring everything that is still on the road back to where it was sent from; the transfer is cancelled then.

    What arrived before stays where it is. Raises WrongState for a transfer that is closed.
    """
    check_location(transfer.source)
    check_effective_at(effective_at, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.TRANSFER,
        request={"transfer_back": transfer.pk, "reason": reason, "effective_at": effective_at},
        actor=actor,
        effective_at=effective_at,
        reference=transfer.number,
        reason=reason,
        note=note,
        related=transfer.dispatch,
    )
    if not claim.is_new:
        return TransferResult(_fresh(transfer), claim.posting, None, replayed=True)

    held = _lock(transfer)
    _refuse_early(held, claim.posting)
    lines = held.lines.select_related("item", "lot").order_by("id")
    rest = [(line, line.quantity - line.received - line.lost, "") for line in lines]
    _carry(claim.posting, held, [part for part in rest if part[1]], held.source)
    held.state, held.closed_at = TransferState.CANCELLED, claim.posting.effective_at
    held.save(update_fields=["state", "closed_at"])
    return TransferResult(held, claim.posting, None, replayed=False)


def _fresh(transfer: StockTransfer) -> StockTransfer:
    return StockTransfer.objects.select_related("source", "target", "transit", "dispatch").get(pk=transfer.pk)


def _lock(transfer: StockTransfer) -> StockTransfer:
    """The transfer as it is now; until the transaction ends nobody else receives it. Taken before any pool."""
    held = (
        StockTransfer.objects.select_for_update(of=("self",), no_key=True)
        .select_related("source", "target", "transit", "dispatch")
        .get(pk=transfer.pk)
    )
    if held.state != TransferState.IN_TRANSIT:
        raise WrongState(
            f"{held.number} is {held.get_state_display().lower()}; nothing of it is on the road. "
            "Reverse its last step first if that was wrong.",
            transfer=held.number,
        )
    return held


def _refuse_early(transfer: StockTransfer, posting: Posting) -> None:
    if posting.effective_at < transfer.dispatched_at:
        raise WrongState(
            f"{transfer.number} left {timezone.localtime(transfer.dispatched_at):%Y-%m-%d %H:%M}; it did not arrive before. "
            "Give a later time.",
            transfer=transfer.number,
        )


def _check_status(transfer: StockTransfer, arrival: Arrival) -> None:
    line = arrival.line
    if not arrival.status or not arrival.received:
        return
    if arrival.status not in ARRIVAL_STATUSES:
        names = ", ".join(status.label for status in ARRIVAL_STATUSES)
        raise WrongState(
            f"Goods of {transfer.number} cannot become {StockStatus(arrival.status).label} on arrival. Choose one of {names}, "
            "or leave the status as it was sent.",
            transfer=transfer.number,
        )
    if line.status != StockStatus.AVAILABLE:
        raise WrongState(
            f"{line.item.sku} was sent in {transfer.number} as {line.get_status_display()}; only what was sent as available is "
            "given another status on arrival. Receive it as it is, then change its status where it lies.",
            transfer=transfer.number,
            item=line.item.sku,
        )


def _check_room(transfer: StockTransfer, lines: Mapping[int, StockTransferLine], arrivals: Sequence[Arrival]) -> None:
    received: dict[int, Decimal] = {}
    lost: dict[int, Decimal] = {}
    for arrival in arrivals:
        pk = arrival.line.pk
        if pk not in lines:
            raise WrongState(f"That line is not of {transfer.number}. Reload the transfer.", transfer=transfer.number)
        received[pk] = received.get(pk, ZERO) + arrival.received
        lost[pk] = lost.get(pk, ZERO) + arrival.lost
    for pk, arrived in received.items():
        line = lines[pk]
        room = line.quantity - line.received - line.lost
        if arrived + lost[pk] > room:
            raise InvalidQuantity(
                f"{as_text(room)} {line.item.stock_unit} of {line.item.sku} are on the road in {transfer.number}; "
                f"{as_text(arrived)} arrived and {as_text(lost[pk])} lost is more. Correct the figures; what came on "
                "top is an adjustment.",
                transfer=transfer.number,
                item=line.item.sku,
                on_the_road=as_text(room),
            )


def _carry(
    posting: Posting, transfer: StockTransfer, parts: Sequence[tuple[StockTransferLine, Decimal, str]], target: Location
) -> None:
    """Move goods of the transfer from the road to a place, each part in its new status, if one is given."""
    draft, taken = _take_off_the_road(
        posting,
        transfer,
        [(line, quantity) for line, quantity, _ in parts],
        also=target,
        statuses={status for *_, status in parts if status},
    )
    for (line, cells), (*_, status) in zip(taken, parts, strict=True):
        for key, quantity in cells:
            draft.move(key, (line.item_id, target.pk, line.lot_id, status or line.status), quantity)
    _finish(posting, transfer, draft)


def _write_off(posting: Posting, transfer: StockTransfer, parts: Sequence[tuple[StockTransferLine, Decimal]]) -> None:
    draft, taken = _take_off_the_road(posting, transfer, parts, also=None)
    for line, cells in taken:
        value = draft.issue(line.item_id, cells)
        draft.expense(line.item_id, CostEntryKind.SCRAP, value)
    _finish(posting, transfer, draft)


def _take_off_the_road(
    posting: Posting,
    transfer: StockTransfer,
    parts: Sequence[tuple[StockTransferLine, Decimal]],
    *,
    also: Location | None,
    statuses: Collection[str] = (),
) -> tuple[Draft, list[tuple[StockTransferLine, list[tuple[CellKey, Decimal]]]]]:
    """Lock what the parts touch, in `statuses` too, and find their goods on the road."""
    rows = lock_for_posting(
        items=[line.item_id for line, _ in parts],
        locations=[transfer.transit_id, *([also.pk] if also else [])],
        statuses=sorted({line.status for line, _ in parts}.union(statuses)),
    )
    road = rows.where(lambda cell: cell.location_id == transfer.transit_id)
    wanted = [
        Wanted(line.item, quantity, transfer.transit, line.status, [(line.lot, quantity)], allow_expired=True)
        for line, quantity in parts
    ]
    chosen = choose_lines(road, wanted, on=timezone.localdate(posting.effective_at))
    return Draft(rows), [
        (line, [((line.item_id, pick.location_id, pick.lot_id, line.status), pick.quantity) for pick in picks])
        for (line, _), picks in zip(parts, chosen, strict=True)
    ]


def _finish(posting: Posting, transfer: StockTransfer, draft: Draft) -> None:
    post(posting=posting, draft=draft)
    StockTransferReceipt.objects.create(transfer=transfer, posting=posting)
