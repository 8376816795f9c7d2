"""Disassemblies over the REST API."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import Posting
from production.models import Disassembly
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def clock(db):
    """Ten clocks of two wheels (from two lots) and a case, 3.00 each."""
    bench, shelf = make_location(code="BENCH"), make_location(code="SHELF")
    wheel, case, item = make_item(sku="WHEEL", tracking="lot"), make_item(sku="CASE"), make_item(sku="CLOCK")
    put_on_hand(wheel, bench, "12", value="12.00", lot="W1")
    put_on_hand(wheel, bench, "8", value="8.00", lot="W2")
    put_on_hand(case, bench, "10", value="10.00")
    make_bom(item=item, lines=[(wheel, "2"), (case, "1")])
    return {"made": complete(item, "10", into=shelf).completion, "wheel": wheel, "case": case, "item": item}


def test_takes_apart_what_a_completion_made_as_the_preview_says(clock, as_operator):
    body = {"completion_id": clock["made"].pk, "quantity": "7", "target": "BENCH"}

    shown = as_operator.post("disassemblies/preview/", body, key=None)
    response = as_operator.post("disassemblies/", body)

    assert shown.status_code == 200, shown.json()
    assert [(line["component"], line["lot"], line["recovered"], line["value"]) for line in shown.json()["lines"]] == [
        ("WHEEL", "W1", "12", "12"),
        ("WHEEL", "W2", "2", "2"),
        ("CASE", "", "7", "7"),
    ]
    assert response.status_code == 201, response.json()
    posted = response.json()
    assert [(line["component"], line["recovered"], line["value"]) for line in posted["lines"]] == [
        (line["component"], line["recovered"], line["value"]) for line in shown.json()["lines"]
    ]
    assert (posted["value"], posted["wasted_value"], posted["completion_id"]) == ("21", "0", clock["made"].pk)
    assert (on_hand(clock["item"]), on_hand(clock["wheel"]), on_hand(clock["case"])) == (3, 14, 7)
    assert as_operator.get(f"disassemblies/{posted['id']}/").json() == posted


def test_what_does_not_come_back_is_waste(clock, as_operator):
    recovered = [{"component": "CASE", "quantity": "1"}]

    response = as_operator.post(
        "disassemblies/",
        {"completion_id": clock["made"].pk, "quantity": "2", "recovered": recovered, "reason": "dropped"},
    )

    assert response.json()["wasted_value"] == "1"
    assert on_hand(clock["case"]) == 1


def test_without_origin_the_bom_says_what_comes_back(clock, as_operator):
    case, sign = clock["case"], make_item(sku="SIGN", standard_cost=Decimal(3))
    stand = make_item(sku="STAND")
    make_bom(item=stand, lines=[(sign, "1"), (make_item(sku="FOOT", standard_cost=Decimal(1)), "1")])
    put_on_hand(stand, make_location(code="YARD"), "5", value="20.00")

    response = as_operator.post("disassemblies/", {"item": "STAND", "quantity": "2", "location": "YARD"})

    assert response.status_code == 201, response.json()
    assert [(line["component"], line["value"]) for line in response.json()["lines"]] == [("SIGN", "6"), ("FOOT", "2")]
    assert response.json()["completion_id"] is None
    assert on_hand(case) == 0


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"quantity": "11"}, 409, "OVER_DISASSEMBLY"),
        ({"completion_id": 999_999}, 400, "INVALID"),
        ({"item": "CLOCK"}, 400, "INVALID"),
        ({"recovered": [{"component": "CASE", "quantity": "9"}]}, 400, "INVALID_QUANTITY"),
        (
            {"recovered": [{"component": "CASE", "quantity": "1"}, {"component": "case", "quantity": "1"}]},
            400,
            "INVALID",
        ),
        ({"location": "BENCH"}, 409, "INSUFFICIENT_STOCK"),
    ],
)
def test_refusals_say_why_and_write_nothing(clock, as_operator, change, status, code):
    before = Posting.objects.count()

    response = as_operator.post("disassemblies/", {"completion_id": clock["made"].pk, "quantity": "2", **change})

    assert (response.status_code, response.json()["code"]) == (status, code), response.json()
    assert (Disassembly.objects.count(), Posting.objects.count()) == (0, before)


def test_an_item_without_completion_says_where_it_is(clock, as_operator):
    response = as_operator.post("disassemblies/", {"item": "CLOCK", "quantity": "2"})

    assert (response.status_code, list(response.json()["context"])) == (400, ["location"])


def test_is_undone_exactly_and_once(clock, as_operator):
    made = as_operator.post("disassemblies/", {"completion_id": clock["made"].pk, "quantity": "4"}).json()

    undone = as_operator.post(f"disassemblies/{made['id']}/reverse/", {"reason": "wrong pile"})
    again = as_operator.post(f"disassemblies/{made['id']}/reverse/")

    assert (undone.status_code, undone.json()["disassembly_id"]) == (201, made["id"])
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_REVERSED")
    assert (on_hand(clock["item"]), on_hand(clock["wheel"])) == (10, 0)
    assert as_operator.get(f"disassemblies/{made['id']}/").json()["is_reversed"] is True


def test_the_same_key_takes_apart_once(clock, as_operator):
    key, body = uuid4(), {"completion_id": clock["made"].pk, "quantity": "1"}

    first, second = as_operator.post("disassemblies/", body, key=key), as_operator.post("disassemblies/", body, key=key)

    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert on_hand(clock["item"]) == 9


def test_the_list_costs_the_same_with_1_and_with_20_rows(clock, as_operator):
    counts = []
    for more in (1, 5):
        for _ in range(more):
            as_operator.post("disassemblies/", {"completion_id": clock["made"].pk, "quantity": "1"})
        with CaptureQueriesContext(connection) as captured:
            rows = as_operator.get("disassemblies/", item="CLOCK", completion_id=clock["made"].pk).json()["results"]
        counts.append((len(rows), len(captured)))

    assert [rows for rows, _ in counts] == [1, 6]
    assert counts[0][1] == counts[1][1]
