from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import PeriodClose
from inventory.operations.issuing import issue_stock
from inventory.operations.transferring import transfer_stock
from tests.factories import make_item, make_location, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]
NOW = timezone.make_aware(datetime(2026, 5, 20, 12))


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def stock(clock):
    """Ten that came nine days ago, four of them moved and one used today."""
    item, shelf, other = make_item(sku="WAX"), make_location(code="SHELF"), make_location(code="OTHER")
    put_on_hand(item, shelf, "10", value="20.01", effective_at=NOW - timedelta(days=9))
    transfer_stock(key=uuid4(), item=item, source=shelf, target=other, quantity=Decimal(4), actor=None)
    issue_stock(key=uuid4(), item=item, location=other, quantity=Decimal(1), actor=None)
    clock.shift(timedelta(hours=1))
    return item


def rows(answer):
    assert answer.status_code == 200, answer.json()
    return answer.json()["results"]


def test_values_stock_now_then_and_at_a_place(stock, as_viewer):
    before = "2026-05-20T11:00:00+00:00"

    now = rows(as_viewer.get("valuation/"))
    then = rows(as_viewer.get("valuation/", at=before))
    believed = rows(as_viewer.get("valuation/", at=before, basis="known_then"))
    there = rows(as_viewer.get("valuation/", location="OTHER"))

    assert now[0] == {
        "item": "WAX",
        "item_id": stock.pk,
        "name": stock.name,
        "category_id": None,
        "kind": "material",
        "cost_method": "average",
        "unit": "pcs",
        "quantity": "9",
        "unit_cost": "2.001111",
        "value": "18.01",
        "known_value": "18.01",
        "unknown_quantity": "0",
    }
    assert [(row["quantity"], row["value"]) for row in then] == [("10", "20.01")]
    assert believed == []
    assert [(row["quantity"], row["value"]) for row in there] == [("3", "6")]


def test_totals_add_up(stock, as_viewer):
    put_on_hand(make_item(kind="product"), make_location(), "1", value="5.00")

    answer = as_viewer.get("valuation/totals/", by="kind").json()

    assert (answer["known_value"], answer["items"], answer["unknown_items"]) == ("23.01", 2, 0)
    assert {part["key"]: part["known_value"] for part in answer["parts"]} == {"material": "18.01", "product": "5"}
    assert as_viewer.get("valuation/totals/", at="2026-05-20T11:00:00Z").json()["known_value"] == "20.01"
    assert as_viewer.get("valuation/totals/", location="OTHER").json()["known_value"] == "6"


def test_unknown_cost_is_null_and_not_nothing(as_viewer):
    put_on_hand(make_item(), make_location(), "2")

    (row,) = rows(as_viewer.get("valuation/"))

    assert (row["value"], row["unit_cost"], row["known_value"], row["unknown_quantity"]) == (None, None, "0", "2")


def test_cells_as_of_a_moment(stock, as_viewer):
    now = rows(as_viewer.get("stock-as-of/", item="wax"))
    then = rows(as_viewer.get("stock-as-of/", item="wax", at="2026-05-20T11:00:00Z"))

    assert [(row["location"], row["quantity"]) for row in now] == [("SHELF", "6"), ("OTHER", "3")]
    assert [(row["location"], row["quantity"], row["status"]) for row in then] == [("SHELF", "10", "available")]


def test_changes_lead_from_opening_to_closing(stock, as_viewer):
    answer = as_viewer.get("stock-changes/compare/", first="2026-05-20T11:00:00Z", item="WAX").json()

    assert answer["opening"] == {
        "at": "2026-05-20T11:00:00Z",
        "quantity": "10",
        "known_value": "20.01",
        "unknown_items": 0,
    }
    assert [(cause["name"], cause["quantity"], cause["value"]) for cause in answer["causes"]] == [
        ("Issues", "-1", "-2"),
        ("Transfers", "0", "0"),
    ]
    assert [(cause["name"], cause["quantity"]) for cause in answer["late"]] == [("Receipts", "10")]
    assert (answer["closing"]["quantity"], answer["closing"]["known_value"]) == ("9", "18.01")
    assert answer["reasons"] == []


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("valuation/", {"at": "yesterday"}, "at"),
        ("valuation/", {"basis": "guessed"}, "basis"),
        ("valuation/", {"location": "NONE"}, "location"),
        ("valuation/totals/", {"by": "colour"}, "by"),
        ("stock-changes/compare/", {}, "first"),
        ("stock-changes/compare/", {"first": "2026-05-20T11:00:00Z", "second": "2026-05-19T11:00:00Z"}, "second"),
        ("stock-changes/compare/", {"first": "2026-05-20T11:00:00Z", "item": "NONE"}, "item"),
    ],
)
def test_says_what_is_wrong_with_a_question(as_viewer, path, query, field):
    answer = as_viewer.get(path, **query)

    assert answer.status_code == 400
    assert field in answer.json()["context"]


def test_a_period_is_closed_once_and_reopened(stock, as_administrator):
    key = uuid4()
    body = {"through": "2026-05-18", "note": "settled"}

    made = as_administrator.post("periods/", body, key=key)
    again = as_administrator.post("periods/", body, key=key)
    same_day = as_administrator.post("periods/", body)

    assert (made.status_code, again.status_code, same_day.status_code) == (201, 201, 201)
    assert made.json() == again.json() == same_day.json()
    period = made.json()
    assert (period["through"], period["known_value"], period["items"], period["is_closed"]) == (
        "2026-05-18",
        "20.01",
        1,
        True,
    )
    late = {"lines": [{"item": "WAX", "location": "SHELF", "quantity": "1"}], "effective_at": "2026-05-18T10:00:00Z"}
    refused = as_administrator.post("receipts/", late)
    assert (refused.status_code, refused.json()["code"]) == (409, "PERIOD_LOCKED")

    opened = as_administrator.post(f"periods/{period['id']}/reopen/", {"reason": "late invoice"})
    assert (opened.status_code, opened.json()["is_closed"], opened.json()["reopen_reason"]) == (
        200,
        False,
        "late invoice",
    )
    assert as_administrator.post("receipts/", late).status_code == 201
    assert PeriodClose.objects.count() == 1


def test_lists_of_a_past_moment_cost_the_same_with_many_rows(as_viewer):
    def one_more():
        put_on_hand(make_item(), make_location(), "1", value="1.00", effective_at=NOW - timedelta(days=3))

    def queries(path):
        with CaptureQueriesContext(connection) as seen:
            found = rows(as_viewer.get(path, at="2026-05-19T00:00:00Z", page_size=100))
        return len(found), len(seen)

    one_more()
    few = {path: queries(path) for path in ("valuation/", "stock-as-of/")}
    for _ in range(20):
        one_more()
    many = {path: queries(path) for path in few}

    assert {path: rows for path, (rows, _) in many.items()} == {"valuation/": 21, "stock-as-of/": 21}
    assert {path: cost for path, (_, cost) in many.items()} == {path: cost for path, (_, cost) in few.items()}
