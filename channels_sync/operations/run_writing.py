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
from inventory.trips import Statement, execute, rows_of, under_way

CAUSE_LENGTH = 100
"""Letters of the causes that are kept with a run; the guard sees all of them."""
TRIPS_KEPT = 50
"""Rules that said no kept with a run, for people to read."""


def write_runs(
    plans: Sequence[RunPlan], *, cause: Cause, exposures: Mapping[int, Exposure], now: datetime
) -> dict[int, int]:
    """A run for each channel on which anything changes or waits: its id by channel id."""
    told = [plan for plan in plans if plan.changes or plan.held]
    if not told:
        return {}
    known = [exposures[plan.channel_id] for plan in told]
    return dict(
        rows_of(
            "INSERT INTO channels_sync_publishrun (channel_id, cause, posting_id, changed_at, actors, wide_id,"
            " listings_checked,"
            " listings_changed, listings_held, trips, recorded_at, supply, exposed_before, exposed_after)"
            " SELECT u.channel_id, %s, %s, %s, %s::bigint[], %s::bigint, u.checked, u.changed, u.held, u.trips, %s,"
            " u.supply, u.before, u.after"
            " FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[], %s::jsonb[], %s::numeric[], %s::numeric[],"
            " %s::numeric[])"
            " AS u(channel_id, checked, changed, held, trips, supply, before, after) RETURNING channel_id, id",
            [
                shortened(cause.words, length=CAUSE_LENGTH),
                cause.posting_id,
                cause.changed_at,
                numbers(sorted(cause.actors)),
                cause.wide_id,
                now,
                numbers(plan.channel_id for plan in told),
                numbers(plan.checked for plan in told),
                numbers(len(plan.changes) for plan in told),
                numbers(len(plan.held) for plan in told),
                texts(json.dumps([trip.as_json() for trip in plan.trips[:TRIPS_KEPT]]) for plan in told),
                numbers(one.supply for one in known),
                numbers(one.before for one in known),
                numbers(one.after for one in known),
            ],
        )
    )


def write_lines(plans: Sequence[RunPlan], *, runs: Mapping[int, int], now: datetime) -> None:
    rows = [
        (derivation.offer.listing_id, runs[plan.channel_id], before, derivation, plan.state)
        for plan in plans
        for before, derivation in plan.changes
    ]
    if not rows:
        return
    listing_ids = [listing_id for listing_id, *_ in rows]
    versions = [before.version + 1 for _, _, before, _, _ in rows]
    news = (
        "UPDATE channels_sync_listingpush p SET wanted = u.wanted, version = u.version, run_id = u.run_id, attempts = 0,"
        f" next_at = NULL, last_error = '', recent_max = greatest(p.recent_max, u.wanted), due_by = {DUE_BY}"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS u(listing_id, version, wanted, run_id)"
        " WHERE p.listing_id = u.listing_id AND p.version = u.version - 1",
        [
            numbers(listing_ids),
            numbers(versions),
            numbers(derivation.quantity for *_, derivation, _ in rows),
            numbers(run_id for _, run_id, *_ in rows),
        ],
    )
    unsent = [(listing_id, before.version) for listing_id, _, before, _, _ in rows if not before.is_sent]
    with under_way(news, *_superseded(unsent)) as answers:
        written = DerivationTexts()
        derivations = texts(written.of(derivation) for *_, derivation, _ in rows)
    assert answers[0].number == len(rows), "the outbox changed under its lock"
    execute(
        "INSERT INTO channels_sync_publicationline"
        " (run_id, listing_id, version, before, after, derivation, state, error, recorded_at)"
        " SELECT u.run_id, u.listing_id, u.version, u.before, u.after, u.derivation, u.state, '', %s"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::jsonb[], %s::text[])"
        " AS u(run_id, listing_id, version, before, after, derivation, state)",
        [
            now,
            numbers(run_id for _, run_id, *_ in rows),
            numbers(listing_ids),
            numbers(versions),
            numbers(before.shown if before.wanted is None else before.wanted for _, _, before, _, _ in rows),
            numbers(derivation.quantity for *_, derivation, _ in rows),
            derivations,
            texts(state.value for *_, state in rows),
        ],
    )


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
