"""The columns of a parts list, and how its rows are read: which BOM a row belongs to, and whether it is consumed at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.conf import settings

from inventory.importing.cells import (
    TypedQuantity,
    read_choice,
    read_date,
    read_number,
    read_percent,
    read_price,
    read_quantity,
    read_yes,
    usual_spelling,
)
from inventory.importing.errors import CellError, UnreadableTable
from inventory.importing.headers import Columns, Field
from inventory.importing.reports import Outcome, Report
from inventory.importing.rows import RowReader, is_total
from inventory.importing.running import ImportOptions
from inventory.importing.tables import Table
from inventory.units import is_standard
from production.models import IssueMethod

FIELDS = (
    Field(
        "parent",
        "Parent",
        (
            "parent",
            "parent sku",
            "parent item",
            "parent part",
            "parent assembly",
            "assembly",
            "product assembly id",
            "assembly id",
            "made item",
            "bom item",
            "product",
        ),
        help_text="What the row is part of. A file without this column is one BOM; choose its product.",
    ),
    Field("level", "Level", ("level", "bom level", "lvl", "indent"), help_text="0, 1, 2 ... instead of a parent."),
    Field(
        "component",
        "Component",
        (
            "component",
            "component sku",
            "component id",
            "component code",
            "sku",
            "item code",
            "part number",
            "part no",
            "part",
            "item",
            "material",
            "ingredient",
            "child",
        ),
        is_required=True,
        help_text="SKU, or the exact name of one item.",
    ),
    Field(
        "quantity",
        "Quantity",
        ("quantity", "qty", "quantity per", "qty per", "per assembly qty", "quantity per assembly", "amount", "count"),
        is_required=True,
        help_text="With or without a unit: 4, 0.75 m, 1/2 inch.",
    ),
    Field("unit", "Unit", ("unit", "uom", "uo m", "unit measure code", "unit of measure", "units")),
    Field(
        "name", "Name", ("component name", "name", "item name", "part name", "description"), help_text="For new items."
    ),
    Field(
        "kind",
        "Kind",
        ("component kind", "item kind", "kind", "component type", "make or buy"),
        help_text="For new items.",
    ),
    Field("unit_cost", "Unit cost", ("unit cost", "unit price", "standard cost"), help_text="For new items."),
    Field(
        "makes", "Makes", ("makes", "batch size", "yield", "output quantity"), help_text="How much one batch yields."
    ),
    Field(
        "line_type",
        "Line type",
        ("line type", "row type"),
        help_text="standard, optional, consumable, phantom; others are left out.",
    ),
    Field("scrap_percent", "Scrap %", ("scrap percent", "scrap %", "scrap", "waste %", "loss %")),
    Field("setup_quantity", "Set-up", ("setup quantity", "set up quantity", "setup", "set up")),
    Field("rounding_multiple", "Multiple", ("rounding multiple", "multiple")),
    Field("issue_method", "Issue method", ("issue method",)),
    Field("is_consumable", "Consumable", ("is consumable", "consumable")),
    Field("is_optional", "Optional", ("is optional", "optional")),
    Field("is_phantom", "Explode", ("is phantom", "phantom", "explode")),
    Field("builds_shortage", "Build what is missing", ("builds shortage", "build what is missing", "build shortage")),
    Field("valid_from", "Valid from", ("valid from", "effective from", "start date")),
    Field("valid_to", "Valid to", ("valid to", "effective to", "end date", "valid until"), help_text="Last day."),
    Field(
        "reference",
        "Reference",
        (
            "reference",
            "references",
            "designator",
            "designators",
            "ref des",
            "refdes",
            "drawing number",
            "part assembly number",
        ),
    ),
    Field("note", "Note", ("note", "notes", "remark", "remarks", "comment")),
)
NUMBERS = ("quantity", "unit_cost", "makes", "scrap_percent", "setup_quantity", "rounding_multiple")

CONSUMED_TYPES = {
    "standard": "",
    "normal": "",
    "component": "",
    "part": "",
    "optional": "is_optional",
    "consumable": "is_consumable",
    "phantom": "is_phantom",
}
"""Line types that make a BOM line, with the mark they set. Rows of any other type are no consumption and are left out."""
ISSUE_WORDS = {
    **{method.value: method.value for method in IssueMethod},
    **{method.label.casefold(): method.value for method in IssueMethod},
}
REFERENCE_CHARS = 250
NOTE_CHARS = 500


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One row that is consumed, as it was typed. Marks and losses are None where the file says nothing about them."""

    reader: RowReader
    parent: str
    component: str
    typed: TypedQuantity
    unit: str
    name: str
    kind: str
    unit_cost: tuple[Decimal, str] | None
    makes: Decimal | None
    given: Mapping[str, object]
    """Attributes of the BOM line that the file has a column for."""


def read_lines(
    readers: Sequence[RowReader], *, table: Table, columns: Columns, report: Report, options: ImportOptions, on: date
) -> list[ReadLine]:
    """The rows that are consumed, with their parents. Others are noted as skipped or refused.

    Raises UnreadableTable for a file with neither parents nor levels when no product is chosen.
    """
    has_tree = "parent" in columns.found or "level" in columns.found
    if not has_tree and not options.product:
        raise UnreadableTable(
            f"{table.name} has no column that says what each row is part of, so it is the BOM of one product. "
            "Choose that product and import again.",
            needs="product",
        )
    parents = _Parents(options.product, by_level="parent" not in columns.found and "level" in columns.found)
    lines = []
    for reader in readers:
        if _is_left_out(reader, report):
            continue
        parent = parents.of(reader)
        reason = "" if parent else "a top-level item, part of nothing"
        reason = reason or _not_consumed(reader) or _not_valid(reader, on)
        if reason:
            if reader.is_clean:
                report.add(reader.number, Outcome.SKIPPED, reader.text("component"), group=parent, note=reason)
            continue
        line = _read(reader, parent, unit_hint=columns.hints.get("quantity", ""))
        if line is not None:
            lines.append(line)
    return lines


class _Parents:
    """What each row is part of, by its column, by its level below the rows above it, or by the chosen product."""

    def __init__(self, product: str, *, by_level: bool) -> None:
        self._product = product
        self._by_level = by_level
        self._above: list[tuple[int, str]] = []

    def of(self, reader: RowReader) -> str:
        if not self._by_level:
            return reader.text("parent") or self._product
        level = reader.read("level", _level)
        if level is None:
            reader.refuse("level", "the level is empty. Give each row its level, 0 for the product.")
            return ""
        while self._above and self._above[-1][0] >= level:
            self._above.pop()
        if self._above and self._above[-1][0] < level - 1:
            reader.refuse("level", f"level {level} follows level {self._above[-1][0]}. A row is missing between them.")
        parent = self._above[-1][1] if self._above else self._product
        self._above.append((level, reader.text("component")))
        return parent


def _level(text: str) -> int:
    """`2`, `..2` or `1.2` style dots count the same: the last number, or the dots before it."""
    level = read_number(text.lstrip("."))
    if level < 0 or level != int(level):
        raise CellError(f"“{text}” is no level. Type 0 for the product, 1 for its parts, and so on.")
    return int(level)


def _is_left_out(reader: RowReader, report: Report) -> bool:
    if reader.text("component"):
        return False
    if is_total(reader.row) or not reader.has("quantity"):
        note = "a total" if is_total(reader.row) else "no component and no quantity"
        report.add(reader.number, Outcome.SKIPPED, "", note=note)
    else:
        reader.refuse("component", "the component is empty. Name it by its SKU, or delete the row.")
    return True


def _not_consumed(reader: RowReader) -> str:
    kind = _line_type(reader)
    return "" if not kind or kind in CONSUMED_TYPES else f"line type “{reader.text('line_type')}” is not consumed"


def _line_type(reader: RowReader) -> str:
    return " ".join(reader.text("line_type").casefold().replace("_", " ").split())


def _not_valid(reader: RowReader, on: date) -> str:
    first, last = reader.read("valid_from", read_date), reader.read("valid_to", read_date)
    if (first is not None and first > on) or (last is not None and last < on):
        return f"not valid on {on}"
    return ""


def _read(reader: RowReader, parent: str, *, unit_hint: str) -> ReadLine | None:
    if not reader.has("quantity"):
        reader.refuse("quantity", "the quantity is empty. Type how much is used, such as 4 or 0.75 m.")
    typed = reader.read("quantity", lambda text: read_quantity(text, style=reader.style("quantity")))
    if typed is not None and typed.number <= 0:
        reader.refuse(
            "quantity", f"{reader.text('quantity')} is not above zero. Type how much is used, or delete the row."
        )
    unit = _unit(reader, typed, unit_hint)
    unit_cost = reader.read(
        "unit_cost", lambda text: read_price(text, currency=settings.BASE_CURRENCY, style=reader.style("unit_cost"))
    )
    makes = reader.read("makes", lambda text: read_number(text, style=reader.style("makes")))
    if makes is not None and makes <= 0:
        reader.refuse("makes", f"a batch that makes {reader.text('makes')} is none. Type a number above zero.")
    given = _given(reader, typed)
    if len(reader.text("component")) > 100:
        reader.refuse("component", "the name has more than 100 characters. Shorten it; the rest may stand in a note.")
    if typed is None or not reader.is_clean:
        return None
    return ReadLine(
        reader=reader,
        parent=parent,
        component=reader.text("component"),
        typed=typed,
        unit=unit,
        name=reader.text("name"),
        kind=reader.text("kind"),
        unit_cost=unit_cost,
        makes=makes,
        given=given,
    )


def _unit(reader: RowReader, typed: TypedQuantity | None, hint: str) -> str:
    """The unit beside the number, else in its column, else in brackets in the title of the quantities."""
    beside = usual_spelling(typed.unit) if typed else ""
    column = usual_spelling(reader.text("unit"))
    if beside and column and beside.casefold() != column.casefold():
        reader.refuse("quantity", f"the quantity says {beside}, the unit column says {column}. Keep one of them.")
    return beside or column or (usual_spelling(hint) if is_standard(hint) else "")


def _given(reader: RowReader, typed: TypedQuantity | None) -> dict[str, object]:
    """What the file says about the line beside component and quantity; columns it lacks are not in it."""
    given: dict[str, object] = {}
    marks = ("is_consumable", "is_optional", "is_phantom")
    for name in (*marks, "builds_shortage"):
        if name in reader.columns.found:
            given[name] = bool(reader.read(name, read_yes))
    if "line_type" in reader.columns.found:
        mark = CONSUMED_TYPES.get(_line_type(reader), "")
        for name in marks:
            given[name] = bool(given.get(name)) or name == mark
    if "scrap_percent" in reader.columns.found:
        percent = reader.read("scrap_percent", lambda text: read_percent(text, style=reader.style("scrap_percent")))
        given["scrap_percent"] = percent or Decimal(0)
    if "setup_quantity" in reader.columns.found:
        setup = reader.read("setup_quantity", lambda text: read_number(text, style=reader.style("setup_quantity")))
        given["setup_quantity"] = setup or Decimal(0)
    if "rounding_multiple" in reader.columns.found:
        given["rounding_multiple"] = reader.read(
            "rounding_multiple", lambda text: read_number(text, style=reader.style("rounding_multiple"))
        )
    if reader.has("issue_method"):
        given["issue_method"] = reader.read(
            "issue_method", lambda text: read_choice(text, ISSUE_WORDS, what="issue method")
        )
    given.update(_words(reader, typed))
    return given


def _words(reader: RowReader, typed: TypedQuantity | None) -> dict[str, object]:
    """Reference and note. What does not fit is shortened with a mark; a doubtful quantity is kept as it was typed."""
    words: dict[str, object] = {}
    reference = " ".join(reader.text("reference").split())
    notes = [" ".join(reader.text("note").split())]
    if typed is not None and typed.doubt:
        notes.append(f"typed “{reader.text('quantity')}”")
    if len(reference) > REFERENCE_CHARS:
        notes.append(reference)
    if "reference" in reader.columns.found:
        words["reference"] = _shortened(reference, REFERENCE_CHARS)
    note = "; ".join(part for part in notes if part)
    if "note" in reader.columns.found or note:
        words["note"] = _shortened(note, NOTE_CHARS)
    return words


def _shortened(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
