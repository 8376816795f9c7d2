"""Listings of a guarded channel for the tests of what waits and what people decide."""

from decimal import Decimal
from uuid import uuid4

from channels_sync.models import Hold, HoldState, PublishRun
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.publishing import publish_due
from inventory.operations.adjusting import adjust_stock
from inventory.operations.receiving import ReceiptLine, receive_stock
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, on_hand, put_on_hand


def offers(shop, site, count, *, quantity="10", channel=None, prefix="SKU"):
    """So many listings that show `quantity`, published."""
    channel = channel or make_channel()
    listings = [
        make_listing(channel=channel, shop=shop, item=make_item(sku=f"{prefix}-{n:03}", is_sellable=True))
        for n in range(count)
    ]
    for listing in listings:
        put_on_hand(listing.item, site, quantity)
    settle(channel)
    assert {shop.shows(listing) for listing in listings} == {int(quantity)}
    forget_window()
    return channel, listings


def settle(channel):
    while absorb_changes():
        pass
    publish_due(channel_id=channel.pk, rows_max=500)


def forget_window():
    """As if everything so far had happened an hour ago."""
    PublishRun.objects.update(recorded_at="2020-01-01T00:00:00Z")


def receive(listing, site, quantity, actor=None):
    return receive_stock(
        key=uuid4(),
        lines=[ReceiptLine(item=listing.item, location=site, quantity=Decimal(quantity))],
        actor=actor,
    ).posting


def count_as(listing, site, quantity):
    """Adjust what is on hand to a figure."""
    missing = Decimal(quantity) - on_hand(listing.item)
    if missing:
        adjust_stock(key=uuid4(), item=listing.item, location=site, quantity=missing, reason="typed wrong", actor=None)


def empty(listing, site):
    count_as(listing, site, "0")


def waits(listing):
    return Hold.objects.filter(listing=listing, state=HoldState.OPEN).first()
