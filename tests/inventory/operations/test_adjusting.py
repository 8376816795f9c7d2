from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import InsufficientStock, InvalidQuantity, NoStockToRevalue
from inventory.models import CostEntry, CostPool
from inventory.operations.adjusting import adjust_stock, correct_cost
from inventory.operations.issuing import issue_stock
from tests.factories import make_item, make_location, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def adjust(item, place, quantity, **fields):
    return adjust_stock(
        key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, **{"reason": "count", **fields}
    )


def correct(item, unit_cost):
    return correct_cost(key=uuid4(), item=item, unit_cost=Decimal(unit_cost), reason="invoice", actor=None)


def test_what_is_found_is_worth_the_present_average():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "4", value="10.00")

    result = adjust(item, place, "2")

    assert result.value == Decimal("5.00")
    assert CostPool.objects.get(item=item).value == Decimal("15.00")


def test_as_much_found_as_there_is_doubles_the_value():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "4", value="10.00")

    assert adjust(item, place, "4").value == Decimal("10.00")


def test_what_is_found_without_a_cost_is_unknown():
    item, place = make_item(), make_location()

    assert adjust(item, place, "2").value is None
    assert CostPool.objects.get(item=item).unknown_quantity == 2


def test_what_is_missing_leaves_at_the_average():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "4", value="10.00")

    assert adjust(item, place, "-1").value == Decimal("-2.50")
    assert on_hand(item) == 3


def test_refuses_zero_and_no_reason_and_more_than_there_is():
    item, place = make_item(), make_location()

    with pytest.raises(InvalidQuantity, match="changes nothing"):
        adjust(item, place, "0")
    with pytest.raises(InvalidQuantity, match="needs a reason"):
        adjust(item, place, "1", reason="")
    with pytest.raises(InsufficientStock):
        adjust(item, place, "-1")


def test_a_cost_correction_makes_the_unknown_known():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "3")

    result = correct(item, "2.345")

    pool = CostPool.objects.get(item=item)
    assert (pool.value, pool.unknown_quantity) == (Decimal("7.04"), 0)
    assert result.value == Decimal("7.04")
    assert CostEntry.objects.get().amount == Decimal("-7.04")


def test_a_cost_correction_does_not_touch_what_was_issued():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "4", value="4.00")
    issued = issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(2), actor=None)

    correct(item, "3")

    assert issued.posting.movements.get().value == Decimal("-2.00")
    assert CostPool.objects.get(item=item).value == Decimal("6.00")


def test_a_correction_that_changes_nothing_still_makes_the_cost_known():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "4")

    correct(item, "0")

    assert CostPool.objects.get(item=item).unknown_quantity == 0


def test_nothing_on_hand_has_no_value_to_correct():
    item = make_item()

    with pytest.raises(NoStockToRevalue):
        correct(item, "1")
