"""Imports of what belongs to BOMs beside their lines: settings, by-products, operations, substitutes.

Each row names the item that is made. The rows of one item are all it has of that kind. The version in force is compared; when
something differs a new version with everything else as it was comes into force, or stays a draft. Where an item has only a
draft, that draft is changed. A BOM with one wrong row is left as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from inventory.errors import DomainError
from inventory.importing.cells import read_choice, read_percent, read_price
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table, canonical
from inventory.importing.upkeep import leave_out_blank, not_negative, text_of, whole_number
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.quantities import as_text
from production.bom_checks import SubstituteSpec
from production.bom_content import BomContent, HeadSpec, OperationSpec, OutputSpec
from production.models import Bom, BomState, DeviationPolicy, OperationKind, OutputKind
from production.operations.bom_content import write_bom
from production.operations.boms import activate_bom, create_draft
from production.reads.bom_content import contents_of

Items = Mapping[str, Item]
ZERO = Decimal(0)
PARENT = Field(
    "parent",
    "Parent",
    ("parent", "parent sku", "parent item", "made item", "bom item", "product", "assembly"),
    is_required=True,
    help_text="SKU of what is made.",
)


@dataclass(frozen=True, slots=True)
class Parts:
    """One of the kinds. `read` makes a value of a row; `put` gives content with these rows instead of what it has."""

    name: str
    fields: tuple[Field, ...]
    numbers: tuple[str, ...]
    codes: tuple[str, ...]
    """Columns that name items beside the parent."""
    read: Callable[[RowReader, Items], Any]
    put: Callable[[BomContent, Sequence[tuple[RowReader, Any]]], BomContent]
    shown: Callable[[BomContent], list[tuple[str, str]]]
    """What content has of the kind: a label and the rest in words, in the order of the rows."""
    section: str = ""


@dataclass(slots=True)
class _Group:
    parent: str
    rows: list[tuple[RowReader, Any]] = field(default_factory=list)
    readers: list[RowReader] = field(default_factory=list)


def import_parts(kind: Parts, table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Bring BOMs to what the rows say; see running.ImportKind."""
    report = Report.of(kind.name, table)
    columns = find_columns(table, kind.fields)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=kind.numbers),
        report,
        key="parent",
        words="the parent is empty. Name what is made by its SKU, or delete the row.",
    )
    names = {reader.text(name) for reader in readers for name in ("parent", *kind.codes)}
    items = items_by_sku([name for name in names if name])
    groups: dict[str, _Group] = {}
    for reader in readers:
        group = groups.setdefault(reader.text("parent").upper(), _Group(reader.text("parent")))
        group.readers.append(reader)
        group.rows.append((reader, kind.read(reader, items)))
    versions = _versions([items[key].pk for key in groups if key in items])
    contents = contents_of(boms=[bom.pk for found in versions.values() for bom in found if bom.state != "retired"])
    for key, group in groups.items():
        _bring(kind, group, items.get(key), versions, contents, report, options, actor)
    report.results.sort(key=lambda result: (result.row == 0, result.row))
    return report


def _versions(items: Sequence[int]) -> dict[int, list[Bom]]:
    found: dict[int, list[Bom]] = {}
    for bom in Bom.objects.filter(item__in=items).select_related("item").order_by("version"):
        found.setdefault(bom.item_id, []).append(bom)
    return found


def _bring(
    kind: Parts,
    group: _Group,
    item: Item | None,
    versions: Mapping[int, Sequence[Bom]],
    contents: Mapping[int, BomContent],
    report: Report,
    options: ImportOptions,
    actor: Actor,
) -> None:
    today = timezone.localdate()
    known = list(versions.get(item.pk, ())) if item is not None else []
    active = [b for b in known if b.state == BomState.ACTIVE and (b.effective_to is None or b.effective_to > today)]
    drafts = [b for b in known if b.is_draft]
    current = active[-1] if active else (drafts[-1] if drafts else None)
    if item is None:
        group.readers[0].refuse("parent", f"there is no item {group.parent}. Import the items first, or correct it.")
    elif current is None:
        group.readers[0].refuse("parent", f"{item.sku} has no BOM in force and no draft. Import its lines first.")
    if current is None or not all(reader.is_clean for reader in group.readers):
        _refused(group, report)
        return
    before = contents[current.pk]
    wanted = kind.put(before, group.rows)
    if not all(reader.is_clean for reader in group.readers):
        _refused(group, report)
        return
    if wanted == before:
        _tell(kind, group, before, before, _name(current), report)
        return
    same = next((b for b in reversed(drafts) if contents[b.pk] == replace(wanted, head=contents[b.pk].head)), None)
    try:
        with transaction.atomic():
            version = _write(current, same, wanted, activate=options.activate, actor=actor)
    except DomainError as error:
        _note_refusal(kind, group, error)
        _refused(group, report)
        return
    if version is same and not options.activate:
        _tell(kind, group, wanted, wanted, _name(version), report)
    else:
        _tell(kind, group, before, wanted, _name(version), report)


def _write(current: Bom, same: Bom | None, wanted: BomContent, *, activate: bool, actor: Actor) -> Bom:
    """The version that holds what is wanted: the draft that does already, the only draft there is, or a new version."""
    if current.is_draft:
        return write_bom(bom=current, content=wanted, revision=None, actor=actor)
    draft = same
    if draft is None:
        draft = create_draft(item=current.item, copy_of=current, actor=actor)
        head = replace(wanted.head, effective_from=None)
        draft = write_bom(bom=draft, content=replace(wanted, head=head), revision=None, actor=actor)
    return activate_bom(bom=draft, actor=actor).bom if activate else draft


def _name(bom: Bom) -> str:
    return f"{bom.item.sku} v{bom.version}, {'draft' if bom.is_draft else 'in force'}"


def _refused(group: _Group, report: Report) -> None:
    for reader in group.readers:
        note = "" if not reader.is_clean else "another row of this BOM is refused"
        report.add(reader.number, Outcome.REFUSED, group.parent, group=group.parent, note=note)


def _note_refusal(kind: Parts, group: _Group, error: DomainError) -> None:
    """Every problem at its row where it is about one of them, else at the first."""
    told: Any = error.context.get("lines")
    if not isinstance(told, list):
        told = [{"line": None, "section": "", "field": "", "message": error.message}]
    for problem in told:
        place = problem["line"]
        if problem["section"] == kind.section and place is not None and place <= len(group.readers):
            group.readers[place - 1].refuse(problem["field"], problem["message"])
        else:
            group.readers[0].refuse("parent", problem["message"])


def _tell(kind: Parts, group: _Group, before: BomContent, after: BomContent, name: str, report: Report) -> None:
    old, new = kind.shown(before), kind.shown(after)
    for place, (reader, (label, words)) in enumerate(zip(group.readers, new, strict=True)):
        known = old[place] if place < len(old) else None
        if known == (label, words):
            report.add(reader.number, Outcome.UNCHANGED, label, group=name)
        else:
            change = Change("Row", ": ".join(known) if known else "", f"{label}: {words}")
            outcome = Outcome.NEW if known is None else Outcome.CHANGED
            report.add(reader.number, outcome, label, group=name, changes=[change])
    for label, words in old[len(new) :]:
        change = Change("Row", f"{label}: {words}", "")
        report.add(0, Outcome.CHANGED, label, group=name, changes=[change], note="no longer in the BOM")


def _kept(old: str, new: str) -> str:
    """The text as it is stored when the file says the same, as far as a file can carry it."""
    return old if canonical(old) == new else new


def _number(reader: RowReader, name: str) -> Decimal | None:
    return reader.read(name, not_negative(reader.style(name)))


def _price(reader: RowReader, name: str) -> Decimal | None:
    found = reader.read(name, lambda text: read_price(text, currency=settings.BASE_CURRENCY, style=reader.style(name)))
    return None if found is None else found[0]


def _percent(reader: RowReader, name: str) -> Decimal:
    return reader.read(name, lambda text: read_percent(text, style=reader.style(name))) or ZERO


def _choice(reader: RowReader, name: str, choices: Sequence[tuple[str, Any]], default: str) -> str:
    words = {value.replace("_", " "): value for value, _ in choices}
    words |= {str(label).casefold().replace("-", " "): value for value, label in choices}
    return reader.read(name, lambda text: read_choice(text, words, what=name.replace("_", " "))) or default


def _item(reader: RowReader, name: str, items: Items) -> Item | None:
    code = reader.text(name)
    if not code:
        reader.refuse(name, "the item is empty. Name it by its SKU, or delete the row.")
        return None
    if code.upper() not in items:
        reader.refuse(name, f"there is no item {code}. Import the items first, or correct it.")
        return None
    return items[code.upper()]


# --- Settings ---------------------------------------------------------------------------------------------------------


def _read_head(reader: RowReader, _items: Items) -> HeadSpec:
    return HeadSpec(
        deviation_policy=_choice(reader, "deviation_policy", DeviationPolicy.choices, DeviationPolicy.REASON),
        deviation_tolerance_percent=_percent(reader, "deviation_tolerance_percent"),
        process_loss_percent=_percent(reader, "process_loss_percent"),
        capacity_per_day=_number(reader, "capacity_per_day"),
        instructions=reader.text("instructions"),
        note=reader.text("note"),
    )


def _put_head(content: BomContent, rows: Sequence[tuple[RowReader, Any]]) -> BomContent:
    reader, head = rows[0]
    for other, _ in rows[1:]:
        other.refuse("parent", f"{reader.text('parent')} stands in row {reader.number} already. Keep one of the rows.")
    old = content.head
    given = {
        name: getattr(head, name)
        for name in (
            "deviation_policy",
            "deviation_tolerance_percent",
            "process_loss_percent",
            "capacity_per_day",
        )
        if name in reader.columns.found
    }
    for name in ("instructions", "note"):
        if name in reader.columns.found:
            given[name] = _kept(getattr(old, name), getattr(head, name))
    return replace(content, head=replace(old, **given))


def _shown_head(content: BomContent) -> list[tuple[str, str]]:
    head = content.head
    capacity = "" if head.capacity_per_day is None else as_text(head.capacity_per_day)
    return [
        (
            "Settings",
            f"{head.deviation_policy} above {as_text(head.deviation_tolerance_percent)} %, process loss "
            f"{as_text(head.process_loss_percent)} %, capacity {capacity or 'open'}, “{head.instructions[:60]}”, "
            f"“{head.note[:60]}”",
        )
    ]


# --- By-products ------------------------------------------------------------------------------------------------------


def _read_output(reader: RowReader, items: Items) -> OutputSpec | None:
    item, quantity = _item(reader, "item", items), _number(reader, "quantity")
    if quantity is None and not reader.has("quantity"):
        reader.refuse("quantity", "the quantity is empty. Type how much a batch yields.")
    kind = _choice(reader, "kind", OutputKind.choices, OutputKind.BY_PRODUCT)
    share, value = _percent(reader, "cost_share_percent"), _price(reader, "unit_value")
    if item is None or quantity is None:
        return None
    return OutputSpec(item, quantity, kind, share, value)


def _put_outputs(content: BomContent, rows: Sequence[tuple[RowReader, Any]]) -> BomContent:
    return replace(content, outputs=[spec for _, spec in rows])


def _shown_outputs(content: BomContent) -> list[tuple[str, str]]:
    return [
        (
            one.item.sku,
            f"{as_text(one.quantity)} {one.item.stock_unit}, {one.kind}, {as_text(one.cost_share_percent)} %, "
            f"value {'' if one.unit_value is None else as_text(one.unit_value)}",
        )
        for one in content.outputs
    ]


# --- Operations -------------------------------------------------------------------------------------------------------


def _read_operation(reader: RowReader, _items: Items) -> OperationSpec | None:
    if not reader.has("name"):
        reader.refuse("name", "the name is empty. Say what is done, such as Pour and cool.")
    return OperationSpec(
        name=reader.read("name", text_of(100)) or "",
        kind=_choice(reader, "kind", OperationKind.choices, OperationKind.LABOUR),
        minutes=_number(reader, "minutes") or ZERO,
        setup_minutes=_number(reader, "setup_minutes") or ZERO,
        rate_per_hour=_price(reader, "rate_per_hour") or ZERO,
        amount=_price(reader, "amount") or ZERO,
        instructions=reader.text("instructions"),
    )


def _put_operations(content: BomContent, rows: Sequence[tuple[RowReader, Any]]) -> BomContent:
    old = list(content.operations)
    specs = []
    for place, (_, spec) in enumerate(rows):
        if place < len(old):
            name, words = _kept(old[place].name, spec.name), _kept(old[place].instructions, spec.instructions)
            specs.append(replace(spec, name=name, instructions=words))
        else:
            specs.append(spec)
    return replace(content, operations=specs)


def _shown_operations(content: BomContent) -> list[tuple[str, str]]:
    return [
        (
            one.name,
            f"{one.kind}, {as_text(one.minutes)} min, set-up {as_text(one.setup_minutes)} min, "
            f"{as_text(one.rate_per_hour)} an hour, {as_text(one.amount)} a batch, “{one.instructions[:60]}”",
        )
        for one in content.operations
    ]


# --- Substitutes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Instead:
    component: Item
    occurrence: int
    spec: SubstituteSpec


def _read_substitute(reader: RowReader, items: Items) -> _Instead | None:
    component, item = _item(reader, "component", items), _item(reader, "substitute", items)
    nth = reader.read("occurrence", whole_number)
    ratio = _number(reader, "ratio")
    if component is None or item is None:
        return None
    return _Instead(component, 1 if nth is None else nth, SubstituteSpec(item, Decimal(1) if ratio is None else ratio))


def _put_substitutes(content: BomContent, rows: Sequence[tuple[RowReader, Any]]) -> BomContent:
    wanted: dict[tuple[int, int], list[SubstituteSpec]] = {}
    places = set()
    counted: dict[int, int] = {}
    for line in content.lines:
        counted[line.component.pk] = counted.get(line.component.pk, 0) + 1
        places.add((line.component.pk, counted[line.component.pk]))
    for reader, row in rows:
        key = (row.component.pk, row.occurrence)
        if key not in places:
            where = f" {row.occurrence} times" if row.occurrence != 1 else ""
            reader.refuse("component", f"the BOM of {reader.text('parent')} has no {row.component.sku}{where}.")
        wanted.setdefault(key, []).append(row.spec)
    counted = {}
    lines = []
    for line in content.lines:
        counted[line.component.pk] = counted.get(line.component.pk, 0) + 1
        instead = wanted.get((line.component.pk, counted[line.component.pk]), [])
        lines.append(replace(line, substitutes=tuple(instead)))
    return replace(content, lines=lines)


def _shown_substitutes(content: BomContent) -> list[tuple[str, str]]:
    return [
        (line.component.sku, f"{one.item.sku} × {as_text(one.ratio)}")
        for line in content.lines
        for one in line.substitutes or ()
    ]


# --- Kinds ------------------------------------------------------------------------------------------------------------

HEAD_PARTS = Parts(
    "bom_settings",
    (
        PARENT,
        Field("deviation_policy", "Deviation policy", ("deviation policy",)),
        Field("deviation_tolerance_percent", "Tolerance %", ("tolerance %", "tolerance percent", "tolerance")),
        Field("process_loss_percent", "Process loss %", ("process loss %", "process loss", "process loss percent")),
        Field("capacity_per_day", "Capacity a day", ("capacity a day", "capacity per day", "capacity")),
        Field("instructions", "Instructions", ("instructions",)),
        Field("note", "Note", ("note", "notes", "remark", "comment")),
    ),
    ("deviation_tolerance_percent", "process_loss_percent", "capacity_per_day"),
    (),
    _read_head,
    _put_head,
    _shown_head,
)
OUTPUT_PARTS = Parts(
    "bom_outputs",
    (
        PARENT,
        Field(
            "item",
            "By-product",
            ("by product", "by-product", "co product", "output", "item", "sku"),
            is_required=True,
        ),
        Field("quantity", "Quantity", ("quantity", "qty", "quantity per batch"), is_required=True),
        Field("kind", "Kind", ("kind", "type")),
        Field("cost_share_percent", "Cost share %", ("cost share %", "cost share", "cost share percent", "share %")),
        Field("unit_value", "Fixed value", ("fixed value", "unit value", "value each")),
    ),
    ("quantity", "cost_share_percent", "unit_value"),
    ("item",),
    _read_output,
    _put_outputs,
    _shown_outputs,
    "outputs",
)
OPERATION_PARTS = Parts(
    "bom_operations",
    (
        PARENT,
        Field("name", "Operation", ("operation", "name", "work", "step"), is_required=True),
        Field("kind", "Kind", ("kind", "type"), help_text="labour, machine, overhead or packaging."),
        Field("minutes", "Minutes", ("minutes", "minutes per batch", "time")),
        Field("setup_minutes", "Set-up minutes", ("set-up minutes", "setup minutes", "set up minutes")),
        Field("rate_per_hour", "Rate an hour", ("rate an hour", "rate per hour", "hourly rate", "rate")),
        Field("amount", "Amount", ("amount", "amount per batch", "fixed cost")),
        Field("instructions", "Instructions", ("instructions",)),
    ),
    ("minutes", "setup_minutes", "rate_per_hour", "amount"),
    (),
    _read_operation,
    _put_operations,
    _shown_operations,
    "operations",
)
SUBSTITUTE_PARTS = Parts(
    "bom_substitutes",
    (
        PARENT,
        Field("component", "Component", ("component", "component sku", "part", "item"), is_required=True),
        Field(
            "occurrence", "Line", ("line", "occurrence"), help_text="2 for the second line of a component; empty: 1."
        ),
        Field("substitute", "Substitute", ("substitute", "substitute sku", "alternative"), is_required=True),
        Field("ratio", "Ratio", ("ratio", "factor"), help_text="Stock units for one of the component; empty: 1."),
    ),
    ("ratio",),
    ("component", "substitute"),
    _read_substitute,
    _put_substitutes,
    _shown_substitutes,
)


def _kind(parts: Parts, title: str, help_text: str, order: int) -> ImportKind:
    def perform(table: Table, options: ImportOptions, actor: Actor) -> Report:
        return import_parts(parts, table, options, actor)

    return ImportKind(
        name=parts.name,
        title=title,
        help_text=help_text,
        permissions=("production.add_bom", "production.change_bom", "production.activate_bom"),
        fields=parts.fields,
        options=("activate",),
        perform=perform,
        order=order,
    )


BOM_SETTINGS = _kind(
    HEAD_PARTS, "BOM settings", "Deviation policy, process loss, capacity and instructions of BOMs that are there.", 21
)
BOM_OUTPUTS = _kind(
    OUTPUT_PARTS, "By-products", "What else BOMs yield; the rows of a parent are all it yields beside itself.", 22
)
BOM_OPERATIONS = _kind(
    OPERATION_PARTS,
    "BOM operations",
    "Labour, machine, overhead and packaging; the rows of a parent are all it has.",
    23,
)
BOM_SUBSTITUTES = _kind(
    SUBSTITUTE_PARTS,
    "Substitutes",
    "What may replace components, first choice first; the rows of a parent are all.",
    24,
)
