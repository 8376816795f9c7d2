from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from inventory.errors import InvalidQuantityStep, WrongState
from inventory.models import Reservation
from production.errors import InvalidBom
from production.models import Demand, WorkOrder
from production.operations.demands import make_for_demand, withdraw_demand
from production.operations.releasing import release_work_order
from tests.factories import put_on_hand
from tests.production.factories import complete
from tests.production.operations.ordering import make_bench

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def bench(db):
    """30 kg of wax and 100 wicks; a candle takes 2 kg and 1 wick; 3 candles are finished."""
    bench = make_bench()
    put_on_hand(bench.candle, bench.finished, "3", value="9.00")
    return bench


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


def reserved_for(reference, item):
    return sum(row.quantity for row in Reservation.objects.filter(demand_ref=reference, item=item))


def test_stock_is_reserved_and_the_rest_is_planned(bench):
    result = ask(bench)

    (peg,) = result.pegs
    assert (result.reserved, peg.quantity, result.missing) == (3, 7, 0)
    assert (peg.work_order.planned, peg.work_order.state) == (7, "planned")
    assert reserved_for("SO-1", bench.candle) == 3


def test_asking_again_changes_nothing(bench):
    ask(bench)

    again = ask(bench)

    assert again.replayed
    assert (WorkOrder.objects.get().planned, Demand.objects.count(), reserved_for("SO-1", bench.candle)) == (7, 1, 3)


def test_always_makes_all_of_it(bench):
    result = ask(bench, mode="always")

    assert (result.reserved, result.pegs[0].quantity) == (0, 10)
    assert reserved_for("SO-1", bench.candle) == 0


def test_never_only_reserves(bench):
    result = ask(bench, mode="never")

    assert (result.reserved, result.missing, list(result.pegs)) == (3, 7, [])
    assert WorkOrder.objects.count() == 0


def test_up_to_the_reorder_point_more_is_made(bench):
    bench.candle.reorder_point, bench.candle.reorder_quantity = Decimal(5), Decimal(20)
    bench.candle.save()

    result = ask(bench, mode="")

    order = WorkOrder.objects.get()
    assert result.demand.mode == "reorder"
    assert order.planned == 27
    assert sorted(order.pegs.values_list("demand_kind", "quantity")) == [("order", 7), ("replenishment", 20)]


def test_above_the_reorder_point_nothing_is_made(bench):
    bench.candle.reorder_point = Decimal(1)
    bench.candle.save()

    result = ask(bench, "1", mode="")

    assert (result.reserved, WorkOrder.objects.count()) == (1, 0)


def test_demands_of_the_window_join_one_batch(bench):
    today = timezone.localdate()
    ask(bench, needed_on=today + timedelta(days=9))

    ask(bench, "5", reference="SO-2", needed_on=today + timedelta(days=4))

    order = WorkOrder.objects.get()
    assert (order.planned, order.due_on) == (12, today + timedelta(days=4))
    assert list(order.pegs.values_list("demand_ref", "quantity")) == [("SO-1", 7), ("SO-2", 5)]


@pytest.mark.parametrize("why", ["window", "released", "older"])
def test_a_demand_gets_an_order_of_its_own(bench, why):
    first = ask(bench).pegs[0].work_order
    if why == "released":
        release_work_order(work_order=first, actor=None)
    if why == "older":
        WorkOrder.objects.update(created_at=timezone.now() - timedelta(hours=5))

    ask(bench, "5", reference="SO-2", window_hours=0 if why == "window" else 4)

    assert sorted(WorkOrder.objects.values_list("planned", flat=True)) == [5, 7]


def test_the_batch_serves_its_demands_in_turn(bench):
    ask(bench)
    order = ask(bench, "5", reference="SO-2").pegs[0].work_order
    release_work_order(work_order=order, actor=None)

    complete(order=order, good="9")
    assert (reserved_for("SO-1", bench.candle), reserved_for("SO-2", bench.candle)) == (10, 2)

    complete(order=order, good="3")
    assert (reserved_for("SO-1", bench.candle), reserved_for("SO-2", bench.candle)) == (10, 5)


def test_more_is_met_by_more_and_less_cuts_what_is_planned(bench):
    ask(bench)

    more = ask(bench, "12")
    less = ask(bench, "4")

    assert (more.pegs[0].quantity, more.reserved) == (9, 3)
    assert (less.pegs[0].quantity, less.reserved, WorkOrder.objects.get().planned) == (1, 3, 1)


def test_a_released_order_is_never_cut(bench):
    order = ask(bench).pegs[0].work_order
    release_work_order(work_order=order, actor=None)

    less = ask(bench, "6")
    more = ask(bench, "8")

    order.refresh_from_db()
    assert order.planned == 7
    assert (less.surplus, less.reserved) == (1, 0)
    assert (more.missing, more.surplus) == (0, 0)


def test_withdrawing_frees_stock_and_cancels_what_is_only_planned(bench):
    ask(bench)

    result = withdraw_demand(demand_kind="order", demand_ref="SO-1", item=bench.candle, actor=None)

    assert (result.demand.quantity, reserved_for("SO-1", bench.candle)) == (0, 0)
    assert WorkOrder.objects.get().state == "cancelled"
    assert withdraw_demand(demand_kind="order", demand_ref="SO-1", item=bench.candle, actor=None).replayed


def test_an_impossible_demand_leaves_nothing_behind(bench):
    with pytest.raises(InvalidQuantityStep):
        ask(bench, "1.5")
    with pytest.raises(InvalidBom):
        ask(bench, "500", item=bench.wick)
    with pytest.raises(WrongState):
        ask(bench, reference=" ")

    assert (Demand.objects.count(), WorkOrder.objects.count(), Reservation.objects.count()) == (0, 0, 0)
