"""A serial number is one piece: no operation may put a second one of it on hand."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import DuplicateSerial
from inventory.models import Posting
from inventory.operations.issuing import issue_stock
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.reporting import ReportedQuantity, report_external_stock
from inventory.operations.returning import CustomerReturnLine, return_from_customer
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import transfer_stock
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def pump(db):
    return make_item(sku="PUMP", tracking="serial")


@pytest.fixture
def main(db):
    return make_location(code="MAIN")


def issue(item, place, lot):
    return issue_stock(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(1),
        lots=((lot_of(item, lot), Decimal(1)),),
        reason="it is the one asked for",
        actor=None,
    ).posting


def test_one_receipt_does_not_bring_a_serial_twice(pump, main):
    shelf = make_location(code="SHELF")
    lines = [ReceiptLine(pump, place, Decimal(1), lot_code=code) for place, code in ((main, "SN-1"), (shelf, "sn-1"))]

    with pytest.raises(DuplicateSerial) as refusal:
        receive_stock(key=uuid4(), lines=lines, actor=None)

    assert refusal.value.context["locations"] == ["MAIN", "SHELF"]
    assert refusal.value.context["on_hand"] == "2"
    assert (on_hand(pump), Posting.objects.count()) == (0, 0)


def test_the_same_serial_twice_at_one_place_is_refused(pump, main):
    lines = [ReceiptLine(pump, main, Decimal(1), lot_code="SN-1") for _ in range(2)]

    with pytest.raises(DuplicateSerial, match="is one piece, and 2 would be on hand, at MAIN"):
        receive_stock(key=uuid4(), lines=lines, actor=None)

    assert on_hand(pump) == 0


def test_undoing_an_issue_is_refused_when_the_piece_came_back_by_a_receipt(pump, main):
    put_on_hand(pump, main, "1", lot="SN-1")
    gone = issue(pump, main, "SN-1")
    put_on_hand(pump, main, "1", lot="SN-1")
    postings = Posting.objects.count()

    with pytest.raises(DuplicateSerial):
        reverse_posting(key=uuid4(), posting=gone, actor=None)

    assert (on_hand(pump), Posting.objects.count()) == (1, postings)


def test_undoing_an_issue_brings_the_piece_back(pump, main):
    put_on_hand(pump, main, "1", lot="SN-1")

    reverse_posting(key=uuid4(), posting=issue(pump, main, "SN-1"), actor=None)

    assert on_hand(pump, lot="SN-1") == 1


def test_customers_do_not_send_one_piece_back_twice(pump, main):
    lines = [CustomerReturnLine(item=pump, location=main, quantity=Decimal(1), lot_code="SN-1") for _ in range(2)]

    with pytest.raises(DuplicateSerial):
        return_from_customer(key=uuid4(), lines=lines, actor=None)

    assert on_hand(pump) == 0


def test_a_third_party_does_not_report_a_piece_that_stands_elsewhere(pump, main):
    put_on_hand(pump, main, "1", lot="SN-1")
    store = make_location(code="3PL", kind="3pl")

    with pytest.raises(DuplicateSerial) as refusal:
        report_external_stock(
            key=uuid4(),
            location=store,
            as_of=timezone.now(),
            lines=[ReportedQuantity(pump, Decimal(1), lot_code="SN-1")],
            actor=None,
        )

    assert refusal.value.context["locations"] == ["3PL", "MAIN"]
    assert on_hand(pump, location=store) == 0


def test_a_third_party_does_not_report_a_piece_in_two_bins(pump):
    store = make_location(code="3PL", kind="3pl")
    bins = [make_location(code=f"3PL-{number}", kind="3pl", parent=store) for number in (1, 2)]

    with pytest.raises(DuplicateSerial):
        report_external_stock(
            key=uuid4(),
            location=store,
            as_of=timezone.now(),
            lines=[ReportedQuantity(pump, Decimal(1), location=place, lot_code="SN-1") for place in bins],
            actor=None,
        )

    assert on_hand(pump) == 0


def test_a_piece_may_move(pump, main):
    shelf = make_location(code="SHELF")
    put_on_hand(pump, main, "1", lot="SN-1")

    transfer_stock(key=uuid4(), item=pump, source=main, target=shelf, quantity=Decimal(1), actor=None)

    assert on_hand(pump, location=shelf) == 1


def test_pieces_from_before_they_had_numbers_may_be_many(main):
    nuts = make_item()
    put_on_hand(nuts, main, "5")
    nuts.tracking = "serial"
    nuts.save()

    undone = issue_stock(key=uuid4(), item=nuts, location=main, quantity=Decimal(3), actor=None).posting
    reverse_posting(key=uuid4(), posting=undone, actor=None)

    assert on_hand(nuts) == 5
