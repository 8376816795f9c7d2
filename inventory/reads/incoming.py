"""What is on its way to us: ordered and not yet here."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection

from inventory.arrays import numbers


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
