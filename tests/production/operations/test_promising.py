"""Who gets what of an order's output: the demands it is made for, in turn, each with what it still wants."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import Reservation
from inventory.operations.pinning import unpin_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.shipping import ShipmentLine, ship_stock
from inventory.reads.availability import availability
from production.models import WorkOrder
from production.operations.completing import OutputLot
from production.operations.demands import make_for_demand, withdraw_demand
from production.operations.releasing import release_work_order
from production.operations.reshaping import merge_work_orders, split_work_order
from production.operations.reversal_preview import preview_reversal
from production.operations.reversing import reverse_completion
from production.operations.sub_orders import make_sub_orders, missing_sub_assemblies
from production.operations.work_orders import cancel_work_order, change_planned, close_work_order
from tests.factories import make_item, put_on_hand
from tests.production.factories import complete, make_bom
from tests.production.operations.ordering import make_bench, order_for, pinned

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def bench(db):
    return make_bench()


def ask(bench, quantity="10", reference="SO-1", **fields):
    return make_for_demand(
        demand_kind="order",
        demand_ref=reference,
        item=fields.pop("item", bench.candle),
        quantity=Decimal(quantity),
        location=bench.finished,
        source_location=bench.shelf,
        actor=None,
        **{"mode": "shortage", **fields},
    )


def released(bench, result):
    (peg,) = result.pegs
    release_work_order(work_order=peg.work_order, actor=None)
    return WorkOrder.objects.get(pk=peg.work_order_id)


def promised(reference, item):
    return sum(row.quantity for row in Reservation.objects.filter(demand_ref=reference, item=item))


def ship(bench, quantity, reference="SO-1"):
    line = ShipmentLine(bench.candle, bench.finished, Decimal(quantity))
    return ship_stock(key=uuid4(), lines=[line], demand=("order", reference), actor=None)


def free(item):
    return availability(items=[item.pk])[item.pk].available


# What is made beyond all demands


def test_what_is_made_up_to_the_reorder_point_is_free(bench):
    bench.candle.reorder_point, bench.candle.reorder_quantity = Decimal(5), Decimal(20)
    bench.candle.save()
    put_on_hand(bench.candle, bench.finished, "3", value="9.00")
    put_on_hand(bench.wax, bench.shelf, "60", lot="MORE", value="300.00")
    order = released(bench, ask(bench, mode=""))

    complete(order=order, good="27")

    assert (promised("SO-1", bench.candle), free(bench.candle)) == (10, 20)
    assert not Reservation.objects.filter(demand_kind="replenishment").exists()
    assert ask(bench, "4", reference="SO-2", mode="").reserved == 4
    assert WorkOrder.objects.count() == 1


def test_a_demand_that_joins_later_comes_before_what_nobody_asked_for(bench):
    bench.candle.reorder_point, bench.candle.reorder_quantity = Decimal(1), Decimal(5)
    bench.candle.save()
    ask(bench, "2", mode="")
    ask(bench, "3", reference="SO-2", mode="")
    order = WorkOrder.objects.get()
    release_work_order(work_order=order, actor=None)

    complete(order=order, good="6")

    assert (promised("SO-1", bench.candle), promised("SO-2", bench.candle), free(bench.candle)) == (2, 3, 1)


# Demands that ended, or want less


def test_nothing_is_promised_to_a_demand_that_was_withdrawn(bench):
    put_on_hand(bench.candle, bench.finished, "3", value="9.00")
    order = released(bench, ask(bench))
    withdraw_demand(demand_kind="order", demand_ref="SO-1", item=bench.candle, actor=None)

    complete(order=order, good="7")

    assert (promised("SO-1", bench.candle), free(bench.candle)) == (0, 10)


def test_a_demand_that_was_lowered_gets_what_it_asks_for_now(bench):
    put_on_hand(bench.candle, bench.finished, "3", value="9.00")
    order = released(bench, ask(bench))
    ask(bench, "6")

    complete(order=order, good="7")

    assert (promised("SO-1", bench.candle), free(bench.candle)) == (6, 4)


def test_what_was_shipped_already_is_not_promised_again(bench):
    put_on_hand(bench.candle, bench.finished, "3", value="9.00")
    order = released(bench, ask(bench, "5"))
    shipment = ship(bench, "3").posting
    ask(bench, "4")

    complete(order=order, good="2")

    assert promised("SO-1", bench.candle) == 1
    reverse_posting(key=uuid4(), posting=shipment, actor=None)
    assert ask(bench, "4").reserved == 4


@pytest.fixture
def robot(bench):
    """A robot takes two arms, an arm one wick."""
    bench.arm, robot = make_item(sku="ARM"), make_item(sku="ROBOT")
    make_bom(item=bench.arm, lines=[(bench.wick, "1")])
    make_bom(item=robot, lines=[(bench.arm, "2")])
    return robot


def made_for(bench, order):
    """Its sub-order for arms, released."""
    (arms,) = make_sub_orders(work_order=order, actor=None)
    release_work_order(work_order=arms, actor=None)
    return WorkOrder.objects.get(pk=arms.pk)


@pytest.mark.parametrize("end", [close_work_order, cancel_work_order])
def test_nothing_is_promised_to_an_order_that_ended(bench, robot, end):
    order = order_for(bench, "5", item=robot)
    arms = made_for(bench, order)
    complete(order=arms, good="2")
    assert pinned(order, bench.arm) == 2
    end(work_order=order, actor=None)

    complete(order=arms, good="8")

    assert (pinned(order, bench.arm), free(bench.arm)) == (0, 10)


def test_an_order_gets_no_more_than_it_still_needs(bench, robot):
    order = order_for(bench, "5", item=robot)
    arms = made_for(bench, order)
    change_planned(work_order=order, planned=Decimal(3), actor=None)

    complete(order=arms, good="10")

    assert (pinned(order, bench.arm), free(bench.arm)) == (6, 4)


def test_sub_orders_of_a_merged_order_make_for_the_one_it_went_into(bench, robot):
    target, other = order_for(bench, "5", item=robot), order_for(bench, "2", item=robot)
    first, second = made_for(bench, target), made_for(bench, other)
    complete(order=second, good="1")

    merge_work_orders(target=target, others=[other], actor=None)

    assert missing_sub_assemblies(target) == []
    second.refresh_from_db()
    assert (second.demand_ref, second.parent) == (target.number, target)
    complete(order=second, good="3")
    complete(order=first, good="10")
    assert (pinned(target, bench.arm), pinned(other, bench.arm)) == (14, 0)


def test_sub_orders_of_a_split_order_make_for_both_parts(bench, robot):
    order = order_for(bench, "5", item=robot)
    arms = made_for(bench, order)

    new = split_work_order(work_order=order, quantity=Decimal(2), actor=None)

    order.refresh_from_db()
    assert (missing_sub_assemblies(order), missing_sub_assemblies(new)) == ([], [])
    complete(order=arms, good="10")
    assert (pinned(order, bench.arm), pinned(new, bench.arm)) == (6, 4)


# What is missing


def test_scrapped_units_are_missing_and_asking_again_makes_them(bench):
    order = released(bench, ask(bench))
    complete(order=order, good="8", scrapped="2", scrap_reason="bent")

    again = ask(bench)

    assert not again.replayed
    assert (again.reserved, [peg.quantity for peg in again.pegs], again.missing) == (8, [10, 2], 0)
    assert ask(bench).replayed


def test_a_lower_plan_leaves_the_youngest_demand_without(bench):
    ask(bench, "6")
    order = ask(bench, "4", reference="SO-2").pegs[0].work_order
    change_planned(work_order=order, planned=Decimal(7), actor=None)

    first, second = ask(bench, "6", window_hours=0), ask(bench, "4", reference="SO-2", mode="never")

    assert (first.replayed, first.missing) == (True, 0)
    assert second.missing == 3


def test_an_order_closed_short_leaves_missing_what_it_did_not_make(bench):
    ask(bench, "5")
    order = released(bench, ask(bench, "5", reference="SO-2"))
    complete(order=order, good="5")
    close_work_order(work_order=order, actor=None)

    first, second = ask(bench, "5"), ask(bench, "5", reference="SO-2", mode="never")

    assert (first.reserved, first.missing) == (5, 0)
    assert (second.reserved, second.missing) == (0, 5)


def test_asking_again_replaces_a_cancelled_order(bench):
    order = ask(bench).pegs[0].work_order
    cancel_work_order(work_order=order, actor=None)

    again = ask(bench)

    assert (again.replayed, again.missing) == (False, 0)
    assert WorkOrder.objects.get(state="planned").planned == 10


def test_another_day_alone_goes_on_to_the_planned_order(bench):
    today = timezone.localdate()
    ask(bench, needed_on=today + timedelta(days=9))
    ask(bench, "5", reference="SO-2", needed_on=today + timedelta(days=12))

    again = ask(bench, needed_on=today + timedelta(days=15))

    order = WorkOrder.objects.get()
    assert not again.replayed
    assert (order.planned, order.due_on) == (15, today + timedelta(days=12))


def test_a_reservation_that_was_let_go_is_missing_again(bench):
    order = released(bench, ask(bench))
    complete(order=order, good="10")
    unpin_stock(demand_kind="order", demand_ref="SO-1", reason="given away", actor=None)
    ship(bench, "10", reference="SO-9")

    assert ask(bench).pegs[-1].work_order.state == "planned"
    assert WorkOrder.objects.filter(state="planned").get().planned == 10


# Asking for less


def test_asking_for_less_keeps_what_was_made_for_it(bench):
    put_on_hand(bench.candle, bench.finished, "4", value="12.00")
    order = released(bench, ask(bench))
    complete(order=order, good="6")

    less = ask(bench, "8")

    assert (less.reserved, promised("SO-1", bench.candle), less.missing, less.surplus) == (8, 8, 0, 0)


# Batches


def test_a_demand_that_joins_an_order_by_hand_leaves_its_own_demand_alone(bench):
    order = order_for(bench, "8", is_planned=True, demand_kind="order", demand_ref="A")
    ask(bench, "3", reference="B")
    release_work_order(work_order=order, actor=None)

    complete(order=order, good="11")

    assert (promised("A", bench.candle), promised("B", bench.candle)) == (8, 3)


def test_a_completion_taken_back_in_the_middle_is_made_again_for_the_same_demand(bench):
    bench.candle.tracking = "lot"
    bench.candle.save()
    put_on_hand(bench.wax, bench.shelf, "30", lot="MORE", value="150.00")
    ask(bench, "10", reference="D1")
    order = released(bench, ask(bench, "10", reference="D2"))
    first = complete(order=order, good="10", output_lots=[OutputLot("L1", Decimal(10))]).completion
    complete(order=order, good="10", output_lots=[OutputLot("L2", Decimal(10))])
    reverse_completion(key=uuid4(), completion=first, actor=None)
    order.refresh_from_db()

    complete(order=order, good="10", output_lots=[OutputLot("L3", Decimal(10))])

    assert (promised("D1", bench.candle), promised("D2", bench.candle)) == (10, 10)


def test_the_undo_page_counts_what_is_promised_to_every_demand_of_a_batch(bench):
    ask(bench, "5", reference="A")
    order = released(bench, ask(bench, "5", reference="B"))
    completion = complete(order=order, good="10").completion
    ship(bench, "1", reference="A")

    plan = preview_reversal(completion=completion, actor=None, good=Decimal(9))

    assert (plan.problem, plan.returnable) == (None, 9)


def test_promises_cost_the_same_statements_for_any_number_of_lots_and_demands(bench):
    bench.candle.tracking = "lot"
    bench.candle.save()
    put_on_hand(bench.wax, bench.shelf, "100", lot="MORE", value="500.00")

    def statements(number, *, lots, demands):
        order = None
        for demand in range(demands):
            order = ask(bench, str(12 // demands), reference=f"{number}-{demand}").pegs[0].work_order
        release_work_order(work_order=order, actor=None)
        outputs = [OutputLot(f"{number}-L{lot}", Decimal(12) / lots) for lot in range(lots)]
        with CaptureQueriesContext(
            connection,
        ) as posted:
            done = complete(order=order, good="12", output_lots=outputs).completion
        with CaptureQueriesContext(connection) as undone:
            reverse_completion(key=uuid4(), completion=done, actor=None)
        cancel_work_order(work_order=order, actor=None)
        return len(posted), len(undone)

    one_lot, many_lots = statements("X", lots=2, demands=1), statements("Y", lots=12, demands=4)

    assert many_lots == one_lot
