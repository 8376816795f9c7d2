"""Opening a sheet, scanning, counting once and twice. Nothing is posted by any of it."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.errors import (
    DuplicateSerial,
    InvalidQuantity,
    InvalidQuantityStep,
    InvalidUnit,
    LotRequired,
    SecondPersonRequired,
    WrongState,
)
from inventory.models import CountLine, CountLineState, CountSheet, CountSheetState, Posting, StockStatus, Tracking
from inventory.operations.counting import add_found_line, cancel_count_sheet
from inventory.operations.issuing import issue_stock
from inventory.operations.transferring import change_status
from tests.factories import make_item, make_location, make_unit, make_user, put_on_hand
from tests.inventory.operations.counting_steps import approve_from, count, line_of, open_sheet, scan, submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def site():
    return make_location(code="SITE")


@pytest.fixture
def shelf(site):
    return make_location(code="SHELF", parent=site)


def test_sheet_holds_every_cell_of_a_place_and_of_what_lies_below_it(site, shelf):
    here, below, elsewhere = make_item(), make_item(tracking=Tracking.LOT), make_item()
    put_on_hand(here, site, "5")
    put_on_hand(below, shelf, "3", lot="L1")
    put_on_hand(below, shelf, "4", lot="L2")
    put_on_hand(elsewhere, make_location(), "1")

    sheet = open_sheet(site)

    assert sheet.number == f"CS-{sheet.pk:06d}"
    assert {(line.item, line.lot.code) for line in sheet.lines.all()} == {(here, ""), (below, "L1"), (below, "L2")}
    assert {line.state for line in sheet.lines.all()} == {CountLineState.TO_COUNT}
    assert {line.expected for line in sheet.lines.all()} == {None}


def test_held_stock_is_a_cell_of_its_own(site):
    item = make_item()
    put_on_hand(item, site, "5")
    change_status(
        key=uuid4(), item=item, location=site, quantity=Decimal(2), from_status="available", to_status="damaged",
        reason="broken", actor=None,
    )  # fmt: skip

    sheet = open_sheet(site)

    assert {line.status for line in sheet.lines.all()} == {StockStatus.AVAILABLE, StockStatus.DAMAGED}


def test_chosen_item_that_is_nowhere_gets_an_empty_cell_to_look_for(site, shelf):
    item = make_item()
    put_on_hand(make_item(), shelf, "1")

    sheet = open_sheet(site, items=[item])

    (line,) = sheet.lines.all()
    assert (line.item, line.location, scan(line).expected) == (item, site, Decimal(0))


def test_most_urgent_cells_of_the_plan_are_chosen(site):
    for _ in range(4):
        put_on_hand(make_item(), site, "5")

    assert open_sheet(site, top=3).lines.count() == 3
    assert open_sheet(site, top=3).lines.count() == 1


def test_cell_is_on_one_unfinished_sheet_at_a_time(site):
    one, two = make_item(), make_item()
    put_on_hand(one, site, "5")
    first = open_sheet(site, items=[one])
    put_on_hand(two, site, "5")

    second = open_sheet(site)

    assert [line.item for line in second.lines.all()] == [two]
    with pytest.raises(WrongState, match=first.number):
        open_sheet(site, items=[one])
    cancel_count_sheet(sheet=first, actor=None)
    assert open_sheet(site, items=[one]).lines.count() == 1


def test_place_without_stock_has_nothing_to_count(site):
    with pytest.raises(WrongState, match="Nothing of what was chosen stands at SITE"):
        open_sheet(site)

    assert CountSheet.objects.count() == 0


def test_expected_is_what_the_book_held_when_the_cell_was_scanned(site):
    item = make_item()
    put_on_hand(item, site, "10")
    line = line_of(open_sheet(site), item)
    put_on_hand(item, site, "2")

    scanned = scan(line)
    put_on_hand(item, site, "5")

    line.refresh_from_db()
    assert line.expected == Decimal(12)
    assert line.scanned_at == scanned.scanned_at


def test_count_within_tolerance_stands(site, operator):
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    line = line_of(open_sheet(site), item)  # not used for a year: class C, 5 %

    result = count(line, "96", actor=operator)

    assert not result.needs_recount
    line.refresh_from_db()
    assert (line.state, line.counted, line.expected, line.variance) == (
        CountLineState.COUNTED,
        Decimal(96),
        Decimal(100),
        Decimal(-4),
    )
    assert (line.variance_value, line.counted_by, line.group) == (Decimal("-4.00"), operator, "C")
    assert Posting.objects.filter(kind="count").count() == 0


def test_count_outside_the_tolerance_asks_for_a_second_one_and_that_one_stands(site, operator, planner):
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    line = line_of(open_sheet(site), item)

    assert count(line, "90", actor=operator).needs_recount
    line.refresh_from_db()
    assert (line.state, line.counted, line.expected, line.first_counted, line.first_expected) == (
        CountLineState.RECOUNT,
        None,
        None,
        Decimal(90),
        Decimal(100),
    )
    issue_stock(key=uuid4(), item=item, location=site, quantity=Decimal(10), actor=None)
    assert not count(line, "80", actor=planner).needs_recount

    line.refresh_from_db()
    assert (line.state, line.counted, line.expected) == (CountLineState.COUNTED, Decimal(80), Decimal(90))
    assert (line.first_counted_by, line.counted_by, line.is_recounted_alone) == (operator, planner, False)


def test_second_count_is_for_another_person_unless_nobody_else_is_there(site, operator):
    item = make_item()
    put_on_hand(item, site, "100")
    line = line_of(open_sheet(site), item)
    count(line, "10", actor=operator)
    make_user(role="counter")

    with pytest.raises(SecondPersonRequired, match="somebody else should make the second"):
        count(line, "10", actor=operator)
    line.refresh_from_db()
    assert (line.state, line.counted) == (CountLineState.RECOUNT, None)

    count(line, "10", actor=operator, alone=True)
    line.refresh_from_db()
    assert line.is_recounted_alone


def test_only_person_who_may_count_counts_again(site, operator):
    item = make_item()
    put_on_hand(item, site, "100")
    line = line_of(open_sheet(site), item)
    make_user(role="viewer")

    count(line, "10", actor=operator)

    assert not count(line, "10", actor=operator).needs_recount
    assert CountLine.objects.get(pk=line.pk).is_recounted_alone


def test_expected_nothing_tolerates_nothing_else(site):
    item = make_item()
    put_on_hand(make_item(), site, "1")
    line = line_of(open_sheet(site, items=[item]), item)

    assert count(line, "1").needs_recount


def test_cannot_find_it_is_zero(site):
    item = make_item()
    put_on_hand(item, site, "3")
    line = line_of(open_sheet(site), item)

    count(line, "0")
    count(line, "0", alone=True)

    line.refresh_from_db()
    assert (line.counted, line.variance) == (Decimal(0), Decimal(-3))


def test_pack_units_are_converted_exactly(site):
    item = make_item()
    make_unit(item=item, name="box", numerator="12")
    put_on_hand(item, site, "24")
    line = line_of(open_sheet(site), item)

    count(line, "2", unit="box")

    line.refresh_from_db()
    assert line.counted == Decimal(24)


@pytest.mark.parametrize(
    ("quantity", "unit", "refusal"),
    [
        ("-1", "", InvalidQuantity),
        ("NaN", "", InvalidQuantity),
        ("1.5", "", InvalidQuantityStep),
        ("1", "kg", InvalidUnit),
    ],
)
def test_impossible_figure_is_refused_and_nothing_is_kept(site, quantity, unit, refusal):
    item = make_item()
    put_on_hand(item, site, "3")
    line = line_of(open_sheet(site), item)

    with pytest.raises(refusal):
        count(line, quantity, unit=unit)

    line.refresh_from_db()
    assert (line.state, line.counted, line.scanned_at) == (CountLineState.TO_COUNT, None, None)


def test_serial_is_there_once_or_not_at_all(site):
    item = make_item(tracking=Tracking.SERIAL)
    put_on_hand(item, site, "1", lot="S1")
    line = line_of(open_sheet(site), item)

    with pytest.raises(DuplicateSerial):
        count(line, "2")
    assert not count(line, "1").needs_recount


def test_counted_line_is_counted_again_only_after_a_new_scan(site):
    item = make_item()
    put_on_hand(item, site, "100")
    line = line_of(open_sheet(site), item)
    count(line, "99")

    with pytest.raises(WrongState, match="Scan it again"):
        count(line, "98")
    scan(line)
    count(line, "98")

    line.refresh_from_db()
    assert (line.first_counted, line.counted, line.state) == (Decimal(99), Decimal(98), CountLineState.COUNTED)


def test_variance_of_unknown_cost_stays_unknown_and_needs_approval(site):
    item = make_item()
    put_on_hand(item, site, "100")
    line = line_of(open_sheet(site), item)

    count(line, "99")

    line.refresh_from_db()
    assert (line.variance_value, line.needs_approval) == (None, True)


@pytest.mark.parametrize(("value", "needs_approval"), [("4.00", False), ("3.99", True)])
def test_variance_above_the_value_of_its_class_needs_approval(site, value, needs_approval):
    approve_from(value)
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    line = line_of(open_sheet(site), item)

    count(line, "96")

    line.refresh_from_db()
    assert line.needs_approval is needs_approval


def test_found_thing_becomes_a_line_of_the_sheet(site, shelf):
    put_on_hand(make_item(), site, "1")
    sheet = open_sheet(site)
    item = make_item(tracking=Tracking.LOT)

    line = add_found_line(sheet=sheet, item=item, location=shelf, lot_code="L9", actor=None)

    assert (line.is_unexpected, line.expected, line.lot.code, line.location) == (True, Decimal(0), "L9", shelf)
    assert line.tolerance_percent == Decimal(5)


def test_found_thing_that_the_sheet_lists_is_scanned(site):
    item = make_item()
    put_on_hand(item, site, "7")
    sheet = open_sheet(site)

    line = add_found_line(sheet=sheet, item=item, location=site, actor=None)

    assert (sheet.lines.count(), line.is_unexpected, line.expected) == (1, False, Decimal(7))


def test_found_thing_outside_the_place_or_without_lot_or_on_another_sheet_is_refused(site):
    other, item = make_location(), make_item()
    put_on_hand(make_item(), site, "1")
    put_on_hand(item, site, "1")
    sheet, second = open_sheet(site, items=[item]), open_sheet(site)
    lines = CountLine.objects.count()

    with pytest.raises(WrongState, match="is not below SITE"):
        add_found_line(sheet=sheet, item=make_item(), location=other, actor=None)
    with pytest.raises(LotRequired):
        add_found_line(sheet=sheet, item=make_item(tracking=Tracking.LOT), location=site, actor=None)
    with pytest.raises(WrongState, match=sheet.number):
        add_found_line(sheet=second, item=item, location=site, actor=None)
    assert CountLine.objects.count() == lines


def test_finished_sheet_is_neither_counted_nor_cancelled(site):
    item = make_item()
    put_on_hand(item, site, "5")
    sheet = open_sheet(site)
    line = line_of(sheet, item)
    count(line, "5")
    submit(sheet)

    for again in (lambda: scan(line), lambda: count(line, "4"), lambda: cancel_count_sheet(sheet=sheet, actor=None)):
        with pytest.raises(WrongState):
            again()
    sheet.refresh_from_db()
    assert sheet.state == CountSheetState.POSTED


def test_opening_a_sheet_costs_the_same_with_few_and_many_cells(site):
    def statements(cells):
        place = make_location()
        for _ in range(cells):
            put_on_hand(make_item(), place, "5")
        with CaptureQueriesContext(connection) as captured:
            open_sheet(place)
        return len(captured)

    assert statements(1) == statements(20)
