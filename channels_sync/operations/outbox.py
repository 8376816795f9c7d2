"""The outbox: taking rows to send, and writing down what became of them. Each is one short transaction.

A row is held by its `lease_until`, which is also its name: an answer is written down only while the row still carries the
lease it was taken with. Times are those of the database, so that several machines agree on them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.db import connection

from channels_sync.models import PublicationState
from channels_sync.reads.publishing import CONFIRM_ATTEMPTS_MAX
from inventory.operations.transactions import operation

LEASE_SECONDS = 120
"""Longer than a task may run: a sender is dead before its rows are given to another one."""
BACKOFF_SECONDS_MIN = 1.0
BACKOFF_SECONDS_MAX = 300.0
REJECTED_AGAIN_SECONDS = 3_600.0
"""A refused figure is offered again after this time, for somebody may have mended the shop."""
CONFIRM_HOLD_SECONDS = 60
_ERROR_LENGTH = 500
_KEYS = UUID("1b0b2a4c-31b5-5d6c-8a53-8f8f3f1c2a60")


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of the outbox in the hands of one sender, and what it takes to send it."""

    listing_id: int
    version: int
    wanted: int
    lease_until: datetime
    expected: int | None
    """The channel's figure as last known; None: read it first."""
    expected_at: datetime | None
    sku: str
    external_item_id: str
    run_id: int
    tries: int = 0
    """Stale answers since it was claimed."""

    @property
    def ref(self) -> str:
        return str(self.listing_id)

    @property
    def idempotency_key(self) -> str:
        """Names this version and this reading of the channel: the same until the channel was read again."""
        read_at = self.expected_at.isoformat() if self.expected_at else ""
        return str(uuid5(_KEYS, f"{self.listing_id}:{self.version}:{self.expected}:{read_at}"))


@dataclass(frozen=True, slots=True)
class Accepted:
    """The channel shows the wanted figure."""

    claim: Claim
    channel_quantity: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """The channel was read and shows another figure; the claim is kept and goes on from there."""

    claim: Claim
    channel_quantity: int
    words: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """Not done, or nobody knows. The same row goes out again after a while, with the same key unless `read_again`."""

    claim: Claim
    words: str
    after_seconds: float | None = None
    read_again: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel understood and said no."""

    claim: Claim
    words: str
    after_seconds: float = REJECTED_AGAIN_SECONDS


@dataclass(frozen=True, slots=True)
class Released:
    """Not sent after all; free for the next sender at once."""

    claim: Claim


Settlement = Accepted | Adopted | Postponed | Refused | Released


@dataclass(frozen=True, slots=True)
class _Row:
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


@dataclass(frozen=True, slots=True)
class _LineNews:
    """What changes on the publication line of one version; None leaves a time as it is."""

    listing_id: int
    version: int
    state: PublicationState
    error: str
    accepted_at: datetime | None = None
    confirmed_at: datetime | None = None


# --- sending ---

_CLAIM = """
WITH due AS (
  SELECT p.listing_id FROM channels_sync_listingpush p
  JOIN channels_sync_listing l ON l.id = p.listing_id JOIN channels_sync_channel c ON c.id = p.channel_id
  WHERE p.channel_id = %(channel)s AND p.version > p.sent_version AND l.is_active
    AND (c.mode = 'auto' OR c.mode = 'approve' AND NOT p.is_held) AND NOT c.is_paused
    AND (p.next_at IS NULL OR p.next_at <= clock_timestamp())
    AND (p.lease_until IS NULL OR p.lease_until <= clock_timestamp())
  ORDER BY p.listing_id LIMIT %(rows)s FOR NO KEY UPDATE OF p SKIP LOCKED
)
UPDATE channels_sync_listingpush p SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM due JOIN channels_sync_listing l ON l.id = due.listing_id WHERE p.listing_id = due.listing_id
RETURNING p.listing_id, p.version, p.sent_version, p.wanted, p.lease_until, p.channel_quantity, p.channel_quantity_at,
          l.external_sku, l.external_item_id
"""

_MARK_SENT = """
UPDATE channels_sync_publicationline line SET
  state = CASE WHEN line.version = c.version THEN 'sent' ELSE 'superseded' END,
  sent_at = CASE WHEN line.version = c.version THEN coalesce(line.sent_at, clock_timestamp()) ELSE line.sent_at END
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS c(listing_id, version, sent_version)
WHERE line.listing_id = c.listing_id AND line.version > c.sent_version
  AND (line.version = c.version OR line.version < c.version AND line.state IN ('queued', 'shadow', 'sent'))
RETURNING line.listing_id, line.version, line.run_id
"""


@operation
def claim_due(*, channel_id: int, rows_max: int) -> list[Claim]:
    """Take up to `rows_max` rows that are due on a channel that sends; nobody else gets them before the lease ends."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"channel": channel_id, "rows": rows_max, "lease": LEASE_SECONDS})
        rows = sorted(cursor.fetchall())
        if not rows:
            return []
        # A statement of its own: the claim may have waited for a newer version whose line it could not see yet.
        cursor.execute(_MARK_SENT, [[row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]])
        runs = {(listing_id, version): run_id for listing_id, version, run_id in cursor.fetchall()}
    return [
        Claim(
            listing_id=listing_id,
            version=version,
            wanted=wanted,
            lease_until=lease_until,
            expected=quantity,
            expected_at=quantity_at,
            sku=sku,
            external_item_id=external_item_id,
            run_id=runs[(listing_id, version)],
        )
        for listing_id, version, _, wanted, lease_until, quantity, quantity_at, sku, external_item_id in rows
    ]


@operation
def settle(settlements: Sequence[Settlement]) -> list[Claim]:
    """Write down what became of claims, each only while its lease is still ours. Returns the claims that go on.

    An answer for a version that is no longer the newest is written down as well, and leaves the newer one due.
    """
    rows, now = _lock_rows([one.claim.listing_id for one in settlements])
    waits = _Waits()
    changed: dict[int, _Row] = {}
    lines: list[_LineNews] = []
    going_on: list[Claim] = []
    for one in settlements:
        claim = one.claim
        row = rows.get(claim.listing_id)
        if row is None or row.lease_until != claim.lease_until or claim.version <= row.sent_version:
            continue  # somebody else took it over after the lease had ended, and will find out how things stand
        after, news = _settled(one, row, now, waits)
        changed[claim.listing_id] = after
        if news is not None:
            lines.append(news)
        if isinstance(one, Adopted) and after.lease_until is not None:
            going_on.append(
                replace(
                    claim,
                    expected=one.channel_quantity,
                    expected_at=after.channel_quantity_at,
                    lease_until=after.lease_until,
                )
            )
    _write_rows(changed)
    _write_lines(lines)
    return going_on


def _settled(one: Settlement, row: _Row, now: datetime, waits: _Waits) -> tuple[_Row, _LineNews | None]:
    """The row and its line after one settlement. Pure."""
    claim = one.claim
    is_newest = row.version == claim.version
    waiting = PublicationState.QUEUED if is_newest else PublicationState.SUPERSEDED
    free = replace(row, lease_until=None)

    def line(state: PublicationState, error: str = "", *, accepted_at: datetime | None = None) -> _LineNews:
        return _LineNews(claim.listing_id, claim.version, state, error[:_ERROR_LENGTH], accepted_at)

    match one:
        case Accepted(channel_quantity=quantity):
            sent = replace(free, sent_version=claim.version, channel_quantity=quantity, channel_quantity_at=now)
            if is_newest:
                sent = replace(sent, attempts=0, next_at=None, last_error="")
            return sent, line(PublicationState.ACCEPTED, accepted_at=now)
        case Adopted(channel_quantity=quantity, words=words):
            read = replace(row, channel_quantity=quantity, channel_quantity_at=now)
            if not is_newest:
                return replace(read, lease_until=None), line(PublicationState.SUPERSEDED, words)
            held = replace(read, lease_until=now + timedelta(seconds=LEASE_SECONDS))
            return held, line(PublicationState.SENT, words)
        case Postponed(words=words, after_seconds=after_seconds, read_again=read_again):
            attempts = row.attempts + 1
            wait = waits.after(attempts) if after_seconds is None else after_seconds
            late = replace(
                free,
                attempts=attempts,
                next_at=now + timedelta(seconds=wait),
                last_error=words[:_ERROR_LENGTH],
                channel_quantity=None if read_again else row.channel_quantity,
            )
            return late, line(waiting, words)
        case Refused(words=words, after_seconds=after_seconds):
            refused = replace(free, channel_quantity=None)
            if is_newest:
                refused = replace(
                    refused,
                    attempts=row.attempts + 1,
                    next_at=now + timedelta(seconds=after_seconds),
                    last_error=words[:_ERROR_LENGTH],
                )
            return refused, line(PublicationState.FAILED, words)
        case Released():
            return free, line(waiting)


class _Waits:
    """One wait per number of failures, so that rows that failed together are due together and share a call again."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def after(self, attempts: int) -> float:
        return self._seconds.setdefault(attempts, backoff_seconds(attempts))


def backoff_seconds(attempts: int, *, chance: Callable[[], float] = random.random) -> float:
    """How long to wait after so many failures: doubling, with jitter, at most BACKOFF_SECONDS_MAX."""
    full = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2.0 ** min(attempts, 16))
    return full * (0.5 + chance() / 2)


# --- confirming ---

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
    rows, now = _lock_rows([one.listing_id for one, _ in readings])
    changed: dict[int, _Row] = {}
    lines: list[_LineNews] = []
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
            lines.append(_LineNews(one.listing_id, one.version, PublicationState.CONFIRMED, "", confirmed_at=now))
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
        lines.append(_LineNews(one.listing_id, one.version, PublicationState.ACCEPTED, words))
    _write_rows(changed)
    _write_lines(lines)
    return confirmed, differing


# --- rows ---


def _lock_rows(listing_ids: Sequence[int]) -> tuple[dict[int, _Row], datetime]:
    """The rows under the lock, taken in listing order, and the database's time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT listing_id, version, sent_version, confirmed_version, channel_quantity, channel_quantity_at,"
            " lease_until, next_at, attempts, last_error FROM channels_sync_listingpush"
            " WHERE listing_id = ANY(%s::bigint[]) ORDER BY listing_id FOR NO KEY UPDATE",
            [list(listing_ids)],
        )
        rows = {listing_id: _Row(*rest) for listing_id, *rest in cursor.fetchall()}
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return rows, now


def _write_rows(rows: Mapping[int, _Row]) -> None:
    if not rows:
        return
    values = list(rows.values())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_listingpush p SET sent_version = u.sent, confirmed_version = u.confirmed,"
            " channel_quantity = u.quantity, channel_quantity_at = u.quantity_at, lease_until = u.lease,"
            " next_at = u.next_at, attempts = u.attempts, last_error = u.error"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::timestamptz[], %s::timestamptz[],"
            " %s::timestamptz[], %s::int[], %s::text[])"
            " AS u(listing_id, sent, confirmed, quantity, quantity_at, lease, next_at, attempts, error)"
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
            ],
        )


def _write_lines(lines: Sequence[_LineNews]) -> None:
    if not lines:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_publicationline l SET state = u.state, error = u.error,"
            " accepted_at = coalesce(u.accepted_at, l.accepted_at),"
            " confirmed_at = coalesce(u.confirmed_at, l.confirmed_at)"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])"
            " AS u(listing_id, version, state, error, accepted_at, confirmed_at)"
            " WHERE l.listing_id = u.listing_id AND l.version = u.version",
            [
                [line.listing_id for line in lines],
                [line.version for line in lines],
                [line.state.value for line in lines],
                [line.error for line in lines],
                [line.accepted_at for line in lines],
                [line.confirmed_at for line in lines],
            ],
        )
