"""What people decide about publishing: what waits, runs taken back, freezes, limits, the switch for all channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from channels_sync.models import (
    SENDING,
    Channel,
    ChannelGuard,
    Freeze,
    Hold,
    HoldState,
    Listing,
    ListingPush,
    PublicationLine,
    PublicationState,
    PublishRun,
)
from channels_sync.operations.channel_settings import save_settings
from channels_sync.operations.controlling import pause_channel, resume_channel
from channels_sync.operations.holding import end_holds, tell_holds, tell_kept
from channels_sync.operations.recomputing import RecomputeResult, recompute_locked, tell_items_changed
from channels_sync.operations.run_plans import Cause
from channels_sync.operations.second_looks import check_typed
from inventory.arrays import numbers
from inventory.errors import SecondPersonRequired, WrongState
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.typed_days import YEAR_MIN
from inventory.wakeups import wake_after_commit

DECIDE = "channels_sync.decide_publishrun"


@operation
def approve_run(
    *, run: PublishRun, actor: Actor, typed: str = "", listings: Sequence[Listing] | None = None
) -> RecomputeResult:
    """Let the changes of a run that wait flow, all or those of some `listings`.

    They are worked out anew: each listing rises to what its rules give now, and not above what was approved; what would go
    higher by now waits again, and so does a fall to zero that nobody saw. Raises WrongState when nothing waits,
    SecondPersonRequired for whoever had a part in what caused it while somebody else may decide, TypedConfirmationRequired for
    TYPED_FROM listings or more without their number.
    """
    holds = _open_holds(run, listings)
    causers = causers_of(hold.pk for hold in holds)
    check_second_person(f"run {run.pk}", causers, actor)
    check_typed(len(holds), typed)
    result = let_flow(run, holds, causers=causers, actor=actor)
    wake_after_commit()
    return result


def let_flow(run: PublishRun, holds: Sequence[Hold], *, causers: Collection[int], actor: Actor) -> RecomputeResult:
    """Approve these changes of a run, of which nothing has to be asked any more. Part of the caller's transaction."""
    found = _lock_open(holds)
    if not found:
        raise _nothing_waits(run)
    now = timezone.now()
    end_holds([hold.listing_id for hold in found], HoldState.APPROVED, now=now, actor_id=getattr(actor, "pk", None))
    result = recompute_locked(
        listing_ids=[hold.listing_id for hold in found],
        cause=Cause(f"run {run.pk} approved", run.posting_id, run.changed_at, frozenset(causers), run.wide_id),
        approved={hold.listing_id: hold.after for hold in found},
        send_again=True,
    )
    _tell_settled(run, actor)
    return result


def _nothing_waits(run: PublishRun) -> WrongState:
    return WrongState(f"Nothing of run {run.pk} waits any more. Reload the page.", run=run.pk)


@operation
def refuse_run(
    *, run: PublishRun, actor: Actor, reason: str, listings: Sequence[Listing] | None = None
) -> Sequence[Freeze]:
    """Refuse the changes of a run that wait: each listing goes on showing what it shows, until somebody lifts that.

    A refused raise is a lid: the listing still falls with its stock. A refused fall keeps the very figure, though there may be
    less; a case in the queue says so as long as it does. What was still in the outbox is taken back to what was last sent, and
    a listing the channel was never told anything of is told nothing. Raises WrongState when nothing waits or no reason is given.
    """
    holds = _open_holds(run, listings)
    if not reason.strip():
        raise WrongState("Say why it is refused; whoever mends the figure needs to know.")
    frozen = keep_back(run, holds, reason=reason, actor=actor)
    wake_after_commit()
    return frozen


def keep_back(run: PublishRun, holds: Sequence[Hold], *, reason: str, actor: Actor) -> Sequence[Freeze]:
    """Refuse these changes of a run. Part of the caller's transaction."""
    found = _lock_open(holds)
    if not found:
        raise _nothing_waits(run)
    user_id = getattr(actor, "pk", None)
    stays = _what_stays(found)
    frozen = Freeze.objects.bulk_create(
        Freeze(
            listing_id=hold.listing_id,
            quantity=stays[hold.listing_id],
            is_exact=stays[hold.listing_id] is None or hold.after < (stays[hold.listing_id] or 0),
            reason=reason.strip()[:200],
            run=run,
            created_by_id=user_id,
        )
        for hold in found
    )
    end_holds([hold.listing_id for hold in found], HoldState.REFUSED, now=timezone.now(), actor_id=user_id)
    known = {listing_id: quantity for listing_id, quantity in stays.items() if quantity is not None}
    recompute_locked(
        listing_ids=sorted(known),
        cause=Cause(f"run {run.pk} refused", run.posting_id, run.changed_at),
        approved=known,
    )
    _tell_settled(run, actor)
    tell_kept([run.channel_id] if run.channel_id is not None else [])
    return frozen


@operation
def undo_run(*, run: PublishRun, actor: Actor, reason: str, typed: str = "") -> RecomputeResult:
    """Take a run back: each listing it changed is frozen at what it showed before and worked out anew.

    That is no blind restoring: a listing shows the smaller of what it showed and what is possible now, and the plan goes
    through the same guard. A first figure is taken back to what the channel was seen to show, to zero where that is not
    known. What changed again since is left alone. Raises WrongState when nothing is left to take back or no reason is given,
    TypedConfirmationRequired.
    """
    if not reason.strip():
        raise WrongState("Say why the run is taken back.")
    lines, still = lines_in_force(run)
    check_typed(len(lines), typed)
    result = take_back(run, still, reason=reason, actor=actor)
    wake_after_commit()
    return result


def lines_in_force(run: PublishRun) -> tuple[list[PublicationLine], list[PublicationLine]]:
    """The changes of a run that nothing took the place of, and those of them that are still the newest once their rows of the
    outbox are locked. Raises WrongState when there are none.
    """
    lines = list(
        PublicationLine.objects.filter(run=run)
        .exclude(state=PublicationState.SUPERSEDED)
        .select_related("listing")
        .order_by("listing_id")
    )
    newest = dict(
        ListingPush.objects.filter(listing__in=[line.listing_id for line in lines])
        .select_for_update(of=("self",), no_key=True)
        .order_by("listing_id")
        .values_list("listing_id", "version")
    )
    still = [line for line in lines if newest.get(line.listing_id) == line.version]
    if not still:
        raise WrongState(f"Nothing of run {run.pk} is in force: newer figures took its place.", run=run.pk)
    return lines, still


def take_back(run: PublishRun, lines: Sequence[PublicationLine], *, reason: str, actor: Actor) -> RecomputeResult:
    """Freeze the listings of these changes at what they showed before, and work them out anew. In the caller's transaction."""
    Freeze.objects.bulk_create(
        Freeze(
            listing_id=line.listing_id,
            quantity=line.before or 0,
            reason=reason.strip()[:200],
            run=run,
            created_by_id=getattr(actor, "pk", None),
        )
        for line in lines
    )
    return recompute_locked(
        listing_ids=[line.listing_id for line in lines],
        cause=Cause(f"run {run.pk} taken back", run.posting_id, actors=_ids(actor)),
    )


@operation
def freeze(
    *,
    reason: str,
    actor: Actor,
    channel: Channel | None = None,
    item: Item | None = None,
    listing: Listing | None = None,
    at_most: int | None = None,
    as_of: datetime | None = None,
) -> Freeze:
    """Freeze a channel, an item everywhere, or one listing: at what is shown now, at a figure, or at what was shown at a moment.

    What is frozen still falls with the stock. At a moment: at what each listing had last been given then.

    `at_most` is in units of the listing, zero stops it. A listing that had no figure at the moment stays at what it shows. Raises
    WrongState without a reason, for more or less than one thing, for both a figure and a moment, for a moment to come, or when it
    is frozen in that way already.
    """
    if sum(one is not None for one in (channel, item, listing)) != 1:
        raise WrongState("Freeze one thing: a channel, an item, or a listing.")
    if not reason.strip():
        raise WrongState("Say why it is frozen; whoever lifts it needs to know.")
    if at_most is not None and as_of is not None:
        raise WrongState("Freeze it at a figure or at what it showed at a moment, not at both.")
    if as_of is not None and as_of.year < YEAR_MIN:
        raise WrongState(f"Nothing was shown in {as_of.year}. Give a moment at which the figures were right.")
    if as_of is not None and as_of > timezone.now():
        raise WrongState("That moment is still to come. Give one at which the figures were right.")
    scope = {"channel": channel, "item": item, "listing": listing}
    if Freeze.objects.in_force().filter(**scope, quantity=at_most, as_of=as_of, is_exact=False).exists():
        raise WrongState(f"{channel or item or listing} is frozen in this way already.")
    made = Freeze.objects.create(
        **scope, quantity=at_most, as_of=as_of, reason=reason.strip()[:200], created_by_id=getattr(actor, "pk", None)
    )
    _tell(made, actor)
    return made


@operation
def lift(*, freezes: Sequence[Freeze], actor: Actor) -> int:
    """Lift freezes; what they held down is worked out anew and goes through the guard. Returns how many were in force."""
    found = list(
        Freeze.objects.in_force()
        .filter(pk__in=[one.pk for one in freezes])
        .select_for_update(of=("self",), no_key=True)
        .select_related("listing")
        .order_by("pk")
    )
    Freeze.objects.filter(pk__in=[one.pk for one in found]).update(
        ended_at=timezone.now(), ended_by_id=getattr(actor, "pk", None)
    )
    # Of what the channel was never told anything, the figure in the outbox was held up by the freeze alone.
    untold = sorted({one.listing_id for one in found if one.listing_id and one.is_exact and one.quantity is None})
    recompute_locked(listing_ids=untold, cause=Cause("freeze", actors=_ids(actor)), send_again=True)
    for one in found:
        _tell(one, actor)
    tell_kept({one.listing.channel_id for one in found if one.listing is not None and one.is_exact})
    return len(found)


@operation
def set_guard(*, channel: Channel, values: Mapping[str, Any], actor: Actor) -> ChannelGuard:
    """Set the limits of a channel's breaker. Raises ValidationError for a value that makes no sense."""
    return save_settings(ChannelGuard, channel=channel, values=values, actor=actor)


@operation
def pause_all(*, actor: Actor, reason: str = "") -> int:
    """The kill switch for everything: no channel sends until it is resumed. Returns the channels that were sending."""
    sending = list(Channel.objects.filter(mode__in=SENDING, is_paused=False).order_by("pk"))
    for channel in sending:
        pause_channel(channel=channel, actor=actor, reason=reason, with_all=True)
    return len(sending)


@operation
def resume_all(*, actor: Actor) -> int:
    """Resume the channels that were paused together; returns how many.

    One that was paused by itself stays paused, for its own reason. When there are none but such, they are resumed.
    """
    paused = list(Channel.objects.filter(mode__in=SENDING, is_paused=True).order_by("pk"))
    together = [channel for channel in paused if channel.is_paused_with_all]
    for channel in together or paused:
        resume_channel(channel=channel, actor=actor)
    return len(together or paused)


# --- Parts ---


def _open_holds(run: PublishRun, listings: Sequence[Listing] | None) -> list[Hold]:
    holds = Hold.objects.filter(run=run, state=HoldState.OPEN)
    if listings is not None:
        holds = holds.filter(listing__in=[listing.pk for listing in listings])
    found = list(holds.order_by("listing_id"))
    if not found:
        raise WrongState(
            f"Nothing of run {run.pk} waits. It was decided, or a newer change took its place.", run=run.pk
        )
    return found


def _lock_open(holds: Sequence[Hold]) -> list[Hold]:
    """The holds that are still open once the rows of the outbox are locked, in listing order like every recompute."""
    pushes = ListingPush.objects.filter(listing__in=[hold.listing_id for hold in holds])
    list(pushes.select_for_update(of=("self",), no_key=True).order_by("listing_id").values_list("pk"))
    return list(Hold.objects.filter(pk__in=[hold.pk for hold in holds], state=HoldState.OPEN).order_by("listing_id"))


_CAUSERS = """
SELECT DISTINCT unnest(r.actors) FROM channels_sync_hold h
JOIN channels_sync_hold e ON e.listing_id = h.listing_id AND e.id <= h.id AND e.state IN ('open', 'replaced')
JOIN channels_sync_publishrun r ON r.id = e.run_id
WHERE h.id = ANY(%s::bigint[]) AND NOT EXISTS (
  SELECT FROM channels_sync_hold d WHERE d.listing_id = h.listing_id AND d.id > e.id AND d.id < h.id AND d.state <> 'replaced'
)
"""
"""A change that waits may have taken the place of another one that waited: whoever caused that had a part in it."""


def causers_of(holds: Iterable[int]) -> set[int]:
    """Ids of everybody who had a part in what waits (ids of holds)."""
    with connection.cursor() as cursor:
        cursor.execute(_CAUSERS, [numbers(holds)])
        return {user_id for (user_id,) in cursor.fetchall()}


def check_second_person(
    what: str, causers: Collection[int], actor: Actor, *, part: str = "recorded or set something that caused"
) -> None:
    """Whoever recorded what caused a change does not approve it, while somebody else may. Raises SecondPersonRequired.

    `what` is the run, the large change or the campaign, in words; `part` is what such a person did.
    """
    if actor is None or actor.pk is None or actor.pk not in causers:
        return
    if _somebody_else_may_decide(actor, causers):
        raise SecondPersonRequired(f"You {part} {what}. Somebody else who may decide has to look at it.")


def _what_stays(holds: Sequence[Hold]) -> dict[int, int | None]:
    """What each listing goes on showing when its hold is refused; None: the channel was never told, and nobody knows.

    That is what was last sent, or what waits in the outbox where that is lower and was not objected to.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STAYS, [numbers(hold.pk for hold in holds)])
        return dict(cursor.fetchall())


_STAYS = """
SELECT h.listing_id, CASE
  WHEN p.version = p.sent_version AND p.version > 0 THEN p.wanted
  WHEN p.sent_version = 0 THEN CASE WHEN p.channel_quantity < 0 THEN 0 ELSE p.channel_quantity END
  WHEN h.after = p.wanted THEN s.after
  ELSE least(s.after, p.wanted) END
FROM channels_sync_hold h JOIN channels_sync_listingpush p ON p.listing_id = h.listing_id
LEFT JOIN channels_sync_publicationline s ON s.listing_id = p.listing_id AND s.version = p.sent_version
WHERE h.id = ANY(%s::bigint[])
"""


def _ids(actor: Actor) -> frozenset[int]:
    return frozenset() if actor is None or actor.pk is None else frozenset({actor.pk})


def _somebody_else_may_decide(actor: AbstractBaseUser | Any, causers: Collection[int]) -> bool:
    app, codename = DECIDE.split(".")
    permission = {"content_type__app_label": app, "codename": codename}
    users = get_user_model().objects.filter(is_active=True).exclude(pk__in={actor.pk, *causers})
    return users.filter(
        Q(is_superuser=True)
        | Q(**{f"user_permissions__{name}": value for name, value in permission.items()})
        | Q(**{f"groups__permissions__{name}": value for name, value in permission.items()})
    ).exists()


def _tell_settled(run: PublishRun, actor: Actor) -> None:
    if run.channel_id is not None:
        tell_holds([run.channel_id], words=f"run {run.pk} was decided", actor=actor)


def _tell(one: Freeze, actor: Actor) -> None:
    """Have everything a freeze is on worked out anew."""
    if one.channel_id is not None:
        items = set(Listing.objects.filter(channel=one.channel_id, is_active=True).values_list("item_id", flat=True))
    elif one.item_id is not None:
        items = {one.item_id}
    else:
        assert one.listing is not None
        items = {one.listing.item_id}
    tell_items_changed(items=items, cause="freeze", actor=actor)
