from decimal import Decimal

import pytest

from inventory.errors import InvalidQuantity, InvalidQuantityStep, WrongState
from inventory.models import Reservation
from inventory.operations.reserving import reserve_stock
from production.errors import InvalidBom, OrderClosed
from production.operations.work_orders import change_planned, close_work_order, open_work_order, reopen_work_order
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def place(db):
    return make_location()


@pytest.fixture
def thing(place):
    part, item = make_item(), make_item()
    make_bom(item=item, lines=[(part, "2", {"scrap_percent": Decimal("2.5"), "setup_quantity": Decimal(3)})])
    put_on_hand(part, place, "100", value="100.00")
    return item, part


def open_order(item, place, planned="10", **fields):
    return open_work_order(item=item, planned=Decimal(planned), output_location=place, actor=None, **fields)


def test_freezes_the_exact_rates(thing, place):
    order = open_order(thing[0], place)

    line = order.lines.get()
    assert (line.rate_numerator, line.rate_denominator, line.setup_quantity) == (41, 20, 3)
    assert order.number == f"WO-{order.pk:06d}"


@pytest.mark.parametrize(("planned", "refusal"), [("0", InvalidQuantity), ("1.5", InvalidQuantityStep)])
def test_refuses_impossible_plans(thing, place, planned, refusal):
    with pytest.raises(refusal):
        open_order(thing[0], place, planned)


def test_refuses_an_item_without_a_bom(place):
    with pytest.raises(InvalidBom):
        open_order(make_item(), place)


def test_closing_frees_what_is_reserved_for_it(thing, place):
    item, part = thing
    order = open_order(item, place)
    reserve_stock(
        item=part,
        location=place,
        quantity=Decimal(5),
        demand_kind="work_order",
        demand_ref=order.number,
        actor=None,
        pinned=True,
    )

    close_work_order(work_order=order, actor=None)

    assert Reservation.objects.get().quantity == 0
    with pytest.raises(OrderClosed):
        close_work_order(work_order=order, actor=None)


def test_a_closed_order_can_be_reopened_and_a_finished_one_cannot(thing, place):
    closed, done = open_order(thing[0], place), open_order(thing[0], place, "2")
    close_work_order(work_order=closed, actor=None)
    complete(order=done, good="2")

    assert reopen_work_order(work_order=closed, actor=None).state == "open"
    with pytest.raises(WrongState, match="all of it is done"):
        reopen_work_order(work_order=done, actor=None)


def test_the_plan_may_change_but_not_below_what_is_done(thing, place):
    order = open_order(thing[0], place)
    complete(order=order, good="4")

    with pytest.raises(WrongState, match="4 done"):
        change_planned(work_order=order, planned=Decimal(3), actor=None)

    assert change_planned(work_order=order, planned=Decimal(4), actor=None).state == "done"
    assert change_planned(work_order=order, planned=Decimal(6), actor=None).state == "open"
