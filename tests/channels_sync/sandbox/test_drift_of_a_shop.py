"""What the training shop tells is evidence enough to tell differences apart."""

from datetime import UTC, datetime, timedelta

import pytest

from channels_sync.adapters.base import QuantityTarget
from channels_sync.drift import Cause, DriftRules, Sent, Shown, examine

PLACE, OTHER_PLACE = "gid://shopify/Location/1001", "gid://shopify/Location/9999"
LONG_AGO = datetime.now(UTC) - timedelta(days=1)


class Listing:
    """A listing of ten whose figure the shop was seen to show."""

    def __init__(self, shop):
        self.shop, self.adapter = shop, shop.adapter()
        self.item = shop.put(CANDLE=10, SOAP=10)["CANDLE"]
        before = self.read()
        assert before.available == 10
        self.committed = before.committed

    def read(self, item=None, place=PLACE):
        return self.adapter.read_quantities([QuantityTarget("1", item or self.item, place)])[0]

    def drift(self, *, ours=10, before=None, was_confirmed=True, **where):
        reading = self.read(**where)
        return examine(
            sent=Sent("CANDLE", ours, LONG_AGO, before, was_confirmed, self.committed),
            shown=Shown(reading.available, reading.sku, reading.read_at, reading.committed),
            rules=DriftRules(settle=timedelta(0)),
        )

    def edit(self, quantity):
        payload = self.shop.set([self.shop.row(self.item, quantity, changeFromQuantity=10)])
        assert payload["userErrors"] == []


@pytest.fixture
def listing(shop):
    return Listing(shop)


def test_an_untouched_listing_agrees(listing):
    assert listing.drift() is None


def test_a_sale_in_the_shop_is_a_sale(listing):
    listing.shop.sell("CANDLE", 3)

    drift = listing.drift()

    assert (drift.cause, drift.delta) == (Cause.SOLD, -3)


def test_a_raise_by_hand_was_edited(listing):
    listing.edit(14)

    drift = listing.drift()

    assert (drift.cause, drift.delta) == (Cause.EDITED, 4)


def test_a_lowering_by_hand_without_a_name_stays_unexplained(listing):
    listing.edit(4)

    assert listing.drift().cause is Cause.UNEXPLAINED


def test_a_push_the_shop_lost_was_not_applied(listing):
    drift = listing.drift(ours=15, before=10, was_confirmed=False)

    assert (drift.cause, drift.ours, drift.theirs) == (Cause.NOT_APPLIED, 15, 10)


def test_a_raise_that_was_applied_and_sold_is_not_called_lost(listing):
    listing.edit(15)
    listing.shop.sell("CANDLE", 5)

    assert listing.drift(ours=15, before=10, was_confirmed=False).cause is Cause.UNEXPLAINED


def test_an_item_the_shop_no_longer_has_is_a_mapping_error(listing):
    assert listing.drift(item="gid://shopify/InventoryItem/999999").cause is Cause.MAPPING


def test_an_item_with_another_sku_is_a_mapping_error_although_its_figure_agrees(listing):
    soap = listing.shop.put(SOAP=10)["SOAP"]

    assert listing.read(item=soap).available == 10
    assert listing.drift(item=soap).cause is Cause.MAPPING


def test_an_item_not_stocked_at_the_location_is_a_mapping_error(listing):
    drift = listing.drift(place=OTHER_PLACE)

    assert (drift.cause, drift.theirs) == (Cause.MAPPING, None)
