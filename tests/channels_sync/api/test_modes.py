"""Modes, the plan of a switch, the first look and the guard's limits over the REST API."""

import pytest

from channels_sync.models import ChannelGuard, ChannelMode, ListingPush
from channels_sync.operations.absorbing import absorb_changes
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


def in_the_shadow(shop, count=1, *, shows=3):
    channel, site = make_channel(code="shop", name="Candle shop", mode=ChannelMode.SHADOW), make_location()
    for _ in range(count):
        listing = make_listing(channel=channel, shop=shop, item=make_item(is_sellable=True), shows=shows)
        put_on_hand(listing.item, site, "10")
    absorb_changes()
    return channel


def test_a_channel_is_looked_at_then_its_switch_is_planned_and_made(as_administrator, shop):
    channel = in_the_shadow(shop, 2)
    ListingPush.objects.update(channel_quantity=None)

    unknown = as_administrator.get(f"channels/{channel.pk}/automatic/").json()
    looked = as_administrator.post(f"channels/{channel.pk}/look/", key=None).json()
    plan = as_administrator.get(f"channels/{channel.pk}/automatic/").json()
    made = as_administrator.post(f"channels/{channel.pk}/mode/", {"mode": "auto"}, key=None)
    again = as_administrator.get(f"channels/{channel.pk}/automatic/")

    assert (unknown["listings"], unknown["first"]) == (2, 2)
    assert (looked["read"], looked["left"], looked["problem"]) == (2, 0, "")
    assert (plan["listings"], plan["first"], plan["held"], plan["units_before"], plan["units_after"]) == (
        2,
        0,
        0,
        6,
        20,
    )
    assert {(one["before"], one["after"], one["is_held"]) for one in plan["changes"]} == {(3, 10, False)}
    assert (made.status_code, made.json()["mode"]) == (200, "auto")
    assert again.status_code == 409


def test_a_large_switch_asks_for_its_number(as_administrator, shop):
    channel = in_the_shadow(shop, 50)

    refused = as_administrator.post(f"channels/{channel.pk}/mode/", {"mode": "auto"}, key=None)
    made = as_administrator.post(f"channels/{channel.pk}/mode/", {"mode": "auto", "typed": "50"}, key=None)

    assert (refused.status_code, refused.json()["code"]) == (409, "TYPED_CONFIRMATION_REQUIRED")
    assert made.json()["mode"] == "auto"


@pytest.mark.parametrize("body", [{"mode": "fast"}, {}, {"mode": "x" * 600}, {"mode": 1}])
def test_a_mode_nobody_knows_is_refused(as_administrator, shop, body):
    channel = in_the_shadow(shop)

    assert as_administrator.post(f"channels/{channel.pk}/mode/", body, key=None).status_code == 400
    channel.refresh_from_db()
    assert channel.mode == ChannelMode.SHADOW


def test_the_limits_of_a_guard_are_read_and_changed_one_by_one(as_administrator):
    channel = make_channel(code="shop")

    before = as_administrator.get(f"guard-settings/{channel.pk}/").json()
    changed = as_administrator.patch(
        f"guard-settings/{channel.pk}/", {"to_zero_max": None, "changed_percent": "12.5"}
    ).json()
    refused = as_administrator.patch(f"guard-settings/{channel.pk}/", {"changed_percent": "0"})

    assert (before["changed_percent"], before["to_zero_max"], before["after_bulk"]) == ("30", 10, True)
    assert (changed["changed_percent"], changed["to_zero_max"], changed["after_bulk"]) == ("12.5", None, True)
    assert refused.status_code == 400
    guard = ChannelGuard.objects.get()
    assert (str(guard.changed_percent), guard.to_zero_max, guard.changed_min) == ("12.50", None, 20)
