"""What the clock does to stock: lots past their last day leave available, and leave to go below zero ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid5

from django.db import connection
from django.utils import timezone

from inventory.locks import ANYWHERE, lock_for_posting
from inventory.models import (
    Item,
    Location,
    LocationKind,
    Lot,
    Posting,
    PostingKind,
    Reservation,
    StockBalance,
    StockStatus,
)
from inventory.operations.posting import Draft, claim_posting, post
from inventory.operations.transactions import operation
from inventory.quantities import ZERO

REASON = "Expired"
LOTS_MAX = 1_000
"""Lots of one run; the rest waits for the next."""
CELLS_MAX = 5_000
"""Cells whose leave to go below zero ends in one run."""
_KEYS = UUID("3f1d2b64-52b7-4a47-9c60-1f0a8f1f2a90")


@dataclass(frozen=True, slots=True)
class FreedPin:
    """Stock that was pinned to a demand and is not any more; stock unit."""

    demand_kind: str
    demand_ref: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class ExpiredLot:
    """What was, or would be, set to expired of one lot; stock unit."""

    item: Item
    lot: Lot
    quantity: Decimal
    freed: Sequence[FreedPin]
    posting: Posting | None  # None when it was only looked at


def lots_past_their_day(*, on: date) -> list[Lot]:
    """At most LOTS_MAX lots whose last day was before `on` and of which something is available, oldest expiry first.

    Goods on the road wait until they arrive, so that their transfer finds them as they were sent.
    """
    cells = StockBalance.objects.filter(status=StockStatus.AVAILABLE, quantity__gt=0)
    held = cells.exclude(location__kind=LocationKind.IN_TRANSIT).values("lot_id")
    lots = Lot.objects.filter(expires_on__lt=on, pk__in=held).select_related("item")
    return list(lots.order_by("expires_on", "pk")[:LOTS_MAX])


def expire_due_lots(*, on: date | None = None, dry_run: bool = False) -> list[ExpiredLot]:
    """Set every lot past its last day to expired, each in a transaction of its own; with `dry_run` only tell.

    Safe to repeat and to run twice at once.
    """
    day = on or timezone.localdate()
    found = []
    for lot in lots_past_their_day(on=day):
        done = _outlook(lot) if dry_run else expire_lot(lot=lot, on=day)
        if done is not None:
            found.append(done)
    return found


def _outlook(lot: Lot) -> ExpiredLot:
    cells = StockBalance.objects.filter(lot=lot, status=StockStatus.AVAILABLE, quantity__gt=0)
    quantities = cells.exclude(location__kind=LocationKind.IN_TRANSIT).values_list("quantity", flat=True)
    pins = Reservation.objects.filter(lot=lot, quantity__gt=0).exclude(location__kind=LocationKind.IN_TRANSIT)
    freed = [FreedPin(pin.demand_kind, pin.demand_ref, pin.quantity) for pin in pins.order_by("id")]
    return ExpiredLot(lot.item, lot, sum(quantities, ZERO), freed, None)


@operation
def expire_lot(*, lot: Lot, on: date) -> ExpiredLot | None:
    """Move what is available of a lot whose last day was before `on` to status expired, wherever it stands.

    What was pinned of it to demands is let go of and logged. Stock that is held or in quarantine stays so. Once for each lot
    and day; None when that was done, when the lot is still good or when nothing of it is available.
    """
    if not lot.is_expired(on=on):
        return None
    rows = lock_for_posting(items=[lot.item_id], within=ANYWHERE, statuses=[StockStatus.AVAILABLE, StockStatus.EXPIRED])
    road = set(Location.objects.filter(kind=LocationKind.IN_TRANSIT).values_list("pk", flat=True))
    cells = [
        cell
        for cell in rows.of_item(lot.item_id, status=StockStatus.AVAILABLE)
        if cell.lot_id == lot.pk and cell.quantity > ZERO and cell.location_id not in road
    ]
    if not cells:
        return None
    claim = claim_posting(  # after the lock, for once: a key that is claimed for nothing would leave an empty posting
        key=uuid5(_KEYS, f"{lot.pk} {on.isoformat()}"),
        kind=PostingKind.STATUS_CHANGE,
        request={"expired": lot.pk, "on": on},
        actor=None,
        effective_at=None,
        reason=REASON,
    )
    if not claim.is_new:
        return None
    draft = Draft(rows, released_as=REASON.lower())
    for cell in cells:
        draft.move(cell.key, (*cell.key[:3], StockStatus.EXPIRED.value), cell.quantity)
        draft.freed[cell.key] = cell.reserved
    pins = list(
        Reservation.objects.filter(lot=lot, quantity__gt=0, location_id__in=[cell.location_id for cell in cells])
        .select_for_update(of=("self",), no_key=True)
        .order_by("id")
    )
    draft.released |= {pin.pk: pin.quantity for pin in pins}
    post(posting=claim.posting, draft=draft)
    freed = [FreedPin(pin.demand_kind, pin.demand_ref, pin.quantity) for pin in pins]
    return ExpiredLot(lot.item, lot, sum((cell.quantity for cell in cells), ZERO), freed, claim.posting)


@operation
def end_negative_leave() -> int:
    """Take the leave to be below zero from cells that no longer are; return how many there were.

    A cell that a posting holds is left for the next run.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_stockbalance SET negative_allowed = false WHERE id IN ("
            " SELECT id FROM inventory_stockbalance WHERE negative_allowed AND quantity >= 0"
            " ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)",
            [CELLS_MAX],
        )
        return int(cursor.rowcount)
