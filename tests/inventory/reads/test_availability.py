from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from inventory.models import LocationKind, Movement, StockStatus, Tracking
from inventory.operations.reserving import reserve_stock
from inventory.reads.availability import availability
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


def reserve(item, location, quantity, **fields):
    reserve_stock(
        item=item,
        location=location,
        quantity=Decimal(quantity),
        demand_kind="order",
        demand_ref="1",
        actor=None,
        **fields,
    )


def only_source(item, *, location=None):
    found = availability(items=[item.pk], sources=[location.pk] if location else ())[item.pk]
    (source,) = found.from_sources([location.pk] if location else []).sources
    return source


def test_counts_what_is_on_hand_at_a_site_and_below_it():
    item, site = make_item(), make_location(code="MAIN")
    shelf = make_location(parent=site)
    put_on_hand(item, site, "3")
    put_on_hand(item, shelf, "4")

    source = only_source(item)

    assert (source.code, source.on_hand, source.available) == ("MAIN", 7, 7)


def test_takes_off_what_is_reserved():
    item, site = make_item(), make_location()
    put_on_hand(item, site, "10")
    reserve(item, site, "2", pinned=True)
    reserve(item, site, "3")

    source = only_source(item)

    assert (source.on_hand, source.reserved_pinned, source.reserved_soft, source.available) == (10, 2, 3, 5)


def test_a_soft_reservation_counts_until_it_expires():
    item, site = make_item(), make_location()
    put_on_hand(item, site, "10")
    reserve(item, site, "3", expires_at=timezone.now() + timedelta(hours=1))

    now = availability(items=[item.pk])[item.pk]
    later = availability(items=[item.pk], at=timezone.now() + timedelta(hours=2))[item.pk]

    assert (now.available, later.available) == (7, 10)


def test_leaves_out_expired_lots_after_their_last_day():
    item, site = make_item(tracking=Tracking.LOT), make_location()
    today = timezone.localdate()
    put_on_hand(item, site, "3", lot="OLD", expires_on=today)
    put_on_hand(item, site, "5", lot="NEW", expires_on=today + timedelta(days=9))

    last_day = only_source(item)
    (day_after,) = availability(items=[item.pk], at=timezone.now() + timedelta(days=1))[item.pk].sources

    assert (last_day.on_hand, last_day.expired) == (8, 0)
    assert (day_after.on_hand, day_after.expired) == (5, 3)


@pytest.mark.parametrize("trait", [{"is_sellable": False}, {"is_blocked": True}, {"is_active": False}])
def test_leaves_out_places_that_cannot_sell_now(trait):
    item, site = make_item(), make_location()
    put_on_hand(item, site, "3")
    type(site).objects.filter(pk=site.pk).update(**trait)

    source = only_source(item)

    assert (source.on_hand, source.withheld, source.available) == (0, 3, 0)


def test_leaves_out_what_is_held():
    item, site = make_item(), make_location()
    put_on_hand(item, site, "3", status=StockStatus.QC_HOLD)

    source = only_source(item)

    assert (source.on_hand, source.withheld) == (0, 3)


def test_one_site_in_debt_does_not_take_from_another():
    item, east, west = make_item(), make_location(), make_location()
    put_on_hand(item, east, "1")
    put_on_hand(item, west, "5")
    reserve(item, east, "4")

    found = availability(items=[item.pk])[item.pk]

    assert sorted(source.available for source in found.sources) == [-3, 5]
    assert found.available == 5


def test_a_source_can_be_an_area_and_counts_once():
    item, site = make_item(), make_location()
    area = make_location(parent=site)
    put_on_hand(item, site, "3")
    put_on_hand(item, area, "4")
    found = availability(items=[item.pk], sources=[area.pk, site.pk])[item.pk]

    assert found.from_sources([area.pk]).available == 4
    assert found.from_sources([area.pk, site.pk]).available == 7
    assert found.from_sources([]).available == 7


def test_a_soft_reservation_of_the_site_lowers_an_area_in_it():
    item, site = make_item(), make_location()
    area = make_location(parent=site)
    put_on_hand(item, area, "4")
    reserve(item, site, "1")

    assert only_source(item, location=area).available == 3


def test_stock_a_channel_keeps_for_itself_is_offered_only_where_it_is_named():
    item, site = make_item(), make_location(kind=LocationKind.CHANNEL_OWNED)
    put_on_hand(item, site, "4")

    found = availability(items=[item.pk], sources=[site.pk])[item.pk]

    assert found.from_sources([]).available == 0
    assert found.from_sources([site.pk]).available == 4


def test_names_the_newest_movement_it_contains():
    item, site = make_item(), make_location()
    never_moved = make_item()
    put_on_hand(item, site, "4")

    found = availability(items=[item.pk, never_moved.pk])

    assert found[item.pk].cutoff == Movement.objects.get(item=item).pk
    assert (found[never_moved.pk].cutoff, found[never_moved.pk].sources) == (None, ())


@pytest.mark.parametrize("count", [1, 20])
def test_costs_one_query_for_any_number_of_items(count, django_assert_num_queries):
    sites = [make_location() for _ in range(3)]
    items = [make_item() for _ in range(count)]
    for item in items:
        for site in sites:
            put_on_hand(item, site, "1")

    with django_assert_num_queries(1):
        found = availability(items=[item.pk for item in items])

    assert [found[item.pk].available for item in items] == [3] * count


def test_asks_nothing_for_no_items(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert availability(items=[]) == {}
