"""Import of counted figures: what was written down on paper or by another device goes into open count sheets.

Each row is the count of one cell. The book is frozen when the row is imported, so a file is imported soon after the count. The
same row again changes nothing; a figure outside the tolerance asks for a second count, which a row with another figure is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from inventory.errors import DomainError
from inventory.importing.cells import read_choice, read_quantity, usual_spelling
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.opening_stock import STATUS_WORDS
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.models import CountLine, CountLineState, CountSheet, Item, Location, StockStatus
from inventory.operations.checking import to_stock_unit
from inventory.operations.counting import add_found_line, record_count
from inventory.operations.posting import Actor
from inventory.quantities import as_text

FIELDS = (
    Field("sheet", "Sheet", ("sheet", "count sheet", "sheet number", "count", "number"), is_required=True),
    Field(
        "item",
        "Item",
        ("sku", "item", "item code", "part number", "part no", "part", "product"),
        is_required=True,
    ),
    Field(
        "quantity",
        "Quantity",
        ("quantity", "counted", "qty", "counted quantity", "found"),
        is_required=True,
        help_text="Zero when it cannot be found. With a unit if it is not the stock unit: 2.5 kg.",
    ),
    Field("unit", "Unit", ("unit", "uom", "unit of measure")),
    Field("location", "Location", ("location", "bin", "location code", "place"), help_text="Empty: that of the sheet."),
    Field("lot", "Lot", ("lot", "batch", "serial", "lot code", "serial number", "batch number", "lot number")),
    Field("status", "Status", ("status", "stock status", "condition")),
)

Cell = tuple[int, int, int, str, str]
"""(sheet id, item id, location id, lot code in upper case, status)"""


@dataclass(slots=True)
class _Entry:
    reader: RowReader
    sheet: CountSheet
    item: Item
    location: Location
    lot_code: str
    status: str
    quantity: Decimal

    @property
    def cell(self) -> Cell:
        return (self.sheet.pk, self.item.pk, self.location.pk, self.lot_code.upper(), self.status)

    @property
    def label(self) -> str:
        lot = f", {self.lot_code}" if self.lot_code else ""
        return f"{self.sheet.number}: {self.item.sku} at {self.location.code}{lot}"

    def figure(self, quantity: Decimal) -> str:
        return f"{as_text(quantity)} {self.item.stock_unit}"


def import_counts(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  every kind takes options
    """Record the counts of a table; see running.ImportKind."""
    report = Report.of("counts", table)
    columns = find_columns(table, FIELDS)
    readers = [
        reader
        for reader in read_rows(table, columns, report, numbers=("quantity",))
        if not _is_left_out(reader, report)
    ]
    items = items_by_sku({reader.text("item") for reader in readers})
    places = {place.code.upper(): place for place in Location.objects.all()}
    sheets = {
        sheet.number.upper(): sheet
        for sheet in CountSheet.objects.select_related("location").filter(
            number__in={reader.text("sheet").upper() for reader in readers}
        )
    }
    entries = [entry for reader in readers if (entry := _entry(reader, items, places, sheets)) is not None]
    entries = _without_repetitions(entries)
    lines = _lines(entries)
    for entry in entries:
        _take(entry, lines.get(entry.cell), report, actor)
    for reader in readers:
        if not reader.is_clean:
            report.add(reader.number, Outcome.REFUSED, reader.text("item"))
    report.results.sort(key=lambda result: result.row)
    return report


def _is_left_out(reader: RowReader, report: Report) -> bool:
    if reader.text("item"):
        return False
    if is_total(reader.row):
        report.add(reader.number, Outcome.SKIPPED, "", note="a total")
        return True
    reader.refuse("item", "the item is empty. Name it by its SKU, or delete the row.")
    report.add(reader.number, Outcome.REFUSED, "")
    return True


def _entry(
    reader: RowReader, items: Mapping[str, Item], places: Mapping[str, Location], sheets: Mapping[str, CountSheet]
) -> _Entry | None:
    sheet = sheets.get(reader.text("sheet").upper())
    if sheet is None:
        reader.refuse(
            "sheet", f"there is no count sheet {reader.text('sheet') or 'named'}. Write a number as CS-000042."
        )
    item = items.get(reader.text("item").upper())
    if item is None:
        reader.refuse("item", f"there is no item {reader.text('item')}. Correct the SKU.")
    location = None if sheet is None else sheet.location
    if reader.has("location"):
        location = places.get(reader.text("location").upper())
        if location is None:
            reader.refuse("location", f"there is no location {reader.text('location')}. Correct the code.")
    status = reader.read("status", lambda text: read_choice(text, STATUS_WORDS, what="status"))
    quantity = _quantity(reader, item)
    if sheet is None or item is None or location is None or quantity is None or not reader.is_clean:
        return None
    return _Entry(reader, sheet, item, location, reader.text("lot"), status or StockStatus.AVAILABLE.value, quantity)


def _quantity(reader: RowReader, item: Item | None) -> Decimal | None:
    """What was counted, in the stock unit."""
    if not reader.has("quantity"):
        reader.refuse(
            "quantity", "the quantity is empty. Type what was counted, 0 when nothing was found, or delete the row."
        )
        return None
    typed = reader.read("quantity", lambda text: read_quantity(text, style=reader.style("quantity")))
    if typed is None or item is None:
        return None
    if typed.doubt:
        reader.refuse("quantity", f"“{reader.text('quantity')}” is {typed.doubt}. Type the exact figure.")
        return None
    try:
        return to_stock_unit(item, typed.number, usual_spelling(typed.unit or reader.text("unit")))
    except DomainError as error:
        is_unit = error.code == "INVALID_UNIT" and reader.has("unit")
        reader.refuse("unit" if is_unit else "quantity", error.message)
        return None


def _without_repetitions(entries: Iterable[_Entry]) -> list[_Entry]:
    """One row per cell: a second one is either a copy or another count, and only a person knows which."""
    first: dict[Cell, _Entry] = {}
    kept = []
    for entry in entries:
        other = first.setdefault(entry.cell, entry)
        if other is entry:
            kept.append(entry)
        else:
            entry.reader.refuse(
                "item", f"{entry.label} stands in row {other.reader.number} already. Keep the row that is right."
            )
    return kept


def _lines(entries: Iterable[_Entry]) -> dict[Cell, CountLine]:
    sheets = {entry.sheet.pk for entry in entries}
    lines = CountLine.objects.filter(sheet__in=sheets).select_related("lot", "item", "location", "sheet")
    return {(line.sheet_id, line.item_id, line.location_id, line.lot.code.upper(), line.status): line for line in lines}


def _take(entry: _Entry, line: CountLine | None, report: Report, actor: Actor) -> None:
    """Record one row, or note why not."""
    row = entry.reader.number
    if line is not None and _is_known(line, entry.quantity):
        note = "to be counted a second time" if line.state == CountLineState.RECOUNT else ""
        report.add(row, Outcome.UNCHANGED, entry.label, note=note)
        return
    if line is not None and not line.is_open:
        assert line.counted is not None, "a line that is not open was counted"
        entry.reader.refuse(
            "quantity",
            f"{entry.label} was counted with {entry.figure(line.counted)}, this row says {entry.figure(entry.quantity)}. "
            "Have the cell counted again on its sheet.",
        )
        return
    before = "" if line is None or line.first_counted is None else entry.figure(line.first_counted)
    try:
        with transaction.atomic():
            if line is None:
                line = add_found_line(
                    sheet=entry.sheet,
                    item=entry.item,
                    location=entry.location,
                    lot_code=entry.lot_code,
                    status=entry.status,
                    actor=actor,
                )
            result = record_count(line=line, quantity=entry.quantity, actor=actor)
    except DomainError as error:
        entry.reader.refuse(_COLUMN_OF_ERROR.get(error.code, "item"), error.message)
        return
    note = "outside the tolerance: to be counted a second time" if result.needs_recount else ""
    report.add(
        row,
        Outcome.CHANGED if before else Outcome.NEW,
        entry.label,
        changes=[Change("Counted", before, entry.figure(entry.quantity))],
        note=note,
    )


def _is_known(line: CountLine, quantity: Decimal) -> bool:
    if line.state == CountLineState.RECOUNT:
        return line.first_counted == quantity
    return line.counted == quantity


_COLUMN_OF_ERROR = {
    "INVALID_QUANTITY": "quantity",
    "INVALID_QUANTITY_STEP": "quantity",
    "SECOND_PERSON_REQUIRED": "quantity",
    "LOT_REQUIRED": "lot",
    "DUPLICATE_SERIAL": "lot",
    "WRONG_STATE": "sheet",
    "LOCATION_BLOCKED": "location",
}

COUNTS = ImportKind(
    name="counts",
    title="Counted figures",
    help_text="Each row is the count of one cell on an open sheet. The same file again changes nothing.",
    permissions=("inventory.count_stock", "inventory.plan_counts"),
    fields=FIELDS,
    options=(),
    perform=import_counts,
    order=40,
)
