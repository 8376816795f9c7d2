"""Rework orders over the REST API."""

from uuid import uuid4

import pytest

from inventory.models import Posting, StockStatus
from production.models import ReworkOrder
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import open_rework_of, quarantined

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def goods(db):
    place = make_location(code="BENCH")
    item, label = make_item(sku="CANDLE", tracking="lot"), make_item(sku="LABEL")
    put_on_hand(label, place, "100", value="20.00")
    return {"place": place, "item": item, "label": label, "lot": quarantined(item, place)}


BODY = {
    "item": "CANDLE",
    "lot": "L1",
    "location": "BENCH",
    "quantity": "10",
    "work": "Put the right label on",
    "components": [{"component": "LABEL", "quantity": "10"}],
    "minutes": "30",
    "rate_per_hour": "24",
}


def test_opens_records_undoes_and_closes(goods, as_operator):
    key = uuid4()
    opened = as_operator.post("rework-orders/", BODY, key=key)
    assert opened.status_code == 201, opened.json()
    order = opened.json()
    assert as_operator.post("rework-orders/", BODY, key=key).json() == order
    assert ReworkOrder.objects.count() == 1
    assert (order["state"], order["remaining"], order["components"][0]["quantity"]) == ("open", "10", "10")

    body = {
        "good": "6",
        "scrapped": "2",
        "scrap_reason": "Torn",
        "used": [{"component": "LABEL", "quantity": "9"}],
        "minutes": "20",
    }
    recorded = as_operator.post(f"rework-orders/{order['id']}/record/", body)
    assert recorded.status_code == 201, recorded.json()
    (part,) = recorded.json()["reworkings"]
    assert (part["goods_value"], part["component_value"], part["work_value"]) == ("40", "1.8", "8")
    assert [(line["component"], line["expected"], line["actual"]) for line in part["lines"]] == [("LABEL", "8", "9")]
    assert (recorded.json()["remaining"], on_hand(goods["item"], status=StockStatus.AVAILABLE)) == ("2", 6)

    undone = as_operator.post(f"rework-orders/{order['id']}/undo/", {"posting_id": part["posting_id"]})
    assert undone.status_code == 201, undone.json()
    assert (undone.json()["remaining"], undone.json()["reworkings"][0]["is_reversed"]) == ("10", True)
    closed = as_operator.post(f"rework-orders/{order['id']}/close/", {})
    assert closed.json()["state"] == "closed"
    assert [row["id"] for row in as_operator.get("rework-orders/", state="closed", search="l1").json()["results"]] == [
        order["id"]
    ]
    assert as_operator.get("rework-orders/", state="open").json()["results"] == []


@pytest.mark.parametrize(
    ("changes", "status", "where"),
    [
        ({"lot": None}, 400, "lot"),
        ({"lot": "NONE"}, 400, "lot"),
        ({"item": "NONE"}, 400, "item"),
        ({"status": "available"}, 400, "status"),
        ({"decision_id": 4711}, 400, "decision_id"),
        ({"components": [{"component": "NONE", "quantity": "1"}]}, 400, "components"),
        ({"components": [{"component": "CANDLE", "quantity": "1"}]}, 409, "WRONG_STATE"),
        ({"quantity": "11"}, 409, "INSUFFICIENT_STOCK"),
        ({"quantity": "0"}, 400, "INVALID_QUANTITY"),
        ({"minutes": "-1"}, 400, "minutes"),
        ({"work": "   "}, 400, "work"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_its_place(goods, as_operator, changes, status, where):
    answer = as_operator.post("rework-orders/", {**BODY, **changes})
    assert answer.status_code == status, answer.json()
    assert where in answer.content.decode()
    assert not ReworkOrder.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({}, 400, "INVALID_QUANTITY"),
        ({"good": "11"}, 400, "INVALID_QUANTITY"),
        ({"good": "1", "scrapped": "1"}, 409, "WRONG_STATE"),
        ({"good": "1", "target": "NONE"}, 400, "target"),
        ({"good": "1", "used": [{"component": "LABEL", "quantity": "101"}]}, 409, "INSUFFICIENT_STOCK"),
        ({"good": "1", "used": [{"component": "LABEL", "quantity": "1", "unit": "kg"}]}, 400, "INVALID_UNIT"),
    ],
)
def test_what_cannot_be_recorded_leaves_nothing(goods, as_operator, body, status, where):
    order = open_rework_of(goods["item"], goods["lot"], goods["place"], components=[(goods["label"], "10")])
    before = Posting.objects.count()
    answer = as_operator.post(f"rework-orders/{order.pk}/record/", body)
    assert answer.status_code == status, answer.json()
    assert where in answer.content.decode()
    assert Posting.objects.count() == before
    unknown = as_operator.post(f"rework-orders/{order.pk}/undo/", {"posting_id": 4711})
    assert unknown.status_code == 400
