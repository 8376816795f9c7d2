"""What demands were promised and what they have taken, from reservations and their log; and who held what at a moment."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

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


class HeldThen(NamedTuple):
    """What one reservation held at a moment against one place; stock unit. A soft one lowers every place it may be met from."""

    source_id: int
    reservation_id: int
    demand_kind: str
    demand_ref: str
    place: str
    lot: str
    is_pinned: bool
    quantity: Decimal

    @property
    def demand(self) -> str:
        """`work order WO-000042`, as people read it."""
        return f"{self.demand_kind.replace('_', ' ')} {self.demand_ref}"


@dataclass(frozen=True, slots=True)
class PromisedThen:
    """Who held what of an item at a moment. `rows` has the largest of them; the sums, by place (id), contain all."""

    rows: Sequence[HeldThen]
    count: int
    pinned: dict[int, Decimal]
    soft: dict[int, Decimal]


ROWS_MAX = 50
_PROMISED_THEN = """
WITH source AS (
  SELECT id, path FROM inventory_location WHERE id = ANY(%(places)s::bigint[])
), held AS (
  SELECT s.id AS source_id, r.id, r.demand_kind, r.demand_ref, l.code AS place, coalesce(t.code, '') AS lot,
         r.lot_id IS NOT NULL AS is_pinned, sum(c.quantity) AS quantity
  FROM inventory_reservation r
  JOIN inventory_location l ON l.id = r.location_id LEFT JOIN inventory_lot t ON t.id = r.lot_id
  JOIN source s ON l.path LIKE s.path || '%%' OR r.lot_id IS NULL AND s.path LIKE l.path || '%%'
  JOIN inventory_reservationchange c ON c.reservation_id = r.id AND c.recorded_at <= %(at)s
  WHERE r.item_id = %(item)s AND CASE WHEN r.lot_id IS NULL THEN r.expires_at IS NULL OR r.expires_at > %(at)s
    ELSE l.is_sellable AND l.is_active AND NOT l.is_blocked
         AND NOT coalesce(t.expires_on < %(day)s::date + %(good_for)s::int, false) END
  GROUP BY s.id, r.id, l.code, t.code HAVING sum(c.quantity) > 0
)
SELECT source_id, id, demand_kind, demand_ref, place, lot, is_pinned, quantity, count(*) OVER (),
       sum(quantity) OVER (PARTITION BY source_id, is_pinned), row_number() OVER (ORDER BY quantity DESC, id, source_id),
       row_number() OVER (PARTITION BY source_id, is_pinned ORDER BY id)
FROM held
"""
_SOME = f"""
SELECT * FROM ({_PROMISED_THEN}) AS numbered(source_id, id, demand_kind, demand_ref, place, lot, is_pinned, quantity, count,
  in_all, number, number_there)
WHERE number <= {ROWS_MAX} OR number_there = 1 ORDER BY number
"""


def promised_then(*, item_id: int, places: Collection[int], at: datetime, good_for_days: int = 0) -> PromisedThen:
    """Who held what of an item at `places` (location ids) and below when `at` came, by the log of reservations.

    What availability counted then: promises whose time was not over, and of those in real cells the ones at places for sale
    with lots good for so many days more. The log keeps quantities alone: places are open or blocked here, and lots good until,
    as they are today. A change counts from when it was recorded. One statement.
    """
    values: dict[str, Any] = {
        "item": item_id,
        "places": numbers(places),
        "at": at,
        "day": timezone.localdate(at),
        "good_for": good_for_days,
    }
    rows: list[HeldThen] = []
    in_all = 0
    sums: dict[bool, dict[int, Decimal]] = {True: {}, False: {}}
    with connection.cursor() as cursor:
        cursor.execute(_SOME, values)
        for *row, count, quantity, number, _ in cursor.fetchall():
            held = HeldThen(*row)
            in_all = count
            sums[held.is_pinned][held.source_id] = quantity
            if number <= ROWS_MAX:
                rows.append(held)
    return PromisedThen(rows, in_all, sums[True], sums[False])
