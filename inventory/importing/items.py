"""Import of items: new ones are made, known ones brought up to date, nothing else is touched.

A column that is not in the file, or a cell that is empty, leaves what is there. Items in use keep what their figures stand
on: the stock unit, a coarser step, the tracking.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.db.models.expressions import RawSQL
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from inventory.errors import DomainError, InvalidUnit
from inventory.importing.cells import (
    read_choice,
    read_number,
    read_percent,
    read_price,
    read_yes,
    usual_spelling,
)
from inventory.importing.errors import CellError
from inventory.importing.headers import find_columns
from inventory.importing.item_columns import (
    FIELDS,
    GROUP_WORDS,
    KIND_WORDS,
    METHOD_WORDS,
    NUMBERS,
    POLICY_WORDS,
    TRACKING_WORDS,
)
from inventory.importing.paths import NAME_MAX, Categories, Path, path_text, read_path
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.importing.upkeep import REASON, is_same, not_negative, person, shown, whole_number
from inventory.models import UNSTOCKED_KINDS, Item, ItemUnit, Tracking
from inventory.operations.cost_methods import change_cost_method, check_cost_method
from inventory.operations.describing import tell_described
from inventory.operations.posting import Actor
from inventory.quantities import PLACES, as_text, round_half_up
from inventory.units import is_standard, normal_unit, unit_factor

FINE_STEP = Decimal("0.001")
"""Step of a new item that is measured, not counted: grams of a kilogram, millimetres of a metre."""
BATCH_ROWS = 1_000


@dataclass(slots=True)
class _Entry:
    """One row that is in order: the item as it will be, and what that changes."""

    reader: RowReader
    item: Item
    changes: list[Change]
    category: Path
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
    categories = Categories()
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
    named = RawSQL(
        "SELECT i.id FROM inventory_item i JOIN unnest(%s::text[]) AS w(sku) ON upper(i.sku) = upper(w.sku)",
        [sorted(set(skus))],
    )  # the database folds some letters otherwise than Python does
    found = Item.objects.filter(pk__in=named)
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
    categories: Categories,
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
        if known is not None and (is_same(old, value) or (name == "stock_unit" and usual_spelling(old) == value)):
            continue
        if known is not None:
            changes.append(Change(_title(name), shown(old), shown(value)))
            changed.add(name)
            problem = _refuses_change(known, name, value, known.pk in used)
            if problem:
                reader.refuse(name, problem)
        elif name not in ("name", "step") or reader.has(name):
            changes.append(Change(_title(name), "", shown(value)))
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
        "shelf_life_days": whole_number,
        "inspection_required": read_yes,
        "is_active": read_yes,
        "is_sellable": read_yes,
        "supply_policy": lambda text: read_choice(text, POLICY_WORDS, what="supply policy"),
        "over_completion_percent": lambda text: read_percent(text, style=reader.style("over_completion_percent")),
        "lead_time_days": whole_number,
        "hs_code": str,
        "origin_country": lambda text: text.upper(),
        "note": str,
        "cost_method": lambda text: read_choice(text, METHOD_WORDS, what="cost method"),
        "negative_allowed": read_yes,
        "count_group": lambda text: read_choice(text, GROUP_WORDS, what="count class"),
        "compliance_tags": read_tags,
    }
    for name in NUMBERS:
        if name in ("standard_cost", "over_completion_percent", "pack_quantity"):
            continue
        readers[name] = not_negative(reader.style(name))
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


def read_tags(text: str) -> list[str]:
    """`lithium; export-control`, or a JSON list where a word holds a semicolon itself."""
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(tag, str) for tag in found):
            raise CellError(f"“{text}” is no list of words. Separate them by semicolons.")
        return found
    return [tag for part in text.split(";") if (tag := part.strip())]


def tags_text(tags: Sequence[str]) -> str:
    """What `read_tags` reads back."""
    is_plain = all(tag == tag.strip() and tag and ";" not in tag and not tag.startswith("[") for tag in tags)
    return "; ".join(tags) if is_plain else json.dumps(list(tags), ensure_ascii=False)


def _unit(text: str) -> str:
    unit = usual_spelling(text)
    if len(unit) > 16:
        raise CellError(f"“{text}” is no unit; it has more than 16 characters. Use pcs, kg, m, l or another short one.")
    return unit


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


def _category(reader: RowReader, item: Item, categories: Categories, changes: list[Change], changed: set[str]) -> Path:
    """The wanted category's path; empty when the row names none or the item is in it already."""
    path = read_path(reader.text("category"))
    if not path:
        return ()
    if any(len(part) > NAME_MAX for part in path):
        reader.refuse("category", f"“{path_text(path)}” has a part of more than {NAME_MAX} characters. Shorten it.")
        return ()
    known = categories.find(path)
    if known is not None and item.category_id == known.pk:
        return ()
    changes.append(Change("Category", categories.text_of(item.category_id), path_text(path)))
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
    try:
        item.clean()
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            reader.refuse(name, " ".join(messages))
    if item.tracking == Tracking.SERIAL and item.step != 1:
        reader.refuse("tracking", f"{item.sku} has serial numbers, so its step must be 1, not {as_text(item.step)}.")


def _write(
    entries: Sequence[_Entry],
    categories: Categories,
    packs: Mapping[tuple[int, str], ItemUnit],
    actor: Actor,
) -> None:
    for entry in entries:
        if entry.category:
            entry.item.category = categories.ensure(entry.category, actor=actor)
    user = person(actor)
    new = [entry.item for entry in entries if "sku" in entry.fields]
    revalued = [entry for entry in entries if "cost_method" in entry.fields and "sku" not in entry.fields]
    plain = [entry for entry in entries if "sku" not in entry.fields and "cost_method" not in entry.fields]
    changed = [entry.item for entry in plain if entry.fields - {"pack"}]
    names = sorted({name for entry in plain for name in entry.fields - {"pack"}})
    if new:
        made = bulk_create_with_history(
            new, Item, batch_size=BATCH_ROWS, default_user=user, default_change_reason=REASON
        )
        for item, stored in zip(new, made, strict=True):
            item.pk = stored.pk
    if changed:
        bulk_update_with_history(
            changed, Item, names, batch_size=BATCH_ROWS, default_user=user, default_change_reason=REASON
        )
    for name in {name for entry in entries if "sku" not in entry.fields for name in entry.fields}:
        named = [entry.item for entry in entries if name in entry.fields and "sku" not in entry.fields]
        tell_described(instances=named, fields=[name])
    for entry in revalued:  # the value of their stock is followed in another way from now on
        entry.item._history_user = user  # type: ignore[attr-defined]  # read by simple_history
        entry.item._change_reason = REASON  # type: ignore[attr-defined]
        change_cost_method(
            key=uuid4(), item=entry.item, method=entry.item.cost_method, actor=actor, reason="Changed by import"
        )
    for entry in entries:
        if entry.pack is not None:
            name, quantity, barcode = entry.pack
            pack = packs.get((entry.item.pk, name.casefold())) or ItemUnit(item=entry.item, name=name)
            pack.numerator, pack.denominator = quantity, Decimal(1)
            pack.barcode = barcode or pack.barcode
            pack._history_user = user  # type: ignore[attr-defined]  # read by simple_history
            pack._change_reason = REASON  # type: ignore[attr-defined]
            pack.save()


def _title(name: str) -> str:
    return next(one.title for one in FIELDS if one.name == name)


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
