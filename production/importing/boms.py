"""Import of bills of materials: one BOM, or whole trees by a parent or level column.

Each parent becomes one BOM version through the operations of BOMs: a draft, in force today when asked for. A BOM that is as
the file says already is left alone. Fields the file has no column for are kept from the version in force. Items that are not
known yet are made, children first. A BOM with one wrong row is not imported at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Upper
from django.utils import timezone
from simple_history.utils import bulk_create_with_history

from inventory.errors import DomainError, InvalidUnit
from inventory.importing.cells import usual_spelling
from inventory.importing.headers import find_columns
from inventory.importing.item_columns import KIND_WORDS
from inventory.importing.items import default_step, items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table, canonical
from inventory.models import Item, ItemKind
from inventory.operations.posting import Actor
from inventory.quantities import PLACES, as_text, round_half_up
from inventory.units import is_standard, normal_unit, unit_factor
from production.bom_checks import BomLineSpec
from production.importing.columns import FIELDS, NUMBERS, ReadLine, read_lines
from production.models import Bom, BomState
from production.operations.boms import activate_bom, create_draft, spec_of

_COLUMN_OF = {"component": "component", "quantity": "quantity", "unit": "unit", "makes": "makes"}
_SHOWN = {
    "scrap_percent": "Scrap %",
    "setup_quantity": "Set-up",
    "rounding_multiple": "Multiple",
    "issue_method": "Issue method",
    "is_consumable": "Consumable",
    "is_optional": "Optional",
    "is_phantom": "Explode",
    "builds_shortage": "Build what is missing",
    "reference": "Reference",
    "note": "Note",
}


@dataclass(slots=True)
class _Group:
    """The rows of one parent."""

    parent: str
    lines: list[ReadLine] = field(default_factory=list)
    is_refused: bool = False

    @property
    def key(self) -> str:
        return self.parent.upper()


@dataclass(slots=True)
class _Catalogue:
    """Items by upper-case SKU or unique name, and what is known about those still to be made."""

    items: dict[str, Item]
    made: set[int] = field(default_factory=set)
    wanted: dict[str, "_NewItem"] = field(default_factory=dict)


@dataclass(slots=True)
class _NewItem:
    sku: str
    name: str = ""
    kind: str = ""
    unit: str = ""
    cost: tuple[Decimal, str] | None = None
    lines: list[ReadLine] = field(default_factory=list)
    is_parent: bool = False
    is_component: bool = False


def import_boms(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Make BOM versions of a table's rows; see running.ImportKind."""
    report = Report.of("boms", table)
    columns = find_columns(table, FIELDS)
    on = options.on or timezone.localdate()
    readers = list(read_rows(table, columns, report, numbers=NUMBERS))
    lines = read_lines(readers, table=table, columns=columns, report=report, options=options, on=on)
    groups: dict[str, _Group] = {}
    for line in lines:
        groups.setdefault(line.parent.upper(), _Group(line.parent)).lines.append(line)
    _refuse_groups_of_refused_rows(readers, groups, options)
    catalogue = _catalogue(groups.values(), options)
    _note_kinds(lines, report)
    _refuse_loops(groups)
    for group in _children_first(groups):
        if not group.is_refused:
            _import_group(group, catalogue, report, options, actor)
        if group.is_refused:
            _report_refused(group, report)
    reported = {result.row for result in report.results}
    for reader in readers:
        if not reader.is_clean and reader.number not in reported:
            report.add(reader.number, Outcome.REFUSED, reader.text("component"), group=reader.text("parent"))
    if catalogue.made:
        report.summary.append(f"{len(catalogue.made)} items are made.")
    report.results.sort(key=lambda result: (result.row == 0, result.row))
    return report


def _refuse_groups_of_refused_rows(
    readers: Iterable[Any], groups: Mapping[str, _Group], options: ImportOptions
) -> None:
    """A BOM without one of its rows would be wrong, so the whole BOM waits until the row is mended."""
    for reader in readers:
        if not reader.is_clean:
            parent = reader.text("parent") or options.product
            group = groups.get(parent.upper())
            if "parent" not in reader.columns.found and not options.product:
                for other in groups.values():
                    other.is_refused = True
            elif group is not None:
                group.is_refused = True


def _report_refused(group: _Group, report: Report) -> None:
    for line in group.lines:
        note = "" if not line.reader.is_clean else "another row of this BOM is refused"
        report.add(line.reader.number, Outcome.REFUSED, line.component, group=group.parent, note=note)


# --- Items ------------------------------------------------------------------------------------------------------------


def _catalogue(groups: Iterable[_Group], options: ImportOptions) -> _Catalogue:
    """Known items by SKU, then by name; for the others, all that the file tells about them."""
    groups = list(groups)
    words = {group.parent for group in groups} | {line.component for group in groups for line in group.lines}
    catalogue = _Catalogue(items_by_sku(words))
    unknown = {word.upper(): word for word in words if word.upper() not in catalogue.items}
    catalogue.items.update(_by_name(unknown.values()))
    for group in groups:
        if group.key not in catalogue.items:
            new = catalogue.wanted.setdefault(group.key, _NewItem(group.parent))
            new.is_parent = True
        for line in group.lines:
            key = line.component.upper()
            if key not in catalogue.items:
                new = catalogue.wanted.setdefault(key, _NewItem(line.component))
                new.is_component = True
                new.name = new.name or line.name
                new.kind = new.kind or line.kind
                new.unit = new.unit or line.unit
                new.cost = new.cost or line.unit_cost
                new.lines.append(line)
    if not options.create_items:
        for group in groups:
            _refuse_unknown(group, catalogue)
    return catalogue


def _by_name(words: Iterable[str]) -> dict[str, Item]:
    """Items whose name is one of `words`, by the name in upper case; names that several items have are left out."""
    found: dict[str, list[Item]] = {}
    for item in Item.objects.annotate(upper_name=Upper("name")).filter(upper_name__in={word.upper() for word in words}):
        found.setdefault(item.name.upper(), []).append(item)
    return {name: items[0] for name, items in found.items() if len(items) == 1}


def _refuse_unknown(group: _Group, catalogue: _Catalogue) -> None:
    advice = "Import the items first, correct the name, or let the import make new items."
    if group.key in catalogue.wanted:
        group.is_refused = True
        group.lines[0].reader.refuse("parent", f"there is no item {group.parent}. {advice}")
    for line in group.lines:
        if line.component.upper() in catalogue.wanted:
            group.is_refused = True
            line.reader.refuse("component", f"there is no item {line.component}. {advice}")


def _note_kinds(lines: Iterable[ReadLine], report: Report) -> None:
    strange = sorted({line.kind for line in lines if line.kind and _kind_word(line.kind) is None})
    if strange:
        words = ", ".join(f"“{word}”" for word in strange[:8])
        report.summary.append(f"{words} are no kinds of item; new items get theirs from the structure of the file.")


def _kind_word(text: str) -> str | None:
    word = " ".join(text.casefold().replace("_", " ").replace("-", " ").split())
    return KIND_WORDS.get(word)


def _make_items(group: _Group, catalogue: _Catalogue, actor: Actor) -> list[Item]:
    """Make the items the group needs that do not exist. Notes at the row what an item cannot be."""
    missing: dict[str, _NewItem] = {}
    for key in (group.key, *(line.component.upper() for line in group.lines)):
        if key not in catalogue.items:
            missing[key] = catalogue.wanted[key]
    items = []
    for new in missing.values():
        item = _new_item(new)
        try:
            item.clean_fields()
        except ValidationError as error:
            row = (new.lines or group.lines)[0].reader
            row.refuse("component", f"{new.sku} cannot become an item: {' '.join(error.messages)}")
            group.is_refused = True
            continue
        if new.unit and not is_standard(new.unit):
            new.lines[0].reader.refuse(
                "unit" if new.lines[0].reader.has("unit") else "quantity",
                f"“{new.unit}” is no known unit for the new item {new.sku}. Use pcs, m, kg, l or the like, or make the item "
                "with this unit first.",
            )
            group.is_refused = True
            continue
        items.append(item)
    if group.is_refused:
        return []
    user = actor if isinstance(actor, get_user_model()) else None
    made: list[Item] = bulk_create_with_history(items, Item, default_user=user, default_change_reason="BOM import")
    return made


def _new_item(new: _NewItem) -> Item:
    unit = new.unit or "pcs"
    kind = _kind_word(new.kind) if new.kind else None
    if kind is None or (new.is_parent and kind == ItemKind.MATERIAL):
        structure = ItemKind.SUB_ASSEMBLY if new.is_component else ItemKind.PRODUCT
        kind = structure if new.is_parent else ItemKind.MATERIAL
    return Item(
        sku=new.sku,
        name=(new.name or new.sku)[:250],
        kind=kind,
        stock_unit=unit,
        step=_step(unit, new),
        standard_cost=_standard_cost(new, unit),
    )


def _step(unit: str, new: _NewItem) -> Decimal:
    """Fine enough for every quantity in the file: a spool of which 0.125 is used is not a whole thing."""
    step = default_step(unit)
    for line in new.lines:
        try:
            factor = unit_factor(unit=line.unit, stock_unit=unit, packs={}, sku=new.sku)
        except InvalidUnit:
            continue  # reported when the BOM is saved
        need = Fraction(line.typed.number) * factor
        while step > PLACES and (need / Fraction(step)).denominator != 1:
            step /= 10
    return max(step, PLACES)


def _standard_cost(new: _NewItem, unit: str) -> Decimal | None:
    if new.cost is None:
        return None
    price, per = new.cost
    try:
        factor = unit_factor(unit=per, stock_unit=unit, packs={}, sku=new.sku)
    except InvalidUnit:
        return None
    return round_half_up(Fraction(price) / factor, PLACES)


# --- The tree ---------------------------------------------------------------------------------------------------------


def _children_first(groups: Mapping[str, _Group]) -> list[_Group]:
    """Every group after those of its components; members of a loop in the order they come."""
    ordered: list[_Group] = []
    done: set[str] = set()
    for start in groups:
        waiting: list[tuple[str, bool]] = [(start, False)]
        while waiting:
            key, is_left = waiting.pop()
            if is_left:
                ordered.append(groups[key])
                continue
            if key in done:
                continue
            done.add(key)
            waiting.append((key, True))
            below = (line.component.upper() for line in groups[key].lines)
            waiting.extend((child, False) for child in below if child in groups and child not in done)
    return ordered


def _refuse_loops(groups: Mapping[str, _Group]) -> None:
    """Rows of the file that lead back to their own parent are refused with the way they lead."""
    for group in groups.values():
        for line in group.lines:
            way = _way(groups, line.component.upper(), group.key)
            if way is not None:
                path = " -> ".join([group.parent, *(groups[key].parent for key in way)])
                line.reader.refuse("component", f"{line.component} makes a loop: {path}. Take one of these rows out.")
                group.is_refused = True


def _way(groups: Mapping[str, _Group], start: str, target: str) -> list[str] | None:
    """The shortest way down from `start` to `target`, both included; None when there is none."""
    came_from: dict[str, str] = {start: ""}
    level = [start]
    while level:
        following = []
        for key in level:
            if key == target:
                way = [key]
                while came_from[way[0]]:
                    way.insert(0, came_from[way[0]])
                return way
            for line in groups[key].lines if key in groups else ():
                child = line.component.upper()
                if child in groups and child not in came_from:
                    came_from[child] = key
                    following.append(child)
        level = following
    return None


# --- One BOM ----------------------------------------------------------------------------------------------------------


def _import_group(group: _Group, catalogue: _Catalogue, report: Report, options: ImportOptions, actor: Actor) -> None:
    try:
        with transaction.atomic():
            made = _make_items(group, catalogue, actor)
            if group.is_refused:
                return
            known = {**catalogue.items, **{item.sku.upper(): item for item in made}}
            results = _save_bom(group, known, report, options, actor)
    except DomainError as error:
        group.is_refused = True
        _note_refusal(group, error)
        return
    catalogue.items.update({item.sku.upper(): item for item in made})
    catalogue.made.update(item.pk for item in made)
    report.results += results


def _note_refusal(group: _Group, error: DomainError) -> None:
    """Every problem of the BOM at its row and column."""
    rows = error.context.get("lines")
    if not isinstance(rows, list):
        group.lines[0].reader.refuse("parent", error.message)
        return
    for problem in rows:
        position = problem["line"]
        reader = group.lines[position - 1 if position else 0].reader
        column = _COLUMN_OF.get(problem["field"], problem["field"])
        if column == "unit" and not reader.has("unit"):
            column = "quantity"
        reader.refuse(column if position else "parent", problem["message"])


def _save_bom(
    group: _Group, items: Mapping[str, Item], report: Report, options: ImportOptions, actor: Actor
) -> list[Any]:
    """Bring the BOM of one parent to what the file says. Returns the result of each row."""
    item = items[group.key]
    versions = list(Bom.objects.filter(item=item).prefetch_related("lines__component").order_by("version"))
    today = timezone.localdate()
    active = [v for v in versions if v.state == BomState.ACTIVE and (v.effective_to is None or v.effective_to > today)]
    current = active[-1] if active else None
    makes = next((line.makes for line in group.lines if line.makes is not None), None)
    makes = makes or (current.makes if current else Decimal(1))
    old = [spec_of(line) for line in current.lines.all()] if current else []
    specs = _specs(group, items, old)
    if current is not None and specs == old and makes == current.makes:
        starts = current.effective_from
        standing = "in force" if starts is None or starts <= today else f"planned from {starts}"
        return _results(group, specs, specs, Outcome.UNCHANGED, _version_name(current, standing))
    draft = next((v for v in reversed(versions) if v.is_draft and _holds(v, specs, makes)), None)
    is_made = draft is None
    if draft is None:
        draft = create_draft(
            item=item,
            lines=specs,
            makes=makes,
            actor=actor,
            copy_of=current,  # by-products, operations and substitutes stay as they are
            note=f"Imported from {report.file_name}"[:200],
        )
    if options.activate:
        activate_bom(bom=draft, actor=actor)
    elif not is_made:
        return _results(group, specs, specs, Outcome.UNCHANGED, _version_name(draft, "draft"))
    name = _version_name(draft, "in force from today" if options.activate else "draft")
    if current is not None and makes != current.makes:
        was = f"{as_text(current.makes)} {item.stock_unit}"
        report.summary.append(f"{name}: the quantities are for another batch than before, which was for {was}.")
    return _results(group, old, specs, Outcome.NEW if current is None else Outcome.CHANGED, name)


def _version_name(version: Bom, state: str) -> str:
    """`CANDLE v2 for 40 pcs, draft`; the batch is left out where it is one."""
    item = version.item
    batch = "" if version.makes == 1 else f" for {as_text(version.makes)} {item.stock_unit}"
    return f"{item.sku} v{version.version}{batch}, {state}"


def _holds(version: Bom, specs: Sequence[BomLineSpec], makes: Decimal) -> bool:
    return version.makes == makes and [spec_of(line) for line in version.lines.all()] == list(specs)


def _specs(group: _Group, items: Mapping[str, Item], old: Sequence[BomLineSpec]) -> list[BomLineSpec]:
    """The lines as the file has them; what it has no column for comes from the same line of the version before."""
    before = _by_occurrence(old)
    counted: dict[int, int] = {}
    specs = []
    for line in group.lines:
        component = items[line.component.upper()]
        nth = counted.get(component.pk, 0)
        counted[component.pk] = nth + 1
        known = before.get((component.pk, nth))
        values: dict[str, Any] = {}
        if known is not None:
            values = {one.name: getattr(known, one.name) for one in fields(BomLineSpec)}
            if "unit" not in line.reader.columns.found and not line.unit:
                line_unit = known.unit if normal_unit(known.unit) == normal_unit(component.stock_unit) else ""
            else:
                line_unit = line.unit
        else:
            line_unit = line.unit
        values.update(
            {name: value for name, value in line.given.items() if value is not None or name.endswith("multiple")}
        )
        if known is not None:
            if usual_spelling(known.unit) == line_unit:
                line_unit = known.unit
            for name in ("reference", "note"):
                if values.get(name) == " ".join(canonical(getattr(known, name)).split()):
                    values[name] = getattr(known, name)
        values.update(component=component, quantity=line.typed.number, unit=line_unit)
        specs.append(BomLineSpec(**values))
    return specs


def _by_occurrence(specs: Sequence[BomLineSpec]) -> dict[tuple[int, int], BomLineSpec]:
    """Lines by component and how many lines of it stand before: the same component may stand on several."""
    counted: dict[int, int] = {}
    found = {}
    for spec in specs:
        nth = counted.get(spec.component.pk, 0)
        counted[spec.component.pk] = nth + 1
        found[(spec.component.pk, nth)] = spec
    return found


def _results(
    group: _Group, old: Sequence[BomLineSpec], new: Sequence[BomLineSpec], outcome: Outcome, name: str
) -> list[Any]:
    report = Report("", "", "")
    before = _by_occurrence(old)
    after = _by_occurrence(new)
    rows = dict(zip(after, group.lines, strict=True)) if len(after) == len(group.lines) else {}
    for key, line in rows.items():
        spec, known = after[key], before.get(key)
        changes = _changes(known, spec)
        if outcome == Outcome.UNCHANGED or (known is not None and not changes):
            what = Outcome.UNCHANGED
        else:
            what = Outcome.NEW if known is None else Outcome.CHANGED
        note = f"quantity typed {line.typed.doubt}" if line.typed.doubt else ""
        report.add(line.reader.number, what, spec.component.sku, group=name, changes=changes, note=note)
    for key, spec in before.items():
        if key not in after:
            change = Change("Line", _amount(spec), "")
            report.add(
                0, Outcome.CHANGED, spec.component.sku, group=name, changes=[change], note="no longer in the BOM"
            )
    return report.results


def _changes(old: BomLineSpec | None, new: BomLineSpec) -> list[Change]:
    changes = []
    if old is None or _amount(old) != _amount(new):
        changes.append(Change("Quantity", _amount(old) if old else "", _amount(new)))
    empty = BomLineSpec(component=new.component, quantity=new.quantity)
    for name, title in _SHOWN.items():
        before, after = getattr(old or empty, name), getattr(new, name)
        if before != after:
            changes.append(Change(title, _shown(before), _shown(after)))
    return changes


def _amount(spec: BomLineSpec) -> str:
    return f"{as_text(spec.quantity)} {spec.unit or spec.component.stock_unit}"


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return as_text(value) if isinstance(value, Decimal) else str(value)


BOMS = ImportKind(
    name="boms",
    title="Bills of materials",
    help_text="One BOM, or whole trees with a parent or level column. What differs from the version in force becomes a new one.",
    permissions=("production.add_bom", "production.change_bom", "production.activate_bom", "inventory.add_item"),
    fields=FIELDS,
    options=("product", "on", "create_items", "activate"),
    perform=import_boms,
    order=20,
)
