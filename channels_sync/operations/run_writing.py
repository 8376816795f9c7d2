"""Writing what a recompute decided: a run for each channel, and the new versions of its listings. In the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from channels_sync.allocation import DerivationTexts
from channels_sync.causes import shortened
from channels_sync.models import PublicationState
from channels_sync.operations.ranking import DUE_BY
from channels_sync.operations.run_plans import Cause, RunPlan
from channels_sync.reads.exposure import Exposure
from inventory.arrays import numbers, texts
from inventory.trips import Statement, execute, under_way

CAUSE_LENGTH = 100
"""Letters of the causes that are kept with a run; the guard sees all of them."""
TRIPS_KEPT = 50
"""Rules that said no kept with a run, for people to read."""


_RUNS_AND_NEWS = f"""
WITH run AS (
  INSERT INTO channels_sync_publishrun (channel_id, cause, posting_id, changed_at, actors, wide_id, listings_checked,
    listings_changed, listings_held, trips, recorded_at, supply, exposed_before, exposed_after)
  SELECT u.channel_id, %(cause)s, %(posting)s, %(changed_at)s, %(actors)s::bigint[], %(wide)s::bigint, u.checked, u.changed,
    u.held, u.trips, %(now)s, u.supply, u.before, u.after
  FROM unnest(%(channels)s::bigint[], %(checked)s::int[], %(changed)s::int[], %(held)s::int[], %(trips)s::jsonb[],
    %(supply)s::numeric[], %(before)s::numeric[], %(after)s::numeric[])
    AS u(channel_id, checked, changed, held, trips, supply, before, after)
  RETURNING id, channel_id
), news AS (
  UPDATE channels_sync_listingpush p SET wanted = u.wanted, version = u.version, run_id = run.id, attempts = 0,
    next_at = NULL, last_error = '', recent_max = greatest(p.recent_max, u.wanted), due_by = {DUE_BY}
  FROM unnest(%(listings)s::bigint[], %(versions)s::bigint[], %(wanted)s::bigint[], %(on)s::bigint[])
    AS u(listing_id, version, wanted, on_id) JOIN run ON run.channel_id = u.on_id
  WHERE p.listing_id = u.listing_id AND p.version = u.version - 1 RETURNING p.listing_id
)
SELECT run.channel_id, run.id, (SELECT count(*) FROM news) FROM run
"""
_LINES = """
INSERT INTO channels_sync_publicationline (run_id, listing_id, version, before, after, derivation, state, error, recorded_at)
SELECT u.run_id, u.listing_id, u.version, u.before, u.after, u.derivation, u.state, '', %s
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::jsonb[], %s::text[])
  AS u(run_id, listing_id, version, before, after, derivation, state)
"""


def write_plans(
    plans: Sequence[RunPlan], *, cause: Cause, exposures: Mapping[int, Exposure], now: datetime
) -> dict[int, int]:
    """A run for each channel on which anything changes or waits: its id by channel id. What changes becomes the newest version
    of its listing."""
    told = [plan for plan in plans if plan.changes or plan.held]
    if not told:
        return {}
    known = [exposures[plan.channel_id] for plan in told]
    lines = [(plan, before, derivation) for plan in told for before, derivation in plan.changes]
    listings = numbers(derivation.offer.listing_id for *_, derivation in lines)
    versions = numbers(before.version + 1 for _, before, _ in lines)
    wanted = numbers(derivation.quantity for *_, derivation in lines)
    runs_and_news = {
        "cause": shortened(cause.words, length=CAUSE_LENGTH),
        "posting": cause.posting_id,
        "changed_at": cause.changed_at,
        "actors": numbers(sorted(cause.actors)),
        "wide": cause.wide_id,
        "now": now,
        "channels": numbers(plan.channel_id for plan in told),
        "checked": numbers(plan.checked for plan in told),
        "changed": numbers(len(plan.changes) for plan in told),
        "held": numbers(len(plan.held) for plan in told),
        "trips": texts(json.dumps([trip.as_json() for trip in plan.trips[:TRIPS_KEPT]]) for plan in told),
        "supply": numbers(one.supply for one in known),
        "before": numbers(one.before for one in known),
        "after": numbers(one.after for one in known),
        "listings": listings,
        "versions": versions,
        "wanted": wanted,
        "on": numbers(plan.channel_id for plan, *_ in lines),
    }
    unsent = [(derivation.offer.listing_id, before.version) for _, before, derivation in lines if not before.is_sent]
    with under_way((_RUNS_AND_NEWS, runs_and_news), *_superseded(unsent)) as answers:
        written = DerivationTexts()
        derivations = texts(written.of(derivation) for *_, derivation in lines)
        befores = numbers(before.shown if before.wanted is None else before.wanted for _, before, _ in lines)
        states = texts(plan.state.value for plan, *_ in lines)
    rows = answers[0].rows
    assert rows[0][2] == len(lines), "the outbox changed under its lock"
    runs = {channel_id: run_id for channel_id, run_id, _ in rows}
    if lines:
        run_ids = numbers(runs[plan.channel_id] for plan, *_ in lines)
        execute(_LINES, [now, run_ids, listings, versions, befores, wanted, derivations, states])
    return runs


def _superseded(unsent: Sequence[tuple[int, int]]) -> list[Statement]:
    """Has the newest versions (by listing id) that were never sent give way to newer ones; what was sent has its end already."""
    if not unsent:
        return []
    return [
        (
            "UPDATE channels_sync_publicationline l SET state = %s"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS u(listing_id, version)"
            " WHERE l.listing_id = u.listing_id AND l.version = u.version AND l.state = ANY(%s::text[])",
            [
                PublicationState.SUPERSEDED.value,
                numbers(listing_id for listing_id, _ in unsent),
                numbers(version for _, version in unsent),
                [PublicationState.QUEUED.value, PublicationState.SHADOW.value],
            ],
        )
    ]
