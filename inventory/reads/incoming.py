"""What is on its way: ordered and not yet here, or sent from one place of ours to another."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection
from django.db.models import F, Q
from django.utils import timezone

from inventory.arrays import numbers
from inventory.models import LocationKind, StockStatus, StockTransferLine, TransferState


@dataclass(frozen=True, slots=True)
class Incoming:
    """An open quantity (stock unit) of one item. `source` is the kind of document behind it, `reference` its number."""

    item_id: int
    quantity: Decimal
    expected_on: date | None
    source: str
    reference: str
    origin: str  # who it comes from
    location_id: int  # where it will arrive
    order_id: int


_INCOMING = """
SELECT l.item_id, l.quantity - l.received, coalesce(l.expected_on, o.expected_on) AS expected_on, 'purchase', o.number,
       s.code, o.location_id, o.id
FROM inventory_purchaseorderline l
JOIN inventory_purchaseorder o ON o.id = l.order_id JOIN inventory_supplier s ON s.id = o.supplier_id
WHERE l.item_id = ANY(%s::bigint[]) AND NOT l.is_closed AND l.received < l.quantity AND o.state = 'ordered'
ORDER BY l.item_id, expected_on NULLS LAST, l.id
"""


def incoming(*, items: Collection[int]) -> dict[int, list[Incoming]]:
    """The open quantities of each of `items` (ids), soonest first, those without a date last; items without any are left
    out. One statement for any number of items.
    """
    found: dict[int, list[Incoming]] = {}
    if not items:
        return found
    with connection.cursor() as cursor:
        cursor.execute(_INCOMING, [numbers(items)])
        for row in cursor.fetchall():
            found.setdefault(row[0], []).append(Incoming(*row))
    return found


def will_be_available(*, on: date) -> Q:
    """Lines of transfers under way of which something will be available at its target: good, not past its last day `on`
    that day, and sent to a place that is sold from.
    """
    return (
        Q(
            transfer__state=TransferState.IN_TRANSIT,
            status=StockStatus.AVAILABLE,
            quantity__gt=F("received") + F("lost"),
        )
        & Q(transfer__target__is_sellable=True, transfer__target__is_active=True, transfer__target__is_blocked=False)
        & (Q(lot__expires_on__isnull=True) | Q(lot__expires_on__gte=on))
    )


def on_the_road(*, items: Collection[int]) -> dict[int, list[Incoming]]:
    """What transfers bring of each of `items` (ids) to our own and third-party places, soonest first, those without a day
    last. It is on hand nowhere that counts as available. What goes to a channel is that channel's. One statement.
    """
    found: dict[int, list[Incoming]] = {}
    if not items:
        return found
    lines = (
        StockTransferLine.objects.filter(will_be_available(on=timezone.localdate()), item_id__in=items)
        .exclude(transfer__target__kind=LocationKind.CHANNEL_OWNED)
        .order_by("item_id", F("transfer__expected_on").asc(nulls_last=True), "pk")
        .values_list(
            "item_id",
            F("quantity") - F("received") - F("lost"),
            "transfer__expected_on",
            "transfer__number",
            "transfer__source__code",
            "transfer__target_id",
            "transfer_id",
        )
    )
    for item_id, quantity, day, number, origin, target_id, transfer_id in lines:
        one = Incoming(item_id, quantity, day, "transfer", number, origin, target_id, transfer_id)
        found.setdefault(item_id, []).append(one)
    return found
