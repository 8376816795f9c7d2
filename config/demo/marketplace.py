"""A second place where the demo company sells: a marketplace on trial, whose figures are worked out and not sent.

It sells from the same shelves as the shop, so what it sells is what the shop's buffers guard against.
"""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from channels_sync.models import AllocationPolicy, Channel, ChannelDemand, ChannelMode, Listing
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.demand import DaySold, record_demand
from channels_sync.operations.offering import create_listing
from config.demo.steps import item
from inventory.operations.posting import Actor

CODE = "marketplace"
_WEEKS = 6
_OFFERS = (  # its own SKU, item, title
    ("MP-LAVENDER", "CANDLE-LAVENDER", "Soy candle lavender 220 ml"),
    ("MP-CEDAR", "CANDLE-CEDAR", "Soy candle cedar 220 ml"),
)
_SOLD = (  # item, sold on the seven days of a week, Monday first
    ("CANDLE-LAVENDER", (6, 4, 5, 7, 9, 14, 11)),
    ("CANDLE-CEDAR", (2, 1, 2, 3, 4, 6, 5)),
)


def ensure_marketplace(shop: Channel | None, actor: Actor) -> None:
    """The channel with its listings, rule and demand, once each; nothing where there is no shop it would be compared with."""
    if shop is None:
        return
    channel, _ = Channel.objects.get_or_create(
        code=CODE,
        defaults={
            "name": "Marketplace",
            "adapter": shop.adapter,
            "mode": ChannelMode.SHADOW,
            "base_url": shop.base_url,
            "storefront_url": shop.storefront_url,
            "external_location_id": shop.external_location_id,
        },
    )
    if not AllocationPolicy.objects.filter(channel=channel).exists():
        set_policy(
            channel=channel,
            percent=Decimal(60),
            buffer=Decimal(6),
            note="Its orders reach us late, and a cancelled one costs its rating",
            actor=actor,
        )
    for sku, name, title in _OFFERS:
        if not Listing.objects.filter(channel=channel, external_sku__iexact=sku).exists():
            create_listing(channel=channel, item=item(name), external_sku=sku, title=title, actor=actor)
    if not ChannelDemand.objects.filter(channel=channel).exists():
        today = timezone.localdate()
        days = [today - timedelta(days=number) for number in range(1, 7 * _WEEKS + 1)]
        rows = [DaySold(channel, item(sku), day, Decimal(week[day.weekday()])) for sku, week in _SOLD for day in days]
        record_demand(rows=rows, source="the marketplace's report of orders")
