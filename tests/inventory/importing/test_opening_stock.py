from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import Lot, Movement, Posting, StockBalance
from inventory.operations.issuing import issue_stock
from inventory.operations.reversing import reverse_posting
from tests.factories import make_item, make_location, make_unit, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def shelf():
    return make_location(code="SHELF")


@pytest.fixture
def goods():
    wax = make_item(sku="WAX", unit="kg", step="0.001", tracking="lot")
    jar = make_item(sku="JAR")
    make_unit(item=jar, name="case", numerator="24")
    return wax, jar


def run(text, mode=Mode.ALL, **options):
    return run_import(
        kind=kind_named("opening_stock"),
        content=text.encode(),
        file_name="stock.csv",
        actor=None,
        mode=mode,
        options=ImportOptions(**options),
    )


FILE = (
    "Item,Location,Qty,Unit,Lot,Expiry,Unit cost,Status\n"
    "WAX,SHELF,2500,g,W1,2030-01-31,0.0046,\n"
    "WAX,SHELF,1.5,kg,W2,,4.60,quarantine\n"
    "JAR,shelf,2,case,,,12.00,\n"
)


def test_rows_become_receipts_with_lots_units_statuses_and_costs(shelf, goods):
    report = run(FILE)

    assert report.is_applied
    assert [(m.item.sku, m.lot.code, m.status, m.quantity, m.value) for m in Movement.objects.order_by("id")] == [
        ("WAX", "W1", "available", Decimal("2.5"), Decimal("11.50")),
        ("WAX", "W2", "quarantine", Decimal("1.5"), Decimal("6.90")),
        ("JAR", "", "available", Decimal(48), Decimal("24.00")),
    ]
    assert Lot.objects.get(code="W1").expires_on == date(2030, 1, 31)
    assert Posting.objects.get().reference == "Opening stock"
    assert [change.new for change in report.results[0].changes] == ["2.5 kg", "11.50 USD"]


def test_the_same_file_again_changes_nothing_also_after_some_was_used(shelf, goods):
    run(FILE)
    issue_stock(key=uuid4(), item=goods[1], location=shelf, quantity=Decimal(5), actor=None, reason="sample")

    again = run(FILE)

    assert again.counts() == {"new": 0, "changed": 0, "unchanged": 3, "skipped": 0, "refused": 0}
    assert on_hand(goods[1]) == Decimal(43)


def test_a_mended_file_brings_in_only_what_is_new(shelf, goods):
    first = run(FILE.replace("JAR,shelf", "PAN,shelf"), Mode.CLEAN)

    second = run(FILE)

    assert (first.counts()["new"], first.problems[0].message) == (
        2,
        "there is no item PAN. Import the items first, or correct the SKU.",
    )
    assert (second.counts()["new"], second.counts()["unchanged"]) == (1, 2)
    assert on_hand(goods[0]) == Decimal(4)


def test_another_figure_for_the_same_place_is_refused_since_it_would_come_on_top(shelf, goods):
    run(FILE)

    report = run(FILE.replace("2,case", "3,case"))

    (problem,) = report.problems
    assert (problem.row, problem.column) == (4, "Qty")
    assert "got its opening stock on" in problem.message
    assert "with 48 pcs, this row says 72 pcs. It would come on top." in problem.message
    assert on_hand(goods[1]) == Decimal(48)


def test_after_the_receipt_was_reversed_it_may_be_given_again(shelf, goods):
    run(FILE)
    reverse_posting(key=uuid4(), posting=Posting.objects.get(kind="receipt"), actor=None)

    report = run(FILE)

    assert report.counts()["new"] == 3
    assert on_hand(goods[1]) == Decimal(48)


def test_stock_that_came_in_otherwise_is_shown_and_added_to(shelf, goods):
    put_on_hand(goods[1], shelf, "10", value="5.00")

    report = run("SKU,Location,Quantity\nJAR,SHELF,48\n")

    assert [(change.old, change.new) for change in report.results[0].changes] == [("10 pcs", "58 pcs"), ("", "unknown")]
    assert on_hand(goods[1]) == Decimal(58)


def test_one_location_serves_all_rows_of_a_file_without_the_column(shelf, goods):
    refused = run("SKU,Quantity\nJAR,48\n")
    done = run("SKU,Quantity\nJAR,48\n", location=shelf)

    assert refused.problems[0].message.startswith("the row names no location")
    assert (refused.is_applied, done.is_applied) == (False, True)


def test_every_problem_is_told_and_nothing_is_received(shelf, goods):
    text = (
        "SKU,Location,Quantity,Lot,Expires,Unit cost\n"
        "JAR,ATTIC,4,,,\n"
        "JAR,SHELF,1.5,,,\n"
        "JAR,SHELF,~20,,,\n"
        "WAX,SHELF,2 kg,,,\n"
        "WAX,SHELF,2 m,W1,,\n"
        "JAR,SHELF,3,,2030-01-01,\n"
        "JAR,SHELF,,,,\n"
        "WAX,SHELF,1,W9,,12 EUR\n"
        ",,Total:,,,\n"
    )

    report = run(text)

    assert [(problem.row, problem.column) for problem in report.problems] == [
        (2, "Location"),
        (3, "Quantity"),
        (4, "Quantity"),
        (5, "Lot"),
        (6, "Quantity"),
        (7, "Expires"),
        (8, "Quantity"),
        (9, "Unit cost"),
    ]
    assert report.counts() == {"new": 0, "changed": 0, "unchanged": 0, "skipped": 1, "refused": 8}
    assert not StockBalance.objects.exists()


def test_what_only_the_ledger_knows_is_told_at_its_row_and_the_rest_may_come_in(shelf, goods):
    serial = make_item(sku="ROBOT", tracking="serial")
    put_on_hand(serial, shelf, "1", lot="R1")
    text = "SKU,Location,Quantity,Serial number\nROBOT,SHELF,1,R1\nROBOT,SHELF,1,R2\nJAR,SHELF,7,\n"

    report = run(text, Mode.CLEAN)

    assert [(problem.row, problem.column) for problem in report.problems] == [(2, "Serial number")]
    assert "is on hand at SHELF" in report.problems[0].message
    assert (on_hand(serial), on_hand(goods[1])) == (Decimal(2), Decimal(7))


def test_two_rows_for_one_place_are_refused(shelf, goods):
    report = run("SKU,Location,Quantity\nJAR,SHELF,4\njar,shelf,5\n")

    assert report.problems[0].message == "JAR at SHELF stands in row 2 already. Add the two quantities in one row."


def test_a_cost_finer_than_the_currency_is_rounded_once_for_the_row_and_told(shelf, goods):
    report = run("SKU,Location,Quantity,Unit cost\nJAR,SHELF,7,0.333\n")

    assert Movement.objects.get().value == Decimal("2.33")
    assert report.results[0].note == "value rounded to the currency"


def test_many_rows_are_few_postings(shelf):
    items = [make_item(sku=f"N-{n}") for n in range(620)]
    text = "SKU,Location,Quantity\n" + "".join(f"{item.sku},SHELF,1\n" for item in items)

    run(text)

    assert Posting.objects.count() == 2
    assert Movement.objects.count() == 620


def test_a_serial_in_two_rows_is_told_at_the_second_and_the_rest_may_come_in(shelf, goods):
    serial, rack = make_item(sku="ROBOT", tracking="serial"), make_location(code="RACK")
    text = "SKU,Location,Quantity,Serial number\nROBOT,SHELF,1,R1\nROBOT,RACK,1,R1\nJAR,SHELF,7,\n"

    report = run(text, Mode.CLEAN)

    assert [(problem.row, problem.column) for problem in report.problems] == [(3, "Serial number")]
    assert "would be on hand" in report.problems[0].message or "is on hand at SHELF" in report.problems[0].message
    assert (on_hand(serial), on_hand(serial, location=rack), on_hand(goods[1])) == (1, 0, 7)


def test_the_last_day_of_a_lot_need_not_be_typed_in_each_of_its_rows(shelf, goods):
    make_location(code="RACK")
    run("SKU,Location,Quantity,Lot,Expires\nWAX,SHELF,1 kg,L7,2040-01-31\nWAX,RACK,2 kg,L7,\n")

    assert Lot.objects.get(code="L7").expires_on == date(2040, 1, 31)
