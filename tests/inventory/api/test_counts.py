"""Count sheets over the API, from opening to approval; and what it hides."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.models import CountLine, CountSheet, Posting, Tracking
from inventory.operations.reserving import reserve_stock
from tests.api.client import ApiClient
from tests.factories import make_item, make_location, make_unit, make_user, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import approve_from, count_for_sure, line_of, open_sheet, submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def as_counter(db):
    return ApiClient(make_user(role="counter"))


@pytest.fixture
def site():
    return make_location(code="SITE")


def test_sheet_goes_its_way_from_opening_to_approval(as_planner, as_counter, site):
    approve_from("0")
    item = make_item(sku="JAR")
    make_unit(item=item, name="box", numerator="12")
    put_on_hand(item, site, "24", value="48.00")

    opened = as_planner.post("count-sheets/", {"location": "site", "items": ["jar"], "note": "shelf 1"})
    assert opened.status_code == 201
    sheet, (line,) = opened.json(), opened.json()["lines"]
    assert (sheet["state"], sheet["is_blind"], sheet["left_count"], line["item"]) == ("open", True, 1, "JAR")
    path = f"count-sheets/{sheet['id']}"
    scanned = as_counter.post(f"{path}/scan/", {"line": line["id"]}).json()
    assert scanned["scanned_at"] is not None
    first = as_counter.post(f"{path}/count/", {"line": line["id"], "quantity": "1", "unit": "box"}).json()
    assert (first["needs_recount"], first["line"]["state"]) == (True, "recount")
    refused = as_counter.post(f"{path}/count/", {"line": line["id"], "quantity": "1", "unit": "box"})
    assert (refused.status_code, refused.json()["code"]) == (409, "SECOND_PERSON_REQUIRED")
    second = as_counter.post(
        f"{path}/count/", {"line": line["id"], "quantity": "1", "unit": "box", "is_alone": True}
    ).json()
    assert (second["needs_recount"], second["line"]["counted"]) == (False, "12")
    submitted = as_counter.post(f"{path}/submit/").json()
    assert (submitted["waiting"], submitted["posting_ids"], submitted["sheet"]["state"]) == (1, [], "review")
    seen = as_planner.get(f"{path}/").json()["lines"][0]
    assert (seen["expected"], seen["variance"], seen["variance_value"], seen["needs_approval"]) == (
        "24",
        "-12",
        "-24",
        True,
    )
    approved = as_planner.post(
        f"{path}/approve/", {"lines": [{"line": line["id"], "cause": "scrap", "note": "broken"}]}
    )
    assert approved.status_code == 200
    assert (approved.json()["sheet"]["state"], len(approved.json()["posting_ids"])) == ("posted", 1)
    assert on_hand(item) == Decimal(12)


def test_same_key_answers_the_same_and_posts_once(as_counter, site):
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    sheet = open_sheet(site)
    count_for_sure(line_of(sheet, item), "98")
    key = uuid4()

    answers = [as_counter.post(f"count-sheets/{sheet.pk}/submit/", key=key) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert Posting.objects.filter(kind="count").count() == 1


def test_what_the_sheet_does_not_list_is_scanned_by_item_and_place(as_counter, site):
    put_on_hand(make_item(), site, "1")
    sheet = open_sheet(site)
    make_item(sku="WAX", tracking=Tracking.LOT)
    path = f"count-sheets/{sheet.pk}/scan/"

    assert as_counter.post(path, {}).status_code == 400
    assert as_counter.post(path, {"item": "WAX", "location": "SITE"}).json()["code"] == "LOT_REQUIRED"
    found = as_counter.post(path, {"item": "WAX", "location": "SITE", "lot": "L1"}).json()

    assert (found["is_unexpected"], found["lot"]) == (True, "L1")


def test_line_of_another_sheet_is_refused(as_counter, site):
    one, two = make_item(), make_item()
    put_on_hand(one, site, "1")
    put_on_hand(two, site, "1")
    first, second = open_sheet(site, items=[one]), open_sheet(site, items=[two])

    answer = as_counter.post(f"count-sheets/{first.pk}/count/", {"line": second.lines.get().pk, "quantity": "1"})

    assert answer.status_code == 400
    assert "has no line" in answer.json()["detail"]


def test_sent_back_and_cancelled(as_planner, site):
    approve_from("0")
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    sheet = open_sheet(site)
    count_for_sure(line_of(sheet, item), "98")
    submit(sheet)
    path = f"count-sheets/{sheet.pk}"

    sent = as_planner.post(f"{path}/send-back/", {"lines": [line_of(sheet, item).pk]}).json()
    cancelled = as_planner.post(f"{path}/cancel/").json()

    assert (sent["state"], sent["lines"][0]["state"], cancelled["state"]) == ("open", "recount", "cancelled")
    assert on_hand(item) == Decimal(100)


def test_cut_promises_are_in_the_answer(as_planner, site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "10", value="10.00")
    reserve_stock(
        item=item, location=site, quantity=Decimal(9), demand_kind="order", demand_ref="1001", actor=None, pinned=True
    )
    sheet = open_sheet(site)
    count_for_sure(line_of(sheet, item), "8")

    freed = as_planner.post(f"count-sheets/{sheet.pk}/submit/").json()["freed"]

    reservation = item.reservations.get()
    assert freed == [
        {
            "reservation_id": reservation.pk,
            "item": "JAR",
            "demand_kind": "order",
            "demand_ref": "1001",
            "quantity": "1",
        }
    ]


@pytest.mark.parametrize("is_blind", [True, False])
def test_who_only_counts_never_reads_what_is_expected(as_counter, site, is_blind):
    item = make_item()
    put_on_hand(item, site, "73914", value="64.27")
    reserve_stock(
        item=item, location=site, quantity=Decimal(73914), demand_kind="order", demand_ref="1", actor=None, pinned=True
    )
    sheet = open_sheet(site, is_blind=is_blind)
    line = line_of(sheet, item)
    path = f"count-sheets/{sheet.pk}"
    body = {"line": line.pk, "quantity": "5", "is_alone": True}

    answers = [
        as_counter.post(f"{path}/scan/", {"line": line.pk}),
        as_counter.post(f"{path}/count/", body),
        as_counter.get(f"{path}/"),
        as_counter.post(f"{path}/count/", body),
        as_counter.get("count-sheets/"),
        as_counter.post(f"{path}/submit/"),
        as_counter.get(f"{path}/"),
    ]

    assert {answer.status_code for answer in answers} == {200}
    text = " ".join(answer.content.decode() for answer in answers)
    assert not any(figure in text for figure in ("73914", "73909", "64.2"))
    seen = as_counter.get(f"{path}/").json()["lines"][0]
    assert (seen["state"], seen["expected"], seen["variance"], seen["needs_approval"]) == ("posted", None, None, None)


def test_blind_sheet_hides_it_from_everybody_until_it_is_submitted(as_planner, site):
    item = make_item()
    put_on_hand(item, site, "7", value="7.00")
    sheet = open_sheet(site)
    path = f"count-sheets/{sheet.pk}"
    as_planner.post(f"{path}/scan/", {"line": line_of(sheet, item).pk})

    assert as_planner.get(f"{path}/").json()["lines"][0]["expected"] is None
    as_planner.post(f"{path}/count/", {"line": line_of(sheet, item).pk, "quantity": "7"})
    as_planner.post(f"{path}/submit/")
    assert as_planner.get(f"{path}/").json()["lines"][0]["expected"] == "7"


def test_sheets_are_found_by_state_and_person(as_planner, site):
    put_on_hand(make_item(), site, "1")
    person = make_user(username="ann", role="counter")
    first = open_sheet(site, assigned_to=person)
    CountLine.objects.all().delete()
    second = open_sheet(site)
    CountSheet.objects.filter(pk=second.pk).update(state="posted")

    assert [row["id"] for row in as_planner.get("count-sheets/", state="open").json()["results"]] == [first.pk]
    assert [row["number"] for row in as_planner.get("count-sheets/", assigned_to="ann").json()["results"]] == [
        first.number
    ]
