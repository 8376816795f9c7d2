from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from channels_sync.credentials import Secrets, decrypt, encrypt
from channels_sync.models import Channel, ChannelMode, Listing
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.offering import create_listing
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel():
    return Channel.objects.create(
        code="shop", name="Candle shop", mode=ChannelMode.AUTO, base_url="https://example.com",
        credentials=encrypt(Secrets(access_token="token-nobody-sees")),
    )  # fmt: skip


@pytest.fixture
def as_viewer(client, viewer):
    client.force_login(viewer)
    return client


def offered(channel, quantity="10", **fields):
    item = make_item(is_sellable=True)
    put_on_hand(item, make_location(), quantity)
    return create_listing(channel=channel, item=item, actor=None, **fields)


def test_pages_open_for_a_viewer_and_hide_from_strangers(client, viewer, channel):
    listing = offered(channel)
    absorb_changes()
    addresses = [
        reverse("channels_sync:channels"),
        reverse("channels_sync:channel", args=["shop"]),
        reverse("channels_sync:listings"),
        reverse("channels_sync:listing", args=[listing.pk]),
        reverse("channels_sync:why", args=[listing.pk]),
    ]

    assert [client.get(url).status_code for url in addresses] == [302] * 5
    client.force_login(viewer)
    assert [client.get(url).status_code for url in addresses] == [200] * 5


def test_why_shows_the_sum_that_leads_to_the_figure(as_viewer, channel):
    set_policy(actor=None, channel=channel, percent=Decimal(50), buffer=Decimal(2))
    listing = offered(channel, "100", pack_size=Decimal(6))
    absorb_changes()

    response = as_viewer.get(reverse("channels_sync:why", args=[listing.pk]))

    lines = {line.label: line.value for line in response.context["why"].lines}
    assert lines["Available"] == "100"
    assert lines["Buffer kept back"] == "−2"
    assert lines["Share for this channel"] == "50"
    assert lines["Leaves"] == "49"
    assert lines["Sold in packs of"] == "6"
    assert lines["Published"] == "8"


def test_why_opens_as_a_drawer_for_htmx_and_as_a_page_without(as_viewer, channel):
    listing = offered(channel)
    absorb_changes()
    url = reverse("channels_sync:why", args=[listing.pk])

    drawer = as_viewer.get(url, headers={"HX-Request": "true", "HX-Target": "drawer"}).content.decode()

    assert 'role="dialog"' in drawer
    assert "<html" not in drawer
    assert "<html" in as_viewer.get(url).content.decode()


def test_a_planner_pauses_and_resumes_and_a_viewer_does_not(client, viewer, planner, channel):
    client.force_login(viewer)
    refused = client.post(reverse("channels_sync:pause", args=["shop"]))
    client.force_login(planner)
    client.post(reverse("channels_sync:pause", args=["shop"]))
    channel.refresh_from_db()
    was_paused = channel.is_paused
    client.post(reverse("channels_sync:resume", args=["shop"]))
    channel.refresh_from_db()

    assert refused.status_code == 403
    assert (was_paused, channel.is_paused) == (True, False)


def test_the_mode_is_changed_by_an_administrator_and_refused_in_words(client, planner, administrator):
    bare = Channel.objects.create(code="bare", name="Bare", mode=ChannelMode.SHADOW, base_url="https://example.com")
    client.force_login(planner)
    assert client.post(reverse("channels_sync:change_mode", args=["bare"]), {"mode": "off"}).status_code == 403
    client.force_login(administrator)

    refused = client.post(reverse("channels_sync:change_mode", args=["bare"]), {"mode": "auto"}, follow=True)

    assert "no credentials" in refused.content.decode()
    client.post(reverse("channels_sync:change_mode", args=["bare"]), {"mode": "off"})
    bare.refresh_from_db()
    assert bare.mode == ChannelMode.OFF


def test_the_board_shows_the_published_figure_of_each_channel(as_viewer, channel):
    offered(channel, "7")
    absorb_changes()

    text = as_viewer.get("/stock/").content.decode()

    assert 'Candle shop <b class="num">7</b>' in text


@pytest.mark.parametrize("url", ["/stock/", "/channels/", "/channels/shop/", "/channels/listings/"])
def test_lists_cost_the_same_number_of_queries_with_many_listings(as_viewer, channel, url):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_viewer.get(url).status_code == 200
        return len(seen)

    offered(channel)
    absorb_changes()
    queries()
    few = queries()
    for _ in range(20):
        offered(channel)
    absorb_changes()

    assert queries() == few


def test_the_item_tab_costs_the_same_number_of_queries_with_many_listings(as_viewer, channel):
    listing = offered(channel)
    url = reverse("inventory:item", args=[listing.item_id])

    def queries():
        absorb_changes()
        with CaptureQueriesContext(connection) as seen:
            assert as_viewer.get(url, {"tab": "channels"}).status_code == 200
        return len(seen)

    queries()
    few = queries()
    for number in range(10):
        create_listing(channel=channel, item=listing.item, actor=None, external_sku=f"PACK-{number}")

    assert queries() == few


def channel_fields(channel, **changes):
    return {
        "name": channel.name, "code": channel.code, "adapter": "shopify", "base_url": channel.base_url,
        "storefront_url": "", "api_version": "", "external_location_id": "", "source_locations": [],
        "access_token": "", "client_id": "", "client_secret": "", **changes,
    }  # fmt: skip


def test_stored_secrets_are_never_shown_and_empty_fields_keep_them(client, administrator, channel):
    client.force_login(administrator)
    url = reverse("admin:channels_sync_channel_change", args=[channel.pk])

    page = client.get(url).content.decode()
    saved = client.post(url, channel_fields(channel, name="New name"))

    assert "token-nobody-sees" not in page
    assert channel.credentials not in page
    assert saved.status_code == 302
    channel.refresh_from_db()
    assert channel.name == "New name"
    assert decrypt(channel.credentials).access_token == "token-nobody-sees"


def test_new_secrets_are_stored_encrypted(client, administrator, channel):
    client.force_login(administrator)

    client.post(
        reverse("admin:channels_sync_channel_change", args=[channel.pk]),
        channel_fields(channel, access_token="another-token"),
    )

    channel.refresh_from_db()
    assert "another-token" not in channel.credentials
    assert decrypt(channel.credentials).access_token == "another-token"


def test_rules_are_added_and_changed_where_their_effect_is_shown(client, administrator, channel):
    policy = set_policy(actor=None, channel=channel, percent=Decimal(90))
    client.force_login(administrator)

    added = client.get(reverse("admin:channels_sync_allocationpolicy_add"))
    changed = client.get(reverse("admin:channels_sync_allocationpolicy_new_version", args=[policy.pk]))

    editor = reverse("channels_sync:edit_policy")
    assert (added.url, changed.url) == (editor, f"{editor}?policy={policy.pk}")


def test_source_locations_are_not_changed_in_the_admin(client, administrator, channel):
    site = make_location()
    client.force_login(administrator)
    url = reverse("admin:channels_sync_channel_change", args=[channel.pk])

    page = client.get(url).content.decode()
    client.post(url, channel_fields(channel, source_locations=[site.pk]))

    assert reverse("admin:channels_sync_channel_choose_sources", args=[channel.pk]) in page
    assert not channel.source_locations.exists()


def test_a_listing_is_added_through_its_operation_and_worked_out(client, administrator, channel):
    item = make_item(sku="GIFT", is_sellable=True)
    put_on_hand(item, make_location(), "9")
    client.force_login(administrator)

    client.post(
        reverse("admin:channels_sync_listing_add"),
        {
            "channel": channel.pk, "item": item.pk, "pack_size": "1", "is_active": "on",
            "publications-TOTAL_FORMS": "0", "publications-INITIAL_FORMS": "0",
        },
    )  # fmt: skip
    absorb_changes()

    listing = Listing.objects.get()
    assert (listing.external_sku, listing.push.wanted) == ("GIFT", 9)


def test_an_item_that_is_not_for_sale_is_refused_at_its_field(client, administrator, channel):
    item = make_item(sku="WAX")
    client.force_login(administrator)

    response = client.post(
        reverse("admin:channels_sync_listing_add"),
        {
            "channel": channel.pk, "item": item.pk, "pack_size": "1", "is_active": "on",
            "publications-TOTAL_FORMS": "0", "publications-INITIAL_FORMS": "0",
        },
    )  # fmt: skip

    assert "not marked as sellable" in response.content.decode()
    assert Listing.objects.count() == 0
