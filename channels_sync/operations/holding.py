"""Changes that wait for a person: written beside the outbox, never in it; approved, refused, or no longer needed.

A listing has at most one open hold. A newer change takes its place, a change that flows or that is none any more ends it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Count

from channels_sync.allocation import Derivation, DerivationTexts
from channels_sync.models import Channel, Freeze, Hold, HoldState
from inventory.arrays import numbers
from inventory.models import ExceptionCase, Severity
from inventory.operations.exceptions import report_exception, resolve_by_fingerprint
from inventory.operations.posting import Actor

_FINGERPRINT = "held_run:{channel}"
_KEPT = "kept_figures:{channel}"


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
    written = DerivationTexts()
    return [
        [derivation.offer.listing_id for _, _, derivation in held],
        [run_id for run_id, _, _ in held],
        [before for _, before, _ in held],
        [derivation.quantity for _, _, derivation in held],
        [written.of(derivation) for _, _, derivation in held],
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


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What waits of one run."""

    channel: str
    code: str
    run_id: int
    cause: str
    trips: Sequence[Mapping[str, str]]
    wide_id: int | None
    count: int


def tell_holds(channels: Collection[int], *, words: str = "nothing of it waits any more", actor: Actor = None) -> None:
    """One case in the queue for each of these channels (ids) on which something waits; the others' cases are closed.

    It counts all that waits on the channel and leads to the run, or to all runs of which something waits.
    """
    if not channels:
        return
    waiting = (
        Hold.objects.filter(listing__channel__in=channels, state=HoldState.OPEN)
        .order_by("listing__channel_id", "run_id")
        .values_list(
            "listing__channel_id",
            "listing__channel__name",
            "listing__channel__code",
            "run_id",
            "run__cause",
            "run__trips",
            "run__wide",
        )
        .annotate(Count("pk"))
    )
    by_channel: dict[int, list[_Waiting]] = {channel_id: [] for channel_id in sorted(channels)}
    for channel_id, *rest in waiting:
        by_channel[channel_id].append(_Waiting(*rest))
    for channel_id, runs in by_channel.items():
        fingerprint = _FINGERPRINT.format(channel=channel_id)
        if not runs:
            resolve_by_fingerprint(fingerprint=fingerprint, resolution=words, actor=actor)
            continue
        newest, count = runs[-1], sum(run.count for run in runs)
        url = _where(runs)
        report_exception(
            kind="held_run",
            area="publishing",
            severity=Severity.URGENT if count > 1 else Severity.HIGH,
            fingerprint=fingerprint,
            title=f"{count} change{'' if count == 1 else 's'} of {newest.channel} wait{'s' if count == 1 else ''}"[
                :200
            ],
            reason=" ".join(trip["words"] for trip in newest.trips[:3]),
            evidence={"run": newest.run_id, "runs": len(runs), "cause": newest.cause, "held": count},
            subject=newest.channel,
            url=url,
            action="Decide",
            action_url=url,
            actor=None,
        )


def _where(runs: Sequence[_Waiting]) -> str:
    """The page on which all of it is decided: that of the run, of the large change they are parts of, or the list."""
    newest = runs[-1]
    if len(runs) == 1:
        return f"/channels/runs/{newest.run_id}/"
    if newest.wide_id is not None and all(run.wide_id == newest.wide_id for run in runs):
        return f"/channels/runs/large/{newest.wide_id}/"
    return f"/channels/runs/?channel={newest.code}&waits=1"


def tell_kept(channels: Collection[int] | None = None) -> None:
    """One case for each channel on which a refused fall keeps figures up, as long as it does: more may be sold than there is.

    For these channels (ids), or all. One statement where nothing changed.
    """
    frozen = Freeze.objects.in_force().filter(is_exact=True, quantity__isnull=False, listing__isnull=False)
    cases = ExceptionCase.objects.open().filter(kind="kept_figures")
    if channels is not None:
        frozen = frozen.filter(listing__channel__in=channels)
        cases = cases.filter(fingerprint__in=[_KEPT.format(channel=pk) for pk in channels])
    counts = dict(
        frozen.order_by().values("listing__channel").annotate(many=Count("pk")).values_list("listing__channel", "many")
    )
    known = dict(cases.values_list("fingerprint", "evidence"))
    for fingerprint in sorted(set(known) - {_KEPT.format(channel=pk) for pk in counts}):
        resolve_by_fingerprint(fingerprint=fingerprint, resolution="no figure is kept up any more")
    for channel in Channel.objects.filter(pk__in=counts).order_by("pk"):
        count, fingerprint = counts[channel.pk], _KEPT.format(channel=channel.pk)
        if known.get(fingerprint, {}).get("listings") == count:
            continue
        many = "listing" if count == 1 else "listings"
        report_exception(
            kind="kept_figures",
            area="publishing",
            severity=Severity.URGENT,
            fingerprint=fingerprint,
            title=f"{count} {many} of {channel} {'is' if count == 1 else 'are'} kept at what was shown"[:200],
            reason="Falls were refused, so the channel goes on selling what may not be there. Mend the stock or the rule, "
            "then lift the freeze; its figures are worked out anew and go through the guard.",
            evidence={"listings": count},
            subject=str(channel),
            url="/channels/freezes/",
            action="Look and lift",
            action_url="/channels/freezes/",
            actor=None,
        )
