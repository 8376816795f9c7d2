"""Policies from the database to the outbox: cascade, layers, sharing, dates."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from channels_sync.allocation import Derivation, recompute
from channels_sync.models import AllocationPolicy
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy, tell_dated_rules, withdraw_policy
from channels_sync.operations.campaigns import CampaignRule, add_campaign_rule, end_campaign, plan_campaign
from channels_sync.operations.demand import DaySold, record_demand
from channels_sync.operations.recomputing import recompute_listings
from channels_sync.operations.sweeping import sweep
from channels_sync.reads.figures import figures_of
from channels_sync.reads.publishing import counted_in_ledger
from channels_sync.reads.rulebook import Proposal, Scope
from inventory.errors import InvalidQuantity, WrongState
from inventory.models import ItemCategory, StockChange, Supplier, SupplierItem, SupplierStock
from inventory.operations.transit import DispatchLine, dispatch_transfer
from production.operations.completing import CompletionRequest, complete_production
from production.operations.releasing import release_work_order
from production.operations.reshaping import split_work_order
from production.operations.work_orders import (
    change_planned,
    close_work_order,
    open_work_order,
    reschedule_work_order,
)
from tests.channels_sync.factories import line_of, make_channel, make_listing, push_of
from tests.factories import make_item, make_location, make_user, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def time_machine_to():
    """Go so many hours ahead of now."""
    journeys = []
    started_at = timezone.now()

    def go(*, hours):
        journey = time_machine.travel(started_at + timedelta(hours=hours))
        journey.start()
        journeys.append(journey)

    yield go
    for journey in reversed(journeys):
        journey.stop()


def wanted(*listings):
    absorb_changes()
    found = [push_of(listing).wanted for listing in listings]
    return found[0] if len(found) == 1 else found


def make_offer(quantity="10", *, channel=None, item=None):
    listing = make_listing(channel=channel or make_channel(), item=item)
    put_on_hand(listing.item, make_location(), quantity)
    return listing


def derivation_of(listing):
    return Derivation.from_json(line_of(listing).derivation)


def in_hours(hours):
    return timezone.now() + timedelta(hours=hours)


# --- cascade ---


def test_a_rule_of_a_category_reaches_what_stands_below_it_and_the_deeper_one_decides():
    candles = ItemCategory.objects.create(name="Candles")
    tins = ItemCategory.objects.create(name="Tins", parent=candles)
    listing = make_offer("100", item=make_item(is_sellable=True, category=tins))
    set_policy(category=candles, percent=Decimal(50), buffer=Decimal(10), actor=None)
    set_policy(category=tins, percent=Decimal(20), actor=None)

    assert wanted(listing) == 18  # (100 - 10) x 20 %
    assert derivation_of(listing).terms.percent.rule.scope == "Category Tins"
    assert derivation_of(listing).terms.buffer.rule.scope == "Category Candles"


def test_category_on_a_channel_stands_between_category_and_item():
    category = ItemCategory.objects.create(name="Candles")
    listing = make_offer("100", item=make_item(is_sellable=True, category=category))
    elsewhere = make_listing(channel=make_channel(), item=listing.item)
    set_policy(category=category, channel=listing.channel, percent=Decimal(30), actor=None)
    set_policy(category=category, percent=Decimal(60), actor=None)
    assert wanted(listing, elsewhere) == [30, 60]

    set_policy(item=listing.item, percent=Decimal(10), actor=None)

    assert wanted(listing, elsewhere) == [10, 10]


# --- layers ---


def make_product(component_stock="30", *, per_unit="2"):
    product, part = make_item(is_sellable=True), make_item()
    make_bom(item=product, lines=[(part, per_unit)])
    site = make_location()
    put_on_hand(part, site, component_stock)
    return product, part, site


def test_shows_what_is_built_then_what_could_be_and_names_the_bottleneck():
    product, part, _ = make_product("30")
    listing = make_offer("4", item=product)
    set_policy(listing=listing, basis="buildable", actor=None)

    assert wanted(listing) == 19
    found = derivation_of(listing)
    assert found.snapshot.makeable.components[0].sku == part.sku
    assert recompute(found) == 19


def test_news_of_a_component_works_out_what_is_built_of_it():
    product, part, site = make_product("30")
    listing = make_offer("0.000001", item=make_item(is_sellable=True, step=Decimal("0.000001")))
    made = make_listing(channel=make_channel(), item=product)
    set_policy(channel=made.channel, basis="buildable", actor=None)
    assert wanted(made) == 15
    put_on_hand(part, site, "6")

    assert wanted(made) == 18
    assert push_of(listing).version == 1


def test_without_such_a_rule_news_of_a_component_touches_nothing_else():
    product, part, site = make_product("30")
    made = make_offer("5", item=product)
    assert wanted(made) == 5
    put_on_hand(part, site, "6")
    with CaptureQueriesContext(connection) as queries:
        absorb_changes()

    assert not any("RECURSIVE" in query["sql"] for query in queries)
    assert push_of(made).version == 1


def test_suppliers_figures_count_by_share_and_age():
    listing = make_offer("4")
    sold = SupplierItem.objects.create(supplier=Supplier.objects.create(code="WAX", name="Wax"), item=listing.item)
    stock = SupplierStock.objects.create(supplier_item=sold, quantity=Decimal(40), confirmed_at=in_hours(-5))
    set_policy(listing=listing, supplier_percent=Decimal(25), supplier_hours=24, actor=None)
    assert wanted(listing) == 14
    stock.confirmed_at = in_hours(-25)
    stock.save()

    recompute_listings(listings=[listing], cause="test")

    assert push_of(listing).wanted == 4
    assert derivation_of(listing).snapshot.suppliers[0].quantity == 40


def test_goods_on_the_road_between_own_places_are_promised_when_they_are_due(client):
    workshop, shop = make_location(code="WORKSHOP"), make_location(code="SHOP", is_sellable=True)
    listing = make_listing(channel=make_channel(sources=[shop]))
    put_on_hand(listing.item, workshop, "9")
    put_on_hand(listing.item, shop, "2")
    set_policy(listing=listing, basis="promise", actor=None)
    assert wanted(listing) == 2

    sent = dispatch_transfer(
        key=uuid4(),
        source=workshop,
        target=shop,
        lines=[DispatchLine(listing.item, Decimal(5))],
        actor=None,
        expected_on=timezone.localdate() + timedelta(days=1),
    ).transfer

    assert wanted(listing) == 7
    (arrival,) = derivation_of(listing).snapshot.incoming
    assert (arrival.kind, arrival.reference, arrival.quantity) == ("transfer", sent.number, 5)
    client.force_login(make_user(superuser=True))
    page = client.get(reverse("channels_sync:why", args=[listing.pk])).content.decode()
    assert reverse("inventory:transfer_page", args=[sent.number]) in page


def test_what_a_released_work_order_makes_for_nobody_is_promised_until_it_is_late(client):
    shop = make_location(code="SHOP", is_sellable=True)
    listing = make_listing(channel=make_channel(sources=[shop]), item=make_item(sku="CANDLE", is_sellable=True))
    wax = make_item(sku="WAX")
    make_bom(item=listing.item, lines=[(wax, "1")])
    put_on_hand(wax, shop, "20")
    put_on_hand(listing.item, shop, "2")
    set_policy(listing=listing, basis="promise", actor=None)
    tomorrow = timezone.localdate() + timedelta(days=1)
    order = open_work_order(
        item=listing.item, planned=Decimal(8), output_location=shop, due_on=tomorrow, is_planned=True, actor=None
    )
    assert wanted(listing) == 2, "it is only planned"

    release_work_order(work_order=order, actor=None)
    assert wanted(listing) == 10
    (arrival,) = derivation_of(listing).snapshot.incoming
    assert (arrival.kind, arrival.reference, arrival.quantity) == ("work order", order.number, 8)
    client.force_login(make_user(superuser=True))
    page = client.get(reverse("channels_sync:why", args=[listing.pk])).content.decode()
    assert reverse("production:work_order", args=[order.number]) in page

    change_planned(work_order=order, planned=Decimal(6), actor=None)
    assert wanted(listing) == 8
    reschedule_work_order(work_order=order, due_on=timezone.localdate() - timedelta(days=1), actor=None)
    assert wanted(listing) == 2
    reschedule_work_order(work_order=order, due_on=tomorrow, actor=None)
    split_work_order(work_order=order, quantity=Decimal(1), actor=None)
    assert wanted(listing) == 8
    complete_production(key=uuid4(), request=CompletionRequest(work_order=order, good=Decimal(2)), actor=None)
    assert wanted(listing) == 8
    close_work_order(work_order=order, actor=None)
    assert wanted(listing) == 5
    open_work_order(
        item=listing.item, planned=Decimal(4), output_location=shop, due_on=tomorrow, actor=None,
        demand_kind="order", demand_ref="1042",
    )  # fmt: skip
    assert wanted(listing) == 5, "it is made for somebody"


def test_what_is_made_for_another_order_is_promised_to_nobody_and_scrap_is_not_on_its_way():
    shop = make_location(code="SHOP", is_sellable=True)
    part, gift = make_item(sku="PART", is_sellable=True), make_item(sku="GIFT", is_sellable=True)
    listing = make_listing(channel=make_channel(sources=[shop]), item=part)
    wax = make_item(sku="WAX")
    make_bom(item=part, lines=[(wax, "1")])
    make_bom(item=gift, lines=[(part, "1")])
    put_on_hand(wax, shop, "50")
    set_policy(listing=listing, basis="promise", actor=None)
    due = timezone.localdate() + timedelta(days=1)
    whole = open_work_order(item=gift, planned=Decimal(6), output_location=shop, due_on=due, actor=None)
    open_work_order(
        item=part, planned=Decimal(6), output_location=shop, due_on=due, actor=None, demand_kind="work_order",
        demand_ref=whole.number,
    )  # fmt: skip
    assert wanted(listing) == 0

    free = open_work_order(item=part, planned=Decimal(5), output_location=shop, due_on=due, actor=None)
    assert wanted(listing) == 5
    complete_production(
        key=uuid4(),
        request=CompletionRequest(
            work_order=free, good=Decimal(0), scrapped=Decimal(2), scrap_reason="cracked", output_location=shop
        ),
        actor=None,
    )
    assert wanted(listing) == 3


def test_goods_that_go_elsewhere_or_have_no_day_are_promised_to_nobody():
    workshop, shop = make_location(code="WORKSHOP"), make_location(code="SHOP", is_sellable=True)
    here, there = make_channel(sources=[shop]), make_channel(sources=[workshop])
    listing = make_listing(channel=here)
    put_on_hand(listing.item, workshop, "9")
    set_policy(listing=listing, basis="promise", actor=None)
    lines = [DispatchLine(listing.item, Decimal(5))]
    dispatch_transfer(key=uuid4(), source=workshop, target=shop, lines=lines, actor=None)
    other = make_listing(channel=there, item=listing.item)
    set_policy(listing=other, basis="promise", actor=None)

    assert wanted(listing, other) == [0, 4]


def test_lots_that_expire_too_soon_do_not_count():
    item = make_item(is_sellable=True, tracking="lot")
    listing, strict = (make_listing(channel=make_channel(), item=item) for _ in range(2))
    site, today = make_location(), timezone.localdate()
    for days in (20, 60):
        put_on_hand(item, site, "5", lot=f"L-{days}", expires_on=today + timedelta(days=days))
    set_policy(listing=strict, shelf_life_days=30, actor=None)

    assert wanted(listing, strict) == [10, 5]


def test_days_of_demand_are_kept_back_per_channel():
    listing = make_offer("100")
    other = make_listing(channel=make_channel(), item=listing.item)
    today = timezone.localdate()
    days = [today - timedelta(days=number) for number in range(1, 29)]
    record_demand(rows=[DaySold(listing.channel, listing.item, day, Decimal(2)) for day in days])
    set_policy(buffer_days=Decimal(7), actor=None)

    assert wanted(listing, other) == [86, 100]


def test_doubt_about_the_books_keeps_stock_back():
    listing = make_offer("100")
    set_policy(listing=listing, doubt_percent=Decimal(10), actor=None)

    assert wanted(listing) == 92  # never counted: 80 points of doubt


# --- sharing ---


def test_channels_divide_one_pool_by_weight_and_their_sisters_follow():
    one = make_offer("100")
    other = make_listing(channel=make_channel(), item=one.item)
    set_policy(sharing="weight", actor=None)
    assert wanted(one, other) == [50, 50]

    set_policy(channel=one.channel, weight=Decimal(3), actor=None)

    assert wanted(one, other) == [75, 25]


def test_two_listings_of_one_channel_take_one_share_together():
    one = make_offer("100")
    pack = make_listing(channel=one.channel, item=one.item, pack_size=Decimal(5), external_sku="PACK-5")
    other = make_listing(channel=make_channel(), item=one.item)
    set_policy(sharing="weight", actor=None)

    assert wanted(one, pack, other) == [25, 5, 50]


def test_shares_by_demand_follow_what_was_sold():
    one = make_offer("100")
    other = make_listing(channel=make_channel(), item=one.item)
    yesterday = timezone.localdate() - timedelta(days=1)
    set_policy(sharing="demand", actor=None)
    assert wanted(one, other) == [50, 50]

    rows = [
        DaySold(one.channel, one.item, yesterday, Decimal(9)),
        DaySold(other.channel, one.item, yesterday, Decimal(1)),
    ]
    record_demand(rows=rows)

    assert wanted(one, other) == [90, 10]


def test_a_ring_fence_of_one_channel_lowers_the_others():
    one = make_offer("100")
    other = make_listing(channel=make_channel(), item=one.item)
    set_policy(channel=one.channel, ring_fence=Decimal(30), actor=None)

    assert wanted(one, other) == [100, 70]


def test_scarce_items_go_by_priority_and_plenty_is_shared_again():
    one = make_offer("8")
    first = make_listing(channel=make_channel(), item=one.item)
    set_policy(scarce_below=Decimal(10), actor=None)
    set_policy(channel=first.channel, priority=1, maximum_to_list=Decimal(6), actor=None)
    assert wanted(one, first) == [2, 6]
    put_on_hand(one.item, make_location(), "10")

    assert wanted(one, first) == [18, 6]


def test_a_trial_caps_the_exposure_over_all_channels():
    one = make_offer("100")
    other = make_listing(channel=make_channel(), item=one.item)
    until = timezone.localdate() + timedelta(days=30)
    set_policy(item=one.item, trial_limit=Decimal(10), trial_until=until, actor=None)

    assert wanted(one, other) == [5, 5]


# --- dates ---


def test_a_planned_version_begins_by_itself(time_machine_to):
    listing = make_offer("100")
    set_policy(listing=listing, percent=Decimal(50), actor=None)
    later = set_policy(listing=listing, percent=Decimal(20), starts_at=in_hours(3), actor=None)
    assert wanted(listing) == 50
    time_machine_to(hours=4)

    assert sweep().has_news
    assert wanted(listing) == 20
    assert derivation_of(listing).terms.percent.rule.version == later.version == 2
    assert tell_dated_rules() == 0


def test_a_planned_version_is_withdrawn_and_the_one_before_goes_on(time_machine_to):
    listing = make_offer("100")
    before = set_policy(listing=listing, percent=Decimal(50), actor=None)
    planned = set_policy(listing=listing, percent=Decimal(20), starts_at=in_hours(3), actor=None)
    with pytest.raises(WrongState):
        set_policy(listing=listing, percent=Decimal(30), actor=None)

    withdraw_policy(policy=planned, actor=None)

    before.refresh_from_db()
    assert before.effective_to is None
    time_machine_to(hours=4)
    tell_dated_rules()
    assert wanted(listing) == 50
    with pytest.raises(WrongState):
        withdraw_policy(policy=before, actor=None)


def test_after_a_planned_version_was_withdrawn_the_rule_is_changed_and_planned_again(time_machine_to):
    listing = make_offer("100")
    set_policy(listing=listing, percent=Decimal(50), actor=None)
    withdraw_policy(
        policy=set_policy(listing=listing, percent=Decimal(20), starts_at=in_hours(3), actor=None), actor=None
    )

    changed = set_policy(listing=listing, percent=Decimal(30), actor=None)
    assert (changed.version, wanted(listing)) == (3, 30)
    again = set_policy(listing=listing, percent=Decimal(10), starts_at=in_hours(5), actor=None)
    assert withdraw_policy(policy=again, actor=None) == changed
    planned = set_policy(listing=listing, percent=Decimal(70), starts_at=in_hours(5), actor=None)

    assert list(AllocationPolicy.objects.standing()) == [planned]
    time_machine_to(hours=6)
    tell_dated_rules()
    assert wanted(listing) == 70


def test_a_rule_whose_only_version_was_withdrawn_is_set_anew():
    listing = make_offer("100")
    first = set_policy(listing=listing, percent=Decimal(20), starts_at=in_hours(3), actor=None)
    assert withdraw_policy(policy=first, actor=None) is None

    assert set_policy(listing=listing, percent=Decimal(30), actor=None).version == 2
    assert wanted(listing) == 30


def test_a_campaign_begins_and_ends_by_itself_and_leaves_the_rules_as_they_were(time_machine_to):
    listing = make_offer("100")
    set_policy(listing=listing, percent=Decimal(50), buffer=Decimal(10), actor=None)
    author = make_user(username="mia")
    plan_campaign(
        name="Market days", starts_at=in_hours(2), ends_at=in_hours(5), actor=author,
        rules=[CampaignRule({"percent": Decimal(90)}, channel=listing.channel)],
    )  # fmt: skip
    assert wanted(listing) == 45

    time_machine_to(hours=3)
    tell_dated_rules()
    assert wanted(listing) == 81  # the buffer is still that of the listing
    assert derivation_of(listing).terms.percent.rule.campaign == "Market days"
    time_machine_to(hours=6)
    tell_dated_rules()

    assert wanted(listing) == 45
    assert AllocationPolicy.objects.lasting().count() == 1


def test_a_campaign_is_ended_before_its_time():
    listing = make_offer("100")
    campaign = plan_campaign(
        name="Now", starts_at=in_hours(-1), ends_at=in_hours(5), actor=None,
        rules=[CampaignRule({"percent": Decimal(10)})],
    )  # fmt: skip
    assert wanted(listing) == 10
    add_campaign_rule(campaign=campaign, rule=CampaignRule({"percent": Decimal(30)}), actor=None)
    assert wanted(listing) == 30

    end_campaign(campaign=campaign, actor=None)

    assert wanted(listing) == 100
    with pytest.raises(WrongState, match="Now ended"):
        end_campaign(campaign=campaign, actor=None)


@pytest.mark.parametrize(("hours", "terms"), [(-1, {"percent": Decimal(10)}), (5, {}), (5, {"percent": Decimal(101)})])
def test_refuses_a_campaign_that_ends_before_it_begins_or_does_nothing(hours, terms):
    with pytest.raises((WrongState, InvalidQuantity)):
        plan_campaign(name="X", starts_at=in_hours(0), ends_at=in_hours(hours), rules=[CampaignRule(terms)], actor=None)

    assert not AllocationPolicy.objects.exists()


# --- demand ---


def test_the_same_demand_again_changes_nothing_and_other_figures_replace_it():
    listing, day = make_offer(), timezone.localdate()

    def record(quantity):
        return record_demand(rows=[DaySold(listing.channel, listing.item, day, Decimal(quantity))]).recorded

    assert [record("2"), record("2.000"), record("3")] == [1, 0, 1]


def test_refuses_demand_of_a_day_to_come_and_writes_nothing():
    listing, day = make_offer(), timezone.localdate()
    rows = [
        DaySold(listing.channel, listing.item, day, Decimal(2)),
        DaySold(listing.channel, listing.item, day + timedelta(days=1), Decimal(2)),
    ]
    with pytest.raises(InvalidQuantity, match="has not come yet"):
        record_demand(rows=rows)

    assert not listing.item.channel_demand.exists()


# --- the seam ---


def test_figures_of_gives_present_and_new_figure_and_heeds_proposals_without_writing():
    listing = make_offer("100")
    absorb_changes()
    proposal = Proposal(Scope(channel_id=listing.channel_id), {"percent": Decimal(40)})

    (found,) = figures_of(listing_ids=[listing.pk], proposals=[proposal])

    assert (found.before, found.quantity, found.is_change) == (100, 40, True)
    assert found.derivation.terms.percent.rule.scope == "As proposed"
    assert push_of(listing).wanted == 100
    assert not StockChange.objects.exists()


def test_a_stored_derivation_is_counted_again_from_the_ledger_at_its_cutoff():
    listing = make_offer("7")
    absorb_changes()
    put_on_hand(listing.item, make_location(), "5")

    first = derivation_of(listing)

    assert list(counted_in_ledger(first).values()) == [7]
    assert recompute(first) == 7


def test_every_layer_costs_a_fixed_number_of_statements():
    site = make_location()
    for count in range(21):
        product, _, _ = make_product("30")
        listing = make_listing(channel=make_channel(), item=product)
        put_on_hand(product, site, "5")
        if not count:
            first = listing
    set_policy(
        basis="buildable", supplier_percent=Decimal(50), buffer_days=Decimal(1), doubt_percent=Decimal(10),
        sharing="weight", shelf_life_days=3, actor=None,
    )  # fmt: skip

    ids = [listing.pk for listing in type(first).objects.all()]
    with CaptureQueriesContext(connection) as one:
        figures_of(listing_ids=[first.pk])
    with CaptureQueriesContext(connection) as many:
        figures_of(listing_ids=ids)

    # freezes, listings, items, channels, rules, sources, structures, stock (2: with and without shelf life), suppliers, demand,
    # trust (2)
    assert len(one) == len(many) == 13
