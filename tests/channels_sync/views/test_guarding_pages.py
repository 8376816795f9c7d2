"""Pages on which people decide about publishing."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from channels_sync.models import (
    Channel,
    ChannelGuard,
    ChannelMode,
    Freeze,
    Hold,
    HoldState,
    ListingPush,
    PublicationLine,
    PublishRun,
)
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.controlling import set_channel_mode
from channels_sync.operations.deciding import freeze
from inventory.operations.adjusting import adjust_stock
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.channels_sync.guarded import forget_window
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand

pytestmark = pytest.mark.django_db


def held(count=1):
    """A run of which so many tenfold raises wait; its holds."""
    channel, site = make_channel(code="shop", name="Candle shop"), make_location()
    listings = [
        make_listing(channel=channel, item=make_item(sku=f"CANDLE-{number:02}", is_sellable=True))
        for number in range(count)
    ]
    for listing in listings:
        put_on_hand(listing.item, site, "40")
    absorb_changes()
    forget_window()
    for listing in listings:
        put_on_hand(listing.item, site, "360")
    absorb_changes()
    return list(Hold.objects.order_by("pk"))


@pytest.fixture
def as_approver(client):
    client.force_login(make_user(role="approver"))
    return client


def test_a_run_shows_what_the_guard_said_and_its_effect(as_approver):
    (hold,) = held()

    page = as_approver.get(reverse("channels_sync:run", args=[hold.run_id])).content.decode()

    assert "CANDLE-00 would show 400; the most it showed lately was 40." in page
    assert "The guard stopped" in page
    assert "Approve" in page


def test_the_list_says_that_something_waits_and_finds_it(as_approver):
    (hold,) = held()

    page = as_approver.get(reverse("channels_sync:runs"), {"waits": "1", "channel": "shop"})

    assert [run.pk for run in page.context["page_object"]] == [hold.run_id]
    assert page.context["page_object"][0].waiting == 1


def test_a_listing_says_that_a_change_of_it_waits_and_that_it_is_frozen(as_approver):
    (hold,) = held()
    freeze(item=hold.listing.item, reason="Wick recalled", at_most=0, actor=None)

    page = as_approver.get(reverse("channels_sync:listing", args=[hold.listing_id])).content.decode()

    words = " ".join(strip_tags(page).split())
    assert "A change from 40 to 400 waits for a person." in words
    assert reverse("channels_sync:run", args=[hold.run_id]) in page
    assert "Wick recalled" in page


def test_listings_with_something_held_are_found(as_approver):
    (hold,) = held()
    make_listing(channel=hold.listing.channel)

    page = as_approver.get(reverse("channels_sync:listings"), {"state": "held"})

    assert [row.listing.pk for row in page.context["rows"]] == [hold.listing_id]


def test_approving_lets_it_out(as_approver):
    (hold,) = held()

    answer = as_approver.post(reverse("channels_sync:approve_run", args=[hold.run_id]), {"which": "all"}, follow=True)

    assert "1 change approved" in answer.content.decode()
    assert push_of(hold.listing).wanted == 400


def test_only_those_that_were_ticked_are_approved(as_approver):
    first, second = held(2)
    values = {"which": "marked", "listing": [first.listing_id]}

    as_approver.post(reverse("channels_sync:approve_run", args=[first.run_id]), values)

    assert (push_of(first.listing).wanted, push_of(second.listing).wanted) == (400, 40)
    assert Hold.objects.filter(state=HoldState.OPEN).get() == second


def test_refusing_without_a_reason_changes_nothing_and_says_so(as_approver):
    (hold,) = held()

    answer = as_approver.post(reverse("channels_sync:refuse_run", args=[hold.run_id]))

    assert answer.status_code == 409
    assert "Say why it is refused" in answer.content.decode()
    assert not Freeze.objects.exists()
    assert Hold.objects.get().state == HoldState.OPEN


def test_refusing_freezes_and_lifting_lets_it_be_worked_out_anew(as_approver):
    (hold,) = held()
    as_approver.post(reverse("channels_sync:refuse_run", args=[hold.run_id]), {"reason": "a zero too many"})
    frozen = Freeze.objects.get()

    page = as_approver.get(reverse("channels_sync:freezes")).content.decode()
    assert "a zero too many" in page
    as_approver.post(reverse("channels_sync:lift_freezes"), {"freeze": [frozen.pk]})

    frozen.refresh_from_db()
    assert frozen.ended_at is not None


def test_a_run_that_went_out_is_taken_back(as_approver):
    channel, site = make_channel(), make_location()
    listing = make_listing(channel=channel)
    put_on_hand(listing.item, site, "10")
    absorb_changes()
    adjust_stock(key=uuid4(), item=listing.item, location=site, quantity=Decimal(2), reason="found", actor=None)
    absorb_changes()
    run = listing.publications.order_by("-version").first().run

    answer = as_approver.post(reverse("channels_sync:undo_run", args=[run.pk]), {"reason": "wrong count"}, follow=True)

    assert "Taken back: 1 listing" in answer.content.decode()
    assert push_of(listing).wanted == 10


def test_an_item_is_frozen_at_zero_from_the_page(as_approver):
    (hold,) = held()
    values = {"what": "item", "item": hold.listing.item.sku, "at": "zero", "reason": "recalled"}

    answer = as_approver.post(reverse("channels_sync:freezes"), values)

    assert answer.status_code == 302
    assert Freeze.objects.get().quantity == 0


@pytest.mark.parametrize(
    ("how", "quantity", "words"),
    [
        ({"at": "figure", "at_most": "7"}, 7, "at most 7"),
        ({"at": "moment", "as_of": "2026-01-02T03:04"}, None, "at most what it showed 2 Jan"),
        ({"at": "now", "at_most": "7"}, None, "what it shows, or less"),
    ],
)
def test_a_channel_is_frozen_at_a_figure_or_at_what_it_showed(as_approver, how, quantity, words):
    held()
    values = {"what": "channel", "channel": "shop", "reason": "wrong count", **how}

    answer = as_approver.post(reverse("channels_sync:freezes"), values, follow=True)

    assert answer.status_code == 200
    made = Freeze.objects.get()
    assert (made.quantity, made.as_of is not None) == (quantity, how["at"] == "moment")
    assert words in " ".join(strip_tags(answer.content.decode()).split())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"what": "channel", "channel": "shop", "reason": "x", "at": "figure"}, "Type the most it may show."),
        ({"what": "channel", "channel": "shop", "reason": "x", "at": "moment"}, "Say when its figures were right."),
        ({"what": "channel", "channel": "shop", "reason": "x", "at": "moment", "as_of": "2999-01-01T00:00"}, "to come"),
        ({"what": "channel", "channel": "shop", "reason": "x", "at": "x" * 600}, "not one of the available choices"),
        ({"what": "channel", "reason": "x"}, "Choose the channel."),
        ({"what": "item", "reason": "x"}, "Scan or type the item."),
        ({"what": "listing", "channel": "shop", "listing_sku": "NONE", "reason": "x"}, "has no listing “NONE”."),
        ({"what": "channel", "channel": "shop"}, "This field is required."),
    ],
)
def test_a_freeze_that_is_not_complete_says_what_is_missing(as_approver, values, words):
    held()

    answer = as_approver.post(reverse("channels_sync:freezes"), {"at": "now", **values})

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Freeze.objects.exists()


def test_an_administrator_sets_the_limits_of_a_channel(client):
    held()
    client.force_login(make_user(role="administrator"))
    address = reverse("channels_sync:guard", args=["shop"])
    values = {"changed_percent": "50", "changed_min": "5", "recent_units_min": "1", "bulk_listings_min": "2"}

    assert client.get(address).status_code == 200
    assert client.post(address, {**values, "changed_percent": "0"}).status_code == 422
    assert not ChannelGuard.objects.exists()
    assert client.post(address, values).status_code == 302
    assert ChannelGuard.objects.get().to_zero_max is None


def test_all_channels_are_paused_and_resumed(client):
    held()
    client.force_login(make_user(role="planner"))

    client.post(reverse("channels_sync:switch_all"))
    assert Channel.objects.get().is_paused
    client.post(reverse("channels_sync:switch_all"), {"to": "resume"})
    assert not Channel.objects.get().is_paused


def test_a_viewer_sees_and_decides_nothing(client):
    (hold,) = held()
    client.force_login(make_user(role="viewer"))

    page = client.get(reverse("channels_sync:run", args=[hold.run_id])).content.decode()

    assert "Refuse and freeze" not in page
    for name in ("approve_run", "refuse_run", "undo_run"):
        assert client.post(reverse(f"channels_sync:{name}", args=[hold.run_id]), {"reason": "x"}).status_code == 403
    assert client.post(reverse("channels_sync:freezes"), {}).status_code == 403
    assert client.post(reverse("channels_sync:switch_all")).status_code == 403
    assert push_of(hold.listing).wanted == 40


@pytest.mark.parametrize("name", ["run", "runs", "freezes"])
def test_pages_cost_the_same_statements_for_one_and_for_many(as_approver, name):
    def cost():
        address = reverse(f"channels_sync:{name}", args=[Hold.objects.last().run_id] if name == "run" else [])
        as_approver.get(address)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            as_approver.get(address)
        return len(queries)

    held(1)
    Freeze.objects.create(item=make_item(), reason="recalled")
    one = cost()
    Hold.objects.all().delete()
    Channel.objects.update(code="other")
    Freeze.objects.bulk_create(Freeze(item=make_item(), reason="recalled") for _ in range(20))
    channel = Channel.objects.get()
    site = make_location()
    more = [make_listing(channel=channel, item=make_item(is_sellable=True)) for _ in range(20)]
    for listing in more:
        put_on_hand(listing.item, site, "40")
    absorb_changes()
    forget_window()
    for listing in more:
        put_on_hand(listing.item, site, "360")
    absorb_changes()

    assert cost() == one


# --- what is kept, what there is, and the switch to automatic ---


def zeroed(count=11):
    """A run of which so many falls to zero wait."""
    channel, site = make_channel(code="shop", name="Candle shop"), make_location()
    listings = [
        make_listing(channel=channel, item=make_item(sku=f"CANDLE-{number:02}", is_sellable=True))
        for number in range(count)
    ]
    for listing in listings:
        put_on_hand(listing.item, site, "40")
    absorb_changes()
    publish_all(listings)
    forget_window()
    for listing in listings:
        take_all(listing.item, site)
    absorb_changes()
    return Hold.objects.filter(state=HoldState.OPEN).first().run, listings


def publish_all(listings):
    """As if the channel had taken every figure."""
    PublicationLine.objects.filter(listing__in=listings).update(state="accepted", accepted_at=timezone.now())
    ListingPush.objects.filter(listing__in=listings).update(sent_version=F("version"))


def take_all(item, site):
    adjust_stock(key=uuid4(), item=item, location=site, quantity=-on_hand(item), reason="wrong file", actor=None)


def test_a_refused_fall_says_everywhere_that_more_may_be_sold_than_there_is(as_approver):
    run, listings = zeroed()

    answer = as_approver.post(
        reverse("channels_sync:refuse_run", args=[run.pk]), {"which": "all", "reason": "wrong file"}, follow=True
    )
    freezes = as_approver.get(reverse("channels_sync:freezes")).content.decode()
    listing = as_approver.get(reverse("channels_sync:listing", args=[listings[0].pk])).content.decode()
    why = as_approver.get(reverse("channels_sync:why", args=[listings[0].pk]), {"version": "now"}).content.decode()

    assert "11 of them would fall: more may be sold than there is." in answer.content.decode()
    assert freezes.count("kept up") == 11
    words = " ".join(strip_tags(listing).split())
    assert "Kept at 40, whatever there is: more may be sold than there is" in words
    assert "Kept at, by a decision" in why
    assert "the rules give 0, so more may be sold than there is" in why


def test_a_run_taken_back_says_what_waits_of_it(as_approver):
    channel, site = make_channel(code="shop"), make_location()
    listings = [make_listing(channel=channel, item=make_item(is_sellable=True)) for _ in range(11)]
    for listing in listings:
        put_on_hand(listing.item, site, "4")
    absorb_changes()
    publish_all(listings)
    forget_window()

    answer = as_approver.post(
        reverse("channels_sync:undo_run", args=[PublishRun.objects.latest("pk").pk]),
        {"reason": "too early"},
        follow=True,
    )

    assert "0 listings show what was shown before, or less. 11 would fall to zero and wait" in answer.content.decode()


def test_the_exposure_of_a_run_counts_every_channel_and_every_unit_once(as_approver):
    item, site = make_item(is_sellable=True), make_location()
    channels = [make_channel(code=f"shop-{number}") for number in range(3)]
    for channel in channels:
        make_listing(channel=channel, item=item)
    put_on_hand(item, site, "10")
    absorb_changes()

    page = as_approver.get(reverse("channels_sync:run", args=[PublishRun.objects.latest("pk").pk])).content.decode()

    words = " ".join(strip_tags(page).split())
    assert "Exposure3before 0; 30 on all channels, 10 there" in words.replace(" 3 ", "3")


@pytest.fixture
def shadow():
    """A channel in the shadow that was sent 10 of each, and by now would show ten times as much of one and less of another."""
    channel, site = make_channel(code="shop", name="Candle shop"), make_location()
    listings = [
        make_listing(channel=channel, item=make_item(sku=f"CANDLE-{number}", is_sellable=True)) for number in range(3)
    ]
    for listing in listings:
        put_on_hand(listing.item, site, "10")
    absorb_changes()
    publish_all(listings)
    forget_window()
    set_channel_mode(channel=channel, mode=ChannelMode.SHADOW, actor=None)
    put_on_hand(listings[0].item, site, "90")
    adjust_stock(key=uuid4(), item=listings[1].item, location=site, quantity=Decimal(-4), reason="broken", actor=None)
    absorb_changes()
    return channel


def test_the_plan_is_shown_before_a_channel_is_switched_to_automatic_and_nothing_happens(client, shadow):
    client.force_login(make_user(role="administrator"))
    runs = PublishRun.objects.count()

    page = client.post(reverse("channels_sync:change_mode", args=["shop"]), {"mode": "auto"}, follow=True)

    words = " ".join(strip_tags(page.content.decode()).split())
    assert page.redirect_chain == [(reverse("channels_sync:go_automatic", args=["shop"]), 302)]
    assert "The guard would hold 1 of 2; they wait for a person under Publish runs." in words
    assert "CANDLE-0 would show 100; the most it showed lately was 10." in words
    shadow.refresh_from_db()
    assert (shadow.mode, Hold.objects.count(), PublishRun.objects.count()) == (ChannelMode.SHADOW, 0, runs)


def test_it_is_switched_from_there_through_the_guard(client, shadow):
    client.force_login(make_user(role="administrator"))

    client.post(reverse("channels_sync:change_mode", args=["shop"]), {"mode": "auto", "typed": ""})

    shadow.refresh_from_db()
    assert shadow.mode == ChannelMode.AUTO
    hold = Hold.objects.get(state=HoldState.OPEN)
    assert (hold.before, hold.after) == (10, 100)
    assert set(PublicationLine.objects.filter(state="queued").values_list("after", flat=True)) == {6}


def test_a_large_switch_is_typed(client):
    channel, site = make_channel(code="shop", mode=ChannelMode.SHADOW), make_location()
    for _ in range(50):
        put_on_hand(make_listing(channel=channel, item=make_item(is_sellable=True)).item, site, "4")
    absorb_changes()
    client.force_login(make_user(role="administrator"))
    change = reverse("channels_sync:change_mode", args=["shop"])

    refused = client.post(change, {"mode": "auto", "typed": "49"}, follow=True)
    channel.refresh_from_db()
    assert "Type 50 to confirm" in refused.content.decode()
    assert channel.mode == ChannelMode.SHADOW

    client.post(change, {"mode": "auto", "typed": "50"})
    channel.refresh_from_db()
    assert channel.mode == ChannelMode.AUTO


def test_the_plan_of_a_switch_costs_the_same_for_1_and_9_listings(client):
    """From 20 on, what changed shortly before included, the guard counts the listings of the channel as well."""

    def cost(count):
        channel, site = make_channel(code=f"shop-{count}", mode=ChannelMode.SHADOW), make_location()
        for _ in range(count):
            put_on_hand(make_listing(channel=channel, item=make_item(is_sellable=True)).item, site, "4")
        absorb_changes()
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("channels_sync:go_automatic", args=[channel.code])).status_code == 200
        return len(queries)

    client.force_login(make_user(role="administrator"))
    client.get(reverse("channels_sync:channels"))

    assert cost(1) == cost(9)


@pytest.fixture
def many_held(monkeypatch):
    """A run of which seven changes wait, on pages of three."""
    monkeypatch.setattr("channels_sync.views.guarding.CHANGES_PER_PAGE", 3)
    channel, site = make_channel(code="shop", mode=ChannelMode.APPROVE), make_location()
    listings = [make_listing(channel=channel, item=make_item(sku=f"MANY-{n}", is_sellable=True)) for n in range(7)]
    for listing in listings:
        put_on_hand(listing.item, site, "4")
    absorb_changes()
    return PublishRun.objects.get(listings_held=7)


def test_everything_a_run_holds_can_be_seen_page_by_page_and_is_counted_whole(as_approver, many_held):
    address = reverse("channels_sync:run", args=[many_held.pk])

    pages = [as_approver.get(address, {"held": number}).content.decode() for number in (1, 2, 3)]

    assert [page.count('name="listing"') for page in pages] == [3, 3, 1]
    assert {sku for sku in (f"MANY-{n}" for n in range(7)) if any(sku in page for page in pages)} == {
        f"MANY-{n}" for n in range(7)
    }
    assert all("all 7 that wait" in " ".join(strip_tags(page).split()) for page in pages)
    assert "those I ticked on this page" in pages[0]


def test_what_waits_comes_first_and_the_rest_can_be_decided_after_a_part_was(as_approver, many_held):
    first = list(many_held.holds.order_by("pk").values_list("listing_id", flat=True)[:3])
    as_approver.post(
        reverse("channels_sync:approve_run", args=[many_held.pk]), {"which": "marked", "listing": first, "typed": ""}
    )

    page = as_approver.get(reverse("channels_sync:run", args=[many_held.pk])).content.decode()

    assert page.count('name="listing"') == 3
    assert "all 4 that wait" in " ".join(strip_tags(page).split())


def test_why_it_would_show_what_waits_is_told(as_approver, many_held):
    hold = many_held.holds.order_by("pk").first()
    page = as_approver.get(reverse("channels_sync:run", args=[many_held.pk])).content.decode()
    assert f"?hold={hold.pk}" in page

    why = as_approver.get(reverse("channels_sync:why", args=[hold.listing_id]), {"hold": hold.pk}).content.decode()

    assert "waits" in " ".join(strip_tags(why).split())
    assert "On hand" in why


def test_the_page_of_a_run_costs_the_same_for_1_and_3_changes_on_it(as_approver, many_held):
    address = reverse("channels_sync:run", args=[many_held.pk])
    as_approver.get(address)
    with CaptureQueriesContext(connection) as seven:
        as_approver.get(address)
    many_held.holds.exclude(pk=many_held.holds.first().pk).delete()
    with CaptureQueriesContext(connection) as one:
        as_approver.get(address)
    assert len(seven) == len(one)


def test_what_a_shop_shows_is_read_from_the_plan_of_the_switch(client, shop):
    channel, site = make_channel(code="shop", name="Candle shop", mode=ChannelMode.SHADOW), make_location()
    listing = make_listing(channel=channel, shop=shop, shows=7, item=make_item(is_sellable=True))
    put_on_hand(listing.item, site, "4")
    absorb_changes()
    client.force_login(make_user(role="administrator"))
    plan = reverse("channels_sync:go_automatic", args=["shop"])
    assert "It is not known what Candle shop shows of 1 of them." in strip_tags(client.get(plan).content.decode())

    page = client.post(reverse("channels_sync:look", args=["shop"]), follow=True).content.decode()

    words = " ".join(strip_tags(page).split())
    assert "1 listing read." in words
    assert "It is not known" not in words
    assert "before 7" in words
    assert shop.calls == []


def test_the_plan_of_an_undo_is_shown_first_and_nothing_happens(as_approver):
    channel, site = make_channel(code="shop"), make_location()
    listings = [make_listing(channel=channel, item=make_item(sku=f"U-{n}", is_sellable=True)) for n in range(12)]
    for listing in listings:
        put_on_hand(listing.item, site, "4")
    absorb_changes()
    publish_all(listings)
    forget_window()
    run = PublishRun.objects.latest("pk")
    put_on_hand(listings[0].item, site, "1")  # changes again, so it is left alone
    absorb_changes()
    runs = PublishRun.objects.count()

    page = as_approver.get(reverse("channels_sync:undo_run", args=[run.pk]))

    words = " ".join(strip_tags(page.content.decode()).split())
    assert "The guard would hold 11; they wait for a person" in words
    assert "Left alone1changed again since" in words
    assert "U-11 4 0 pan_toolHeld" in words
    assert (Hold.objects.count(), PublishRun.objects.count(), run.freezes.count()) == (0, runs, 0)


def test_an_undo_that_is_refused_keeps_what_was_typed_beside_its_plan(as_approver):
    channel, site = make_channel(code="shop"), make_location()
    listing = make_listing(channel=channel)
    put_on_hand(listing.item, site, "10")
    absorb_changes()
    run = PublishRun.objects.latest("pk")

    page = as_approver.post(reverse("channels_sync:undo_run", args=[run.pk]), {"reason": " "})

    assert page.status_code == 409
    words = " ".join(strip_tags(page.content.decode()).split())
    assert "Say why the run is taken back." in words
    assert "What would change" in words


def test_a_run_of_which_nothing_is_in_force_says_so_instead_of_a_plan(as_approver):
    channel, site = make_channel(code="shop"), make_location()
    listing = make_listing(channel=channel)
    put_on_hand(listing.item, site, "10")
    absorb_changes()
    run = PublishRun.objects.latest("pk")
    put_on_hand(listing.item, site, "1")
    absorb_changes()

    page = as_approver.get(reverse("channels_sync:undo_run", args=[run.pk]))

    assert "newer figures took its place" in strip_tags(page.content.decode())


def test_the_plan_of_an_undo_costs_the_same_for_1_and_9_listings(as_approver):
    def cost(count):
        channel, site = make_channel(code=f"shop-{count}"), make_location()
        for _ in range(count):
            put_on_hand(make_listing(channel=channel, item=make_item(is_sellable=True)).item, site, "4")
        absorb_changes()
        forget_window()
        with CaptureQueriesContext(connection) as queries:
            address = reverse("channels_sync:undo_run", args=[PublishRun.objects.latest("pk").pk])
            assert as_approver.get(address).status_code == 200
        return len(queries)

    cost(2)
    assert cost(1) == cost(9)
