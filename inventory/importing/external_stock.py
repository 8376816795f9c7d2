"""Import of what places we do not run report to hold: a 3PL's or a channel's file becomes one report for each place.

The same file again changes nothing, since the book then says what the report says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from inventory.errors import DomainError
from inventory.importing.cells import read_choice, read_date, read_quantity, usual_spelling
from inventory.importing.errors import CellError
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.moments import read_moment_reported
from inventory.importing.opening_stock import STATUS_WORDS
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.models import Item, Location, StockStatus
from inventory.operations.checking import to_stock_unit
from inventory.operations.posting import Actor
from inventory.operations.reporting import REPORTING_KINDS, Difference, ReportedQuantity, report_external_stock
from inventory.quantities import as_text

FIELDS = (
    Field(
        "item",
        "Item",
        ("sku", "item", "item code", "seller sku", "merchant sku", "part number", "product"),
        is_required=True,
    ),
    Field(
        "quantity",
        "Quantity",
        (
            "quantity",
            "qty",
            "on hand",
            "stock",
            "quantity available",
            "afn fulfillable quantity",
            "available",
            "total units",
        ),
        is_required=True,
        help_text="With a unit if it is not the stock unit: 2 box. Zero is a figure.",
    ),
    Field("unit", "Unit", ("unit", "uom", "unit of measure")),
    Field("location", "Location", ("location", "bin", "location code", "warehouse", "fulfillment center", "place")),
    Field("lot", "Lot", ("lot", "batch", "lot code", "batch number", "lot number", "serial number")),
    Field("expires_on", "Expires", ("expires on", "expiry date", "expiry", "best before", "expires")),
    Field("status", "Status", ("status", "stock status", "condition", "disposition")),
    Field(
        "as_of", "As of", ("as of", "snapshot date", "report date", "date"), help_text="The moment the figures are of."
    ),
)
WORDS_OF_STATUS = {**STATUS_WORDS, "sellable": StockStatus.AVAILABLE, "unsellable": StockStatus.DAMAGED}


@dataclass(slots=True)
class _Entry:
    reader: RowReader
    place: Location
    """The place that reports."""
    line: ReportedQuantity
    as_of: datetime | None

    @property
    def key(self) -> tuple[int, int, str, str]:
        at = self.line.location or self.place
        return (self.line.item.pk, at.pk, self.line.lot_code.upper(), str(self.line.status))


def import_external_stock(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Take the reports of a table; see running.ImportKind."""
    report = Report.of("external_stock", table)
    columns = find_columns(table, FIELDS)
    readers = [r for r in read_rows(table, columns, report, numbers=("quantity",)) if not _is_left_out(r, report)]
    items = items_by_sku({r.text("item") for r in readers})
    places = {place.code.upper(): place for place in Location.objects.all()}
    by_id = {place.pk: place for place in places.values()}
    entries = [entry for r in readers if (entry := _entry(r, items, places, by_id, options)) is not None]
    groups: dict[int, list[_Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.place.pk, []).append(entry)
    now = options.as_of or timezone.now()
    for place_id in sorted(groups):
        _take(by_id[place_id], groups[place_id], options, now, actor, report)
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
    reader: RowReader,
    items: Mapping[str, Item],
    places: Mapping[str, Location],
    by_id: Mapping[int, Location],
    options: ImportOptions,
) -> _Entry | None:
    item = items.get(reader.text("item").upper())
    if item is None:
        reader.refuse("item", f"there is no item {reader.text('item')}. Import the items first, or correct the SKU.")
    location = options.location
    if reader.has("location"):
        location = places.get(reader.text("location").upper())
        if location is None:
            reader.refuse("location", f"there is no location {reader.text('location')}. Correct the code.")
    elif location is None:
        reader.refuse("location", "the row names no location. Fill the column, or choose one location for all rows.")
    place = None if location is None else _reporting(location, by_id)
    if location is not None and place is None:
        reader.refuse("location", f"{location.code} is our own place; its figures are our records. Count it instead.")
    status = reader.read("status", lambda text: read_choice(text, WORDS_OF_STATUS, what="status"))
    expires_on = reader.read("expires_on", read_date)
    as_of = reader.read("as_of", read_moment_reported)
    quantity = _quantity(reader, item)
    if item is None or location is None or place is None or quantity is None or not reader.is_clean:
        return None
    line = ReportedQuantity(
        item=item,
        quantity=quantity,
        location=None if location.pk == place.pk else location,
        lot_code=reader.text("lot"),
        status=status or StockStatus.AVAILABLE,
        expires_on=expires_on,
    )
    return _Entry(reader, place, line, as_of)


def _reporting(location: Location, by_id: Mapping[int, Location]) -> Location | None:
    """The outermost place around `location` (or itself) that somebody else runs."""
    around = [by_id[int(part)] for part in location.path.strip("/").split("/") if int(part) in by_id]
    return next((place for place in around if place.kind in REPORTING_KINDS), None)


def _quantity(reader: RowReader, item: Item | None) -> Decimal | None:
    if not reader.has("quantity"):
        reader.refuse("quantity", "the quantity is empty. Type 0 if nothing is there, or delete the row.")
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
        reader.refuse("unit" if error.code == "INVALID_UNIT" and reader.has("unit") else "quantity", error.message)
        return None


def _take(
    place: Location, entries: Sequence[_Entry], options: ImportOptions, now: datetime, actor: Actor, report: Report
) -> None:
    """One place's rows as one report; a refusal is noted at each of its rows."""
    moments = {entry.as_of for entry in entries} - {None}
    try:
        if len(moments) > 1:
            raise CellError(f"The rows of {place.code} are of different moments. Give each moment a file of its own.")
        with transaction.atomic():
            result = report_external_stock(
                key=uuid4(),
                location=place,
                as_of=next(iter(moments)) or now if moments else now,
                lines=[entry.line for entry in entries],
                is_complete=options.is_complete,
                actor=actor,
                reference=report.file_name[:100],
            )
    except (DomainError, CellError) as error:
        words = error.message if isinstance(error, DomainError) else str(error)
        for entry in entries:
            entry.reader.refuse("item", words)
        return
    found = {(d.item.pk, d.location.pk, d.lot_code.upper(), d.status): d for d in result.differences}
    for entry in entries:
        difference = found.pop(entry.key, None)
        outcome = Outcome.UNCHANGED if difference is None else Outcome.CHANGED
        report.add(entry.reader.number, outcome, _label(entry.line, place), changes=_changes(difference))
    for difference in found.values():
        lot = f", {difference.lot_code}" if difference.lot_code else ""
        label = f"{difference.item.sku} at {difference.location.code}{lot}"
        report.add(0, Outcome.CHANGED, label, changes=_changes(difference), note="not in the report")
    if result.unnamed:
        names = ", ".join(result.unnamed[:5])
        more = f" and {len(result.unnamed) - 5} more" if len(result.unnamed) > 5 else ""
        report.summary.append(
            f"{place.code} also holds {names}{more}, which the file does not name: left as they are, and the place does not "
            "count as confirmed."
        )


def _label(line: ReportedQuantity, place: Location) -> str:
    lot = f", {line.lot_code}" if line.lot_code else ""
    return f"{line.item.sku} at {(line.location or place).code}{lot}"


def _changes(difference: Difference | None) -> list[Change]:
    if difference is None:
        return []
    unit = difference.item.stock_unit
    return [Change("On hand", f"{as_text(difference.booked)} {unit}", f"{as_text(difference.reported)} {unit}")]


EXTERNAL_STOCK = ImportKind(
    name="external_stock",
    title="Reported stock",
    help_text="What a logistics partner or a channel says to hold; the difference to the book becomes one adjustment a place.",
    permissions=("inventory.adjust_stock",),
    fields=FIELDS,
    options=("location", "as_of", "is_complete"),
    perform=import_external_stock,
    order=40,
)
