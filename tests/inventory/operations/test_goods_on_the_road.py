"""Goods on the road move by their transfer alone: whatever else took them would leave it waiting for ever."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import DomainError, InsufficientStock, LocationBlocked
from inventory.models import CountSheet, Location, Posting, Reservation
from inventory.operations.adjusting import adjust_stock
from inventory.operations.counting import open_count_sheet
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.relabelling import NewLot, change_lots
from inventory.operations.reserving import reserve_stock
from inventory.operations.returning import SupplierReturnLine, return_to_supplier
from inventory.operations.shipping import ShipmentLine, ship_stock
from inventory.operations.transferring import change_status, transfer_stock
from inventory.operations.transit import Arrival, DispatchLine, dispatch_transfer, receive_transfer
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

ONE = Decimal(1)


@pytest.fixture
def shelf(db):
    return make_location(code="SHELF")


@pytest.fixture
def item(db):
    return make_item(sku="JAR", tracking="lot")


@pytest.fixture
def transfer(item, shelf):
    put_on_hand(item, shelf, "5", lot="A", value="5.00")
    return dispatch_transfer(
        key=uuid4(), source=shelf, target=make_location(code="SHOP"), lines=[DispatchLine(item, Decimal(5))], actor=None
    ).transfer


def ways(item, road, shelf):
    """Everything that could take goods from the road, or put some there."""
    lots = ((lot_of(item, "A"), ONE),)
    who = {"key": uuid4(), "actor": None}
    some = {"item": item, "quantity": ONE, "lots": lots}
    return {
        "transfer": lambda: transfer_stock(source=road, target=shelf, **some, **who),
        "transfer there": lambda: transfer_stock(source=shelf, target=road, **some, **who),
        "issue": lambda: issue_stock(location=road, **some, **who),
        "scrap": lambda: scrap_stock(location=road, reason="broken", **some, **who),
        "ship": lambda: ship_stock(lines=[ShipmentLine(item, road, ONE, lots)], **who),
        "hold": lambda: change_status(
            location=road, from_status="available", to_status="quarantine", reason="doubt", **some, **who
        ),
        "change lots": lambda: change_lots(
            item=item, location=road, sources=lots, targets=[NewLot("B")], reason="wrong label", **who
        ),
        "send back": lambda: return_to_supplier(lines=[SupplierReturnLine(item, road, ONE, lots=lots)], **who),
        "adjust down": lambda: adjust_stock(item=item, location=road, quantity=-ONE, lots=lots, reason="lost", **who),
        "adjust up": lambda: adjust_stock(item=item, location=road, quantity=ONE, lot_code="A", reason="found", **who),
        "receive": lambda: receive_stock(lines=[ReceiptLine(item, road, ONE, lot_code="A")], **who),
        "count": lambda: open_count_sheet(location=road, actor=None),
        "reserve": lambda: reserve_stock(
            item=item, location=road, quantity=ONE, demand_kind="order", demand_ref="1", actor=None, pinned=True
        ),
        "send on": lambda: dispatch_transfer(source=road, target=shelf, lines=[DispatchLine(item, ONE)], **who),
    }


WAYS = (
    "transfer",
    "transfer there",
    "issue",
    "scrap",
    "ship",
    "hold",
    "change lots",
    "send back",
    "adjust down",
    "adjust up",
    "receive",
    "count",
    "reserve",
    "send on",
)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_but_their_transfer_moves_them(item, shelf, transfer, way):
    road, postings = transfer.transit, Posting.objects.count()

    with pytest.raises(LocationBlocked) as refusal:
        ways(item, road, shelf)[way]()

    assert refusal.value.context["transfers"] == [transfer.number]
    assert transfer.number in refusal.value.message
    assert (Posting.objects.count(), Reservation.objects.count(), CountSheet.objects.count()) == (postings, 0, 0)
    done = receive_transfer(
        key=uuid4(), transfer=transfer, arrivals=[Arrival(transfer.lines.get(), 5 * ONE)], actor=None
    )
    assert done.transfer.state == "received"


def test_a_road_within_a_site_is_no_stock_of_the_site(item, shelf):
    road = make_location(code="TRUCK", parent=shelf, kind="in_transit", is_sellable=False)
    put_on_hand(item, shelf, "5", lot="A", value="5.00")
    dispatch_transfer(
        key=uuid4(),
        source=shelf,
        target=make_location(),
        transit=road,
        lines=[DispatchLine(item, Decimal(4))],
        actor=None,
    )

    for lots in ((), ((lot_of(item, "A"), Decimal(2)),)):
        with pytest.raises(InsufficientStock) as refusal:
            issue_stock(
                key=uuid4(), item=item, location=shelf, quantity=Decimal(2), lots=lots, reason="asked for", actor=None
            )
    sheet = open_count_sheet(location=shelf, actor=None)

    assert refusal.value.context["on_hand"] == "1"
    assert [line.location.code for line in sheet.lines.all()] == ["SHELF"]
    assert on_hand(item, location=road) == 4


def test_what_no_transfer_looks_for_may_be_cleared_away(item, shelf, transfer):
    stray = make_item()
    put_on_hand(stray, shelf, "3", value="3.00")
    road = transfer.transit
    Location.objects.filter(pk=road.pk).update(kind="own")  # as it was before the place was used for the road
    transfer_stock(
        key=uuid4(), item=stray, source=shelf, target=Location.objects.get(pk=road.pk), quantity=3 * ONE, actor=None
    )
    Location.objects.filter(pk=road.pk).update(kind="in_transit")
    road = Location.objects.get(pk=road.pk)

    with pytest.raises(DomainError):
        adjust_stock(key=uuid4(), item=item, location=road, quantity=-ONE, reason="gone", actor=None)
    adjust_stock(key=uuid4(), item=stray, location=road, quantity=-3 * ONE, reason="gone", actor=None)

    assert (on_hand(stray), on_hand(item, location=road)) == (0, 5)
