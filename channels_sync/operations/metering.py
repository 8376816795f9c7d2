"""The allowance of an account, kept in the database: every worker of every channel that calls it pays from one bucket.

Each of these is one statement of its own and holds no lock while a channel is talked to. A call is paid before it is made;
what was paid and not used is lost, so the account's limit is never exceeded, whoever dies meanwhile. Times are those of the
database, so that several machines agree on them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.db import connection

from channels_sync.adapters.base import ChannelLimits
from channels_sync.adapters.registry import ADAPTERS
from channels_sync.errors import ChannelError, ChannelThrottled, ChannelUnavailable
from channels_sync.models import Channel
from inventory.operations.transactions import operation

BACKOFF_SECONDS_MIN = 1.0
BACKOFF_SECONDS_MAX = 300.0
PROBE_SECONDS = 120
"""While an account is silent one sender tries it, and nobody else for so long: the lease of that sender's rows."""
WAIT_SECONDS_MAX = 5.0
"""A call waits at most so long for the allowance before its rows go back."""


ALLOWANCE_USED_UP = "ALLOWANCE_USED_UP"
"""Code of ChannelThrottled when we hold back by ourselves: the channel was not asked."""


def account_name(*, adapter: str, base_url: str) -> str:
    """What the allowance is counted by: the protocol and the address, written in one way."""
    parts = urlsplit(base_url)
    return f"{adapter}:{parts.netloc}{parts.path}".lower().rstrip("/")[:300]


def account_of_channel(channel: Channel) -> str:
    """The name of the account a channel calls."""
    return account_name(adapter=channel.adapter, base_url=channel.base_url)


def backoff_seconds(attempts: int, *, chance: Callable[[], float] = random.random) -> float:
    """How long to wait after so many failures: doubling, with jitter, at most BACKOFF_SECONDS_MAX."""
    full = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2.0 ** min(attempts, 16))
    return full * (0.5 + chance() / 2)


# What the bucket may hold for us, and what it holds now. A clock that stood still or went back fills nothing. Both moments of
# `_TAKE` are read after the row lock was got; the later one is kept, so that no refill counts twice.
_MOST = "(a.bucket_points / 100.0 * a.share_percent)"
_REFILL = "(a.refill_points_per_second * a.share_percent / 100.0)"
_HELD = (
    f"least({_MOST}, a.points + {_REFILL} * greatest(0, extract(epoch FROM clock_timestamp() - a.filled_at)::numeric))"
)
_COST = f"least(%(points)s::numeric, {_MOST})"  # a call dearer than the whole bucket takes all of it
_TAKE = f"""
UPDATE channels_sync_sendingaccount a SET points = {_HELD} - {_COST}, filled_at = greatest(a.filled_at, clock_timestamp())
WHERE a.account = %(account)s AND {_HELD} >= {_COST}
  AND (a.quiet_until IS NULL OR a.quiet_until <= clock_timestamp() OR %(is_probe)s)
"""
_STATE = f"""
SELECT a.failures, a.quiet_until IS NOT NULL, {_HELD}, {_MOST},
  coalesce(greatest(0, extract(epoch FROM a.quiet_until - clock_timestamp())), 0),
  greatest(0, ({_COST} - {_HELD}) / {_REFILL})
FROM channels_sync_sendingaccount a WHERE a.account = %(account)s
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Whether an account may be called now. `wait_seconds` is above zero when not."""

    account: str
    wait_seconds: float = 0.0
    is_probe: bool = False
    """The account was silent: this caller alone finds out whether it answers again. It tells by `account_answered` or
    `account_failed`, or gives the turn back by `probe_unused`."""
    probe_until: datetime | None = None
    """Until when nobody else may call because of this probe."""

    @property
    def is_open(self) -> bool:
        return self.wait_seconds <= 0


def ensure_account(channel: Channel) -> None:
    """Make the bucket of a channel's account, full, where it was never called."""
    known = ADAPTERS.get(channel.adapter)
    if known is not None:
        _make_account(account_of_channel(channel), known.limits)


def enter(channel: Channel, *, points: float = 1.0) -> Entry:
    """Ask whether a channel's account may be called now for at least `points`. Nothing is taken out of the bucket.

    An account that was silent lets one caller in when its pause is over; the others wait until that one has told.
    """
    account = account_of_channel(channel)
    known = ADAPTERS.get(channel.adapter)
    if known is None:
        return Entry(account)
    state = _state(account, known.limits, points)
    if state.quiet_seconds > 0 or state.missing_seconds > 0:
        return Entry(account, max(state.quiet_seconds, state.missing_seconds))
    if not state.failures:
        return Entry(account)
    probe_until = _claim_probe(account)
    if probe_until is None:
        return Entry(account, float(PROBE_SECONDS))
    return Entry(account, is_probe=True, probe_until=probe_until)


@dataclass(frozen=True, slots=True)
class _State:
    failures: int
    points: float
    points_max: float
    quiet_seconds: float
    missing_seconds: float


def _state(account: str, limits: ChannelLimits | None, points: float) -> _State:
    values: dict[str, str | float] = {"account": account, "points": points}
    with connection.cursor() as cursor:
        cursor.execute(_STATE, values)
        row = cursor.fetchone()
        if row is None and limits is not None:
            _make_account(account, limits)
            cursor.execute(_STATE, values)
            row = cursor.fetchone()
    if row is None:
        return _State(0, 0.0, 0.0, 0.0, 0.0)
    failures, _, held, most, quiet, missing = row
    return _State(failures, float(held), float(most), float(quiet), float(missing))


@operation
def _make_account(account: str, limits: ChannelLimits) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO channels_sync_sendingaccount (account, bucket_points, refill_points_per_second, share_percent,"
            " points, filled_at, failures) VALUES (%s, %s, %s, 100, %s, clock_timestamp(), 0) ON CONFLICT DO NOTHING",
            [account, limits.bucket_points, limits.refill_points_per_second, limits.bucket_points],
        )


@operation
def _claim_probe(account: str) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_sendingaccount SET quiet_until = clock_timestamp() + make_interval(secs => %s)"
            " WHERE account = %s AND failures > 0 AND (quiet_until IS NULL OR quiet_until <= clock_timestamp())"
            " RETURNING quiet_until",
            [PROBE_SECONDS, account],
        )
        row = cursor.fetchone()
    return row[0] if row is not None else None


@operation
def probe_unused(*, entry: Entry) -> None:
    """Nothing was asked of the account after all: the next caller may try it at once."""
    if entry.is_probe:
        with connection.cursor() as cursor:
            # Only what the probe itself set ends: a pause that was asked for meanwhile is kept.
            cursor.execute(
                "UPDATE channels_sync_sendingaccount SET quiet_until = NULL WHERE account = %s AND quiet_until = %s",
                [entry.account, entry.probe_until],
            )


@operation
def account_answered(*, entry: Entry) -> None:
    """The account answers again: everybody may call."""
    if entry.is_probe:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE channels_sync_sendingaccount SET failures = 0, failing_since = NULL, quiet_until = NULL"
                " WHERE account = %s",
                [entry.account],
            )


@operation
def account_silent(*, entry: Entry, asked_seconds: float | None = None) -> float:
    """Nobody was there: the account is left in peace, longer each time. Returns the seconds until it is tried again.

    Several senders that found out at once count as one failure.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_sendingaccount SET failures = failures + 1,"
            " failing_since = coalesce(failing_since, clock_timestamp()),"
            " quiet_until = clock_timestamp() + make_interval(secs =>"
            "  greatest(%s::float8, (%s::float8[])[least(failures + 1, %s)]))"
            " WHERE account = %s AND (%s OR quiet_until IS NULL OR quiet_until <= clock_timestamp())",
            [
                asked_seconds or 0.0,
                [backoff_seconds(attempts) for attempts in range(1, 11)],
                10,
                entry.account,
                entry.is_probe,
            ],
        )
        cursor.execute(
            "SELECT extract(epoch FROM quiet_until - clock_timestamp())::float8"
            " FROM channels_sync_sendingaccount WHERE account = %s",
            [entry.account],
        )
        row = cursor.fetchone()
    return max(0.0, row[0]) if row is not None and row[0] is not None else backoff_seconds(1)


@operation
def account_rests(*, account: str, seconds: float) -> None:
    """Nobody calls the account for `seconds`, for it asked for that. It answers, so it is not silent."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_sendingaccount SET failures = 0, failing_since = NULL,"
            " quiet_until = greatest(CASE WHEN failures = 0 THEN quiet_until END,"
            "  clock_timestamp() + make_interval(secs => %s)) WHERE account = %s",
            [min(seconds, BACKOFF_SECONDS_MAX), account],
        )


def account_failed(*, entry: Entry, error: ChannelError) -> float | None:
    """Tell how a call went that failed. Returns the seconds until the account may be tried again; None: at once."""
    if not isinstance(error, ChannelUnavailable):
        account_answered(entry=entry)
        return None
    if not isinstance(error, ChannelThrottled):
        return account_silent(entry=entry, asked_seconds=error.retry_after_seconds)
    wait = backoff_seconds(1) if error.retry_after_seconds is None else error.retry_after_seconds
    if error.code == ALLOWANCE_USED_UP:
        probe_unused(entry=entry)  # the bucket itself says when it goes on
    else:
        account_rests(account=entry.account, seconds=wait)
    return wait


@operation
def try_account_now(*, channel: Channel) -> None:
    """Have a silent account tried at once, for a person says that something changed. A pause it asked for is kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_sendingaccount SET quiet_until = NULL WHERE account = %s AND failures > 0",
            [account_of_channel(channel)],
        )


class AccountMeter:
    """The bucket of one account as adapters see it."""

    def __init__(
        self, entry: Entry, limits: ChannelLimits | None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._entry = entry
        self._limits = limits
        self._sleep = sleep

    def pay(self, points: float) -> None:
        """Take `points` out of the bucket before a call; waits up to WAIT_SECONDS_MAX. Raises ChannelThrottled."""
        account, waited = self._entry.account, 0.0
        while not _take(account, points, is_probe=self._entry.is_probe):
            state = _state(account, self._limits, points)
            missing = max(0.0 if self._entry.is_probe else state.quiet_seconds, state.missing_seconds)
            if waited + missing > WAIT_SECONDS_MAX:
                raise ChannelThrottled(
                    f"The account's allowance is used up: {state.points:.0f} of {state.points_max:.0f} points are there. "
                    f"It goes on in {missing:.0f} s.",
                    code=ALLOWANCE_USED_UP,
                    retry_after_seconds=missing,
                )
            pause = missing + 0.01
            self._sleep(pause)
            waited += pause

    def heed(self, *, available: float, points_max: float | None = None, refill: float | None = None) -> None:
        """Never hold more than the channel says is left, and learn the size of its bucket and its refill."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE channels_sync_sendingaccount a SET bucket_points = coalesce(%(most)s::int, a.bucket_points),"
                " refill_points_per_second = coalesce(%(refill)s::numeric, a.refill_points_per_second),"
                f" points = greatest(0, least({_HELD}, %(available)s::numeric)),"
                " filled_at = greatest(a.filled_at, clock_timestamp()) WHERE a.account = %(account)s"
                f" AND ({_HELD} > %(available)s::numeric OR a.bucket_points <> coalesce(%(most)s::int, a.bucket_points)"
                "  OR a.refill_points_per_second <> coalesce(%(refill)s::numeric, a.refill_points_per_second))",
                {
                    "account": self._entry.account,
                    "available": available,
                    "most": int(points_max) if points_max and points_max >= 1 else None,
                    "refill": refill if refill and refill > 0 else None,
                },
            )

    def rest(self, seconds: float) -> None:
        """The channel answered that it wants a pause."""
        account_rests(account=self._entry.account, seconds=seconds)


def meter_of(channel: Channel, entry: Entry | None = None) -> AccountMeter:
    """The meter an adapter of the channel pays through."""
    known = ADAPTERS.get(channel.adapter)
    return AccountMeter(entry or Entry(account_of_channel(channel)), known.limits if known else None)


@operation
def _take(account: str, points: float, *, is_probe: bool) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"account": account, "points": points, "is_probe": is_probe})
        return bool(cursor.rowcount == 1)
