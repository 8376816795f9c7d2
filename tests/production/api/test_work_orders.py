"""Work orders over the REST API."""

import pytest

from inventory.models import ItemKind
from tests.factories import make_item, make_location, make_unit, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def candle(db):
    product, wax = make_item(sku="CANDLE", kind=ItemKind.PRODUCT), make_item(sku="WAX", unit="g", step="0.1")
    shelf, bench = make_location(code="SHELF"), make_location(code="BENCH")
    make_bom(item=product, lines=[(wax, "1", {"scrap_percent": "50"})], makes="3")
    make_unit(item=product, name="box", numerator="6")
    put_on_hand(wax, bench, "1000", value="10.00")
    return product, shelf, bench


BODY = {"item": "CANDLE", "planned": "2", "unit": "box", "output_location": "SHELF", "source_location": "BENCH"}


def test_opens_an_order_with_its_frozen_components(candle, as_planner):
    response = as_planner.post("work-orders/", {**BODY, "due_on": "2031-05-01"})

    assert response.status_code == 201, response.json()
    found = response.json()
    assert (found["number"], found["planned"], found["remaining"], found["state"]) == (
        f"WO-{found['id']:06d}",
        "12",
        "12",
        "open",
    )
    assert (found["source_location"], found["due_on"]) == ("BENCH", "2031-05-01")
    assert [(line["component"], line["per_unit"]) for line in found["lines"]] == [("WAX", "0.5")]
    assert as_planner.get(f"work-orders/{found['id']}/").json() == found


def test_closes_reopens_and_changes_the_plan(candle, as_planner):
    order = as_planner.post("work-orders/", BODY).json()
    address = f"work-orders/{order['id']}"

    closed = as_planner.post(f"{address}/close/", {"reason": "no demand"}, key=None)
    refused = as_planner.post(f"{address}/plan/", {"planned": "20"}, key=None)
    opened = as_planner.post(f"{address}/reopen/", key=None)
    raised = as_planner.post(f"{address}/plan/", {"planned": "3", "unit": "box"}, key=None)

    assert [answer.json().get("state") for answer in (closed, opened, raised)] == ["closed", "open", "open"]
    assert (refused.status_code, refused.json()["code"]) == (409, "ORDER_CLOSED")
    assert raised.json()["planned"] == "18"


def test_plan_stays_at_or_above_what_is_done(candle, as_planner):
    order = as_planner.post("work-orders/", BODY).json()
    as_planner.post("completions/", {"work_order": order["number"], "good": "5"})

    refused = as_planner.post(f"work-orders/{order['id']}/plan/", {"planned": "4"}, key=None)
    met = as_planner.post(f"work-orders/{order['id']}/plan/", {"planned": "5"}, key=None)

    assert (refused.status_code, refused.json()["code"]) == (409, "WRONG_STATE")
    assert (met.json()["state"], met.json()["remaining"]) == ("done", "0")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"item": "NO-SUCH"}, "item"),
        ({"output_location": "NO-SUCH"}, "output_location"),
        ({"bom_id": 999}, "bom_id"),
        ({"due_on": "20310501"}, "due_on"),
        ({"due_on": "9999-12-31"}, "due_on"),
        ({"planned": 2}, "planned"),
    ],
)
def test_refuses_a_bad_field_by_name(candle, as_planner, change, field):
    response = as_planner.post("work-orders/", {**BODY, **change})

    assert response.status_code == 400
    assert field in response.json()["context"]


def test_filters_by_state_and_number(candle, as_planner):
    first = as_planner.post("work-orders/", BODY).json()
    second = as_planner.post("work-orders/", BODY).json()
    as_planner.post(f"work-orders/{first['id']}/close/", key=None)

    assert [row["id"] for row in as_planner.get("work-orders/", state="open").json()["results"]] == [second["id"]]
    assert [row["id"] for row in as_planner.get("work-orders/", number=first["number"].lower()).json()["results"]] == [
        first["id"]
    ]


def test_completions_are_found_by_their_order(candle, as_planner):
    product, shelf, bench = candle
    order = as_planner.post("work-orders/", BODY).json()
    made = as_planner.post("completions/", {"work_order": order["number"], "good": "5"}).json()
    complete(product, "1", into=shelf, source_location=bench)

    assert [row["id"] for row in as_planner.get("completions/", work_order=order["number"]).json()["results"]] == [
        made["id"]
    ]
    assert len(as_planner.get("completions/", is_reversed="false").json()["results"]) == 2
    assert as_planner.get("completions/", is_reversed="true").json()["results"] == []
