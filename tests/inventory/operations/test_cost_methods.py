"""First-in-first-out layers, lots that carry their cost, and stock below zero, through the operations (rules S20-S22)."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import NegativeNotAllowed, ReversalBlocked
from inventory.models import CostEntry, CostLayer, CostPool, Movement
from inventory.operations.adjusting import adjust_stock, correct_cost
from inventory.operations.issuing import issue_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import transfer_stock
from tests.factories import lot_of, make_item, make_location, make_user, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def issue(item, place, quantity, **rest):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, **rest)


def pool(item):
    found = CostPool.objects.get(item=item, lot=None)
    return (found.quantity, found.value, found.unknown_quantity)


def queue(item):
    return list(CostLayer.objects.filter(item=item, quantity__gt=0).order_by("id").values_list("quantity", "value"))


# --- First in, first out ---


@pytest.fixture
def fifo(db):
    item, place = make_item(cost_method="fifo"), make_location()
    put_on_hand(item, place, "4", value="10.00")
    put_on_hand(item, place, "6", value="18.00")
    return item, place


def test_issues_the_oldest_layers_first(fifo):
    """W7: 4 @ 2.50, 6 @ 3.00; 7 are worth 10.00 + 9.00 = 19.00; 3 are left worth 9.00."""
    item, place = fifo

    assert issue(item, place, "7").value == Decimal("19.00")
    assert pool(item) == (3, 9, 0)
    assert queue(item) == [(3, 9)]


def test_undoing_an_issue_puts_the_layers_back_in_their_old_place(fifo):
    item, place = fifo
    before = queue(item)
    posting = issue(item, place, "7").posting
    put_on_hand(item, place, "5", value="99.00")

    reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert queue(item) == [*before, (5, 99)]
    assert issue(item, place, "4").value == Decimal("10.00")


def test_a_receipt_whose_layer_was_used_cannot_be_undone(db):
    item, place = make_item(cost_method="fifo"), make_location()
    first = put_on_hand(item, place, "4", value="10.00")
    second = put_on_hand(item, place, "6", value="18.00")
    issue(item, place, "1")

    with pytest.raises(ReversalBlocked, match="3 are left in first-in-first-out order"):
        reverse_posting(key=uuid4(), posting=first, actor=None)
    reverse_posting(key=uuid4(), posting=second, actor=None)

    assert pool(item) == (3, Decimal("7.50"), 0)


def test_a_transfer_leaves_layers_and_pool_as_they_are(fifo):
    item, place = fifo
    before = (queue(item), pool(item))

    transfer_stock(key=uuid4(), item=item, source=place, target=make_location(), quantity=Decimal(5), actor=None)

    assert (queue(item), pool(item)) == before


def test_unknown_layers_make_the_issue_unknown_and_the_rest_stays_known(db):
    item, place = make_item(cost_method="fifo"), make_location()
    put_on_hand(item, place, "4")
    put_on_hand(item, place, "6", value="18.00")

    assert issue(item, place, "3").value is None
    assert pool(item) == (7, 18, 1)
    posting = issue(item, place, "2").posting  # one unknown, one at 3.00
    assert pool(item) == (5, 15, 0)
    assert CostEntry.objects.get(posting=posting).amount == Decimal("3.00")

    reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert pool(item) == (7, 18, 1)


def test_a_correction_gives_every_layer_its_part(fifo):
    item, _place = fifo

    correct_cost(key=uuid4(), item=item, unit_cost=Decimal("4"), reason="invoice", actor=None)

    assert queue(item) == [(4, 16), (6, 24)]


# --- Lots that carry their cost ---


@pytest.fixture
def by_lot(db):
    item, place = make_item(cost_method="lot", tracking="lot"), make_location()
    put_on_hand(item, place, "4", value="10.00", lot="A")
    put_on_hand(item, place, "6", value="30.00", lot="B")
    return item, place


def test_each_lot_leaves_at_its_own_cost(by_lot):
    item, place = by_lot

    result = issue(item, place, "3", lots=[(lot_of(item, "B"), Decimal(3))], reason="asked for")

    assert result.value == Decimal("15.00")
    assert pool(item) == (7, 25, 0)
    assert issue(item, place, "5").value == Decimal("15.00")  # 4 of A for 10.00, 1 of B for 5.00


def test_undoing_an_issue_gives_each_lot_its_value_back(by_lot):
    item, place = by_lot
    posting = issue(item, place, "7").posting

    reverse_posting(key=uuid4(), posting=posting, actor=None)

    lots = CostPool.objects.filter(item=item, lot__isnull=False).order_by("lot__code")
    assert list(lots.values_list("quantity", "value")) == [(4, 10), (6, 30)]


# --- Below zero ---


@pytest.fixture
def glue(db):
    return make_item(sku="GLUE", negative_allowed=True), make_location(code="BENCH")


def test_below_zero_needs_item_privilege_and_reason(glue):
    item, place = glue
    put_on_hand(item, place, "1", value="2.00")
    operator = make_user(role="operator")
    refused = [
        ({"item": make_item(sku="JAR"), "actor": None, "reason": "x"}, "JAR may not go below zero"),
        ({"item": item, "actor": operator, "reason": "x"}, "You may not take GLUE below zero"),
        ({"item": item, "actor": None, "reason": " "}, "needs a reason"),
    ]
    for arguments, words in refused:
        with pytest.raises(NegativeNotAllowed, match=words):
            issue_stock(key=uuid4(), location=place, quantity=Decimal(3), may_go_below=True, **arguments)
    assert on_hand(item) == 1


def test_what_is_missing_leaves_at_the_last_cost_and_the_next_receipt_settles_it(glue):
    item, place = glue
    put_on_hand(item, place, "2", value="3.00")

    result = issue(item, place, "5", may_go_below=True, reason="not booked yet")
    assert (result.value, on_hand(item), pool(item)) == (Decimal("7.50"), -3, (-3, Decimal("-4.50"), 0))

    receipt = put_on_hand(item, place, "5", value="10.00")
    assert (on_hand(item), pool(item)) == (2, (2, Decimal("4.00"), 0))
    entry = CostEntry.objects.get(posting=receipt)
    assert (entry.kind, entry.amount) == ("negative_variance", Decimal("1.50"))


def test_an_issue_below_zero_is_undone_exactly(glue):
    item, place = glue
    put_on_hand(item, place, "2", value="3.00")
    posting = issue(item, place, "5", may_go_below=True, reason="not booked yet").posting

    reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert (on_hand(item), pool(item)) == (2, (2, 3, 0))


def test_what_was_emptied_before_leaves_at_the_cost_it_last_had(glue):
    item, place = glue
    put_on_hand(item, place, "4", value="5.00")
    issue(item, place, "4")

    assert issue(item, place, "2", may_go_below=True, reason="found more").value == Decimal("2.50")


def test_a_place_below_zero_takes_nothing_from_another(glue):
    item, place = glue
    other = make_location()
    issue(item, place, "3", may_go_below=True, reason="not booked yet")
    put_on_hand(item, other, "10", value="20.00")

    assert issue(item, other, "10").value is not None
    assert (on_hand(item, location=place), on_hand(item, location=other)) == (-3, 0)


def test_found_goods_lift_a_cell_towards_zero(glue):
    item, place = glue
    issue(item, place, "3", may_go_below=True, reason="not booked yet")

    adjust_stock(key=uuid4(), item=item, location=place, quantity=Decimal(2), reason="found", actor=None)

    assert on_hand(item) == -1


def test_a_cost_correction_leaves_no_movement_of_unknown_cost_unbalanced(db):
    item, place = make_item(), make_location()
    put_on_hand(item, place, "10")
    issue(item, place, "4")

    correct_cost(key=uuid4(), item=item, unit_cost=Decimal("1.50"), reason="invoice", actor=None)

    unknown = sum(m.quantity for m in Movement.objects.filter(item=item, value__isnull=True))
    assert (unknown, pool(item)) == (0, (6, 9, 0))
