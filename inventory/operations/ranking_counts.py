"""What is worked out ahead for the plan of counts: classes of items by their use, and the cells that are due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers, texts
from inventory.counting import DAYS_PER_YEAR, TURNOVERS_MANY, abc_classes
from inventory.models import CountClass, CountGroup, Item, LocationKind, PostingKind
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO
from inventory.reads.count_plan import MOVED, NEVER, OVERDUE, REASONS, SUSPICIOUS

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
_NOW = """
CREATE TEMPORARY TABLE IF NOT EXISTS inventory_count_due_now (
  item_id bigint, location_id bigint, lot_id bigint, status text, reason smallint, moved numeric) ON COMMIT DROP
"""
_FIND = """
WITH last AS (
  SELECT DISTINCT ON (c.item_id, c.location_id, c.lot_id, c.status)
         c.item_id, c.location_id, c.lot_id, c.status, c.scanned_at, c.counted, c.expected,
         coalesce(c.tolerance_percent, 0) AS tolerance
  FROM inventory_countline c WHERE c.state = 'posted'
  ORDER BY c.item_id, c.location_id, c.lot_id, c.status, c.scanned_at DESC
), since AS (
  SELECT m.item_id, m.location_id, m.lot_id, m.status, sum(abs(m.quantity)) AS moved
  FROM inventory_movement m JOIN last USING (item_id, location_id, lot_id, status)
  JOIN inventory_posting p ON p.id = m.posting_id AND p.kind <> 'landed_cost'  -- a later price takes out and puts back
  WHERE m.recorded_at >= (SELECT min(scanned_at) FROM last) AND m.effective_at > last.scanned_at
  GROUP BY 1, 2, 3, 4
), busy AS (
  SELECT since.* FROM since JOIN last USING (item_id, location_id, lot_id, status)
  JOIN inventory_stockbalance b USING (item_id, location_id, lot_id, status)
  WHERE moved > 0 AND moved >= %(many)s * greatest(abs(b.quantity), abs(last.counted))
), found AS (
  SELECT b.item_id, b.location_id, b.lot_id, b.status, coalesce(busy.moved, 0) AS moved,
         CASE WHEN last.scanned_at IS NULL THEN %(never)s::int
              WHEN abs(last.counted - last.expected) * 100 > abs(last.expected) * last.tolerance THEN %(suspicious)s
              WHEN (last.scanned_at AT TIME ZONE %(zone)s)::date
                   + least(div(%(days)s * 100, r.counts_per_year * 100), 36500)::int <= %(today)s::date THEN %(overdue)s
              WHEN busy.moved IS NOT NULL THEN %(moved)s END AS reason
  FROM inventory_stockbalance b
  JOIN inventory_location l ON l.id = b.location_id AND l.kind = %(own)s
  JOIN inventory_item i ON i.id = b.item_id
  LEFT JOIN inventory_countrank k ON k.item_id = b.item_id
  LEFT JOIN inventory_countclass r ON r.group = coalesce(nullif(i.count_group, ''), k.group, 'C')
  LEFT JOIN last ON (last.item_id, last.location_id, last.lot_id, last.status)
    = (b.item_id, b.location_id, b.lot_id, b.status)
  LEFT JOIN busy ON (busy.item_id, busy.location_id, busy.lot_id, busy.status)
    = (b.item_id, b.location_id, b.lot_id, b.status)
  WHERE b.quantity <> 0
)
INSERT INTO inventory_count_due_now (item_id, location_id, lot_id, status, reason, moved)
SELECT item_id, location_id, lot_id, status, reason, moved FROM found WHERE reason IS NOT NULL
"""
_NO_LONGER = """
DELETE FROM inventory_countdue d WHERE NOT EXISTS (
  SELECT FROM inventory_count_due_now n
  WHERE (n.item_id, n.location_id, n.lot_id, n.status) = (d.item_id, d.location_id, d.lot_id, d.status))
"""
_FROM_NOW_ON = """
INSERT INTO inventory_countdue AS d (item_id, location_id, lot_id, status, reason, moved)
SELECT item_id, location_id, lot_id, status, reason, moved FROM inventory_count_due_now
ON CONFLICT (item_id, location_id, lot_id, status) DO UPDATE SET reason = excluded.reason, moved = excluded.moved
WHERE (d.reason, d.moved) IS DISTINCT FROM (excluded.reason, excluded.moved)
"""


@dataclass(frozen=True, slots=True)
class Ranking:
    """How many items were put in order, how many cells are due to be counted, and as of when."""

    items: int
    cells_due: int
    ranked_at: datetime


@operation
def rank_items(*, actor: Actor = None, at: datetime | None = None) -> Ranking:  # noqa: ARG001  kept like its siblings
    """Put every item into its class by the value used in a year, and find the cells that are due to be counted.

    Reads a year of the ledger and every cell, so it runs every night and on demand; the plan of counts reads what it found.
    The same number of statements whatever there is. A class set by hand decides the position too; within a class the use
    decides, then the SKU.
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
        cursor.execute(_NOW)
        cursor.execute("DELETE FROM inventory_count_due_now")  # of an earlier call in the same transaction
        cursor.execute(
            _FIND,
            {
                "own": LocationKind.OWN,
                "zone": settings.TIME_ZONE,
                "today": timezone.localdate(now),
                "days": DAYS_PER_YEAR,
                "many": TURNOVERS_MANY,
                **{reason: REASONS.index(reason) for reason in (SUSPICIOUS, NEVER, OVERDUE, MOVED)},
            },
        )
        cells_due = cursor.rowcount
        cursor.execute(_NO_LONGER)
        cursor.execute(_FROM_NOW_ON)
        return Ranking(items=len(ids), cells_due=cells_due, ranked_at=now)
