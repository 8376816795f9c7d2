"""The order of sending, and how fast listings sell, which it depends on."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from channels_sync.reads.layers import DEMAND_DAYS
from inventory.operations.transactions import operation

SOLD_PER_DAY_UNKNOWN = "0.3"
"""Taken for a listing of which no sale is known."""
_UNITS_LEFT = "least(u.wanted, greatest(p.channel_quantity, 0))"  # what shoppers can buy until the new figure is there
_SOLD = f"coalesce(nullif(p.sold_per_day, 0), {SOLD_PER_DAY_UNKNOWN})"
_SECONDS = f"""CASE WHEN u.wanted = 0 OR u.wanted < p.channel_quantity
 THEN CASE WHEN {_UNITS_LEFT} <= {_SOLD} THEN 0 WHEN {_UNITS_LEFT} <= 7 * {_SOLD} THEN 15 ELSE 30 END
 ELSE CASE WHEN {_UNITS_LEFT} <= {_SOLD} THEN 45 WHEN {_UNITS_LEFT} <= 7 * {_SOLD} THEN 90 ELSE 300 END END"""
_DUE_AT = f"clock_timestamp() + make_interval(secs => {_SECONDS})"
DUE_BY = f"CASE WHEN p.version > p.sent_version THEN least(p.due_by, {_DUE_AT}) ELSE {_DUE_AT} END"
"""SQL: the order in which figures are sent, for the row `p` that is given the figure `u.wanted`; the earliest goes first.

A figure that lowers goes before one that raises, and what is about to run out by its demand goes before what lasts. Each has
its moment at most five minutes after it changed, and a newer figure does not put it off: nothing waits behind newcomers for
ever.
"""

_REFRESH = """
WITH sold AS (
  SELECT d.item_id, d.channel_id, sum(d.quantity) / %(days)s AS per_day FROM channels_sync_channeldemand d
  WHERE d.day >= %(since)s AND d.day < %(today)s GROUP BY d.item_id, d.channel_id
), told AS (
  SELECT p.listing_id, round(sold.per_day / l.pack_size, 6) AS per_day FROM channels_sync_listingpush p
  JOIN channels_sync_listing l ON l.id = p.listing_id
  LEFT JOIN sold ON sold.item_id = l.item_id AND sold.channel_id = l.channel_id
  WHERE p.sold_per_day IS DISTINCT FROM round(sold.per_day / l.pack_size, 6)
  ORDER BY p.listing_id FOR NO KEY UPDATE OF p SKIP LOCKED
)
UPDATE channels_sync_listingpush p SET sold_per_day = told.per_day FROM told WHERE p.listing_id = told.listing_id
"""


@operation
def refresh_sold_per_day() -> int:
    """Write down what each listing sold a day over the last weeks, in sold units; returns the rows that differ.

    Rows somebody holds are left for the next time: it only decides the order of sending.
    """
    today = timezone.localdate()
    with connection.cursor() as cursor:
        cursor.execute(_REFRESH, {"days": DEMAND_DAYS, "since": today - timedelta(days=DEMAND_DAYS), "today": today})
        return int(cursor.rowcount)
