"""How fast listings sell, kept beside the outbox so that what runs out first is sent first."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from channels_sync.reads.layers import DEMAND_DAYS
from inventory.operations.transactions import operation

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
