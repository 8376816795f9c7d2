from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import make_item, make_location, make_order, put_on_hand
from tests.production.factories import make_bom
from tests.production.reads.structures import make_wide_and_deep

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def candles(db):
    """10 kg of wax; a candle takes 0.2 kg, a tin 0.1 kg."""
    place = make_location(code="SHOP")
    wax = make_item(sku="WAX", unit="kg", step="0.001")
    candle, tin = make_item(sku="CANDLE"), make_item(sku="TIN")
    make_bom(item=candle, lines=[(wax, "0.2")])
    make_bom(item=tin, lines=[(wax, "0.1")])
    put_on_hand(wax, place, "10", value="40")
    return {"place": place, "wax": wax, "candle": candle, "tin": tin}


def test_the_list_says_how_many_and_what_limits(as_viewer, candles):
    rows = as_viewer.get("buildable/").json()["results"]

    assert rows[0] == {
        "id": candles["candle"].pk,
        "item": "CANDLE",
        "unit": "pcs",
        "quantity": "50",
        "gain": "5",
        "problem": "",
        "limits": [
            {
                "component": "WAX",
                "component_id": candles["wax"].pk,
                "free": "10",
                "quantity": "50",
                "short": "0.2",
            }
        ],
    }
    assert [row["item"] for row in rows] == ["CANDLE", "TIN"]


def test_one_item_can_be_asked_with_its_sub_assemblies_made(as_viewer, candles):
    gift = make_item(sku="GIFT")
    make_bom(item=gift, lines=[(candles["candle"], "2")])

    stock = as_viewer.get(f"buildable/{gift.pk}/").json()
    deep = as_viewer.get(f"buildable/{gift.pk}/", levels="all").json()

    assert (stock["quantity"], deep["quantity"]) == ("0", "25")


def test_a_promise_names_the_order_it_waits_for(as_viewer, candles):
    day = timezone.localdate() + timedelta(days=3)
    order = make_order([(candles["wax"], "5", "20")], location=candles["place"], expected_on=day)

    found = as_viewer.get(f"buildable/{candles['candle'].pk}/promise/", quantity="60").json()

    assert (found["ready_on"], found["to_make"]) == (day.isoformat(), "60")
    assert found["components"][0]["arrivals"] == [
        {"quantity": "5", "day": day.isoformat(), "order": order.number, "supplier": order.supplier.code}
    ]


def test_a_promise_of_no_multiple_of_the_step_is_refused(as_viewer, candles):
    answer = as_viewer.get(f"buildable/{candles['candle'].pk}/promise/", quantity="1.5")

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_QUANTITY_STEP")


def test_the_group_of_an_item_says_what_is_safe_together(as_viewer, candles):
    found = as_viewer.get(f"buildable/{candles['candle'].pk}/group/").json()

    assert [(one["item"], one["alone"], one["safe"]) for one in found["members"]] == [
        ("CANDLE", "50", "25"),
        ("TIN", "100", "50"),
    ]
    assert [(one["component"], one["wanted"]) for one in found["shared"]] == [("WAX", "20")]


def test_a_partition_divides_by_weight(as_viewer, candles):
    body = {"items": [{"item": "CANDLE", "weight": "1"}, {"item": "TIN", "weight": "3", "most": "40"}]}

    found = as_viewer.post("buildable/partition/", body).json()

    assert [(one["item"], one["safe"]) for one in found["items"]] == [("CANDLE", "30"), ("TIN", "40")]


def test_an_item_named_twice_is_refused(as_viewer, candles):
    answer = as_viewer.post("buildable/partition/", {"items": [{"item": "CANDLE"}, {"item": "CANDLE"}]})

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_QUANTITY")


def test_the_list_costs_the_same_for_one_and_twenty_items(as_viewer, candles):
    counts = []
    for size in (1, 20):
        for _ in range(size):
            make_wide_and_deep(2)
        with CaptureQueriesContext(connection) as queries:
            as_viewer.get("buildable/")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_the_gain_of_more_of_a_component(as_viewer, candles):
    address = f"buildable/{candles['candle'].pk}/gain/"

    found = as_viewer.get(address, component="wax", quantity="500", unit="g")

    assert found.json() == {
        "item": "CANDLE",
        "item_id": candles["candle"].pk,
        "component": "WAX",
        "component_id": candles["wax"].pk,
        "extra": "0.5",
        "before": "50",
        "after": "52",
        "more": "2",
        "bottleneck": "WAX",
    }
    assert as_viewer.get(address, component="LAMP", quantity="1").status_code == 400
    assert as_viewer.get(address, component="WAX", quantity="0").status_code == 400
    refused = as_viewer.get(f"buildable/{candles['wax'].pk}/gain/", component="LAMP", quantity="1")
    assert refused.status_code == 404
