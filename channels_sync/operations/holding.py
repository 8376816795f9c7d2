"""Changes that wait for a person: written beside the outbox, never in it; approved, refused, or no longer needed.

A listing has at most one open hold. A newer change takes its place, a change that flows or that is none any more ends it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from channels_sync.allocation import Derivation
from channels_sync.guard import Trip
from channels_sync.models import Hold, HoldState, PublishRun
from inventory.arrays import numbers
from inventory.models import Severity
from inventory.operations.exceptions import report_exception, resolve_by_fingerprint

_FINGERPRINT = "held_run:{channel}"


def write_holds(*, held: Sequence[tuple[int, int | None, Derivation]], over: Sequence[int], now: datetime) -> None:
    """Keep changes (id of the run, figure before, derivation) that wait, and end the holds of the listings `over`.

    A hold of a listing that waits for the very same figure already is left as it is, with its age.
    """
    if over:
        _end(over, HoldState.OVER, now=now)
    if not held:
        return
    ids = [derivation.offer.listing_id for _, _, derivation in held]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_hold h SET state = 'replaced', decided_at = %s"
            " FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS u(listing_id, before, after)"
            " WHERE h.listing_id = u.listing_id AND h.state = 'open'"
            " AND (h.before, h.after) IS DISTINCT FROM (u.before, u.after)",
            [now, ids, [before for _, before, _ in held], [derivation.quantity for _, _, derivation in held]],
        )
        cursor.execute(
            "INSERT INTO channels_sync_hold (listing_id, run_id, before, after, derivation, state, recorded_at)"
            " SELECT u.listing_id, u.run_id, u.before, u.after, u.derivation, 'open', %s"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::jsonb[])"
            "  AS u(listing_id, run_id, before, after, derivation)"
            " WHERE NOT EXISTS (SELECT FROM channels_sync_hold h WHERE h.listing_id = u.listing_id AND h.state = 'open')",
            [now, *_columns(held)],
        )
        cursor.execute(
            "UPDATE channels_sync_listingpush SET is_held = true WHERE listing_id = ANY(%s::bigint[]) AND NOT is_held",
            [numbers(ids)],
        )


def _columns(held: Sequence[tuple[int, int | None, Derivation]]) -> list[list[object]]:
    return [
        [derivation.offer.listing_id for _, _, derivation in held],
        [run_id for run_id, _, _ in held],
        [before for _, before, _ in held],
        [derivation.quantity for _, _, derivation in held],
        [json.dumps(derivation.to_json()) for _, _, derivation in held],
    ]


def end_holds(listing_ids: Sequence[int], state: HoldState, *, now: datetime, actor_id: int | None = None) -> None:
    """End the open holds of listings whose outbox rows are locked."""
    _end(listing_ids, state, now=now, actor_id=actor_id)


def _end(listing_ids: Sequence[int], state: HoldState, *, now: datetime, actor_id: int | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_hold SET state = %s, decided_at = %s, decided_by_id = %s"
            " WHERE listing_id = ANY(%s::bigint[]) AND state = 'open'",
            [state.value, now, actor_id, numbers(listing_ids)],
        )
        cursor.execute(
            "UPDATE channels_sync_listingpush SET is_held = false WHERE listing_id = ANY(%s::bigint[]) AND is_held",
            [numbers(listing_ids)],
        )


def report_holds(*, plans: Sequence[tuple[int, Sequence[Trip], int]]) -> None:
    """One case in the queue for each channel on which something waits; `plans` are the ids of runs, what tripped, how many."""
    if not plans:
        return
    runs = PublishRun.objects.select_related("channel").in_bulk([run_id for run_id, _, _ in plans])
    for run_id, trips, count in plans:
        run = runs[run_id]
        assert run.channel is not None, "a run belongs to a channel"
        report_exception(
            kind="held_run",
            area="publishing",
            severity=Severity.URGENT if count > 1 else Severity.HIGH,
            fingerprint=_FINGERPRINT.format(channel=run.channel_id),
            title=f"{count} change{'' if count == 1 else 's'} of {run.channel} wait{'s' if count == 1 else ''}"[:200],
            reason=" ".join(trip.words for trip in trips[:3]),
            evidence={"run": run.pk, "cause": run.cause, "held": count},
            subject=str(run.channel),
            url=f"/channels/runs/{run.pk}/",
            action="Decide",
            action_url=f"/channels/runs/{run.pk}/",
            actor=None,
        )


def settle_report(channel_id: int, *, words: str, actor: object = None) -> None:
    """Close the channel's case when nothing of it waits any more."""
    if not Hold.objects.filter(listing__channel=channel_id, state=HoldState.OPEN).exists():
        resolve_by_fingerprint(
            fingerprint=_FINGERPRINT.format(channel=channel_id),
            resolution=words,
            actor=actor,  # type: ignore[arg-type]
        )
