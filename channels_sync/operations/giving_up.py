"""What is not sent any more by itself: one case for each channel, and trying again from there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from channels_sync.models import Channel, Listing, ListingPush, SendingAccount
from channels_sync.models.pushes import SEND_ATTEMPTS_MAX
from channels_sync.operations.holding import tell_kept
from channels_sync.operations.metering import account_of_channel, try_account_now
from channels_sync.reads.sending import given_up, given_up_counts
from inventory.models import ExceptionCase, Severity
from inventory.operations.exceptions import report_exception, resolve_by_fingerprint
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.wakeups import wake_after_commit

SKUS_SHOWN = 20
SILENT_AFTER = timedelta(minutes=10)
"""An account that has not answered for so long is told to people."""
_GIVEN_UP, _SILENT = "given_up:", "silent_account:"


@operation
def retry_given_up(*, channel: Channel, listings: Sequence[Listing] | None = None, actor: Actor) -> int:
    """Send what was given up on a channel once more, all of it or some `listings`; returns how many.

    The channel's case is closed when nothing of it is left; what fails again makes a new one.
    """
    chosen = ListingPush.objects.filter(
        channel=channel, version__gt=F("sent_version"), attempts__gte=SEND_ATTEMPTS_MAX, listing__is_active=True
    )
    if listings is not None:
        chosen = chosen.filter(listing__in=[listing.pk for listing in listings])
    ids = list(chosen.order_by("listing_id").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
    ListingPush.objects.filter(pk__in=ids).update(attempts=0, next_at=None)
    if not given_up_counts().get(channel.pk):
        resolve_by_fingerprint(fingerprint=f"{_GIVEN_UP}{channel.pk}", resolution="tried again", actor=actor)
    if ids:
        try_account_now(channel=channel)
        wake_after_commit()
    return len(ids)


def tell_trouble() -> None:
    """Have one open case for each channel with listings that were given up, for each on which figures are kept up by a
    decision, and for each account that is silent for long; close those that are over.

    Five queries where there is nothing to tell.
    """
    tell_kept()
    counts = given_up_counts()
    silent = dict(
        SendingAccount.objects.filter(failures__gt=0, failing_since__lte=timezone.now() - SILENT_AFTER).values_list(
            "account", "failing_since"
        )
    )
    open_cases = ExceptionCase.objects.open().filter(kind__in=("given_up", "silent_account"))
    known = dict(open_cases.values_list("fingerprint", "evidence"))
    wanted = {f"{_GIVEN_UP}{channel_id}" for channel_id in counts} | {f"{_SILENT}{name}"[:120] for name in silent}
    for fingerprint in sorted(set(known) - wanted):
        resolve_by_fingerprint(fingerprint=fingerprint, resolution="it is over")
    for channel in Channel.objects.filter(pk__in=counts).order_by("pk"):
        if known.get(f"{_GIVEN_UP}{channel.pk}", {}).get("listings") != counts[channel.pk]:
            _report_given_up(channel, counts[channel.pk])
    for account, since in silent.items():
        if f"{_SILENT}{account}"[:120] not in known:
            _report_silent(account, f"{timezone.localtime(since):%Y-%m-%d %H:%M}")


def _report_given_up(channel: Channel, count: int) -> None:
    pushes = given_up(channel=channel)[:SKUS_SHOWN]
    words = sorted({push.last_error for push in pushes if push.last_error})
    page = f"/channels/{channel.code}/sending/"
    report_exception(
        kind="given_up",
        area="publishing",
        severity=Severity.HIGH,
        fingerprint=f"{_GIVEN_UP}{channel.pk}",
        title=f"{count} listing{'' if count == 1 else 's'} of {channel} {'is' if count == 1 else 'are'} not sent any more",
        reason=f"Each failed {SEND_ATTEMPTS_MAX} times. " + " ".join(words[:3]),
        evidence={"listings": count, "skus": [push.listing.external_sku for push in pushes]},
        subject=str(channel),
        url=page,
        action="Try again",
        action_url=page,
        actor=None,
    )


def _report_silent(account: str, since: str) -> None:
    channels = [one for one in Channel.objects.order_by("name") if account_of_channel(one) == account]
    report_exception(
        kind="silent_account",
        area="publishing",
        severity=Severity.URGENT,
        fingerprint=f"{_SILENT}{account}",
        title=f"{', '.join(str(one) for one in channels) or account} has not answered since {since}",
        reason="Nothing is lost: what waits goes out by itself when it answers. "
        + " ".join(sorted({one.last_error for one in channels if one.last_error})[:2]),
        evidence={"account": account, "since": since},
        subject=", ".join(str(one) for one in channels)[:120],
        url="/channels/publishing/",
        action="Look at it",
        action_url="/channels/publishing/",
        actor=None,
    )
