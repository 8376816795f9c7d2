"""What is worked out ahead for the plan of counts: classes of items by their use, and cells that moved much."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers, texts
from inventory.counting import TURNOVERS_MANY, abc_classes
from inventory.models import CountClass, CountGroup, Item, PostingKind
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO

USAGE_DAYS = 365
USING_KINDS = (PostingKind.ISSUE, PostingKind.SHIPMENT, PostingKind.COMPLETION)
"""Kinds of postings that use goods; what a reversal brings back of them was not used."""
_LOCK = 0x636F756E

_USAGE = """
SELECT m.item_id, greatest(sum(-coalesce(m.value, m.quantity * i.standard_cost, 0)), 0)
FROM inventory_movement m
JOIN inventory_posting p ON p.id = m.posting_id LEFT JOIN inventory_posting r ON r.id = p.reverses_id
JOIN inventory_item i ON i.id = m.item_id
WHERE m.recorded_at >= %s AND m.effective_at >= %s AND coalesce(r.kind, p.kind) = ANY(%s::text[])
  AND (CASE WHEN p.reverses_id IS NULL THEN m.quantity < 0 ELSE m.quantity > 0 END)
GROUP BY m.item_id
"""
_KEEP = """
INSERT INTO inventory_countrank (item_id, "group", used_value, position, ranked_at)
SELECT row.item_id, row.of_group, row.used, row.position, %s
FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::bigint[]) AS row (item_id, of_group, used, position)
ON CONFLICT (item_id) DO UPDATE SET "group" = excluded."group", used_value = excluded.used_value,
  position = excluded.position, ranked_at = excluded.ranked_at
"""
_BUSY = """
WITH last AS (
  SELECT DISTINCT ON (c.item_id, c.location_id, c.lot_id, c.status)
         c.item_id, c.location_id, c.lot_id, c.status, c.scanned_at, c.counted
  FROM inventory_countline c WHERE c.state = 'posted'
  ORDER BY c.item_id, c.location_id, c.lot_id, c.status, c.scanned_at DESC
)
INSERT INTO inventory_busycell (item_id, location_id, lot_id, status, moved, ranked_at)
SELECT m.item_id, m.location_id, m.lot_id, m.status, sum(abs(m.quantity)), %s
FROM inventory_movement m JOIN last USING (item_id, location_id, lot_id, status)
JOIN inventory_stockbalance b USING (item_id, location_id, lot_id, status)
JOIN inventory_posting p ON p.id = m.posting_id AND p.kind <> 'landed_cost'  -- a later price takes out and puts back
WHERE m.recorded_at >= (SELECT min(scanned_at) FROM last) AND m.effective_at > last.scanned_at
GROUP BY 1, 2, 3, 4
HAVING sum(abs(m.quantity)) > 0
   AND sum(abs(m.quantity)) >= %s * greatest(max(abs(b.quantity)), max(abs(last.counted)))
"""


@dataclass(frozen=True, slots=True)
class Ranking:
    """How many items were put in order, how many cells moved much since their last count, and as of when."""

    items: int
    busy_cells: int
    ranked_at: datetime


@operation
def rank_items(*, actor: Actor = None, at: datetime | None = None) -> Ranking:  # noqa: ARG001  kept like its siblings
    """Put every item into its class by the value used in a year and find the cells that moved much since they were counted.

    Reads a year of the ledger, so it runs every night and on demand; the plan of counts reads what it found. Six statements,
    whatever the number of items. A class set by hand decides the position too, and goes first within its class where the
    use is the same.
    """
    now = at or timezone.now()
    since = now - timedelta(days=USAGE_DAYS)
    items = list(Item.objects.order_by("sku").values_list("pk", "count_group"))
    shares = [(row.group, row.share_percent) for row in CountClass.objects.order_by("group")]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(_USAGE, [since, since, [str(kind) for kind in USING_KINDS]])
        usage: dict[int, Decimal] = {**dict.fromkeys((pk for pk, _ in items), ZERO), **dict(cursor.fetchall())}
        classes = abc_classes(usage, shares=shares or [(CountGroup.C, Decimal(100))])
        ordered = sorted(items, key=lambda one: (one[1] or classes[one[0]], -usage[one[0]]))  # stable: by SKU
        ids = [pk for pk, _ in ordered]
        cursor.execute(
            _KEEP,
            [
                now,
                numbers(ids),
                texts(classes[pk] for pk in ids),
                numbers(usage[pk] for pk in ids),
                numbers(range(1, len(ids) + 1)),
            ],
        )
        cursor.execute("DELETE FROM inventory_busycell")
        cursor.execute(_BUSY, [now, TURNOVERS_MANY])
        return Ranking(items=len(ids), busy_cells=cursor.rowcount, ranked_at=now)
