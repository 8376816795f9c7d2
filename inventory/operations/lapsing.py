"""Promises that end by themselves: what was reserved until a time is free again after it."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from inventory.locks import lock_for_posting
from inventory.models import Item, Reservation, ReservationChange
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation
from inventory.quantities import ZERO

REASON = "time is over"
RESERVATIONS_MAX = 1_000
"""Promises of one run, the longest over first; the rest waits for the next."""


@dataclass(frozen=True, slots=True)
class LapsedReservation:
    """A promise that was let go of because its time is over; `quantity` as it was, stock unit."""

    reservation: Reservation
    item: Item

    @property
    def demand(self) -> str:
        return self.reservation.demand


def release_lapsed(*, at: datetime | None = None) -> list[LapsedReservation]:
    """Let go of every promise whose time was over at `at` (default now), each item in a transaction of its own.

    Safe to repeat and to run twice at once.
    """
    at = at or timezone.now()
    due = (
        Reservation.objects.lapsed(at=at)
        .order_by("expires_at", "id")
        .values_list("item_id", flat=True)[:RESERVATIONS_MAX]
    )
    items = Item.objects.in_bulk(set(due))
    return [one for item_id in sorted(items) for one in release_lapsed_of(item=items[item_id], at=at)]


@operation
def release_lapsed_of(*, item: Item, at: datetime) -> list[LapsedReservation]:
    """Let go of the promises of one item whose time was over at `at`: pinned ones leave their cells, all are logged.

    At most RESERVATIONS_MAX, the longest over first.
    """
    longest_over = Reservation.objects.lapsed(at=at).filter(item=item).order_by("expires_at", "id")
    chosen = list(longest_over.values_list("pk", flat=True)[:RESERVATIONS_MAX])
    if not chosen:
        return []
    # the pool of the item keeps everybody else off its cells and their promises; a rival may have used some meanwhile
    lock_for_posting(items=(), pools_of=[item.pk])
    rows = list(
        Reservation.objects.lapsed(at=at)
        .filter(pk__in=chosen)
        .select_for_update(of=("self",), no_key=True)
        .order_by("id")
    )
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_stockbalance b SET reserved = b.reserved - due.quantity FROM ("
            " SELECT item_id, location_id, lot_id, sum(quantity) AS quantity FROM inventory_reservation"
            " WHERE id = ANY(%s::bigint[]) AND lot_id IS NOT NULL GROUP BY 1, 2, 3) due"
            " WHERE b.item_id = due.item_id AND b.location_id = due.location_id AND b.lot_id = due.lot_id AND b.status = %s",
            [numbers(row.pk for row in rows), Reservation.STATUS.value],
        )
    ReservationChange.objects.bulk_create(
        ReservationChange(reservation=row, quantity=-row.quantity, reason=REASON) for row in rows
    )
    Reservation.objects.filter(pk__in=[row.pk for row in rows]).update(quantity=ZERO)
    tell_changed(items=[item.pk], cause="reservation")
    return [LapsedReservation(row, item) for row in rows]
