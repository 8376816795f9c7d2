"""Completions over the REST API."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import ItemKind, Tracking
from production.models import Completion
from production.operations.work_orders import open_work_order
from tests.factories import make_item, make_location, make_unit, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def candle(db):
    """A candle made of wax (100 g, from two lots) and a wick, both at the bench."""
    bench, shelf = make_location(code="BENCH"), make_location(code="SHELF")
    wax = make_item(sku="WAX", unit="g", step="0.1", tracking=Tracking.LOT)
    wick = make_item(sku="WICK")
    product = make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    make_bom(item=product, lines=[(wax, "100"), (wick, "1")])
    put_on_hand(wax, bench, "150", value="3.00", lot="W1")
    put_on_hand(wax, bench, "500", value="12.00", lot="W2")
    put_on_hand(wick, bench, "20", value="2.00")
    return {"product": product, "wax": wax, "wick": wick, "bench": bench, "shelf": shelf}


BODY = {"item": "CANDLE", "good": "2", "source_location": "BENCH", "output_location": "SHELF"}


def test_posts_a_completion_and_answers_with_its_lines_and_picks(candle, as_operator):
    response = as_operator.post("completions/", BODY)

    assert response.status_code == 201
    found = response.json()
    assert (found["item"], found["good"], found["output_location"], found["source_location"]) == (
        "CANDLE",
        "2",
        "SHELF",
        "BENCH",
    )
    wax = found["lines"][0]
    assert (wax["component"], wax["expected"], wax["actual"], wax["unit"]) == ("WAX", "200", "200", "g")
    assert [(pick["lot"], pick["location"], pick["quantity"]) for pick in wax["picks"]] == [
        ("W1", "BENCH", "150"),
        ("W2", "BENCH", "50"),
    ]
    assert found["consumed_value"] == found["output_value"] == "4.82"
    assert found["unit_cost"] == "2.41"
    assert on_hand(candle["product"], location=candle["shelf"]) == 2
    assert on_hand(candle["wax"]) == 450


def test_answer_is_what_reading_it_again_gives(candle, as_operator):
    posted = as_operator.post("completions/", {**BODY, "scrapped": "1", "scrap_reason": "cracked", "note": "n"}).json()

    read = as_operator.get(f"completions/{posted['id']}/").json()

    movements, reversals = read.pop("movements"), read.pop("reversals")
    assert read == posted
    assert [(m["item"], m["quantity"]) for m in movements] == [
        ("WAX", "-150"),
        ("WAX", "-150"),
        ("WICK", "-3"),
        ("CANDLE", "2"),
    ]
    assert reversals == []


def test_same_key_gives_the_stored_answer_and_moves_nothing_again(candle, as_operator):
    key = uuid4()
    first = as_operator.post("completions/", BODY, key=key)

    second = as_operator.post("completions/", BODY, key=key)

    assert second.status_code == 201
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert second.json() == first.json()
    assert Completion.objects.count() == 1


def test_key_known_to_the_ledger_only_is_answered_from_the_ledger(candle, as_operator, operator):
    key = uuid4()
    made = complete(
        candle["product"], "2", into=candle["shelf"], source_location=candle["bench"], key=key, actor=operator
    )

    response = as_operator.post("completions/", BODY, key=key)

    assert response.status_code == 201
    assert response.headers["Idempotency-Replayed"] == "true"
    assert response.json()["id"] == made.posting.pk
    assert [line["component"] for line in response.json()["lines"]] == ["WAX", "WICK"]
    assert Completion.objects.count() == 1


def test_shortage_names_every_short_item_and_frees_the_key(candle, as_operator):
    key = uuid4()

    refused = as_operator.post("completions/", {**BODY, "good": "30"}, key=key)

    assert refused.status_code == 409
    assert refused.json()["code"] == "INSUFFICIENT_STOCK"
    assert [(row["item"], row["short"]) for row in refused.json()["context"]["short"]] == [
        ("WAX", "2350"),
        ("WICK", "10"),
    ]
    assert Completion.objects.count() == 0
    assert as_operator.post("completions/", BODY, key=key).status_code == 201


def test_typed_units_are_converted_exactly(candle, as_operator):
    make_unit(item=candle["product"], name="box", numerator="2")

    response = as_operator.post(
        "completions/",
        {
            **BODY,
            "good": "1",
            "unit": "box",
            "actuals": [
                {
                    "component": "wax",
                    "quantity": "0.21",
                    "unit": "kg",
                    "reason": "spilled",
                    "lots": [{"lot": "w2", "quantity": "0.21"}],
                }
            ],
        },
    )

    assert response.status_code == 201, response.json()
    assert response.json()["good"] == "2"
    wax = response.json()["lines"][0]
    assert (wax["expected"], wax["actual"], wax["reason"]) == ("200", "210", "spilled")
    assert [(pick["lot"], pick["quantity"]) for pick in wax["picks"]] == [("W2", "210")]


def test_completes_a_work_order_by_its_number(candle, as_operator, planner):
    order = open_work_order(
        item=candle["product"],
        planned=Decimal(3),
        output_location=candle["shelf"],
        source_location=candle["bench"],
        actor=planner,
    )

    response = as_operator.post("completions/", {"work_order": order.number, "good": "3"})

    assert response.status_code == 201, response.json()
    assert response.json()["work_order"] == order.number
    order.refresh_from_db()
    assert order.good == 3
    assert order.state == "done"


def test_preview_lists_what_stands_in_the_way_and_writes_nothing(candle, as_operator):
    response = as_operator.post("completions/preview/", {**BODY, "good": "10"}, key=None)

    assert response.status_code == 200
    found = response.json()
    assert found["is_postable"] is False
    assert found["completable"] == "6"
    assert [problem["code"] for problem in found["problems"]] == ["INSUFFICIENT_STOCK"]
    assert [(line["component"], line["on_hand"], line["short"]) for line in found["lines"]] == [
        ("WAX", "650", "350"),
        ("WICK", "20", "0"),
    ]
    assert Completion.objects.count() == 0


def test_preview_shows_what_posting_then_does(candle, as_operator):
    preview = as_operator.post("completions/preview/", BODY, key=None).json()

    posted = as_operator.post("completions/", BODY).json()

    assert preview["is_postable"] is True
    for name in ("consumed_value", "output_value", "unit_cost", "bom_version", "output_status"):
        assert preview[name] == posted[name]
    for before, after in zip(preview["lines"], posted["lines"], strict=True):
        assert {name: before[name] for name in after} == after


def test_reverses_by_quantity_and_then_the_rest(candle, as_operator):
    made = as_operator.post("completions/", BODY).json()

    part = as_operator.post(f"completions/{made['id']}/reverse/", {"good": "1", "reason": "miscounted"})
    rest = as_operator.post(f"completions/{made['id']}/reverse/")
    third = as_operator.post(f"completions/{made['id']}/reverse/")

    assert (part.status_code, part.json()["good"]) == (201, "1")
    assert (rest.status_code, rest.json()["good"]) == (201, "1")
    assert (third.status_code, third.json()["code"]) == (409, "ALREADY_REVERSED")
    assert on_hand(candle["wax"]) == 650
    assert as_operator.get(f"completions/{made['id']}/").json()["reversals"] == [
        part.json()["posting_id"],
        rest.json()["posting_id"],
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**BODY, "item": "NO-SUCH"}, "item"),
        ({**BODY, "item": None}, "item"),
        ({**BODY, "work_order": "WO-000001"}, "item"),
        ({**BODY, "good": 2}, "good"),
        ({**BODY, "good": "1e3"}, "good"),
        ({**BODY, "good": "NaN"}, "good"),
        ({**BODY, "good": "-1"}, "good"),
        ({**BODY, "good": "1234567890123"}, "good"),
        ({**BODY, "output_location": "NOWHERE"}, "output_location"),
        ({**BODY, "note": "a\x00b"}, "note"),
        ({**BODY, "note": "\ud800"}, "note"),
        ({**BODY, "note": "x" * 501}, "note"),
        ({**BODY, "goood": "1"}, "goood"),
        ({**BODY, "effective_at": "yesterday"}, "effective_at"),
        ({**BODY, "actuals": [{"component": "NO-SUCH", "quantity": "1"}]}, "actuals"),
        ({"item": "CANDLE"}, "good"),
    ],
)
def test_refuses_a_bad_field_by_name_and_writes_nothing(candle, as_operator, body, field):
    response = as_operator.post("completions/", body)

    assert response.status_code == 400
    assert response.json()["code"] == "INVALID"
    assert field in response.json()["context"]
    assert Completion.objects.count() == 0


@pytest.mark.parametrize("key", [None, "", "not-a-uuid", "{0b7e1f0e-6f0c-4b52-9d51-6a1d6f7f2f9e}"])
def test_posting_needs_a_key(candle, as_operator, key):
    response = as_operator.post("completions/", BODY, key=key)

    assert response.status_code == 400
    assert response.json()["code"] == "KEY_REQUIRED"
    assert Completion.objects.count() == 0


def test_number_of_statements_does_not_depend_on_the_number_of_actuals(candle, as_operator):
    parts = [make_item() for _ in range(20)]
    for part in parts:
        put_on_hand(part, candle["bench"], "10", value="1.00")
    few = make_item(kind=ItemKind.PRODUCT)
    many = make_item(kind=ItemKind.PRODUCT)
    make_bom(item=few, lines=[(parts[0], "1")])
    make_bom(item=many, lines=[(part, "1") for part in parts])
    counts = []

    for product, used in ((few, parts[:1]), (many, parts)):
        actuals = [{"component": part.sku, "quantity": "2", "reason": "r"} for part in used]
        body = {"item": product.sku, "good": "1", "output_location": "SHELF", "actuals": actuals}
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert as_operator.post("completions/", body).status_code == 201
        counts.append(len(captured))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("path", ["completions/"])
def test_list_costs_the_same_with_1_and_with_20_rows(candle, as_operator, path):
    complete(candle["product"], "1", into=candle["shelf"])
    with CaptureQueriesContext(connection) as one:
        assert len(as_operator.get(path).json()["results"]) == 1
    for _ in range(5):
        complete(candle["product"], "1", into=candle["shelf"])

    with CaptureQueriesContext(connection) as many:
        assert len(as_operator.get(path).json()["results"]) == 6

    assert len(one) == len(many)
