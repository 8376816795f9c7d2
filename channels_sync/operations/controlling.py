"""Switching channels: mode, kill switch, credentials, and trying again what was refused."""

from __future__ import annotations

from django.db.models import F, QuerySet
from django.utils import timezone

from channels_sync.credentials import Secrets, encrypt, rotate
from channels_sync.models import SENDING, Channel, ChannelMode, Listing, ListingPush, PublicationLine, PublicationState
from channels_sync.operations.metering import try_account_now
from channels_sync.operations.pieces import Width
from channels_sync.operations.recomputing import renew_figures, tell_items_changed
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
def set_channel_mode(*, channel: Channel, mode: ChannelMode, actor: Actor) -> Channel:
    """Switch between off, shadow (worked out and compared, not sent), approve (every change waits for a person) and automatic.

    Into automatic, every listing whose wanted figure was not sent is sent. Into approve, what was not sent waits for a
    person like everything else. Out of off, every listing is worked out anew. Raises WrongState
    for a mode that sends without credentials.
    """
    locked = _lock(channel)
    before = locked.mode
    if before == mode:
        return locked
    if mode in SENDING and not locked.credentials:
        raise WrongState(
            f"{locked.name} has no credentials, so nothing can be sent. Enter them first.", channel=locked.code
        )
    locked.mode = mode
    _save(locked, actor=actor, fields=["mode"])
    waiting = PublicationLine.objects.filter(
        listing__channel=locked, version=F("listing__push__version"), version__gt=F("listing__push__sent_version")
    )
    if mode == ChannelMode.APPROVE:
        unsent = Width.of_channel(locked, unsent_only=True)
        renew_figures(width=unsent, cause="channel mode", keeps_back=locked)
    elif mode == ChannelMode.AUTO:
        waiting.filter(state=PublicationState.SHADOW).update(state=PublicationState.QUEUED)
    else:
        waiting.filter(state__in=[PublicationState.QUEUED, PublicationState.FAILED]).update(
            state=PublicationState.SHADOW
        )
    if mode != ChannelMode.OFF:
        items = Listing.objects.filter(channel=locked, is_active=True).values_list("item_id", flat=True)
        tell_items_changed(items=set(items), cause="channel mode")
    return locked


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
    renew_figures(width=Width.of_channel(locked), cause="channel location", forgets_shown=True)
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


def _lock(channel: Channel) -> Channel:
    return Channel.objects.select_for_update(of=("self",), no_key=True).get(pk=channel.pk)


def _save(channel: Channel, *, actor: Actor, fields: list[str]) -> None:
    """Save with its history, which names the actor."""
    user = actor if actor is not None and actor.is_authenticated else None
    channel._history_user = user  # type: ignore[attr-defined]
    channel.save(update_fields=fields)
