"""What is done with work orders over the REST API, what they are short of, and demands."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator

from inventory.models import Item, ItemKind, Location, Posting
from production.models import Demand, WorkOrder
from production.operations.boms import retire_bom
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def bench(db):
    """1000 g of wax in a lot; a candle takes 100 g."""
    product = make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    wax = make_item(sku="WAX", unit="g", step="0.1", tracking="lot")
    for code in ("SHELF", "FLOOR"):
        make_location(code=code)
    bench = make_location(code="BENCH")
    make_bom(item=product, lines=[(wax, "100")])
    put_on_hand(wax, bench, "1000", value="10.00", lot="W1")
    return bench


BODY = {"item": "CANDLE", "planned": "4", "output_location": "SHELF", "source_location": "BENCH"}


def opened(caller, **fields):
    answer = caller.post("work-orders/", {**BODY, **fields})
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_an_order_is_planned_and_released(bench, as_planner):
    order = opened(as_planner, is_planned=True, planned="12", rank=-5)
    assert (order["state"], order["rank"], order["released_at"]) == ("planned", -5, None)

    released = as_planner.post(f"work-orders/{order['id']}/release/", key=None)

    assert released.status_code == 200, released.json()
    found = released.json()
    assert (found["work_order"]["state"], found["has_new_bom"]) == ("open", False)
    assert [(m["component"], m["quantity"], m["unit"]) for m in found["missing"]] == [("WAX", "200", "g")]
    assert [
        (need["component"], need["need"], need["reserved"], need["issued"])
        for need in as_planner.get(f"work-orders/{order['id']}/components/").json()
    ] == [("WAX", "1200", "1000", "0")]


def test_a_release_that_needs_everything_is_refused_with_what_is_short(bench, as_planner):
    order = opened(as_planner, is_planned=True, planned="12")

    refused = as_planner.post(f"work-orders/{order['id']}/release/", {"needs_everything": True}, key=None)

    assert (refused.status_code, refused.json()["code"]) == (409, "INSUFFICIENT_STOCK")
    assert refused.json()["context"]["short"] == [{"item": "WAX", "short": "200", "unit": "g"}]
    assert WorkOrder.objects.get().state == "planned"


def test_components_are_issued_once_and_brought_back(bench, as_planner):
    order, key = opened(as_planner), str(uuid4())
    address = f"work-orders/{order['id']}"
    body = {"lines": [{"component": "WAX", "quantity": "0.3", "unit": "kg"}], "floor_location": "FLOOR"}

    first = as_planner.post(f"{address}/issue/", body, key=key)
    again = as_planner.post(f"{address}/issue/", body, key=key)
    back = as_planner.post(
        f"{address}/return-components/",
        {
            "lines": [{"component": "WAX", "quantity": "100", "lots": [{"lot": "W1", "quantity": "100"}]}],
            "location": "BENCH",
        },
    )

    assert first.status_code == 201, first.json()
    assert (again.status_code, again.json()) == (201, first.json())
    assert (back.status_code, back.json()["kind"]) == (201, "transfer")
    assert on_hand(Item.objects.get(sku="WAX"), location=Location.objects.get(code="FLOOR")) == 200
    assert Posting.objects.filter(reference=order["number"]).count() == 2


def test_issuing_needs_a_key_and_a_floor(bench, as_planner):
    order = opened(as_planner)
    body = {"lines": [{"component": "WAX", "quantity": "300"}]}

    unkeyed = as_planner.post(f"work-orders/{order['id']}/issue/", body, key=None)
    homeless = as_planner.post(f"work-orders/{order['id']}/issue/", body)

    assert (unkeyed.status_code, unkeyed.json()["code"]) == (400, "KEY_REQUIRED")
    assert (homeless.status_code, homeless.json()["code"]) == (409, "WRONG_STATE")


def test_the_pick_list_and_the_shortages(bench, as_planner):
    order = opened(as_planner, planned="12", due_on="2031-05-01")

    picked = as_planner.get(f"work-orders/{order['id']}/pick-list/").json()
    short = as_planner.get(f"work-orders/{order['id']}/shortages/").json()
    everything = as_planner.get("work-orders/shortages/").json()

    assert [(row["location"], row["lot"], row["quantity"]) for row in picked["rows"]] == [("BENCH", "W1", "1000")]
    assert picked["short"] == [{"component": "WAX", "quantity": "200", "unit": "g"}]
    assert [(line["component"], line["short"], line["covered"], line["clearings"]) for line in short] == [
        ("WAX", "200", "0", [])
    ]
    assert [(one["work_order"], one["due_on"], len(one["lines"])) for one in everything] == [
        (order["number"], "2031-05-01", 1)
    ]


def test_is_split_and_merged_again(bench, as_planner):
    order, key = opened(as_planner, planned="10"), str(uuid4())
    address = f"work-orders/{order['id']}"

    new = as_planner.post(f"{address}/split/", {"quantity": "4"}, key=key)
    again = as_planner.post(f"{address}/split/", {"quantity": "4"}, key=key)
    unknown = as_planner.post(f"{address}/merge/", {"orders": ["WO-9"]}, key=None)
    merged = as_planner.post(f"{address}/merge/", {"orders": [new.json()["number"]]}, key=None)

    assert new.status_code == 201, new.json()
    assert again.json() == new.json()
    assert (new.json()["planned"], new.json()["split_from"]) == ("4", order["number"])
    assert unknown.status_code == 400
    assert "There is no work order WO-9" in str(unknown.json())
    assert merged.json()["planned"] == "10"
    assert as_planner.get(f"work-orders/{new.json()['id']}/").json()["merged_into"] == order["number"]


def test_is_parted_evenly(bench, as_planner):
    order, key = opened(as_planner, planned="10"), str(uuid4())
    address = f"work-orders/{order['id']}/split-evenly/"

    found = as_planner.post(address, {"parts": 3}, key=key)
    again = as_planner.post(address, {"parts": 3}, key=key)
    too_many = as_planner.post(address, {"parts": 11})

    assert found.status_code == 201, found.json()
    assert again.json() == found.json()
    assert [(one["planned"], one["split_from"]) for one in found.json()["orders"]] == [
        ("3", None),
        ("3", order["number"]),
        ("4", order["number"]),
    ]
    assert (too_many.status_code, too_many.json()["code"]) == (400, "INVALID_QUANTITY")
    assert WorkOrder.objects.count() == 3


def test_the_newest_bom_is_shown_and_taken(bench, as_planner):
    order = opened(as_planner)
    old = WorkOrder.objects.get().bom
    old.state, old.effective_to = "retired", "2020-02-01"
    old.save()
    newest = make_bom(item=old.item, lines=[(Item.objects.get(sku="WAX"), "150")])

    change = as_planner.get(f"work-orders/{order['id']}/bom-change/").json()
    taken = as_planner.post(f"work-orders/{order['id']}/newest-bom/", {"bom_id": change["bom_id"]}, key=None)

    assert change["lines"] == [{"component": "WAX", "unit": "g", "before": "400", "after": "600", "also": []}]
    assert taken.json()["bom_id"] == newest.pk


def test_without_a_bom_in_force_there_is_none_to_compare_with(bench, as_planner):
    order = opened(as_planner)
    retire_bom(bom=WorkOrder.objects.get().bom, actor=None)

    answer = as_planner.get(f"work-orders/{order['id']}/bom-change/")
    declared = SchemaGenerator().get_schema(public=True)["paths"]["/api/v1/work-orders/{id}/bom-change/"]["get"]

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_BOM")
    assert "400" in declared["responses"]


def test_dates_and_cancelling(bench, as_planner):
    order = opened(as_planner)
    address = f"work-orders/{order['id']}"

    dated = as_planner.post(f"{address}/dates/", {"due_on": "2031-05-02", "rank": -10}, key=None)
    wrong = as_planner.post(f"{address}/dates/", {"start_on": "2031-05-03", "due_on": "2031-05-02"}, key=None)
    cancelled = as_planner.post(f"{address}/cancel/", {"reason": "no demand"}, key=None)

    assert (dated.json()["due_on"], dated.json()["rank"]) == ("2031-05-02", -10)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "WRONG_STATE")
    assert cancelled.json()["state"] == "cancelled"


def test_sub_assemblies_are_planned_once(bench, as_planner):
    lamp = make_item(sku="LAMP")
    make_bom(item=lamp, lines=[(Item.objects.get(sku="CANDLE"), "2")])
    order = opened(as_planner, item="LAMP", planned="3")

    made = as_planner.post(f"work-orders/{order['id']}/sub-orders/", key=None)
    again = as_planner.post(f"work-orders/{order['id']}/sub-orders/", key=None)

    assert [(one["item"], one["planned"], one["parent_order"], one["state"]) for one in made.json()] == [
        ("CANDLE", "6", order["number"], "planned")
    ]
    assert again.json() == []


DEMAND = {"demand_kind": "order", "demand_ref": "SO-1", "item": "CANDLE", "quantity": "5", "location": "SHELF"}


def test_a_demand_is_met_changed_and_withdrawn(bench, as_planner):
    made = as_planner.post("demands/", {**DEMAND, "mode": "always", "source_location": "BENCH"})
    again = as_planner.post("demands/", {**DEMAND, "mode": "always", "source_location": "BENCH"})
    more = as_planner.post("demands/", {**DEMAND, "mode": "always", "quantity": "7", "source_location": "BENCH"})
    withdrawn = as_planner.post(f"demands/{made.json()['id']}/withdraw/", key=None)

    assert made.status_code == 201, made.json()
    assert [(peg["quantity"], peg["state"]) for peg in made.json()["pegs"]] == [("5", "planned")]
    assert (again.json()["id"], Demand.objects.count()) == (made.json()["id"], 1)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert [peg["quantity"] for peg in more.json()["pegs"]] == ["7"]
    assert (withdrawn.json()["quantity"], withdrawn.json()["pegs"]) == ("0", [])


@pytest.mark.parametrize(
    ("change", "field"), [({"item": "NO"}, "item"), ({"location": "NO"}, "location"), ({"mode": "maybe"}, "mode")]
)
def test_a_bad_demand_is_refused_by_field(bench, as_planner, change, field):
    response = as_planner.post("demands/", {**DEMAND, **change})

    assert response.status_code == 400
    assert field in str(response.json())
    assert Demand.objects.count() == 0


def test_all_shortages_cost_the_same_number_of_queries_with_1_and_20_orders(bench, as_planner):
    opened(as_planner, planned="12")
    as_planner.get("work-orders/shortages/")
    with CaptureQueriesContext(connection) as one:
        as_planner.get("work-orders/shortages/")
    for _ in range(19):
        opened(as_planner, planned="12")

    with CaptureQueriesContext(connection) as twenty:
        assert len(as_planner.get("work-orders/shortages/").json()) == 20

    assert len(one) == len(twenty)
