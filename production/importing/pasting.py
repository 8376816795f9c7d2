"""Rows copied from a spreadsheet become lines of a BOM: what was understood of each row, before anything is added."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from inventory.importing.errors import TableTooLarge, UnreadableTable
from inventory.importing.headers import count_known, find_columns
from inventory.importing.reports import Outcome, Report
from inventory.importing.rows import read_rows
from inventory.importing.running import ImportOptions
from inventory.importing.tables import read_table
from inventory.models import Item
from inventory.quantities import as_text
from production.bom_rows import FLAGS, Row, items_by_code, items_by_name
from production.importing.columns import FIELDS, NUMBERS, ReadLine, read_lines
from production.models import IssueMethod

USUAL_ORDER = ("Component", "Quantity", "Unit", "Scrap %", "Reference", "Note")
"""What columns without titles are taken for."""
CHARS_MAX = 200_000
PASTED = "what you pasted"
SKUS_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class PastedRow:
    """One row of the paste: the line it would make, or why it makes none. `number` counts from 1."""

    number: int
    row: Row | None
    name: str
    messages: Sequence[str]
    is_skipped: bool = False


@dataclass(frozen=True, slots=True)
class Paste:
    """What was understood. `refusal` says why nothing was; `columns` are the titles that were used."""

    rows: Sequence[PastedRow] = ()
    columns: Sequence[str] = ()
    unused: Sequence[str] = ()
    has_titles: bool = True
    refusal: str = ""

    @property
    def good(self) -> list[Row]:
        return [one.row for one in self.rows if one.row is not None]

    @property
    def refused(self) -> int:
        return sum(1 for one in self.rows if one.row is None and not one.is_skipped)


def read_paste(text: str, *, sku: str) -> Paste:
    """Read rows parted by tabs (or commas, semicolons, bars), with titles or without, as lines of the BOM of `sku`.

    Rows that name another parent are skipped: one editor holds one BOM.
    """
    text = text.strip("\r\n")
    if not text.strip():
        return Paste(refusal="There is nothing pasted yet. Copy rows in your spreadsheet and paste them here.")
    if len(text) > CHARS_MAX:
        return Paste(refusal=f"This is more than {CHARS_MAX:,} characters. Import it as a file instead.")
    first = text.splitlines()[0]
    mark = next((mark for mark in ("\t", ";", "|", ",") if mark in first), "\t")
    has_titles = count_known(first.split(mark), FIELDS) >= min(2, first.count(mark) + 1)
    if not has_titles:
        text = mark.join(USUAL_ORDER[: first.count(mark) + 1]) + "\n" + text
    report = Report("boms", PASTED, "")
    try:
        table = read_table(content=text.encode(), name="pasted.tsv", knows=lambda titles: count_known(titles, FIELDS))
        columns = find_columns(table, FIELDS)
        readers = list(read_rows(table, columns, report, numbers=NUMBERS))
        options = ImportOptions(product=sku)
        lines = read_lines(
            readers, table=table, columns=columns, report=report, options=options, on=timezone.localdate()
        )
    except (UnreadableTable, TableTooLarge) as error:
        return Paste(refusal=error.message, has_titles=has_titles)
    return Paste(
        rows=_rows(lines, report, sku, offset=0 if has_titles else 1),
        columns=[table.title(column) for column in sorted(columns.found.values())],
        unused=report.unused_columns if has_titles else (),
        has_titles=has_titles,
    )


def _rows(lines: Sequence[ReadLine], report: Report, sku: str, *, offset: int) -> list[PastedRow]:
    known = items_by_code(line.component for line in lines)
    named = items_by_name(line.component for line in lines if line.component.casefold() not in known)
    found: dict[int, PastedRow] = {}
    for line in lines:
        number = line.reader.number - offset
        code = line.component.strip().casefold()
        alike = named.get(code, [])
        item = known.get(code) or (alike[0] if len(alike) == 1 else None)
        if line.parent.casefold() != sku.casefold():
            found[number] = PastedRow(number, None, line.component, [f"part of {line.parent}, not of {sku}"], True)
        elif item is None:
            found[number] = PastedRow(number, None, line.component, [_not_found(line.component, alike)])
        else:
            row = _row(line)
            row.known = item
            doubts = [line.typed.doubt] if line.typed.doubt else []
            if code not in known:
                row.texts["component"] = item.sku
                doubts.append("Found by its name.")
            found[number] = PastedRow(number, row, item.name, doubts)
    wrong: dict[int, list[str]] = {}
    for problem in report.problems:
        where = f"{problem.column}: " if problem.column else ""
        wrong.setdefault(problem.row - offset, []).append(where + problem.message)
    for number, messages in wrong.items():
        found[number] = PastedRow(number, None, "", messages)
    for result in report.results:
        if result.outcome == Outcome.SKIPPED:
            number = result.row - offset
            found[number] = PastedRow(number, None, result.label, [result.note], True)
    return [found[number] for number in sorted(found)]


def _not_found(text: str, alike: Sequence[Item]) -> str:
    if alike:
        skus = ", ".join(item.sku for item in alike[:SKUS_SHOWN_MAX])
        more = f" and {len(alike) - SKUS_SHOWN_MAX} more" if len(alike) > SKUS_SHOWN_MAX else ""
        return f"{len(alike)} items are called “{text}”: {skus}{more}. Give the SKU of the one that is meant."
    return f"There is no item with SKU, barcode or name “{text}”. Add the item first, or correct what stands there."


def _row(line: ReadLine) -> Row:
    texts = {
        "component": line.component,
        "quantity": as_text(line.typed.number),
        "unit": line.unit,
        "issue_method": IssueMethod.BACKFLUSH.value,
    }
    flags = set()
    for name, value in line.given.items():
        if name in FLAGS:
            if value:
                flags.add(name)
        elif value not in (None, ""):
            texts[name] = as_text(value) if not isinstance(value, str) else value  # type: ignore[arg-type]
    for name in ("scrap_percent", "setup_quantity"):
        if texts.get(name) == "0":
            del texts[name]
    return Row("", texts, flags)
