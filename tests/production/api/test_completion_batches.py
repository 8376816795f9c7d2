"""Many completions in one request: all or none, or each that can be; what is refused is named by its place."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.models import Posting, StoredReply
from production.models import Completion, CompletionLine
from production.operations.work_orders import open_work_order
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

URL = "completions/batch/"
PREVIEW = "completions/batch/preview/"


@pytest.fixture
def shop(db):
    """100 wicks; a candle takes 2, a lamp takes a candle and 1 wick."""
    bench = make_location(code="BENCH")
    wick, candle, lamp = make_item(sku="WICK"), make_item(sku="CANDLE"), make_item(sku="LAMP")
    make_bom(item=candle, lines=[(wick, "2")])
    make_bom(item=lamp, lines=[(candle, "1"), (wick, "1")])
    put_on_hand(wick, bench, "100", value="10.00")
    return {"bench": bench, "wick": wick, "candle": candle, "lamp": lamp}


def row(item, good, **fields):
    return {"item": item, "good": good, "output_location": "BENCH", **fields}


TOO_MANY = row("CANDLE", "60")


def test_later_rows_find_what_earlier_ones_made(shop, as_operator):
    response = as_operator.post(URL, {"rows": [row("CANDLE", "10"), row("LAMP", "10")]})

    assert response.status_code == 201
    found = response.json()
    assert (found["posted"], found["refused"]) == (2, 0)
    assert [
        (r["index"], r["completion"]["item"], r["completion"]["unit_cost"], r["problem"]) for r in found["rows"]
    ] == [
        (0, "CANDLE", "0.2", None),
        (1, "LAMP", "0.3", None),
    ]
    assert (on_hand(shop["wick"]), on_hand(shop["candle"]), on_hand(shop["lamp"])) == (70, 0, 10)
    one = as_operator.get(f"completions/{found['rows'][1]['completion']['id']}/").json()
    assert {name: one[name] for name in found["rows"][1]["completion"]} == found["rows"][1]["completion"]


def test_one_refusal_keeps_all_from_being_posted_and_is_named_by_its_index(shop, as_operator):
    postings, key = Posting.objects.count(), uuid4()

    response = as_operator.post(URL, {"rows": [row("CANDLE", "10"), TOO_MANY, row("NOPE", "1")]}, key=key)

    assert response.status_code == 409
    refused = response.json()
    assert refused["code"] == "BATCH_REFUSED"
    assert [(r["index"], r["code"]) for r in refused["context"]["rows"]] == [(1, "INSUFFICIENT_STOCK"), (2, "INVALID")]
    assert refused["context"]["rows"][0]["context"]["short"][0]["short"] == "40"
    assert refused["context"]["rows"][1]["context"] == {
        "item": ["There is no item “NOPE”. Check it, or create it first."]
    }
    assert refused["detail"].startswith("2 of 3 completions cannot be posted, so none was. Row 1: ")
    assert (Posting.objects.count(), Completion.objects.count(), on_hand(shop["wick"])) == (postings, 0, 100)
    assert not StoredReply.objects.filter(key=key).exists(), "the key may be used again"


def test_each_by_itself_posts_those_that_can_be(shop, as_operator):
    body = {"mode": "each", "rows": [row("CANDLE", "10"), TOO_MANY, row("NOPE", "1"), row("LAMP", "5")]}

    found = as_operator.post(URL, body).json()

    assert (found["posted"], found["refused"]) == (2, 2)
    assert [r["completion"] is not None for r in found["rows"]] == [True, False, False, True]
    assert [r["problem"] and r["problem"]["code"] for r in found["rows"]] == [
        None,
        "INSUFFICIENT_STOCK",
        "INVALID",
        None,
    ]
    assert found["rows"][1]["problem"]["context"]["short"][0]["on_hand"] == "80"
    assert (on_hand(shop["wick"]), on_hand(shop["candle"]), on_hand(shop["lamp"])) == (75, 5, 5)
    assert Completion.objects.count() == 2


def test_when_none_of_each_can_be_posted_it_is_a_refusal(shop, as_operator):
    response = as_operator.post(URL, {"mode": "each", "rows": [TOO_MANY]})

    assert (response.status_code, response.json()["code"]) == (409, "BATCH_REFUSED")
    assert Completion.objects.count() == 0


@pytest.mark.parametrize("mode", ["all", "each"])
def test_the_same_key_gives_the_stored_answer_and_another_body_is_refused(shop, as_operator, mode):
    key, body = uuid4(), {"mode": mode, "rows": [row("CANDLE", "10"), row("CANDLE", "10")]}
    first = as_operator.post(URL, body, key=key)

    again = as_operator.post(URL, body, key=key)
    other = as_operator.post(URL, {**body, "rows": [row("CANDLE", "10")]}, key=key)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert (Completion.objects.count(), on_hand(shop["wick"])) == (2, 60)


def test_a_key_whose_answer_was_forgotten_is_answered_from_the_ledger(shop, as_operator):
    key, body = uuid4(), {"rows": [row("CANDLE", "10"), row("LAMP", "3")]}
    first = as_operator.post(URL, body, key=key)
    StoredReply.objects.all().delete()

    again = as_operator.post(URL, body, key=key)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert [r["completion"]["id"] for r in again.json()["rows"]] == [
        r["completion"]["id"] for r in first.json()["rows"]
    ]
    assert Completion.objects.count() == 2


def test_the_preview_shows_every_row_after_those_before_it_and_writes_nothing(shop, as_operator):
    postings = Posting.objects.count()

    found = as_operator.post(PREVIEW, {"rows": [row("CANDLE", "10"), row("LAMP", "10"), TOO_MANY]}, key=None).json()

    assert found["is_postable"] is False
    assert [(r["index"], r["planned"] and r["planned"]["consumed_value"]) for r in found["rows"]] == [
        (0, "2"),
        (1, "3"),
        (2, None),
    ]
    assert [(one["component"], one["actual"]) for one in found["rows"][1]["planned"]["lines"]] == [
        ("CANDLE", "10"),
        ("WICK", "10"),
    ]
    assert found["rows"][2]["problem"]["code"] == "INSUFFICIENT_STOCK"
    assert (Posting.objects.count(), on_hand(shop["wick"])) == (postings, 100)


def test_a_row_takes_what_a_completion_takes(shop, as_operator):
    """Actual quantities with a reason, an order, scrap and where it was put."""
    order = open_work_order(item=shop["candle"], planned=Decimal(8), output_location=shop["bench"], actor=None)
    make_location(code="BIN")
    used = {"component": "WICK", "quantity": "17", "reason": "One broke", "scrapped": "1", "cause": "scrap"}
    rows = [
        {
            "work_order": order.number, "good": "7", "scrapped": "1", "scrap_reason": "Cracked", "scrap_location": "BIN",
            "actuals": [used],
        },
        row("CANDLE", "1"),
    ]  # fmt: skip

    found = as_operator.post(URL, {"rows": rows}).json()["rows"]

    made = found[0]["completion"]
    assert (made["work_order"], made["good"], made["scrapped"], made["scrap_location"]) == (
        order.number,
        "7",
        "1",
        "BIN",
    )
    line = CompletionLine.objects.get(completion_id=made["id"])
    assert (line.expected, line.actual, line.scrapped, line.cause, line.reason) == (16, 17, 1, "scrap", "One broke")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"rows": []}, "rows"),
        ({"rows": [row("CANDLE", "1")] * 101}, "rows"),
        ({"rows": [row("CANDLE", "1"), row("CANDLE", 1)]}, "rows"),
        ({"rows": [row("CANDLE", "1")], "mode": "some"}, "mode"),
        ({}, "rows"),
    ],
)
def test_a_malformed_body_is_refused_as_a_whole(shop, as_operator, body, where):
    response = as_operator.post(URL, body)

    assert (response.status_code, response.json()["code"]) == (400, "INVALID")
    assert where in response.json()["context"]
    assert Completion.objects.count() == 0


def test_is_closed_to_a_viewer(shop, as_viewer):
    assert as_viewer.post(URL, {"rows": [row("CANDLE", "1")]}).status_code == 403
    assert as_viewer.post(PREVIEW, {"rows": [row("CANDLE", "1")]}, key=None).status_code == 403
    assert Completion.objects.count() == 0
