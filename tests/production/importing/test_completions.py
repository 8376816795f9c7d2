"""The import of completions: checked with a diff, recorded once whatever is imported again."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from inventory.importing.running import Mode, kind_named, run_import
from production.models import Completion
from production.operations.work_orders import open_work_order
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import make_bom

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]

FILE = "Item or work order,Good,Scrap,Scrap reason,Into,Reason,Key\nTHING,4,,,BENCH,,r1\nTHING,3,1,broken,BENCH,,r2\n"


@pytest.fixture
def thing():
    bench, wick, item = make_location(code="BENCH"), make_item(sku="WICK"), make_item(sku="THING")
    make_bom(item=item, lines=[(wick, "2")])
    put_on_hand(wick, bench, "100", value="100.00")
    return item


def bring(text, mode=Mode.ALL):
    return run_import(
        kind=kind_named("completions"), content=text.encode(), file_name="made.csv", actor=None, mode=mode
    )


def test_a_check_shows_what_would_change_and_writes_nothing(thing):
    report = bring(FILE, Mode.CHECK)

    assert [str(result.outcome) for result in report.results] == ["new", "new"]
    assert [(c.field, c.old, c.new) for c in report.results[1].changes] == [
        ("THING in BENCH", "4 pcs", "7 pcs"),
        ("WICK", "92 pcs", "84 pcs"),
    ]
    assert Completion.objects.count() == 0
    assert on_hand(thing) == 0


def test_the_same_file_again_changes_nothing(thing):
    first, second = bring(FILE), bring(FILE)

    assert [str(result.outcome) for result in first.results] == ["new", "new"]
    assert [str(result.outcome) for result in second.results] == ["unchanged", "unchanged"]
    assert (Completion.objects.count(), on_hand(thing)) == (2, 7)


def test_without_keys_the_file_and_the_row_count(thing):
    text = "SKU,Quantity,Into\nTHING,2,BENCH\nTHING,2,BENCH\n"

    bring(text)
    bring(text)

    assert on_hand(thing) == 4


def test_a_known_key_with_other_figures_is_refused(thing):
    bring(FILE)

    report = bring(FILE.replace("THING,4", "THING,5"))

    assert "this key was used for 4 good and 0 scrapped of THING" in report.problems[0].message
    assert on_hand(thing) == 7


def test_rows_for_an_order_follow_its_plan_and_its_place(thing):
    order = open_work_order(item=thing, planned=Decimal(10), output_location=make_location(code="SHELF"), actor=None)
    text = f"Work order,Good,Date\n{order.number},6,\n{order.number},6,\n"

    report = bring(text, Mode.CLEAN)

    assert [str(result.outcome) for result in report.results] == ["new", "refused"]
    assert "at most 4 more may be completed" in report.problems[0].message
    order.refresh_from_db()
    assert order.good == 6


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("NOBODY,1,,,BENCH,,x", "Item or work order", "Nothing that can be made is called “NOBODY”"),
        ("THING,,,,BENCH,,x", "Good", "How many were made"),
        ("THING,1,1,,BENCH,,x", "Scrap reason", "Scrap needs a reason"),
        ("THING,1,,,MOON,,x", "Into", "There is no own place MOON"),
        ("THING,1,,,,,x", "Into", "Where does the finished THING go"),
        ("THING,90,,,BENCH,,x", "Good", "this completion needs 180 pcs"),
        ("THING,half,,,BENCH,,x", "Good", "is not a quantity"),
    ],
)
def test_each_row_says_what_is_wrong_with_it(thing, row, column, words):
    report = bring(FILE.splitlines()[0] + "\n" + row + "\n")

    assert [(problem.column, words in problem.message) for problem in report.problems] == [(column, True)], (
        report.problems
    )
    assert Completion.objects.count() == 0


@pytest.mark.parametrize(
    "row",
    ["THING,4,,,SHELF,,r1,,", "THING,4,,,BENCH,other reason,r1,,", "THING,4,,,BENCH,,r1,WICK = 9 (spilled),",
     "THING,4,,,BENCH,,r1,,2020-01-02", "THING,5,,,BENCH,,r1,,"],
)  # fmt: skip
def test_a_key_that_recorded_something_else_is_refused_whatever_differs(thing, row):
    make_location(code="SHELF")
    head = FILE.splitlines()[0] + ",Used,Date\n"
    bring(head + "THING,4,,,BENCH,,r1,,\n")

    again = bring(head + row + "\n", Mode.CHECK)

    assert [str(result.outcome) for result in again.results] == ["refused"]
    assert "the row says something else" in again.problems[0].message
    assert Completion.objects.count() == 1


def test_a_row_of_today_is_the_same_row_tomorrow(thing):
    text = f"SKU,Quantity,Into,Date,Key\nTHING,2,BENCH,{timezone.localdate()},r1\n"
    bring(text)

    with time_machine.travel(timezone.now() + timedelta(days=1), tick=False):
        again = bring(text)

    assert [str(result.outcome) for result in again.results] == ["unchanged"]
    assert on_hand(thing) == 2


def test_an_unusual_quantity_is_refused_until_its_row_is_confirmed(thing):
    bring("SKU,Quantity,Into\nTHING,1,BENCH\nTHING,2,BENCH\nTHING,2,BENCH\n")
    slip = "SKU,Quantity,Into,Confirmed,Key\nTHING,20,BENCH,{},slip\n"

    asked = bring(slip.format(""), Mode.CHECK)
    refused = bring(slip.format("no"))
    done = bring(slip.format("yes"))

    for report in (asked, refused):
        assert [str(result.outcome) for result in report.results] == ["refused"]
        assert "20 pcs of THING is far more than the usual 2" in report.problems[0].message
        assert "Write yes into the column Confirmed" in report.problems[0].message
    assert [str(result.outcome) for result in done.results] == ["new"]
    assert on_hand(thing) == 25
