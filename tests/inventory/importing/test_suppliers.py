"""Import of suppliers, of what they sell and have, and of purchase orders; and their way out."""

from decimal import Decimal

import pytest

from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import CostPool, PurchaseOrder, Supplier, SupplierItem, SupplierStock
from inventory.operations.purchasing import place_order
from tests.factories import make_item, make_location, make_supplier, make_unit, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def run(kind, text, mode=Mode.ALL, **options):
    content = text if isinstance(text, bytes) else text.encode()
    return run_import(
        kind=kind_named(kind),
        content=content,
        file_name="table.csv",
        actor=None,
        mode=mode,
        options=ImportOptions(**options),
    )


def outcomes(report):
    return {name: count for name, count in report.counts().items() if count}


def problems(report):
    return " / ".join(str(problem) for problem in report.problems)


@pytest.fixture
def jar():
    item = make_item(sku="JAR")
    make_unit(item=item, name="carton", numerator="24")
    return item


SUPPLIERS = "Code,Name,E-mail,Lead time (days)\nGLAS,Glassworks,sales@glas.example,10\nWAXCO,Wax Company,,\n"


def test_suppliers_are_made_and_brought_up_to_date():
    assert outcomes(run("suppliers", SUPPLIERS, Mode.CHECK)) == {"new": 2}
    assert not Supplier.objects.exists()
    run("suppliers", SUPPLIERS)
    assert outcomes(run("suppliers", SUPPLIERS)) == {"unchanged": 2}

    changed = run("suppliers", "Code,Lead time\nglas,14\n")

    assert [str(c) for c in changed.results[0].changes] == [str(changed.results[0].changes[0])]
    assert (changed.results[0].changes[0].old, changed.results[0].changes[0].new) == ("10", "14")
    assert Supplier.objects.get(code="GLAS").name == "Glassworks"


def test_wrong_suppliers_are_refused_in_words():
    report = run("suppliers", "Code,Name,E-mail,Lead time\nA,One,nonsense,1.5\na,Two,,\n")

    assert not report.is_applied
    assert "is no whole number" in problems(report)
    assert "valid email" in problems(report)
    assert "stands in row 2 already" in problems(report)


ITEMS = "Supplier,SKU,Supplier's SKU,Unit,Unit cost,Minimum,Multiple,Preferred\nGLAS,JAR,J-220,carton,14.40,5,5,yes\n"


def test_supplier_items_come_with_their_pack_and_terms(jar):
    make_supplier(code="GLAS")

    run("supplier_items", ITEMS)

    row = SupplierItem.objects.get()
    assert (row.unit, row.unit_cost, row.order_minimum, row.is_preferred) == ("carton", Decimal("14.40"), 5, True)
    assert outcomes(run("supplier_items", ITEMS)) == {"unchanged": 1}
    wrong = run("supplier_items", ITEMS.replace("carton", "parsec").replace("14.40", "-1"))
    assert "cannot be converted" in problems(wrong)
    assert "is not a price" in problems(wrong)
    make_supplier(code="OTHER")
    assert "is bought from GLAS" in problems(run("supplier_items", ITEMS.replace("GLAS", "OTHER")))


def test_supplier_stock_keeps_its_source_and_day(jar):
    supplier = make_supplier(code="GLAS")
    SupplierItem.objects.create(supplier=supplier, item=jar)
    file = "Supplier,SKU,Qty,Unit,As of,Source\nGLAS,JAR,10,carton,2026-01-31,phone\n"

    assert outcomes(run("supplier_stock", file)) == {"new": 1}
    assert outcomes(run("supplier_stock", file)) == {"unchanged": 1}

    stock = SupplierStock.objects.get()
    assert (stock.quantity, stock.source, stock.confirmed_at.date().isoformat()) == (240, "phone", "2026-01-31")
    assert "does not sell us WAX" in problems(
        run("supplier_stock", "Supplier,SKU,Qty\nGLAS,WAX,1\n") if make_item(sku="WAX") else None
    )


ORDERS = (
    "Order,Supplier,SKU,Quantity,Unit,Unit cost,Expected on\n"
    "A-1,GLAS,JAR,2,carton,14.40,2026-03-01\n"
    "A-1,GLAS,LID,48,,,\n"
    "A-2,GLAS,LID,10,,0.10,\n"
)


def test_orders_become_drafts_and_the_same_file_changes_nothing(jar):
    make_supplier(code="GLAS")
    make_item(sku="LID")
    store = make_location(code="STORE")

    report = run("purchase_orders", ORDERS, location=store)

    assert outcomes(report) == {"new": 3}
    one, other = PurchaseOrder.objects.order_by("id")
    assert [(line.item.sku, line.quantity, line.value) for line in one.lines.order_by("id")] == [
        ("JAR", 48, Decimal("28.80")),
        ("LID", 48, None),
    ]
    assert (one.state, one.reference, other.lines.get().value) == ("draft", "A-1", 1)
    assert outcomes(run("purchase_orders", ORDERS, location=store)) == {"unchanged": 3}


def test_a_draft_is_brought_up_to_date_and_a_placed_order_only_compared(jar):
    make_supplier(code="GLAS")
    make_item(sku="LID")
    store = make_location(code="STORE")
    run("purchase_orders", ORDERS, location=store)
    changed = ORDERS.replace("A-1,GLAS,JAR,2", "A-1,GLAS,JAR,3")

    report = run("purchase_orders", changed, location=store)
    assert outcomes(report) == {"changed": 1, "unchanged": 2}
    order = PurchaseOrder.objects.get(reference="A-1")
    assert order.lines.order_by("id").first().quantity == 72

    place_order(order=order, actor=None)
    assert outcomes(run("purchase_orders", changed, location=store)) == {"unchanged": 3}
    refused = run("purchase_orders", ORDERS, location=store)
    assert "is ordered here as" in problems(refused)
    assert not refused.is_applied


def test_an_order_is_not_written_in_part(jar):
    make_supplier(code="GLAS")
    store = make_location(code="STORE")

    report = run("purchase_orders", ORDERS, Mode.CLEAN, location=store)

    assert "there is no item LID" in problems(report)
    assert "another row of A-1 is refused" in problems(report)
    assert not PurchaseOrder.objects.exists()


def test_items_change_their_cost_method_by_import(jar):
    put_on_hand(jar, make_location(), "5", value="10.00")
    file = "SKU,Cost method,ABC class,Below zero\nJAR,FIFO,B,no\n"

    assert outcomes(run("items", file)) == {"changed": 1}
    assert outcomes(run("items", file)) == {"unchanged": 1}

    jar.refresh_from_db()
    assert (jar.cost_method, jar.count_group, CostPool.objects.get().method) == ("fifo", "B", "fifo")
    assert "needs lots" in problems(run("items", "SKU,Cost method\nJAR,lot\n")) or "not tracked by lot" in problems(
        run("items", "SKU,Cost method\nJAR,lot\n")
    )
