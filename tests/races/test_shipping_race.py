"""Rivals who ship, take back and receive the same goods, with real commits.

Each test fails when the line it names is taken out; that was tried.
"""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from inventory.errors import DuplicateSerial, InsufficientStock, OverReturn, WrongState
from inventory.models import CostPool, Posting, Reservation, StockTransfer
from inventory.operations.expiring import expire_lot
from inventory.operations.lapsing import release_lapsed
from inventory.operations.reserving import reserve_stock
from inventory.operations.returning import CustomerReturnLine, return_from_customer
from inventory.operations.reversing import reverse_posting
from inventory.operations.shipping import ShipmentLine, ship_stock
from inventory.operations.transit import Arrival, DispatchLine, dispatch_transfer, receive_transfer
from tests.conftest import broken_invariants
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand
from tests.races.test_completions_race import together

pytestmark = pytest.mark.race


@pytest.fixture
def site(committed_db):
    return make_location(code="SITE")


def ship(item, place, quantity, **rest):
    line = ShipmentLine(item=item, location=place, quantity=Decimal(quantity))
    return ship_stock(**{"key": uuid4(), "lines": [line], "actor": None, **rest})


def take_back(item, place, quantity, shipment):
    line = CustomerReturnLine(item=item, location=place, quantity=Decimal(quantity))
    return return_from_customer(key=uuid4(), lines=[line], shipment=shipment, actor=None)


def refusals(results):
    return [type(result) for result in results if isinstance(result, Exception)]


def test_two_shipments_of_the_last_goods_make_one(site):
    """Fails when lock_for_posting in ship_stock is called with lock=False."""
    item = make_item()
    put_on_hand(item, site, "5", value="5.00")

    results = together([lambda: ship(item, site, 4) for _ in range(2)])

    assert refusals(results) == [InsufficientStock]
    assert on_hand(item) == 1
    assert CostPool.objects.get(item=item).value == 1
    assert broken_invariants() == []


def test_two_shipments_for_one_demand_use_its_promise_up_once_each(site):
    """Fails when the promises in use_up_promises are read before the pools are locked."""
    item = make_item()
    put_on_hand(item, site, "20", value="20.00")
    demand = ("order", "1")
    reserve_stock(item=item, location=site, quantity=Decimal(10), demand_kind="order", demand_ref="1", actor=None)

    together([lambda: ship(item, site, 4, demand=demand) for _ in range(4)])

    assert Reservation.objects.get().quantity == 0
    assert on_hand(item) == 4
    assert broken_invariants() == []


def test_lines_in_opposite_order_never_deadlock(site):
    """Fails when lock_for_posting does not order by item."""
    items = [make_item() for _ in range(4)]
    for item in items:
        put_on_hand(item, site, "100", value="100.00")

    def client(number):
        for _ in range(10):
            ordered = items if number % 2 else items[::-1]
            lines = [ShipmentLine(item=item, location=site, quantity=Decimal(1)) for item in ordered]
            ship_stock(key=uuid4(), lines=lines, actor=None)
        return 10

    assert together([lambda number=number: client(number) for number in range(6)]) == [10] * 6
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert cursor.fetchone()[0] == 0  # they would be repeated, and so go unseen
    assert {on_hand(item) for item in items} == {40}


def test_goods_come_back_once_whoever_takes_them(site):
    """Fails when left_to_return is read before the pools are locked."""
    item = make_item()
    put_on_hand(item, site, "6", value="6.00")
    shipment = ship(item, site, 6).posting

    results = together([lambda: take_back(item, site, 4, shipment) for _ in range(2)])

    assert refusals(results) == [OverReturn]
    assert on_hand(item) == 4
    assert broken_invariants() == []


def test_a_return_against_the_undo_of_its_shipment(site):
    """Fails when refuse_returned in reverse_posting is called before the pools are locked."""
    item = make_item()
    put_on_hand(item, site, "6", value="6.00")
    shipment = ship(item, site, 6).posting

    results = together(
        [
            lambda: take_back(item, site, 6, shipment),
            lambda: reverse_posting(key=uuid4(), posting=shipment, actor=None),
        ]
    )

    assert len(refusals(results)) == 1
    assert on_hand(item) == 6
    assert broken_invariants() == []


def test_a_transfer_is_received_once(site):
    """Fails when the transfer is read without select_for_update."""
    item, shop = make_item(), make_location()
    put_on_hand(item, site, "6", value="6.00")
    put_on_hand(item, site, "6", value="6.00")
    lines = [DispatchLine(item, Decimal(6))]
    one, _ = (
        dispatch_transfer(key=uuid4(), source=site, target=shop, lines=lines, actor=None).transfer for _ in range(2)
    )
    line = one.lines.get()

    def receive():
        return receive_transfer(key=uuid4(), transfer=one, arrivals=[Arrival(line, Decimal(6))], actor=None)

    results = together([receive] * 2)

    assert refusals(results) == [WrongState]
    assert on_hand(item, location=shop) == 6
    assert StockTransfer.objects.get(pk=one.pk).state == "received"
    assert broken_invariants() == []


def test_a_lot_expires_once_while_it_is_shipped(site):
    """Fails when the cells in expire_lot are read without the lock."""
    item, tomorrow = make_item(tracking="lot"), timezone.localdate() + timedelta(days=1)
    put_on_hand(item, site, "9", lot="A", expires_on=timezone.localdate(), value="9.00")
    lot = lot_of(item, "A")

    results = together([lambda: ship(item, site, 4), *[lambda: expire_lot(lot=lot, on=tomorrow) for _ in range(2)]])

    shipped = 0 if refusals(results) else 4
    assert on_hand(item, status="expired") == 9 - shipped
    assert Posting.objects.filter(kind="status_change").count() == 1
    assert broken_invariants() == []


def test_a_serial_comes_back_by_one_way_only(site):
    """Fails when the writer of postings does not ask for serials that would be on hand twice."""
    pump = make_item(tracking="serial")
    put_on_hand(pump, site, "1", lot="SN-1", value="6.00")
    shipment = ship(pump, site, 1).posting

    results = together(
        [
            lambda: put_on_hand(pump, site, "1", lot="SN-1", value="6.00"),
            lambda: reverse_posting(key=uuid4(), posting=shipment, actor=None),
        ]
    )

    assert refusals(results) == [DuplicateSerial]
    assert on_hand(pump) == 1
    assert broken_invariants() == []


def test_a_promise_lapses_once_while_its_goods_are_used(site):
    """Fails when release_lapsed_of reads the promises before the pool of the item is locked."""
    item = make_item()
    put_on_hand(item, site, "5", value="5.00")
    over = timezone.now() - timedelta(minutes=1)
    reserve_stock(
        item=item,
        location=site,
        quantity=Decimal(5),
        demand_kind="order",
        demand_ref="1",
        actor=None,
        pinned=True,
        expires_at=over,
    )

    results = together([lambda: ship(item, site, 5, demand=("order", "1")), *[release_lapsed for _ in range(3)]])

    assert refusals(results) == []
    assert Reservation.objects.get().quantity == 0
    assert broken_invariants() == []
