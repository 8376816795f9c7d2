"""Import of packs and other units of items. Lines of BOMs that were typed in a unit keep the quantity they had."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from inventory.importing.cells import read_number, read_yes
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table, canonical
from inventory.importing.upkeep import (
    Entry,
    check_model,
    compare,
    leave_out_blank,
    tell,
    text_of,
    without_repetitions,
    write,
)
from inventory.models import Item, ItemUnit
from inventory.operations.posting import Actor
from inventory.quantities import as_text

FIELDS = (
    Field("item", "Item", ("item", "sku", "item code", "part number", "part no"), is_required=True),
    Field(
        "name",
        "Unit",
        ("unit", "pack", "unit name", "pack name", "name"),
        is_required=True,
        help_text="box, roll, carton.",
    ),
    Field(
        "numerator",
        "Stock units",
        ("stock units", "quantity", "units per pack", "holds", "contains", "numerator"),
        help_text="In one of it; or in as many as stand under Per. A new unit needs it.",
    ),
    Field("denominator", "Per", ("per", "denominator"), help_text="1 when left empty: 1 box holds 12."),
    Field("barcode", "Barcode", ("barcode", "ean", "gtin", "upc")),
    Field("is_purchase_unit", "Bought in", ("bought in", "is purchase unit", "purchase unit"), help_text="yes or no."),
)


def import_item_units(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Make and update the units of a table; see running.ImportKind."""
    report = Report.of("item_units", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=("numerator", "denominator")),
        report,
        key="item",
        words="the item is empty. Name it by its SKU, or delete the row.",
    )
    items = items_by_sku({reader.text("item") for reader in readers})
    readers = without_repetitions(readers, report, key=_key, column="name", label="name")
    known = {
        (unit.item_id, canonical(unit.name).casefold()): unit
        for unit in ItemUnit.objects.filter(item__in=items.values())
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    }
    entries = [entry for reader in readers if (entry := _entry(reader, items, known)) is not None]
    write(ItemUnit, entries, actor=actor)
    return tell(report, readers, entries, label="item")


def _key(reader: RowReader) -> object:
    return (reader.text("item").upper(), reader.text("name").casefold())


def _entry(
    reader: RowReader, items: Mapping[str, Item], known: Mapping[tuple[int, str], ItemUnit]
) -> Entry[ItemUnit] | None:
    item = items.get(reader.text("item").upper())
    if item is None:
        reader.refuse("item", f"there is no item {reader.text('item')}. Import the items first, or correct the SKU.")
    name = reader.read("name", text_of(32))
    if not name:
        reader.refuse("name", "the unit has no name. Type one, such as box.")
    values = _values(reader)
    if item is None or not name or not reader.is_clean:
        return None
    unit = known.get((item.pk, name.casefold()))
    is_new = unit is None
    if unit is None:
        unit = ItemUnit(item=item, name=name)
        if "numerator" not in values:
            reader.refuse("numerator", f"a new {name} of {item.sku} needs the number of stock units in it.")
            return None
    elif _factor(unit, values) == Fraction(unit.numerator) / Fraction(unit.denominator):
        values = {key: value for key, value in values.items() if key not in ("numerator", "denominator")}
    entry = compare(reader, unit, label=f"{name} of {item.sku}", is_new=is_new, values=values, fields=FIELDS)
    check_model(reader, unit, exclude=("item",))
    return entry if reader.is_clean else None


def _values(reader: RowReader) -> dict[str, Any]:
    readers: dict[str, Any] = {
        "numerator": lambda text: read_number(text, style=reader.style("numerator")),
        "denominator": lambda text: read_number(text, style=reader.style("denominator")),
        "barcode": text_of(64),
        "is_purchase_unit": read_yes,
    }
    found = {name: reader.read(name, read) for name, read in readers.items()}
    values = {name: value for name, value in found.items() if value is not None}
    for name in ("numerator", "denominator"):
        if name in values and values[name] <= 0:
            reader.refuse(
                name, f"{as_text(values[name])} is not above zero. Type how many stock units one of it holds."
            )
    if "numerator" in values:
        values.setdefault("denominator", Decimal(1))
    return values


def _factor(unit: ItemUnit, values: Mapping[str, Any]) -> Fraction:
    numerator, denominator = values.get("numerator", unit.numerator), values.get("denominator", unit.denominator)
    return Fraction(numerator) / Fraction(denominator)


ITEM_UNITS = ImportKind(
    name="item_units",
    title="Packs and units",
    help_text="How many stock units a box, a roll or a carton of an item holds. Empty cells and missing columns change nothing.",
    permissions=("inventory.add_itemunit", "inventory.change_itemunit"),
    fields=FIELDS,
    options=(),
    perform=import_item_units,
    order=12,
)
