"""A small company whose past is replayed: one item on two channels, sold day by day."""

from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from channels_sync.operations.demand import DaySold, record_demand
from channels_sync.simulation import ProposedRule, Question, SupplyKind
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, put_on_hand


def yesterday():
    return timezone.localdate() - timedelta(days=1)


def two_channels(*, sku="CANDLE", on_hand="20", shop=None, stall=None, **fields):
    """The item's listings on a shop and a stall, with stock at a site."""
    item = make_item(sku=sku, is_sellable=True, **fields)
    channels = (shop or make_channel(name="Shop"), stall or make_channel(name="Stall"))
    listings = [make_listing(channel=channel, item=item) for channel in channels]
    if Decimal(on_hand):
        put_on_hand(item, make_location(), on_hand)
    return listings


def sold(listing, quantity, *, days_ago=1, days=1):
    rows = [
        DaySold(
            listing.channel, listing.item, timezone.localdate() - timedelta(days=days_ago + number), Decimal(quantity)
        )
        for number in range(days)
    ]
    record_demand(rows=rows)


def question(*rules, **fields):
    """One week, no supply, news at once, unless said otherwise."""
    values = {"last_day": yesterday(), "weeks": 1, "supply": SupplyKind.NONE, "late_minutes": 0} | fields
    assert isinstance(values["last_day"], date)
    return Question(rules=rules or (ProposedRule({"percent": Decimal(50)}),), **values)
