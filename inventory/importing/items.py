"""Import of items: new ones are made, known ones brought up to date, nothing else is touched.

A column that is not in the file, or a cell that is empty, leaves what is there. Items in use keep what their figures stand
on: the stock unit, a coarser step, the tracking.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.db.models.functions import Upper
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from inventory.errors import DomainError, InvalidUnit
from inventory.importing.cells import (
    NumberStyle,
    read_choice,
    read_number,
    read_percent,
    read_price,
    read_yes,
    usual_spelling,
)
from inventory.importing.errors import CellError
from inventory.importing.headers import Field, find_columns
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.models import (
    UNSTOCKED_KINDS,
    CostMethod,
    CountGroup,
    Item,
    ItemCategory,
    ItemKind,
    ItemUnit,
    SupplyPolicy,
    Tracking,
)
from inventory.operations.cost_methods import change_cost_method, check_cost_method
from inventory.operations.posting import Actor
from inventory.quantities import PLACES, as_text, round_half_up
from inventory.units import is_standard, normal_unit, unit_factor

FINE_STEP = Decimal("0.001")
"""Step of a new item that is measured, not counted: grams of a kilogram, millimetres of a metre."""
BATCH_ROWS = 1_000

KIND_WORDS = {
    **{kind.value.replace("_", " "): kind.value for kind in ItemKind},
    **{kind.label.casefold().replace("-", " "): kind.value for kind in ItemKind},
    "part": ItemKind.MATERIAL,
    "component": ItemKind.MATERIAL,
    "raw material": ItemKind.MATERIAL,
    "buy": ItemKind.MATERIAL,
    "bought": ItemKind.MATERIAL,
    "purchased": ItemKind.MATERIAL,
    "make": ItemKind.SUB_ASSEMBLY,
    "made": ItemKind.SUB_ASSEMBLY,
    "assembly": ItemKind.SUB_ASSEMBLY,
    "subassembly": ItemKind.SUB_ASSEMBLY,
    "finished": ItemKind.PRODUCT,
    "finished good": ItemKind.PRODUCT,
    "finished goods": ItemKind.PRODUCT,
}
TRACKING_WORDS = {
    "none": Tracking.NONE,
    "no": Tracking.NONE,
    "not tracked": Tracking.NONE,
    "lot": Tracking.LOT,
    "by lot": Tracking.LOT,
    "batch": Tracking.LOT,
    "serial": Tracking.SERIAL,
    "by serial number": Tracking.SERIAL,
    "serial number": Tracking.SERIAL,
}
METHOD_WORDS = {
    **{method.value: method.value for method in CostMethod},
    **{method.label.casefold(): method.value for method in CostMethod},
    "moving average": CostMethod.AVERAGE,
    "first in, first out": CostMethod.FIFO,
    "batch": CostMethod.LOT,
}
POLICY_WORDS = {
    **{policy.value.replace("_", " "): policy.value for policy in SupplyPolicy},
    **{policy.label.casefold(): policy.value for policy in SupplyPolicy},
}

FIELDS = (
    Field(
        "sku",
        "SKU",
        (
            "sku",
            "item code",
            "part number",
            "part no",
            "item number",
            "item no",
            "product number",
            "part",
            "item",
            "code",
        ),
        is_required=True,
        help_text="Unique, without regard to case. A known one is brought up to date.",
    ),
    Field(
        "name", "Name", ("name", "item name", "part name", "product name", "title"), help_text="New items only need it."
    ),
    Field("description", "Description", ("description", "details", "long description")),
    Field(
        "kind",
        "Kind",
        ("kind", "item kind", "item type", "make or buy", "type"),
        help_text="Material, sub-assembly, product, packaging, phantom or service.",
    ),
    Field("category", "Category", ("category", "item group", "group"), help_text="As Wax/Soy for a sub-category."),
    Field("barcode", "Barcode", ("barcode", "gtin", "ean", "upc", "ean code")),
    Field("stock_unit", "Unit", ("stock unit", "unit", "uom", "units", "unit of measure", "base unit")),
    Field("step", "Step", ("step", "smallest quantity", "quantity step")),
    Field("tracking", "Tracking", ("tracking", "tracked by", "lot tracking")),
    Field("shelf_life_days", "Shelf life (days)", ("shelf life days", "shelf life")),
    Field("inspection_required", "Inspection", ("inspection required", "inspection", "qc required")),
    Field(
        "cost_method",
        "Cost method",
        ("cost method", "valuation", "costing", "valuation method"),
        help_text="Average, FIFO or lot. The value of stock on hand stays.",
    ),
    Field(
        "negative_allowed",
        "Below zero",
        ("negative allowed", "below zero", "allow negative stock"),
        help_text="Only untracked items of average cost.",
    ),
    Field("count_group", "Count class", ("count group", "count class", "abc class", "abc"), help_text="A, B or C."),
    Field("is_active", "Active", ("is active", "active", "enabled")),
    Field("is_sellable", "Sellable", ("is sellable", "sellable", "salable", "for sale")),
    Field(
        "standard_cost",
        "Standard cost",
        ("standard cost", "unit cost", "unit price", "cost", "cost price", "purchase price", "std cost"),
        help_text="Of one stock unit, or per the unit beside it: 15.09 / m.",
    ),
    Field("cost_unit", "Cost unit", ("cost unit", "cost uom", "price uom", "price unit")),
    Field("supply_policy", "Supply policy", ("supply policy", "replenishment")),
    Field(
        "over_completion_percent",
        "Over-completion %",
        ("over completion percent", "over completion %", "over completion"),
    ),
    Field("reorder_point", "Reorder point", ("reorder point", "min stock", "minimum stock", "reorder level")),
    Field("reorder_quantity", "Reorder quantity", ("reorder quantity", "reorder qty")),
    Field("lead_time_days", "Lead time (days)", ("lead time days", "lead time")),
    Field("hs_code", "HS code", ("hs code", "tariff number", "customs tariff number")),
    Field("origin_country", "Origin", ("origin country", "country of origin", "origin")),
    Field("weight_grams", "Weight (g)", ("weight grams", "weight g")),
    Field("pack_name", "Pack", ("pack name", "pack", "purchase unit"), help_text="Name of a pack: carton."),
    Field(
        "pack_quantity",
        "Pack quantity",
        ("pack quantity", "pack qty", "units per pack"),
        help_text="Stock units in it.",
    ),
    Field("pack_barcode", "Pack barcode", ("pack barcode", "pack ean")),
    Field("note", "Note", ("note", "notes", "remark", "remarks", "comment")),
)
NUMBERS = (
    "step",
    "standard_cost",
    "over_completion_percent",
    "reorder_point",
    "reorder_quantity",
    "weight_grams",
    "pack_quantity",
)


@dataclass(slots=True)
class _Entry:
    """One row that is in order: the item as it will be, and what that changes."""

    reader: RowReader
    item: Item
    changes: list[Change]
    category: str
    pack: tuple[str, Decimal, str] | None
    note: str = ""
    fields: set[str] = field(default_factory=set)


def import_items(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Make and update the items of a table; see running.ImportKind."""
    report = Report.of("items", table)
    columns = find_columns(table, FIELDS)
    readers = [r for r in read_rows(table, columns, report, numbers=NUMBERS) if not _is_left_out(r, report)]
    skus = {r.text("sku") for r in readers}
    known = items_by_sku(skus, lock=True)
    used = used_items([item.pk for item in known.values()])
    categories = _category_paths()
    packs = {
        (unit.item_id, unit.name.casefold()): unit
        for unit in ItemUnit.objects.filter(item__in=known.values()).select_related("item")
    }
    seen: dict[str, RowReader] = {}
    entries: list[_Entry] = []
    for reader in readers:
        first = seen.setdefault(reader.text("sku").upper(), reader)
        if first is not reader:
            _refuse_repetition(reader, first, report)
            continue
        entry = _entry(reader, known.get(reader.text("sku").upper()), used, categories, packs)
        if entry is not None:
            entries.append(entry)
    _write(entries, categories, packs, actor)
    for reader in readers:
        if not reader.is_clean:
            report.add(reader.number, Outcome.REFUSED, reader.text("sku"))
    for entry in entries:
        is_new = "sku" in entry.fields
        outcome = Outcome.NEW if is_new else Outcome.CHANGED if entry.changes else Outcome.UNCHANGED
        report.add(entry.reader.number, outcome, entry.item.sku, changes=entry.changes, note=entry.note)
    report.results.sort(key=lambda result: result.row)
    return report


def items_by_sku(skus: Collection[str], *, lock: bool = False) -> dict[str, Item]:
    """Known items by upper-case SKU."""
    found = Item.objects.annotate(upper_sku=Upper("sku")).filter(upper_sku__in={sku.upper() for sku in skus})
    if lock:
        found = found.select_for_update(of=("self",), no_key=True).order_by("pk")
    return {item.sku.upper(): item for item in found}


def used_items(items: Sequence[int]) -> set[int]:
    """Which items anything else refers to: movements, BOM lines, listings, whatever the apps above have."""
    used: set[int] = set()
    if not items:
        return used
    for relation in Item._meta.related_objects:
        model: type[Model] = relation.related_model
        if model is ItemUnit or model._meta.model_name in ("historicalitem", "lot"):
            continue
        name = relation.field.name
        rows = model._base_manager.filter(**{f"{name}__in": items}).order_by()
        used.update(rows.values_list(f"{name}_id", flat=True).distinct())
    return used


def default_step(unit: str) -> Decimal:
    """Counted things are whole; measured ones go to the thousandth, squares and cubes to the millionth."""
    word = normal_unit(unit)
    if not is_standard(unit) or word in ("pcs", "dozen"):
        return Decimal(1)
    return PLACES if "**" in word else FINE_STEP


def _is_left_out(reader: RowReader, report: Report) -> bool:
    if reader.text("sku"):
        return False
    if is_total(reader.row):
        report.add(reader.number, Outcome.SKIPPED, "", note="a total")
        return True
    reader.refuse("sku", "the SKU is empty. Give each item one, or delete the row.")
    report.add(reader.number, Outcome.REFUSED, "")
    return True


def _refuse_repetition(reader: RowReader, first: RowReader, report: Report) -> None:
    if reader.row.cells == first.row.cells:
        report.add(reader.number, Outcome.SKIPPED, reader.text("sku"), note=f"the same as row {first.number}")
        return
    reader.refuse(
        "sku",
        f"{reader.text('sku')} stands in row {first.number} already, with other figures. Keep one of the two rows.",
    )


def _entry(
    reader: RowReader,
    known: Item | None,
    used: Collection[int],
    categories: Mapping[str, ItemCategory],
    packs: Mapping[tuple[int, str], ItemUnit],
) -> _Entry | None:
    values = _values(reader)
    notes = []
    item = known or Item(sku=reader.text("sku"))
    if known is None:
        if not values.get("name"):
            values["name"] = reader.text("sku")[:250]
            notes.append("named by its SKU")
        values.setdefault("stock_unit", "pcs")
        values.setdefault("step", default_step(values["stock_unit"]))
    changes: list[Change] = []
    changed: set[str] = set() if known else {"sku"}
    for name, value in values.items():
        old = getattr(item, name)
        if known is not None and old == value:
            continue
        if known is not None:
            changes.append(Change(_title(name), _shown(old), _shown(value)))
            changed.add(name)
            problem = _refuses_change(known, name, value, known.pk in used)
            if problem:
                reader.refuse(name, problem)
        elif name not in ("name", "step") or reader.has(name):
            changes.append(Change(_title(name), "", _shown(value)))
        setattr(item, name, value)
    category = _category(reader, item, categories, changes, changed)
    pack = _pack(reader, known, packs, changes, changed)
    _check(reader, item)
    if not reader.is_clean:
        return None
    return _Entry(reader, item, changes, category, pack, "; ".join(notes), changed)


def _values(reader: RowReader) -> dict[str, Any]:
    """What the row says, by attribute of the item. Empty cells and missing columns say nothing."""
    readers: dict[str, Callable[[str], Any]] = {
        "name": str,
        "description": str,
        "kind": lambda text: read_choice(text, KIND_WORDS, what="kind of item"),
        "barcode": str,
        "stock_unit": _unit,
        "tracking": lambda text: read_choice(text, TRACKING_WORDS, what="way of tracking"),
        "shelf_life_days": _days,
        "inspection_required": read_yes,
        "cost_method": lambda text: read_choice(text, METHOD_WORDS, what="cost method"),
        "negative_allowed": read_yes,
        "count_group": lambda text: read_choice(
            text, {group.lower(): group for group in CountGroup.values}, what="class"
        ),
        "is_active": read_yes,
        "is_sellable": read_yes,
        "supply_policy": lambda text: read_choice(text, POLICY_WORDS, what="supply policy"),
        "over_completion_percent": lambda text: read_percent(text, style=reader.style("over_completion_percent")),
        "lead_time_days": _days,
        "hs_code": str,
        "origin_country": lambda text: text.upper(),
        "note": str,
    }
    for name in ("step", "reorder_point", "reorder_quantity", "weight_grams"):
        readers[name] = _not_negative(reader.style(name))
    values = {}
    for name, read in readers.items():
        value = reader.read(name, read)
        if value is not None:
            values[name] = value
    cost_unit = usual_spelling(reader.text("cost_unit"))
    if cost_unit and "stock_unit" not in values and "stock_unit" not in reader.columns.found:
        values["stock_unit"] = _unit(cost_unit)
    cost = reader.read("standard_cost", lambda text: _cost(text, reader, values.get("stock_unit", ""), cost_unit))
    if cost is not None:
        values["standard_cost"] = cost
    return values


def _unit(text: str) -> str:
    unit = usual_spelling(text)
    if len(unit) > 16:
        raise CellError(f"“{text}” is no unit; it has more than 16 characters. Use pcs, kg, m, l or another short one.")
    return unit


def _days(text: str) -> int:
    days = read_number(text)
    if days < 0 or days != int(days):
        raise CellError(f"“{text}” is not a number of days. Type a whole number from 0.")
    return int(days)


def _not_negative(style: NumberStyle) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        number = read_number(text, style=style)
        if number < 0:
            raise CellError(f"“{text}” is below zero. Type zero or more.")
        return number

    return read


def _cost(text: str, reader: RowReader, stock_unit: str, cost_unit: str) -> Decimal:
    price, per = read_price(text, currency=settings.BASE_CURRENCY, style=reader.style("standard_cost"))
    per = usual_spelling(per) or cost_unit
    if not per or not stock_unit:
        return price
    try:
        factor = unit_factor(unit=per, stock_unit=stock_unit, packs={}, sku=reader.text("sku"))
    except InvalidUnit as error:
        raise CellError(f"the price is per {per}: {error.message}") from None
    return round_half_up(Fraction(price) / factor, PLACES)


def _refuses_change(item: Item, name: str, value: Any, is_used: bool) -> str:
    if not is_used:
        return ""
    unit = item.stock_unit
    if name == "stock_unit" and normal_unit(value) != normal_unit(unit):
        return (
            f"{item.sku} is in use and its figures are in {unit}; the unit cannot become {value}. "
            f"Make another item, or convert the file to {unit}."
        )
    if name == "step" and item.step % value:
        return (
            f"{item.sku} is in use in steps of {as_text(item.step)} {unit}; a step of {as_text(value)} would not divide "
            "what is there. Give a finer one."
        )
    if name == "tracking" and (value == Tracking.SERIAL or item.tracking != Tracking.NONE):
        return (
            f"{item.sku} is in use and tracked as it is; that cannot become “{value}” by import. Leave the cell empty."
        )
    if name == "cost_method":
        try:
            check_cost_method(item, value)
        except DomainError as error:
            return error.message
    if name == "kind" and value in UNSTOCKED_KINDS:
        return f"{item.sku} is in use, so it cannot become a {value}. Leave the cell empty."
    return ""


def _category(
    reader: RowReader, item: Item, categories: Mapping[str, ItemCategory], changes: list[Change], changed: set[str]
) -> str:
    """The wanted category's path; empty when the row names none or the item is in it already."""
    path = "/".join(part.strip() for part in reader.text("category").split("/") if part.strip())
    if not path:
        return ""
    if any(len(part) > 100 for part in path.split("/")):
        reader.refuse("category", f"“{path}” has a part of more than 100 characters. Shorten it.")
        return ""
    known = categories.get(path.casefold())
    if known is not None and item.category_id == known.pk:
        return ""
    before = next((p for p, category in categories.items() if category.pk == item.category_id), "")
    changes.append(Change("Category", before, path))
    changed.add("category")
    return path


def _pack(
    reader: RowReader,
    known: Item | None,
    packs: Mapping[tuple[int, str], ItemUnit],
    changes: list[Change],
    changed: set[str],
) -> tuple[str, Decimal, str] | None:
    name = reader.text("pack_name")
    if not name:
        return None
    quantity = reader.read("pack_quantity", lambda text: read_number(text, style=reader.style("pack_quantity")))
    if quantity is None or quantity <= 0:
        reader.refuse("pack_quantity", f"a {name} needs the number of stock units in it, above zero.")
        return None
    if len(name) > 32:
        reader.refuse("pack_name", f"“{name}” has more than 32 characters. Shorten it.")
        return None
    barcode = reader.text("pack_barcode")
    before = packs.get((known.pk, name.casefold())) if known else None
    is_same = before is not None and Fraction(before.numerator) / Fraction(before.denominator) == Fraction(quantity)
    if before is not None and is_same and (not barcode or before.barcode == barcode):
        return None
    old = "" if before is None else as_text(before.numerator / before.denominator)
    changes.append(Change(f"Pack “{name}”", old, as_text(quantity)))
    changed.add("pack")
    return name, quantity, barcode


def _check(reader: RowReader, item: Item) -> None:
    """The rules of the model itself, field by field."""
    try:
        item.clean_fields(exclude={"category"})
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            reader.refuse(name, " ".join(messages))
    if reader.is_clean:
        try:
            item.clean()
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                reader.refuse(name, " ".join(messages))
    if item.tracking == Tracking.SERIAL and item.step != 1:
        reader.refuse("tracking", f"{item.sku} has serial numbers, so its step must be 1, not {as_text(item.step)}.")


def _write(
    entries: Sequence[_Entry],
    categories: dict[str, ItemCategory],
    packs: Mapping[tuple[int, str], ItemUnit],
    actor: Actor,
) -> None:
    for entry in entries:
        if entry.category:
            entry.item.category = _ensure_category(entry.category, categories)
    user = actor if isinstance(actor, get_user_model()) else None
    new = [entry.item for entry in entries if "sku" in entry.fields]
    revalued = [entry for entry in entries if "cost_method" in entry.fields and "sku" not in entry.fields]
    plain = [entry for entry in entries if "sku" not in entry.fields and entry not in revalued]
    changed = [entry.item for entry in plain if entry.fields - {"pack"}]
    names = sorted({name for entry in plain for name in entry.fields - {"pack"}})
    if new:
        made = bulk_create_with_history(
            new, Item, batch_size=BATCH_ROWS, default_user=user, default_change_reason="import"
        )
        for item, stored in zip(new, made, strict=True):
            item.pk = stored.pk
    if changed:
        bulk_update_with_history(
            changed, Item, names, batch_size=BATCH_ROWS, default_user=user, default_change_reason="import"
        )
    for entry in revalued:  # the value of their stock is followed in another way from now on
        change_cost_method(
            key=uuid4(), item=entry.item, method=entry.item.cost_method, actor=actor, reason="Changed by import"
        )
    for entry in entries:
        if entry.pack is not None:
            name, quantity, barcode = entry.pack
            values = {"numerator": quantity, "denominator": Decimal(1), **({"barcode": barcode} if barcode else {})}
            known = packs.get((entry.item.pk, name.casefold()))
            ItemUnit.objects.update_or_create(item=entry.item, name=known.name if known else name, defaults=values)


def _category_paths() -> dict[str, ItemCategory]:
    """Every category by its path in lower case."""
    everyone = {category.pk: category for category in ItemCategory.objects.all()}

    def path(category: ItemCategory) -> str:
        parent = everyone.get(category.parent_id) if category.parent_id else None
        return f"{path(parent)}/{category.name}" if parent else category.name

    return {path(category).casefold(): category for category in everyone.values()}


def _ensure_category(path: str, categories: dict[str, ItemCategory]) -> ItemCategory:
    parent: ItemCategory | None = None
    walked: list[str] = []
    for name in path.split("/"):
        walked.append(name)
        key = "/".join(walked).casefold()
        if key not in categories:
            categories[key] = ItemCategory.objects.create(name=name, parent=parent)
        parent = categories[key]
    assert parent is not None, "a path has at least one part"
    return parent


def _title(name: str) -> str:
    return next(one.title for one in FIELDS if one.name == name)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return as_text(value) if isinstance(value, Decimal) else str(value)


ITEMS = ImportKind(
    name="items",
    title="Items",
    help_text="New items are made and known ones brought up to date. Empty cells and missing columns change nothing.",
    permissions=("inventory.add_item", "inventory.change_item"),
    fields=FIELDS,
    options=(),
    perform=import_items,
    order=10,
)
