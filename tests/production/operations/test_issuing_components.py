from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import IdempotencyMismatch, InsufficientStock, ReservedByOther, WrongState
from inventory.models import Posting, Reservation
from production.errors import ConsumptionVariance, InvalidSubstitute, OrderClosed
from production.models import Bom, Completion
from production.operations.issuing_components import IssueLine, issue_components
from production.operations.releasing import release_work_order
from production.operations.reversing import reverse_completion
from production.operations.work_orders import close_work_order
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom
from tests.production.operations.ordering import give_back, issue, make_bench, order_for, pinned

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def bench(db):
    return make_bench()


def test_issued_components_stand_on_the_floor_pinned_for_the_order(bench):
    order = order_for(bench)

    issue(bench, order, (bench.wax, "12"), (bench.wick, "10"))

    assert on_hand(bench.wax, location=bench.floor, lot="NEW") == 10
    assert on_hand(bench.wax, location=bench.floor, lot="OLD") == 2
    assert pinned(order, bench.wax, bench.floor) == 12
    order.refresh_from_db()
    assert order.floor_location == bench.floor


def test_a_completion_uses_what_was_issued_and_takes_nothing_twice(bench):
    order = order_for(bench)
    issue(bench, order, (bench.wax, "20"))

    complete(order=order, good="10")

    assert on_hand(bench.wax, location=bench.floor) == 0
    assert on_hand(bench.wax, location=bench.shelf) == 10
    assert on_hand(bench.wick, location=bench.shelf) == 90
    line = order.lines.get(component=bench.wax)
    assert (line.booked, line.used) == (20, 20)


def test_a_partial_completion_takes_from_the_floor_first_although_older_stock_is_reserved(bench):
    order = order_for(bench, is_planned=True)
    release_work_order(work_order=order, actor=None)
    issue_components(
        key=uuid4(),
        work_order=order,
        lines=[IssueLine(bench.wax, Decimal(5), lots=[(lot_of(bench.wax, "OLD"), Decimal(5))])],
        floor=bench.floor,
        actor=None,
    )

    complete(order=order, good="3")

    assert on_hand(bench.wax, location=bench.floor) == 0
    assert on_hand(bench.wax, lot="NEW") == 9
    assert pinned(order, bench.wax) == 14


def test_what_is_issued_beyond_the_order_stays_on_the_floor_and_goes_back(bench):
    order = order_for(bench, "5")
    issue(bench, order, (bench.wax, "12"))
    complete(order=order, good="5")
    assert pinned(order, bench.wax, bench.floor) == 2

    give_back(bench, order, (bench.wax, "2"))

    assert pinned(order, bench.wax) == 0
    assert on_hand(bench.wax, location=bench.shelf) == 20


def test_issuing_uses_the_reservation_of_the_order(bench):
    order = order_for(bench, is_planned=True)
    release_work_order(work_order=order, actor=None)

    issue(bench, order, (bench.wax, "20"))

    assert (pinned(order, bench.wax, bench.shelf), pinned(order, bench.wax, bench.floor)) == (0, 20)


def test_another_order_cannot_take_what_was_issued(bench):
    first, second = order_for(bench), order_for(bench, "11", source_location=bench.site)
    issue(bench, first, (bench.wax, "20"))

    with pytest.raises(ReservedByOther):
        complete(order=second, good="11")

    assert on_hand(bench.wax, location=bench.floor) == 20


def test_the_value_stays_the_same(bench):
    order = order_for(bench)
    issue(bench, order, (bench.wax, "20"))

    assert complete(order=order, good="10").completion.consumed_value == Decimal("107.67")


def test_all_short_components_are_named_and_nothing_moves(bench):
    order = order_for(bench)

    with pytest.raises(InsufficientStock) as refusal:
        issue(bench, order, (bench.wax, "31"), (bench.wick, "101"))

    assert [row["item"] for row in refusal.value.context["short"]] == ["WAX", "WICK"]
    assert on_hand(bench.wax, location=bench.floor) == 0
    assert not Reservation.objects.exists()
    assert not Posting.objects.filter(kind="transfer").exists()


def test_the_same_key_issues_once_and_not_something_else(bench):
    order, key = order_for(bench), uuid4()
    issue(bench, order, (bench.wax, "2"), key=key)

    again = issue(bench, order, (bench.wax, "2"), key=key)
    with pytest.raises(IdempotencyMismatch):
        issue(bench, order, (bench.wax, "3"), key=key)

    assert again.replayed
    assert pinned(order, bench.wax) == 2


def test_only_components_of_the_order_are_issued(bench):
    order, stranger = order_for(bench), make_item()
    put_on_hand(stranger, bench.shelf, "5")

    with pytest.raises(InvalidSubstitute, match=stranger.sku):
        issue(bench, order, (stranger, "1"))

    assert on_hand(stranger, location=bench.floor) == 0


def test_nothing_is_issued_to_a_planned_order(bench):
    with pytest.raises(OrderClosed, match="Release"):
        issue(bench, order_for(bench, is_planned=True), (bench.wax, "1"))


def test_a_floor_is_needed_once(bench):
    order = order_for(bench)

    with pytest.raises(WrongState, match="Choose a place on the floor"):
        issue_components(key=uuid4(), work_order=order, lines=[IssueLine(bench.wax, Decimal(1))], actor=None)

    issue(bench, order, (bench.wax, "1"))
    issue_components(key=uuid4(), work_order=order, lines=[IssueLine(bench.wax, Decimal(1))], actor=None)
    assert pinned(order, bench.wax, bench.floor) == 2


def test_components_of_one_order_stand_at_one_place(bench):
    order, other = order_for(bench), make_location(parent=bench.site)
    issue(bench, order, (bench.wax, "1"))

    with pytest.raises(WrongState, match="still at FLOOR"):
        issue(bench, order, (bench.wax, "1"), floor=other)

    assert on_hand(bench.wax, location=other) == 0


def test_no_more_goes_back_than_stands_there_for_the_order(bench):
    order, other = order_for(bench), order_for(bench)
    issue(bench, order, (bench.wax, "3"))
    issue(bench, other, (bench.wax, "4"))

    with pytest.raises(InsufficientStock, match="3 kg of WAX, not 5"):
        give_back(bench, order, (bench.wax, "5"))

    assert (pinned(order, bench.wax), pinned(other, bench.wax)) == (3, 4)


def test_the_basis_of_what_was_issued_spreads_it_over_the_order(bench):
    order = order_for(bench, basis="issued")
    issue(bench, order, (bench.wax, "22"), (bench.wick, "10"))

    first = complete(order=order, good="4")
    last = complete(order=order, good="6")

    used = [
        {line.component.sku: line.actual for line in result.completion.lines.select_related("component")}
        for result in (first, last)
    ]
    assert used == [{"WAX": Decimal("8.8"), "WICK": 4}, {"WAX": Decimal("13.2"), "WICK": 6}]
    assert pinned(order, bench.wax) == 0


def test_an_undo_gives_the_order_back_what_was_issued_to_it(bench):
    order = order_for(bench, basis="issued")
    issue(bench, order, (bench.wax, "20"), (bench.wick, "10"))
    before = Completion.objects.get(pk=complete(order=order, good="10").completion.pk)

    reverse_completion(key=uuid4(), completion=before, actor=None)

    assert (pinned(order, bench.wax, bench.floor), pinned(order, bench.wick, bench.floor)) == (20, 10)
    again = complete(order=order, good="10").completion
    assert again.consumed_value == before.consumed_value
    assert (on_hand(bench.wax, location=bench.floor), pinned(order, bench.wax)) == (0, 0)


def test_a_part_that_is_undone_stands_on_the_floor_for_the_order_again(bench):
    order = order_for(bench)
    issue(bench, order, (bench.wax, "20"), (bench.wick, "10"))
    completion = complete(order=order, good="10").completion

    reverse_completion(key=uuid4(), completion=completion, good=Decimal(4), actor=None)

    assert (pinned(order, bench.wax, bench.floor), pinned(order, bench.wick, bench.floor)) == (8, 4)
    give_back(bench, order, (bench.wax, "8"), (bench.wick, "4"))
    close_work_order(work_order=order, actor=None)


def test_what_is_undone_for_a_closed_order_is_free(bench):
    order = order_for(bench)
    issue(bench, order, (bench.wax, "20"), (bench.wick, "10"))
    completion = complete(order=order, good="10").completion
    close_work_order(work_order=order, actor=None)

    reverse_completion(key=uuid4(), completion=completion, actor=None)

    assert (pinned(order, bench.wax), on_hand(bench.wax, location=bench.floor)) == (0, 20)


@pytest.mark.parametrize("policy", ["free", "reason", "block"])
def test_nothing_is_made_of_components_that_were_never_issued(bench, policy):
    Bom.objects.filter(item=bench.candle).update(deviation_policy=policy)
    order = order_for(bench, basis="issued")
    issue(bench, order, (bench.wax, "20"))

    with pytest.raises(ConsumptionVariance, match="WICK: the BOM needs 10 pcs, this uses 0 pcs of what was issued"):
        complete(order=order, good="10")

    assert (on_hand(bench.candle), on_hand(bench.wax, location=bench.floor)) == (0, 20)
    assert complete(order=order, good="10", reason="made without a wick").completion.good == 10


def test_pins_on_the_shelf_were_not_issued(bench):
    order = order_for(bench, basis="issued", is_planned=True)
    release_work_order(work_order=order, actor=None)

    with pytest.raises(ConsumptionVariance, match="WAX: the BOM needs 20 kg, this uses 0 kg"):
        complete(order=order, good="10")

    assert pinned(order, bench.wax) == 20


def test_less_issued_than_the_rest_needs_asks_and_a_whole_issue_does_not(bench):
    order = order_for(bench, basis="issued")
    issue(bench, order, (bench.wax, "10"), (bench.wick, "10"))

    with pytest.raises(ConsumptionVariance, match="WAX: the BOM needs 10 kg, this uses 5 kg of what was issued"):
        complete(order=order, good="5")
    issue(bench, order, (bench.wax, "10"))
    complete(order=order, good="5")

    assert on_hand(bench.wax, location=bench.floor) == 10


def test_a_substitute_that_was_issued_is_used_for_its_component(bench):
    soy = make_item(sku="SOY", unit="kg", step="0.001")
    put_on_hand(soy, bench.shelf, "30", value="30.00")
    lamp = make_item(sku="LAMP", kind="product")
    make_bom(item=lamp, lines=[(bench.wax, "2", {"substitutes": [(soy, "1.5")]}), (bench.wick, "1")])
    order = order_for(bench, item=lamp, basis="issued")
    issue(bench, order, (soy, "15"), (bench.wax, "10"), (bench.wick, "10"))

    first = complete(order=order, good="4").completion
    complete(order=order, good="6")

    used = [
        (line.component.sku, line.expected, line.actual, line.substitute_for_id)
        for line in first.lines.select_related("component").order_by("id")
    ]
    assert used == [("WAX", 8, 4, None), ("SOY", 0, 6, bench.wax.pk), ("WICK", 4, 4, None)]
    assert (on_hand(soy, location=bench.floor), on_hand(bench.wax, location=bench.floor)) == (0, 0)
    assert pinned(order, soy) == 0
