from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import (
    DuplicateSerial,
    InsufficientStock,
    InvalidQuantity,
    LotRequired,
    OverReturn,
    ReversalBlocked,
    WrongState,
)
from inventory.models import CostEntry, CostLayer, CostPool, Posting
from inventory.operations.returning import (
    CustomerReturnLine,
    SupplierReturnLine,
    return_from_customer,
    return_to_supplier,
)
from inventory.operations.reversing import reverse_posting
from inventory.operations.shipping import ShipmentLine, ship_stock
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def site(db):
    return make_location(code="SITE")


def ship(item, place, quantity, **rest):
    line = ShipmentLine(item=item, location=place, quantity=Decimal(quantity), **rest)
    return ship_stock(key=uuid4(), lines=[line], actor=None, reference="SO-1", reason="order").posting


def take_back(item, place, quantity, *, shipment=None, key=None, **rest):
    line = CustomerReturnLine(item=item, location=place, quantity=Decimal(quantity), **rest)
    return return_from_customer(key=key or uuid4(), lines=[line], shipment=shipment, actor=None, reason="too big")


def send_back(item, place, quantity, *, receipt=None, **rest):
    line = SupplierReturnLine(item=item, location=place, quantity=Decimal(quantity), **rest)
    return return_to_supplier(key=uuid4(), lines=[line], receipt=receipt, actor=None, reason="broken")


def pool(item):
    found = CostPool.objects.get(item=item, lot=None)
    return (found.quantity, found.value)


def queue(item):
    return list(CostLayer.objects.filter(item=item, quantity__gt=0).order_by("id").values_list("quantity", "value"))


# --- From a customer ---


def test_comes_back_at_the_value_it_left_with_into_quarantine(site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "3", value="10.00")
    shipment = ship(item, site, 3)
    put_on_hand(item, site, "5", value="500.00")

    values = [take_back(item, site, 1, shipment=shipment).value for _ in range(3)]

    assert values == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]
    assert pool(item) == (8, 510)
    assert (on_hand(item, status="quarantine"), on_hand(item, status="available")) == (3, 5)
    assert Posting.objects.filter(related=shipment, kind="customer_return", reference="SO-1").count() == 3


def test_never_more_than_was_shipped_and_is_not_back(site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "9", value="9.00")
    shipment = ship(item, site, 4)
    back = take_back(item, site, 3, shipment=shipment)

    with pytest.raises(OverReturn, match="of which 1 are not returned yet; 2 cannot be"):
        take_back(item, site, 2, shipment=shipment)
    assert on_hand(item) == 8
    reverse_posting(key=uuid4(), posting=back.posting, actor=None)

    assert take_back(item, site, 4, shipment=shipment).value == Decimal("4.00")


def test_the_same_request_again_takes_back_once(site):
    item = make_item()
    put_on_hand(item, site, "4", value="4.00")
    shipment, key = ship(item, site, 4), uuid4()

    first = take_back(item, site, 4, shipment=shipment, key=key)
    again = take_back(item, site, 4, shipment=shipment, key=key)

    assert (again.posting, again.value, again.replayed) == (first.posting, Decimal("4.00"), True)
    assert on_hand(item) == 4


def test_a_fifo_item_gets_the_newest_layer(site):
    item = make_item(cost_method="fifo")
    put_on_hand(item, site, "2", value="2.00")
    shipment = ship(item, site, 1)
    put_on_hand(item, site, "2", value="8.00")

    take_back(item, site, 1, shipment=shipment)

    assert queue(item) == [(1, 1), (2, 8), (1, 1)]


def test_returns_to_the_lots_it_was_shipped_from(site):
    item = make_item(sku="WAX", tracking="lot", cost_method="lot")
    put_on_hand(item, site, "4", value="4.00", lot="A")
    put_on_hand(item, site, "4", value="8.00", lot="B")
    shipment = ship(item, site, 6)

    with pytest.raises(OverReturn, match="A 4, B 2 are still to come back"):
        take_back(item, site, 3, shipment=shipment)
    with pytest.raises(OverReturn, match="moved 2 pcs of WAX, lot B"):
        take_back(item, site, 3, shipment=shipment, lot=lot_of(item, "B"))
    assert take_back(item, site, 1, shipment=shipment, lot=lot_of(item, "B")).value == Decimal("2.00")
    assert take_back(item, site, 5, shipment=shipment).value == Decimal("6.00")

    assert (on_hand(item, lot="A"), on_hand(item, lot="B")) == (4, 4)


def test_what_left_at_an_unknown_cost_comes_back_unknown(site):
    item = make_item()
    put_on_hand(item, site, "4")
    shipment = ship(item, site, 4)

    assert take_back(item, site, 1, shipment=shipment).value is None


def test_refuses_what_is_no_standing_shipment(site):
    item = make_item(sku="JAR")
    receipt = put_on_hand(item, site, "4", value="4.00")
    shipment = ship(item, site, 1)
    reverse_posting(key=uuid4(), posting=shipment, actor=None)

    with pytest.raises(WrongState, match="is no shipment"):
        take_back(item, site, 1, shipment=receipt)
    with pytest.raises(WrongState, match="was reversed"):
        take_back(item, site, 1, shipment=shipment)
    with pytest.raises(InvalidQuantity, match="worth what it left with"):
        take_back(item, site, 1, shipment=ship(item, site, 1), value=Decimal(1))
    assert on_hand(item) == 3


def test_a_shipment_with_goods_back_is_not_reversed_before_its_returns(site):
    item = make_item()
    put_on_hand(item, site, "4", value="4.00")
    shipment = ship(item, site, 4)
    back = take_back(item, site, 1, shipment=shipment).posting

    with pytest.raises(ReversalBlocked, match="goods of it were returned by Customer return"):
        reverse_posting(key=uuid4(), posting=shipment, actor=None)
    assert on_hand(item) == 1
    reverse_posting(key=uuid4(), posting=back, actor=None)
    reverse_posting(key=uuid4(), posting=shipment, actor=None)

    assert (on_hand(item), pool(item)) == (4, (4, 4))


def test_without_an_origin_it_is_worth_what_is_said_or_the_average(site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "4", value="10.00")

    given = take_back(item, site, 1, value=Decimal("0.50"), status="damaged")
    average = take_back(item, site, 2, status="available")

    assert (given.value, average.value) == (Decimal("0.50"), Decimal("4.20"))
    assert take_back(make_item(), site, 1).value is None
    with pytest.raises(LotRequired):
        take_back(make_item(tracking="lot"), site, 1)


def test_a_serial_piece_comes_back_once(site):
    item = make_item(sku="PUMP", tracking="serial")
    put_on_hand(item, site, "1", lot="S1", value="50.00")
    shipment = ship(item, site, 1)
    take_back(item, site, 1, shipment=shipment)

    with pytest.raises(OverReturn):
        take_back(item, site, 1, shipment=shipment)
    with pytest.raises(DuplicateSerial, match="on hand at SITE"):
        take_back(item, site, 1, lot_code="s1")
    assert on_hand(item) == 1


def test_undo_of_a_return_takes_its_very_value_out_again(site):
    item = make_item(cost_method="fifo")
    put_on_hand(item, site, "4", value="4.00")
    shipment = ship(item, site, 2)
    put_on_hand(item, site, "1", value="9.00")
    back = take_back(item, site, 2, shipment=shipment).posting

    reverse_posting(key=uuid4(), posting=back, actor=None)

    assert queue(item) == [(2, 2), (1, 9)]


# --- To a supplier ---


def test_its_own_layer_leaves_first_and_the_rest_from_the_oldest(site):
    item = make_item(cost_method="fifo")
    put_on_hand(item, site, "2", value="2.00")
    receipt = put_on_hand(item, site, "3", value="9.00")
    put_on_hand(item, site, "2", value="10.00")

    assert send_back(item, site, 2, receipt=receipt).value == Decimal("6.00")
    assert queue(item) == [(2, 2), (1, 3), (2, 10)]
    ship(item, site, 2)
    assert send_back(item, site, 1, receipt=receipt).value == Decimal("3.00")

    assert queue(item) == [(2, 10)]


def test_without_a_receipt_the_oldest_layer_or_the_average_leaves(site):
    fifo, average = make_item(cost_method="fifo"), make_item()
    for item in (fifo, average):
        put_on_hand(item, site, "2", value="2.00")
        put_on_hand(item, site, "2", value="8.00")

    assert send_back(fifo, site, 3).value == Decimal("6.00")
    assert send_back(average, site, 3).value == Decimal("7.50")


def test_the_difference_to_the_credit_is_purchase_variance_and_undone_with_it(site):
    item = make_item()
    put_on_hand(item, site, "4", value="10.00")

    loss = send_back(item, site, 2, credit=Decimal("4.00"))
    gain = send_back(item, site, 1, credit=Decimal("3.00"))

    entries = CostEntry.objects.filter(kind="purchase_variance").order_by("id")
    assert [entry.amount for entry in entries] == [Decimal("1.00"), Decimal("-0.50")]
    assert (loss.variance, gain.variance) == (Decimal("1.00"), Decimal("-0.50"))
    for result in (gain, loss):
        reverse_posting(key=uuid4(), posting=result.posting, actor=None)
    assert pool(item) == (4, 10)
    assert sum(entry.amount for entry in CostEntry.objects.all()) == 0


def test_any_status_and_expired_lots_go_back_when_the_lot_is_named(site):
    item = make_item(sku="WAX", tracking="lot")
    past = timezone.localdate() - timedelta(days=3)
    put_on_hand(item, site, "4", value="4.00", lot="A", expires_on=past, status="quarantine")

    with pytest.raises(LotRequired, match="name the lot"):
        send_back(item, site, 1, status="quarantine")
    with pytest.raises(InsufficientStock):
        send_back(item, site, 1, lots=[(lot_of(item, "A"), Decimal(1))])
    send_back(item, site, 3, status="quarantine", lots=[(lot_of(item, "A"), Decimal(3))])

    assert on_hand(item) == 1


def test_no_more_goes_back_than_the_receipt_brought(site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "9", value="9.00")
    receipt = put_on_hand(item, site, "3", value="3.00")
    send_back(item, site, 2, receipt=receipt)

    with pytest.raises(OverReturn, match="of which 1 are not returned yet"):
        send_back(item, site, 2, receipt=receipt)
    with pytest.raises(ReversalBlocked, match="were returned by Supplier return"):
        reverse_posting(key=uuid4(), posting=receipt, actor=None)

    assert on_hand(item) == 10
