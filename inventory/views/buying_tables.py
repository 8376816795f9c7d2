"""Tables of buying as downloads, with the titles the import reads, so that they can be changed and brought back."""

from collections.abc import Iterator

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_GET

from inventory.importing.running import kind_named
from inventory.models import PurchaseOrderLine, Supplier, SupplierItem, SupplierStock
from inventory.web import Cell, export_table

Rows = Iterator[list[Cell]]


def _suppliers() -> Rows:
    for one in Supplier.objects.order_by("code").iterator():
        yield [
            one.code,
            one.name,
            one.contact,
            one.email,
            one.phone,
            one.address,
            one.lead_time_days,
            "yes" if one.is_active else "no",
            one.note,
        ]


def _supplier_items() -> Rows:
    rows = SupplierItem.objects.select_related("supplier", "item").order_by("supplier__code", "item__sku")
    for one in rows.iterator():
        yield [
            one.supplier.code,
            one.item.sku,
            one.supplier_sku,
            one.unit,
            one.unit_cost,
            one.order_minimum,
            one.order_multiple,
            one.lead_time_days,
            "yes" if one.is_preferred else "no",
        ]


def _supplier_stock() -> Rows:
    rows = SupplierStock.objects.select_related("supplier_item__supplier", "supplier_item__item")
    for one in rows.order_by("supplier_item__supplier__code", "supplier_item__item__sku").iterator():
        sold = one.supplier_item
        unit = sold.item.stock_unit
        yield [sold.supplier.code, sold.item.sku, one.quantity, unit, f"{one.confirmed_at:%Y-%m-%d}", one.source]


def _purchase_orders() -> Rows:
    rows = PurchaseOrderLine.objects.select_related("order__supplier", "order__location", "item")
    for one in rows.order_by("order_id", "id").iterator():
        order = one.order
        yield [
            order.reference or order.number,
            order.supplier.code,
            one.item.sku,
            one.typed_quantity,
            one.unit,
            None,
            one.value,
            str(one.expected_on or ""),
            order.location.code,
            order.note,
        ]


TABLES = {
    "suppliers": ("inventory.view_supplier", _suppliers),
    "supplier_items": ("inventory.view_supplieritem", _supplier_items),
    "supplier_stock": ("inventory.view_supplierstock", _supplier_stock),
    "purchase_orders": ("inventory.view_purchaseorder", _purchase_orders),
}


@require_GET
def table(request: HttpRequest, name: str) -> HttpResponseBase:
    """All rows of one table as CSV, or with `?as=xlsx` as a workbook."""
    if name not in TABLES:
        raise Http404(f"There is no table {name}.")
    permission, rows = TABLES[name]
    if not request.user.has_perm(permission):
        raise PermissionDenied
    kind = kind_named(name)
    found = export_table(
        request.GET.get("as", "csv"), name=kind.title, header=[field.title for field in kind.fields], rows=rows()
    )
    if found is None:
        raise Http404("Tables come as csv or xlsx.")
    return found
