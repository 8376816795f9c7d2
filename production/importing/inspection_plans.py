"""Import and export of inspection plans. A row is one check; the rows of an item are its whole plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from inventory.importing.cells import read_choice, read_number, read_yes
from inventory.importing.errors import CellError
from inventory.importing.exporting import CHUNK_ROWS, Cell, ExportKind, yes
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.importing.upkeep import is_same, leave_out_blank, shown, text_of
from inventory.models import Item
from inventory.operations.posting import Actor
from production.errors import InvalidPlan
from production.models import CheckKind, InspectionOf, InspectionPlan
from production.operations.inspection_plans import CheckSpec, PlanResult, save_inspection_plan, specs_of

FIELDS = (
    Field("item", "Item", ("item", "sku", "item code", "part number"), is_required=True),
    Field("applies_to", "Inspected when", ("inspected when", "applies to", "when"), help_text="made or received."),
    Field("every_nth", "Each", ("each", "every nth", "every"), help_text="1 inspects all, 3 one in three."),
    Field("sample_quantity", "Sample", ("sample", "sample size", "sample quantity"), help_text="Empty: all of it."),
    Field("instructions", "Instructions", ("instructions",)),
    Field("check", "Check", ("check", "check point", "characteristic", "what to check")),
    Field("kind", "Kind", ("kind", "type", "how"), help_text="yes or no, measurement, photo or note."),
    Field("minimum", "From", ("from", "minimum", "lower limit", "min")),
    Field("maximum", "To", ("to", "maximum", "upper limit", "max")),
    Field("unit", "Unit", ("unit",)),
    Field("is_required", "Required", ("required", "is required"), help_text="yes or no; yes when left empty."),
)
WHEN = {"made": "output", "output": "output", "received": "receipt", "receipt": "receipt", "bought": "receipt"}
KINDS = {
    "yes or no": CheckKind.PASS_FAIL.value,
    "pass fail": CheckKind.PASS_FAIL.value,
    "pass or fail": CheckKind.PASS_FAIL.value,
    "measurement": CheckKind.MEASUREMENT.value,
    "photo": CheckKind.PHOTO.value,
    "photo or file": CheckKind.PHOTO.value,
    "note": CheckKind.TEXT.value,
    "text": CheckKind.TEXT.value,
}
_KIND_WORDS = {
    CheckKind.PASS_FAIL: "yes or no",
    CheckKind.MEASUREMENT: "measurement",
    CheckKind.PHOTO: "photo",
    CheckKind.TEXT: "note",
}
_WHEN_WORDS = {InspectionOf.OUTPUT: "made", InspectionOf.RECEIPT: "received"}


@dataclass(slots=True)
class _Group:
    """The rows of one plan."""

    item: Item
    applies_to: str
    readers: list[RowReader] = field(default_factory=list)
    specs: list[CheckSpec] = field(default_factory=list)
    heads: list[tuple[int, Decimal | None, str]] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"{self.item.sku}, {_WHEN_WORDS[InspectionOf(self.applies_to)]}"


def import_inspection_plans(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Put the plans of a table into force; a plan that says what is in force already stays. See running.ImportKind."""
    report = Report.of("inspection_plans", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=("sample_quantity", "minimum", "maximum")),
        report,
        key="item",
        words="the item is empty. Name it by its SKU, or delete the row.",
    )
    items = items_by_sku({reader.text("item") for reader in readers})
    groups: dict[tuple[str, str], _Group] = {}
    lost = []
    for reader in readers:
        group = _group_of(reader, items, groups)
        if group is None:
            lost.append(reader)
        else:
            group.readers.append(reader)
            _read_row(reader, group)
    for group in groups.values():
        _put(group, report, actor=actor)
    for reader in lost:
        report.add(reader.number, Outcome.REFUSED, reader.text("item"))
    report.results.sort(key=lambda result: result.row)
    return report


def _group_of(reader: RowReader, items: Mapping[str, Item], groups: dict[tuple[str, str], _Group]) -> _Group | None:
    sku = reader.text("item").upper()
    applies_to = reader.read("applies_to", lambda text: read_choice(text, WHEN, what="moment")) or "output"
    item = items.get(sku)
    if item is None:
        reader.refuse("item", f"there is no item {reader.text('item')}. Import the items first, or correct the SKU.")
    if item is None or not reader.is_clean:
        return None
    return groups.setdefault((sku, applies_to), _Group(item, applies_to))


def _read_row(reader: RowReader, group: _Group) -> None:
    each = reader.read("every_nth", lambda text: _from_one(text, style_of=reader))
    sample = reader.read("sample_quantity", lambda text: read_number(text, style=reader.style("sample_quantity")))
    group.heads.append((each or 1, sample, reader.read("instructions", text_of(4000)) or ""))
    if group.heads[0] != group.heads[-1]:
        reader.refuse(
            "every_nth", "how often, sample or instructions differ from the plan's first row. Make them the same."
        )
    if not reader.has("check"):
        return
    kind = reader.read("kind", lambda text: read_choice(text, KINDS, what="kind of check"))
    limits = [
        reader.read(name, lambda text, name=name: read_number(text, style=reader.style(name)))  # type: ignore[misc]
        for name in ("minimum", "maximum")
    ]
    if kind is None and any(limit is not None for limit in limits):
        kind = CheckKind.MEASUREMENT.value
    required = reader.read("is_required", read_yes)
    group.specs.append(
        CheckSpec(
            reader.text("check"),
            kind or CheckKind.PASS_FAIL.value,
            reader.read("unit", text_of(16)) or "",
            limits[0],
            limits[1],
            True if required is None else required,
        )
    )


def _from_one(text: str, *, style_of: RowReader) -> int:
    number = read_number(text, style=style_of.style("every_nth"))
    if number < 1 or number != int(number) or number > 10_000:
        raise CellError(f"“{text}” is no whole number from 1 to 10000. Type 1 for all, 3 for one in three.")
    return int(number)


def _put(group: _Group, report: Report, *, actor: Actor) -> None:
    """Save the plan of a group, or refuse all its rows: half a plan would inspect half."""
    if all(reader.is_clean for reader in group.readers):
        before = InspectionPlan.objects.filter(item=group.item, applies_to=group.applies_to, is_active=True).first()
        old = None if before is None else (before, specs_of(before))
        every_nth, sample, instructions = group.heads[0]
        if before is not None and is_same(before.instructions, instructions):
            instructions = before.instructions
        try:
            result = save_inspection_plan(
                item=group.item,
                applies_to=group.applies_to,
                checks=group.specs,
                every_nth=every_nth,
                sample_quantity=sample,
                instructions=instructions,
                actor=actor,
            )
        except InvalidPlan as error:
            group.readers[0].refuse("check", error.message)
        else:
            _tell(group, report, old, result)
            return
    for reader in group.readers:
        if reader.is_clean:
            reader.refuse("", "another row of this plan is refused, so none of it is taken.")
        report.add(reader.number, Outcome.REFUSED, group.label)


def _tell(
    group: _Group, report: Report, old: tuple[InspectionPlan, Sequence[CheckSpec]] | None, result: PlanResult
) -> None:
    for number, reader in enumerate(group.readers):
        changes: list[Change] = []
        if result.changed and number == 0:
            changes = _changes(old, result.plan)
        outcome = Outcome.UNCHANGED if not result.changed else Outcome.NEW if old is None else Outcome.CHANGED
        report.add(reader.number, outcome, reader.text("check") or group.label, group=group.label, changes=changes)


def _changes(old: tuple[InspectionPlan, Sequence[CheckSpec]] | None, plan: InspectionPlan) -> list[Change]:
    """What the new version says that the one before did not."""
    found = []
    for name, title in (("every_nth", "Each"), ("sample_quantity", "Sample"), ("instructions", "Instructions")):
        before, after = (shown(getattr(old[0], name)) if old else ""), shown(getattr(plan, name))
        if before != after:
            found.append(Change(title, before, after))
    before_checks = "; ".join(map(_words, old[1])) if old else ""
    after_checks = "; ".join(map(_words, specs_of(plan)))
    if before_checks != after_checks:
        found.append(Change("Checks", before_checks, after_checks))
    return found


def _words(spec: CheckSpec) -> str:
    limits = f" {shown(spec.minimum)}–{shown(spec.maximum)} {spec.unit}".rstrip() if spec.kind == "measurement" else ""
    return f"{spec.name}{limits}{'' if spec.is_required else ' (optional)'}"


def _plans() -> Iterator[list[Cell]]:
    found = InspectionPlan.objects.filter(is_active=True).select_related("item").prefetch_related("checks")
    for plan in found.order_by("item__sku", "applies_to").iterator(chunk_size=CHUNK_ROWS):
        head: list[Cell] = [
            plan.item.sku,
            _WHEN_WORDS[InspectionOf(plan.applies_to)],
            plan.every_nth,
            plan.sample_quantity,
            plan.instructions,
        ]
        checks = sorted(plan.checks.all(), key=lambda check: (check.position, check.pk))
        for check in checks:
            kind = _KIND_WORDS[CheckKind(check.kind)]
            yield [*head, check.name, kind, check.minimum, check.maximum, check.unit, yes(check.is_required)]
        if not checks:
            yield [*head, "", "", None, None, "", ""]


def _count() -> int:
    rows = InspectionPlan.objects.filter(is_active=True).values_list("checks__pk", flat=True)
    return rows.count()


INSPECTION_PLANS = ImportKind(
    name="inspection_plans",
    title="Inspection plans",
    help_text="What is looked at before goods may be sold: a row for each check. The rows of an item are its whole plan; it "
    "takes the place of the one in force as its next version.",
    permissions=("production.add_inspectionplan", "production.change_inspectionplan"),
    fields=FIELDS,
    options=(),
    perform=import_inspection_plans,
    order=32,
)
INSPECTION_PLANS_OUT = ExportKind(
    name="inspection_plans",
    permission="production.view_inspectionplan",
    columns=tuple(one.name for one in FIELDS),
    rows=_plans,
    count=_count,
    note="The plans in force; earlier versions are left out.",
)
