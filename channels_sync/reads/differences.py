"""What differs on channels now, how much was read back lately, and the rules by which it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, QuerySet

from channels_sync.drift import Cause, DriftRules, Response
from channels_sync.models import SENDING, Channel, ChannelMode, Difference, DifferenceCause, DriftSetting, ListingPush

VERIFIED_WITHIN = timedelta(hours=24)


def rules_of(setting: DriftSetting, *, is_raise: bool) -> DriftRules:
    """A channel's rules as the judgement of one listing takes them; `is_raise` says what the figure sent last did."""
    return DriftRules(
        settle=timedelta(minutes=setting.settle_minutes),
        responses={
            Cause.NOT_APPLIED: Response(setting.lost_raise if is_raise else setting.lost_lowering),
            Cause.EDITED: Response(setting.edited),
            Cause.SOLD: Response(setting.sold),
            Cause.MAPPING: Response(setting.mapping),
            Cause.UNEXPLAINED: Response(setting.unexplained),
        },
    )


@dataclass(frozen=True, slots=True)
class Verified:
    """How many listings have a figure on their channel, and how many of them were read back lately."""

    sent: int
    read: int

    @property
    def percent(self) -> int | None:
        """Whole percent, rounded down; None when nothing was sent yet."""
        return self.read * 100 // self.sent if self.sent else None


def verified(*, channel_id: int | None = None, now: datetime) -> Verified:
    """The listings with a figure on a channel that sends, and how many were read back within VERIFIED_WITHIN."""
    found = ListingPush.objects.filter(sent_version__gt=0, listing__is_active=True, channel__mode__in=SENDING)
    if channel_id is not None:
        found = found.filter(channel=channel_id)
    counts = found.aggregate(
        sent=Count("pk"), read=Count("pk", filter=Q(listing__reading__read_at__gte=now - VERIFIED_WITHIN))
    )
    return Verified(counts["sent"], counts["read"])


def counts_by_cause(*, channel_id: int | None = None) -> list[tuple[str, str, int]]:
    """(cause, its words, differences now), in the order in which causes are named."""
    found = Difference.objects.filter(ended_at__isnull=True)
    if channel_id is not None:
        found = found.filter(channel=channel_id)
    counts = dict(found.order_by().values("cause").annotate(many=Count("pk")).values_list("cause", "many"))
    return [(cause.value, str(cause.label), counts.get(cause.value, 0)) for cause in DifferenceCause]


def differences_now(*, channel_id: int | None = None, cause: str = "") -> QuerySet[Difference]:
    """What differs now with everything a page shows of it, the oldest first."""
    found = Difference.objects.filter(ended_at__isnull=True).select_related(
        "channel", "listing__item", "listing__push", "done_by"
    )
    if channel_id is not None:
        found = found.filter(channel=channel_id)
    if cause:
        found = found.filter(cause=cause)
    return found.annotate(is_outdated=Q(version__lt=F("listing__push__version"))).order_by("first_seen_at", "pk")


def open_difference(*, listing_id: int) -> Difference | None:
    """What a listing shows now instead of what was sent; None where it was not seen to differ."""
    return differences_now().filter(listing=listing_id).first()


def shadow_channel_ids() -> list[int]:
    """Channels that are only compared."""
    return list(Channel.objects.filter(mode=ChannelMode.SHADOW).order_by("pk").values_list("pk", flat=True))


def sending_channel_ids() -> list[int]:
    """Channels that are told figures, paused or not: reading changes nothing there."""
    return list(Channel.objects.filter(mode__in=SENDING).order_by("pk").values_list("pk", flat=True))
