from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.importing.reports import Outcome
from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import Movement, Posting
from inventory.operations.reversing import reverse_posting
from tests.factories import make_item, make_location, make_unit, make_user, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def goods():
    wax = make_item(sku="WAX", unit="kg", step="0.001", tracking="lot")
    jar = make_item(sku="JAR")
    make_unit(item=jar, name="case", numerator="24")
    return wax, jar


@pytest.fixture
def places():
    return make_location(code="SHELF"), make_location(code="BENCH")


def run(kind, text, mode=Mode.ALL, actor=None, **options):
    return run_import(
        kind=kind_named(kind),
        content=text.encode(),
        file_name="rows.csv",
        actor=actor,
        mode=mode,
        options=ImportOptions(**options),
    )


RECEIPTS = (
    "Item,Location,Qty,Unit,Lot,Expiry,Unit cost,Reference\n"
    "WAX,SHELF,2500,g,W1,2040-01-31,0.0046,PO-1\n"
    "JAR,shelf,2,case,,,12.00,PO-2\n"
)


def test_rows_become_receipts_under_their_own_references(places, goods):
    report = run("receipts", RECEIPTS)

    assert report.is_applied, report.problems
    assert [
        (m.item.sku, m.lot.code, m.quantity, m.value, m.posting.reference) for m in Movement.objects.order_by("id")
    ] == [
        ("WAX", "W1", Decimal("2.5"), Decimal("11.50"), "PO-1"),
        ("JAR", "", Decimal(48), Decimal("24.00"), "PO-2"),
    ]
    assert [[(c.field, c.old, c.new) for c in result.changes] for result in report.results] == [
        [("SHELF, lot W1", "0 kg", "2.5 kg")],
        [("SHELF", "0 pcs", "48 pcs")],
    ]


def test_a_check_writes_nothing_and_the_same_file_again_changes_nothing(places, goods):
    checked = run("receipts", RECEIPTS, Mode.CHECK)
    assert (checked.counts()["new"], Posting.objects.count()) == (2, 0)
    run("receipts", RECEIPTS)

    again = run("receipts", RECEIPTS)

    assert [result.outcome for result in again.results] == [Outcome.UNCHANGED] * 2
    assert Posting.objects.count() == 2


def test_rows_see_what_earlier_rows_moved(places, goods):
    put_on_hand(goods[1], places[0], "10", value="10.00")

    report = run(
        "transfers",
        "SKU,Quantity,From,To,Reference\nJAR,6,SHELF,BENCH,T1\nJAR,5,BENCH,SHELF,T2\nJAR,10,SHELF,BENCH,T3\n",
    )

    assert [str(problem) for problem in report.problems] == [
        "Row 4, Quantity: SHELF holds 9 pcs of JAR; 10 are needed. Receive more, or take less."
    ]
    assert not report.is_applied
    assert on_hand(goods[1], location=places[0]) == 10
    clean = run(
        "transfers", "SKU,Quantity,From,To\nJAR,6,SHELF,BENCH\nJAR,5,BENCH,SHELF\nJAR,99,SHELF,BENCH\n", Mode.CLEAN
    )
    assert clean.counts()["new"] == 2
    assert [(c.field, c.old, c.new) for c in clean.results[1].changes] == [
        ("BENCH", "6 pcs", "1 pcs"),
        ("SHELF", "4 pcs", "9 pcs"),
    ]


def test_adjusts_up_and_down_with_a_reason(places, goods):
    wax, jar = goods
    put_on_hand(jar, places[0], "10", value="10.00")

    report = run(
        "adjustments",
        "Item,Qty,Reason,Lot,Value\nJAR,-3,Counted,,\nWAX,0.5 kg,Found,W9,2.00\nJAR,1,,,\nJAR,0,Counted,,\n",
        Mode.CLEAN,
        location=places[0],
    )

    assert (on_hand(jar), on_hand(wax, lot="W9")) == (7, Decimal("0.5"))
    assert [(problem.row, problem.column) for problem in report.problems] == [(4, "Reason"), (5, "Qty")]


def test_scraps_name_lots_and_reasons(places, goods):
    wax, jar = goods
    put_on_hand(wax, places[0], "4", lot="W1", value="4.00")
    put_on_hand(jar, places[0], "4", value="4.00")

    report = run(
        "scraps",
        "Item,Location,Qty,Reason,Lot\nWAX,SHELF,1,Spilled,w1\nWAX,SHELF,1,Spilled,\nJAR,SHELF,1,Broken,\nWAX,SHELF,1,Spilled,W2\n",
        Mode.CLEAN,
    )

    assert (on_hand(wax), on_hand(jar)) == (3, 3)
    assert [(problem.row, problem.column) for problem in report.problems] == [(3, "Lot"), (5, "Lot")]


def test_a_key_is_used_once_whatever_the_file(places, goods):
    first = "Key,Item,Location,Qty,Reference\nA-1,JAR,SHELF,5,R1\n"
    run("receipts", first)

    more = run("receipts", first + "A-2,JAR,SHELF,2,R2\n")
    other = run(
        "receipts", "Key,Item,Location,Qty,Reference\nA-1,JAR,SHELF,6,R1\nA-3,JAR,SHELF,1,R3\nA-3,JAR,SHELF,1,R3\n"
    )

    assert [result.outcome for result in more.results] == [Outcome.UNCHANGED, Outcome.NEW]
    assert [(problem.row, problem.column) for problem in other.problems] == [(2, "Key"), (4, "Key")]
    assert "was used on" in other.problems[0].message
    assert on_hand(goods[1]) == 7


def test_a_row_that_was_reversed_is_not_recorded_again(places, goods):
    run("receipts", RECEIPTS)
    reverse_posting(key=uuid4(), posting=Posting.objects.earliest("pk"), actor=None)

    assert run("receipts", RECEIPTS).counts()["unchanged"] == 2
    assert on_hand(goods[0]) == 0


def test_an_earlier_day_needs_the_privilege(places, goods):
    day = timezone.localdate() - timedelta(days=3)
    text = f"Item,Location,Qty,Date\nJAR,SHELF,5,{day}\n"

    refused = run("receipts", text, actor=make_user(role="operator"))
    done = run("receipts", text)

    assert [problem.column for problem in refused.problems] == ["Date"]
    assert done.is_applied
    assert timezone.localtime(Posting.objects.get().effective_at).date() == day
    assert run("receipts", text).counts()["unchanged"] == 1


def test_unknown_names_and_figures_are_told_at_their_cells(places, goods):
    report = run(
        "transfers",
        "Item,Qty,From,To\nNOPE,1,SHELF,BENCH\nJAR,~2,SHELF,BENCH\nJAR,1,NOWHERE,BENCH\nJAR,1,SHELF,NOWHERE\n",
    )

    assert [(problem.row, problem.column) for problem in report.problems] == [
        (2, "Item"),
        (3, "Qty"),
        (4, "From"),
        (5, "To"),
    ]
    assert not Posting.objects.exists()


@pytest.mark.parametrize(
    "changed",
    [
        "K1,JAR,SHELF,-5,Counted,,,R1",
        "K1,JAR,BENCH,5,Counted,,10.00,R1",
        "K1,JAR,SHELF,5,Found,,10.00,R1",
        "K1,JAR,SHELF,5,Counted,,11.00,R1",
        "K1,JAR,SHELF,5,Counted,damaged,10.00,R1",
        "K1,JAR,SHELF,5,Counted,,10.00,R2",
    ],
)
def test_a_row_that_says_something_else_under_a_known_key_is_refused(places, goods, changed):
    head = "Key,Item,Location,Qty,Reason,Status,Value,Reference\n"
    recorded = "K1,JAR,SHELF,5,Counted,,10.00,R1"
    run("adjustments", f"{head}{recorded}\n")

    again = run("adjustments", f"{head}{recorded}\nK2,JAR,SHELF,1,Counted,,1.00,R1\n")
    other = run("adjustments", f"{head}{changed}\n")

    assert [result.outcome for result in again.results] == [Outcome.UNCHANGED, Outcome.NEW]
    assert [(problem.row, problem.column) for problem in other.problems] == [(2, "Key")]
    assert "was used on" in other.problems[0].message
    assert on_hand(goods[1]) == 6


def test_another_day_under_a_known_key_is_refused(places, goods):
    head, today = "Key,Item,Location,Qty,Date\n", timezone.localdate()
    run("receipts", f"{head}K1,JAR,SHELF,5,{today - timedelta(days=3)}\n")

    other = run("receipts", f"{head}K1,JAR,SHELF,5,{today - timedelta(days=2)}\n")

    assert [problem.column for problem in other.problems] == ["Key"]
    assert on_hand(goods[1]) == 5


def test_a_row_dated_today_is_the_same_row_tomorrow(places, goods, monkeypatch):
    text = f"Key,Item,Location,Qty,Date\nK1,JAR,SHELF,5,{timezone.localdate()}\n"
    run("receipts", text)
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(days=1))

    assert run("receipts", text).counts()["unchanged"] == 1


def test_a_recorded_row_stays_unchanged_when_it_could_not_be_recorded_any_more(places, goods):
    text = "Key,Item,Location,Qty\nK1,JAR,SHELF,5\n"
    run("receipts", text)
    goods[1].is_active = False
    goods[1].save()

    assert run("receipts", text).counts()["unchanged"] == 1
    assert [problem.column for problem in run("receipts", text.replace(",5", ",6")).problems] == ["Key"]


def test_the_same_list_for_another_place_is_another_list(places, goods):
    text = "Item,Qty\nJAR,5\n"
    run("receipts", text, location=places[0])

    second = run("receipts", text, location=places[1])
    third = run("receipts", text, location=places[1])

    assert (second.counts()["new"], third.counts()["unchanged"]) == (1, 1)
    assert [on_hand(goods[1], location=place) for place in places] == [5, 5]


def test_it_is_told_that_a_recorded_row_was_undone(places, goods):
    run("receipts", RECEIPTS)
    reverse_posting(key=uuid4(), posting=Posting.objects.earliest("pk"), actor=None)

    notes = [result.note for result in run("receipts", RECEIPTS).results]

    assert "undone on" in notes[0]
    assert "undone" not in notes[1]
