"""The file of everything about one item."""

import json
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config import diagnostics
from inventory.models import ItemKind
from inventory.operations.issuing import issue_stock
from inventory.operations.reserving import reserve_stock
from tests.factories import make_item, make_location, make_user, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_planner(client):
    client.force_login(make_user(role="planner"))
    return client


def content(client, item):
    answer = client.get(reverse("item_file", args=[item.pk]))
    assert answer["Content-Disposition"].startswith('attachment; filename="Item ')
    return json.loads(answer.content)


def test_file_holds_what_happened_with_exact_figures(as_planner):
    wax, candle = make_item(sku="WAX/1"), make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    bench = make_location(code="BENCH")
    put_on_hand(wax, bench, "10", value="3.33")
    put_on_hand(make_item(sku="OTHER"), bench, "7", value="1.00")
    reserve_stock(
        item=wax, location=bench, quantity=Decimal(1), demand_kind="order", demand_ref="1001", actor=None, pinned=True
    )
    make_bom(item=candle, lines=[(wax, "2")])
    complete(candle, "1", into=bench)

    tables = content(as_planner, wax)["tables"]

    assert [row["sku"] for row in tables["item"]["rows"]] == ["WAX/1"]
    assert sorted(row["quantity"] for row in tables["movements"]["rows"]) == ["-2.000000", "10.000000"]
    assert [(row["quantity"], row["reserved"]) for row in tables["balances"]["rows"]] == [("8.000000", "1.000000")]
    assert [row["demand_ref"] for row in tables["reservations"]["rows"]] == ["1001"]
    assert [row["kind"] for row in tables["postings"]["rows"]] == ["completion", "receipt"]
    assert [row["actual"] for row in tables["completion_lines"]["rows"]] == ["2.000000"]
    assert [row["code"] for row in tables["locations"]["rows"]] == ["BENCH"]
    assert not any(table["has_more"] for table in tables.values())


def test_people_are_named_and_nothing_else_of_them(as_planner):
    item, bench, person = make_item(), make_location(), make_user(role="operator")
    put_on_hand(item, bench, "5", value="5.00")
    issue_stock(key=uuid4(), item=item, location=bench, quantity=Decimal(1), actor=person)

    people = content(as_planner, item)["tables"]["people"]["rows"]

    assert people == [{"id": person.pk, "username": person.username}]


def test_a_long_table_says_that_there_is_more(as_planner, monkeypatch):
    item, bench = make_item(), make_location()
    for _ in range(3):
        put_on_hand(item, bench, "1", value="1.00")
    monkeypatch.setattr(diagnostics, "ROWS_MAX", 2)

    movements = content(as_planner, item)["tables"]["movements"]

    assert (len(movements["rows"]), movements["has_more"]) == (2, True)


def test_file_costs_the_same_number_of_queries_with_1_and_20_rows(as_planner):
    item, bench = make_item(), make_location()

    def queries():
        with CaptureQueriesContext(connection) as captured:
            content(as_planner, item)
        return len(captured)

    put_on_hand(item, bench, "1", value="1.00")
    one = queries()
    for _ in range(19):
        put_on_hand(item, make_location(), "1", value="1.00")

    assert queries() == one


def test_only_whoever_may_read_the_audit_gets_it(client):
    client.force_login(make_user(role="operator"))

    assert client.get(reverse("item_file", args=[make_item().pk])).status_code == 403
