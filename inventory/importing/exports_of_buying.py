"""Suppliers, what they sell and have, and purchase orders as their imports read them."""

from collections.abc import Iterator

from django.db.models import Count, OuterRef, Subquery
from django.utils import timezone

from inventory.importing.exporting import CHUNK_ROWS, Cell, ExportKind, yes
from inventory.models import PurchaseOrder, PurchaseOrderLine, PurchaseOrderState, Supplier, SupplierItem, SupplierStock


def _suppliers() -> Iterator[list[Cell]]:
    for one in Supplier.objects.order_by("code").iterator(chunk_size=CHUNK_ROWS):
        yield [
            one.code,
            one.name,
            one.contact,
            one.email,
            one.phone,
            one.address,
            one.lead_time_days,
            yes(one.is_active),
            one.note,
        ]


def _supplier_items() -> Iterator[list[Cell]]:
    rows = SupplierItem.objects.select_related("supplier", "item").order_by("supplier__code", "item__sku")
    for one in rows.iterator(chunk_size=CHUNK_ROWS):
        yield [
            one.supplier.code,
            one.item.sku,
            one.supplier_sku,
            one.unit,
            one.unit_cost,
            one.order_minimum,
            one.order_multiple,
            one.lead_time_days,
            yes(one.is_preferred),
        ]


def _supplier_stock() -> Iterator[list[Cell]]:
    rows = SupplierStock.objects.select_related("supplier_item__supplier", "supplier_item__item")
    rows = rows.order_by("supplier_item__supplier__code", "supplier_item__item__sku")
    for one in rows.iterator(chunk_size=CHUNK_ROWS):
        sold = one.supplier_item
        day = timezone.localdate(one.confirmed_at).isoformat()
        yield [sold.supplier.code, sold.item.sku, one.quantity, sold.item.stock_unit, day, one.source]


def _purchase_orders() -> Iterator[list[Cell]]:
    """Lines of orders, each under the number by which the import finds it: the supplier's where that is one order's alone."""
    same = (
        PurchaseOrder.objects.filter(
            supplier=OuterRef("order__supplier"), reference__iexact=OuterRef("order__reference")
        )
        .order_by()
        .values("supplier")
        .annotate(orders=Count("id"))
        .values("orders")
    )
    rows = PurchaseOrderLine.objects.select_related("order__supplier", "order__location", "item")
    rows = rows.annotate(orders_alike=Subquery(same)).order_by("order_id", "id")
    for one in rows.iterator(chunk_size=CHUNK_ROWS):
        order = one.order
        is_alone = one.orders_alike == 1 and order.state != PurchaseOrderState.CANCELLED
        yield [
            order.reference if order.reference and is_alone else order.number,
            order.supplier.code,
            one.item.sku,
            one.typed_quantity,
            one.unit,
            one.value,
            "" if one.expected_on is None else one.expected_on.isoformat(),
            order.location.code,
            order.note,
        ]


EXPORTS_OF_BUYING = (
    ExportKind(
        name="suppliers",
        permission="inventory.view_supplier",
        columns=("supplier", "name", "contact", "email", "phone", "address", "lead_time_days", "is_active", "note"),
        rows=_suppliers,
        count=Supplier.objects.count,
    ),
    ExportKind(
        name="supplier_items",
        permission="inventory.view_supplieritem",
        columns=(
            "supplier",
            "item",
            "supplier_sku",
            "unit",
            "unit_cost",
            "order_minimum",
            "order_multiple",
            "lead_time_days",
            "is_preferred",
        ),
        rows=_supplier_items,
        count=SupplierItem.objects.count,
    ),
    ExportKind(
        name="supplier_stock",
        permission="inventory.view_supplierstock",
        columns=("supplier", "item", "quantity", "unit", "confirmed_on", "source"),
        rows=_supplier_stock,
        count=SupplierStock.objects.count,
    ),
    ExportKind(
        name="purchase_orders",
        permission="inventory.view_purchaseorder",
        columns=("order", "supplier", "item", "quantity", "unit", "value", "expected_on", "location", "note"),
        rows=_purchase_orders,
        count=PurchaseOrderLine.objects.count,
        note="What was ordered. In another book all of it becomes drafts; what came in of it is in the ledger.",
    ),
)
