"""Channels, listings, published quantities and policies over the REST API."""

import pytest

from channels_sync.models import AllocationPolicy, Channel, ChannelMode, Listing
from channels_sync.operations.recomputing import recompute_listings
from inventory.models import ItemKind, StockChange
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return Channel.objects.create(
        code="shop", name="Shop", base_url="https://shop.example", credentials="never shown", mode=ChannelMode.SHADOW
    )


@pytest.fixture
def candle():
    item = make_item(sku="CANDLE", kind=ItemKind.PRODUCT, is_sellable=True)
    put_on_hand(item, make_location(code="SITE"), "10")
    return item


def test_channel_never_shows_its_credentials(shop, as_administrator):
    answer = as_administrator.get(f"channels/{shop.pk}/")

    assert answer.json()["mode"] == "shadow"
    assert "never shown" not in answer.content.decode()
    assert "credentials" not in answer.json()


def test_pauses_and_resumes(shop, as_planner):
    assert as_planner.post(f"channels/{shop.pk}/pause/", key=None).json()["is_paused"] is True
    assert as_planner.post(f"channels/{shop.pk}/resume/", key=None).json()["is_paused"] is False


def test_listing_is_made_and_its_figure_worked_out(shop, candle, as_planner):
    StockChange.objects.all().delete()

    made = as_planner.post(
        "listings/", {"channel": "shop", "item": "candle", "external_sku": "C-6", "pack_size": "6"}, key=None
    )

    assert made.status_code == 201, made.json()
    assert (made.json()["pack_size"], made.json()["push"]) == ("6", None)
    assert StockChange.objects.get().items == [candle.pk]


def test_listing_twice_under_one_sku_is_refused(shop, candle, as_planner):
    body = {"channel": "shop", "item": "CANDLE", "external_sku": "C"}
    as_planner.post("listings/", body, key=None)

    assert as_planner.post("listings/", {**body, "external_sku": "c"}, key=None).status_code == 400
    assert Listing.objects.count() == 1


def test_listing_shows_how_far_its_figure_got_and_why(shop, candle, as_viewer):
    listing = Listing.objects.create(channel=shop, item=candle, external_sku="C")
    recompute_listings(cause="test", listings=[listing])

    push = as_viewer.get(f"listings/{listing.pk}/").json()["push"]
    (line,) = as_viewer.get("publications/", listing_id=listing.pk).json()["results"]
    detail = as_viewer.get(f"publications/{line['id']}/").json()

    assert (push["wanted"], push["sent_version"]) == (10, 0)
    assert (line["after"], line["before"], line["state"], line["item"]) == (10, None, "shadow", "CANDLE")
    assert detail["derivation"]
    assert "10" in detail["derivation_in_words"]


def test_policy_is_set_for_a_channel_and_replaced(shop, as_planner):
    first = as_planner.post("policies/", {"channel": "shop", "percent": "50", "buffer": "2"}, key=None)
    same = as_planner.post("policies/", {"channel": "shop", "percent": "50", "buffer": "2"}, key=None)
    second = as_planner.post("policies/", {"channel": "shop", "percent": "80"}, key=None)

    assert (first.status_code, first.json()["version"], first.json()["percent"]) == (201, 1, "50")
    assert same.json()["id"] == first.json()["id"]
    assert (second.json()["version"], second.json()["buffer"]) == (2, None)
    assert [row["version"] for row in as_planner.get("policies/", in_force="true").json()["results"]] == [2]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"percent": "100.001"}, "INVALID_QUANTITY"),
        ({"channel": "none"}, "INVALID"),
        ({"listing_id": 1, "channel": "shop"}, "INVALID"),
        ({"percent": 50}, "INVALID"),
    ],
)
def test_policy_out_of_range_is_refused(shop, as_planner, body, code):
    response = as_planner.post("policies/", body, key=None)

    assert (response.status_code, response.json()["code"]) == (400, code)
    assert AllocationPolicy.objects.count() == 0
