"""What a simulation reads: the rules, stock, demand and supply as they are, at a fixed price."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync.models import Freeze
from channels_sync.operations.allocating import set_policy
from channels_sync.reads.figures import figures_of
from channels_sync.reads.rehearsal import read_rehearsal
from channels_sync.reads.rulebook import Proposal, Scope
from channels_sync.simulation import ProposedRule, SupplyKind, to_parts
from channels_sync.simulation.question import START_LEVEL, START_THEN
from inventory.errors import WrongState
from inventory.models import ItemCategory
from tests.channels_sync.simulation.selling import question, sold, two_channels
from tests.factories import make_location, put_on_hand

pytestmark = pytest.mark.django_db

RULES = [
    {},
    {"percent": Decimal(40), "buffer": Decimal(3)},
    {"minimum_to_list": Decimal(5), "maximum_to_list": Decimal(9)},
    {"sharing": "weight", "weight": Decimal(2)},
    {"sharing": "demand", "buffer_days": Decimal(2)},
    {"ring_fence": Decimal(4), "sharing": "fenced"},
    {"scarce_below": Decimal(30), "priority": 5},
    {"trial_limit": Decimal(7)},
    {"basis": "fixed", "fixed_quantity": Decimal(6)},
    {"doubt_percent": Decimal(80)},
]


@pytest.mark.parametrize("terms", RULES, ids=lambda terms: "+".join(terms) or "nothing")
@pytest.mark.parametrize("on_hand", ["1", "17"])
def test_what_is_shown_is_what_publishing_shows(terms, on_hand):
    shop, stall = two_channels(on_hand=on_hand)
    set_policy(channel=stall.channel, percent=Decimal(90), actor=None)
    sold(shop, "2", days_ago=1, days=20)
    sold(stall, "1", days_ago=1, days=5)
    rule = ProposedRule(terms, channel_id=shop.channel_id)
    proposal = Proposal(Scope(channel_id=shop.channel_id), terms)

    (one,) = read_rehearsal(question(rule)).items

    stock, recent = to_parts(Decimal(on_hand)), ((to_parts(Decimal(40)), to_parts(Decimal(5))), to_parts(Decimal(45)))
    ids = [shop.pk, stall.pk]
    published = [found.quantity for found in figures_of(listing_ids=ids)]
    proposed = [found.quantity for found in figures_of(listing_ids=ids, proposals=[proposal])]
    assert list(one.present.shown(stock, sold=recent)) == published
    assert list(one.proposed.shown(stock, sold=recent)) == proposed


def test_stock_at_the_start_is_now_then_or_the_level():
    shop, _ = two_channels(on_hand="0")
    site = make_location()
    put_on_hand(shop.item, site, "4", effective_at=timezone.now() - timedelta(days=30))
    put_on_hand(shop.item, site, "5", effective_at=timezone.now() - timedelta(days=3))
    sold(shop, "1", days_ago=1, days=7)

    def start(**fields):
        return read_rehearsal(question(**fields)).items[0].case.start

    assert start() == to_parts(Decimal(9))
    assert start(start=START_THEN) == to_parts(Decimal(4))
    assert start(start=START_LEVEL, lead_days=3, cover_days=5) == to_parts(Decimal(8))


def test_what_came_in_comes_in_again_on_its_day():
    shop, _ = two_channels(on_hand="0")
    put_on_hand(shop.item, make_location(), "5", effective_at=timezone.now() - timedelta(days=3))
    sold(shop, "1", days_ago=1, days=7)

    supply = read_rehearsal(question(supply=SupplyKind.GIVEN)).items[0].case.supply

    assert supply.arrivals == ((4, to_parts(Decimal(5))),)  # the window's last day is yesterday, its seventh


def test_the_same_seed_draws_the_same_orders_and_another_one_others():
    shop, _ = two_channels()
    sold(shop, "5", days_ago=1, days=7)

    def orders(**fields):
        return read_rehearsal(question(**fields)).items[0].case.orders

    assert orders(seed=3) == orders(seed=3)
    assert orders(seed=3) != orders(seed=4)
    assert sum(order.packs for order in orders(percent=150)) == 52  # 52.5 in packs of one


def test_the_fingerprint_changes_with_what_is_read_and_with_nothing_else():
    shop, _ = two_channels()
    sold(shop, "5", days_ago=2)
    before = read_rehearsal(question()).fingerprint

    assert read_rehearsal(question()).fingerprint == before
    sold(shop, "6", days_ago=2)
    after = read_rehearsal(question()).fingerprint
    assert after != before
    set_policy(buffer=Decimal(1), actor=None)
    assert read_rehearsal(question()).fingerprint != after


def test_a_channel_without_demand_a_freeze_and_layers_are_told():
    shop, stall = two_channels()
    sold(shop, "5", days_ago=2)
    sold(stall, "5", days_ago=2)
    stall.is_active = False
    stall.save()
    Freeze.objects.create(channel=shop.channel, quantity=0, reason="recalled")
    set_policy(item=shop.item, basis="buildable", supplier_percent=Decimal(10), actor=None)

    notices = " ".join(read_rehearsal(question()).notices)

    assert all(word in notices for word in ("could be built", "suppliers' stock", "Frozen", "no published listing"))


def test_only_items_that_fit_everything_named_are_replayed():
    candles, soaps = ItemCategory.objects.create(name="Candles"), ItemCategory.objects.create(name="Soaps")
    (shop, stall) = two_channels(sku="CANDLE", category=candles)
    two_channels(sku="SOAP", category=soaps, shop=shop.channel, stall=stall.channel)
    (other, _) = two_channels(sku="BELL")
    for listing in (shop, other):
        sold(listing, "5")
    sold(two_channels(sku="WAX", shop=shop.channel)[0], "1")

    def skus(**fields):
        return [one.case.sku for one in read_rehearsal(question(**fields)).items]

    assert sorted(skus()) == ["BELL", "CANDLE", "SOAP", "WAX"]
    assert skus(category_id=candles.pk) == ["CANDLE"]
    assert sorted(skus(channel_ids=(shop.channel_id,))) == ["CANDLE", "SOAP", "WAX"]


def test_nothing_listed_or_nothing_sold_is_refused_with_what_to_do():
    with pytest.raises(WrongState, match="No published listing fits"):
        read_rehearsal(question())
    two_channels()
    with pytest.raises(WrongState, match="Nothing is known to have been sold"):
        read_rehearsal(question())


def test_any_number_of_items_costs_the_same_statements():
    shop, stall = two_channels()
    sold(shop, "5")
    set_policy(channel=shop.channel, buffer_days=Decimal(1), sharing="weight", actor=None)

    def statements():
        with CaptureQueriesContext(connection) as captured:
            read_rehearsal(question(supply=SupplyKind.GIVEN))
        return len(captured)

    one = statements()
    for number in range(19):
        sold(two_channels(sku=f"MORE-{number}", shop=shop.channel, stall=stall.channel)[0], "2")

    assert statements() == one
