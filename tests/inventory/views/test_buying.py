"""Pages of purchase orders and of receiving them."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from inventory.models import CostPool, LandedCost, Movement, Posting, PurchaseOrder, StockBalance, SupplierItem
from inventory.operations.landing_costs import ReceiptPrice, correct_prices
from inventory.operations.receiving_orders import Arrival, receive_order
from tests.factories import make_item, make_location, make_order, make_supplier, make_unit, on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]

HTMX = {"HX-Request": "true"}


def head(supplier, **rest):
    return {"key": str(uuid4()), "supplier": supplier.pk, "location": "STORE", **rest}


def row(number, item, quantity, **rest):
    fields = {"item": item.sku, "quantity": quantity, "unit": item.stock_unit, **rest}
    return {f"line-{number}-{name}": value for name, value in fields.items()}


@pytest.fixture
def jar():
    item = make_item(sku="JAR", barcode="4006381333931")
    make_unit(item=item, name="carton", numerator="24")
    return item


# --- Writing ---


def test_a_scanned_item_becomes_a_line_as_the_supplier_sells_it(as_planner, jar):
    supplier = make_supplier()
    SupplierItem.objects.create(
        supplier=supplier, item=jar, unit="carton", unit_cost=Decimal("14.4"), order_minimum=5, order_multiple=5
    )
    make_location(code="STORE")

    page = as_planner.post(
        reverse("buying:new_order"),
        head(supplier, add="4006381333931", refresh="1"),
        headers={**HTMX, "HX-Target": "order-form"},
    )

    (line,) = page.context["lines"]
    assert page.status_code == 200
    assert (line["unit"].value(), line["unit_cost"].value(), line["quantity"].value()) == ("carton", "14.4", "5")
    assert line.total == Decimal("72.00")
    assert "<html" not in page.content.decode()
    assert not PurchaseOrder.objects.exists()


def test_terms_are_shown_as_a_hint_and_do_not_forbid(as_planner, jar):
    supplier = make_supplier()
    SupplierItem.objects.create(supplier=supplier, item=jar, unit="carton", order_minimum=5, order_multiple=2)
    make_location(code="STORE")
    fields = head(supplier) | row(0, jar, "3", unit="carton")

    page = as_planner.post(reverse("buying:new_order"), {**fields, "refresh": "1"})
    saved = as_planner.post(reverse("buying:new_order"), fields)

    assert "at least 5 carton in multiples of 2 carton: order 6 carton" in page.content.decode()
    assert saved.status_code == 302


def test_an_order_is_written_once_however_often_it_is_sent(as_planner, jar):
    supplier = make_supplier()
    make_location(code="STORE")
    fields = head(supplier, reference="A-1") | row(0, jar, "2", unit="carton", unit_cost="14.40")

    first = as_planner.post(reverse("buying:new_order"), fields)
    second = as_planner.post(reverse("buying:new_order"), fields)

    order = PurchaseOrder.objects.get()
    assert first.url == second.url == reverse("buying:order", args=[order.number])
    line = order.lines.get()
    assert (line.quantity, line.value, line.unit) == (48, Decimal("28.80"), "carton")


def test_errors_stand_at_their_line_and_nothing_typed_is_lost(as_planner, jar):
    supplier = make_supplier()
    make_location(code="STORE")

    page = as_planner.post(
        reverse("buying:new_order"),
        head(supplier, note="in May") | row(0, jar, "0.5") | row(1, jar, "many", unit_cost="1.25"),
    )

    text = page.content.decode()
    assert page.status_code == 422
    assert "not a multiple of its step" in text
    assert "“many” is not a number" in text
    assert 'value="1.25"' in text
    assert "in May" in text
    assert not PurchaseOrder.objects.exists()


def test_a_line_is_taken_away_and_an_unknown_item_named(as_planner, jar):
    supplier = make_supplier()
    other = make_item()
    fields = head(supplier) | row(0, jar, "1") | row(1, other, "2")

    page = as_planner.post(reverse("buying:new_order"), {**fields, "remove": "0"})
    wrong = as_planner.post(reverse("buying:new_order"), {**fields, "add": "NOTHING", "refresh": "1"})

    assert [line.known for line in page.context["lines"]] == [other]
    assert (wrong.status_code, len(wrong.context["lines"])) == (422, 2)
    assert "There is no item with SKU or barcode" in wrong.content.decode()


def test_editing_keeps_an_odd_price_to_the_cent(as_planner, jar):
    order = make_order([(jar, "3", "10.00")], location=make_location(code="STORE"))
    page = as_planner.get(reverse("buying:edit_order", args=[order.number]))
    (line,) = page.context["lines"]
    fields = head(order.supplier) | {
        f"line-0-{name}": line[name].value() or "" for name in ("id", "item", "quantity", "unit", "unit_cost")
    }

    as_planner.post(reverse("buying:edit_order", args=[order.number]), fields)

    assert line["unit_cost"].value() == "3.333333"
    assert order.lines.get().value == Decimal("10.00")


# --- The list and the page ---


def test_the_list_shows_what_is_open_and_filters(as_viewer, jar):
    yesterday = timezone.localdate() - timedelta(days=1)
    late = make_order([(jar, "5", "1.00")], expected_on=yesterday)
    draft = make_order([(make_item(), "5", None)], placed=False)

    def numbers(**query):
        return {order.number for order in as_viewer.get(reverse("buying:orders"), query).context["page_object"]}

    assert numbers() == {late.number, draft.number}
    assert numbers(late="1") == {late.number}
    assert numbers(state="draft") == {draft.number}
    assert numbers(supplier=late.supplier_id) == {late.number}
    assert numbers(q="jar") == {late.number}
    assert numbers(state="received") == set()
    assert (
        late.number in b"".join(as_viewer.get(reverse("buying:orders"), {"export": "csv"}).streaming_content).decode()
    )


def test_the_list_and_the_page_cost_the_same_with_many_rows(as_viewer):
    def queries(url):
        with CaptureQueriesContext(connection) as seen:
            assert as_viewer.get(url).status_code == 200
        return len(seen)

    small = make_order([(make_item(), "5", "1.00")])
    pages = [reverse("buying:orders"), reverse("buying:order", args=[small.number])]
    few = [queries(url) for url in pages]
    big = make_order([(make_item(), "5", "1.00") for _ in range(20)])
    for _ in range(20):
        make_order([(make_item(), "5", "1.00")])

    assert [queries(pages[0]), queries(reverse("buying:order", args=[big.number]))] == few


def test_an_order_is_placed_closed_and_opened_again_on_its_page(as_planner, jar):
    order = make_order([(jar, "5", "1.00")], placed=False)

    def do(name, *arguments, **fields):
        answer = as_planner.post(reverse(f"buying:{name}", args=[order.number, *arguments]), fields)
        order.refresh_from_db()
        return (answer.status_code, order.state)

    assert do("place_order") == (302, "ordered")
    assert do("place_order") == (409, "ordered")
    assert do("close_line", order.lines.get().pk) == (302, "closed")
    assert do("reopen_order") == (302, "ordered")
    assert do("close_order", reason="sold out") == (302, "closed")
    assert do("reopen_order") == (302, "ordered")
    assert do("cancel_order") == (302, "cancelled")


def test_each_button_needs_its_permission(as_operator, as_viewer, jar):
    order = make_order([(jar, "5", "1.00")])

    for name in ("place_order", "close_order", "cancel_order", "reopen_order"):
        assert as_operator.post(reverse(f"buying:{name}", args=[order.number])).status_code == 403
    assert as_operator.get(reverse("buying:receive_order", args=[order.number])).status_code == 200
    assert as_viewer.get(reverse("buying:receive_order", args=[order.number])).status_code == 403
    assert as_viewer.get(reverse("buying:order", args=[order.number])).status_code == 200
    assert as_operator.get(reverse("buying:new_order")).status_code == 403


# --- Receiving ---


def arrival(number, line, quantity, **rest):
    fields = {"line": line.pk, "quantity": quantity, "unit": line.item.stock_unit, **rest}
    return {f"row-{number}-{name}": value for name, value in fields.items()}


def test_what_is_outstanding_is_filled_in_in_the_unit_it_was_ordered_in(as_operator, jar):
    order = make_order([(jar, "48", "28.80")])
    line = order.lines.get()
    order.lines.update(typed_quantity=2, unit="carton")
    receive_order(key=uuid4(), order=order, arrivals=[Arrival(line, Decimal(24))], actor=None)

    page = as_operator.get(reverse("buying:receive_order", args=[order.number]))

    (shown,) = page.context["rows"]
    assert (shown["quantity"].value(), shown["unit"].value(), shown.row.pk) == ("1", "carton", line.pk)


def test_a_delivery_comes_in_with_lots_and_freight(as_operator, jar):
    wax = make_item(sku="WAX", unit="kg", step="0.1", tracking="lot")
    store = make_location(code="STORE")
    order = make_order([(jar, "48", "24.00"), (wax, "10", "50.00")], location=store)
    first, second = order.lines.order_by("id")

    answer = as_operator.post(
        reverse("buying:receive_order", args=[order.number]),
        {
            "key": str(uuid4()),
            "location": "STORE",
            **arrival(0, first, "2", unit="carton"),
            **arrival(1, second, "4", lot_code="A", expires_on="2030-01-31"),
            **arrival(2, second, "6", lot_code="B"),
            "charge-0-amount": "7.40",
        },
    )

    assert answer.url == reverse("buying:order", args=[order.number])
    assert [(m.item.sku, m.lot.code, m.quantity) for m in Movement.objects.filter(quantity__gt=0).order_by("id")] == [
        ("JAR", "", 48),
        ("WAX", "A", 4),
        ("WAX", "B", 6),
    ]
    assert sum(pool.value for pool in CostPool.objects.all()) == Decimal("81.40")
    assert LandedCost.objects.get().amount == Decimal("7.40")
    order.refresh_from_db()
    assert order.state == "received"
    message = next(iter(get_messages(answer.wsgi_request))).message
    assert "Received 3 lines" in message
    assert "Everything is here" in message


def test_a_missing_lot_stands_at_its_row(as_operator):
    wax = make_item(sku="WAX", tracking="lot")
    order = make_order([(wax, "10", None)], location=make_location(code="STORE"))

    page = as_operator.post(
        reverse("buying:receive_order", args=[order.number]),
        {"key": str(uuid4()), "location": "STORE", **arrival(0, order.lines.get(), "10")},
    )

    assert page.status_code == 422
    assert "name the one these goods belong to" in page.content.decode()
    assert not Posting.objects.exists()


def test_too_much_is_refused_at_its_row_and_goes_with_a_reason(as_operator, as_planner, jar):
    order = make_order([(jar, "10", None)], location=make_location(code="STORE"))
    fields = {"key": str(uuid4()), "location": "STORE", **arrival(0, order.lines.get(), "12")}
    url = reverse("buying:receive_order", args=[order.number])

    refused = as_operator.post(url, fields)
    asked = as_planner.post(url, fields)
    assert (refused.status_code, asked.status_code, on_hand(jar)) == (422, 422, 0)
    assert "You may not receive more" in refused.content.decode()
    assert "10 are outstanding, 12 were typed" in asked.content.decode()

    assert as_planner.post(url, {**fields, "reason": "Supplier sent more"}).status_code == 302
    assert on_hand(jar) == 12


def test_another_lot_gets_a_row_of_its_own_and_a_scan_leads_to_its_row(as_operator, jar):
    wax = make_item(sku="WAX", tracking="lot")
    order = make_order([(wax, "10", None), (jar, "5", None)], location=make_location(code="STORE"))
    first, second = order.lines.order_by("id")
    fields = {
        "key": str(uuid4()),
        "location": "STORE",
        **arrival(0, first, "4", lot_code="A"),
        **arrival(1, second, "5"),
    }
    url = reverse("buying:receive_order", args=[order.number])

    another = as_operator.post(url, {**fields, "another": first.pk})
    scanned = as_operator.post(url, {**fields, "scan": "4006381333931", "refresh": "1"})
    wrong = as_operator.post(url, {**fields, "scan": make_item(sku="LID").sku, "refresh": "1"})

    assert [row.row.item.sku for row in another.context["rows"]] == ["WAX", "WAX", "JAR"]
    assert 'value="A"' in another.content.decode()
    focused = [row for row in scanned.context["rows"] if "data-focus" in row.fields["quantity"].widget.attrs]
    assert [row.row.item for row in focused] == [jar]
    assert "is not among the open lines" in wrong.content.decode()
    assert not Posting.objects.exists()


def test_a_delivery_that_is_sent_twice_comes_in_once(as_operator, jar):
    order = make_order([(jar, "10", None)], location=make_location(code="STORE"))
    fields = {"key": str(uuid4()), "location": "STORE", **arrival(0, order.lines.get(), "10")}
    url = reverse("buying:receive_order", args=[order.number])

    as_operator.post(url, fields)
    as_operator.post(url, fields)

    assert on_hand(jar) == 10


def test_undoing_a_receipt_on_the_order_opens_it_again(as_planner, jar):
    order = make_order([(jar, "10", None)], location=make_location(code="STORE"))
    fields = {"key": str(uuid4()), "location": "STORE", **arrival(0, order.lines.get(), "10")}
    as_planner.post(reverse("buying:receive_order", args=[order.number]), fields)
    page = as_planner.get(reverse("buying:order", args=[order.number]))
    (receipt,) = page.context["receipts"]

    as_planner.post(
        reverse("inventory:undo_posting", args=[receipt.posting.pk]),
        {"next": reverse("buying:order", args=[order.number])},
    )

    order.refresh_from_db()
    again = as_planner.get(reverse("buying:order", args=[order.number]))
    assert (order.state, on_hand(jar)) == ("ordered", 0)
    assert again.context["receipts"][0].is_reversed


def test_the_order_shows_what_its_goods_cost_once_their_price_is_given(as_planner, jar):
    order = make_order([(jar, "10", None)])
    url = reverse("buying:order", args=[order.number])
    receipt = receive_order(
        key=uuid4(), order=order, arrivals=[Arrival(order.lines.get(), Decimal(10))], actor=None
    ).posting
    assert as_planner.get(url).context["receipts"][0].value is None
    assert reverse("buying:prices", args=[receipt.pk]) in as_planner.get(url).content.decode()

    correct_prices(key=uuid4(), prices=[ReceiptPrice(receipt.movements.get(), Decimal("30.00"))], actor=None)

    assert as_planner.get(url).context["receipts"][0].value == 30


def test_the_suppliers_lot_and_another_status_are_typed_at_the_row(as_operator, jar):
    wax = make_item(sku="WAX", tracking="lot", inspection_required=True)
    order = make_order([(jar, "48", None), (wax, "10", None)], location=make_location(code="STORE"))
    first, second = order.lines.order_by("id")
    url = reverse("buying:receive_order", args=[order.number])

    page = as_operator.get(url)
    as_operator.post(
        url,
        {
            "key": str(uuid4()),
            "location": "STORE",
            **arrival(0, first, "48", status="damaged"),
            **arrival(1, second, "4", lot_code="A", supplier_lot="S-77"),
            **arrival(2, second, "6", lot_code="B", status="available"),
        },
    )

    assert "QC hold, as usual" in page.content.decode()
    assert [(b.item.sku, b.lot.code, b.status) for b in StockBalance.objects.order_by("id")] == [
        ("JAR", "", "damaged"),
        ("WAX", "A", "qc_hold"),
        ("WAX", "B", "available"),
    ]
    assert wax.lots.get(code="A").supplier_lot == "S-77"
