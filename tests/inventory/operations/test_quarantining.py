from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import ReservedByOther, WrongState
from inventory.models import LocationKind, Posting, PostingKind, Reservation, ReservationChange, StockBalance
from inventory.operations.quarantining import quarantine_lots
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transit import DispatchLine, dispatch_transfer
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def stop(*lots, key=None, reason="Supplier recall", **fields):
    return quarantine_lots(key=key or uuid4(), lots=lots, reason=reason, actor=None, **fields)


def held(item):
    return {
        (row.location.code, row.lot.code, row.status): row.quantity
        for row in StockBalance.objects.filter(item=item).exclude(quantity=0).select_related("location", "lot")
    }


@pytest.fixture
def wax():
    """Two lots of wax at two places, one of them partly on hold."""
    item, store, bench = make_item(sku="WAX", tracking="lot"), make_location(code="STORE"), make_location(code="BENCH")
    put_on_hand(item, store, "5", lot="A", value="10.00")
    put_on_hand(item, bench, "2", lot="A", value="4.00")
    put_on_hand(item, bench, "1", lot="A", status="qc_hold", value="2.00")
    put_on_hand(item, store, "7", lot="B", value="14.00")
    return item


def test_stops_all_of_the_lots_wherever_they_lie_in_one_posting(wax):
    jar = make_item(sku="JAR", tracking="lot")
    put_on_hand(jar, make_location(code="SHELF"), "3", lot="J")

    result = stop(lot_of(wax, "A"), lot_of(jar, "J"))

    assert held(wax) == {
        ("STORE", "A", "quarantine"): 5,
        ("BENCH", "A", "quarantine"): 3,
        ("STORE", "B", "available"): 7,
    }
    assert held(jar) == {("SHELF", "J", "quarantine"): 3}
    assert (result.posting.kind, result.posting.reason) == (PostingKind.STATUS_CHANGE, "Supplier recall")


def test_is_taken_back_like_any_other_posting(wax):
    before = held(wax)

    reverse_posting(key=uuid4(), posting=stop(lot_of(wax, "A")).posting, actor=None)

    assert held(wax) == before


def test_the_same_key_answers_the_same_posting(wax):
    key = uuid4()
    first = stop(lot_of(wax, "A"), key=key)

    again = stop(lot_of(wax, "A"), key=key)

    assert (again.posting, again.replayed) == (first.posting, True)


def test_promised_stock_stands_in_the_way_and_is_listed(wax):
    promise(wax, "3", "1042")
    before, postings = held(wax), Posting.objects.count()

    with pytest.raises(ReservedByOther) as refusal:
        stop(lot_of(wax, "A"), lot_of(wax, "B"))

    assert refusal.value.context["reserved"] == [
        {"lot": "A", "location": "STORE", "quantity": "3", "demand_kind": "order", "demand_ref": "1042"}
    ]
    assert (held(wax), Posting.objects.count()) == (before, postings)


def test_promises_are_let_go_of_when_asked_for_and_the_log_says_why(wax):
    promise(wax, "3", "1042")

    result = stop(lot_of(wax, "A"), release_reserved=True)

    assert result.released == 3
    assert Reservation.objects.get().quantity == 0
    assert ReservationChange.objects.latest("pk").reason == f"lot stopped by posting {result.posting.pk}"
    assert on_hand(wax, status="available", lot="A") == 0


def test_goods_on_the_road_stay_and_are_reported(wax):
    road, source = make_location(code="ROAD", kind=LocationKind.IN_TRANSIT, is_sellable=False), make_location()
    put_on_hand(wax, source, "4", lot="A")
    dispatch_transfer(
        key=uuid4(),
        source=source,
        target=make_location(),
        transit=road,
        lines=[DispatchLine(wax, Decimal(4), lots=[(lot_of(wax, "A"), Decimal(4))])],
        actor=None,
    )

    result = stop(lot_of(wax, "A"))

    assert [(cell.location_id, cell.quantity) for cell in result.on_the_road] == [(road.pk, 4)]
    assert held(wax)[("ROAD", "A", "available")] == 4


@pytest.mark.parametrize("reason", ["", "  "])
def test_needs_a_reason(wax, reason):
    before = held(wax)

    with pytest.raises(WrongState):
        stop(lot_of(wax, "A"), reason=reason)

    assert held(wax) == before


def test_nothing_left_to_stop_is_refused(wax):
    stop(lot_of(wax, "A"))
    postings = Posting.objects.count()

    with pytest.raises(WrongState) as refusal:
        stop(lot_of(wax, "A"))

    assert "nothing to stop" in refusal.value.message
    assert Posting.objects.count() == postings


def promise(item, quantity, order):
    reserve_stock(
        item=item,
        location=StockBalance.objects.get(lot=lot_of(item, "A"), location__code="STORE").location,
        quantity=Decimal(quantity),
        lots=[(lot_of(item, "A"), Decimal(quantity))],
        demand_kind="order",
        demand_ref=order,
        actor=None,
        pinned=True,
    )
