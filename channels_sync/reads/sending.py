"""Questions about sending: what may go out now, how full the allowance is, and what waits, by state and age."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from channels_sync.models import Channel, ListingPush, SendingWindow, WindowKind, WindowScope
from channels_sync.models.pushes import SEND_ATTEMPTS_MAX
from channels_sync.windows import Flow, Window, flow_at, next_change
from inventory.arrays import numbers

AGES_SECONDS = (60, 300, 3_600, 86_400)
"""Bounds by which what waits is counted: under a minute, five minutes, an hour, a day, and older."""


def zone_of(channel: Channel) -> ZoneInfo:
    """The clock of a channel's hours; the company's where none, or none that is known, is set."""
    try:
        return ZoneInfo(channel.time_zone or settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(settings.TIME_ZONE)


def plain(window: SendingWindow) -> Window:
    """A stored window as the pure rules take it."""
    return Window(
        is_quiet=window.kind == WindowKind.QUIET,
        raises_only=window.scope == WindowScope.RAISES,
        weekdays=frozenset(int(digit) for digit in window.weekdays),
        starts_at=window.starts_at,
        ends_at=window.ends_at,
    )


def flow_now(channel: Channel) -> Flow:
    """What the channel's hours let out at this moment. One query."""
    windows = [plain(window) for window in SendingWindow.objects.of_channel(channel.pk)]
    return flow_at(windows, moment=timezone.now(), zone=zone_of(channel)) if windows else Flow.EVERYTHING


@dataclass(frozen=True, slots=True)
class Allowance:
    """An account's bucket now, and whether it answers. Points are those we may use."""

    account: str
    points: Decimal
    points_max: Decimal
    refill_per_second: Decimal
    share_percent: int
    failures: int
    failing_since: datetime | None
    quiet_until: datetime | None

    @property
    def full_percent(self) -> int:
        return int(self.points / self.points_max * 100) if self.points_max else 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """Listings of one channel by where their newest figure is."""

    listings: int = 0
    waiting: int = 0  # not sent yet, those on their way and those given up left out
    on_the_way: int = 0  # in the hands of a sender
    retrying: int = 0  # of those waiting, with an error
    given_up: int = 0
    unconfirmed: int = 0  # accepted, not read back yet
    oldest_waiting_at: datetime | None = None
    oldest_unconfirmed_at: datetime | None = None
    next_at: datetime | None = None  # when the first that waits may go out
    ages: tuple[int, ...] = (0,) * (len(AGES_SECONDS) + 1)  # of those waiting, by AGES_SECONDS


@dataclass(frozen=True, slots=True)
class ChannelSending:
    """How sending to one channel is doing."""

    channel: Channel
    backlog: Backlog
    allowance: Allowance | None  # None until the account was called for the first time
    flow: Flow
    flow_until: datetime | None
    windows: Sequence[SendingWindow]
    next_sending_at: datetime | None  # None when nothing waits or nobody knows

    @property
    def state(self) -> str:
        """One word for what happens now: off, shadow, paused, quiet, silent, throttled, lowering, or sending."""
        if self.channel.mode not in ("auto", "approve"):
            return self.channel.mode
        if self.channel.is_paused:
            return "paused"
        if self.flow is Flow.NOTHING:
            return "quiet"
        if self.allowance is not None and self.allowance.quiet_until is not None:
            return "silent" if self.allowance.failures else "throttled"
        return "lowering" if self.flow is Flow.LOWERING else "sending"


_BACKLOG = f"""
SELECT p.channel_id, count(*),
  count(*) FILTER (WHERE w.waits),
  count(*) FILTER (WHERE w.is_due AND p.lease_until > clock_timestamp()),
  count(*) FILTER (WHERE w.waits AND p.last_error <> ''),
  count(*) FILTER (WHERE w.is_behind AND p.attempts >= {SEND_ATTEMPTS_MAX}),
  count(*) FILTER (WHERE w.is_accepted),
  min(line.recorded_at) FILTER (WHERE w.waits),
  min(line.accepted_at) FILTER (WHERE w.is_accepted),
  min(coalesce(p.next_at, clock_timestamp())) FILTER (WHERE w.waits),
  {{ages}}
FROM channels_sync_listingpush p
JOIN channels_sync_listing l ON l.id = p.listing_id AND l.is_active
CROSS JOIN LATERAL (SELECT p.version > p.sent_version AS is_behind,
  p.version > p.sent_version AND p.attempts < {SEND_ATTEMPTS_MAX} AS is_due,
  p.version > p.sent_version AND p.attempts < {SEND_ATTEMPTS_MAX}
    AND (p.lease_until IS NULL OR p.lease_until <= clock_timestamp()) AS waits,
  p.version = p.sent_version AND p.sent_version > p.confirmed_version AS is_accepted) w
LEFT JOIN channels_sync_publicationline line
  ON line.listing_id = p.listing_id AND line.version = p.version AND (w.is_behind OR w.is_accepted)
WHERE p.channel_id = ANY(%s::bigint[]) GROUP BY p.channel_id
"""


def _age_columns() -> str:
    age = "extract(epoch FROM clock_timestamp() - line.recorded_at)"
    bounds: list[int | None] = [None, *AGES_SECONDS, None]
    columns = []
    for low, high in pairwise(bounds):
        conditions = ["w.waits"] + [f"{age} >= {low}"] * (low is not None) + [f"{age} < {high}"] * (high is not None)
        columns.append(f"count(*) FILTER (WHERE {' AND '.join(conditions)})")
    return ", ".join(columns)


def backlogs(*, channels: Collection[Channel]) -> dict[int, Backlog]:
    """What waits on each channel, by channel id. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_BACKLOG.format(ages=_age_columns()), [numbers(channel.pk for channel in channels)])
        found = {row[0]: _backlog(row[1:]) for row in cursor.fetchall()}
    return {channel.pk: found.get(channel.pk, Backlog()) for channel in channels}


def _backlog(row: Sequence[Any]) -> Backlog:
    counts: Sequence[Any] = row[:9]
    return replace(Backlog(*counts), ages=tuple(row[9:]))


_ALLOWANCES = """
SELECT a.account,
  least(a.bucket_points / 100.0 * a.share_percent, a.points + a.refill_points_per_second * a.share_percent / 100.0
    * greatest(0, extract(epoch FROM clock_timestamp() - a.filled_at)::numeric)),
  a.bucket_points / 100.0 * a.share_percent, a.refill_points_per_second * a.share_percent / 100.0, a.share_percent,
  a.failures, a.failing_since, CASE WHEN a.quiet_until > clock_timestamp() THEN a.quiet_until END
FROM channels_sync_sendingaccount a WHERE a.account = ANY(%s::text[])
"""


def allowances(*, accounts: Collection[str]) -> dict[str, Allowance]:
    """The buckets of accounts by their name; none for those never called. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_ALLOWANCES, [list(accounts)])
        return {row[0]: Allowance(*row) for row in cursor.fetchall()}


def sending_of(*, channels: Sequence[Channel], accounts: Sequence[str]) -> list[ChannelSending]:
    """How sending to each channel is doing, in the order given; `accounts` are the names of theirs. Three queries."""
    waiting = backlogs(channels=channels)
    buckets = allowances(accounts=set(accounts))
    windows: dict[int, list[SendingWindow]] = {}
    for window in SendingWindow.objects.filter(channel__in=channels).order_by("kind", "starts_at", "pk"):
        windows.setdefault(window.channel_id, []).append(window)
    now = timezone.now()
    found = []
    for channel, account in zip(channels, accounts, strict=True):
        own = windows.get(channel.pk, [])
        rules, zone = [plain(window) for window in own], zone_of(channel)
        flow = flow_at(rules, moment=now, zone=zone)
        until = next_change(rules, moment=now, zone=zone) if rules else None
        backlog, bucket = waiting[channel.pk], buckets.get(account)
        found.append(
            ChannelSending(
                channel, backlog, bucket, flow, until, own, _next_sending(channel, backlog, bucket, flow, until)
            )
        )
    return found


def _next_sending(
    channel: Channel, backlog: Backlog, bucket: Allowance | None, flow: Flow, until: datetime | None
) -> datetime | None:
    if not channel.is_sending or not backlog.waiting or backlog.next_at is None:
        return None
    if flow is Flow.NOTHING and until is None:
        return None
    moments = [backlog.next_at, bucket.quiet_until if bucket else None, until if flow is Flow.NOTHING else None]
    return max(moment for moment in moments if moment is not None)


def given_up(*, channel: Channel) -> list[ListingPush]:
    """Listings whose newest figure is not tried any more, with their listing and item, by SKU."""
    found = ListingPush.objects.filter(
        channel=channel, version__gt=F("sent_version"), attempts__gte=SEND_ATTEMPTS_MAX, listing__is_active=True
    )
    return list(found.select_related("listing__item").order_by("listing__external_sku"))


def given_up_counts() -> dict[int, int]:
    """Listings given up, by channel id. One query over an index that holds nothing else."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.channel_id, count(*) FROM channels_sync_listingpush p"
            " JOIN channels_sync_listing l ON l.id = p.listing_id AND l.is_active"
            f" WHERE p.version > p.sent_version AND p.attempts >= {SEND_ATTEMPTS_MAX} GROUP BY p.channel_id"
        )
        return dict(cursor.fetchall())
