from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from inventory.errors import InsufficientStock, WrongState
from inventory.models import Reservation
from production.errors import InvalidBom, OrderClosed
from production.models import WorkOrder
from production.operations.releasing import release_work_order, reserve_components
from production.operations.work_orders import (
    cancel_work_order,
    change_planned,
    close_work_order,
    reopen_work_order,
    reschedule_work_order,
)
from production.reads.open_orders import open_needs
from production.reads.order_needs import needs_of_order
from tests.factories import make_item, put_on_hand
from tests.production.factories import complete, make_bom
from tests.production.operations.ordering import issue, make_bench, order_for, pinned

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def bench(db):
    return make_bench()


def release(order, **fields):
    return release_work_order(work_order=order, actor=None, **fields)


def test_a_planned_order_takes_no_completion(bench):
    order = order_for(bench, is_planned=True)

    with pytest.raises(OrderClosed, match="Release"):
        complete(order=order, good="1")


def test_releasing_pins_the_components_earliest_expiry_first(bench):
    order = order_for(bench, is_planned=True)

    result = release(order)

    assert result.order.state == "open"
    assert result.order.released_at is not None
    assert result.missing == []
    pins = {row.lot.code: row.quantity for row in Reservation.objects.filter(item=bench.wax)}
    assert pins == {"NEW": Decimal(10), "OLD": Decimal(10)}
    assert pinned(order, bench.wick) == 10


def test_releasing_reserves_what_is_there_and_tells_what_is_missing(bench):
    order = order_for(bench, "20", is_planned=True)

    result = release(order)

    assert [(m.component, m.quantity) for m in result.missing] == [(bench.wax, Decimal(10))]
    assert pinned(order, bench.wax) == 30


def test_everything_or_nothing_when_asked_for(bench):
    order = order_for(bench, "20", is_planned=True)

    with pytest.raises(InsufficientStock) as refusal:
        release(order, needs_everything=True)

    assert refusal.value.context["short"] == [{"item": "WAX", "short": "10", "unit": "kg"}]
    order.refresh_from_db()
    assert (order.state, order.released_at) == ("planned", None)
    assert not Reservation.objects.exists()


def test_an_order_is_released_once(bench):
    order = order_for(bench, is_planned=True)
    release(order)

    with pytest.raises(WrongState, match="only a planned order"):
        release(order)

    assert pinned(order, bench.wax) == 20


def test_the_bom_in_force_at_release_is_frozen(bench):
    order = order_for(bench, is_planned=True)
    old = order.bom
    old.state = "retired"
    old.effective_to = "2020-02-01"
    old.save()
    newest = make_bom(item=bench.candle, lines=[(bench.wax, "3")])

    result = release(order)

    assert result.has_new_bom
    assert result.order.bom == newest
    assert [(line.component, line.rate_numerator) for line in order.lines.all()] == [(bench.wax, Decimal(3))]
    assert pinned(order, bench.wick) == 0


def test_the_version_it_was_planned_by_may_be_kept(bench):
    order = order_for(bench, is_planned=True)
    old = order.bom
    old.state = "retired"
    old.effective_to = "2020-02-01"
    old.save()
    make_bom(item=bench.candle, lines=[(bench.wax, "3")])

    result = release(order, keeps_bom=True)

    assert (result.has_new_bom, result.order.bom) == (False, old)
    assert pinned(order, bench.wax) == 20


def test_of_two_orders_the_first_has_the_stock(bench):
    first, second = order_for(bench, is_planned=True), order_for(bench, is_planned=True)
    release(first)

    result = release(second)

    assert [(m.component, m.quantity) for m in result.missing] == [(bench.wax, Decimal(10))]
    assert complete(order=first, good="10").completion.consumed_value == Decimal("107.67")


def test_reserving_again_takes_only_what_is_still_missing(bench):
    order = order_for(bench, "20", is_planned=True)
    release(order)
    put_on_hand(bench.wax, bench.shelf, "50", lot="MORE")

    assert reserve_components(work_order=order, actor=None) == []
    assert reserve_components(work_order=order, actor=None) == []
    assert pinned(order, bench.wax) == 40


def test_finishing_an_order_frees_what_it_did_not_use(bench):
    order = order_for(bench, is_planned=True)
    release(order)

    complete(order=order, good="10", actuals=[(bench.wax, "15", "lighter candles"), (bench.wick, "10")])

    assert pinned(order, bench.wax) == 0
    bench.wax.refresh_from_db()
    assert sum(cell.reserved for cell in bench.wax.balances.all()) == 0


def test_lowering_the_plan_frees_the_surplus(bench):
    order = order_for(bench, is_planned=True)
    release(order)

    change_planned(work_order=order, planned=Decimal(4), actor=None)

    assert (pinned(order, bench.wax), pinned(order, bench.wick)) == (8, 4)


def test_a_planned_order_stays_planned_when_its_plan_changes(bench):
    order = order_for(bench, is_planned=True)

    assert change_planned(work_order=order, planned=Decimal(4), actor=None).state == "planned"


def test_cancelling_frees_everything_and_reopening_goes_back_to_where_it_was(bench):
    released, planned = order_for(bench, is_planned=True), order_for(bench, is_planned=True)
    release(released)

    cancel_work_order(work_order=released, actor=None)
    cancel_work_order(work_order=planned, actor=None)

    assert pinned(released, bench.wax) == 0
    assert reopen_work_order(work_order=released, actor=None).state == "open"
    assert reopen_work_order(work_order=planned, actor=None).state == "planned"


def test_an_order_with_something_made_is_closed_and_not_cancelled(bench):
    order = order_for(bench)
    complete(order=order, good="1")

    with pytest.raises(WrongState, match="Close it short"):
        cancel_work_order(work_order=order, actor=None)

    order.refresh_from_db()
    assert order.state == "open"


def test_a_finished_order_can_be_closed_and_is_complete_when_it_is_opened_again(bench):
    order = order_for(bench, "1")
    complete(order=order, good="1")

    closed = close_work_order(work_order=order, actor=None)

    assert (closed.state, closed.remaining) == ("closed", 0)
    assert reopen_work_order(work_order=order, actor=None).state == "done"
    with pytest.raises(WrongState, match="all of it is done"):
        reopen_work_order(work_order=order, actor=None)


def test_a_planned_order_is_cancelled_and_not_closed(bench):
    order = order_for(bench, is_planned=True)

    with pytest.raises(WrongState, match="Cancel it instead"):
        close_work_order(work_order=order, actor=None)


@pytest.mark.parametrize("end", [close_work_order, cancel_work_order])
def test_an_order_is_not_ended_while_components_stand_on_its_floor(bench, end):
    order = order_for(bench)
    issue(bench, order, (bench.wax, "3"))

    with pytest.raises(WrongState, match="3 kg of WAX issued"):
        end(work_order=order, actor=None)

    order.refresh_from_db()
    assert (order.state, pinned(order, bench.wax)) == ("open", 3)


def test_dates_and_rank_change_and_stay_in_order(bench):
    order = order_for(bench)

    changed = reschedule_work_order(work_order=order, start_on=None, due_on=None, rank=-10, actor=None)
    assert changed.rank == -10
    with pytest.raises(WrongState, match="Change one of the dates"):
        reschedule_work_order(
            work_order=order,
            start_on=order.created_at.date(),
            due_on=order.created_at.date().replace(year=2020),
            actor=None,
        )


@pytest.fixture
def with_kit(bench):
    """A lamp of one kit, a phantom of two wicks, and a new version of the kit of three that can be put in force."""
    kit, lamp = make_item(sku="KIT", kind="phantom"), make_item(sku="LAMP", kind="product")
    old = make_bom(item=kit, lines=[(bench.wick, "2")])
    make_bom(item=lamp, lines=[(kit, "1")])

    def put_in_force():
        old.state, old.effective_to = "retired", "2020-02-01"
        old.save()
        make_bom(
            item=kit,
            lines=[(bench.wick, "3")],
            operations=[{"kind": "labour", "minutes": Decimal(1), "rate_per_hour": Decimal(60)}],
        )

    return lamp, put_in_force


def test_release_freezes_the_phantoms_in_force_that_day(bench, with_kit):
    lamp, put_in_force = with_kit
    order = order_for(bench, item=lamp, is_planned=True)
    kept = order_for(bench, item=lamp, is_planned=True)
    put_in_force()
    yesterday = timezone.localdate() - timedelta(days=1)
    WorkOrder.objects.update(frozen_on=yesterday, created_at=timezone.now() - timedelta(days=1))

    result = release(order)
    keeping = release(kept, keeps_bom=True)

    assert (result.has_new_bom, order.lines.get().rate_numerator, result.order.frozen_on) == (
        True,
        3,
        timezone.localdate(),
    )
    assert (keeping.has_new_bom, kept.lines.get().rate_numerator, keeping.order.frozen_on) == (False, 2, yesterday)
    assert (pinned(order, bench.wick), pinned(kept, bench.wick)) == (30, 20)
    assert complete(order=order, good="10").completion.operation_value == 10


def test_the_set_up_of_a_phantom_is_frozen_exactly(bench):
    part, lamp = make_item(sku="PART", kind="phantom"), make_item(sku="LAMP", kind="product")
    make_bom(item=part, makes="3", lines=[(bench.wick, "1")])
    make_bom(item=lamp, lines=[(part, "1", {"setup_quantity": Decimal(2)})])
    order = order_for(bench, "1", item=lamp)

    assert [need.need for need in needs_of_order(order)] == [1]
    assert open_needs(items=[bench.wick.pk]) == {bench.wick.pk: 1}
    complete(order=order, good="1")

    assert order.lines.get().booked == 1


def test_a_rate_that_is_too_long_to_be_kept_is_refused(bench):
    below = bench.wick
    for _ in range(10):
        phantom = make_item(kind="phantom")
        make_bom(item=phantom, makes="9999999.999997", lines=[(below, "1.000003", {"scrap_percent": Decimal("3.7")})])
        below = phantom
    lamp = make_item(sku="LAMP", kind="product")
    make_bom(item=lamp, lines=[(below, "1")])

    with pytest.raises(InvalidBom, match="more than 60 digits"):
        order_for(bench, item=lamp)

    assert not WorkOrder.objects.exists()
