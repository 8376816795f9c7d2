"""A listing whose link to its channel is mended, and one that is not offered any more."""

import pytest
from django.test import Client

from channels_sync.models import ListingPush
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.publishing import publish_due
from inventory.importing.running import Mode, kind_named, run_import
from tests.api.client import ApiClient
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def listing(shop):
    """Shown with ten, under an item of the shop that is the wrong one; the right one shows 999."""
    channel = make_channel(code="shop", name="Shop")
    found = make_listing(channel=channel, item=make_item(sku="CANDLE", is_sellable=True), shop=shop)
    shop.figures["right-one"] = 999
    put_on_hand(found.item, make_location(), "10")
    absorb_changes()
    publish_due(channel_id=channel.pk)
    assert push_of(found).sent_version == 1
    return found


@pytest.mark.parametrize("way", ["rest", "import"])
def test_a_mended_link_sends_the_figure_to_the_right_item(shop, listing, way):
    if way == "rest":
        answer = ApiClient(make_user(role="administrator")).patch(
            f"listings/{listing.pk}/", {"external_item_id": "right-one"}
        )
        assert answer.status_code == 200
    else:
        text = "Channel,SKU on the channel,Id on the channel\nshop,CANDLE,right-one\n"
        report = run_import(
            kind=kind_named("listings"), content=text.encode(), file_name="t.csv", actor=None, mode=Mode.ALL
        )
        assert report.is_applied, report.problems

    push = push_of(listing)
    assert (push.version, push.wanted, push.channel_quantity) == (2, 10, None)
    publish_due(channel_id=listing.channel_id)

    assert shop.figures["right-one"] == 10
    assert push_of(listing).sent_version == 2


def test_a_listing_that_is_saved_with_the_same_link_is_not_sent_again(listing):
    ApiClient(make_user(role="administrator")).patch(f"listings/{listing.pk}/", {"title": "Another title"})
    absorb_changes()

    assert push_of(listing).version == 1


def test_a_listing_that_is_not_offered_any_more_says_what_its_channel_still_shows(listing):
    api = ApiClient(make_user(role="administrator"))
    client = Client()
    client.force_login(make_user(role="viewer"))
    assert api.get(f"listings/{listing.pk}/").json()["still_shows"] is None
    assert "still shows" not in client.get(f"/channels/listings/{listing.pk}/").content.decode()

    answer = api.patch(f"listings/{listing.pk}/", {"is_active": False})

    assert answer.json()["still_shows"] == 10
    page = client.get(f"/channels/listings/{listing.pk}/").content.decode()
    assert "Shop still shows" in page
    assert "not offered any more" in page
    ListingPush.objects.filter(listing=listing).update(channel_quantity=0)
    assert api.get(f"listings/{listing.pk}/").json()["still_shows"] is None
