"""Rivals around purchase orders and late costs. Each test names the line whose removal makes it fail; that was tried."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import OverReceipt
from inventory.models import CostEntry, CostPool, LandedCostShare, PurchaseOrder
from inventory.operations.cost_methods import change_cost_method
from inventory.operations.issuing import issue_stock
from inventory.operations.landing_costs import add_landed_cost
from inventory.operations.receiving_orders import Arrival, receive_order
from inventory.operations.reversing import reverse_posting
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, make_order, make_user, on_hand, put_on_hand
from tests.races.test_completions_race import together

pytestmark = pytest.mark.race


def receive(order, quantity, actor=None):
    return receive_order(
        key=uuid4(), order=order, arrivals=[Arrival(order.lines.get(), Decimal(quantity))], actor=actor
    )


def test_the_same_line_is_received_once(committed_db):
    """Fails when lock_orders does not lock."""
    item, operator = make_item(), make_user(role="operator")
    order = make_order([(item, "10", "20.00")])

    results = together([lambda: receive(order, "10", operator) for _ in range(2)])

    assert [type(r) for r in results if isinstance(r, Exception)] == [OverReceipt]
    assert (on_hand(item), order.lines.get().received) == (10, 10)
    assert broken_invariants() == []


def test_parts_received_at_once_sum_to_the_price(committed_db):
    """Fails when lock_orders does not lock: both would take the first third."""
    item = make_item()
    order = make_order([(item, "3", "10.00")])

    together([lambda: receive(order, "1") for _ in range(3)])

    assert CostPool.objects.get(item=item, lot=None).value == 10
    assert PurchaseOrder.objects.get().state == "received"


def test_a_receipt_and_the_undo_of_another_both_count(committed_db):
    """Fails when reverse_posting does not lock the order."""
    item = make_item()
    order = make_order([(item, "10", "20.00")])
    first = receive(order, "4").posting

    results = together([lambda: receive(order, "3"), lambda: reverse_posting(key=uuid4(), posting=first, actor=None)])

    assert not [r for r in results if isinstance(r, Exception)]
    assert (on_hand(item), order.lines.get().received) == (3, 3)
    assert broken_invariants() == []


@pytest.mark.parametrize("method", ["average", "fifo"])
def test_a_late_cost_against_an_issue_of_the_same_goods(committed_db, method):
    """Fails when lock_for_posting does not lock the pools."""
    item, place = make_item(cost_method=method), make_location()
    movement = put_on_hand(item, place, "10", value="100.00").movements.get()

    together(
        [
            lambda: issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(4), actor=None),
            lambda: add_landed_cost(key=uuid4(), targets=[movement], amount=Decimal(50), actor=None),
        ]
    )

    share = LandedCostShare.objects.get()
    assert (share.remaining, share.capitalised) in {(Decimal(10), Decimal(50)), (Decimal(6), Decimal(30))}
    expensed = sum(e.amount for e in CostEntry.objects.filter(kind="landed_expense"))
    issued = -sum(m.value for m in item.movements.filter(quantity__lt=0))
    assert CostPool.objects.get(item=item, lot=None).value + issued + expensed == 150
    assert broken_invariants() == []


def test_another_cost_method_against_an_issue(committed_db):
    """Fails when lock_for_posting does not lock the pools."""
    item, place = make_item(), make_location()
    put_on_hand(item, place, "10", value="100.00")

    together(
        [
            lambda: issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(4), actor=None),
            lambda: change_cost_method(key=uuid4(), item=item, method="fifo", actor=None),
        ]
    )

    assert CostPool.objects.get(item=item, lot=None).method == "fifo"
    assert broken_invariants() == []
