"""The worked examples of picking, costing, late costs, reservations and counts, through the operations, figure by figure.

Those of BOMs and completions stand beside the rule they show: W1 to W4 in production/test_explosion.py, W9 to W11 in
production/operations/test_completing_in_full.py, W14 in production/operations/test_completing.py, W15 and W16 in
production/reads/test_buildable.py, W22 in production/operations/test_disassembling.py; W12 and W18 in test_landing_costs.py and
test_closing_counts.py.
"""

from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from inventory.errors import ReservedByOther
from inventory.models import CostPool, Reservation
from inventory.operations.issuing import issue_stock
from inventory.operations.landing_costs import add_landed_cost
from inventory.operations.reserving import reserve_stock
from inventory.operations.shipping import ShipmentLine, ship_stock
from tests.factories import make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def issue(item, place, quantity, **more):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, **more)


def pool(item):
    found = CostPool.objects.get(item=item, lot=None)
    return (found.quantity, found.value)


def test_w5_an_average_of_two_receipts():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "10", value="50.00")
    put_on_hand(item, place, "10", value="70.00")
    assert CostPool.objects.get(item=item).unit_cost == Decimal("6.00")

    assert issue(item, place, "5").value == Decimal("30.00")

    assert pool(item) == (15, Decimal("90.00"))


def test_w6_three_for_ten_leave_one_by_one_without_a_cent_over():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "3", value="10.00")

    values = [issue(item, place, "1").value for _ in range(3)]

    assert values == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]
    assert pool(item) == (0, 0)


def test_w7_first_in_first_out():
    item, place = make_item(cost_method="fifo"), make_location()
    put_on_hand(item, place, "4", value="10.00")
    put_on_hand(item, place, "6", value="18.00")

    assert issue(item, place, "7").value == Decimal("19.00")

    assert pool(item) == (3, Decimal("9.00"))


def test_w8_a_dearer_receipt_moves_the_average():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "10", value="100.00")
    put_on_hand(item, place, "5", value="65.00")

    assert CostPool.objects.get(item=item).unit_cost == Decimal("11.00")


@pytest.mark.parametrize("method", ["average", "fifo"])
def test_w12_a_late_cost_is_expensed_for_what_was_used(method):
    kept, used, place = make_item(), make_item(cost_method=method), make_location()
    first = put_on_hand(kept, place, "10", value="200.00")
    second = put_on_hand(used, place, "10", value="100.00")
    issue(used, place, "5")

    result = add_landed_cost(
        key=uuid4(),
        targets=[first.movements.get(), second.movements.get()],
        amount=Decimal("100.00"),
        basis="value",
        actor=None,
    )

    shares = result.landed_cost.shares.order_by("id").values_list("amount", "capitalised", "expensed")
    assert list(shares) == [
        (Decimal("66.67"), Decimal("66.67"), 0),
        (Decimal("33.33"), Decimal("16.67"), Decimal("16.66")),
    ]
    assert (pool(kept), pool(used)) == ((10, Decimal("266.67")), (5, Decimal("66.67")))


@pytest.mark.parametrize(
    ("day", "taken"), [(5, [("Y", -3), ("X", -5), ("Z", -2)]), (6, [("X", -5), ("Z", -5)])], ids=["5 Jan", "6 Jan"]
)
def test_w13_first_expired_first_out_until_the_last_day_of_use(day, taken):
    item, place = make_item(tracking="lot"), make_location()
    with time_machine.travel(datetime(2031, 1, 1, 9, tzinfo=timezone.get_default_timezone()), tick=False):
        put_on_hand(item, place, "5", lot="X", expires_on=date(2031, 1, 10))
        put_on_hand(item, place, "3", lot="Y", expires_on=date(2031, 1, 5))
        put_on_hand(item, place, "9", lot="Z")

    with time_machine.travel(datetime(2031, 1, day, 9, tzinfo=timezone.get_default_timezone()), tick=False):
        posting = issue(item, place, "10").posting

    moved = posting.movements.order_by("id").values_list("lot__code", "quantity")
    assert sorted(moved) == sorted(taken)


def test_w17_own_ten_and_five_free_leave_five_of_twenty_missing():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "40", value="40.00")
    pins = {"item": item, "location": place, "actor": None, "pinned": True, "demand_kind": "order"}
    reserve_stock(quantity=Decimal(10), demand_ref="OURS", **pins)
    reserve_stock(quantity=Decimal(25), demand_ref="THEIRS", **pins)

    def ship(quantity):
        line = ShipmentLine(item, place, Decimal(quantity))
        return ship_stock(key=uuid4(), lines=[line], demand=("order", "OURS"), actor=None)

    with pytest.raises(ReservedByOther) as refusal:
        ship("20")
    said = refusal.value.context
    assert (said["on_hand"], said["reserved"], said["needed"]) == ("40", "25", "20")  # 15 for us: 5 are missing
    assert (on_hand(item), Reservation.objects.get(demand_ref="OURS").quantity) == (40, 10)
    ship("15")

    assert on_hand(item) == 25
    assert dict(Reservation.objects.values_list("demand_ref", "quantity")) == {"OURS": 0, "THEIRS": 25}
