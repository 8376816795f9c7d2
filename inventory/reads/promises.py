"""What demands were promised and what they have taken, from reservations and their log."""

from collections.abc import Collection
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from inventory.arrays import numbers, texts
from inventory.quantities import ZERO

FULFILLED = "fulfilled by posting "
"""So the log of reservations names the posting by which a demand took what was promised to it."""


class Promise(NamedTuple):
    """`pinned` is still promised in real cells, `taken` left stock out of promises and has not come back; stock unit."""

    pinned: Decimal
    taken: Decimal


NOTHING = Promise(ZERO, ZERO)

_PROMISES = """
SELECT r.demand_kind, r.demand_ref, r.item_id, coalesce(sum(r.quantity) FILTER (WHERE r.lot_id IS NOT NULL), 0),
       coalesce(sum(used.quantity), 0)
FROM inventory_reservation r
LEFT JOIN LATERAL (
  SELECT -sum(c.quantity) AS quantity FROM inventory_reservationchange c
  WHERE c.reservation_id = r.id AND c.quantity < 0 AND starts_with(c.reason, %(fulfilled)s)
    AND NOT EXISTS (
      SELECT 1 FROM inventory_posting p WHERE p.reverses_id = substring(c.reason FROM '[0-9]+$')::bigint
    )
) used ON true
WHERE (r.demand_kind, r.demand_ref) IN (SELECT * FROM unnest(%(kinds)s::text[], %(references)s::text[]))
  AND r.item_id = ANY(%(items)s::bigint[])
GROUP BY 1, 2, 3
"""


def promises_to(*, demands: Collection[tuple[str, str]], items: Collection[int]) -> dict[tuple[str, str, int], Promise]:
    """By kind, reference and item id what demands hold and have taken; not in it: nothing ever. One statement."""
    if not demands or not items:
        return {}
    values = {
        "kinds": texts(kind for kind, _ in demands),
        "references": texts(reference for _, reference in demands),
        "items": numbers(items),
        "fulfilled": FULFILLED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PROMISES, values)
        return {(kind, ref, item): Promise(pinned, taken) for kind, ref, item, pinned, taken in cursor.fetchall()}
