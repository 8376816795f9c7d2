"""Import of what suppliers say to have: a figure with its source and its day, never stock on hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from django.utils import timezone

from inventory.errors import DomainError
from inventory.importing.cells import read_date, read_quantity, usual_spelling
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.suppliers import CODE, ITEM, NO_SKU, find_item, find_supplier, suppliers_by_code
from inventory.importing.tables import Table
from inventory.importing.upkeep import is_same, leave_out_blank
from inventory.models import Item, Supplier, SupplierItem, SupplierStock
from inventory.operations.checking import to_stock_unit
from inventory.operations.posting import Actor
from inventory.operations.telling import tell_changed
from inventory.quantities import ZERO, as_text

MISSING_MAX = 5
"""So many items a complete file may always leave out."""

SUPPLIER_STOCK_FIELDS = (
    CODE,
    ITEM,
    Field("quantity", "Quantity", ("quantity", "qty", "stock", "on hand", "available"), is_required=True),
    Field("unit", "Unit", ("unit", "uom", "unit of measure"), help_text="Empty: the stock unit."),
    Field("confirmed_on", "Confirmed on", ("confirmed on", "date", "as of", "stock date"), help_text="Empty: today."),
    Field("source", "Source", ("source", "from"), help_text="Empty: the name of the file."),
)


def import_supplier_stock(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001
    """Take over what suppliers say to have; see running.ImportKind.

    A file that is said to name everything sets what it does not name to nothing, unless it leaves out most of what its
    supplier had: then it was cut off, and none of its rows is taken.
    """
    report = Report.of("supplier_stock", table)
    columns = find_columns(table, SUPPLIER_STOCK_FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=("quantity",)), report, key="item", words=NO_SKU
    )
    suppliers = suppliers_by_code({r.text("supplier") for r in readers})
    items = items_by_sku({r.text("item") for r in readers})
    sold = {
        (row.supplier_id, row.item_id): row
        for row in SupplierItem.objects.filter(item__in=items.values()).select_related("item")
    }
    known = {row.supplier_item_id: row for row in SupplierStock.objects.filter(supplier_item__in=sold.values())}
    missing = _missing(readers, suppliers, items) if options.is_complete else {}
    cut_off = {supplier.pk: words for supplier in missing if (words := _cut_off(supplier, missing[supplier]))}
    seen: dict[int, int] = {}
    told: set[int] = set()
    for reader in readers:
        supplier, item = find_supplier(reader, suppliers), find_item(reader, items)
        label = f"{reader.text('item')} at {reader.text('supplier')}"
        row = sold.get((supplier.pk, item.pk)) if supplier and item else None
        if supplier and item and row is None:
            reader.refuse("item", f"{supplier.code} does not sell us {item.sku}. Import it as a supplier item first.")
        if row is not None and seen.setdefault(row.pk, reader.number) != reader.number:
            reader.refuse("item", f"{label} stands in row {seen[row.pk]} already. Keep one of the two rows.")
        if supplier and supplier.pk in cut_off:
            reader.refuse("", cut_off[supplier.pk])
        quantity = _supplier_quantity(reader, item) if item else None
        day = reader.read("confirmed_on", read_date)
        if day is not None and day > timezone.localdate():
            reader.refuse(
                "confirmed_on", f"{day} has not come yet, so such a figure would never age. Give a day up to today."
            )
        if row is None or quantity is None or not reader.is_clean:
            report.add(reader.number, Outcome.REFUSED, label)
            continue
        stock = known.get(row.pk) or SupplierStock(supplier_item=row)
        source = reader.text("source")[:100] or stock.source or table.name[:100]
        is_known = not stock._state.adding and stock.quantity == quantity and is_same(stock.source, source)
        if is_known and (day is None or timezone.localdate(stock.confirmed_at) == day):
            report.add(reader.number, Outcome.UNCHANGED, label)
            continue
        outcome = Outcome.NEW if stock._state.adding else Outcome.CHANGED
        old = "" if stock._state.adding else as_text(stock.quantity)
        changes = [Change("Quantity", old, as_text(quantity))]
        if day is not None:
            changes.append(Change("Confirmed on", _day_of(stock), str(day)))
        stock.quantity, stock.source, stock.confirmed_at = quantity, source, _moment(day)
        stock.save()
        told.add(row.item_id)
        report.add(reader.number, outcome, label, changes=changes)
    for supplier, rows in missing.items():
        if supplier.pk not in cut_off:
            told |= _set_to_nothing(rows.gone, table.name[:100], report)
    tell_changed(items=told, cause="supplier stock")
    report.results.sort(key=lambda result: result.row)
    return report


@dataclass(frozen=True, slots=True)
class _Missing:
    """What a supplier had something of, as far as a file does not name it, and how much there was to name."""

    gone: Sequence[SupplierStock]
    had: int


def _missing(
    readers: Sequence[RowReader], suppliers: Mapping[str, Supplier], items: Mapping[str, Item]
) -> dict[Supplier, _Missing]:
    """By supplier of the file. A row that cannot be used names its item all the same."""
    named: dict[Supplier, set[int]] = {}
    for reader in readers:
        supplier, item = suppliers.get(reader.text("supplier").upper()), items.get(reader.text("item").upper())
        if supplier is not None:
            named.setdefault(supplier, set()).update({item.pk} if item else ())
    found = {}
    rows = SupplierStock.objects.filter(supplier_item__supplier__in=named, quantity__gt=0).select_related(
        "supplier_item__supplier", "supplier_item__item"
    )
    held: dict[int, list[SupplierStock]] = {}
    for row in rows.order_by("supplier_item__item__sku"):
        held.setdefault(row.supplier_item.supplier_id, []).append(row)
    for supplier, items_named in named.items():
        all_rows = held.get(supplier.pk, [])
        gone = [row for row in all_rows if row.supplier_item.item_id not in items_named]
        found[supplier] = _Missing(gone, len(all_rows))
    return found


def _cut_off(supplier: Supplier, missing: _Missing) -> str:
    """Why a complete file is not believed; empty when it is."""
    count = len(missing.gone)
    if count <= MISSING_MAX or count * 2 <= missing.had:
        return ""
    skus = ", ".join(row.supplier_item.item.sku for row in missing.gone[:3])
    return (
        f"{supplier.code} had something of {missing.had} items and the file names {missing.had - count} of them, not {skus} and "
        f"{count - 3} more. It looks cut off. Fetch it again; if all that is really gone, name each with 0."
    )


def _set_to_nothing(rows: Sequence[SupplierStock], source: str, report: Report) -> set[int]:
    for row in rows:
        label = f"{row.supplier_item.item.sku} at {row.supplier_item.supplier.code}"
        changes = [Change("Quantity", as_text(row.quantity), "0")]
        row.quantity, row.source, row.confirmed_at = ZERO, source, timezone.now()
        row.save()
        report.add(0, Outcome.CHANGED, label, changes=changes, note="not in the file")
    return {row.supplier_item.item_id for row in rows}


def _supplier_quantity(reader: RowReader, item: Item) -> Decimal | None:
    typed = reader.read("quantity", lambda text: read_quantity(text, style=reader.style("quantity")))
    if typed is None:
        reader.refuse("quantity", "the quantity is empty. Type what they have, 0 for nothing.")
        return None
    if typed.number < 0:
        reader.refuse("quantity", f"“{reader.text('quantity')}” is below zero. Type what they have, 0 for nothing.")
        return None
    try:
        return to_stock_unit(item, typed.number, usual_spelling(typed.unit or reader.text("unit")))
    except DomainError as error:
        reader.refuse("unit" if error.code == "INVALID_UNIT" and reader.has("unit") else "quantity", error.message)
        return None


def _day_of(stock: SupplierStock) -> str:
    return "" if stock._state.adding else str(timezone.localdate(stock.confirmed_at))


def _moment(day: date | None) -> datetime:
    """The beginning of a day, or now."""
    return timezone.now() if day is None else timezone.make_aware(datetime.combine(day, time.min))


SUPPLIER_STOCK = ImportKind(
    name="supplier_stock",
    title="Supplier stock",
    help_text="What suppliers say to have. A row replaces the figure before; items that are not in the file keep theirs, "
    "unless the file is said to name everything.",
    permissions=("inventory.add_supplierstock", "inventory.change_supplierstock"),
    fields=SUPPLIER_STOCK_FIELDS,
    options=("is_complete",),
    perform=import_supplier_stock,
    order=42,
)
