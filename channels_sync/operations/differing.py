"""Differences between what was sent and what channels show: kept, acted upon by rule, and told as one case per cause."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Count, Q
from django.utils import timezone

from channels_sync.drift import Cause, Response
from channels_sync.models import (
    SENDING,
    Channel,
    Difference,
    DifferenceCause,
    Done,
    Freeze,
    Hold,
    HoldState,
)
from channels_sync.operations.recomputing import recompute_locked
from channels_sync.operations.run_plans import Cause as RunCause
from channels_sync.operations.run_plans import persons
from inventory.arrays import numbers, texts
from inventory.models import ExceptionCase, Severity
from inventory.operations.exceptions import report_exception, resolve_by_fingerprint
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.wakeups import wake_after_commit

_KIND = "drift"
_REASONS: Mapping[str, str] = {
    Cause.NOT_APPLIED: "The channel took our figure and still shows the one before it.",
    Cause.EDITED: "Somebody or something on the channel changed the figure after we had sent it.",
    Cause.SOLD: "Orders of the channel explain the figure. They are not imported yet; the figure is not overwritten.",
    Cause.MAPPING: "Listings point to an item the channel does not have, does not stock there, or has under another SKU.",
    Cause.UNEXPLAINED: "The figure may have been sold or changed there; the channel tells nothing that decides it.",
}
_SEVERITIES: Mapping[str, int] = {Cause.MAPPING: Severity.HIGH, Cause.NOT_APPLIED: Severity.HIGH}
_DONE: Mapping[Response, Done] = {
    Response.OVERWRITE: Done.OVERWRITTEN,
    Response.ADOPT: Done.ADOPTED,
    Response.ALERT: Done.TOLD,
    Response.LEAVE: Done.LEFT,
}


@dataclass(frozen=True, slots=True)
class Differing:
    """One listing that differs, as a reading found it. `response` is None while it is only watched."""

    listing_id: int
    version: int
    ours: int
    theirs: int | None
    cause: Cause
    evidence: str
    response: Response | None

    @property
    def done(self) -> Done:
        """What is to be done about it; the guard may still hold what is overwritten."""
        return Done.WATCHED if self.response is None else _DONE[self.response]


def end_differences(listing_ids: Sequence[int], *, now: datetime) -> None:
    """End the open differences of listings that agree."""
    if listing_ids:
        Difference.objects.filter(listing__in=listing_ids, ended_at__isnull=True).update(ended_at=now)


_END_REPLACED = """
UPDATE channels_sync_difference d SET ended_at = %s
FROM unnest(%s::bigint[], %s::bigint[]) AS u(listing_id, version)
WHERE d.listing_id = u.listing_id AND d.ended_at IS NULL AND d.version <> u.version
"""
# What a person decided stays while the channel shows the same for the same reason; what a rule did, while the rule is the same.
_WRITE = """
INSERT INTO channels_sync_difference AS d
  (listing_id, channel_id, version, ours, theirs, cause, evidence, first_seen_at, last_seen_at, done, done_at)
SELECT u.listing_id, %(channel)s, u.version, u.ours, u.theirs, u.cause, u.evidence, %(now)s, %(now)s, u.done,
  CASE WHEN u.done <> 'watched' THEN %(now)s::timestamptz END
FROM unnest(%(listings)s::bigint[], %(versions)s::bigint[], %(ours)s::int[], %(theirs)s::int[], %(causes)s::text[],
  %(evidence)s::text[], %(done)s::text[]) AS u(listing_id, version, ours, theirs, cause, evidence, done)
ORDER BY u.listing_id
ON CONFLICT (listing_id) WHERE ended_at IS NULL DO UPDATE SET
  theirs = excluded.theirs, cause = excluded.cause, evidence = excluded.evidence, last_seen_at = excluded.last_seen_at,
  done = excluded.done, done_at = excluded.done_at, done_by_id = NULL
WHERE d.done = 'watched' OR (d.cause, d.theirs) IS DISTINCT FROM (excluded.cause, excluded.theirs)
  OR d.done IN ('told', 'left') AND d.done_by_id IS NULL AND d.done <> excluded.done
  OR d.done = 'held' AND NOT EXISTS (SELECT FROM channels_sync_hold h WHERE h.listing_id = d.listing_id
    AND (h.state = 'open' OR h.state = 'refused' AND h.decided_at >= d.first_seen_at))
RETURNING d.listing_id
"""
_SEEN_AGAIN = """
UPDATE channels_sync_difference SET last_seen_at = %s WHERE listing_id = ANY(%s::bigint[]) AND ended_at IS NULL
"""


def write_differences(channel: Channel, found: Sequence[Differing], *, now: datetime) -> list[Differing]:
    """Keep differences of listings whose outbox rows are locked; returns those about which nothing was decided before."""
    if not found:
        return []
    ids = numbers(one.listing_id for one in found)
    with connection.cursor() as cursor:
        cursor.execute(_END_REPLACED, [now, ids, numbers(one.version for one in found)])
        cursor.execute(
            _WRITE,
            {
                "channel": channel.pk,
                "now": now,
                "listings": ids,
                "versions": numbers(one.version for one in found),
                "ours": numbers(one.ours for one in found),
                "theirs": numbers(one.theirs for one in found),
                "causes": texts(one.cause.value for one in found),
                "evidence": texts(one.evidence[:300] for one in found),
                "done": texts(one.done.value for one in found),
            },
        )
        fresh = {listing_id for (listing_id,) in cursor.fetchall()}
        cursor.execute(_SEEN_AGAIN, [now, ids])
    return [one for one in found if one.listing_id in fresh and one.response is not None]


def carry_out(channel: Channel, found: Sequence[Differing], *, now: datetime, actor: Actor = None) -> int:
    """Do what was decided about differences just written, under the same locks; returns how many that were.

    Our figure goes out again as a new version through guard and outbox, where it counts as a change from what the channel
    shows. Adopting freezes the listing at the channel's figure, which is then what is sent.
    """
    overwritten = [one.listing_id for one in found if one.response is Response.OVERWRITE]
    adopted = [one for one in found if one.response is Response.ADOPT]
    Freeze.objects.bulk_create(
        Freeze(
            listing_id=one.listing_id,
            quantity=one.theirs,
            reason=f"{channel.name} shows {one.theirs}, we sent {one.ours}: adopted"[:200],
            created_by_id=getattr(actor, "pk", None),
        )
        for one in adopted
    )
    ids = sorted([*overwritten, *(one.listing_id for one in adopted)])
    if ids:
        recompute_locked(
            listing_ids=ids,
            cause=RunCause("drift", actors=persons(actor)),
            send_again=True,
            shown={one.listing_id: one.theirs for one in found if one.theirs is not None},
        )
        held = set(Hold.objects.filter(listing__in=ids, state=HoldState.OPEN).values_list("listing_id", flat=True))
        user_id = getattr(actor, "pk", None)
        for done, listings in (
            (Done.OVERWRITTEN, [pk for pk in overwritten if pk not in held]),
            (Done.HELD, [pk for pk in overwritten if pk in held]),
            (Done.ADOPTED, [one.listing_id for one in adopted]),
        ):
            if listings:
                Difference.objects.filter(listing__in=listings, ended_at__isnull=True).update(
                    done=done, done_at=now, done_by_id=user_id
                )
        wake_after_commit()
    return sum(one.response is not Response.LEAVE for one in found)


@operation
def end_unread(*, channel: Channel) -> int:
    """End the differences of listings that are no longer compared: switched off, or their channel is. Returns how many."""
    gone = Difference.objects.filter(channel=channel, ended_at__isnull=True)
    if channel.mode in SENDING:
        gone = gone.filter(Q(listing__is_active=False) | Q(listing__external_item_id=""))
    ended = gone.update(ended_at=timezone.now())
    if ended:
        report(channel)
    return ended


def report(channel: Channel, news: Collection[str] = ()) -> None:
    """One case for each cause with something a person has to look at; `news` are the causes something was added to.

    A case with nothing left is closed. One that a person closed stays closed until there is news.
    """
    told = Difference.objects.filter(channel=channel, ended_at__isnull=True, done=Done.TOLD)
    counts = dict(told.order_by().values("cause").annotate(many=Count("pk")).values_list("cause", "many"))
    fingerprints = {f"drift:{channel.pk}:{cause}": cause for cause in DifferenceCause.values}
    cases = ExceptionCase.objects.open().filter(fingerprint__in=list(fingerprints))
    known = dict(cases.values_list("fingerprint", "evidence"))
    for fingerprint, cause in fingerprints.items():
        count = counts.get(cause, 0)
        is_open = fingerprint in known
        if is_open and not count:
            resolve_by_fingerprint(fingerprint=fingerprint, resolution="nothing differs for this reason any more")
        if not count or (cause not in news and not (is_open and known[fingerprint].get("listings") != count)):
            continue
        url = f"/channels/{channel.code}/drift/?cause={cause}"
        words = "listing differs" if count == 1 else "listings differ"
        report_exception(
            kind=_KIND,
            area="publishing",
            severity=_SEVERITIES.get(cause, Severity.NORMAL),
            fingerprint=fingerprint,
            title=f"{count} {words} on {channel}: {DifferenceCause(cause).label.lower()}"[:200],
            reason=_REASONS[cause],
            evidence={"cause": cause, "listings": count},
            subject=str(channel),
            url=url,
            action="Look and decide",
            action_url=url,
            actor=None,
        )
