"""Stock operations over the REST API: each answers with its posting."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.models import CostPool, Reservation, Tracking
from inventory.operations.issuing import issue_stock
from tests.factories import make_item, make_location, make_unit, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def wax(db):
    return make_item(sku="WAX", unit="g", step="0.1", tracking=Tracking.LOT)


@pytest.fixture
def wick(db):
    return make_item(sku="WICK")


@pytest.fixture
def bench(db):
    return make_location(code="BENCH")


@pytest.fixture
def shelf(db):
    return make_location(code="SHELF")


def test_receives_several_lines_in_their_own_units(wax, wick, bench, as_operator):
    make_unit(item=wick, name="box", numerator="50")
    lines = [
        {
            "item": "wax",
            "location": "bench",
            "quantity": "1.5",
            "unit": "kg",
            "value": "9.00",
            "lot": "W1",
            "expires_on": "2031-01-31",
        },
        {"item": wick.pk, "location": bench.pk, "quantity": "2", "unit": "Box"},
    ]

    response = as_operator.post("receipts/", {"lines": lines, "reference": "PO-7", "note": "left at the door"})

    assert response.status_code == 201, response.json()
    found = response.json()
    assert (found["kind"], found["reference"], found["note"]) == ("receipt", "PO-7", "left at the door")
    assert [(m["item"], m["lot"], m["quantity"], m["value"]) for m in found["movements"]] == [
        ("WAX", "W1", "1500", "9"),
        ("WICK", "", "100", None),
    ]
    assert wax.lots.get(code="W1").expires_on.isoformat() == "2031-01-31"


def test_quantity_that_is_no_multiple_of_the_step_is_refused(wax, bench, as_operator):
    line = {"item": "WAX", "location": "BENCH", "quantity": "0.15", "lot": "W1"}

    response = as_operator.post("receipts/", {"lines": [line]})

    assert (response.status_code, response.json()["code"]) == (400, "INVALID_QUANTITY_STEP")
    assert on_hand(wax) == 0


@pytest.mark.parametrize("unit", ["litre", "NaN", "inf", "no such", "degC", "__init__", "µ", "box"])
def test_unit_that_does_not_lead_to_the_stock_unit_is_refused(wax, bench, as_operator, unit):
    line = {"item": "WAX", "location": "BENCH", "quantity": "1", "unit": unit, "lot": "W1"}

    response = as_operator.post("receipts/", {"lines": [line]})

    assert (response.status_code, response.json()["code"]) == (400, "INVALID_UNIT")


def test_issues_from_the_named_lot(wax, bench, as_operator):
    put_on_hand(wax, bench, "10", lot="W1")
    put_on_hand(wax, bench, "10", lot="W2")

    body = {
        "item": "WAX",
        "location": "BENCH",
        "quantity": "4",
        "lots": [{"lot": "w2", "quantity": "4"}],
        "reason": "sample",
    }
    response = as_operator.post("issues/", body)

    assert response.status_code == 201, response.json()
    assert [(m["lot"], m["quantity"]) for m in response.json()["movements"]] == [("W2", "-4")]
    assert on_hand(wax, lot="W2") == 6


def test_unknown_lot_is_told_with_its_place(wax, bench, as_operator):
    put_on_hand(wax, bench, "10", lot="W1")

    body = {"item": "WAX", "location": "BENCH", "quantity": "4", "lots": [{"lot": "W9", "quantity": "4"}]}
    response = as_operator.post("issues/", body)

    assert response.status_code == 400
    assert response.json()["context"] == {
        "lots": {"0": {"lot": ["WAX has no lot “W9”. Check it, or make the lot by receiving it."]}}
    }


def test_transfers_and_reverses_the_transfer(wick, bench, shelf, as_planner):
    put_on_hand(wick, bench, "5", value="5.00")

    moved = as_planner.post("transfers/", {"item": "WICK", "source": "BENCH", "target": "SHELF", "quantity": "2"})
    assert moved.status_code == 201, moved.json()
    assert on_hand(wick, location=shelf) == 2
    undone = as_planner.post(f"postings/{moved.json()['id']}/reverse/", {"reason": "wrong shelf"})
    again = as_planner.post(f"postings/{moved.json()['id']}/reverse/", {"reason": "wrong shelf"})

    assert (undone.status_code, undone.json()["reverses_id"]) == (201, moved.json()["id"])
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_REVERSED")
    assert on_hand(wick, location=bench) == 5
    read = as_planner.get(f"postings/{moved.json()['id']}/").json()
    assert read["reversed_by"] == [undone.json()["id"]]


def test_changes_the_status_and_says_why(wick, bench, as_operator):
    put_on_hand(wick, bench, "5")
    body = {"item": "WICK", "location": "BENCH", "quantity": "2", "from_status": "available", "to_status": "quarantine"}

    refused = as_operator.post("status-changes/", body)
    done = as_operator.post("status-changes/", {**body, "reason": "frayed"})

    assert (refused.status_code, refused.json()["code"]) == (409, "WRONG_STATE")
    assert done.status_code == 201
    assert on_hand(wick, status="quarantine") == 2


def test_adjusts_up_and_down(wick, bench, as_planner):
    body = {"item": "WICK", "location": "BENCH", "reason": "count"}

    up = as_planner.post("adjustments/", {**body, "quantity": "5", "value": "2.50"})
    down = as_planner.post("adjustments/", {**body, "quantity": "-2"})

    assert (up.status_code, down.status_code) == (201, 201)
    assert down.json()["movements"][0]["value"] == "-1"
    assert on_hand(wick) == 3


def test_scraps_at_cost(wick, bench, as_operator):
    put_on_hand(wick, bench, "4", value="8.00")

    response = as_operator.post("scraps/", {"item": "WICK", "location": "BENCH", "quantity": "1", "reason": "burnt"})

    assert response.status_code == 201
    assert response.json()["movements"][0]["value"] == "-2"


def test_corrects_an_unknown_cost(wick, bench, as_administrator):
    put_on_hand(wick, bench, "4")

    response = as_administrator.post("cost-corrections/", {"item": "WICK", "unit_cost": "0.125", "reason": "invoice"})

    assert response.status_code == 201, response.json()
    assert CostPool.objects.get(item=wick).value == Decimal("0.5")


def test_reserves_pinned_and_releases(wick, bench, as_planner):
    put_on_hand(wick, bench, "5")
    body = {"item": "WICK", "location": "BENCH", "demand_kind": "order", "demand_ref": "7", "is_pinned": True}

    too_many = as_planner.post("reservations/", {**body, "quantity": "6"})
    part = as_planner.post("reservations/", {**body, "quantity": "6", "is_partial": True})
    released = as_planner.post(
        "reservations/release/", {"demand_kind": "order", "demand_ref": "7", "reason": "cancelled"}
    )

    assert (too_many.status_code, too_many.json()["code"]) == (409, "OVER_RESERVATION")
    assert (part.status_code, part.json()["quantity"], part.json()["missing"]) == (201, "5", "1")
    assert part.json()["reservations"][0]["location"] == "BENCH"
    assert (released.status_code, released.json()) == (200, {"quantity": "5"})
    assert Reservation.objects.get().quantity == 0


def test_backdating_needs_the_privilege(wick, bench, as_operator, as_administrator):
    body = {
        "lines": [{"item": "WICK", "location": "BENCH", "quantity": "1"}],
        "effective_at": "2024-05-01T10:00:00+02:00",
    }

    refused = as_operator.post("receipts/", body)
    done = as_administrator.post("receipts/", body)

    assert (refused.status_code, refused.json()["code"]) == (403, "BACKDATING_NOT_ALLOWED")
    assert (done.status_code, done.json()["effective_at"]) == (201, "2024-05-01T08:00:00Z")


def test_movements_say_kind_reference_and_person(as_viewer, as_operator, operator):
    item, shelf = make_item(sku="JAR"), make_location(code="BIN")
    put_on_hand(item, shelf, "5")
    issue_stock(
        key=uuid4(),
        item=item,
        location=shelf,
        quantity=Decimal(1),
        actor=operator,
        reference="R-9",
        note="By hand",
        demand=("order", "7"),
    )

    issued, received = as_viewer.get("movements/").json()["results"]
    only = as_viewer.get("movements/", kind="issue").json()["results"]

    assert [issued[name] for name in ("kind", "reference", "note", "demand_kind", "demand_ref", "actor")] == [
        "issue",
        "R-9",
        "By hand",
        "order",
        "7",
        operator.username,
    ]
    assert (received["kind"], received["actor"]) == ("receipt", None)
    assert only == [issued]
    assert as_viewer.get(f"movements/{issued['id']}/").json() == issued
