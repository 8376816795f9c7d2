"""The outbox: taking rows to send, and writing down what became of them. Each is one short transaction.

A row is held by its `lease_until`, which is also its name: an answer is written down only while the row still carries the
lease it was taken with. Times are those of the database, so that several machines agree on them.

What is sent goes under the row's `call_key`, which is written down before the call leaves and stays until nothing can come of
that call any more. A channel does one call at most under one key, so a call that got lost on its way, for however long, cannot
land after a newer figure: either it landed before, or the newer one used up its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4, uuid5

from django.db import connection

from channels_sync.models import PublicationState
from channels_sync.models.pushes import SEND_ATTEMPTS_MAX
from channels_sync.operations.metering import backoff_seconds
from channels_sync.operations.outbox_rows import ERROR_LENGTH, LineNews, Row, lock_rows, write_lines, write_rows
from channels_sync.reads.publishing import MAY_GO
from inventory.arrays import numbers, texts
from inventory.operations.transactions import operation
from inventory.trips import execute, rows_of

LEASE_SECONDS = 120
"""Longer than a task may run: a sender is dead before its rows are given to another one."""
REJECTED_AGAIN_SECONDS = 3_600.0
"""A refused figure is offered again after this time, for somebody may have mended the shop."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS = UUID("1b0b2a4c-31b5-5d6c-8a53-8f8f3f1c2a60")


class Claim(NamedTuple):
    """One row of the outbox in the hands of one sender, and what it takes to send it. A tuple: they are made by the hundred."""

    listing_id: int
    version: int
    wanted: int
    lease_until: datetime
    expected: int | None
    """The channel's figure as last known; None: read it first."""
    sku: str
    external_item_id: str
    run_id: int
    is_held: bool
    """A change of it waits for a person: it may lower the channel's figure and never raises it."""
    is_unseen: bool
    """The channel was never told a figure of it, and it is not known what it shows."""
    call_key: str
    """The idempotency key to send it under; empty: used up, and the next reading of the channel brings another."""
    is_open: bool
    """A call under this key may still be on its way, or may have been done without our knowing."""
    tries: int
    """Stale answers since it was claimed."""

    @property
    def claimed_at(self) -> datetime:
        return self.lease_until - timedelta(seconds=LEASE_SECONDS)

    @property
    def ref(self) -> str:
        return str(self.listing_id)

    @property
    def connecting_key(self) -> str:
        """The key of the call that has the channel stock it. One for each claim: what was refused is asked anew, and a call
        that comes late changes nothing where the item is stocked already.
        """
        return str(uuid5(_KEYS, f"{self.listing_id}:{self.version}:{self.lease_until.isoformat()}"))

    @property
    def key_kept(self) -> str | None:
        """The key that stays with the row when it is let go."""
        return self.call_key or None if self.is_open else None


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
    """Not done, or nobody knows. The same row goes out again after a while.

    Without `counts` it was not the row's fault: it is never given up for that.
    """

    claim: Claim
    words: str
    after_seconds: float | None = None
    read_again: bool = False
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel understood and said no; without `counts` it said so to everything, whatever the row."""

    claim: Claim
    words: str
    after_seconds: float = REJECTED_AGAIN_SECONDS
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Released:
    """Not sent after all; free for the next sender, at once unless told otherwise."""

    claim: Claim
    after_seconds: float = 0.0


Settlement = Accepted | Adopted | Postponed | Refused | Released


_CLAIM = f"""
WITH moment AS MATERIALIZED (
  SELECT clock_timestamp() AS now, clock_timestamp() + make_interval(secs => %(lease)s) AS until
), due AS MATERIALIZED (
  SELECT p.listing_id, p.call_key IS NOT NULL AS is_open FROM channels_sync_listingpush p
  JOIN channels_sync_listing l ON l.id = p.listing_id JOIN channels_sync_channel c ON c.id = p.channel_id
  WHERE p.channel_id = %(channel)s AND p.version > p.sent_version AND p.attempts < {SEND_ATTEMPTS_MAX} AND l.is_active
    AND c.mode IN ('auto', 'approve') AND {MAY_GO} AND NOT c.is_paused
    AND (p.next_at IS NULL OR p.next_at <= (SELECT now FROM moment))
    AND (p.lease_until IS NULL OR p.lease_until <= (SELECT now FROM moment)) {{lowering}}
    AND NOT EXISTS (SELECT FROM channels_sync_recomputepiece w WHERE w.keeps_back_id = %(channel)s)
  ORDER BY p.due_by NULLS FIRST, p.listing_id LIMIT {{rows}} FOR NO KEY UPDATE OF p SKIP LOCKED
)
UPDATE channels_sync_listingpush p
SET lease_until = (SELECT until FROM moment),
    call_key = coalesce(p.call_key, md5(%(claim)s::text || coalesce(p.run_id, 0)::text)::uuid)
FROM due JOIN channels_sync_listing l ON l.id = due.listing_id WHERE p.listing_id = due.listing_id
RETURNING p.listing_id, p.version, p.wanted, (extract(epoch FROM p.lease_until) * 1000000)::bigint,
          CASE WHEN due.is_open AND p.wanted > p.channel_quantity AND {{careful}} THEN NULL ELSE p.channel_quantity END,
          l.external_sku, l.external_item_id, p.run_id, p.is_held, p.sent_version = 0 AND p.channel_quantity IS NULL,
          p.call_key::text, due.is_open
"""
"""What a Claim holds, in its order; the lease as millionths of a second, which are read several times quicker. Rows of one run
get one key, for they share a call. What may only be lowered is read first where a call is out that may have raised it."""
_LOWERING = "AND (p.wanted = 0 OR p.wanted < p.channel_quantity OR p.call_key IS NOT NULL)"


@operation
def claim_due(*, channel_id: int, rows_max: int, only_lowering: bool = False) -> list[Claim]:
    """Take up to `rows_max` rows that are due on a channel that sends; nobody else gets them before the lease ends.

    The most urgent first, see ranking.DUE_BY; `only_lowering` leaves alone what would raise the channel's figure or might.
    The answer is in listing order. Never waits for a row that somebody else holds.
    """
    if rows_max < 1:
        raise ValueError(f"rows_max must be positive, not {rows_max}")
    # The number of rows is part of the text: with a parameter the planner guesses a tenth of all rows and sorts them.
    statement = _CLAIM.format(
        rows=int(rows_max),
        lowering=_LOWERING if only_lowering else "",
        careful="true" if only_lowering else "p.is_held",
    )
    rows = rows_of(statement, {"channel": channel_id, "lease": LEASE_SECONDS, "claim": uuid4().hex})
    rows.sort()
    leases: dict[int, datetime] = {}
    claims = []
    for row in rows:
        until = leases.get(row[3])
        if until is None:
            until = leases[row[3]] = _EPOCH + timedelta(microseconds=row[3])
        claims.append(Claim._make((*row[:3], until, *row[4:], 0)))
    return claims


_ACCEPT = """
WITH u AS MATERIALIZED (
  SELECT * FROM unnest(%(listings)s::bigint[], %(versions)s::bigint[], %(leases)s::timestamptz[], %(quantities)s::int[])
    AS u(listing_id, version, lease_until, quantity)
), held AS MATERIALIZED (
  SELECT p.listing_id, u.version, u.quantity, u.lease_until, p.version = u.version AS is_newest
  FROM channels_sync_listingpush p JOIN u ON u.listing_id = p.listing_id
  WHERE p.lease_until = u.lease_until AND p.sent_version < u.version
  ORDER BY p.listing_id FOR NO KEY UPDATE OF p
), pushed AS (
  UPDATE channels_sync_listingpush p SET sent_version = held.version, channel_quantity = held.quantity,
    channel_quantity_at = clock_timestamp(), lease_until = NULL, call_key = NULL,
    attempts = CASE WHEN held.is_newest THEN 0 ELSE p.attempts END,
    next_at = CASE WHEN held.is_newest THEN NULL ELSE p.next_at END,
    last_error = CASE WHEN held.is_newest THEN '' ELSE p.last_error END
  FROM held WHERE p.listing_id = held.listing_id
)
UPDATE channels_sync_publicationline l SET state = 'accepted', error = '', accepted_at = clock_timestamp(),
  sent_at = coalesce(l.sent_at, held.lease_until - make_interval(secs => %(lease)s))
FROM held WHERE l.listing_id = held.listing_id AND l.version = held.version
"""


def _settle_accepted(answers: Sequence[Accepted]) -> None:
    """What `settle` does, by one statement for any number of rows: nearly always the channel says yes to all of them."""
    claims = [one.claim for one in answers]
    leases = {lease: lease.isoformat() for lease in {claim.lease_until for claim in claims}}
    execute(
        _ACCEPT,
        {
            "listings": numbers([claim.listing_id for claim in claims]),
            "versions": numbers([claim.version for claim in claims]),
            "leases": texts([leases[claim.lease_until] for claim in claims]),
            "quantities": numbers([one.channel_quantity for one in answers]),
            "lease": LEASE_SECONDS,
        },
    )


_NOTE = """
UPDATE channels_sync_publicationline l SET before = u.quantity
FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS u(listing_id, version, quantity)
WHERE l.listing_id = u.listing_id AND l.version = u.version AND l.before IS NULL
"""


def still_held(claims: Sequence[Claim]) -> set[int]:
    """The listings (ids) among claims whose rows nobody else took over. One statement."""
    rows = rows_of(
        "SELECT p.listing_id FROM unnest(%(listings)s::bigint[], %(leases)s::timestamptz[]) AS u(listing_id, lease_until)"
        " JOIN channels_sync_listingpush p USING (listing_id) WHERE p.lease_until = u.lease_until",
        {
            "listings": numbers(claim.listing_id for claim in claims),
            "leases": texts(claim.lease_until.isoformat() for claim in claims),
        },
    )
    return {listing_id for (listing_id,) in rows}


_RENEW = """
WITH u AS MATERIALIZED (
  SELECT * FROM unnest(%(listings)s::bigint[], %(leases)s::timestamptz[]) AS u(listing_id, lease_until)
), ours AS MATERIALIZED (
  SELECT p.listing_id FROM channels_sync_listingpush p JOIN u ON u.listing_id = p.listing_id
  WHERE p.lease_until = u.lease_until ORDER BY p.listing_id FOR NO KEY UPDATE OF p
)
UPDATE channels_sync_listingpush p SET call_key = %(key)s::uuid FROM ours
WHERE p.listing_id = ours.listing_id AND (SELECT count(*) FROM ours) = (SELECT count(*) FROM u) RETURNING p.listing_id
"""


@operation
def renew_key(*, claims: Sequence[Claim]) -> str | None:
    """A new key for one further call with these claims, written down with their rows. One statement.

    None when one of them is not ours any more; then none may be sent.
    """
    key = str(uuid4())
    rows = rows_of(
        _RENEW,
        {
            "listings": numbers(claim.listing_id for claim in claims),
            "leases": texts(claim.lease_until.isoformat() for claim in claims),
            "key": key,
        },
    )
    return key if rows else None


@operation
def note_shown_before(*, claims: Sequence[Claim], shown: Mapping[int, int]) -> None:
    """Keep with first figures what the channel was seen to show before them, by listing id: it is where an undo goes back to."""
    unseen = [claim for claim in claims if claim.is_unseen and claim.listing_id in shown]
    if unseen:
        with connection.cursor() as cursor:
            cursor.execute(
                _NOTE,
                [
                    numbers(claim.listing_id for claim in unseen),
                    numbers(claim.version for claim in unseen),
                    numbers(max(shown[claim.listing_id], 0) for claim in unseen),
                ],
            )


@operation
def settle(settlements: Sequence[Settlement]) -> list[Claim]:
    """Write down what became of claims, each only while its lease is still ours. Returns the claims that go on.

    An answer for a version that is no longer the newest is written down as well, and leaves the newer one due.
    """
    accepted = [one for one in settlements if isinstance(one, Accepted)]
    if len(accepted) == len(settlements):
        _settle_accepted(accepted)
        return []
    # All of them in one way, so that rows are locked in one order.
    rows, now = lock_rows([one.claim.listing_id for one in settlements])
    waits, keys = _Waits(), _NewKeys()
    changed: dict[int, Row] = {}
    lines: list[LineNews] = []
    going_on: list[Claim] = []
    for one in settlements:
        claim = one.claim
        row = rows.get(claim.listing_id)
        if row is None or row.lease_until != claim.lease_until or claim.version <= row.sent_version:
            continue  # somebody else took it over after the lease had ended, and will find out how things stand
        after, news = _settled(one, row, now, waits, keys)
        changed[claim.listing_id] = after
        if news is not None:
            lines.append(news)
        if isinstance(one, Adopted) and after.lease_until is not None:
            going_on.append(
                claim._replace(
                    expected=one.channel_quantity,
                    lease_until=after.lease_until,
                    call_key=after.call_key or "",
                )
            )
    write_rows(changed)
    write_lines(lines)
    return going_on


def _settled(one: Settlement, row: Row, now: datetime, waits: _Waits, keys: _NewKeys) -> tuple[Row, LineNews | None]:
    """The row and its line after one settlement. Pure."""
    claim = one.claim
    is_newest = row.version == claim.version
    waiting = PublicationState.QUEUED if is_newest else PublicationState.SUPERSEDED
    free = replace(row, lease_until=None, call_key=claim.key_kept)

    def line(state: PublicationState, error: str = "", *, accepted_at: datetime | None = None) -> LineNews:
        sent_at = None if isinstance(one, Released | Adopted) else claim.claimed_at
        return LineNews(claim.listing_id, claim.version, state, error[:ERROR_LENGTH], sent_at, accepted_at)

    match one:
        case Accepted(channel_quantity=quantity):
            sent = replace(
                free,
                sent_version=claim.version,
                channel_quantity=quantity,
                channel_quantity_at=now,
                call_key=None,
            )
            if is_newest:
                sent = replace(sent, attempts=0, next_at=None, last_error="")
            return sent, line(PublicationState.ACCEPTED, accepted_at=now)
        case Adopted(channel_quantity=quantity, words=words):
            read = replace(free, channel_quantity=quantity, channel_quantity_at=now)
            if not is_newest:
                return read, line(PublicationState.SUPERSEDED, words)
            held = replace(
                read,
                lease_until=now + timedelta(seconds=LEASE_SECONDS),
                call_key=claim.call_key or keys.of_run(claim.run_id),
            )
            return held, line(PublicationState.QUEUED, words) if words else None
        case Postponed(words=words, after_seconds=after_seconds, read_again=read_again, counts=counts):
            attempts = row.attempts + counts
            wait = waits.after(attempts) if after_seconds is None else after_seconds
            late = replace(
                free,
                attempts=attempts,
                next_at=now + timedelta(seconds=wait),
                last_error=words[:ERROR_LENGTH],
                channel_quantity=None if read_again else row.channel_quantity,
            )
            return late, line(waiting, words)
        case Refused(words=words, after_seconds=after_seconds, counts=counts):
            refused = replace(free, channel_quantity=None)
            if is_newest:
                refused = replace(
                    refused,
                    attempts=row.attempts + counts,
                    next_at=now + timedelta(seconds=after_seconds),
                    last_error=words[:ERROR_LENGTH],
                )
            return refused, line(PublicationState.FAILED, words)
        case Released(after_seconds=after_seconds):
            later = now + timedelta(seconds=after_seconds) if after_seconds else row.next_at
            return replace(free, next_at=later), line(waiting)


class _NewKeys:
    """One new key for each run, so that rows of a run share a call again."""

    def __init__(self) -> None:
        self._keys: dict[int, str] = {}

    def of_run(self, run_id: int) -> str:
        return self._keys.setdefault(run_id, str(uuid4()))


class _Waits:
    """One wait per number of failures, so that rows that failed together are due together and share a call again."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def after(self, attempts: int) -> float:
        return self._seconds.setdefault(attempts, backoff_seconds(attempts))
