"""How the demo company sells: rules with buffers, what could be built, a campaign to come, and what was sold."""

from datetime import datetime, time, timedelta
from decimal import Decimal

from django.utils import timezone

from channels_sync.models import AllocationPolicy, Campaign, Channel, ChannelDemand
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.campaigns import CampaignRule, plan_campaign
from channels_sync.operations.demand import DaySold, record_demand
from config.demo.steps import item
from inventory.operations.posting import Actor

CAMPAIGN = "Winter market"
STARTS_IN_DAYS, LASTS_DAYS = 9, 4
_SOLD = (  # item, sold on the seven days of a week, Monday first
    ("CANDLE-LAVENDER", (2, 1, 2, 3, 4, 7, 5)),
    ("CANDLE-CEDAR", (1, 0, 1, 1, 2, 4, 3)),
    ("GIFT-SET", (0, 0, 1, 0, 1, 2, 1)),
)
_WEEKS = 6


def ensure_selling(channel: Channel | None, actor: Actor) -> None:
    """Everything below, once each; nothing where there is no channel."""
    if channel is None:
        return
    _ensure_demand(channel)
    _ensure_rules(channel, actor)
    if not Campaign.objects.filter(name=CAMPAIGN).exists():
        day = timezone.localdate() + timedelta(days=STARTS_IN_DAYS)
        starts_at = timezone.make_aware(datetime.combine(day, time(8)))
        plan_campaign(
            name=CAMPAIGN,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(days=LASTS_DAYS),
            note="The stall needs half of the candles; everything goes back by itself",
            rules=[CampaignRule({"percent": Decimal(50), "buffer_days": Decimal(2)}, channel=channel)],
            actor=actor,
        )


def _ensure_rules(channel: Channel, actor: Actor) -> None:
    candle, gift_set = item("CANDLE-CEDAR"), item("GIFT-SET")
    if not AllocationPolicy.objects.filter(channel=channel, item=candle).exists():
        set_policy(
            channel=channel,
            item=candle,
            buffer=Decimal(3),
            buffer_days=Decimal(3),
            minimum_to_list=Decimal(4),
            note="Three days of demand stay for the shop in town",
            actor=actor,
        )
    if not AllocationPolicy.objects.filter(item=gift_set, channel=None).exists():
        set_policy(
            item=gift_set,
            basis="buildable",
            buildable_percent=Decimal(50),
            maximum_to_list=Decimal(12),
            note="Packed to order from what is free, half of it to be safe",
            actor=actor,
        )


def _ensure_demand(channel: Channel) -> None:
    if ChannelDemand.objects.filter(channel=channel).exists():
        return
    today = timezone.localdate()
    days = [today - timedelta(days=number) for number in range(1, 7 * _WEEKS + 1)]
    rows = [DaySold(channel, item(sku), day, Decimal(week[day.weekday()])) for sku, week in _SOLD for day in days]
    record_demand(rows=rows, source="the shop's own report")
