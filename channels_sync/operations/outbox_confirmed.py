"""Accepted figures that are to be read back, and what the channel was seen to show. Each is one short transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import connection

from channels_sync.models import PublicationState
from channels_sync.operations.metering import backoff_seconds
from channels_sync.operations.outbox_rows import LineNews, Row, lock_rows, write_lines, write_rows
from channels_sync.reads.publishing import CONFIRM_ATTEMPTS_MAX
from inventory.operations.transactions import operation

CONFIRM_HOLD_SECONDS = 60

_CLAIM_UNCONFIRMED = """
WITH due AS (
  SELECT p.listing_id FROM channels_sync_listingpush p
  JOIN channels_sync_listing l ON l.id = p.listing_id JOIN channels_sync_channel c ON c.id = p.channel_id
  WHERE p.channel_id = %(channel)s AND p.sent_version > p.confirmed_version AND p.version = p.sent_version
    AND c.mode IN ('approve', 'auto') AND l.is_active AND p.attempts < %(attempts)s
    AND (p.next_at IS NULL OR p.next_at <= clock_timestamp())
  ORDER BY p.listing_id LIMIT %(rows)s FOR NO KEY UPDATE OF p SKIP LOCKED
)
UPDATE channels_sync_listingpush p SET next_at = clock_timestamp() + make_interval(secs => %(hold)s)
FROM due JOIN channels_sync_listing l ON l.id = due.listing_id
WHERE p.listing_id = due.listing_id
RETURNING p.listing_id, p.sent_version, p.wanted, l.external_item_id
"""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """An accepted version the channel has not yet been seen to show."""

    listing_id: int
    version: int
    wanted: int
    external_item_id: str


@operation
def claim_unconfirmed(*, channel_id: int, rows_max: int) -> list[Unconfirmed]:
    """Take up to `rows_max` accepted rows to read back. A newer version does not have to wait for this."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM_UNCONFIRMED,
            {
                "channel": channel_id,
                "rows": rows_max,
                "hold": CONFIRM_HOLD_SECONDS,
                "attempts": CONFIRM_ATTEMPTS_MAX,
            },
        )
        return sorted((Unconfirmed(*row) for row in cursor.fetchall()), key=lambda one: one.listing_id)


@operation
def settle_readings(readings: Sequence[tuple[Unconfirmed, int | None]]) -> tuple[int, int]:
    """Write down what the channel was seen to show; None: nothing at all. Returns (confirmed, differing).

    A reading counts only when nothing newer was wanted or sent meanwhile. A figure that differs stands as an error on the
    line and on the row, and becomes the one the next change starts from; it is looked at again a few times.
    """
    rows, now = lock_rows([one.listing_id for one, _ in readings])
    changed: dict[int, Row] = {}
    lines: list[LineNews] = []
    confirmed = differing = 0
    for one, quantity in readings:
        row = rows.get(one.listing_id)
        if row is None or row.version != one.version or row.sent_version != one.version:
            continue
        if quantity == one.wanted:
            confirmed += 1
            changed[one.listing_id] = replace(
                row,
                confirmed_version=one.version,
                channel_quantity=quantity,
                channel_quantity_at=now,
                attempts=0,
                next_at=None,
                last_error="",
            )
            lines.append(LineNews(one.listing_id, one.version, PublicationState.CONFIRMED, "", confirmed_at=now))
            continue
        differing += 1
        shown = "nothing" if quantity is None else str(quantity)
        words = (
            f"The channel accepted {one.wanted} and was read back showing {shown}: sold or changed there meanwhile. "
            "Compare its orders and its change log with ours."
        )
        changed[one.listing_id] = replace(
            row,
            channel_quantity=quantity,
            channel_quantity_at=now,
            attempts=row.attempts + 1,
            next_at=now + timedelta(seconds=backoff_seconds(row.attempts + 1)),
            last_error=words,
        )
        lines.append(LineNews(one.listing_id, one.version, PublicationState.ACCEPTED, words))
    write_rows(changed)
    write_lines(lines)
    return confirmed, differing
