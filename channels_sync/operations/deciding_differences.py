"""What people decide about differences, one or many: send our figure again, take over the channel's, leave it; and settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from channels_sync.drift import Cause, Response
from channels_sync.models import SENDING, Channel, Difference, DifferenceCause, Done, DriftSetting, ListingPush
from channels_sync.operations.channel_settings import save_settings
from channels_sync.operations.differing import Differing, carry_out, report
from channels_sync.operations.recomputing import LISTINGS_PER_TRANSACTION
from channels_sync.operations.second_looks import check_typed
from inventory.errors import WrongState
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation


@dataclass(frozen=True, slots=True)
class Undecided:
    """A difference that was left as it is, and why. `listing_id` is None where there is no such difference."""

    difference_id: int
    why: str
    listing_id: int | None = None
    external_sku: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of differences decided together, by their ids."""

    done: tuple[int, ...] = ()
    held: frozenset[int] = frozenset()
    """Of those done: the guard holds our figure, which waits for a person."""
    left: tuple[Undecided, ...] = ()

    def __add__(self, other: Decided) -> Decided:
        return Decided(self.done + other.done, self.held | other.held, self.left + other.left)


Seen = Mapping[int, tuple[int, int | None]]
"""What somebody looked at, by difference id: the version that was sent, and what the channel showed instead."""


@operation
def decide_difference(*, difference: Difference, response: Response, actor: Actor) -> Difference:
    """Overwrite, adopt or leave one difference. Our figure goes out through guard and outbox; stock is never posted.

    Raises WrongState when the difference is over, a newer figure is on its way, or the response does not fit: orders are not
    overwritten, and only a lower figure is adopted.
    """
    outcome = _decide([difference.pk], response=response, actor=actor, seen={})
    if outcome.left:
        raise WrongState(outcome.left[0].why)
    return Difference.objects.select_related("channel").get(pk=difference.pk)


def decide_differences(
    *, difference_ids: Collection[int], response: Response, actor: Actor, typed: str = "", seen: Seen | None = None
) -> Decided:
    """Decide about many differences in one way, each under the conditions of `decide_difference`; what does not fit is named
    and left. For the guard what changes on a channel is one plan.

    With `seen`, what changed since somebody looked is left too. A transaction for up to LISTINGS_PER_TRANSACTION listings of one
    channel, whose number of statements does not depend on theirs. Raises TypedConfirmationRequired for TYPED_FROM differences
    or more without their number.
    """
    wanted = list(dict.fromkeys(difference_ids))
    check_typed(len(wanted), typed)
    known: dict[int, list[int]] = {}
    found = Difference.objects.filter(pk__in=wanted).order_by("channel_id", "listing_id", "pk")
    for difference_id, channel_id in found.values_list("pk", "channel_id"):
        known.setdefault(channel_id, []).append(difference_id)
    missing = sorted(set(wanted) - {one for ids in known.values() for one in ids})
    outcome = Decided(left=tuple(Undecided(one, "There is no such difference.") for one in missing))
    for ids in known.values():
        for start in range(0, len(ids), LISTINGS_PER_TRANSACTION):
            part = ids[start : start + LISTINGS_PER_TRANSACTION]
            outcome += _decide(part, response=response, actor=actor, seen=seen or {})
    return outcome


@operation
def _decide(difference_ids: Sequence[int], *, response: Response, actor: Actor, seen: Seen) -> Decided:
    """Decide about differences of one channel: lock their outbox rows, look what fits, carry it out."""
    listings = Difference.objects.filter(pk__in=difference_ids).values_list("listing_id", flat=True)
    pushes = ListingPush.objects.filter(listing__in=sorted(listings)).order_by("listing_id")
    versions = dict(pushes.select_for_update(of=("self",), no_key=True).values_list("listing_id", "version"))
    found = list(
        Difference.objects.filter(pk__in=difference_ids)
        .select_related("channel", "listing")
        .order_by("listing_id", "pk")
    )
    fitting, left = [], []
    for one in found:
        why = _why_not(one, versions.get(one.listing_id), response=response, seen=seen.get(one.pk))
        if why:
            left.append(Undecided(one.pk, why, one.listing_id, one.listing.external_sku))
        else:
            fitting.append(one)
    if not fitting:
        return Decided(left=tuple(left))
    done = [one.pk for one in fitting]
    channel, now = fitting[0].channel, timezone.now()
    if response is Response.LEAVE:
        Difference.objects.filter(pk__in=done).update(
            done=Done.LEFT, done_at=now, done_by_id=getattr(actor, "pk", None)
        )
    else:
        carry_out(channel, [_differing(one, response) for one in fitting], now=now, actor=actor)
    report(channel)
    held = Difference.objects.filter(pk__in=done, done=Done.HELD).values_list("pk", flat=True)
    return Decided(tuple(done), frozenset(held), tuple(left))


def _differing(found: Difference, response: Response) -> Differing:
    return Differing(
        listing_id=found.listing_id,
        version=found.version,
        ours=found.ours,
        theirs=found.theirs,
        cause=Cause(found.cause),
        evidence=found.evidence,
        response=response,
    )


def _why_not(found: Difference, version: int | None, *, response: Response, seen: tuple[int, int | None] | None) -> str:
    """Why this cannot be done about a difference whose outbox row, at this `version`, is locked; empty when it can."""
    if found.ended_at is not None:
        return "This difference is over: the channel shows our figure again, or a newer one was sent."
    if found.channel.mode not in SENDING:
        return f"{found.channel} is told nothing in its mode, so nothing can be sent again or adopted."
    if version != found.version:
        return "A newer figure of this listing is on its way. It is compared again once it was sent."
    if seen is not None and seen != (found.version, found.theirs):
        shows = "nothing" if found.theirs is None else found.theirs
        return (
            f"It changed since you looked: the channel shows {shows} now, and {found.ours} was sent. Look at it again."
        )
    if response is Response.OVERWRITE and not found.can_be_overwritten:
        if found.cause == DifferenceCause.SOLD:
            return "Orders of the channel explain this figure. To overwrite it sells the same units twice."
        return "The listing is linked to the wrong item. Mend the link first, then the figure is sent."
    if response is Response.ADOPT and not found.can_be_adopted:
        return f"Only a lower figure can be adopted. The channel shows {found.theirs}, our stock gives {found.ours}."
    return "Choose to overwrite, to adopt or to leave it." if response is Response.ALERT else ""


@operation
def set_drift(*, channel: Channel, values: Mapping[str, Any], actor: Actor) -> DriftSetting:
    """Set how a channel is read back and what follows from differences. Raises ValidationError for what makes no sense."""
    return save_settings(DriftSetting, channel=channel, values=values, actor=actor)
