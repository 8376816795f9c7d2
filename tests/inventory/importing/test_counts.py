"""Counted figures from a file: recorded once, with every refusal at its row."""

from decimal import Decimal

import pytest

from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import CountLine, CountLineState
from tests.factories import make_item, make_location, make_unit, make_user, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import count, line_of, open_sheet, submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def shelf():
    return make_location(code="SHELF")


@pytest.fixture
def goods(shelf):
    wax = make_item(sku="WAX", unit="kg", step="0.001", tracking="lot")
    jar = make_item(sku="JAR")
    make_unit(item=jar, name="case", numerator="24")
    put_on_hand(wax, shelf, "10", value="40.00", lot="W1")
    put_on_hand(jar, shelf, "48", value="48.00")
    return wax, jar


def run(text, mode=Mode.ALL, actor=None):
    return run_import(kind=kind_named("counts"), content=text.encode(), file_name="count.csv", actor=actor, mode=mode)


def file_of(sheet, wax="9.9", jar="2"):
    return (
        "Sheet,SKU,Location,Lot,Counted,Unit\n"
        f"{sheet.number},WAX,SHELF,w1,{wax},\n"
        f"{sheet.number.lower()},jar,,,{jar},case\n"
    )


def outcomes(report):
    return [str(result.outcome) for result in report.results]


def test_rows_become_counts_in_the_stock_unit(shelf, goods):
    wax, jar = goods
    sheet = open_sheet(shelf)

    report = run(file_of(sheet))

    assert (report.problems, outcomes(report)) == ([], ["new", "new"])
    assert (line_of(sheet, wax).counted, line_of(sheet, jar).counted) == (Decimal("9.9"), Decimal(48))
    submit(sheet)
    assert on_hand(wax) == Decimal("9.9")


def test_a_check_writes_nothing(shelf, goods):
    sheet = open_sheet(shelf)

    report = run(file_of(sheet), Mode.CHECK)

    assert (outcomes(report), report.is_applied) == (["new", "new"], False)
    assert {line.counted for line in sheet.lines.all()} == {None}


def test_the_same_file_again_changes_nothing(shelf, goods):
    sheet = open_sheet(shelf)
    text = file_of(sheet, wax="1")
    first = run(text)
    before = list(CountLine.objects.order_by("pk").values())

    report = run(text)

    assert first.results[0].note == "outside the tolerance: to be counted a second time"
    assert (outcomes(report), report.results[0].note) == (["unchanged", "unchanged"], "to be counted a second time")
    assert list(CountLine.objects.order_by("pk").values()) == before


def test_another_figure_is_the_second_count(shelf, goods):
    wax, _ = goods
    sheet = open_sheet(shelf)
    run(file_of(sheet, wax="1"))

    report = run(file_of(sheet, wax="2"))

    assert [change.old for change in report.results[0].changes] == ["1 kg"]
    assert (line_of(sheet, wax).state, line_of(sheet, wax).counted) == (CountLineState.COUNTED, Decimal(2))


def test_second_count_from_a_file_is_for_another_person_too(shelf, goods):
    planner = make_user(role="planner")
    make_user(role="counter")
    sheet = open_sheet(shelf)
    run(file_of(sheet, wax="1"), actor=planner)

    report = run(file_of(sheet, wax="2"), actor=planner)

    assert "somebody else should make the second" in report.problems[0].message


def test_what_the_sheet_does_not_list_is_added(shelf, goods):
    sheet = open_sheet(shelf)
    make_item(sku="NEW")

    report = run(f"Sheet,SKU,Quantity\n{sheet.number},NEW,0\n")

    assert report.problems == []
    assert CountLine.objects.get(item__sku="NEW").is_unexpected


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("CS-999999,JAR,SHELF,,1", "Sheet", "there is no count sheet CS-999999"),
        ("{sheet},NO,SHELF,,1", "SKU", "there is no item NO"),
        ("{sheet},JAR,NOWHERE,,1", "Location", "there is no location NOWHERE"),
        ("{sheet},JAR,SHELF,,", "Quantity", "the quantity is empty"),
        ("{sheet},JAR,SHELF,,-1", "Quantity", "Give zero or more"),
        ("{sheet},JAR,SHELF,,1.5", "Quantity", "not a multiple of its step"),
        ("{sheet},JAR,SHELF,,~40", "Quantity", "is approximate"),
        ("{sheet},WAX,SHELF,,1", "Lot", "is tracked by lot"),
        ("{sheet},,SHELF,,1", "SKU", "the item is empty"),
    ],
)
def test_row_that_cannot_be_is_refused_at_its_cell(shelf, goods, row, column, said):
    sheet = open_sheet(shelf)

    report = run(f"Sheet,SKU,Location,Lot,Quantity\n{row.format(sheet=sheet.number)}\n")

    assert (report.problems[0].row, report.problems[0].column) == (2, column)
    assert said in report.problems[0].message
    assert {line.counted for line in sheet.lines.all()} == {None}


def test_cell_that_stands_twice_is_refused(shelf, goods):
    sheet = open_sheet(shelf)

    report = run(f"Sheet,SKU,Quantity\n{sheet.number},JAR,48\n{sheet.number},JAR,47\n")

    assert "stands in row 2 already" in report.problems[0].message


def test_counted_cell_keeps_its_figure(shelf, goods):
    _, jar = goods
    sheet = open_sheet(shelf)
    count(line_of(sheet, jar), "48")

    report = run(f"Sheet,SKU,Quantity\n{sheet.number},JAR,47\n")

    assert "was counted with 48 pcs, this row says 47 pcs" in report.problems[0].message
    assert line_of(sheet, jar).counted == Decimal(48)


def test_finished_sheet_takes_no_figures(shelf, goods):
    _, jar = goods
    sheet = open_sheet(shelf, items=[jar])
    count(line_of(sheet, jar), "48")
    submit(sheet)
    make_item(sku="NEW")

    report = run(f"Sheet,SKU,Quantity\n{sheet.number},NEW,1\n{sheet.number},JAR,48\n", Mode.CLEAN)

    assert outcomes(report) == ["refused", "unchanged"]
    assert "is not being counted" in report.problems[0].message
