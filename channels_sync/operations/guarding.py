"""Judging plans before they reach the outbox: what each rule of the breaker needs to know, read for all channels at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import DEFAULT_DB_ALIAS

from channels_sync.allocation import Derivation
from channels_sync.causes import BULK_CAUSES, bulk_in_words
from channels_sync.guard import RULES_ACROSS_PLANS, Change, Limits, Setting, Verdict, judge
from channels_sync.models import ChannelGuard, ChannelMode, Listing
from channels_sync.reads.possible import exceeds_its_stock, possible_packs
from inventory.arrays import numbers, texts
from inventory.models import Location
from inventory.reads.freshness import OWN_KINDS, stale_places
from inventory.records import record
from inventory.trips import Rows, Statement, in_one_trip, rows_of

WINDOW = timedelta(minutes=15)
"""Many small plans within this time are judged as one large one: an import recorded row by row is still one import."""
RECENT_DAYS = 30


@record(frozen=True, slots=True)
class Planned:
    """A change of a plan as the guard sees it: what the channel was last sent, and the figure that is to take its place."""

    before: int | None
    recent_max: int | None
    is_held: bool
    derivation: Derivation

    @property
    def is_raise(self) -> bool:
        return self.derivation.quantity > (self.before or 0)

    def is_approved(self, approved: Mapping[int, int]) -> bool:
        """Whether a person has agreed: up to their figure nothing is asked again, but to a fall to zero they did not see."""
        allowed = approved.get(self.derivation.offer.listing_id)
        if allowed is None or self.derivation.quantity > allowed:
            return False
        return bool(self.derivation.quantity) or not allowed or not self.before

    def as_change(
        self, approved: Mapping[int, int], possible: Mapping[int, int], late: Collection[int]
    ) -> Change | None:
        """None for what a person has approved. What goes higher than that waits like something that waits already."""
        if self.is_approved(approved):
            return None
        offer = self.derivation.offer
        return Change(
            listing_id=offer.listing_id,
            sku=offer.sku,
            before=self.before,
            after=self.derivation.quantity,
            recent_max=self.recent_max,
            possible=possible.get(offer.listing_id),
            waits_already=self.is_held or offer.listing_id in approved,
            rests_on_late=any(source.location_id in late for source in self.derivation.snapshot.sources),
        )


@record(frozen=True, slots=True)
class _Before:
    """What happened on a channel within the window: other listings that changed, fell to zero, rose by a bulk edit; which one."""

    changed: int = 0
    zeroed: int = 0
    raised: int = 0
    bulk: str = ""


_NOTHING_BEFORE = _Before()


def judge_plans(
    plans: Mapping[int, tuple[str, Sequence[Planned]]],
    *,
    causes: str,
    now: datetime,
    approved: Mapping[int, int],
    known: Sequence[Rows] | None = None,
) -> dict[int, Verdict]:
    """The verdict on each plan, by channel id; `plans` are mode and changes by channel. A bounded number of statements.

    What happened shortly before is first taken as the sum over its runs, which is never less than the number of listings: a rule
    that does not trip by that does not trip. Only where one does are the listings counted.

    `causes` are the words of what made the figures change; `approved` says up to which quantity a person let listings rise.
    `known` is what `guard_statements` of the same channels answered; it is asked here where the caller did not.
    """
    if not plans:
        return {}
    answers = in_one_trip(*guard_statements(plans, now=now)) if known is None else known
    limits, can_be_late, recently = _read(plans, answers)
    raises = {
        channel_id: [one for one in planned if one.is_raise and not one.is_approved(approved)]
        for channel_id, (_, planned) in plans.items()
    }
    above = [
        one.derivation
        for channel_id, found in raises.items()
        if limits[channel_id].above_possible
        for one in found
        if exceeds_its_stock(one.derivation)
    ]
    possible = possible_packs(above, now=now)
    late, stale = _late_sources(raises, now=now) if can_be_late else (set(), {})
    changes = {
        channel_id: [change for one in planned if (change := one.as_change(approved, possible, late)) is not None]
        for channel_id, (_, planned) in plans.items()
    }

    def verdicts(of: Mapping[int, Sequence[Change]], before: Mapping[int, _Before]) -> dict[int, Verdict]:
        totals = _totals(
            {
                channel_id: changed
                for channel_id, found in of.items()
                if (changed := len(found) + before.get(channel_id, _NOTHING_BEFORE).changed)
                >= limits[channel_id].changed_min
                and limits[channel_id].share_changed is not None
            },
            limits,
        )
        return {
            channel_id: judge(
                found,
                limits=limits[channel_id],
                setting=_setting(
                    before.get(channel_id, _NOTHING_BEFORE),
                    listings=totals.get(channel_id, 0),
                    causes=causes,
                    stale=stale.get(channel_id, ()),
                    mode=plans[channel_id][0],
                ),
            )
            for channel_id, found in of.items()
        }

    at_most = {one: recently[one] for one in changes if one in recently and _asks_before(limits[one])}
    judged = verdicts(changes, at_most)
    unsure = {
        channel_id: changes[channel_id]
        for channel_id, verdict in judged.items()
        if at_most.get(channel_id, _NOTHING_BEFORE).changed
        and any(trip.rule in RULES_ACROSS_PLANS for trip in verdict.trips)
    }
    return judged | verdicts(unsure, _window_of(unsure, now=now)) if unsure else judged


def _setting(before: _Before, *, listings: int, causes: str, stale: Sequence[str], mode: str) -> Setting:
    return Setting(
        listings=listings,
        changed_before=before.changed,
        zeroed_before=before.zeroed,
        raised_before=before.raised,
        bulk=bulk_in_words(causes) or bulk_in_words(before.bulk),
        stale=stale,
        needs_approval=mode == ChannelMode.APPROVE,
    )


def limits_of(guard: ChannelGuard | None) -> Limits:
    """The limits of a channel; those of one that has none of its own are the defaults."""
    if guard is None:
        return Limits()
    return Limits(
        share_changed=None if guard.changed_percent is None else guard.changed_percent / Decimal(100),
        changed_min=guard.changed_min,
        to_zero_max=guard.to_zero_max,
        zeroing_waits=guard.zeroing_waits,
        times_recent_max=guard.times_recent_max,
        recent_units_min=guard.recent_units_min,
        above_possible=guard.above_possible,
        after_bulk=guard.after_bulk,
        bulk_listings_min=guard.bulk_listings_min,
        stale_sources=guard.stale_sources,
    )


_GUARD_NAMES = [field.attname for field in ChannelGuard._meta.concrete_fields]
_GUARDS = f"SELECT {', '.join(_GUARD_NAMES)} FROM channels_sync_channelguard WHERE channel_id = ANY(%s::bigint[])"
_CAN_BE_LATE = "SELECT EXISTS (SELECT FROM inventory_location WHERE is_active AND freshness_hours IS NOT NULL)"
_WINDOW_AT_MOST = """
SELECT r.channel_id, sum(r.listings_changed)::int,
  coalesce(max(r.cause) FILTER (WHERE r.cause LIKE ANY(%(bulk)s::text[])), '')
FROM channels_sync_publishrun r WHERE r.channel_id = ANY(%(channels)s::bigint[]) AND r.recorded_at > %(since)s
GROUP BY 1
"""


def guard_statements(channels: Collection[int], *, now: datetime) -> list[Statement]:
    """What `judge_plans` asks of channels first, for who has something else to do meanwhile."""
    ids = numbers(channels)
    window = {"bulk": texts(f"{one}%" for one in BULK_CAUSES), "channels": ids, "since": now - WINDOW}
    return [(_GUARDS, [ids]), (_CAN_BE_LATE, []), (_WINDOW_AT_MOST, window)]


def _read(channels: Collection[int], answers: Sequence[Rows]) -> tuple[dict[int, Limits], bool, dict[int, _Before]]:
    """The limits of channels, whether any place can be late, and no less than what happened on each channel within the window:
    a listing counts with every run that changed it."""
    guards, ((can_be_late,),), recently = answers
    found = [ChannelGuard.from_db(DEFAULT_DB_ALIAS, _GUARD_NAMES, row) for row in guards]
    by_channel = {guard.channel_id: guard for guard in found}
    return (
        {channel_id: limits_of(by_channel.get(channel_id)) for channel_id in channels},
        bool(can_be_late),
        {channel_id: _Before(changed, changed, changed, bulk) for channel_id, changed, bulk in recently},
    )


def _asks_before(limits: Limits) -> bool:
    """Whether a limit counts what changed shortly before."""
    return limits.share_changed is not None or limits.to_zero_max is not None or limits.after_bulk


_WINDOW = """
WITH run AS MATERIALIZED (
  SELECT r.id, r.channel_id, CASE WHEN r.cause LIKE ANY(%(bulk)s::text[]) THEN r.cause END AS bulk
  FROM channels_sync_publishrun r WHERE r.channel_id = ANY(%(channels)s::bigint[]) AND r.recorded_at > %(since)s
)
SELECT r.channel_id, count(DISTINCT l.listing_id) FILTER (WHERE l.before IS NOT NULL),
  count(DISTINCT l.listing_id) FILTER (WHERE l.after = 0 AND l.before > 0),
  count(DISTINCT l.listing_id) FILTER (WHERE r.bulk IS NOT NULL AND l.after > coalesce(l.before, 0)),
  coalesce(max(r.bulk), '')
FROM run r LEFT JOIN channels_sync_publicationline l ON l.run_id = r.id AND NOT l.listing_id = ANY(%(here)s::bigint[])
GROUP BY 1
"""
"""A run all of whose changes were held has no lines, and is a bulk edit all the same."""


def _window_of(changes: Mapping[int, Sequence[Change]], *, now: datetime) -> dict[int, _Before]:
    """What happened on each channel within the window."""
    if not changes:
        return {}
    rows = rows_of(
        _WINDOW,
        {
            "bulk": texts(f"{one}%" for one in BULK_CAUSES),
            "here": numbers(change.listing_id for found in changes.values() for change in found),
            "channels": numbers(changes),
            "since": now - WINDOW,
        },
    )
    return {channel_id: _Before(*rest) for channel_id, *rest in rows}


def _totals(changed: Mapping[int, int], limits: Mapping[int, Limits]) -> dict[int, int]:
    """Active listings of channels, counted no further than matters: with more of them so many changes are no large share."""
    if not changed:
        return {}
    enough = [int(changed[channel_id] / (limits[channel_id].share_changed or 1)) + 1 for channel_id in changed]
    rows = rows_of(
        "SELECT u.channel_id, c.listings FROM unnest(%s::bigint[], %s::bigint[]) AS u(channel_id, enough)"
        f" CROSS JOIN LATERAL (SELECT count(*) AS listings FROM (SELECT FROM {Listing._meta.db_table} l"
        " WHERE l.channel_id = u.channel_id AND l.is_active LIMIT u.enough) few) c",
        [numbers(changed), numbers(enough)],
    )
    return dict(rows)


def _late_sources(
    raises: Mapping[int, Sequence[Planned]], *, now: datetime
) -> tuple[set[int], dict[int, tuple[str, ...]]]:
    """Sources of raises at which something lies whose figures, which others report, are older than they may be: their ids, and
    by channel the names of the late places.

    A place is as fresh as what it stands in, and what stands in it counts too. Own records are never late.
    """
    reported = list(Location.objects.filter(is_active=True).exclude(kind__in=OWN_KINDS).order_by("code"))
    late = set(stale_places(reported, at=now))
    if not late:
        return set(), {}
    stale = [place for place in reported if place.pk in late]
    resting = {
        channel_id: {
            source.location_id for one in found for source in one.derivation.snapshot.sources if source.on_hand
        }
        for channel_id, found in raises.items()
    }
    paths = dict(Location.objects.filter(pk__in=set().union(*resting.values())).values_list("pk", "path"))
    places = {
        pk: [one.code for one in stale if one.path.startswith(path) or path.startswith(one.path)]
        for pk, path in paths.items()
    }
    names = {
        channel_id: tuple(sorted({code for pk in sources for code in places[pk]}))
        for channel_id, sources in resting.items()
    }
    return {pk for pk, codes in places.items() if codes}, {pk: codes for pk, codes in names.items() if codes}
