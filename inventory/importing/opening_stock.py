"""Import of opening stock: what is on the shelves when the ledger begins becomes receipts.

A place (item, location, lot, status) gets its opening stock once. The same row again changes nothing; another figure for the
same place is refused, since it would come on top; after the receipt was reversed it may be given again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from uuid import UUID, uuid5

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from inventory.errors import DomainError
from inventory.importing.cells import read_choice, read_date, read_price, read_quantity, usual_spelling
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table, canonical
from inventory.models import Item, Location, Movement, Posting, StockBalance, StockStatus, Tracking
from inventory.operations.checking import check_item, check_location, check_quantity, to_stock_unit
from inventory.operations.lots import check_lot_code
from inventory.operations.posting import Actor
from inventory.operations.receiving import ReceiptLine, check_value, receive_stock
from inventory.quantities import as_text, round_half_up
from inventory.units import unit_factor

REFERENCE = "Opening stock"
"""The reference of the receipts, by which later imports know what was there at the beginning."""
LINES_PER_POSTING = 500
_KEYS = UUID("6f0a1f0c-6f0e-4a25-9d0d-8f3a36f6f3a1")
_LOCK = 7_204_663_019
"""Advisory lock of opening imports: two at once must not both find a place empty."""

STATUS_WORDS = {
    **{status.value.replace("_", " "): status.value for status in StockStatus},
    **{status.label.casefold(): status.value for status in StockStatus},
    "ok": StockStatus.AVAILABLE,
    "good": StockStatus.AVAILABLE,
    "hold": StockStatus.QC_HOLD,
    "quarantined": StockStatus.QUARANTINE,
}

FIELDS = (
    Field(
        "item",
        "Item",
        ("sku", "item", "item code", "part number", "part no", "part", "component", "product"),
        is_required=True,
    ),
    Field(
        "quantity",
        "Quantity",
        ("quantity", "qty", "on hand", "opening stock", "stock", "count", "in stock"),
        is_required=True,
        help_text="With a unit if it is not the stock unit: 2.5 kg.",
    ),
    Field("unit", "Unit", ("unit", "uom", "unit of measure")),
    Field("location", "Location", ("location", "bin", "location code", "warehouse", "storage", "place")),
    Field("lot", "Lot", ("lot", "batch", "lot code", "batch number", "lot number")),
    Field("serial", "Serial number", ("serial", "serial number", "serial no")),
    Field("expires_on", "Expires", ("expires on", "expiry date", "expiry", "best before", "expires")),
    Field("status", "Status", ("status", "stock status", "condition")),
    Field(
        "unit_cost",
        "Unit cost",
        ("unit cost", "cost", "purchase price", "unit price", "cost price"),
        help_text="Of one unit of the row. Leave it empty when it is not known; zero means it cost nothing.",
    ),
    Field(
        "value", "Value", ("value", "total cost", "stock value", "total value"), help_text="Of the whole row, instead."
    ),
    Field("supplier_lot", "Supplier lot", ("supplier lot", "supplier batch")),
)

Place = tuple[int, int, str, str]
"""(item id, location id, lot code in upper case, status)"""


@dataclass(slots=True)
class _Entry:
    reader: RowReader
    line: ReceiptLine
    status: str
    rounded: bool = False

    @property
    def place(self) -> Place:
        return (self.line.item.pk, self.line.location.pk, self.line.lot_code.upper(), self.status)


@dataclass(frozen=True, slots=True)
class _Opening:
    """What a place got before: of which posting, and how often such a receipt was reversed."""

    quantity: Decimal
    value: Decimal | None
    posting_id: int
    recorded_on: str


def import_opening_stock(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Receive the opening stock of a table; see running.ImportKind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    report = Report.of("opening_stock", table)
    columns = find_columns(table, FIELDS)
    readers = [
        r
        for r in read_rows(table, columns, report, numbers=("quantity", "unit_cost", "value"))
        if not _is_left_out(r, report)
    ]
    items = items_by_sku({r.text("item") for r in readers})
    places = {canonical(place.code).upper(): place for place in Location.objects.all()}
    openings, reversed_before = _openings([item.pk for item in items.values()])
    entries = [entry for r in readers if (entry := _entry(r, items, places, options, openings)) is not None]
    entries = _without_repetitions(entries)
    fresh = _not_yet_there(entries, openings, report)
    on_hand = _on_hand(fresh)
    received = _receive(fresh, reversed_before, actor)
    for entry in received:
        before = on_hand.get(entry.place, Decimal(0))
        unit = entry.line.item.stock_unit
        value = "unknown" if entry.line.value is None else f"{entry.line.value:.2f} {settings.BASE_CURRENCY}"
        changes = [
            Change("On hand", f"{as_text(before)} {unit}", f"{as_text(before + entry.line.quantity)} {unit}"),
            Change("Cost", "", value),
        ]
        note = "value rounded to the currency" if entry.rounded else ""
        report.add(entry.reader.number, Outcome.NEW, _label(entry), changes=changes, note=note)
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


def _label(entry: _Entry) -> str:
    lot = f", {entry.line.lot_code}" if entry.line.lot_code else ""
    return f"{entry.line.item.sku} at {entry.line.location.code}{lot}"


def _entry(
    reader: RowReader,
    items: Mapping[str, Item],
    places: Mapping[str, Location],
    options: ImportOptions,
    openings: Mapping[Place, _Opening],
) -> _Entry | None:
    item = items.get(reader.text("item").upper())
    if item is None:
        reader.refuse("item", f"there is no item {reader.text('item')}. Import the items first, or correct the SKU.")
    location = options.location
    if reader.has("location"):
        location = places.get(reader.text("location").upper())
        if location is None:
            reader.refuse(
                "location", f"there is no location {reader.text('location')}. Make it first, or correct the code."
            )
    elif location is None:
        reader.refuse("location", "the row names no location. Fill the column, or choose one location for all rows.")
    status = reader.read("status", lambda text: read_choice(text, STATUS_WORDS, what="status")) or ""
    expires_on = reader.read("expires_on", read_date)
    quantity, unit = _quantity(reader, item)
    if item is None or location is None or quantity is None or not reader.is_clean:
        return None
    value, rounded = _value(reader, item, quantity, unit)
    arrival = StockStatus.QC_HOLD if item.inspection_required else StockStatus.AVAILABLE
    code = _code(reader, item)
    before = openings.get((item.pk, location.pk, code.upper(), status or str(arrival)))
    if before is None or (before.quantity, before.value) != (
        quantity,
        value,
    ):  # else it need not be receivable any more
        checked = _check(reader, item, location, quantity, value, expires_on)
        if checked is None:
            return None
        code = checked
    line = ReceiptLine(
        item=item,
        location=location,
        quantity=quantity,
        value=value,
        lot_code=code,
        expires_on=expires_on,
        supplier_lot=reader.text("supplier_lot")[:64],
        status=status,
    )
    return _Entry(reader, line, status or str(arrival), rounded)


def _check(
    reader: RowReader,
    item: Item,
    location: Location,
    quantity: Decimal,
    value: Decimal | None,
    expires_on: date | None,
) -> str | None:
    """The checks of a receipt; the lot's code when the row passes them and everything before, else None."""
    code = _code(reader, item)
    try:
        check_item(item)
        check_location(location)
        check_quantity(item, quantity)
        check_value(item, value)
        code = check_lot_code(item, code, quantity)
    except DomainError as error:
        reader.refuse(_column_of(error), error.message)
    if expires_on is not None and item.tracking == Tracking.NONE:
        reader.refuse("expires_on", f"{item.sku} is not tracked by lot, so it cannot expire. Switch tracking on first.")
    return code if reader.is_clean else None


def _code(reader: RowReader, item: Item) -> str:
    return reader.text("serial") if item.tracking == Tracking.SERIAL and reader.has("serial") else reader.text("lot")


def _quantity(reader: RowReader, item: Item | None) -> tuple[Decimal | None, str]:
    """The quantity in the stock unit, and the unit it was typed in."""
    if not reader.has("quantity"):
        reader.refuse("quantity", "the quantity is empty. Type what is on the shelf, or delete the row.")
        return None, ""
    typed = reader.read("quantity", lambda text: read_quantity(text, style=reader.style("quantity")))
    if typed is None or item is None:
        return None, ""
    unit = usual_spelling(typed.unit or reader.text("unit"))
    if typed.doubt:
        reader.refuse("quantity", f"“{reader.text('quantity')}” is {typed.doubt}. Count it and type the exact figure.")
        return None, unit
    try:
        return to_stock_unit(item, typed.number, unit), unit
    except DomainError as error:
        reader.refuse("unit" if error.code == "INVALID_UNIT" and reader.has("unit") else "quantity", error.message)
        return None, unit


def _value(reader: RowReader, item: Item, quantity: Decimal, unit: str) -> tuple[Decimal | None, bool]:
    """What all of the row cost, and whether it had to be rounded to the currency; None when the file does not say."""
    currency = settings.BASE_CURRENCY
    total = reader.read("value", lambda text: read_price(text, currency=currency, style=reader.style("value")))
    if total is not None:
        return total[0], False
    price = reader.read("unit_cost", lambda text: read_price(text, currency=currency, style=reader.style("unit_cost")))
    if price is None:
        return None, False
    per = usual_spelling(price[1]) or unit
    try:
        factor = unit_factor(unit=per, stock_unit=item.stock_unit, packs={}, sku=item.sku) if per else Fraction(1)
    except DomainError:
        try:
            factor = Fraction(to_stock_unit(item, Decimal(1), per))
        except DomainError as error:
            reader.refuse("unit_cost", f"the price is per {per}: {error.message}")
            return None, False
    exact = Fraction(price[0]) * Fraction(quantity) / factor
    value = round_half_up(exact, settings.CURRENCY_STEP)
    return value, Fraction(value) != exact


def _column_of(error: DomainError) -> str:
    columns = {
        "INVALID_QUANTITY": "quantity",
        "INVALID_QUANTITY_STEP": "quantity",
        "LOT_REQUIRED": "lot",
        "DUPLICATE_SERIAL": "serial",
        "LOT_MISMATCH": "expires_on",
        "LOCATION_BLOCKED": "location",
    }
    return columns.get(error.code, "item")


def _without_repetitions(entries: Iterable[_Entry]) -> list[_Entry]:
    """One row per place: a second one is either a copy or a contradiction, and only a person knows which."""
    first: dict[Place, _Entry] = {}
    kept = []
    for entry in entries:
        other = first.setdefault(entry.place, entry)
        if other is entry:
            kept.append(entry)
        else:
            entry.reader.refuse(
                "item",
                f"{_label(entry)} stands in row {other.reader.number} already. Add the two quantities in one row.",
            )
    return kept


def _openings(items: Sequence[int]) -> tuple[dict[Place, _Opening], dict[Place, int]]:
    """What places got as opening stock before, and how many such receipts of a place were reversed."""
    undone = Posting.objects.filter(reverses=OuterRef("posting_id"))
    rows = (
        Movement.objects.filter(item_id__in=items, posting__reference=REFERENCE, posting__kind="receipt")
        .annotate(is_undone=Exists(undone))
        .order_by("id")
        .values_list(
            "item_id",
            "location_id",
            "lot__code",
            "status",
            "quantity",
            "value",
            "posting_id",
            "recorded_at",
            "is_undone",
        )
    )
    openings: dict[Place, _Opening] = {}
    undone_count: dict[Place, int] = {}
    for item_id, location_id, code, status, quantity, value, posting_id, recorded_at, is_undone in rows:
        place = (item_id, location_id, code.upper(), status)
        if is_undone:
            undone_count[place] = undone_count.get(place, 0) + 1
        else:
            day = f"{timezone.localtime(recorded_at):%Y-%m-%d}"
            openings[place] = _Opening(quantity, value, posting_id, day)
    return openings, undone_count


def _not_yet_there(entries: Iterable[_Entry], openings: Mapping[Place, _Opening], report: Report) -> list[_Entry]:
    fresh = []
    for entry in entries:
        before = openings.get(entry.place)
        if before is None:
            fresh.append(entry)
        elif before.quantity == entry.line.quantity and before.value == entry.line.value:
            note = f"received on {before.recorded_on} (posting {before.posting_id})"
            report.add(entry.reader.number, Outcome.UNCHANGED, _label(entry), note=note)
        else:
            unit = entry.line.item.stock_unit
            is_quantity = before.quantity != entry.line.quantity
            was = f"{as_text(before.quantity)} {unit}" if is_quantity else _worth(before.value)
            now = f"{as_text(entry.line.quantity)} {unit}" if is_quantity else _worth(entry.line.value)
            entry.reader.refuse(
                "quantity" if is_quantity else "unit_cost",
                f"{_label(entry)} got its opening stock on {before.recorded_on} with {was}, this row says {now}. It would come "
                f"on top. {'Adjust the stock' if is_quantity else 'Correct the cost'}, or reverse posting "
                f"{before.posting_id} and import again.",
            )
    return fresh


def _worth(value: Decimal | None) -> str:
    return "an unknown cost" if value is None else f"a value of {value:.2f}"


def _on_hand(entries: Sequence[_Entry]) -> dict[Place, Decimal]:
    rows = StockBalance.objects.filter(item_id__in={entry.line.item.pk for entry in entries}, quantity__gt=0)
    return {
        (item_id, location_id, code.upper(), status): quantity
        for item_id, location_id, code, status, quantity in rows.values_list(
            "item_id", "location_id", "lot__code", "status", "quantity"
        )
    }


def _receive(entries: Sequence[_Entry], generation: Mapping[Place, int], actor: Actor) -> list[_Entry]:
    """Post the rows, many to a posting; rows that the ledger refuses are noted and left out. Returns what was received."""
    received: list[_Entry] = []
    for start in range(0, len(entries), LINES_PER_POSTING):
        batch = list(entries[start : start + LINES_PER_POSTING])
        if _post(batch, generation, actor) is not None:
            batch = [entry for entry in batch if _is_accepted(entry, generation, actor)]
            if batch and _post(batch, generation, actor) is not None:
                batch = [entry for entry in batch if _is_posted_alone(entry, generation, actor)]
        received += batch
    return received


def _is_posted_alone(entry: _Entry, generation: Mapping[Place, int], actor: Actor) -> bool:
    """Post a row by itself, on top of the rows before it; what the ledger says against it then is noted."""
    error = _post([entry], generation, actor)
    if error is not None:
        entry.reader.refuse(_column_of(error), f"{error.message} A row above says something else of it.")
    return error is None


def _post(batch: Sequence[_Entry], generation: Mapping[Place, int], actor: Actor) -> DomainError | None:
    """Post rows as one receipt; what the ledger says against them, nothing being written then."""
    try:
        with transaction.atomic():
            receive_stock(
                key=_key(batch, generation), lines=[entry.line for entry in batch], actor=actor, reference=REFERENCE
            )
    except DomainError as error:
        return error
    return None


def _is_accepted(entry: _Entry, generation: Mapping[Place, int], actor: Actor) -> bool:
    """Whether the row alone can be received; what the ledger says against it is noted. Leaves nothing behind."""
    try:
        with transaction.atomic():
            receive_stock(key=_key([entry], generation), lines=[entry.line], actor=actor, reference=REFERENCE)
            transaction.set_rollback(True)
    except DomainError as error:
        entry.reader.refuse(_column_of(error), error.message)
        return False
    return True


def _key(batch: Sequence[_Entry], generation: Mapping[Place, int]) -> UUID:
    """The same for the same rows, so that two imports of one file at once make one receipt."""
    words = [
        "|".join(
            [
                *(str(part) for part in entry.place),
                as_text(entry.line.quantity),
                "?" if entry.line.value is None else as_text(entry.line.value),
                str(entry.line.expires_on),
                entry.line.supplier_lot,
                str(generation.get(entry.place, 0)),
            ]
        )
        for entry in batch
    ]
    return uuid5(_KEYS, "\n".join(words))


OPENING_STOCK = ImportKind(
    name="opening_stock",
    title="Opening stock",
    help_text="Each row is received once. The same file again changes nothing; other figures for the same place are refused.",
    permissions=("inventory.receive_stock",),
    fields=FIELDS,
    options=("location",),
    perform=import_opening_stock,
    order=30,
)
