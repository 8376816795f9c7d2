"""The rows of the BOM editor as they were typed: read from a form or from content, moved and taken away.

What cannot be read stays as it was typed, with the reason at its field; nothing is lost.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models.functions import Upper

from inventory.models import Item, ItemUnit
from inventory.quantities import ZERO, as_text
from inventory.units import LIKELY_UNITS
from inventory.whole_numbers import whole_number
from production.bom_checks import BomLineSpec, BomProblem
from production.bom_content import LINES_MAX, OperationSpec, OutputSpec
from production.models import IssueMethod
from production.reads.bom_check import packs_of_many

FLAGS = ("is_consumable", "is_optional", "is_phantom", "builds_shortage")
FLAG_WORDS = {
    "is_consumable": "consumable",
    "is_optional": "optional",
    "is_phantom": "exploded",
    "builds_shortage": "built when missing",
}
ISSUE_WORDS = {IssueMethod.PROMPT.value: "asks for the actual", IssueMethod.MANUAL.value: "issued by hand"}
_NAMED = re.compile(r"(line|output|operation)-(\d{1,6})-(?:sub-(\d{1,3})-)?([a-z_]+)")
_BUTTON = re.compile(r"(?:(up|down):)?(line|output|operation)-(\d{1,6})(?:-sub-(\d{1,3}))?")
SECTIONS = {"lines": "line", "outputs": "output", "operations": "operation"}
_NEEDED = {
    "line": ("component", "quantity"),
    "output": ("item", "quantity"),
    "operation": ("name", "minutes", "amount"),
}
_NUMBERS_OF_ROW = 18


@dataclass(slots=True)
class Row:
    """One row as typed. `known` is the item its code means."""

    prefix: str
    texts: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    substitutes: list["Row"] = field(default_factory=list)
    errors: dict[str, list[str]] = field(default_factory=dict)
    known: Item | None = None
    units: Sequence[str] = ()
    index: int | None = None
    """Where it stands in the content; None when it could not be read."""

    def text(self, name: str) -> str:
        return self.texts.get(name, "").strip()

    def refuse(self, name: str, message: str) -> None:
        self.errors.setdefault(name, []).append(message)

    @property
    def messages(self) -> list[str]:
        """All that is wrong with the row, its substitutes included."""
        own = [message for messages in self.errors.values() for message in messages]
        return own + [message for one in self.substitutes for message in one.messages]

    @property
    def is_open(self) -> bool:
        """Whether the further fields are shown: they were, or one of them is wrong."""
        further = {"setup_quantity", "rounding_multiple", "note", "issue_method", "substitutes", *FLAGS}
        return self.text("open") == "1" or bool(further & set(self.errors)) or any(s.errors for s in self.substitutes)

    @property
    def set_words(self) -> str:
        """What is set among the further fields, for a person who has not opened them."""
        words = [FLAG_WORDS[flag] for flag in FLAGS if flag in self.flags]
        if self.text("issue_method") not in ("", IssueMethod.BACKFLUSH):
            words.insert(0, ISSUE_WORDS.get(self.text("issue_method"), self.text("issue_method")))
        if self.text("setup_quantity"):
            words.append(f"set-up {self.text('setup_quantity')}")
        if self.text("rounding_multiple"):
            words.append(f"rounded up to {self.text('rounding_multiple')}")
        if self.substitutes:
            words.append(f"or {', '.join(one.text('item') for one in self.substitutes)}")
        if self.text("note"):
            words.append(f"“{self.text('note')}”")
        return " · ".join(words)

    @property
    def wrong(self) -> set[str]:
        return set(self.errors)


def is_blank(row: Row, kind: str) -> bool:
    return not any(row.text(name) for name in _NEEDED[kind])


@dataclass(slots=True)
class Rows:
    """All rows of an editor, in their order."""

    lines: list[Row] = field(default_factory=list)
    outputs: list[Row] = field(default_factory=list)
    operations: list[Row] = field(default_factory=list)

    def section(self, kind: str) -> list[Row]:
        return {"line": self.lines, "output": self.outputs, "operation": self.operations}[kind]

    def all(self) -> Iterator[Row]:
        for row in (*self.lines, *self.outputs, *self.operations):
            yield row
            yield from row.substitutes

    def number(self) -> None:
        """Give every row the name of the place it stands at."""
        for kind in ("line", "output", "operation"):
            for number, row in enumerate(self.section(kind)):
                row.prefix = f"{kind}-{number}"
                for nth, substitute in enumerate(row.substitutes):
                    substitute.prefix = f"{row.prefix}-sub-{nth}"

    def press(self, button: str, *, is_removal: bool) -> None:
        """Do what a button of a row says: take the row away, or move it up or down. Anything else does nothing."""
        found = _BUTTON.fullmatch(button)
        if found is None:
            return
        rows, place = self.section(found[2]), int(found[3])
        if place >= len(rows):
            return
        if found[4] is not None:
            rows, place = rows[place].substitutes, int(found[4])
            if place >= len(rows):
                return
        if is_removal:
            del rows[place]
        elif found[1] == "up" and place > 0:
            rows[place - 1], rows[place] = rows[place], rows[place - 1]
        elif found[1] == "down" and place < len(rows) - 1:
            rows[place + 1], rows[place] = rows[place], rows[place + 1]
        self.number()


def rows_of_post(data: Mapping[str, str]) -> Rows:
    """The rows of a posted form, by their positions where dragging changed them; blank ones are left out."""
    raw: dict[tuple[str, int], Row] = {}
    places: dict[tuple[str, int], int] = {}
    instead: dict[tuple[str, int], dict[int, Row]] = {}
    for name, value in data.items():
        found = _NAMED.fullmatch(name)
        if found is None:
            continue
        key = (found[1], int(found[2]))
        row = raw.setdefault(key, Row(f"{found[1]}-{found[2]}"))
        if found[3] is not None:
            substitute = instead.setdefault(key, {}).setdefault(int(found[3]), Row(""))
            substitute.texts[found[4]] = str(value)
        elif found[4] == "position":
            place = whole_number(str(value), digits_max=_NUMBERS_OF_ROW)
            places[key] = key[1] if place is None else place
        elif found[4] in FLAGS:
            row.flags.add(found[4])
        else:
            row.texts[found[4]] = str(value)
    rows = Rows()
    for key in sorted(raw, key=lambda each: (each[0], places.get(each, each[1]), each[1])):
        row = raw[key]
        row.substitutes = [one for _, one in sorted(instead.get(key, {}).items()) if one.text("item")]
        if not is_blank(row, key[0]) and len(rows.section(key[0])) < LINES_MAX:
            rows.section(key[0]).append(row)
    rows.number()
    return rows


# --- From content -----------------------------------------------------------------------------------------------------


def rows_of_content(
    lines: Iterable[BomLineSpec], outputs: Iterable[OutputSpec] = (), operations: Iterable[OperationSpec] = ()
) -> Rows:
    """Rows that show content as it would be typed."""
    rows = Rows(
        [_line_row(line) for line in lines],
        [_output_row(output) for output in outputs],
        [_operation_row(operation) for operation in operations],
    )
    rows.number()
    return rows


def _shown(number: Decimal | None, *, empty: Decimal | None = ZERO) -> str:
    return "" if number is None or number == empty else as_text(number)


def _line_row(line: BomLineSpec) -> Row:
    return Row(
        "",
        {
            "component": line.component.sku,
            "quantity": as_text(line.quantity),
            "unit": line.unit,
            "scrap_percent": _shown(line.scrap_percent),
            "setup_quantity": _shown(line.setup_quantity),
            "rounding_multiple": _shown(line.rounding_multiple),
            "issue_method": line.issue_method,
            "reference": line.reference,
            "note": line.note,
        },
        {flag for flag in FLAGS if getattr(line, flag)},
        [Row("", {"item": one.item.sku, "ratio": as_text(one.ratio)}) for one in line.substitutes or ()],
    )


def _output_row(output: OutputSpec) -> Row:
    return Row(
        "",
        {
            "item": output.item.sku,
            "quantity": as_text(output.quantity),
            "kind": output.kind,
            "cost_share_percent": _shown(output.cost_share_percent),
            "unit_value": _shown(output.unit_value, empty=None),
        },
    )


def _operation_row(operation: OperationSpec) -> Row:
    return Row(
        "",
        {
            "name": operation.name,
            "kind": operation.kind,
            "minutes": _shown(operation.minutes),
            "setup_minutes": _shown(operation.setup_minutes),
            "rate_per_hour": _shown(operation.rate_per_hour),
            "amount": _shown(operation.amount),
            "instructions": operation.instructions,
        },
    )


# --- Into content -----------------------------------------------------------------------------------------------------


def know_items(rows: Rows) -> None:
    """Find the items of all rows and the units each can be typed in. Three statements whatever their number."""
    wanted = {code for row in rows.all() if (code := row.text("component") or row.text("item"))}
    known = items_by_code(wanted)
    packs = packs_of_many([item.pk for item in known.values()])
    for row in rows.all():
        code = row.text("component") or row.text("item")
        row.known = known.get(code.casefold())
        if row.known is not None:
            names = [row.known.stock_unit, *packs.get(row.known.pk, {})]
            row.units = [*names, *LIKELY_UNITS.get(row.known.stock_unit.casefold(), ())]


def items_by_code(codes: Iterable[str]) -> dict[str, Item]:
    """Items by SKU, else barcode, else barcode of a pack, under the code in lower case. Two statements."""
    wanted = {code.strip() for code in codes if code.strip()}
    upper = {code.upper() for code in wanted}
    found: dict[str, Item] = {}
    packs = ItemUnit.objects.filter(barcode__in=wanted).exclude(barcode="").select_related("item").order_by("-pk")
    found.update({unit.barcode.casefold(): unit.item for unit in packs})
    items = list(Item.objects.annotate(upper_sku=Upper("sku")).filter(barcode__in=wanted).exclude(barcode=""))
    items += list(Item.objects.annotate(upper_sku=Upper("sku")).filter(upper_sku__in=upper))
    found.update({item.barcode.casefold(): item for item in items if item.barcode in wanted})
    found.update({item.sku.casefold(): item for item in items if item.sku.upper() in upper})
    return found


def items_by_name(names: Iterable[str]) -> dict[str, list[Item]]:
    """Items by their whole name, under the name in lower case; active ones only, and all of a name. One statement."""
    upper = {name.strip().upper() for name in names if name.strip()}
    found: dict[str, list[Item]] = {}
    if upper:
        named = Item.objects.annotate(upper_name=Upper("name")).filter(upper_name__in=upper, is_active=True)
        for item in named.order_by("sku"):
            found.setdefault(item.name.casefold(), []).append(item)
    return found


def place_problems(rows: Rows, problems: Iterable[BomProblem]) -> list[str]:
    """Put each problem at its row and field. Returns those that belong to none of them."""
    loose = []
    for problem in problems:
        section = rows.section(SECTIONS[problem.section])
        row = next((row for row in section if row.index is not None and row.index == problem.line), None)
        if row is None:
            loose.append(problem.error.message)
        else:
            row.refuse(problem.field, problem.error.message)
    return loose
