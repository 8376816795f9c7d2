"""How long publishing takes, stage by stage: from the change of stock to the figure read back on the channel.

Stages, each by two times of a publication line and its run: absorbing (stock change recorded -> figure worked out, which holds
waiting for an approval too), queueing (-> first taken up by a sender), sending (-> accepted), confirming (-> read back), and
the whole. A version that never reached a stage is in no figure of that stage; figures that nothing of stock caused, such
as a first figure or a new rule, have no absorbing and no whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection

DELAYS = 20
"""Points that stand for a channel's distribution: its 2.5 %, 7.5 %, ... 97.5 % quantiles."""


@dataclass(frozen=True, slots=True)
class StageLatency:
    """One stage on one channel; seconds, as measured, without interpolation."""

    stage: str
    measured: int
    median: Decimal | None = None
    ninety: Decimal | None = None
    ninety_nine: Decimal | None = None
    worst: Decimal | None = None
    worst_line_id: int | None = None


_STAGED = """
WITH line AS (
  SELECT p.id, l.channel_id, r.changed_at, p.recorded_at, p.sent_at, p.accepted_at, p.confirmed_at
  FROM channels_sync_publicationline p
  JOIN channels_sync_listing l ON l.id = p.listing_id JOIN channels_sync_publishrun r ON r.id = p.run_id
  WHERE p.recorded_at >= %(since)s AND p.recorded_at < %(until)s
    AND (%(channel)s::bigint IS NULL OR l.channel_id = %(channel)s)
), took AS (
  SELECT line.id, line.channel_id, stage.place, stage.name, extract(epoch FROM stage.until - stage.since) AS seconds
  FROM line CROSS JOIN LATERAL (VALUES
    (1, 'absorbing', changed_at, recorded_at), (2, 'queueing', recorded_at, sent_at),
    (3, 'sending', sent_at, accepted_at), (4, 'confirming', accepted_at, confirmed_at),
    (5, 'whole', changed_at, confirmed_at)
  ) AS stage(place, name, since, until)
  WHERE stage.until >= stage.since
)
"""


def channel_latency(
    *, since: datetime, until: datetime, channel_id: int | None = None
) -> dict[int, tuple[StageLatency, ...]]:
    """Stages of the versions worked out from `since` to before `until`, by channel id; of one channel, if named. One query.

    Channels and stages without a measured version are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _STAGED + "SELECT channel_id, name, count(*),"
            " percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds),"
            " percentile_disc(0.9) WITHIN GROUP (ORDER BY seconds),"
            " percentile_disc(0.99) WITHIN GROUP (ORDER BY seconds),"
            " max(seconds), (array_agg(id ORDER BY seconds DESC, id))[1]"
            " FROM took GROUP BY channel_id, place, name ORDER BY channel_id, place",
            {"since": since, "until": until, "channel": channel_id},
        )
        found: dict[int, list[StageLatency]] = {}
        for place, *figures in cursor.fetchall():
            found.setdefault(place, []).append(StageLatency(*figures))
    return {place: tuple(stages) for place, stages in found.items()}


@dataclass(frozen=True, slots=True)
class Delays:
    """From stock change to confirmation on one channel, in seconds: how many were measured, and points that stand for them."""

    measured: int
    points: tuple[Decimal, ...]


def channel_delays(*, since: datetime, until: datetime) -> dict[int, Delays]:
    """The distribution of whole delays by channel id, as buffer advice takes it. One query."""
    shares = [Decimal(2 * place + 1) / (2 * DELAYS) for place in range(DELAYS)]
    with connection.cursor() as cursor:
        cursor.execute(
            _STAGED
            + "SELECT channel_id, count(*), percentile_disc(%(shares)s::numeric[]::float8[]) WITHIN GROUP (ORDER BY seconds)"
            " FROM took WHERE name = 'whole' GROUP BY channel_id",
            {"since": since, "until": until, "channel": None, "shares": shares},
        )
        return {channel_id: Delays(measured, tuple(points)) for channel_id, measured, points in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class SlowPublish:
    """One version that took long from stock change to confirmation; seconds, and None for a stage that is not measured."""

    line_id: int
    version: int
    run_id: int
    listing_id: int
    external_sku: str
    channel_name: str
    recorded_at: datetime
    absorbing: Decimal | None
    queueing: Decimal | None
    sending: Decimal | None
    confirming: Decimal | None
    whole: Decimal


def slowest_publishes(
    *, since: datetime, until: datetime, limit: int, channel_id: int | None = None
) -> list[SlowPublish]:
    """The confirmed versions that took longest in all, slowest first. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            _STAGED + ", slowest AS (SELECT id, seconds FROM took WHERE name = 'whole'"
            " ORDER BY seconds DESC, id LIMIT %(limit)s)"
            " SELECT p.id, p.version, p.run_id, l.id, l.external_sku, c.name, p.recorded_at,"
            " max(took.seconds) FILTER (WHERE took.name = 'absorbing'),"
            " max(took.seconds) FILTER (WHERE took.name = 'queueing'),"
            " max(took.seconds) FILTER (WHERE took.name = 'sending'),"
            " max(took.seconds) FILTER (WHERE took.name = 'confirming'), slowest.seconds"
            " FROM slowest JOIN took ON took.id = slowest.id"
            " JOIN channels_sync_publicationline p ON p.id = slowest.id"
            " JOIN channels_sync_listing l ON l.id = p.listing_id JOIN channels_sync_channel c ON c.id = l.channel_id"
            " GROUP BY p.id, l.id, c.id, slowest.seconds ORDER BY slowest.seconds DESC, p.id",
            {"since": since, "until": until, "channel": channel_id, "limit": limit},
        )
        return [SlowPublish(*row) for row in cursor.fetchall()]
