"""By-products, substitutes, spoilage, several lots, serials, nested builds and stock below zero over the REST API."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import ExceptionCase, ItemKind, Posting, Tracking
from inventory.operations.issuing import issue_stock
from production.models import Completion
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def lantern(db):
    """A lantern by serial number: a burner (made of a tube), a glass with a substitute, swarf and labour beside it."""
    bench = make_location(code="BENCH")
    tube, burner = make_item(sku="TUBE"), make_item(sku="BURNER", kind=ItemKind.SUB_ASSEMBLY)
    glass, amber = make_item(sku="GLASS", negative_allowed=True), make_item(sku="AMBER")
    swarf = make_item(sku="SWARF", unit="kg", step="0.001")
    product = make_item(sku="LANTERN", kind=ItemKind.PRODUCT, tracking=Tracking.SERIAL)
    make_bom(item=burner, lines=[(tube, "1")])
    make_bom(
        item=product,
        lines=[(burner, "1"), (glass, "1", {"substitutes": [(amber, "1")]})],
        outputs=[(swarf, "0.02", "0", "3.00")],
        operations=[{"kind": "labour", "minutes": Decimal(6), "rate_per_hour": Decimal(30)}],
    )
    put_on_hand(tube, bench, "50", value="50.00")
    put_on_hand(burner, bench, "2", value="3.00")
    put_on_hand(glass, bench, "4", value="8.00")
    put_on_hand(amber, bench, "10", value="30.00")
    return {
        "product": product,
        "tube": tube,
        "burner": burner,
        "glass": glass,
        "amber": amber,
        "bench": bench,
        "swarf": swarf,
    }


def body(good="2", **more):
    serials = [f"L-{number}" for number in range(1, int(good) + 1)]
    return {
        "item": "LANTERN",
        "good": good,
        "source_location": "BENCH",
        "output_location": "BENCH",
        "serials": serials,
        **more,
    }


def test_serials_by_products_and_labour_are_posted_and_answered(lantern, as_operator):
    response = as_operator.post("completions/", body())

    assert response.status_code == 201, response.json()
    found = response.json()
    assert [(out["item"], out["lot"], out["quantity"], out["is_main"]) for out in found["outputs"]] == [
        ("LANTERN", "L-1", "1", True),
        ("LANTERN", "L-2", "1", True),
        ("SWARF", "", "0.04", False),
    ]
    # 3.00 burners, 4.00 glass, 6.00 labour; the swarf carries 0.12
    assert (found["consumed_value"], found["operation_value"], found["by_product_value"]) == ("7", "6", "0.12")
    assert (found["output_value"], found["unit_cost"]) == ("12.88", "6.44")
    assert as_operator.get(f"completions/{found['id']}/").json()["outputs"] == found["outputs"]
    assert on_hand(lantern["swarf"]) == Decimal("0.04")


def test_what_is_missing_is_made_first_when_asked_for(lantern, as_operator):
    refused = as_operator.post("completions/", body("3"))
    shown = as_operator.post("completions/preview/", body("3", build_missing=True), key=None).json()
    made = as_operator.post("completions/", body("3", build_missing=True))

    assert (refused.status_code, refused.json()["code"]) == (409, "INSUFFICIENT_STOCK")
    assert [(row["level"], row["item"], row["good"], row["consumed_value"]) for row in shown["nested"]] == [
        (1, "BURNER", "1", "1")
    ]
    assert shown["is_postable"] is True
    assert made.status_code == 201, made.json()
    (nested,) = made.json()["nested"]
    child = as_operator.get(f"completions/{nested}/").json()
    assert (child["item"], child["good"], child["made_for"]) == ("BURNER", "1", made.json()["id"])
    assert on_hand(lantern["tube"]) == 49


def test_a_substitute_stands_in_and_is_told_in_the_lines(lantern, as_operator):
    actuals = [{"component": "AMBER", "quantity": "1", "replaces": "GLASS"}]

    response = as_operator.post("completions/", body(actuals=actuals))

    assert response.status_code == 201, response.json()
    lines = {line["component"]: line for line in response.json()["lines"]}
    assert (lines["GLASS"]["actual"], lines["AMBER"]["actual"], lines["AMBER"]["replaces"]) == ("1", "1", "GLASS")
    assert as_operator.get(f"completions/{response.json()['id']}/").json()["lines"] == response.json()["lines"]


def test_an_item_that_is_not_approved_is_no_substitute(lantern, as_operator):
    actuals = [{"component": "TUBE", "quantity": "1", "replaces": "GLASS"}]

    response = as_operator.post("completions/", body(actuals=actuals))

    assert (response.status_code, response.json()["code"]) == (400, "INVALID_SUBSTITUTE")
    assert Completion.objects.count() == 0


def test_spoilage_is_kept_with_its_cause(lantern, as_operator):
    actuals = [{"component": "GLASS", "quantity": "3", "scrapped": "1", "cause": "scrap", "reason": "cracked"}]

    line = as_operator.post("completions/", body(actuals=actuals)).json()["lines"][1]

    assert (line["expected"], line["actual"], line["scrapped"], line["cause"]) == ("2", "3", "1", "scrap")


def test_a_by_product_comes_out_as_reported(lantern, as_operator):
    by_products = [{"item": "SWARF", "quantity": "50", "unit": "g"}]

    response = as_operator.post("completions/", body(by_products=by_products))

    assert response.status_code == 201, response.json()
    swarf = response.json()["outputs"][-1]
    assert (swarf["quantity"], swarf["expected"], swarf["value"]) == ("0.05", "0.04", "0.15")


def test_below_zero_needs_the_permission_and_opens_an_exception(lantern, as_operator, as_administrator):
    wanted = body("5", build_missing=True, may_go_below=True, reason="delivery stands at the gate")

    refused = as_operator.post("completions/", wanted)
    posted = as_administrator.post("completions/", wanted)

    assert (refused.status_code, refused.json()["code"]) == (403, "NEGATIVE_NOT_ALLOWED")
    assert posted.status_code == 201, posted.json()
    assert on_hand(lantern["glass"]) == -1
    assert ExceptionCase.objects.get(kind="negative_stock").subject == "GLASS"


def test_several_lots_of_the_output_share_its_value(as_operator):
    bench, wax = make_location(code="BENCH"), make_item(sku="WAX")
    soap = make_item(sku="SOAP", tracking=Tracking.LOT)
    make_bom(item=soap, lines=[(wax, "1")])
    put_on_hand(wax, bench, "10", value="10.01")
    lots = [{"lot": "A", "quantity": "4", "expires_on": "2090-01-31"}, {"lot": "B", "quantity": "6"}]

    found = as_operator.post(
        "completions/", {"item": "SOAP", "good": "10", "output_location": "BENCH", "output_lots": lots}
    ).json()

    assert [(out["lot"], out["quantity"], out["value"]) for out in found["outputs"]] == [
        ("A", "4", "4"),
        ("B", "6", "6.01"),
    ]
    assert str(lot_of(soap, "A").expires_on) == "2090-01-31"


def test_lots_that_do_not_add_up_are_refused(lantern, as_operator):
    response = as_operator.post("completions/", body("2", serials=["L-1"]))

    assert (response.status_code, response.json()["code"]) == (409, "LOT_MISMATCH")
    assert Completion.objects.count() == 0


def test_an_unusual_quantity_is_asked_about_when_the_client_wants_that(as_operator):
    bench, wick, item = make_location(code="BENCH"), make_item(sku="WICK"), make_item(sku="THING")
    make_bom(item=item, lines=[(wick, "1")])
    put_on_hand(wick, bench, "1000", value="1000.00")
    for _ in range(3):
        complete(item, "4", into=bench)
    wanted = {"item": "THING", "good": "400", "output_location": "BENCH"}

    asked = as_operator.post("completions/", {**wanted, "is_confirmed": False})
    posted = as_operator.post("completions/", {**wanted, "is_confirmed": True})

    assert (asked.status_code, asked.json()["code"], asked.json()["context"]["usual"]) == (409, "UNUSUAL_QUANTITY", "4")
    assert posted.status_code == 201


def test_reversal_is_previewed_with_what_blocks_it_and_how_many_may_go_back(as_operator, operator):
    bench, wick, item = make_location(code="BENCH"), make_item(sku="WICK"), make_item(sku="THING")
    make_bom(item=item, lines=[(wick, "2")])
    put_on_hand(wick, bench, "100", value="100.00")
    made = complete(item, "10", into=bench).completion
    shipped = issue_stock(
        key=made.posting.key.__class__(int=7), item=item, location=bench, quantity=Decimal(4), actor=None, reason="shop"
    ).posting
    before = Posting.objects.count()

    whole = as_operator.get(f"completions/{made.pk}/reversal/").json()
    part = as_operator.get(f"completions/{made.pk}/reversal/", good="6").json()
    refused = as_operator.post(f"completions/{made.pk}/reverse/")

    assert (whole["is_possible"], whole["good_left"], whole["returnable"]) == (False, "10", "6")
    assert whole["problem"]["context"]["blocked_by"][0]["used_by"][0]["posting"] == shipped.pk
    assert (part["is_possible"], part["problem"]) == (True, None)
    assert [(line["component"], line["returned"]) for line in part["lines"]] == [("WICK", "12")]
    assert (refused.status_code, refused.json()["code"]) == (409, "REVERSAL_BLOCKED")
    assert Posting.objects.count() == before
    assert on_hand(wick) == 80


def test_reading_costs_the_same_whatever_the_number_of_outputs(lantern, as_operator):
    first = as_operator.post("completions/", body("1")).json()["id"]
    second = as_operator.post("completions/", {**body("3", build_missing=True), "serials": ["A", "B", "C"]}).json()[
        "id"
    ]
    counts = []

    for posting in (first, second):
        with CaptureQueriesContext(connection) as captured:
            assert as_operator.get(f"completions/{posting}/").status_code == 200
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_minutes_of_work_are_previewed_charged_and_read_again(as_operator, db):
    place, wax = make_location(code="POUR"), make_item(sku="WAX-T")
    put_on_hand(wax, place, "10", value="10")
    timed = make_item(sku="TIMED", kind="product")
    make_bom(
        item=timed,
        lines=[(wax, "1")],
        operations=[{"kind": "machine", "minutes": Decimal(6), "rate_per_hour": Decimal(20)}],
    )
    body = {"item": "TIMED", "good": "5", "output_location": "POUR", "machine_minutes": "45"}
    said = {"kind": "machine", "planned_minutes": "30", "minutes": "45", "planned_value": "10", "value": "15"}

    seen = as_operator.post("completions/preview/", body, key=None).json()
    posted = as_operator.post("completions/", body)

    assert (seen["work"], seen["operation_value"]) == ([said], "15")
    assert posted.status_code == 201, posted.json()
    assert (posted.json()["work"], posted.json()["unit_cost"]) == ([said], "4")
    assert as_operator.get(f"completions/{posted.json()['id']}/").json()["work"] == [said]
    wrong = as_operator.post("completions/", {**body, "labour_minutes": "5"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "INVALID_QUANTITY")
