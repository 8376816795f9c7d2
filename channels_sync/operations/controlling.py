"""Switching channels: mode, kill switch, credentials, and trying again what was refused."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.db.models import F, QuerySet
from django.utils import timezone

from channels_sync.credentials import Secrets, encrypt, rotate
from channels_sync.models import SENDING, Channel, ChannelMode, Listing, ListingPush, PublicationLine, PublicationState
from channels_sync.operations.absorbing import renew_figures
from channels_sync.operations.guarding import RECENT_DAYS
from channels_sync.operations.metering import try_account_now
from channels_sync.operations.pieces import Width
from channels_sync.operations.recomputing import tell_items_changed
from channels_sync.operations.second_looks import check_typed
from inventory.errors import WrongState
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.wakeups import wake_after_commit

_PAUSE = ["is_paused", "is_paused_with_all", "pause_reason", "paused_at"]


@operation
def pause_channel(*, channel: Channel, actor: Actor, reason: str = "", with_all: bool = False) -> Channel:
    """Send nothing more to the channel until it is resumed. Figures are still worked out and wait.

    What is on its way at this moment may still arrive. Pausing twice changes the reason alone, where one is given.
    `with_all` says that it is resumed together with all others.
    """
    locked = _lock(channel)
    reason = reason.strip()[:200]
    if not locked.is_paused:
        locked.is_paused, locked.is_paused_with_all = True, with_all
        locked.pause_reason, locked.paused_at = reason, timezone.now()
        _save(locked, actor=actor, fields=_PAUSE)
    elif reason and reason != locked.pause_reason:
        locked.pause_reason = reason
        _save(locked, actor=actor, fields=_PAUSE)
    return locked


@operation
def resume_channel(*, channel: Channel, actor: Actor) -> Channel:
    """Send again; the newest figure of each listing goes out, what it was in between does not."""
    locked = _lock(channel)
    if locked.is_paused:
        locked.is_paused = locked.is_paused_with_all = False
        locked.pause_reason, locked.paused_at = "", None
        _save(locked, actor=actor, fields=_PAUSE)
        wake_after_commit()
    return locked


@operation
def set_channel_mode(*, channel: Channel, mode: ChannelMode, actor: Actor, typed: str | None = None) -> Channel:
    """Switch between off, shadow (worked out and compared, not sent), approve (every change waits for a person) and automatic.

    Into automatic, what was worked out and not sent goes through the guard as a change from what the channel was last sent;
    what waits for a person goes on waiting. Into approve, what was not sent waits for a person like everything else. Out of
    off, every listing is worked out anew. `typed` is the number of listings that would be sent a figure, as a person saw it;
    None: no person is asked. Raises WrongState for a mode that sends without credentials, TypedConfirmationRequired where
    TYPED_FROM or more go out and their number was not typed. While all are paused together, a channel that begins to send is
    paused with them.
    """
    locked = _lock(channel)
    before = locked.mode
    if before == mode:
        return locked
    if typed is not None and mode == ChannelMode.AUTO and before not in SENDING:
        check_typed(unsent_of(locked).count(), typed)
    if mode in SENDING and not locked.credentials:
        raise WrongState(
            f"{locked.name} has no credentials, so nothing can be sent. Enter them first.", channel=locked.code
        )
    locked.mode = mode
    if mode in SENDING and before not in SENDING:
        _join_the_pause(locked)
    _save(locked, actor=actor, fields=["mode", *_PAUSE])
    if mode in SENDING:
        if before not in SENDING:
            _forget_the_shadow(locked)
        is_seen = before == ChannelMode.APPROVE and mode == ChannelMode.AUTO  # what is unsent there was approved
        chosen = Width.held_on(locked) if is_seen else Width.unsent_on(locked)
        renew_figures(width=chosen, cause="channel mode", actor=actor, keeps_back=locked)
    else:
        PublicationLine.objects.filter(
            listing__channel=locked,
            version=F("listing__push__version"),
            version__gt=F("listing__push__sent_version"),
            state__in=[PublicationState.QUEUED, PublicationState.FAILED],
        ).update(state=PublicationState.SHADOW)
    if mode != ChannelMode.OFF:
        items = Listing.objects.filter(channel=locked, is_active=True).values_list("item_id", flat=True)
        tell_items_changed(items=set(items), cause="channel mode", actor=actor)
    return locked


def _join_the_pause(channel: Channel) -> None:
    together = Channel.objects.filter(mode__in=SENDING, is_paused_with_all=True).order_by("paused_at").first()
    if together is not None and not channel.is_paused:
        channel.is_paused = channel.is_paused_with_all = True
        channel.pause_reason, channel.paused_at = together.pause_reason, timezone.now()


@operation
def set_credentials(*, channel: Channel, secrets: Secrets, actor: Actor) -> Channel:
    """Store the account's secrets, encrypted, and try again at once what waits. Raises WrongState when they are incomplete."""
    if not secrets.is_complete:
        raise WrongState(
            f"{channel.name} needs an access token, or a client id together with its secret.", channel=channel.code
        )
    locked = _lock(channel)
    locked.credentials = encrypt(secrets)
    locked.last_error = ""
    locked.last_error_at = None
    locked._change_reason = "credentials replaced"  # type: ignore[attr-defined]  # read by simple_history
    _save(locked, actor=actor, fields=["credentials", "last_error", "last_error_at"])
    try_account_now(channel=locked)
    _try_again(ListingPush.objects.filter(channel=locked))
    return locked


@operation
def set_location(*, channel: Channel, external_location_id: str, actor: Actor) -> Channel:
    """Write to this location of the channel from now on. Every listing is sent there, and read before it is changed."""
    locked = _lock(channel)
    if locked.external_location_id == external_location_id:
        return locked
    locked.external_location_id = external_location_id
    _save(locked, actor=actor, fields=["external_location_id"])
    renew_figures(width=Width.of_channel(locked), cause="channel location", actor=actor, forgets_shown=True)
    return locked


@operation
def rotate_credentials() -> int:
    """Encrypt every channel's credentials with the newest key; returns the channels. Raises ChannelAuthFailed."""
    channels = Channel.objects.exclude(credentials="").select_for_update(of=("self",), no_key=True).order_by("pk")
    count = 0
    for channel in channels:
        Channel.objects.filter(pk=channel.pk).update(credentials=rotate(channel.credentials))
        count += 1
    return count


@operation
def retry_listing(*, listing: Listing) -> None:
    """Send (or read back) the listing's newest figure now, whatever went wrong before."""
    try_account_now(channel=listing.channel)
    _try_again(ListingPush.objects.filter(listing=listing))


def _try_again(pushes: QuerySet[ListingPush]) -> None:
    pushes.update(next_at=None, attempts=0)
    wake_after_commit()


def unsent_of(channel: Channel) -> QuerySet[ListingPush]:
    """Rows of listings whose newest figure the channel was not sent."""
    return ListingPush.objects.filter(channel=channel, listing__is_active=True, version__gt=F("sent_version"))


_FORGET = """
WITH unsent AS MATERIALIZED (
  SELECT p.listing_id, p.sent_version FROM channels_sync_listingpush p
  WHERE p.channel_id = %s AND p.version > p.sent_version ORDER BY p.listing_id FOR NO KEY UPDATE
)
UPDATE channels_sync_listingpush p SET recent_max = (
  SELECT max(l.after) FROM channels_sync_publicationline l
  WHERE l.listing_id = u.listing_id AND (l.version = u.sent_version OR l.accepted_at > %s)
) FROM unsent u WHERE p.listing_id = u.listing_id
"""


def _forget_the_shadow(channel: Channel) -> None:
    """What was worked out and never sent does not count as what the listings showed lately."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [channel.pk, timezone.now() - timedelta(days=RECENT_DAYS)])


def _lock(channel: Channel) -> Channel:
    return Channel.objects.select_for_update(of=("self",), no_key=True).get(pk=channel.pk)


def _save(channel: Channel, *, actor: Actor, fields: list[str]) -> None:
    """Save with its history, which names the actor."""
    user = actor if actor is not None and actor.is_authenticated else None
    channel._history_user = user  # type: ignore[attr-defined]
    channel.save(update_fields=fields)
