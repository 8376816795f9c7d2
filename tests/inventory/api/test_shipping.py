"""Shipments, returns, lot changes and two-step transfers over the REST API."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.models import Posting, Reservation
from inventory.operations.reserving import reserve_stock
from tests.factories import make_item, make_location, make_unit, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def bench(db):
    return make_location(code="BENCH")


@pytest.fixture
def wick(db):
    item = make_item(sku="WICK")
    make_unit(item=item, name="box", numerator="10")
    return item


@pytest.fixture
def wax(db):
    return make_item(sku="WAX", tracking="lot")


def shipped(caller, **rest):
    body = {"lines": [{"item": "WICK", "location": "BENCH", "quantity": "4"}], **rest}
    return caller.post("shipments/", body)


def test_ships_in_packs_for_a_demand_and_uses_its_promise_up(bench, wick, as_operator):
    put_on_hand(wick, bench, "40", value="20.00")
    reserve_stock(item=wick, location=bench, quantity=Decimal(30), demand_kind="order", demand_ref="7", actor=None)
    body = {
        "lines": [{"item": "wick", "location": "bench", "quantity": "2", "unit": "box"}],
        "demand_kind": "order",
        "demand_ref": "7",
        "reference": "SO-7",
    }
    key = uuid4()

    answers = [as_operator.post("shipments/", body, key=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert [(m["quantity"], m["value"]) for m in answers[0].json()["movements"]] == [("-20", "-10")]
    assert (on_hand(wick), Reservation.objects.get().quantity) == (20, 10)


def test_a_shortage_lists_every_line(bench, wick, wax, as_operator):
    lines = [{"item": sku, "location": "BENCH", "quantity": "1"} for sku in ("WICK", "WAX")]

    answer = as_operator.post("shipments/", {"lines": lines})

    assert (answer.status_code, answer.json()["code"]) == (409, "INSUFFICIENT_STOCK")
    assert [one["item"] for one in answer.json()["context"]["short"]] == ["WICK", "WAX"]
    assert not Posting.objects.exists()


def test_comes_back_at_its_value_and_not_more_than_was_shipped(bench, wick, as_operator):
    put_on_hand(wick, bench, "9", value="18.00")
    shipment = shipped(as_operator).json()["id"]
    body = {"shipment_id": shipment, "lines": [{"item": "WICK", "location": "BENCH", "quantity": "3"}]}

    first, second = (as_operator.post("customer-returns/", body) for _ in range(2))

    assert (first.status_code, first.json()["related_id"]) == (201, shipment)
    assert [(m["status"], m["value"]) for m in first.json()["movements"]] == [("quarantine", "6")]
    assert (second.status_code, second.json()["code"]) == (409, "OVER_RETURN")
    unknown = as_operator.post("customer-returns/", {**body, "shipment_id": shipment + 999})
    assert (unknown.status_code, list(unknown.json()["context"])) == (400, ["shipment_id"])
    assert on_hand(wick) == 8


def test_goes_back_to_the_supplier_with_a_credit(bench, wax, as_operator):
    receipt = put_on_hand(wax, bench, "4", value="8.00", lot="A", status="damaged").pk
    line = {"item": "WAX", "location": "BENCH", "quantity": "3", "status": "damaged", "credit": "5.00"}

    nameless = as_operator.post("supplier-returns/", {"receipt_id": receipt, "lines": [line]})
    named = as_operator.post(
        "supplier-returns/", {"receipt_id": receipt, "lines": [{**line, "lots": [{"lot": "A", "quantity": "3"}]}]}
    )

    assert (nameless.status_code, nameless.json()["code"]) == (400, "LOT_REQUIRED")
    assert (named.status_code, named.json()["kind"]) == (201, "supplier_return")
    assert Posting.objects.get(kind="supplier_return").cost_entries.get().amount == 1
    assert on_hand(wax) == 1


def test_stock_from_before_tracking_gets_its_lot(bench, wick, as_planner, as_operator):
    put_on_hand(wick, bench, "20")
    wick.tracking = "lot"
    wick.save()
    body = {
        "item": "WICK",
        "location": "BENCH",
        "unit": "box",
        "sources": [{"quantity": "2"}],
        "targets": [{"lot": "N1", "quantity": "1", "expires_on": "2040-01-01"}, {"lot": "N2", "quantity": "1"}],
        "reason": "tracked from now on",
    }

    assert as_operator.post("lot-changes/", body).status_code == 403
    answer = as_planner.post("lot-changes/", body)

    assert (answer.status_code, answer.json()["kind"]) == (201, "lot_change")
    assert (on_hand(wick, lot="N1"), on_hand(wick, lot="N2"), on_hand(wick, lot="")) == (10, 10, 0)


def test_an_issue_goes_below_zero_with_privilege_and_reason(bench, as_administrator, as_operator):
    glue = make_item(sku="GLUE", negative_allowed=True)
    body = {"item": "GLUE", "location": "BENCH", "quantity": "2", "may_go_below": True, "reason": "not booked yet"}

    refused = as_operator.post("issues/", body)

    assert (refused.status_code, refused.json()["code"]) == (403, "NEGATIVE_NOT_ALLOWED")
    assert as_administrator.post("issues/", body).status_code == 201
    assert on_hand(glue) == -2


def test_a_transfer_is_sent_arrives_in_part_and_the_rest_comes_back(bench, wick, as_operator, as_viewer):
    shop = make_location(code="SHOP")
    put_on_hand(wick, bench, "9", value="9.00")
    body = {
        "source": "BENCH",
        "target": "SHOP",
        "lines": [{"item": "WICK", "quantity": "6"}],
        "expected_on": "2040-01-01",
    }

    sent = as_operator.post("stock-transfers/", body)
    assert sent.status_code == 201, sent.json()
    transfer = sent.json()
    address = f"stock-transfers/{transfer['id']}/"
    arrival = {"line_id": transfer["lines"][0]["id"], "received": "3", "lost": "1"}
    wordless = as_operator.post(f"{address}receive/", {"lines": [arrival]})
    came = as_operator.post(f"{address}receive/", {"lines": [arrival], "loss_reason": "fell off"})
    back = as_operator.post(f"{address}return/", {"reason": "no room"})

    assert (transfer["number"], transfer["state"]) == (f"TR-{transfer['id']:06d}", "in_transit")
    assert (wordless.status_code, wordless.json()["code"]) == (400, "INVALID_QUANTITY")
    assert [(line["received"], line["lost"]) for line in came.json()["lines"]] == [("3", "1")]
    assert back.json()["state"] == "cancelled"
    assert (on_hand(wick, location=shop), on_hand(wick, location=bench)) == (3, 5)
    assert [row["number"] for row in as_viewer.get("stock-transfers/", state="cancelled").json()["results"]] == [
        transfer["number"]
    ]
    assert as_viewer.get("stock-transfers/", state="in_transit").json()["results"] == []


def test_a_line_of_another_transfer_is_no_arrival(bench, wick, as_operator):
    make_location(code="SHOP")
    put_on_hand(wick, bench, "9")
    body = {"source": "BENCH", "target": "SHOP", "lines": [{"item": "WICK", "quantity": "2"}]}
    one, other = (as_operator.post("stock-transfers/", body).json() for _ in range(2))

    answer = as_operator.post(
        f"stock-transfers/{one['id']}/receive/", {"lines": [{"line_id": other["lines"][0]["id"], "received": "1"}]}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")
    assert Posting.objects.filter(kind="transfer").count() == 2


def test_a_part_arrives_in_another_status(bench, wick, as_operator):
    shop = make_location(code="SHOP")
    put_on_hand(wick, bench, "9")
    body = {"source": "BENCH", "target": "SHOP", "lines": [{"item": "WICK", "quantity": "6"}]}
    transfer = as_operator.post("stock-transfers/", body).json()
    line = transfer["lines"][0]["id"]
    address = f"stock-transfers/{transfer['id']}/receive/"

    odd = as_operator.post(address, {"lines": [{"line_id": line, "received": "1", "status": "available"}]})
    done = as_operator.post(
        address,
        {
            "lines": [
                {"line_id": line, "received": "3"},
                {"line_id": line, "received": "1", "status": "quarantine"},
                {"line_id": line, "received": "1", "status": "quarantine"},
            ]
        },
    )

    assert odd.status_code == 400
    assert done.status_code == 200, done.json()
    assert [(one["received"], one["lost"]) for one in done.json()["lines"]] == [("5", "0")]
    assert [on_hand(wick, location=shop, status=status) for status in ("available", "quarantine")] == [3, 2]
