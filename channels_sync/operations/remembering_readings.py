"""What a channel was seen to show, written down per listing by one statement for any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from inventory.arrays import numbers, texts
from inventory.operations.transactions import operation


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading. `agreed_version` is the version it shows, None when it shows another figure than ours."""

    listing_id: int
    quantity: int | None
    sku: str
    committed: int | None
    read_at: datetime
    agreed_version: int | None


_REMEMBER = """
INSERT INTO channels_sync_listingreading AS r
  (listing_id, quantity, sku, committed, read_at, agreed_version, agreed_committed, agreed_at)
SELECT u.listing_id, u.quantity, u.sku, u.committed, u.read_at, coalesce(u.version, 0),
  CASE WHEN u.version IS NOT NULL THEN u.committed END, CASE WHEN u.version IS NOT NULL THEN u.read_at END
FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::int[], %s::timestamptz[], %s::bigint[])
  AS u(listing_id, quantity, sku, committed, read_at, version)
ORDER BY u.listing_id
ON CONFLICT (listing_id) DO UPDATE SET
  quantity = excluded.quantity, sku = excluded.sku, committed = excluded.committed, read_at = excluded.read_at,
  agreed_version = greatest(r.agreed_version, excluded.agreed_version),
  agreed_committed = CASE WHEN excluded.agreed_at IS NULL THEN r.agreed_committed ELSE excluded.agreed_committed END,
  agreed_at = coalesce(excluded.agreed_at, r.agreed_at)
WHERE r.read_at <= excluded.read_at
"""


@operation
def remember_readings(*, seen: Sequence[Seen]) -> None:
    """Keep the newest reading of each listing, and what the channel's orders held when it last showed our figure."""
    if not seen:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _REMEMBER,
            [
                numbers(one.listing_id for one in seen),
                numbers(one.quantity for one in seen),
                texts(one.sku[:100] for one in seen),
                numbers(one.committed for one in seen),
                texts(one.read_at.isoformat() for one in seen),
                numbers(one.agreed_version for one in seen),
            ],
        )
