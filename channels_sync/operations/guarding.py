"""Judging plans before they reach the outbox: what each rule of the breaker needs to know, read for all channels at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from django.db import connection

from channels_sync.allocation import Derivation
from channels_sync.allocation.formula import supply_of
from channels_sync.allocation.terms import FIXED
from channels_sync.causes import BULK_CAUSES
from channels_sync.guard import Change, Limits, Setting, Verdict, judge
from channels_sync.models import ChannelGuard, ChannelMode, Listing
from inventory.arrays import numbers
from inventory.reads.freshness import OWN_KINDS, freshness

WINDOW = timedelta(minutes=15)
"""Many small plans within this time are judged as one large one: an import recorded row by row is still one import."""
RECENT_DAYS = 30
_NOTHING_BEFORE = (0, 0)


@dataclass(frozen=True, slots=True)
class Planned:
    """A change of a plan as the guard sees it: the row under its lock, and the figure that is to take its place."""

    before: int | None
    recent_max: int | None
    is_held: bool
    derivation: Derivation

    def as_change(self, approved: Mapping[int, int]) -> Change | None:
        """None for what a person has approved: up to that quantity nothing is asked again."""
        offer = self.derivation.offer
        allowed = approved.get(offer.listing_id)
        if allowed is not None and self.derivation.quantity <= allowed:
            return None
        return Change(
            listing_id=offer.listing_id,
            sku=offer.sku,
            before=self.before,
            after=self.derivation.quantity,
            recent_max=self.recent_max,
            possible=possible_packs(self.derivation),
            waits_already=self.is_held,
        )


def possible_packs(derivation: Derivation) -> int | None:
    """Sold units that the supply counted by the rules comes to; None for a fixed figure, which counts none."""
    if derivation.terms.basis.value == FIXED:
        return None
    pack = derivation.offer.pack_size
    return int(Fraction(supply_of(derivation.snapshot, derivation.terms, derivation.at).total) // Fraction(pack))


def judge_plans(
    plans: Mapping[int, tuple[str, Sequence[Planned]]],
    *,
    causes: str,
    now: datetime,
    approved: Mapping[int, int],
) -> dict[int, Verdict]:
    """The verdict on each plan, by channel id; `plans` are mode and changes by channel. A fixed number of statements.

    `causes` are the words of what made the figures change; `approved` says up to which quantity a person let listings rise.
    """
    if not plans:
        return {}
    changes = {
        channel_id: [change for one in planned if (change := one.as_change(approved)) is not None]
        for channel_id, (_, planned) in plans.items()
    }
    limits = _limits_of(plans)
    window = _window_of({one: found for one, found in changes.items() if _asks_before(limits[one])}, now=now)
    stale = _stale_sources(plans, now=now)
    totals = _totals(
        {
            channel_id: changed
            for channel_id, found in changes.items()
            if (changed := len(found) + window.get(channel_id, _NOTHING_BEFORE)[0]) >= limits[channel_id].changed_min
            and limits[channel_id].share_changed is not None
        },
        limits,
    )
    bulk = next((cause for cause in causes.split(", ") if cause.startswith(BULK_CAUSES)), "")
    return {
        channel_id: judge(
            found,
            limits=limits[channel_id],
            setting=Setting(
                listings=totals.get(channel_id, 0),
                changed_before=window.get(channel_id, _NOTHING_BEFORE)[0],
                zeroed_before=window.get(channel_id, _NOTHING_BEFORE)[1],
                bulk=_bulk_words(bulk),
                stale=stale.get(channel_id, ()),
                needs_approval=plans[channel_id][0] == ChannelMode.APPROVE,
            ),
        )
        for channel_id, found in changes.items()
    }


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


def _bulk_words(cause: str) -> str:
    if not cause:
        return ""
    kind = cause.removeprefix("import").strip().replace("_", " ")
    return "a change of rules" if cause.startswith("policy") else f"an import of {kind}" if kind else "an import"


def _limits_of(plans: Mapping[int, object]) -> dict[int, Limits]:
    statement = "SELECT * FROM channels_sync_channelguard WHERE channel_id = ANY(%s::bigint[])"
    guards = {guard.channel_id: guard for guard in ChannelGuard.objects.raw(statement, [numbers(plans)])}
    return {channel_id: limits_of(guards.get(channel_id)) for channel_id in plans}


def _asks_before(limits: Limits) -> bool:
    """Whether a limit counts what changed shortly before."""
    return limits.share_changed is not None or limits.to_zero_max is not None


def _window_of(changes: Mapping[int, Sequence[Change]], *, now: datetime) -> dict[int, tuple[int, int]]:
    """Other listings that changed on each channel within the window, and those of them that fell to zero."""
    if not changes:
        return {}
    here = [change.listing_id for found in changes.values() for change in found]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.channel_id, count(DISTINCT l.listing_id) FILTER (WHERE l.before IS NOT NULL),"
            " count(DISTINCT l.listing_id) FILTER (WHERE l.after = 0 AND l.before > 0)"
            " FROM channels_sync_publishrun r JOIN channels_sync_publicationline l ON l.run_id = r.id"
            " WHERE r.channel_id = ANY(%s::bigint[]) AND r.recorded_at > %s AND NOT l.listing_id = ANY(%s::bigint[])"
            " GROUP BY 1",
            [numbers(changes), now - WINDOW, numbers(here)],
        )
        found = {channel_id: (changed, zeroed) for channel_id, changed, zeroed in cursor.fetchall()}
    return {channel_id: found.get(channel_id, (0, 0)) for channel_id in changes}


def _totals(changed: Mapping[int, int], limits: Mapping[int, Limits]) -> dict[int, int]:
    """Active listings of channels, counted no further than matters: with more of them so many changes are no large share."""
    if not changed:
        return {}
    enough = [int(changed[channel_id] / (limits[channel_id].share_changed or 1)) + 1 for channel_id in changed]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.channel_id, c.listings FROM unnest(%s::bigint[], %s::bigint[]) AS u(channel_id, enough)"
            f" CROSS JOIN LATERAL (SELECT count(*) AS listings FROM (SELECT FROM {Listing._meta.db_table} l"
            " WHERE l.channel_id = u.channel_id AND l.is_active LIMIT u.enough) few) c",
            [numbers(changed), numbers(enough)],
        )
        return dict(cursor.fetchall())


def _stale_sources(plans: Mapping[int, object], *, now: datetime) -> dict[int, tuple[str, ...]]:
    """Sources of each channel whose figures others report and that are older than they may be. Own records never are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.channel_id, p.code, p.stock_as_of, p.freshness_hours FROM channels_sync_channel_source_locations s"
            " JOIN inventory_location p ON p.id = s.location_id WHERE s.channel_id = ANY(%s::bigint[])"
            " AND p.freshness_hours IS NOT NULL AND NOT p.kind = ANY(%s::text[]) ORDER BY p.code",
            [numbers(plans), sorted(OWN_KINDS)],
        )
        rows = cursor.fetchall()
    stale: dict[int, tuple[str, ...]] = {}
    for channel_id, code, as_of, hours in rows:
        if freshness(as_of=as_of, hours=hours, at=now).is_stale:
            stale[channel_id] = (*stale.get(channel_id, ()), code)
    return stale
