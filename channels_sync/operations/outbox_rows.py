"""Rows of the outbox under the lock, and what changes on them and on their publication lines. Used by the outbox alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from channels_sync.models import PublicationState

ERROR_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the outbox under the lock."""

    version: int
    sent_version: int
    confirmed_version: int
    channel_quantity: int | None
    channel_quantity_at: datetime | None
    lease_until: datetime | None
    next_at: datetime | None
    attempts: int
    last_error: str
    call_key: str | None


@dataclass(frozen=True, slots=True)
class LineNews:
    """What changes on the publication line of one version; None leaves a time as it is."""

    listing_id: int
    version: int
    state: PublicationState
    error: str
    sent_at: datetime | None = None
    accepted_at: datetime | None = None
    confirmed_at: datetime | None = None


def lock_rows(listing_ids: Sequence[int]) -> tuple[dict[int, Row], datetime]:
    """The rows under the lock, taken in listing order, and the database's time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT listing_id, version, sent_version, confirmed_version, channel_quantity, channel_quantity_at,"
            " lease_until, next_at, attempts, last_error, call_key::text FROM channels_sync_listingpush"
            " WHERE listing_id = ANY(%s::bigint[]) ORDER BY listing_id FOR NO KEY UPDATE",
            [list(listing_ids)],
        )
        rows = {listing_id: Row(*rest) for listing_id, *rest in cursor.fetchall()}
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return rows, now


def write_rows(rows: Mapping[int, Row]) -> None:
    """Write down what changed, by listing. The rows are locked by the caller."""
    if not rows:
        return
    values = list(rows.values())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_listingpush p SET sent_version = u.sent, confirmed_version = u.confirmed,"
            " channel_quantity = u.quantity, channel_quantity_at = u.quantity_at, lease_until = u.lease,"
            " next_at = u.next_at, attempts = u.attempts, last_error = u.error, call_key = u.call_key"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::timestamptz[], %s::timestamptz[],"
            " %s::timestamptz[], %s::int[], %s::text[], %s::uuid[])"
            " AS u(listing_id, sent, confirmed, quantity, quantity_at, lease, next_at, attempts, error, call_key)"
            " WHERE p.listing_id = u.listing_id",
            [
                list(rows),
                [row.sent_version for row in values],
                [row.confirmed_version for row in values],
                [row.channel_quantity for row in values],
                [row.channel_quantity_at for row in values],
                [row.lease_until for row in values],
                [row.next_at for row in values],
                [row.attempts for row in values],
                [row.last_error for row in values],
                [row.call_key for row in values],
            ],
        )


def write_lines(lines: Sequence[LineNews]) -> None:
    """Write down how far versions got."""
    if not lines:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_publicationline l SET state = u.state, error = u.error,"
            " sent_at = coalesce(l.sent_at, u.sent_at),"
            " accepted_at = coalesce(u.accepted_at, l.accepted_at),"
            " confirmed_at = coalesce(u.confirmed_at, l.confirmed_at)"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],"
            " %s::timestamptz[]) AS u(listing_id, version, state, error, sent_at, accepted_at, confirmed_at)"
            " WHERE l.listing_id = u.listing_id AND l.version = u.version",
            [
                [line.listing_id for line in lines],
                [line.version for line in lines],
                [line.state.value for line in lines],
                [line.error for line in lines],
                [line.sent_at for line in lines],
                [line.accepted_at for line in lines],
                [line.confirmed_at for line in lines],
            ],
        )
