from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.operations.reserving import reserve_stock
from inventory.panels import expected_of
from production import panels
from production.operations.completing import DEMAND_KIND
from production.operations.work_orders import close_work_order, open_work_order
from production.reads.open_orders import open_needs, open_outputs
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    """4 things take 7 whole parts."""
    place, part, thing = make_location(code="SHOP"), make_item(sku="PART"), make_item(sku="THING")
    make_bom(item=thing, makes="4", lines=[(part, "7")])
    put_on_hand(part, place, "100")
    return place, part, thing


def order_of(shop, planned):
    place, _, thing = shop
    return open_work_order(
        item=thing, planned=Decimal(planned), output_location=place, source_location=place, actor=None
    )


def test_open_orders_need_the_rest_of_their_plan_and_bring_it(shop):
    _, part, thing = shop
    order = order_of(shop, "4")
    complete(order=order, good="1")

    assert open_needs(items=[part.pk, thing.pk]) == {part.pk: Decimal(5)}  # 7 in all, 2 for the first
    assert open_outputs(items=[part.pk, thing.pk]) == {thing.pk: Decimal(3)}


def test_what_is_reserved_for_an_order_is_not_needed_a_second_time(shop):
    place, part, _ = shop
    order = order_of(shop, "4")
    for pinned, quantity in ((True, 2), (False, 3)):
        reserve_stock(
            item=part,
            location=place,
            quantity=Decimal(quantity),
            demand_kind=DEMAND_KIND,
            demand_ref=order.number,
            actor=None,
            pinned=pinned,
        )

    assert open_needs(items=[part.pk]) == {part.pk: Decimal(2)}


def test_closed_orders_count_for_nothing(shop):
    _, part, thing = shop
    close_work_order(work_order=order_of(shop, "4"), reason="no longer", actor=None)

    assert (open_needs(items=[part.pk]), open_outputs(items=[thing.pk])) == ({}, {})


def test_places_narrow_to_orders_that_take_from_or_bring_there(shop):
    place, part, thing = shop
    elsewhere = make_location()
    order_of(shop, "4")

    assert open_needs(items=[part.pk], places=[elsewhere.pk]) == {}
    assert open_outputs(items=[thing.pk], places=[elsewhere.pk]) == {}
    assert open_needs(items=[part.pk], places=[place.pk]) == {part.pk: Decimal(7)}


def test_the_board_is_told_both(shop):
    _, part, thing = shop
    order_of(shop, "4")

    assert panels  # registers them when it is imported
    found = expected_of([part.pk, thing.pk])

    assert (found[part.pk].demand, found[thing.pk].incoming) == (7, 4)


def test_costs_two_statements_with_any_number_of_orders(shop):
    _, part, thing = shop

    def statements():
        with CaptureQueriesContext(connection) as seen:
            open_needs(items=[part.pk])
            open_outputs(items=[thing.pk])
        return len(seen)

    order_of(shop, "4")
    assert statements() == 2
    for _ in range(19):
        order_of(shop, "4")
    assert statements() == 2


def test_what_is_used_by_hand_is_no_longer_needed(shop):
    place, _, _ = shop
    glue, lamp = make_item(sku="GLUE"), make_item(sku="LAMP")
    make_bom(item=lamp, lines=[(glue, "1", {"issue_method": "manual"})])
    put_on_hand(glue, place, "20")
    order = open_work_order(item=lamp, planned=Decimal(10), output_location=place, source_location=place, actor=None)
    complete(order=order, good="9", actuals=[(glue, "9", "by hand")])

    assert open_needs(items=[glue.pk]) == {glue.pk: Decimal(1)}
