"""Reading a CSV or XLSX file into rows of text, within limits, whoever made it.

CSV may be UTF-8 (with or without mark), UTF-16 with mark, or Windows-1252, separated by comma, semicolon, tab or bar.
XLSX gives the stored results of formulas. Rows are numbered as a spreadsheet shows them.
"""

import csv
import hashlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice, zip_longest
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from inventory.importing.errors import TableTooLarge, UnreadableTable
from inventory.quantities import as_text

BYTES_MAX = 10 * 1024 * 1024
UNPACKED_BYTES_MAX = 150 * 1024 * 1024
ROWS_MAX = 20_000
COLUMNS_MAX = 200
BLANK_ROWS_IN_A_ROW_MAX = 2_000
"""A sheet that was once formatted far down has many empty rows; after so many the rest is taken for empty."""
HEADER_WITHIN_ROWS = 30
DELIMITERS = (",", ";", "\t", "|")
NO_RESULT = "#NO-RESULT!"
"""Stands for a formula whose result the program that wrote the file did not store."""
ERROR_VALUES = frozenset({"#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", NO_RESULT})
"""What a spreadsheet shows for a formula that failed."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_RISKY = re.compile(r"'*[=+\-@]")
_QUOTED = re.compile(r"'+[=+\-@]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row below the titles. `number` is as a spreadsheet shows it; cells are stripped text, as many as there are titles."""

    number: int
    cells: tuple[str, ...]

    @property
    def is_blank(self) -> bool:
        return not any(self.cells)


@dataclass(frozen=True, slots=True)
class Table:
    """A file as a table. `digest` is the SHA-256 of its bytes, in hexadecimal."""

    name: str
    digest: str
    titles: tuple[str, ...]
    header_row: int
    rows: Sequence[Row]
    sheet: str = ""

    def title(self, column: int) -> str:
        """The column's title, or its letter when it has none."""
        return self.titles[column] or f"column {get_column_letter(column + 1)}"


def read_table(*, content: bytes, name: str, knows: Callable[[Sequence[str]], int], sheet: str = "") -> Table:
    """The rows of a file below its titles. `knows` counts the titles of a row that mean something to the reader.

    The titles are the row among the first 30 of which most are known. Raises TableTooLarge and UnreadableTable.
    """
    if len(content) > BYTES_MAX:
        raise TableTooLarge(
            f"{name} has {len(content) / 1024 / 1024:.1f} MB, one import takes {BYTES_MAX // 1024 // 1024} MB. Split the file.",
            bytes=len(content),
        )
    if not content.strip():
        raise UnreadableTable(f"{name} is empty. Choose a file with a row of titles and rows below it.")
    found_sheet = ""
    if content.startswith(b"PK\x03\x04"):
        found_sheet, numbered = _read_workbook(content, name=name, sheet=sheet)
    elif content.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableTable(f"{name} is a file of an old Excel (.xls). Save it as .xlsx or CSV and import that.")
    else:
        numbered = _read_csv(content, name=name, knows=knows)
    rows = [(number, cells) for number, cells in numbered if any(cells)]
    if not rows:
        raise UnreadableTable(f"{name} has no filled cells. Choose a file with a row of titles and rows below it.")
    scores = [knows(cells) for _, cells in rows[:HEADER_WITHIN_ROWS]]
    position = scores.index(max(scores))
    header_row, header = rows[position]
    width = max(len(cells) for _, cells in rows[position:])
    titles = (*header, *("" for _ in range(width - len(header))))
    body = [Row(number, (*cells, *("" for _ in range(width - len(cells))))) for number, cells in rows[position + 1 :]]
    return Table(name, hashlib.sha256(content).hexdigest(), titles, header_row, body, found_sheet)


# --- CSV --------------------------------------------------------------------------------------------------------------


def _read_csv(content: bytes, *, name: str, knows: Callable[[Sequence[str]], int]) -> list[tuple[int, tuple[str, ...]]]:
    text = _decode(content, name=name)
    delimiter = None
    first, _, rest = text.partition("\n")
    if first.strip().casefold().startswith("sep=") and len(first.strip()) == len("sep=,"):
        delimiter, text = first.strip()[-1], rest
    try:
        delimiter = delimiter or _sniff(text, knows)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        offset = 2 if text is rest and first.strip() else 1
        return list(_bounded(((number, row) for number, row in enumerate(rows, start=offset)), name=name))
    except csv.Error as error:
        raise UnreadableTable(f"{name} is not readable as CSV: {error}. Save it again as CSV or XLSX.") from None


def _decode(content: bytes, *, name: str) -> str:
    encodings = ["utf-16"] if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text
    raise UnreadableTable(f"{name} is neither text nor a workbook. Save it as CSV (UTF-8) or XLSX and import that.")


def _sniff(text: str, knows: Callable[[Sequence[str]], int]) -> str:
    """The separator under which most titles are known; of those, the one that gives most rows the same number of cells."""
    sample = text[:200_000]

    def score(delimiter: str) -> tuple[int, int, int]:
        try:
            rows = list(islice(csv.reader(io.StringIO(sample), delimiter=delimiter), 200))
        except csv.Error:
            return (0, 0, 0)
        counts = Counter(len(row) for row in rows if len(row) > 1)
        if not counts:
            return (0, 0, 0)
        width, alike = counts.most_common(1)[0]
        return (max(knows([clean(cell) for cell in row]) for row in rows[:HEADER_WITHIN_ROWS]), alike, width)

    return max(DELIMITERS, key=score)


# --- XLSX -------------------------------------------------------------------------------------------------------------


def _read_workbook(content: bytes, *, name: str, sheet: str) -> tuple[str, list[tuple[int, tuple[str, ...]]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > UNPACKED_BYTES_MAX:
                raise TableTooLarge(
                    f"{name} unpacks to {unpacked // 1024 // 1024} MB, one import takes "
                    f"{UNPACKED_BYTES_MAX // 1024 // 1024} MB. Keep only the sheet to import, or save it as CSV.",
                    bytes=unpacked,
                )
        values = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        formulas = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise UnreadableTable(f"{name} is not readable as a workbook: {error}. Save it again as XLSX or CSV.") from None
    try:
        chosen = _choose_sheet(values.sheetnames, wanted=sheet, name=name)
        pages = (values[chosen], formulas[chosen])
        for page in pages:
            page.reset_dimensions()  # what the file says of its size is often wrong
        return chosen, list(_bounded(_evaluated(*pages), name=name))
    finally:
        values.close()
        formulas.close()


def _choose_sheet(names: Sequence[str], *, wanted: str, name: str) -> str:
    if not wanted:
        return names[0]
    for known in names:
        if known.casefold() == wanted.strip().casefold():
            return known
    raise UnreadableTable(f"{name} has no sheet “{wanted}”. It has: {', '.join(names)}.", sheets=list(names))


def _evaluated(values: Any, formulas: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows as text. A formula whose result was never stored is marked, else it would silently read as empty."""
    both = zip_longest(values.iter_rows(values_only=True), formulas.iter_rows(values_only=True), fillvalue=())
    for number, (row, written) in enumerate(both, start=1):
        cells = [cell_text(value) for value in row]
        for column, (value, source) in enumerate(zip(row, written, strict=False)):
            if value is None and isinstance(source, str) and source.startswith("="):
                cells[column] = NO_RESULT
        yield number, cells


def cell_text(value: object) -> str:
    """A spreadsheet's value as a person would type it: no binary fractions, dates in ISO form."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return as_text(Decimal(format(value, ".15g")))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


# --- Both -------------------------------------------------------------------------------------------------------------


def _bounded(rows: Iterable[tuple[int, Sequence[str]]], *, name: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    filled = blanks = 0
    for number, row in rows:
        cells = tuple(clean(cell) for cell in row)
        while cells and not cells[-1]:
            cells = cells[:-1]
        if not cells:
            blanks += 1
            if blanks > BLANK_ROWS_IN_A_ROW_MAX:
                return
            continue
        blanks = 0
        filled += 1
        if filled > ROWS_MAX + HEADER_WITHIN_ROWS:
            raise TableTooLarge(
                f"{name} has more than {ROWS_MAX} rows, the most of one import. Split the file.", rows_max=ROWS_MAX
            )
        if len(cells) > COLUMNS_MAX:
            raise TableTooLarge(
                f"Row {number} of {name} has {len(cells)} columns, the most are {COLUMNS_MAX}. Remove what is not imported.",
                columns_max=COLUMNS_MAX,
            )
        yield number, cells


def canonical(text: str) -> str:
    """Text as a file can carry it: no surrounding blanks, no control characters, one kind of line end, plain blanks.

    Two texts with the same canonical form are the same to an import.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").replace("\u202f", " ")
    return _CONTROL.sub("", text).strip()


def clean(text: str) -> str:
    """A cell in canonical form, without the quote that exports put before what looks like a formula."""
    text = canonical(text)
    return text[1:] if _QUOTED.match(text) else text


def unquoted(text: str) -> str:
    """A cell without the quote that exports put before text that looks like the error of a failed formula."""
    return text[1:] if text[:1] == "'" and text.lstrip("'") in ERROR_VALUES else text


def protect(text: str) -> str:
    """A cell that no spreadsheet takes for a formula or an error, and that `clean` and `unquoted` read back as it was."""
    text = canonical(text)
    return f"'{text}" if _RISKY.match(text) or text.lstrip("'") in ERROR_VALUES else text
