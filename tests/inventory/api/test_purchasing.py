"""Suppliers, purchase orders and late costs over the REST API."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.models import CostPool, LandedCost, Movement, PurchaseOrder, Supplier, SupplierItem, SupplierStock
from tests.factories import make_item, make_location, make_order, make_supplier, make_unit, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def test_a_supplier_with_what_it_sells_and_has(as_planner):
    jar = make_item(sku="JAR")
    make_unit(item=jar, name="carton", numerator="24")

    made = as_planner.post("suppliers/", {"code": "GLAS", "name": "Glassworks", "lead_time_days": 10})
    sold = as_planner.post(
        "supplier-items/",
        {"supplier": "glas", "item": "JAR", "unit": "carton", "unit_cost": "14.40", "order_minimum": "5"},
    )
    stock = as_planner.post(
        "supplier-stock/", {"supplier": "GLAS", "item": "JAR", "quantity": "3", "unit": "carton", "source": "phone"}
    )
    again = as_planner.post("supplier-stock/", {"supplier": "GLAS", "item": "JAR", "quantity": "10"})

    assert [answer.status_code for answer in (made, sold, stock, again)] == [201] * 4
    assert sold.json()["unit_cost"] == "14.4"
    assert (stock.json()["quantity"], again.json()["quantity"]) == ("72", "10")
    assert SupplierStock.objects.count() == 1
    changed = as_planner.patch(f"supplier-items/{sold.json()['id']}/", {"is_preferred": True})
    assert changed.json()["is_preferred"] is True
    wrong = as_planner.patch(f"supplier-items/{sold.json()['id']}/", {"unit": "parsec"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "INVALID_UNIT")
    assert as_planner.delete(f"supplier-items/{sold.json()['id']}/").status_code == 204
    assert (Supplier.objects.count(), SupplierItem.objects.count()) == (1, 0)


def test_an_order_from_draft_to_receipt_with_its_freight(as_planner):
    make_supplier(code="GLAS")
    jar, place = make_item(sku="JAR"), make_location(code="STORE")
    make_unit(item=jar, name="carton", numerator="24")
    body = {
        "supplier": "GLAS",
        "location": "STORE",
        "lines": [{"item": "JAR", "quantity": "2", "unit": "carton", "value": "24.00"}],
    }

    key = uuid4()
    made, repeated = (as_planner.post("purchase-orders/", body, key=key) for _ in range(2))
    order = made.json()
    address = f"purchase-orders/{order['id']}"
    placed = as_planner.post(f"{address}/place/", {}, key=None)
    line = order["lines"][0]
    arrival = {
        "lines": [{"line_id": line["id"], "quantity": "1", "unit": "carton"}],
        "charges": [{"amount": "6.00"}],
    }
    received = as_planner.post(f"{address}/receive/", arrival)

    assert (made.status_code, repeated.json(), line["quantity"]) == (201, order, "48")
    assert (placed.json()["state"], received.status_code) == ("ordered", 201)
    assert received.json()["reference"] == order["number"]
    assert (on_hand(jar, location=place), CostPool.objects.get().value) == (24, 18)
    shown = as_planner.get(f"{address}/").json()["lines"][0]
    assert (shown["received"], shown["outstanding"], shown["typed_unit"]) == ("24", "24", "carton")
    assert PurchaseOrder.objects.count() == 1
    assert [row["number"] for row in as_planner.get("purchase-orders/", item="jar").json()["results"]] == [
        order["number"]
    ]


def test_more_than_was_ordered_is_refused_to_the_operator_with_figures(as_operator):
    order = make_order([(make_item(sku="JAR"), "10", None)])
    body = {"lines": [{"line_id": order.lines.get().pk, "quantity": "12"}], "reason": "x"}

    answer = as_operator.post(f"purchase-orders/{order.pk}/receive/", body)

    assert (answer.status_code, answer.json()["code"]) == (409, "OVER_RECEIPT")
    assert answer.json()["context"]["over"][0]["outstanding"] == "10"
    assert not Movement.objects.exists()


def test_an_order_is_changed_closed_and_opened_again(as_planner):
    jar, lid = make_item(sku="JAR"), make_item(sku="LID")
    order = make_order([(jar, "10", None)])
    line = order.lines.get()
    address = f"purchase-orders/{order.pk}"

    changed = as_planner.put(
        f"{address}/",
        {
            "supplier": order.supplier.code,
            "location": order.location.code,
            "lines": [{"id": line.pk, "item": "JAR", "quantity": "8"}, {"item": "LID", "quantity": "3"}],
        },
    )
    part = as_planner.post(f"{address}/close-line/", {"line_id": line.pk}, key=None)
    closed = as_planner.post(f"{address}/close/", {"reason": "sold out"}, key=None)
    opened = as_planner.post(f"{address}/reopen/", key=None)
    cancelled = as_planner.post(f"{address}/cancel/", {}, key=None)

    assert [row["quantity"] for row in changed.json()["lines"]] == ["8", "3"]
    assert [row["is_closed"] for row in part.json()["lines"]] == [True, False]
    assert [a.json()["state"] for a in (closed, opened, cancelled)] == ["closed", "ordered", "cancelled"]
    assert lid.purchase_lines.count() == 1


def test_unknown_lines_places_and_suppliers_are_named_where_they_stand(as_planner):
    order = make_order([(make_item(), "10", None)])

    answer = as_planner.post(f"purchase-orders/{order.pk}/receive/", {"lines": [{"line_id": 999, "quantity": "1"}]})
    wrong = as_planner.post("purchase-orders/", {"supplier": "NOBODY", "location": order.location.code, "lines": []})

    assert (answer.status_code, "line_id" in str(answer.json()["context"])) == (400, True)
    assert (wrong.status_code, "NOBODY" in str(wrong.json()["context"])) == (400, True)


def test_a_late_freight_is_previewed_and_posted(as_planner):
    jar, place = make_item(sku="JAR"), make_location(code="STORE")
    posting = put_on_hand(jar, place, "10", value="20.00")
    as_planner.post("issues/", {"item": "JAR", "location": "STORE", "quantity": "4"})
    body = {"posting_ids": [posting.pk], "amount": "10.00"}

    plan = as_planner.post("landed-costs/preview/", body, key=None).json()
    assert not LandedCost.objects.exists()
    made = as_planner.post("landed-costs/", body)

    line = plan["lines"][0]
    assert (plan["capitalised"], plan["expensed"], line["remaining"]) == ("6", "4", "6")
    assert (line["unit_cost_before"], line["unit_cost_after"]) == ("2", "3")
    assert [(use["kind"], use["recorded"], use["true_cost"]) for use in line["uses"]] == [("issue", "8", "12")]
    assert (made.status_code, made.json()["shares"][0]["capitalised"]) == (201, "6")
    assert CostPool.objects.get().value == 18


def test_goods_without_a_cost_get_their_price(as_planner):
    jar, place = make_item(sku="JAR"), make_location()
    movement = put_on_hand(jar, place, "10").movements.get()
    body = {"prices": [{"movement_id": movement.pk, "value": "30.00"}], "reference": "INV-7"}

    plan = as_planner.post("landed-costs/prices/preview/", body, key=None)
    made = as_planner.post("landed-costs/prices/", body)

    assert (plan.status_code, plan.json()["lines"][0]["unit_cost_before"]) == (200, None)
    assert (made.status_code, made.json()["kind"], made.json()["reference"]) == (201, "price", "INV-7")
    assert CostPool.objects.get().unknown_quantity == 0


def test_the_cost_method_of_an_item_changes_with_its_stock(as_planner):
    item = make_item(sku="JAR")
    put_on_hand(item, make_location(), "10", value="30.00")

    changed = as_planner.patch(f"items/{item.pk}/", {"cost_method": "fifo", "name": "Jar", "count_group": "A"})

    assert (changed.status_code, changed.json()["cost_method"], changed.json()["name"]) == (200, "fifo", "Jar")
    assert CostPool.objects.get(lot=None).method == "fifo"
    refused = as_planner.patch(f"items/{item.pk}/", {"cost_method": "lot"})
    assert refused.status_code == 400
    below = as_planner.patch(f"items/{item.pk}/", {"cost_method": "average", "negative_allowed": True})
    assert (below.status_code, below.json()["negative_allowed"]) == (200, True)
    assert CostPool.objects.get(lot=None).value == Decimal(30)
