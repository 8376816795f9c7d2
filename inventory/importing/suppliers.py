"""Import of suppliers and of what they sell us.

New rows are made, known ones brought up to date. A column that is not in the file, or an empty cell, leaves what is there.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.db.models.expressions import RawSQL

from inventory.errors import DomainError
from inventory.importing.cells import (
    NumberStyle,
    read_number,
    read_price,
    read_yes,
    usual_spelling,
)
from inventory.importing.errors import CellError
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.importing.upkeep import (
    check_model,
    compare,
    leave_out_blank,
    tell,
    whole_number,
    without_repetitions,
    write,
)
from inventory.models import Item, ItemUnit, Supplier, SupplierItem
from inventory.operations.posting import Actor
from inventory.units import normal_unit, unit_factor

CODE = Field(
    "supplier",
    "Supplier",
    ("supplier", "supplier code", "vendor", "vendor code", "code"),
    is_required=True,
    help_text="The supplier's short name here.",
)
ITEM = Field(
    "item",
    "SKU",
    ("sku", "item", "item code", "our sku", "part number", "part no", "product"),
    is_required=True,
    help_text="Our SKU.",
)
NO_SKU = "the SKU is empty. Name it, or delete the row."

SUPPLIER_FIELDS = (
    Field(
        "supplier",
        "Code",
        ("code", "supplier code", "supplier", "vendor code", "vendor"),
        is_required=True,
        help_text="Short name, unique without regard to case.",
    ),
    Field("name", "Name", ("name", "supplier name", "company", "vendor name"), help_text="New suppliers need it."),
    Field("contact", "Contact", ("contact", "contact person", "contact name")),
    Field("email", "E-mail", ("email", "e mail", "mail")),
    Field("phone", "Phone", ("phone", "telephone", "tel")),
    Field("address", "Address", ("address", "street")),
    Field("lead_time_days", "Lead time (days)", ("lead time days", "lead time")),
    Field("is_active", "Active", ("is active", "active", "enabled")),
    Field("note", "Note", ("note", "notes", "remark", "comment")),
)
SUPPLIER_ITEM_FIELDS = (
    CODE,
    ITEM,
    Field(
        "supplier_sku",
        "Supplier's SKU",
        (
            "supplier's sku",
            "supplier sku",
            "vendor sku",
            "their sku",
            "supplier part number",
        ),
    ),
    Field("unit", "Unit", ("unit", "purchase unit", "uom", "pack"), help_text="What one buys it by: carton, kg."),
    Field("unit_cost", "Unit cost", ("unit cost", "cost", "price", "unit price", "purchase price")),
    Field("order_minimum", "Minimum", ("minimum", "moq", "minimum order", "order minimum", "minimum order quantity")),
    Field("order_multiple", "Multiple", ("multiple", "order multiple", "pack multiple")),
    Field("lead_time_days", "Lead time (days)", ("lead time days", "lead time")),
    Field("is_preferred", "Preferred", ("preferred", "is preferred", "main supplier")),
)


def suppliers_by_code(codes: set[str]) -> dict[str, Supplier]:
    """Known suppliers by upper-case code."""
    named = RawSQL(
        "SELECT s.id FROM inventory_supplier s JOIN unnest(%s::text[]) AS w(code) ON upper(s.code) = upper(w.code)",
        [sorted(codes)],
    )  # the database folds some letters otherwise than Python does
    return {supplier.code.upper(): supplier for supplier in Supplier.objects.filter(pk__in=named)}


def find_supplier(reader: RowReader, suppliers: dict[str, Supplier]) -> Supplier | None:
    code = reader.text("supplier")
    found = suppliers.get(code.upper())
    if found is None:
        reader.refuse("supplier", f"there is no supplier {code}. Import the suppliers first, or correct the code.")
    return found


def find_item(reader: RowReader, items: dict[str, Item]) -> Item | None:
    sku = reader.text("item")
    found = items.get(sku.upper())
    if found is None:
        reader.refuse("item", f"there is no item {sku}. Import the items first, or correct the SKU.")
    return found


# --- Suppliers --------------------------------------------------------------------------------------------------------


def import_suppliers(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Make and update the suppliers of a table; see running.ImportKind."""
    report = Report.of("suppliers", table)
    columns = find_columns(table, SUPPLIER_FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=()),
        report,
        key="supplier",
        words="the supplier's code is empty. Name it, or delete the row.",
    )
    readers = without_repetitions(
        readers, report, key=lambda r: r.text("supplier").upper(), column="supplier", label="supplier"
    )
    known = suppliers_by_code({r.text("supplier") for r in readers})
    entries = []
    for reader in readers:
        code = reader.text("supplier")
        before = known.get(code.upper())
        supplier = before or Supplier(code=code)
        values = _read(
            reader,
            {
                "name": str,
                "contact": str,
                "email": str,
                "phone": str,
                "address": str,
                "lead_time_days": whole_number,
                "is_active": read_yes,
                "note": str,
            },
        )
        if before is None:
            values.setdefault("name", code)
        entry = compare(reader, supplier, label=code, is_new=before is None, values=values, fields=SUPPLIER_FIELDS)
        check_model(reader, supplier)
        if reader.is_clean:
            entries.append(entry)
    write(Supplier, entries, actor=actor)
    return tell(report, readers, entries, label="supplier")


# --- What they sell ---------------------------------------------------------------------------------------------------


def import_supplier_items(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001
    """Make and update what suppliers sell us; see running.ImportKind."""
    report = Report.of("supplier_items", table)
    columns = find_columns(table, SUPPLIER_ITEM_FIELDS)
    numbers = ("unit_cost", "order_minimum", "order_multiple")
    readers = leave_out_blank(read_rows(table, columns, report, numbers=numbers), report, key="item", words=NO_SKU)
    readers = without_repetitions(
        readers,
        report,
        key=lambda r: (r.text("supplier").upper(), r.text("item").upper()),
        column="item",
        label="item",
    )
    suppliers = suppliers_by_code({r.text("supplier") for r in readers})
    items = items_by_sku({r.text("item") for r in readers})
    known = {
        (row.supplier_id, row.item_id): row
        for row in SupplierItem.objects.filter(item__in=items.values()).select_related("item", "supplier")
    }
    preferred = {row.item_id: row for row in known.values() if row.is_preferred}
    packs: dict[int, dict[str, Fraction]] = {}
    for pack in ItemUnit.objects.filter(item__in=items.values()):
        packs.setdefault(pack.item_id, {})[pack.name.casefold()] = Fraction(pack.numerator) / Fraction(pack.denominator)
    entries = []
    for reader in readers:
        supplier, item = find_supplier(reader, suppliers), find_item(reader, items)
        if supplier is None or item is None:
            continue
        before = known.get((supplier.pk, item.pk))
        row = before or SupplierItem(supplier=supplier, item=item)
        values = _terms(reader)
        if values.get("unit"):
            _check_unit(reader, item, values["unit"], packs.get(item.pk, {}))
            if before is not None and normal_unit(before.unit) == normal_unit(values["unit"]):
                values["unit"] = before.unit
        if values.get("is_preferred"):
            _prefer(reader, row, preferred)
        label = f"{item.sku} from {supplier.code}"
        entry = compare(reader, row, label=label, is_new=before is None, values=values, fields=SUPPLIER_ITEM_FIELDS)
        check_model(reader, row, exclude=("supplier", "item"))
        if reader.is_clean:
            entries.append(entry)
    write(SupplierItem, entries, actor=actor)
    return tell(report, readers, entries, label="item")


def _terms(reader: RowReader) -> dict[str, Any]:
    return _read(
        reader,
        {
            "supplier_sku": str,
            "unit": usual_spelling,
            "unit_cost": _cost(reader.style("unit_cost")),
            "order_minimum": _positive(reader.style("order_minimum")),
            "order_multiple": _positive(reader.style("order_multiple")),
            "lead_time_days": whole_number,
            "is_preferred": read_yes,
        },
    )


def _check_unit(reader: RowReader, item: Item, unit: str, packs: Mapping[str, Fraction]) -> None:
    """Note a unit that cannot be converted to the item's."""
    try:
        unit_factor(unit=unit, stock_unit=item.stock_unit, packs=packs, sku=item.sku)
    except DomainError as error:
        reader.refuse("unit", error.message)


def _prefer(reader: RowReader, row: SupplierItem, preferred: dict[int, SupplierItem]) -> None:
    """An item is bought at one place unless told otherwise; two rows of a file must not both say so."""
    other = preferred.setdefault(row.item_id, row)
    if other is not row:
        reader.refuse(
            "is_preferred",
            f"{row.item.sku} is bought from {other.supplier.code} unless told otherwise. Say no in that row first.",
        )


# --- Reading cells ----------------------------------------------------------------------------------------------------


def _positive(style: NumberStyle) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        number = read_number(text, style=style)
        if number <= 0:
            raise CellError(f"“{text}” is not above zero. Leave the cell empty when there is no such term.")
        return number

    return read


def _cost(style: NumberStyle) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        price, per = read_price(text, currency=settings.BASE_CURRENCY, style=style)
        if per:
            raise CellError(f"“{text}” names a unit. Put the unit into its own column.")
        return price

    return read


def _read(reader: RowReader, readers: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    """What the row says, by attribute; empty cells and missing columns say nothing."""
    return {name: value for name, read in readers.items() if (value := reader.read(name, read)) is not None}


UPDATES = "New ones are made and known ones brought up to date. Empty cells and missing columns change nothing."

SUPPLIERS = ImportKind(
    name="suppliers",
    title="Suppliers",
    help_text=UPDATES,
    permissions=("inventory.add_supplier", "inventory.change_supplier"),
    fields=SUPPLIER_FIELDS,
    options=(),
    perform=import_suppliers,
    order=40,
)
SUPPLIER_ITEMS = ImportKind(
    name="supplier_items",
    title="Supplier items",
    help_text=f"What each supplier sells us and on which terms. {UPDATES}",
    permissions=("inventory.add_supplieritem", "inventory.change_supplieritem"),
    fields=SUPPLIER_ITEM_FIELDS,
    options=(),
    perform=import_supplier_items,
    order=41,
)
