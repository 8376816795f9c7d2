"""The stock board over REST: the figures of the page, narrowed by its own filters."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from inventory.models import SupplierItem, SupplierStock
from inventory.operations.reserving import reserve_stock
from tests.factories import make_item, make_location, make_order, make_supplier, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def book(db):
    """Wax in two places of our own and at a third party that reported three days ago; wicks nowhere."""
    site = make_location(code="SITE")
    shelf = make_location(code="SHELF", parent=site)
    third = make_location(
        code="3PL", kind="3pl", owner="Acme", freshness_hours=24, stock_as_of=timezone.now() - timedelta(days=3)
    )
    wax = make_item(sku="WAX", name="Beeswax", unit="kg", step="0.1", reorder_point=Decimal(40))
    make_item(sku="WICK", barcode="4006381333931")
    put_on_hand(wax, shelf, "20", value="100.00")
    put_on_hand(wax, shelf, "5", value="25.00", status="qc_hold")
    put_on_hand(wax, third, "7", value="35.00")
    reserve_stock(
        item=wax, location=shelf, quantity=Decimal(4), demand_kind="order", demand_ref="SO-1", actor=None, pinned=True
    )
    make_order([(wax, "10", None)], location=shelf)
    sold = SupplierItem.objects.create(supplier=make_supplier(code="BEES"), item=wax)
    SupplierStock.objects.create(supplier_item=sold, quantity=300, confirmed_at=timezone.now(), source="e-mail")
    return {"wax": wax, "shelf": shelf, "third": third}


def rows(caller, **query):
    answer = caller.get("stock-board/", **query)
    assert answer.status_code == 200, answer.json()
    return answer.json()["results"]


def skus(caller, **query):
    return [row["item"] for row in rows(caller, **query)]


def test_every_figure_of_the_board(as_viewer, book):
    wax, wick = rows(as_viewer)

    figures = {name: wax[name] for name in ("item", "name", "unit", "on_hand", "below_zero", "reserved", "available")}
    assert figures == {
        "item": "WAX", "name": "Beeswax", "unit": "kg", "on_hand": "32", "below_zero": "0", "reserved": "4", "available": "23",
    }  # fmt: skip
    assert (wax["incoming"], wax["in_transit"], wax["demand"], wax["after_demand"]) == ("10", "0", "0", "33")
    assert (wax["with_suppliers"], wax["is_low"], wax["shortage"]) == ("300", True, "0")
    places = [
        (p["location"], p["status"], p["on_hand"], p["reserved"], p["owners"], p["is_stale"]) for p in wax["places"]
    ]
    assert sorted(places) == [
        ("3PL", "available", "7", "0", ["Acme"], True),
        ("SHELF", "available", "20", "4", [""], False),
        ("SHELF", "qc_hold", "5", "0", [""], False),
    ]
    assert [p["is_own_record"] for p in wax["places"] if p["location"] == "SHELF"] == [True, True]
    (supplier,) = wax["suppliers"]
    assert (supplier["supplier"], supplier["quantity"], supplier["is_stale"], supplier["source"]) == (
        "BEES",
        "300",
        False,
        "e-mail",
    )
    assert (wick["item"], wick["on_hand"], wick["places"]) == ("WICK", "0", [])


def test_it_is_narrowed_like_the_page(as_viewer, book):
    assert skus(as_viewer, search="bees") == ["WAX"]
    assert skus(as_viewer, search="4006381333931") == ["WICK"]
    assert skus(as_viewer, item="wick") == ["WICK"]
    assert skus(as_viewer, stocked="true") == ["WAX"]
    assert skus(as_viewer, flag="low") == ["WAX"]
    assert skus(as_viewer, flag="stale") == ["WAX"]
    assert skus(as_viewer, flag="negative") == []
    assert [row["on_hand"] for row in rows(as_viewer, location="site", stocked="true")] == ["25"]
    assert [row["on_hand"] for row in rows(as_viewer, location="3pl", stocked="true")] == ["7"]
    assert [row["on_hand"] for row in rows(as_viewer, status="qc_hold", stocked="true")] == ["5"]
    assert [row["on_hand"] for row in rows(as_viewer, owner="Acme", stocked="true")] == ["7"]
    assert [row["on_hand"] for row in rows(as_viewer, owner="-", stocked="true")] == ["25"]


@pytest.mark.parametrize(
    "query",
    [{"location": "NOWHERE"}, {"owner": "Nobody"}, {"flag": "lowish"}, {"status": "lost"}, {"kind": "x"}, {"stocked": "yes"},
     {"colour": "red"}, {"search": ""}],
)  # fmt: skip
def test_what_the_board_does_not_know_is_refused(as_viewer, book, query):
    answer = as_viewer.get("stock-board/", **query)

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")
    assert list(answer.json()["context"]) == list(query)


def test_pages_go_on_by_id(as_viewer, book):
    first = as_viewer.get("stock-board/", page_size="1").json()

    second = as_viewer.follow(first["next"]).json()

    assert [row["item"] for row in (*first["results"], *second["results"])] == ["WAX", "WICK"]
    assert second["next"] is None
