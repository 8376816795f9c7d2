from decimal import Decimal

import pytest

from inventory.errors import InvalidQuantity, WrongState
from production.errors import OrderClosed
from production.models import WorkOrder, WorkOrderPeg
from production.operations.releasing import release_work_order
from production.operations.reshaping import (
    apply_newest_bom,
    bom_change,
    merge_work_orders,
    split_into_parts,
    split_work_order,
)
from production.operations.work_orders import close_work_order, reopen_work_order
from tests.factories import on_hand
from tests.production.factories import complete, make_bom
from tests.production.operations.ordering import issue, make_bench, order_for, pinned

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def bench(db):
    return make_bench()


def released(bench, planned="10"):
    order = order_for(bench, planned, is_planned=True)
    release_work_order(work_order=order, actor=None)
    return order


def newer_bom(bench):
    old = bench.candle.boms.get()
    old.state, old.effective_to = "retired", "2020-02-01"
    old.save()
    return make_bom(item=bench.candle, lines=[(bench.wax, "2.5", {"issue_method": "prompt"})])


def test_the_differences_are_shown_before_anything_changes(bench):
    order = released(bench)
    newest = newer_bom(bench)

    change = bom_change(order)

    assert (change.bom_id, change.is_newer) == (newest.pk, True)
    assert [(line.sku, line.before, line.after, list(line.words)) for line in change.lines] == [
        ("WAX", 20, 25, ["issue method backflush → prompt"]),
        ("WICK", 10, None, []),
    ]
    assert order.lines.count() == 2


def test_the_newest_bom_is_frozen_and_reservations_follow(bench):
    order = released(bench)
    newest = newer_bom(bench)

    apply_newest_bom(work_order=order, bom_id=newest.pk, actor=None)

    order.refresh_from_db()
    assert order.bom == newest
    assert (pinned(order, bench.wax), pinned(order, bench.wick)) == (25, 0)
    assert complete(order=order, good="10").completion.lines.get().expected == 25


def test_a_version_that_nobody_looked_at_is_refused(bench):
    order = released(bench)
    looked_at = order.bom_id
    newer_bom(bench)

    with pytest.raises(WrongState, match="came into force meanwhile"):
        apply_newest_bom(work_order=order, bom_id=looked_at, actor=None)

    order.refresh_from_db()
    assert order.bom_id == looked_at


def test_what_was_made_keeps_its_bom(bench):
    order = released(bench)
    complete(order=order, good="4")
    newest = newer_bom(bench)

    with pytest.raises(WrongState, match="Split off the rest"):
        apply_newest_bom(work_order=order, bom_id=newest.pk, actor=None)

    assert order.lines.get(component=bench.wax).rate_numerator == 2


def test_a_part_of_the_rest_becomes_an_order_with_the_same_frozen_bom(bench):
    order = released(bench)
    complete(order=order, good="3")
    newer_bom(bench)

    new = split_work_order(work_order=order, quantity=Decimal(5), actor=None)

    order.refresh_from_db()
    assert (order.planned, new.planned, new.split_from, new.bom) == (5, 5, order, order.bom)
    assert (pinned(order, bench.wax), pinned(new, bench.wax)) == (4, 10)
    assert complete(order=new, good="5").completion.consumed_value is not None
    assert new.lines.get(component=bench.wax).used == 10


def test_demands_go_with_what_is_made_for_them(bench):
    order = order_for(bench, "10", is_planned=True)
    for reference, quantity in (("A", 4), ("B", 6)):
        WorkOrderPeg.objects.create(
            work_order=order, demand_kind="order", demand_ref=reference, quantity=Decimal(quantity)
        )

    new = split_work_order(work_order=order, quantity=Decimal(3), actor=None)

    assert list(order.pegs.values_list("demand_ref", "quantity")) == [("A", 4), ("B", 3)]
    assert list(new.pegs.values_list("demand_ref", "quantity")) == [("B", 3)]
    assert (new.demand_kind, new.demand_ref) == ("order", "B")


@pytest.mark.parametrize("quantity", ["10", "11"])
def test_less_than_the_rest_is_split_off(bench, quantity):
    order = released(bench)

    with pytest.raises(InvalidQuantity, match="10 pcs left"):
        split_work_order(work_order=order, quantity=Decimal(quantity), actor=None)

    assert pinned(order, bench.wax) == 20


def test_merged_orders_are_one_with_all_demands_and_reservations(bench):
    target, other = released(bench, "5"), released(bench, "4")
    WorkOrderPeg.objects.create(work_order=other, demand_kind="order", demand_ref="B", quantity=Decimal(4))

    merge_work_orders(target=target, others=[other], actor=None)

    target.refresh_from_db()
    other.refresh_from_db()
    assert (target.planned, other.state, other.merged_into) == (9, "cancelled", target)
    assert (pinned(target, bench.wax), pinned(other, bench.wax)) == (18, 0)
    assert list(target.pegs.values_list("demand_ref", "quantity")) == [("B", 4)]
    with pytest.raises(WrongState, match=f"merged into {target.number}"):
        reopen_work_order(work_order=other, actor=None)


def test_unlike_orders_are_not_merged(bench):
    target, made, planned, issued = (
        released(bench, "2"),
        released(bench, "2"),
        order_for(bench, "2", is_planned=True),
        None,
    )
    complete(order=made, good="1")
    issued = released(bench, "2")
    issue(bench, issued, (bench.wax, "1"))
    newer_bom(bench)
    by_new_bom = order_for(bench, "2")
    cases = {made: "has completions", planned: "is planned", issued: "issued to", by_new_bom: "another frozen BOM"}

    for other, words in cases.items():
        with pytest.raises(WrongState, match=words):
            merge_work_orders(target=target, others=[other], actor=None)

    target.refresh_from_db()
    assert (target.planned, pinned(target, bench.wax)) == (2, 4)


def test_ended_orders_are_left_alone(bench):
    order = released(bench)
    close_work_order(work_order=order, actor=None)

    with pytest.raises(OrderClosed):
        split_work_order(work_order=order, quantity=Decimal(1), actor=None)
    with pytest.raises(OrderClosed):
        merge_work_orders(target=order, others=[released(bench)], actor=None)


@pytest.mark.parametrize(
    ("planned", "made", "parts", "sizes"),
    [("10", "0", 3, [3, 3, 4]), ("10", "3", 2, [6, 4]), ("12", "0", 4, [3, 3, 3, 3]), ("5", "0", 5, [1] * 5)],
)
def test_the_rest_is_parted_evenly_and_the_last_part_takes_what_is_left(bench, planned, made, parts, sizes):
    order = released(bench, planned)
    if made != "0":
        complete(order=order, good=made)
    newer_bom(bench)

    found = split_into_parts(work_order=order, parts=parts, actor=None)

    for one in found:
        one.refresh_from_db()
    assert found[0] == order
    assert [one.planned for one in found] == sizes
    assert [one.split_from for one in found[1:]] == [order] * (parts - 1)
    assert {(one.bom_id, one.state) for one in found} == {(order.bom_id, "open")}
    assert [pinned(one, bench.wax) for one in found] == [2 * one.remaining for one in found]
    for one in found:
        complete(order=one, good=str(one.remaining))
    assert on_hand(bench.candle) == Decimal(planned)


def test_the_oldest_demands_stay_with_the_first_part(bench):
    order = order_for(bench, "10", is_planned=True)
    for reference, quantity in (("A", 4), ("B", 6)):
        WorkOrderPeg.objects.create(
            work_order=order, demand_kind="order", demand_ref=reference, quantity=Decimal(quantity)
        )

    parts = split_into_parts(work_order=order, parts=3, actor=None)

    assert [list(one.pegs.order_by("id").values_list("demand_ref", "quantity")) for one in parts] == [
        [("A", 3)],
        [("A", 1), ("B", 2)],
        [("B", 4)],
    ]


@pytest.mark.parametrize(
    ("parts", "message"), [(1, "2 to 50 parts"), (51, "2 to 50 parts"), (11, "too few for 11 parts")]
)
def test_parts_of_nothing_are_refused(bench, parts, message):
    order = released(bench)

    with pytest.raises(InvalidQuantity, match=message):
        split_into_parts(work_order=order, parts=parts, actor=None)

    order.refresh_from_db()
    assert (order.planned, WorkOrder.objects.count(), pinned(order, bench.wax)) == (10, 1, 20)


def test_a_finished_order_is_not_parted(bench):
    order = released(bench, "4")
    close_work_order(work_order=order, actor=None)

    with pytest.raises(OrderClosed):
        split_into_parts(work_order=order, parts=2, actor=None)

    assert WorkOrder.objects.count() == 1
