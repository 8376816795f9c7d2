"""Large changes for people: what touched more than one transaction takes, as one plan over all of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Abs, Coalesce

from channels_sync.guard import Change
from channels_sync.models import (
    Channel,
    Hold,
    HoldState,
    Listing,
    PublicationLine,
    PublicationState,
    PublishRun,
    RecomputePiece,
    WideChange,
    WideDecision,
    WideVerdict,
)
from inventory.trips import rows_of

CHANGES_SHOWN = 8
RULES_SHOWN = 12


def wide_changes(*, channel: Channel | None = None, only_waiting: bool = False) -> QuerySet[WideChange]:
    """All that changed or still may change something, the newest first: each with its `runs_made`, what they `changed`, what of
    it is `waiting`, and the parts `left` to be worked out. With a channel those that changed it, or only those that wait.
    """
    of_channel = {} if channel is None else {"channel": channel}
    runs = PublishRun.objects.filter(wide=OuterRef("pk"), **of_channel).order_by().values("wide")
    left = (
        RecomputePiece.objects.filter(wide=OuterRef("pk")).order_by().values("wide").annotate(n=Count("pk")).values("n")
    )
    holds = Hold.objects.filter(state=HoldState.OPEN, run__wide__isnull=False)
    if channel is not None:
        holds = holds.filter(run__channel=channel)
    waiting = holds.filter(run__wide=OuterRef("pk")).order_by().values("run__wide").annotate(n=Count("pk")).values("n")
    found = (
        WideChange.objects.annotate(
            runs_made=Coalesce(Subquery(runs.annotate(n=Count("pk")).values("n")), 0),
            changed=Coalesce(Subquery(runs.annotate(n=Sum("listings_changed")).values("n")), 0),
            left=Coalesce(Subquery(left), 0),
            waiting=Coalesce(Subquery(waiting), 0),
        )
        .filter(Q(runs_made__gt=0) if channel is not None else Q(runs_made__gt=0) | Q(left__gt=0))
        .order_by("-pk")
    )
    return found.filter(pk__in=holds.order_by().values("run__wide")) if only_waiting else found


def holds_waiting(wide: WideChange, channel: Channel | None = None) -> QuerySet[Hold]:
    """Its changes that wait for a person, on one channel or all."""
    holds = Hold.objects.filter(run__wide=wide, state=HoldState.OPEN)
    return holds if channel is None else holds.filter(run__channel=channel)


def holds_by_size(wide: WideChange) -> QuerySet[Hold]:
    """The same for people: the biggest change first."""
    size = Abs(F("after") - Coalesce(F("before"), 0))
    return holds_waiting(wide).select_related("listing__item", "listing__channel").order_by(size.desc(), "pk")


def lines_to_take_back(wide: WideChange, channel: Channel | None = None) -> QuerySet[PublicationLine]:
    """What it brought about and nothing took the place of since, on one channel or all."""
    lines = PublicationLine.objects.filter(run__wide=wide, version=F("listing__push__version")).exclude(
        state=PublicationState.SUPERSEDED
    )
    return lines if channel is None else lines.filter(run__channel=channel)


def runs_to_decide(decision: WideDecision) -> QuerySet[PublishRun]:
    """The runs a decision has still something to do with, in order."""
    runs = decision.wide.runs.filter(pk__gt=decision.last_run, pk__lte=decision.newest_run).order_by("pk")
    if decision.channel is not None:
        runs = runs.filter(channel=decision.channel)
    if decision.verdict == WideVerdict.UNDO:
        return runs.filter(Exists(lines_to_take_back(decision.wide).filter(run=OuterRef("pk"))))
    seen = Hold.objects.filter(state=HoldState.OPEN, pk__lte=decision.newest_hold)
    return runs.filter(Exists(seen.filter(run=OuterRef("pk"))))


@dataclass(frozen=True, slots=True)
class ChannelPart:
    """What a large change does on one channel. Units are units of the listings, summed."""

    channel: Channel
    runs: int
    changed: int
    """Listings with a changed figure, sent or held."""
    raised: int
    lowered: int
    to_zero: int
    from_zero: int
    first: int
    units_before: int
    units_after: int
    held: int
    waiting: int
    exposure: Decimal | None
    """Units all channels would show for each unit there is of these items; None where that is not known."""


@dataclass(frozen=True, slots=True)
class RuleSaid:
    """A rule of the guard that said no: in how many runs, how often, and one of its sentences."""

    rule: str
    channel: str
    runs: int
    times: int
    words: str


@dataclass(frozen=True, slots=True)
class WideView:
    """A large change in figures: by channel and in all, its biggest rises and falls, what the guard said, and its decisions."""

    wide: WideChange
    left: int
    """Parts still to be worked out."""
    parts: Sequence[ChannelPart]
    rises: Sequence[Change]
    falls: Sequence[Change]
    said: Sequence[RuleSaid]
    decisions: Sequence[WideDecision]

    def _sum(self, name: str) -> int:
        return sum(getattr(part, name) for part in self.parts)

    @property
    def runs(self) -> int:
        return self._sum("runs")

    @property
    def changed(self) -> int:
        return self._sum("changed")

    @property
    def raised(self) -> int:
        return self._sum("raised")

    @property
    def lowered(self) -> int:
        return self._sum("lowered")

    @property
    def first(self) -> int:
        return self._sum("first")

    @property
    def to_zero(self) -> int:
        return self._sum("to_zero")

    @property
    def from_zero(self) -> int:
        return self._sum("from_zero")

    @property
    def units_before(self) -> int:
        return self._sum("units_before")

    @property
    def units_after(self) -> int:
        return self._sum("units_after")

    @property
    def waiting(self) -> int:
        return self._sum("waiting")

    @property
    def is_being_decided(self) -> bool:
        return any(decision.ended_at is None for decision in self.decisions)


# A listing that was held and then approved stands in both; what it showed first and what it was to show last count.
_EFFECT = """
WITH run AS MATERIALIZED (SELECT id, channel_id FROM channels_sync_publishrun WHERE wide_id = %(wide)s),
every AS (
  SELECT r.channel_id, l.listing_id, l.before, l.after, l.recorded_at, l.id, 0 AS was_held
  FROM run r JOIN channels_sync_publicationline l ON l.run_id = r.id
  UNION ALL
  SELECT r.channel_id, h.listing_id, h.before, h.after, h.recorded_at, h.id, 1
  FROM run r JOIN channels_sync_hold h ON h.run_id = r.id
),
changed AS MATERIALIZED (
  SELECT listing_id, channel_id, (array_agg(before ORDER BY recorded_at, id))[1] AS before,
    (array_agg(after ORDER BY recorded_at DESC, id DESC))[1] AS after, max(was_held) AS was_held
  FROM every GROUP BY 1, 2
)
SELECT
  (SELECT array_agg(
    ARRAY[channel_id, changed, raised, lowered, to_zero, from_zero, first, units_before, units_after, held]) FROM (
    SELECT channel_id, count(*) AS changed, count(*) FILTER (WHERE after > coalesce(before, 0)) AS raised,
      count(*) FILTER (WHERE after < before) AS lowered, count(*) FILTER (WHERE after = 0 AND before > 0) AS to_zero,
      count(*) FILTER (WHERE before = 0 AND after > 0) AS from_zero, count(*) FILTER (WHERE before IS NULL) AS first,
      coalesce(sum(before), 0) AS units_before, sum(after) AS units_after, sum(was_held) AS held
    FROM changed GROUP BY 1) c),
  (SELECT array_agg(ARRAY[listing_id, before, after]) FROM (
    SELECT * FROM changed WHERE after > coalesce(before, 0)
    ORDER BY after - coalesce(before, 0) DESC, listing_id LIMIT %(most)s) c),
  (SELECT array_agg(ARRAY[listing_id, before, after]) FROM (
    SELECT * FROM changed WHERE after < before ORDER BY before - after DESC, listing_id LIMIT %(most)s) c)
"""
_SAID = """
SELECT t.rule, c.name, count(DISTINCT r.id), count(*), min(t.words)
FROM channels_sync_publishrun r JOIN channels_sync_channel c ON c.id = r.channel_id
CROSS JOIN LATERAL jsonb_to_recordset(r.trips) AS t(rule text, words text)
WHERE r.wide_id = %(wide)s GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2 LIMIT %(most)s
"""


def view_of_wide(wide: WideChange) -> WideView:
    """The large change with the effect of all of its changes, whatever became of them. A fixed number of statements."""
    ((by_channel, rises, falls),) = rows_of(_EFFECT, {"wide": wide.pk, "most": CHANGES_SHOWN})
    figures = {channel_id: rest for channel_id, *rest in by_channel or ()}
    sku_of = dict(
        Listing.objects.filter(pk__in=[pk for pk, *_ in [*(rises or ()), *(falls or ())]]).values_list(
            "pk", "external_sku"
        )
    )
    runs = (
        wide.runs.order_by()
        .values("channel")
        .annotate(n=Count("pk"), supply=Sum("supply"), exposed=Sum("exposed_after"))
        .values_list("channel", "n", "supply", "exposed")
    )
    of_runs = {channel_id: rest for channel_id, *rest in runs}
    waiting = dict(
        holds_waiting(wide).order_by().values("run__channel").annotate(n=Count("pk")).values_list("run__channel", "n")
    )
    parts = [
        _part(channel, figures.get(channel.pk), of_runs[channel.pk], waiting=waiting.get(channel.pk, 0))
        for channel in Channel.objects.filter(pk__in=of_runs).order_by("name")
    ]
    return WideView(
        wide=wide,
        left=wide.pieces.count(),
        parts=parts,
        rises=[Change(pk, sku_of[pk], before, after) for pk, before, after in rises or ()],
        falls=[Change(pk, sku_of[pk], before, after) for pk, before, after in falls or ()],
        said=[RuleSaid(*row) for row in rows_of(_SAID, {"wide": wide.pk, "most": RULES_SHOWN})],
        decisions=list(wide.decisions.select_related("channel", "created_by")),
    )


def _part(channel: Channel, figures: Sequence[int] | None, of_runs: Sequence[Any], *, waiting: int) -> ChannelPart:
    runs, supply, exposed = of_runs
    changed, raised, lowered, to_zero, from_zero, first, before, after, held = figures or (0,) * 9
    return ChannelPart(
        channel=channel,
        runs=runs,
        changed=changed,
        raised=raised,
        lowered=lowered,
        to_zero=to_zero,
        from_zero=from_zero,
        first=first,
        units_before=before,
        units_after=after,
        held=held,
        waiting=waiting,
        exposure=(exposed / supply).quantize(Decimal("0.01")) if supply and exposed is not None else None,
    )


@dataclass(frozen=True, slots=True)
class WideUndo:
    """What taking a large change back would do, before the guard is asked: each listing as before, or less."""

    count: int
    """Listings it is about: of them so many are typed."""
    left_alone: int
    """Listings that changed again since."""
    raised: int
    lowered: int
    to_zero: int
    units_now: int
    units_then: int


_UNDO = """
SELECT count(*) FILTER (WHERE is_newest), count(*) FILTER (WHERE NOT is_newest),
  count(*) FILTER (WHERE is_newest AND goal > after), count(*) FILTER (WHERE is_newest AND goal < after),
  count(*) FILTER (WHERE is_newest AND goal = 0 AND after > 0),
  coalesce(sum(after) FILTER (WHERE is_newest), 0), coalesce(sum(goal) FILTER (WHERE is_newest), 0)
FROM (
  SELECT l.after, coalesce(l.before, 0) AS goal, l.version = p.version AND l.state <> 'superseded' AS is_newest
  FROM channels_sync_publicationline l JOIN channels_sync_publishrun r ON r.id = l.run_id
  JOIN channels_sync_listingpush p ON p.listing_id = l.listing_id
  WHERE r.wide_id = %(wide)s AND (%(channel)s::bigint IS NULL OR r.channel_id = %(channel)s)
) u
"""


def undo_of_wide(wide: WideChange, channel: Channel | None = None) -> WideUndo:
    """The plan of taking it back, on one channel or all. One statement."""
    ((count, left_alone, raised, lowered, to_zero, now, then),) = rows_of(
        _UNDO, {"wide": wide.pk, "channel": None if channel is None else channel.pk}
    )
    return WideUndo(count, left_alone, raised, lowered, to_zero, int(now), int(then))
