from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from inventory.models import Reservation
from production.errors import OrderClosed
from production.models import WorkOrder, WorkOrderPeg
from production.operations.releasing import release_work_order
from production.operations.sub_orders import make_sub_orders, missing_sub_assemblies, sub_orders_of
from production.operations.work_orders import cancel_work_order
from tests.factories import make_item, put_on_hand
from tests.production.factories import complete, make_bom
from tests.production.operations.ordering import make_bench, order_for, pinned

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def bench(db):
    return make_bench()


@pytest.fixture
def robot(bench):
    """A robot takes two arms, an arm three joints, a joint one wick; two arms and four joints are in stock."""
    bench.joint, bench.arm, robot = make_item(sku="JOINT"), make_item(sku="ARM"), make_item(sku="ROBOT")
    make_bom(item=bench.joint, lines=[(bench.wick, "1")])
    make_bom(item=bench.arm, lines=[(bench.joint, "3")])
    make_bom(item=robot, lines=[(bench.arm, "2")])
    put_on_hand(bench.arm, bench.shelf, "2", value="10")
    put_on_hand(bench.joint, bench.shelf, "4", value="10")
    return robot


def test_missing_levels_are_planned_and_pegged_to_what_needs_them(bench, robot):
    due = timezone.localdate() + timedelta(days=9)
    order = order_for(bench, "5", item=robot, due_on=due)

    arms, joints = make_sub_orders(work_order=order, actor=None)

    assert (arms.item, arms.planned, arms.state, arms.parent) == (bench.arm, 8, "planned", order)
    assert (joints.item, joints.planned, joints.parent) == (bench.joint, 20, arms)
    pegs = WorkOrderPeg.objects.values_list("work_order", "demand_kind", "demand_ref", "quantity")
    assert sorted(pegs) == [
        (arms.pk, "work_order", order.number, Decimal(8)),
        (joints.pk, "work_order", arms.number, Decimal(20)),
    ]


def test_a_second_call_plans_nothing_more(bench, robot):
    order = order_for(bench, "5", item=robot)
    made = make_sub_orders(work_order=order, actor=None)

    assert make_sub_orders(work_order=order, actor=None) == []
    assert sub_orders_of(order) == [made[0]]
    assert WorkOrder.objects.count() == 3


def test_a_cancelled_one_is_planned_again(bench, robot):
    order = order_for(bench, "5", item=robot)
    arms, _ = make_sub_orders(work_order=order, actor=None)
    cancel_work_order(work_order=arms, actor=None)

    assert [(one.component, one.quantity) for one in missing_sub_assemblies(order)] == [(bench.arm, 8)]


def test_what_is_made_is_reserved_for_the_order_that_needs_it(bench, robot):
    order = order_for(bench, "2", item=robot)
    (arms,) = make_sub_orders(work_order=order, actor=None)[:1]
    release_work_order(work_order=arms, actor=None)
    put_on_hand(bench.joint, bench.shelf, "10", value="10")

    complete(order=arms, good="2")

    assert pinned(order, bench.arm) == 2
    assert Reservation.objects.get(item=bench.arm).demand_ref == order.number


def test_bought_components_are_left_to_buying(bench):
    order = order_for(bench, "20")

    assert make_sub_orders(work_order=order, actor=None) == []


def test_nothing_is_planned_for_a_cancelled_order(bench, robot):
    order = order_for(bench, "5", item=robot)
    cancel_work_order(work_order=order, actor=None)

    with pytest.raises(OrderClosed):
        make_sub_orders(work_order=order, actor=None)

    assert WorkOrder.objects.count() == 1


def test_each_level_is_due_the_day_before_what_needs_it_starts(bench, robot):
    """The robots take 3 days at 2 a day, the arms 4 days of lead time, the joints a day."""
    due = timezone.localdate() + timedelta(days=20)
    robot.boms.update(capacity_per_day=2)
    bench.arm.lead_time_days = 4
    bench.arm.save()

    arms, joints = make_sub_orders(work_order=order_for(bench, "5", item=robot, due_on=due), actor=None)

    assert arms.due_on == due - timedelta(days=3)
    assert joints.due_on == arms.due_on - timedelta(days=4)


def test_the_start_an_order_says_counts_and_without_a_day_nothing_is_due(bench, robot):
    start = timezone.localdate() + timedelta(days=5)
    order = order_for(bench, "5", item=robot, start_on=start, due_on=start + timedelta(days=9))

    arms, joints = make_sub_orders(work_order=order, actor=None)

    assert (arms.due_on, joints.due_on) == (start - timedelta(days=1), start - timedelta(days=2))
    whenever = make_sub_orders(work_order=order_for(bench, "5", item=robot), actor=None)
    assert {one.due_on for one in whenever} == {None}
