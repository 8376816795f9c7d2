"""The cells of one row by field, with every reading error noted at its row and column."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from inventory.importing.cells import NumberStyle, style_of
from inventory.importing.errors import CellError
from inventory.importing.headers import Columns
from inventory.importing.reports import Report
from inventory.importing.tables import ERROR_VALUES, NO_RESULT, Row, Table, unquoted

T = TypeVar("T")

_TOTAL = re.compile(r"^(?:(?:sub|grand)[ -]?)?(?:totals?|sum|summe|gesamt)\b\s*:?[\s\d.,'€$£]*$", re.IGNORECASE)


@dataclass(slots=True)
class RowReader:
    """Reads one row. `is_clean` turns False with the first cell that cannot be used."""

    row: Row
    table: Table
    columns: Columns
    report: Report
    styles: Mapping[str, NumberStyle]
    is_clean: bool = True
    _refused: set[str] = field(default_factory=set)

    @property
    def number(self) -> int:
        return self.row.number

    def has(self, name: str) -> bool:
        """Whether the table has a column for the field and this row fills it."""
        return bool(self.text(name))

    def text(self, name: str) -> str:
        """What the cell holds; empty when there is no such column. A failed formula is refused."""
        column = self.columns.found.get(name)
        if column is None:
            return ""
        text = self.row.cells[column]
        if text == NO_RESULT:
            self.refuse(
                name,
                "the cell holds a formula without a stored result. Open the file in a spreadsheet program, save it, and "
                "import it again.",
            )
            return ""
        if text in ERROR_VALUES:
            self.refuse(name, f"the cell shows {text}, a formula that failed. Mend it in the file.")
            return ""
        return unquoted(text)

    def read(self, name: str, reader: Callable[[str], T]) -> T | None:
        """The cell's value; None when it is empty or, after noting the problem, when it cannot be read."""
        text = self.text(name)
        if not text:
            return None
        try:
            return reader(text)
        except CellError as error:
            self.refuse(name, str(error))
            return None

    def style(self, name: str) -> NumberStyle:
        return self.styles.get(name, NumberStyle())

    def refuse(self, name: str, message: str) -> None:
        """Note what is wrong with the row, at the column of a field (empty: the row as a whole). Once per field."""
        self.is_clean = False
        if name in self._refused:
            return
        self._refused.add(name)
        column = self.columns.found.get(name)
        title = "" if column is None else self.table.title(column)
        given = "" if column is None else self.row.cells[column]
        self.report.refuse(self.number, title, given, message)


def read_rows(table: Table, columns: Columns, report: Report, *, numbers: tuple[str, ...]) -> Iterator[RowReader]:
    """A reader for each row; `numbers` are the fields whose columns are looked at for their style of writing numbers."""
    report.used_columns = {table.title(column): name for name, column in columns.found.items()}
    report.unused_columns = columns.unused
    styles = {
        name: style_of(row.cells[columns.found[name]] for row in table.rows)
        for name in numbers
        if name in columns.found
    }
    for row in table.rows:
        yield RowReader(row, table, columns, report, styles)


def is_total(row: Row) -> bool:
    """Whether a row is a sum below a table: a cell says so."""
    return any(_TOTAL.match(cell) for cell in row.cells)
