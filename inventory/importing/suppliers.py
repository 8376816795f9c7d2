"""Import of suppliers and of what they sell us.

New rows are made, known ones brought up to date. A column that is not in the file, or an empty cell, leaves what is there.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.db.models.functions import Upper

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
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.models import Item, ItemUnit, Supplier, SupplierItem
from inventory.operations.posting import Actor
from inventory.quantities import as_text
from inventory.units import unit_factor

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


def is_left_out(reader: RowReader, report: Report, key: str, *, what: str) -> bool:
    """Whether a row says nothing: a total, or one without its key, which is refused."""
    if reader.text(key):
        return False
    if is_total(reader.row):
        report.add(reader.number, Outcome.SKIPPED, "", note="a total")
        return True
    reader.refuse(key, f"the {what} is empty. Name it, or delete the row.")
    report.add(reader.number, Outcome.REFUSED, "")
    return True


def suppliers_by_code(codes: set[str]) -> dict[str, Supplier]:
    """Known suppliers by upper-case code."""
    found = Supplier.objects.annotate(upper_code=Upper("code")).filter(upper_code__in={code.upper() for code in codes})
    return {supplier.code.upper(): supplier for supplier in found}


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
    readers = [
        r
        for r in read_rows(table, columns, report, numbers=())
        if not is_left_out(r, report, "supplier", what="supplier's code")
    ]
    known = suppliers_by_code({r.text("supplier") for r in readers})
    seen: dict[str, int] = {}
    for reader in readers:
        code = reader.text("supplier")
        if seen.setdefault(code.upper(), reader.number) != reader.number:
            reader.refuse("supplier", f"{code} stands in row {seen[code.upper()]} already. Keep one of the two rows.")
            report.add(reader.number, Outcome.REFUSED, code)
            continue
        supplier = known.get(code.upper()) or Supplier(code=code)
        values = _read(
            reader,
            {
                "name": str,
                "contact": str,
                "email": str,
                "phone": str,
                "address": str,
                "lead_time_days": read_days,
                "is_active": read_yes,
                "note": str,
            },
        )
        if supplier._state.adding and not values.get("name"):
            values["name"] = code
        _save(reader, report, supplier, values, code, SUPPLIER_FIELDS)
    report.results.sort(key=lambda result: result.row)
    return report


# --- What they sell ---------------------------------------------------------------------------------------------------


def import_supplier_items(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001
    """Make and update what suppliers sell us; see running.ImportKind."""
    report = Report.of("supplier_items", table)
    columns = find_columns(table, SUPPLIER_ITEM_FIELDS)
    numbers = ("unit_cost", "order_minimum", "order_multiple")
    readers = [
        r for r in read_rows(table, columns, report, numbers=numbers) if not is_left_out(r, report, "item", what="SKU")
    ]
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
    seen: dict[tuple[int, int], int] = {}
    for reader in readers:
        supplier, item = find_supplier(reader, suppliers), find_item(reader, items)
        label = f"{reader.text('item')} from {reader.text('supplier')}"
        if supplier is None or item is None:
            report.add(reader.number, Outcome.REFUSED, label)
            continue
        pair = (supplier.pk, item.pk)
        if seen.setdefault(pair, reader.number) != reader.number:
            reader.refuse("item", f"{label} stands in row {seen[pair]} already. Keep one of the two rows.")
            report.add(reader.number, Outcome.REFUSED, label)
            continue
        row = known.get(pair) or SupplierItem(supplier=supplier, item=item)
        values = _read(
            reader,
            {
                "supplier_sku": str,
                "unit": usual_spelling,
                "unit_cost": _cost(reader.style("unit_cost")),
                "order_minimum": _positive(reader.style("order_minimum")),
                "order_multiple": _positive(reader.style("order_multiple")),
                "lead_time_days": read_days,
                "is_preferred": read_yes,
            },
        )
        if values.get("unit"):
            _check_unit(reader, item, values["unit"], packs.get(item.pk, {}))
        if values.get("is_preferred"):
            _prefer(reader, row, preferred)
        _save(reader, report, row, values, label, SUPPLIER_ITEM_FIELDS)
    report.results.sort(key=lambda result: result.row)
    return report


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


# --- What imports of buying have in common ------------------------------------------------------------------------------------


def read_days(text: str) -> int:
    days = read_number(text)
    if days < 0 or days != int(days) or days > 3_650:
        raise CellError(f"“{text}” is not a number of days. Type a whole number from 0.")
    return int(days)


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
    values = {}
    for name, read in readers.items():
        value = reader.read(name, read)
        if value is not None:
            values[name] = value
    return values


def _save(
    reader: RowReader, report: Report, row: Model, values: dict[str, Any], label: str, fields: Sequence[Field]
) -> None:
    """Save a row that is in order and note what that changes; refused ones are noted as such."""
    is_new = row._state.adding
    titles = {field.name: field.title for field in fields}
    changes = []
    for name, value in values.items():
        old = None if is_new else getattr(row, name)
        if is_new or old != value:
            changes.append(Change(titles[name], shown(old), shown(value)))
            setattr(row, name, value)
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            reader.refuse(name if name in titles else "", " ".join(messages))
    if not reader.is_clean:
        report.add(reader.number, Outcome.REFUSED, label)
        return
    if is_new or changes:
        row.save()
    outcome = Outcome.NEW if is_new else Outcome.CHANGED if changes else Outcome.UNCHANGED
    report.add(reader.number, outcome, label, changes=changes)


def shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return as_text(value) if isinstance(value, Decimal) else str(value)


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
