"""What hangs on a posting when it is reversed: goods that came back since, and the transfer document it belongs to."""

from decimal import Decimal

from django.db.models import Exists, OuterRef

from inventory.errors import ReversalBlocked, WrongState
from inventory.models import (
    Movement,
    Posting,
    PostingKind,
    StockTransfer,
    StockTransferLine,
    StockTransferReceipt,
    TransferState,
)
from inventory.quantities import ZERO

RETURNS = (PostingKind.CUSTOMER_RETURN, PostingKind.SUPPLIER_RETURN)


def standing_returns(posting: Posting) -> list[Posting]:
    """Returns of a shipment or receipt that were not reversed, oldest first."""
    undone = Posting.objects.filter(reverses=OuterRef("pk"))
    found = Posting.objects.filter(related=posting, kind__in=RETURNS).exclude(Exists(undone))
    return list(found.order_by("pk"))


def refuse_returned(posting: Posting) -> None:
    """Refuse to reverse what goods were returned of: they would come back twice. The items' pools must be locked."""
    returns = standing_returns(posting)
    if returns:
        raise ReversalBlocked(
            f"{posting} cannot be reversed: goods of it were returned by {', '.join(str(one) for one in returns[:5])}. "
            "Reverse that first.",
            blocked_by=[],
            returns=[one.pk for one in returns],
        )


def lock_transfer_of(posting: Posting) -> StockTransfer | None:
    """The two-step transfer a posting belongs to, locked; None for every other posting. Taken before any pool."""
    if posting.kind not in (PostingKind.TRANSFER, PostingKind.SCRAP):
        return None
    number = (
        StockTransfer.objects.filter(dispatch=posting).values_list("pk", flat=True).first()
        or StockTransferReceipt.objects.filter(posting=posting).values_list("transfer_id", flat=True).first()
    )
    if number is None:
        return None
    return StockTransfer.objects.select_for_update(of=("self",), no_key=True).get(pk=number)


def refuse_transfer_moved_on(transfer: StockTransfer, posting: Posting) -> None:
    """Refuse what the document has moved past: newer steps are reversed first."""
    lines = list(transfer.lines.all())
    if posting.pk == transfer.dispatch_id:
        if transfer.state != TransferState.IN_TRANSIT or any(line.received or line.lost for line in lines):
            raise WrongState(
                f"{transfer.number} has arrivals, losses or goods that came back. Reverse those first, or leave it as it is.",
                transfer=transfer.number,
            )
    elif transfer.state == TransferState.CANCELLED and not came_back(transfer, posting):
        raise WrongState(
            f"The rest of {transfer.number} went back to {transfer.source.code}. Reverse that first.",
            transfer=transfer.number,
        )


def came_back(transfer: StockTransfer, posting: Posting) -> bool:
    """Whether a posting of the transfer is the one that brought the rest back to where it was sent from."""
    return (
        posting.kind == PostingKind.TRANSFER
        and Movement.objects.filter(posting=posting, quantity__gt=0, location_id=transfer.source_id).exists()
    )


def follow_transfer(transfer: StockTransfer, posting: Posting, *, reversal: Posting) -> None:
    """Bring the document of a posting that `reversal` just took back up to date. It must be locked."""
    if posting.pk == transfer.dispatch_id:
        transfer.state, transfer.closed_at = TransferState.CANCELLED, reversal.recorded_at
    else:
        if not came_back(transfer, posting):
            _take_off_lines(transfer, posting)
        transfer.state, transfer.closed_at = TransferState.IN_TRANSIT, None
    transfer.save(update_fields=["state", "closed_at"])


def _take_off_lines(transfer: StockTransfer, posting: Posting) -> None:
    """What the posting received or lost of each lot is on the road again."""
    is_loss = posting.kind == PostingKind.SCRAP
    left: dict[tuple[int, int, str], Decimal] = {}
    for movement in posting.movements.filter(location_id=transfer.transit_id, quantity__lt=0):
        key = (movement.item_id, movement.lot_id, movement.status)
        left[key] = left.get(key, ZERO) - movement.quantity
    lines = list(transfer.lines.order_by("id"))
    for line in lines:
        key = (line.item_id, line.lot_id, line.status)
        part = min(left.get(key, ZERO), line.lost if is_loss else line.received)
        left[key] = left.get(key, ZERO) - part
        if is_loss:
            line.lost -= part
        else:
            line.received -= part
    assert not any(left.values()), "more was taken back than the transfer says has arrived"
    StockTransferLine.objects.bulk_update(lines, ["received", "lost"])
