from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.importing.reports import Outcome
from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import CostEntry, Movement, Posting, PostingKind, Reservation
from inventory.operations.reserving import reserve_stock
from inventory.operations.shipping import ShipmentLine, ship_stock
from tests.factories import lot_of, make_item, make_location, make_unit, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def shelf():
    return make_location(code="SHELF")


@pytest.fixture
def jar(shelf):
    jar = make_item(sku="JAR")
    make_unit(item=jar, name="case", numerator="24")
    put_on_hand(jar, shelf, "100", value="200.00")
    return jar


@pytest.fixture
def wax(shelf):
    wax = make_item(sku="WAX", unit="kg", step="0.001", tracking="lot")
    put_on_hand(wax, shelf, "4", lot="W1", value="8.00")
    put_on_hand(wax, shelf, "6", lot="W2", value="12.00")
    return wax


def run(kind, text, mode=Mode.ALL, **options):
    return run_import(
        kind=kind_named(kind),
        content=text.encode(),
        file_name="rows.csv",
        actor=None,
        mode=mode,
        options=ImportOptions(**options),
    )


def ship(item, place, quantity, reference, lots=()):
    line = ShipmentLine(item, place, Decimal(quantity), lots)
    return ship_stock(key=uuid4(), lines=[line], actor=None, reference=reference, reason="asked for").posting


def test_rows_are_issued_in_their_units_and_lots(shelf, jar, wax):
    text = "Item,Location,Qty,Unit,Lot,Reason,Reference\nJAR,SHELF,2,case,,,R1\nWAX,SHELF,500 g,,W2,Sample,R2\n"

    report = run("issues", text)

    assert report.is_applied, report.problems
    assert [
        (p.kind, p.reference, p.reason, [(m.lot.code, m.quantity, m.value) for m in p.movements.all()])
        for p in Posting.objects.filter(kind=PostingKind.ISSUE).order_by("pk")
    ] == [
        ("issue", "R1", "", [("", Decimal(-48), Decimal("-96.00"))]),
        ("issue", "R2", "Sample", [("W2", Decimal("-0.5"), Decimal("-1.00"))]),
    ]
    assert [(c.field, c.old, c.new) for c in report.results[1].changes] == [("SHELF, lot W2", "6 kg", "5.5 kg")]


def test_a_lot_out_of_order_needs_its_reason_in_the_row(shelf, wax):
    report = run("issues", "Item,Location,Qty,Lot,Reason\nWAX,SHELF,1,W2,\n")

    assert [(problem.row, problem.column) for problem in report.problems] == [(2, "Reason")]
    assert on_hand(wax) == 10


def test_a_shipment_uses_up_what_is_promised_to_its_demand(shelf, jar):
    reserve_stock(
        item=jar, location=shelf, quantity=Decimal(90), demand_kind="order", demand_ref="SO-1", actor=None, pinned=True
    )
    head = "Item,Location,Qty,Demand kind,Demand number,Reference\n"

    refused = run("shipments", f"{head}JAR,SHELF,20,,,SO-2\n")
    half = run("shipments", f"{head}JAR,SHELF,20,order,,SO-1\n")
    done = run("shipments", f"{head}JAR,SHELF,20,order,SO-1,SO-1\n")

    assert [(problem.row, problem.column) for problem in refused.problems] == [(2, "Qty")]
    assert [problem.message for problem in half.problems] == [
        "name both what the goods are promised to and its number, or neither."
    ]
    assert done.is_applied, done.problems
    assert Reservation.objects.get().quantity == 70
    assert on_hand(jar) == 80


def test_a_shipment_passes_over_lots_that_are_not_good_for_long_enough(shelf, wax):
    report = run(
        "shipments",
        "Item,Location,Qty,Good for at least days\nWAX,SHELF,1,-1\nWAX,SHELF,1,30\nWAX,SHELF,1,40000\n",
        Mode.CLEAN,
    )

    assert [(problem.row, problem.column) for problem in report.problems] == [
        (2, "Good for at least days"),
        (4, "Good for at least days"),
    ]
    assert on_hand(wax) == 9


def test_rows_are_held_and_released(shelf, jar):
    head = "Item,Location,Qty,Status now,New status,Reason\n"

    report = run(
        "status_changes",
        f"{head}JAR,SHELF,5,,quarantined,Broken seal\nJAR,SHELF,2,quarantine,Available,\nJAR,SHELF,1,,damaged,\n"
        "JAR,SHELF,1,,,Nothing\nJAR,SHELF,1,available,available,Nothing\n",
        Mode.CLEAN,
    )

    assert (on_hand(jar, status="quarantine"), on_hand(jar, status="available")) == (3, 97)
    assert [(problem.row, problem.column) for problem in report.problems] == [
        (4, "Reason"),
        (5, "New status"),
        (6, "New status"),
    ]
    assert sorted((c.field, c.old, c.new) for c in report.results[1].changes) == [
        ("SHELF", "95 pcs", "97 pcs"),
        ("SHELF, quarantine", "5 pcs", "3 pcs"),
    ]


def test_goods_come_back_at_what_they_left_with_and_never_more(shelf, jar):
    first = ship(jar, shelf, "10", "SO-1")
    put_on_hand(jar, shelf, "10", value="500.00")

    report = run(
        "customer_returns",
        f"Item,Location,Qty,Shipment,Status,Reason\nJAR,SHELF,6,so-1,,Wrong article\nJAR,SHELF,4,{first.pk},available,\n"
        "JAR,SHELF,1,SO-1,,\nJAR,SHELF,1,SO-9,,\n",
        Mode.CLEAN,
    )

    returned = Posting.objects.filter(kind=PostingKind.CUSTOMER_RETURN).order_by("pk")
    assert [
        (p.related_id, p.reference, p.reason, m.status, m.quantity, m.value)
        for p in returned
        for m in p.movements.all()
    ] == [
        (first.pk, "SO-1", "Wrong article", "quarantine", Decimal(6), Decimal("12.00")),
        (first.pk, "SO-1", "", "available", Decimal(4), Decimal("8.00")),
    ]
    assert [(problem.row, problem.column) for problem in report.problems] == [(4, "Qty"), (5, "Shipment")]


def test_a_return_without_a_shipment_may_say_its_worth_and_one_with_a_shipment_may_not(shelf, jar):
    ship(jar, shelf, "10", "SO-1")

    report = run(
        "customer_returns",
        "Item,Location,Qty,Shipment,Unit cost\nJAR,SHELF,2,,3.00\nJAR,SHELF,2,SO-1,3.00\n",
        Mode.CLEAN,
    )

    assert [(problem.row, problem.column) for problem in report.problems] == [(3, "Unit cost")]
    assert Movement.objects.latest("pk").value == Decimal("6.00")
    assert on_hand(jar) == 92


def test_a_reference_that_several_have_is_refused(shelf, jar):
    ship(jar, shelf, "1", "SO-1")
    ship(jar, shelf, "1", "SO-1")

    report = run("customer_returns", "Item,Location,Qty,Shipment\nJAR,SHELF,1,SO-1\n")

    assert [problem.column for problem in report.problems] == ["Shipment"]
    assert "Several shipments have the reference “SO-1”" in report.problems[0].message
    assert on_hand(jar) == 98


def test_goods_go_back_with_their_credit_and_variance(shelf, jar, wax):
    receipt = Posting.objects.get(movements__item=jar)

    report = run(
        "supplier_returns",
        f"Item,Location,Qty,Receipt,Lot,Credit,Reason\nJAR,SHELF,10,{receipt.pk},,15.00,Broken\nWAX,SHELF,1,,W2,,\n"
        f"WAX,SHELF,1,,,,\nJAR,SHELF,91,{receipt.pk},,,\n",
        Mode.CLEAN,
    )

    assert (on_hand(jar), on_hand(wax, lot="W2"), on_hand(wax, lot="W1")) == (90, 5, 4)
    assert [(entry.kind, entry.amount) for entry in CostEntry.objects.all()] == [("purchase_variance", Decimal("5.00"))]
    assert [(problem.row, problem.column) for problem in report.problems] == [(4, "Lot"), (5, "Qty")]


FILES = {
    "issues": ("Key,Item,Location,Qty,Reason\nK1,JAR,SHELF,{quantity},{reason}\n", {"reason": ("Sample", "Gift")}),
    "shipments": (
        "Key,Item,Location,Qty,Demand kind,Demand number\nK1,JAR,SHELF,{quantity},order,{number}\n",
        {"number": ("SO-1", "SO-2")},
    ),
    "status_changes": (
        "Key,Item,Location,Qty,New status,Reason\nK1,JAR,SHELF,{quantity},{status},Broken\n",
        {"status": ("damaged", "quarantine")},
    ),
    "customer_returns": (
        "Key,Item,Location,Qty,Shipment\nK1,JAR,SHELF,{quantity},{shipment}\n",
        {"shipment": ("OUT-1", "OUT-2")},
    ),
    "supplier_returns": ("Key,Item,Location,Qty,Credit\nK1,JAR,SHELF,{quantity},{credit}\n", {"credit": ("1.00", "")}),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_check_writes_nothing_and_the_same_row_is_recorded_once(shelf, jar, kind):
    ship(jar, shelf, "9", "OUT-1")
    ship(jar, shelf, "9", "OUT-2")
    before = Posting.objects.count()
    template, choices = FILES[kind]
    ((name, (first, other)),) = choices.items()
    text = template.format(quantity=5, **{name: first})

    checked = run(kind, text, Mode.CHECK)
    assert (checked.counts()["new"], Posting.objects.count()) == (1, before)
    done = run(kind, text)
    again = run(kind, text)
    changed = [
        run(kind, template.format(quantity=6, **{name: first})),
        run(kind, template.format(quantity=5, **{name: other})),
    ]

    assert done.is_applied, done.problems
    assert [result.outcome for result in again.results] == [Outcome.UNCHANGED]
    assert [[problem.column for problem in report.problems] for report in changed] == [["Key"], ["Key"]]
    assert Posting.objects.count() == before + 1


def test_without_a_key_the_file_and_the_row_count(shelf, wax):
    ship(wax, shelf, "2", "OUT-1", lots=[(lot_of(wax, "W1"), Decimal(2))])
    text = "Item,Location,Qty,Lot,Shipment\nWAX,SHELF,1,w1,OUT-1\nWAX,SHELF,1,w1,OUT-1\n"

    first, second = run("customer_returns", text), run("customer_returns", text)

    assert (first.counts()["new"], second.counts()["unchanged"]) == (2, 2)
    assert on_hand(wax, lot="W1", status="quarantine") == 2
