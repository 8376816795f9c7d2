"""The most each listing was given lately, which the guard compares raises with: what is too long ago is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from channels_sync.operations.guarding import RECENT_DAYS
from inventory.operations.transactions import operation

LISTINGS_PER_STEP = 10_000

_FORGET = """
WITH high AS MATERIALIZED (
  SELECT p.listing_id FROM channels_sync_listingpush p
  WHERE p.listing_id > %(after)s AND p.recent_max > coalesce(p.wanted, 0)
  ORDER BY p.listing_id LIMIT %(most)s
), told AS MATERIALIZED (
  SELECT h.listing_id, greatest(
    (SELECT max(l.after) FROM channels_sync_publicationline l
     WHERE l.listing_id = h.listing_id AND l.recorded_at > %(since)s),
    (SELECT l.after FROM channels_sync_publicationline l
     WHERE l.listing_id = h.listing_id AND l.recorded_at <= %(since)s ORDER BY l.version DESC LIMIT 1), 0
  ) AS most
  FROM high h
), due AS MATERIALIZED (
  SELECT t.listing_id, t.most FROM told t JOIN channels_sync_listingpush p ON p.listing_id = t.listing_id
  WHERE p.recent_max > greatest(t.most, p.wanted) ORDER BY t.listing_id FOR NO KEY UPDATE OF p
), lowered AS (
  UPDATE channels_sync_listingpush p SET recent_max = greatest(d.most, p.wanted)
  FROM due d WHERE p.listing_id = d.listing_id RETURNING 1
)
SELECT (SELECT max(listing_id) FROM high), (SELECT count(*) FROM lowered)
"""
"""What was shown when the days began counts too. What is wanted now is never above it, whoever changed it meanwhile."""


def forget_old_maxima(*, now: datetime | None = None) -> int:
    """Lower what each listing is remembered to have shown at most to what it was given in the last RECENT_DAYS days.

    In steps of LISTINGS_PER_STEP, a transaction each. Returns the listings lowered.
    """
    since = (now or timezone.now()) - timedelta(days=RECENT_DAYS)
    lowered, after = 0, 0
    while True:
        last, count = _forget_some(after, since=since)
        lowered += count
        if last is None:
            return lowered
        after = last


@operation
def _forget_some(after: int, *, since: datetime) -> tuple[int | None, int]:
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"after": after, "most": LISTINGS_PER_STEP, "since": since})
        last, count = cursor.fetchone()
    return last, count
