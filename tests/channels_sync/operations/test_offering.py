from decimal import Decimal

import pytest

from channels_sync.adapters.base import ChannelLocation
from channels_sync.errors import ChannelRejected
from channels_sync.models import Listing
from channels_sync.operations.offering import create_listing, discover_listings
from inventory.errors import InvalidQuantity, WrongState
from inventory.models import StockChange
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import make_item, make_user

pytestmark = pytest.mark.django_db


def test_a_listing_takes_sku_and_name_of_the_item_and_has_its_row():
    item, person = make_item(sku="CANDLE", name="Candle", is_sellable=True), make_user()

    listing = create_listing(channel=make_channel(), item=item, actor=person)

    assert (listing.external_sku, listing.title, listing.pack_size) == ("CANDLE", "Candle", 1)
    assert (push_of(listing).version, push_of(listing).channel) == (0, listing.channel)
    assert StockChange.objects.get().items == [item.pk]
    assert listing.history.first().history_user == person


def test_a_sku_is_listed_once_on_a_channel():
    channel = make_channel()
    make_listing(channel=channel, external_sku="CANDLE")

    with pytest.raises(WrongState, match="already has a listing"):
        make_listing(channel=channel, external_sku="candle")

    assert Listing.objects.count() == 1


@pytest.mark.parametrize("flags", [{"is_sellable": False}, {"is_sellable": True, "is_active": False}])
def test_only_what_may_be_sold_is_listed(flags):
    with pytest.raises(WrongState):
        create_listing(channel=make_channel(), item=make_item(**flags), actor=None)

    assert not Listing.objects.exists()


@pytest.mark.parametrize("pack", ["0", "-1", "0.0000001"])
def test_a_pack_holds_something_exact(pack):
    with pytest.raises(InvalidQuantity):
        make_listing(channel=make_channel(), pack_size=Decimal(pack))


def test_the_channel_is_asked_for_its_ids(shop):
    channel = make_channel(external_location_id="")
    known, missing = make_listing(channel=channel, shop=shop), make_listing(channel=channel)

    found = discover_listings(channel=channel)

    known.refresh_from_db()
    channel.refresh_from_db()
    assert (found.linked, found.missing) == ([known.external_sku], [missing.external_sku])
    assert known.external_item_id == f"item-{known.external_sku}"
    assert channel.external_location_id == "place-1"


def test_a_person_chooses_among_several_locations(shop):
    channel = make_channel(external_location_id="")
    make_listing(channel=channel, shop=shop)
    shop.places.append(ChannelLocation("place-2", "Store", True, True, False, "US", ""))

    with pytest.raises(ChannelRejected, match=r"Warehouse \(place-1\), Store \(place-2\)"):
        discover_listings(channel=channel)
