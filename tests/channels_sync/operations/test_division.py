"""Products that divide what could be built: together no more than there is, and whatever is ordered of it can be made."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from channels_sync.allocation import Derivation, recompute
from channels_sync.allocation.terms import BUILDABLE
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.demand import DaySold, record_demand
from channels_sync.reads import division
from inventory.models import ItemKind, StockChange
from tests.channels_sync.factories import let_all_flow, line_of, make_channel, make_listing, push_of
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def site():
    return make_location(code="SITE")


def make_pair(site, wax="100", *, per_unit=("2", "3"), **rule):
    """Two products of one component on one channel."""
    component = make_item(sku="WAX")
    put_on_hand(component, site, wax)
    channel = let_all_flow(make_channel())
    listings = []
    for number, quantity in enumerate(per_unit):
        product = make_item(sku=f"CANDLE-{number}", kind=ItemKind.PRODUCT, is_sellable=True)
        make_bom(item=product, lines=[(component, quantity)])
        listings.append(make_listing(channel=channel, item=product))
    set_policy(basis=BUILDABLE, **rule, actor=None)
    return component, listings


def wanted(*listings):
    while absorb_changes():
        pass
    return [push_of(listing).wanted for listing in listings]


def test_without_a_rule_each_sees_all_that_could_be_built(site):
    _, listings = make_pair(site)

    assert wanted(*listings) == [50, 33]


def test_divided_by_weight_both_get_the_same_and_nothing_is_promised_twice(site):
    component, listings = make_pair(site, building="weight")

    shown = wanted(*listings)

    assert shown == [20, 20]  # 20 x 2 + 20 x 3 of 100
    assert sum(quantity * need for quantity, need in zip(shown, (2, 3), strict=True)) <= on_hand(component)


def test_the_part_stands_in_the_derivation_and_recomputes_to_itself(site):
    _, listings = make_pair(site, building="weight")
    wanted(*listings)

    stored = Derivation.from_json(line_of(listings[0]).derivation)

    assert (stored.snapshot.makeable.quantity, stored.snapshot.makeable.alone) == (20, 50)
    assert stored.snapshot.makeable.divided == "divided with 1 other by weight"
    assert "buildable 20 (bottleneck WAX; 50 alone, divided with 1 other by weight)" in stored.in_words()
    assert recompute(stored) == 20 == recompute(Derivation.from_json(stored.to_json()))


def test_recent_demand_decides_who_gets_more(site):
    _, listings = make_pair(site, building="demand", per_unit=("1", "1"))
    yesterday = timezone.localdate() - timedelta(days=1)
    rows = [
        DaySold(channel=listing.channel, item=listing.item, day=yesterday, quantity=Decimal(sold))
        for listing, sold in zip(listings, (299, 99), strict=True)
    ]
    record_demand(rows=rows)

    assert wanted(*listings) == [75, 25]


def test_news_of_one_product_reaches_those_that_divide_with_it(site):
    component, listings = make_pair(site, building="weight")
    wanted(*listings)
    own = make_item(sku="WICK")
    put_on_hand(own, site, "4")

    listings[0].item.boms.update(state="retired", effective_to="2026-01-01")
    make_bom(item=listings[0].item, lines=[(component, "2"), (own, "1")])
    StockChange.objects.create(items=[listings[0].item.pk], cause="bom")

    assert wanted(*listings) == [4, 30]  # what the first one cannot use is the other's


def test_a_product_that_no_longer_divides_sees_all_again_and_the_other_what_is_safe(site):
    _, listings = make_pair(site, building="weight")
    wanted(*listings)

    set_policy(item=listings[0].item, building="alone", actor=None)

    assert wanted(*listings) == [50, 33]


def test_a_rule_that_is_changed_back_leaves_everybody_the_whole(site):
    _, listings = make_pair(site)
    set_policy(channel=listings[0].channel, building="weight", actor=None)
    assert wanted(*listings) == [20, 20]

    set_policy(channel=listings[0].channel, building="alone", actor=None)

    assert wanted(*listings) == [50, 33]


def test_a_group_too_large_to_weigh_up_is_cut_up_and_just_as_safe(site, monkeypatch):
    monkeypatch.setattr(division, "GROUP_MAX", 1)
    component, listings = make_pair(site, building="weight")

    shown = wanted(*listings)

    assert shown == [25, 16]
    assert shown[0] * 2 + shown[1] * 3 <= on_hand(component)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_ordered_within_the_numbers_shown_can_be_made(site, seed):
    """Tried: with every part as large as what could be made alone, completions run short."""
    chance = random.Random(seed)
    components = [make_item(step=chance.choice(("1", "1", "0.5"))) for _ in range(4)]
    for component in components:
        put_on_hand(component, site, str(chance.randint(20, 80)))
    channels = [let_all_flow(make_channel()) for _ in range(2)]
    products, listings = [], []
    for _ in range(4):
        product = make_item(kind=ItemKind.PRODUCT, is_sellable=True)
        lines = [
            (one, chance.choice(("1", "2", "1.5")), {"scrap_percent": Decimal(chance.choice((0, 10)))})
            for one in chance.sample(components, chance.randint(1, 3))
        ]
        make_bom(item=product, lines=lines)
        products.append(product)
        listings += [make_listing(channel=channel, item=product) for channel in channels]
    set_policy(basis=BUILDABLE, building="weight", sharing="weight", actor=None)
    for listing in listings[::3]:
        set_policy(listing=listing, weight=Decimal(chance.randint(1, 4)), actor=None)
    shown = wanted(*listings)
    assert sum(shown) > 0

    orders = [listing.item for listing, quantity in zip(listings, shown, strict=True) for _ in range(quantity)]
    chance.shuffle(orders)
    made = 0
    while orders:
        size = min(chance.randint(1, 3), len(orders))
        lot, orders = orders[:size], orders[size:]
        for product in {item.pk: item for item in lot}.values():
            quantity = sum(one.pk == product.pk for one in lot)
            complete(product, str(quantity), into=site)  # refuses when a component runs short
            made += quantity

    assert made == sum(shown)
