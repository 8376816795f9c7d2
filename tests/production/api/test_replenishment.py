"""What is below its reorder point, over the REST API."""

from decimal import Decimal
from uuid import uuid4

import pytest

from production.models import WorkOrder
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def candle(db):
    """4 are finished; the point is 10 and 25 are worth making."""
    shelf = make_location(code="SHELF")
    make_location(code="BENCH")
    wick = make_item(sku="WICK")
    candle = make_item(sku="CANDLE", kind="product", reorder_point=Decimal(10), reorder_quantity=Decimal(25))
    make_bom(item=candle, lines=[(wick, "1")])
    put_on_hand(candle, shelf, "4", value="8.00")
    return candle


def body(*lines, **fields):
    return {"lines": [{"item": "CANDLE"}, *lines], "location": "SHELF", **fields}


def test_lists_what_is_low_with_the_terms(candle, as_viewer):
    (row,) = as_viewer.get("replenishment/").json()["results"]

    assert row == {
        "id": candle.pk,
        "item": "CANDLE",
        "unit": "pcs",
        "reorder_point": "10",
        "reorder_quantity": "25",
        "until": None,
        "available": "4",
        "making": "0",
        "buying": "0",
        "moving": "0",
        "missing": "0",
        "components": "0",
        "projected": "4",
        "later": "0",
        "held": "0",
        "is_made": True,
        "to_replenish": "25",
    }


def test_is_narrowed_by_item_and_text(candle, as_viewer):
    make_item(sku="JAR", reorder_point=Decimal(1))

    def found(**query):
        return [row["item"] for row in as_viewer.get("replenishment/", **query).json()["results"]]

    assert (found(), found(item="JAR"), found(search="cand")) == (["CANDLE", "JAR"], ["JAR"], ["CANDLE"])


def test_plans_orders(candle, as_planner):
    answer = as_planner.post("replenishment/", body(source_location="BENCH"))

    assert answer.status_code == 201, answer.json()
    order = WorkOrder.objects.get()
    assert answer.json() == {
        "work_orders": [
            {"id": order.pk, "number": order.number, "item": "CANDLE", "planned": "25", "due_on": None},
        ]
    }
    assert (order.state, order.source_location.code) == ("planned", "BENCH")
    assert as_planner.get("replenishment/").json()["results"] == []


def test_the_same_key_plans_once(candle, as_planner):
    key = uuid4()
    first = as_planner.post("replenishment/", body(), key=key)

    again = as_planner.post("replenishment/", body(), key=key)

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert WorkOrder.objects.count() == 1


def test_a_quantity_with_a_unit_and_the_figure_it_was_decided_on(candle, as_planner):
    candle.units.create(name="box", numerator=6, denominator=1)
    line = {"item": "CANDLE", "quantity": "2", "unit": "box", "projected": "4"}

    answer = as_planner.post("replenishment/", {"lines": [line], "location": "SHELF"})

    assert answer.json()["work_orders"][0]["planned"] == "12"
    stale = as_planner.post("replenishment/", {"lines": [line], "location": "SHELF"})
    assert (stale.status_code, stale.json()["code"]) == (409, "WRONG_STATE")
    assert stale.json()["context"]["item"] == "CANDLE"


def test_one_refused_line_refuses_all(candle, as_planner):
    make_item(sku="JAR", reorder_point=Decimal(1))

    answer = as_planner.post("replenishment/", body({"item": "JAR"}))

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_BOM")
    assert not WorkOrder.objects.exists()


def test_needs_a_key_and_the_right(candle, as_planner, as_operator):
    assert as_planner.post("replenishment/", body(), key=None).status_code == 400
    assert as_operator.post("replenishment/", body()).status_code == 403
    assert not WorkOrder.objects.exists()
