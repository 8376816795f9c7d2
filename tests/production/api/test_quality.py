"""Inspecting over the REST API."""

from decimal import Decimal

import pytest

from inventory.models import Posting, StockStatus
from production.models import InspectionPlan, InspectionVerdict
from production.reads.held_goods import held_goods
from tests.factories import make_item, make_location, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

PLAN = {
    "item": "GIFT",
    "applies_to": "receipt",
    "checks": [{"name": "Weight", "kind": "measurement", "unit": "g", "minimum": "95", "maximum": "105"}],
}


@pytest.fixture
def item(db):
    return make_item(sku="GIFT", inspection_required=True)


@pytest.fixture
def goods(item):
    put_on_hand(item, make_location(code="BENCH"), "10", value="50")
    return held_goods()[0]


def verdict(goods, **fields):
    outcomes = [
        {"disposition": "release", "quantity": "7"},
        {"disposition": "rework", "quantity": "3", "reason": "crooked"},
    ]
    return {"arrival_id": goods.pk, "outcomes": outcomes, **fields}


def test_what_waits_is_listed_with_the_id_to_decide_by(as_viewer, goods):
    (row,) = as_viewer.get("inspections/waiting/").json()

    assert (row["arrival_id"], row["item"], row["held"], row["location"]) == (goods.pk, "GIFT", "10", "BENCH")
    assert as_viewer.get("inspections/waiting/", search="nothing").json() == []
    assert as_viewer.get("inspections/waiting/", source="elsewhere").status_code == 400


def test_a_verdict_is_posted_once_by_its_key(as_operator, item, goods):
    first = as_operator.post("inspections/", verdict(goods), key="5d2f9a52-7a43-4d0c-8a0a-111111111111")
    again = as_operator.post("inspections/", verdict(goods), key="5d2f9a52-7a43-4d0c-8a0a-111111111111")

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert InspectionVerdict.objects.count() == 1
    assert on_hand(item, status=StockStatus.AVAILABLE) == Decimal(7)
    decisions = first.json()["verdicts"][0]["decisions"]
    assert [(one["disposition"], one["quantity"], one["is_reversed"]) for one in decisions] == [
        ("release", "7", False),
        ("rework", "3", False),
    ]


def test_an_unanswered_check_is_a_refusal_with_its_name(as_planner, goods):
    assert as_planner.post("inspection-plans/", PLAN).status_code == 201
    before = Posting.objects.count()

    refused = as_planner.post("inspections/", verdict(goods))

    assert (refused.status_code, refused.json()["code"]) == (409, "INSPECTION_INCOMPLETE")
    assert refused.json()["context"]["missing"] == ["Weight"]
    assert Posting.objects.count() == before
    check = InspectionPlan.objects.get().checks.get()
    done = as_planner.post("inspections/", verdict(goods, findings=[{"check_id": check.pk, "measured": "94.5"}])).json()
    assert done["verdicts"][0]["results"][0]["is_passed"] is False


def test_undo_and_rework(as_operator, item, goods):
    made = as_operator.post("inspections/", verdict(goods)).json()
    (judged,) = made["verdicts"]
    rework = judged["decisions"][1]["id"]

    back = as_operator.post(f"inspections/{made['id']}/reworked/", {"decision_id": rework, "quantity": "1"})
    blocked = as_operator.post(f"inspections/{made['id']}/undo/", {"verdict_id": judged["id"]})
    unknown = as_operator.post(f"inspections/{made['id']}/undo/", {"verdict_id": 999_999})

    assert (back.status_code, blocked.status_code, unknown.status_code) == (201, 409, 400)
    assert blocked.json()["code"] == "REVERSAL_BLOCKED"
    assert on_hand(item, status=StockStatus.QC_HOLD) == Decimal(1)


def test_plans_have_versions_and_end(as_planner, item):
    first = as_planner.post("inspection-plans/", PLAN).json()
    second = as_planner.post("inspection-plans/", {**PLAN, "every_nth": 2}).json()
    same = as_planner.post("inspection-plans/", {**PLAN, "every_nth": 2}).json()
    wrong = as_planner.post("inspection-plans/", {**PLAN, "checks": [{"name": "W", "kind": "measurement"}]})

    assert (first["version"], second["version"], same["id"]) == (1, 2, second["id"])
    assert (wrong.status_code, wrong.json()["code"]) == (400, "INVALID_PLAN")
    assert as_planner.delete(f"inspection-plans/{second['id']}/").status_code == 204
    assert as_planner.get("inspection-plans/", is_active="true").json()["results"] == []
