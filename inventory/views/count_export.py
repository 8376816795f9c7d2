"""A count sheet as a table: to count from on paper or another device, and to bring in again with what was found."""

from collections.abc import Iterable, Iterator

from inventory.models import CountLine, CountSheet
from inventory.web import Cell

HEADER = ("Sheet", "SKU", "Name", "Location", "Lot", "Status", "Counted", "Unit", "State", "By")
SEEN = ("Expected", "Variance", "Variance value", "Cause", "Note")
"""Only for those who may see what is expected: on a blind sheet nobody may before it is submitted."""


def header(*, sees: bool) -> list[str]:
    return [*HEADER, *(SEEN if sees else ())]


def rows(sheet: CountSheet, lines: Iterable[CountLine], *, sees: bool) -> Iterator[list[Cell]]:
    """One row a line, in the order of `lines`; quantities in the stock unit, what was not counted is empty."""
    for line in lines:
        row: list[Cell] = [
            sheet.number,
            line.item.sku,
            line.item.name,
            line.location.code,
            line.lot.code,
            line.get_status_display(),
            line.counted,
            line.item.stock_unit,
            line.get_state_display(),
            str(line.counted_by or ""),
        ]
        if sees:
            row += [line.expected, line.variance, line.variance_value, line.get_cause_display(), line.note]
        yield row
