"""Planning what is low: once, together or not at all."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import InvalidQuantity, InvalidQuantityStep, LocationBlocked, WrongState
from inventory.operations.transit import (
    Arrival,
    DispatchLine,
    dispatch_transfer,
    receive_transfer,
    return_transfer,
)
from production.errors import InvalidBom
from production.models import WorkOrder
from production.operations.demands import make_for_demand, withdraw_demand
from production.operations.releasing import release_work_order
from production.operations.replenishing import ReplenishLine, replenish_items
from production.operations.work_orders import cancel_work_order
from production.reads.replenishment import items_low, levels
from tests.factories import make_item, make_location, make_order, put_on_hand
from tests.production.factories import complete, make_bom
from tests.production.operations.ordering import make_bench, order_for

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def bench(db):
    """3 candles are finished; their point is 10, 20 are worth making, and that takes 5 days."""
    bench = make_bench()
    put_on_hand(bench.candle, bench.finished, "3", value="9.00")
    set_point(bench.candle, "10", "20", 5)
    return bench


def set_point(item, point, quantity=None, lead_days=None):
    item.reorder_point = Decimal(point)
    item.reorder_quantity = None if quantity is None else Decimal(quantity)
    item.lead_time_days = lead_days
    item.save()


def in_days(days):
    return timezone.localdate() + timedelta(days=days)


def replenish(bench, *lines, **fields):
    return replenish_items(
        lines=[line if isinstance(line, ReplenishLine) else ReplenishLine(line) for line in lines],
        **{"location": bench.finished, "source_location": bench.shelf, "actor": None, **fields},
    )


def low():
    return [level.item.sku for level in items_low()[0]]


def level_of(item):
    return levels([item])[0]


def test_what_is_proposed_is_planned_and_due_after_the_lead_time(bench):
    (order,) = replenish(bench, bench.candle)

    assert (order.planned, order.state, order.due_on) == (20, "planned", in_days(5))
    assert (order.output_location, order.source_location) == (bench.finished, bench.shelf)
    assert [(peg.demand_kind, peg.demand_ref, peg.quantity) for peg in order.pegs.all()] == [
        ("replenishment", "CANDLE", 20)
    ]


def test_a_second_run_finds_nothing(bench):
    replenish(bench, bench.candle)

    assert low() == []
    with pytest.raises(WrongState, match="not low any more: 23 pcs projected, reorder point 10"):
        replenish(bench, bench.candle)
    assert WorkOrder.objects.count() == 1


def test_a_cancelled_order_leaves_it_low(bench):
    (order,) = replenish(bench, bench.candle)

    cancel_work_order(work_order=order, actor=None)

    assert low() == ["CANDLE"]


def test_a_quantity_of_ones_own(bench):
    (order,) = replenish(bench, ReplenishLine(bench.candle, Decimal(4)))

    assert order.planned == 4
    assert level_of(bench.candle).projected == 7
    assert low() == ["CANDLE"]


def test_what_was_seen_must_still_be_so(bench):
    line = ReplenishLine(bench.candle, Decimal(2), Decimal(3))
    replenish(bench, line)

    with pytest.raises(WrongState, match="5 pcs projected now, 3 when you looked") as refusal:
        replenish(bench, line)

    assert refusal.value.context["item"] == "CANDLE"
    assert WorkOrder.objects.count() == 1


def test_one_refusal_keeps_all_of_them_from_being_planned(bench):
    set_point(bench.wick, "200")

    with pytest.raises(InvalidBom) as refusal:
        replenish(bench, bench.candle, bench.wick)

    assert refusal.value.context["item"] == "WICK"
    assert not WorkOrder.objects.exists()


@pytest.mark.parametrize(
    ("make_lines", "error"),
    [
        (lambda bench: [], InvalidQuantity),
        (lambda bench: [bench.candle, bench.candle], InvalidQuantity),
        (lambda bench: [ReplenishLine(bench.candle, Decimal(0))], InvalidQuantity),
        (lambda bench: [ReplenishLine(bench.candle, Decimal("1.5"))], InvalidQuantityStep),
        (lambda bench: [bench.wax], WrongState),  # has no point
        (lambda bench: [ReplenishLine(bench.candle)] * 101, InvalidQuantity),
    ],
)
def test_what_makes_no_sense_is_refused(bench, make_lines, error):
    with pytest.raises(error):
        replenish(bench, *make_lines(bench))

    assert not WorkOrder.objects.exists()


def test_a_blocked_place_takes_nothing(bench):
    closed = make_location(code="CLOSED", is_active=False)

    with pytest.raises(LocationBlocked):
        replenish(bench, bench.candle, location=closed)


def test_exactly_at_the_point_without_a_reorder_quantity_somebody_has_to_say_how_many(bench):
    set_point(bench.candle, "3")

    assert low() == ["CANDLE"]
    with pytest.raises(InvalidQuantity, match="Say how many"):
        replenish(bench, bench.candle)
    (order,) = replenish(bench, ReplenishLine(bench.candle, Decimal(6)))
    assert order.planned == 6


# --- What the figure is made of ---------------------------------------------------------------------------------------


def test_what_is_promised_is_not_available(bench):
    set_point(bench.candle, "1")
    assert low() == []

    make_for_demand(
        demand_kind="order",
        demand_ref="SO-1",
        item=bench.candle,
        quantity=Decimal(2),
        location=bench.finished,
        mode="never",
        actor=None,
    )

    assert (low(), level_of(bench.candle).projection.available) == (["CANDLE"], 1)


def test_what_nobody_promised_is_taken_off(bench):
    set_point(bench.candle, "-5")
    make_for_demand(
        demand_kind="order",
        demand_ref="SO-1",
        item=bench.candle,
        quantity=Decimal(8),
        location=bench.finished,
        mode="never",
        actor=None,
    )

    level = level_of(bench.candle)

    assert (level.projection.available, level.projection.missing, level.projected) == (0, 5, -5)
    assert low() == ["CANDLE"]
    withdraw_demand(demand_kind="order", demand_ref="SO-1", item=bench.candle, actor=None)
    assert low() == []


def test_what_is_made_for_a_demand_counts_neither_here_nor_there(bench):
    make_for_demand(
        demand_kind="order",
        demand_ref="SO-1",
        item=bench.candle,
        quantity=Decimal(30),
        location=bench.finished,
        source_location=bench.shelf,
        mode="shortage",
        actor=None,
    )

    projection = level_of(bench.candle).projection

    assert (projection.available, projection.making, projection.missing) == (0, 0, 0)


def test_an_order_for_nobody_counts_until_it_is_made(bench):
    order = order_for(bench, "10")
    assert level_of(bench.candle).projection.making == 10

    complete(order=order, good="4", into=bench.finished)

    projection = level_of(bench.candle).projection
    assert (projection.available, projection.making) == (7, 6)


def test_what_comes_after_the_lead_time_does_not_count_but_is_told(bench):
    order_for(bench, "10", due_on=in_days(6))
    order_for(bench, "2", due_on=in_days(5))
    order_for(bench, "1", due_on=in_days(-3))

    level = level_of(bench.candle)

    assert (level.projection.making, level.later, level.until) == (3, 10, in_days(5))


def test_purchases_count_until_they_are_received(bench):
    set_point(bench.wick, "150", "1000", 7)
    make_order([(bench.wick, "40", None)], location=bench.shelf, expected_on=in_days(3))
    make_order([(bench.wick, "500", None)], location=bench.shelf, expected_on=in_days(30))

    level = level_of(bench.wick)

    assert (level.projection.buying, level.later, level.projected) == (40, 500, 140)
    assert not level.is_made
    assert low() == ["CANDLE", "WICK"]


def test_what_is_on_the_road_counts_once_from_sending_to_arrival(bench):
    shop = make_location(code="SHOP")
    set_point(bench.candle, "3", "20", 5)
    put_on_hand(bench.candle, bench.finished, "7", value="21.00")

    def send(quantity, days):
        lines = [DispatchLine(bench.candle, Decimal(quantity))]
        sent = dispatch_transfer(
            key=uuid4(), source=bench.finished, target=shop, lines=lines, expected_on=in_days(days), actor=None
        )
        return sent.transfer

    def figures():
        level = level_of(bench.candle)
        return level.projection.available, level.projection.moving, level.later, level.projected

    assert figures() == (10, 0, 0, 10)
    soon, late = send(6, 5), send(4, 6)
    assert figures() == (0, 6, 4, 6)
    assert low() == []
    assert [(one.reference, one.expected_on) for one in level_of(bench.candle).moving] == [(soon.number, in_days(5))]
    receive_transfer(key=uuid4(), transfer=soon, arrivals=[Arrival(soon.lines.get(), Decimal(2))], actor=None)
    assert figures() == (2, 4, 4, 6)
    return_transfer(key=uuid4(), transfer=soon, actor=None)
    return_transfer(key=uuid4(), transfer=late, actor=None)
    assert figures() == (10, 0, 0, 10)


def test_what_goes_to_a_channel_or_is_damaged_on_the_road_does_not_count(bench):
    channel = make_location(code="FBA", kind="channel_owned")
    put_on_hand(bench.candle, bench.finished, "2", value="6.00", status="damaged")
    for target, status in ((channel, "available"), (make_location(code="SHOP"), "damaged")):
        lines = [DispatchLine(bench.candle, Decimal(2), status)]
        dispatch_transfer(key=uuid4(), source=bench.finished, target=target, lines=lines, actor=None)

    level = level_of(bench.candle)

    assert (level.projection.available, level.projection.moving, level.later, level.projected) == (1, 0, 0, 1)


def test_released_orders_take_their_components(bench):
    set_point(bench.wick, "92")
    order = order_for(bench, "10", is_planned=True)
    assert low() == []

    release_work_order(work_order=order, reserves=False, actor=None)
    without = level_of(bench.wick).projection
    assert (without.available, without.components) == (100, 10)
    assert low() == ["WICK"]


def test_a_sub_assembly_for_a_released_order_covers_what_that_order_needs(bench):
    lantern = make_item(sku="LANTERN", kind="product")
    make_bom(item=lantern, lines=[(bench.candle, "1")])
    set_point(bench.candle, "0", "5")
    parent = order_for(bench, "10", item=lantern, is_planned=True)
    order_for(bench, "7", demand_kind="work_order", demand_ref=parent.number)
    assert level_of(bench.candle).projection.making == 0

    release_work_order(work_order=parent, reserves=False, actor=None)

    projection = level_of(bench.candle).projection
    assert (projection.available, projection.making, projection.components, projection.projected) == (3, 7, 10, 0)


def test_what_waits_for_inspection_is_told_and_does_not_count(bench):
    put_on_hand(bench.candle, bench.finished, "6", value="18.00", status="qc_hold")

    level = level_of(bench.candle)

    assert (level.held, level.projected) == (6, 3)


def test_a_channels_own_stock_does_not_count(bench):
    put_on_hand(bench.candle, make_location(code="FBA", kind="channel_owned"), "50", value="150.00")

    assert level_of(bench.candle).projected == 3


def test_inactive_items_are_not_listed(bench):
    bench.candle.is_active = False
    bench.candle.save()

    assert low() == []


def test_items_are_listed_by_sku_and_found_by_name_and_barcode(bench):
    make_item(sku="A-JAR", name="Jar", barcode="4006381333931", reorder_point=Decimal(1))

    assert low() == ["A-JAR", "CANDLE"]
    assert [level.item.sku for level in items_low(text="jar")[0]] == ["A-JAR"]
    assert [level.item.sku for level in items_low(text="4006381333931")[0]] == ["A-JAR"]
    assert items_low(text="nothing") == ([], False)


def test_one_item_costs_as_many_statements_as_twenty(bench, django_assert_num_queries):
    for number in range(19):
        item = make_item(sku=f"P-{number:02}", kind="product", reorder_point=Decimal(5))
        make_bom(item=item, lines=[(bench.wick, "1")])
        order_for(bench, "2", item=item)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        assert len(levels([bench.candle])) == 1
    with CaptureQueriesContext(connection) as many:
        assert len(items_low()[0]) == 20

    assert len(many) <= len(one) + 3  # those who find the candidates
