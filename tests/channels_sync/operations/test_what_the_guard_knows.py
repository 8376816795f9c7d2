"""What the guard is told about a plan: where it begins, what there is, what came before it, which places are late."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from channels_sync.models import AllocationPolicy, ChannelMode, Hold, HoldState, PublishRun, SendingWindow
from channels_sync.models.sending import WindowScope
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy, tell_dated_rules
from channels_sync.operations.campaigns import CampaignRule, end_campaign, plan_campaign
from channels_sync.operations.controlling import pause_channel, resume_channel, set_channel_mode
from channels_sync.operations.recomputing import recompute_locked, tell_items_changed
from channels_sync.operations.run_plans import Cause
from inventory.models import SupplierItem, SupplierStock
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.channels_sync.guarded import empty, forget_window, offers, receive, settle, waits
from tests.factories import make_item, make_location, make_order, make_supplier, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def site():
    return make_location(code="SITE")


def rules_of(run):
    return [trip["rule"] for trip in run.trips]


# --- modes ---


def test_what_was_worked_out_in_the_shadow_goes_through_the_guard_before_it_is_sent(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    set_channel_mode(channel=channel, mode=ChannelMode.SHADOW, actor=None)
    receive(listing, site, "360")
    settle(channel)
    assert push_of(listing).wanted == 400

    set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=None)
    settle(channel)

    hold = waits(listing)
    assert (shop.shows(listing), hold.before, hold.after) == (40, 40, 400)
    assert rules_of(hold.run) == ["recent_max"]


def test_falls_worked_out_in_the_shadow_wait_too_when_they_are_many(shop, site):
    channel, listings = offers(shop, site, 12)
    set_channel_mode(channel=channel, mode=ChannelMode.SHADOW, actor=None)
    for listing in listings:
        empty(listing, site)
    settle(channel)
    forget_window()

    set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=None)
    settle(channel)

    assert {shop.shows(listing) for listing in listings} == {10}
    assert Hold.objects.filter(state=HoldState.OPEN, before=10, after=0).count() == 12


def test_from_approval_into_automatic_raises_go_on_waiting_and_what_was_approved_is_sent(shop, site):
    channel, (one, other) = offers(shop, site, 2)
    set_channel_mode(channel=channel, mode=ChannelMode.APPROVE, actor=None)
    receive(one, site, "1")
    empty(other, site)
    receive(other, site, "4")
    settle(channel)

    set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=None)
    settle(channel)

    assert (shop.shows(one), waits(one).after) == (10, 11)
    assert (shop.shows(other), waits(other)) == (4, None)


def test_an_older_raise_in_the_outbox_does_not_go_out_while_a_fall_waits(shop, site):
    channel, listings = offers(shop, site, 12)
    hours = SendingWindow.objects.create(
        channel=channel, scope=WindowScope.RAISES, starts_at="00:00", ends_at="23:59:59"
    )
    for listing in listings:
        receive(listing, site, "5")
        settle(channel)
    forget_window()
    for listing in listings:
        empty(listing, site)
    settle(channel)
    assert push_of(listings[0]).wanted == 15
    assert waits(listings[0]).after == 0
    hours.delete()

    settle(channel)

    assert {shop.shows(listing) for listing in listings} == {10}


def test_a_raise_is_measured_from_what_the_channel_shows_and_not_from_what_waits_in_the_outbox(shop, site):
    channel, (listing,) = offers(shop, site, 1)
    pause_channel(channel=channel, actor=None)
    empty(listing, site)
    absorb_changes()
    receive(listing, site, "6")
    absorb_changes()
    resume_channel(channel=channel, actor=None)
    settle(channel)

    assert (shop.shows(listing), waits(listing)) == (6, None)


# --- far above what it showed ---


def test_a_listing_that_showed_nothing_does_not_rise_to_ten_thousand(shop, site):
    channel = make_channel()
    listing = make_listing(channel=channel, shop=shop)
    settle(channel)
    assert (shop.shows(listing), push_of(listing).recent_max) == (0, 0)

    receive(listing, site, "12000")
    settle(channel)

    assert (shop.shows(listing), waits(listing).after) == (0, 12000)
    assert "the most it showed lately was 0" in waits(listing).run.trips[0]["words"]


# --- more than there is ---


def test_a_fixed_figure_above_what_there_is_waits(shop, site):
    channel = make_channel()
    listing = make_listing(channel=channel, shop=shop)
    put_on_hand(listing.item, site, "3")
    set_policy(listing=listing, basis="fixed", fixed_quantity=Decimal(5000), actor=None)

    settle(channel)

    trip = waits(listing).run.trips[0]
    assert (trip["rule"], trip["listing"]) == ("above_possible", listing.pk)
    assert trip["words"].endswith("would show 5000; on hand, buildable and at suppliers there are 3.")


def test_what_is_only_on_its_way_is_no_stock(shop, site):
    channel = make_channel()
    listing = make_listing(channel=channel, shop=shop)
    make_order([(listing.item, "500", None)], location=site, expected_on=timezone.localdate() + timedelta(days=2))
    set_policy(listing=listing, basis="promise", actor=None)

    settle(channel)

    assert rules_of(waits(listing).run) == ["above_possible"]


def test_a_fixed_figure_within_what_could_be_built_or_bought_flows(shop, site):
    channel = make_channel()
    product, part = make_item(is_sellable=True), make_item()
    make_bom(item=product, lines=[(part, "2")])
    put_on_hand(part, site, "20")
    row = SupplierItem.objects.create(supplier=make_supplier(), item=product)
    SupplierStock.objects.create(supplier_item=row, quantity=Decimal(4), confirmed_at=timezone.now())
    listing = make_listing(channel=channel, shop=shop, item=product)
    put_on_hand(product, site, "1")

    set_policy(listing=listing, basis="fixed", fixed_quantity=Decimal(15), actor=None)
    settle(channel)
    assert shop.shows(listing) == 15

    set_policy(listing=listing, basis="fixed", fixed_quantity=Decimal(16), actor=None)
    settle(channel)
    assert (shop.shows(listing), waits(listing).after) == (15, 16)


# --- bulk edits before ---


@pytest.mark.parametrize("begins", ["planned rule", "campaign", "end of a campaign"])
def test_raises_by_rules_that_begin_or_end_wait(shop, site, begins):
    channel, listings = offers(shop, site, 6)
    now = timezone.now()
    if begins == "planned rule":
        set_policy(channel=channel, percent=Decimal(50), actor=None)
        settle(channel)
        planned = set_policy(channel=channel, percent=Decimal(90), starts_at=now + timedelta(hours=1), actor=None)
        AllocationPolicy.objects.filter(channel=channel, effective_to__isnull=False).update(effective_to=now)
        AllocationPolicy.objects.filter(pk=planned.pk).update(effective_from=now)
        tell_dated_rules()
    elif begins == "campaign":
        set_policy(channel=channel, percent=Decimal(50), actor=None)
        settle(channel)
        plan_campaign(
            name="Market", starts_at=now, ends_at=now + timedelta(days=1), actor=None,
            rules=[CampaignRule({"percent": Decimal(90)}, channel=channel)],
        )  # fmt: skip
    else:
        campaign = plan_campaign(
            name="Market", starts_at=now, ends_at=now + timedelta(days=1), actor=None,
            rules=[CampaignRule({"percent": Decimal(50)}, channel=channel)],
        )  # fmt: skip
        settle(channel)
        end_campaign(campaign=campaign, actor=None)
    forget_window()
    settle(channel)

    assert {shop.shows(listing) for listing in listings} == {5}
    assert rules_of(waits(listings[0]).run) == ["after_bulk"]


def test_raises_of_other_news_within_a_quarter_of_an_hour_after_a_bulk_edit_wait(shop, site):
    channel, listings = offers(shop, site, 7)
    receive(listings[6], site, "1")
    tell_items_changed(items=[listings[6].item_id], cause="import adjustments")
    settle(channel)
    assert shop.shows(listings[6]) == 11
    for listing in listings[:5]:
        receive(listing, site, "1")

    absorb_changes()

    assert Hold.objects.filter(state=HoldState.OPEN).count() == 5
    run = waits(listings[0]).run
    assert run.trips[0]["words"] == "6 listings would rise right after an import of adjustments."


def test_a_later_one_that_reads_what_an_import_wrote_sees_the_import(shop, site):
    """The news of the import is in the hands of somebody else; this recompute comes first."""
    channel, listings = offers(shop, site, 6)
    tell_items_changed(items=[listing.item_id for listing in listings], cause="import adjustments")
    for listing in listings:
        receive(listing, site, "10")

    with transaction.atomic():
        recompute_locked(listing_ids=sorted(listing.pk for listing in listings), cause=Cause("shipment"))

    run = PublishRun.objects.filter(channel=channel).latest("pk")
    assert (run.cause, rules_of(run), run.listings_held) == ("import adjustments, shipment", ["after_bulk"], 6)


# --- late reports ---


def test_a_late_place_is_seen_on_a_channel_that_names_no_sources(shop):
    partner = make_location(code="3PL", kind="3pl", freshness_hours=24)
    channel = make_channel()
    listing = make_listing(channel=channel, shop=shop)
    put_on_hand(listing.item, partner, "10")
    settle(channel)
    receive(listing, partner, "2")
    settle(channel)

    assert waits(listing).after == 12
    assert "too old: 3PL" in waits(listing).run.trips[0]["words"]


def test_a_shelf_of_a_late_place_is_as_late_as_the_place(shop):
    partner = make_location(code="3PL", kind="3pl", freshness_hours=24)
    shelf = make_location(code="3PL-A1", kind="3pl", parent=partner)
    channel = make_channel(sources=[shelf])
    listing = make_listing(channel=channel, shop=shop)
    put_on_hand(listing.item, shelf, "10")
    settle(channel)
    receive(listing, shelf, "2")
    settle(channel)

    assert waits(listing).after == 12
    assert "3PL-A1" in waits(listing).run.trips[0]["words"]


def test_a_late_place_holds_up_what_lies_there_and_nothing_else(shop, site):
    partner = make_location(code="3PL", kind="3pl", freshness_hours=24)
    channel, (one, other) = offers(shop, site, 2)
    put_on_hand(one.item, partner, "2")
    receive(other, site, "2")
    settle(channel)

    assert (shop.shows(one), waits(one).after) == (10, 12)
    assert (shop.shows(other), waits(other)) == (12, None)


def test_a_late_place_that_holds_nothing_of_the_item_stops_nothing(shop, site):
    make_location(code="3PL", kind="3pl", freshness_hours=24)
    channel, (listing,) = offers(shop, site, 1)
    receive(listing, site, "2")
    settle(channel)

    assert shop.shows(listing) == 12
