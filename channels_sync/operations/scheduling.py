"""The hours in which a channel is told things, its clock, and how much of its account's allowance we use."""

from __future__ import annotations

from datetime import time
from zoneinfo import available_timezones

from channels_sync.adapters.registry import ADAPTERS
from channels_sync.models import Channel, SendingAccount, SendingWindow, WindowKind, WindowScope
from channels_sync.operations.metering import account_of_channel, ensure_account
from inventory.errors import WrongState
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.wakeups import wake_after_commit

WINDOWS_MAX = 50


@operation
def add_window(
    *,
    channel: Channel,
    kind: WindowKind,
    scope: WindowScope,
    weekdays: str,
    starts_at: time,
    ends_at: time,
    actor: Actor,
    reason: str = "",
) -> SendingWindow:
    """Add hours in which figures go out or do not. `weekdays` are digits, 0 for Monday. The same hours twice are one.

    Raises WrongState without a day, for hours of no length, and for more than WINDOWS_MAX.
    """
    days = "".join(sorted(set(weekdays)))
    if not days or set(days) - set("0123456"):
        raise WrongState("Choose at least one day of the week.")
    if starts_at == ends_at:
        raise WrongState("The hours begin and end at the same time. For a whole day give 00:00 to 23:59.")
    Channel.objects.select_for_update(of=("self",), no_key=True).get(pk=channel.pk)
    values = {"kind": kind, "scope": scope, "weekdays": days, "starts_at": starts_at, "ends_at": ends_at}
    own = SendingWindow.objects.filter(channel=channel)
    known = own.filter(**values).first()
    if known is not None:
        return known
    if own.count() >= WINDOWS_MAX:
        raise WrongState(f"{channel} has {WINDOWS_MAX} of them, which is the most. Remove one first.")
    window = SendingWindow(channel=channel, reason=reason.strip()[:200], **values)
    window._history_user = _user(actor)  # type: ignore[attr-defined]  # read by simple_history
    window.save()
    wake_after_commit()
    return window


@operation
def reword_window(*, window: SendingWindow, reason: str, actor: Actor) -> SendingWindow:
    """Give another reason for hours, which stay as they are."""
    found = SendingWindow.objects.select_for_update(of=("self",), no_key=True).get(pk=window.pk)
    if found.reason != reason.strip()[:200]:
        found.reason = reason.strip()[:200]
        found._history_user = _user(actor)  # type: ignore[attr-defined]  # read by simple_history
        found.save(update_fields=["reason"])
    return found


@operation
def remove_window(*, window: SendingWindow, actor: Actor) -> None:
    """Remove hours; what they kept back goes out. Removing twice is fine."""
    found = SendingWindow.objects.filter(pk=window.pk).first()
    if found is not None:
        found._history_user = _user(actor)  # type: ignore[attr-defined]  # read by simple_history
        found.delete()
        wake_after_commit()


@operation
def set_sending(*, channel: Channel, time_zone: str, share_percent: int, actor: Actor) -> Channel:
    """Set the clock of a channel's hours (empty: the company's), and the share of its account's allowance we use.

    The share holds for every channel of the account. Raises WrongState for a clock nobody knows or a share out of range.
    """
    if time_zone and time_zone not in available_timezones():
        raise WrongState(f"No time zone is called “{time_zone}”. Give one such as Europe/Berlin.")
    if not 1 <= share_percent <= 100:
        raise WrongState(f"The share is {share_percent} %. Give 1 to 100.")
    locked = Channel.objects.select_for_update(of=("self",), no_key=True).get(pk=channel.pk)
    if locked.time_zone != time_zone:
        locked.time_zone = time_zone
        locked._history_user = _user(actor)  # type: ignore[attr-defined]  # read by simple_history
        locked.save(update_fields=["time_zone"])
    if locked.adapter in ADAPTERS:
        ensure_account(locked)
        SendingAccount.objects.filter(account=account_of_channel(locked)).exclude(share_percent=share_percent).update(
            share_percent=share_percent
        )
    wake_after_commit()
    return locked


def _user(actor: Actor) -> object:
    return actor if actor is not None and actor.is_authenticated else None
