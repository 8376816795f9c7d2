"""What the tables of stock movements have in common: each row is one posting, under a key that is the same at every import.

The key is made from the file, the row and the place chosen for all rows, or from what a column `key` says; so the same file
again changes nothing, and a row under a key that recorded something else is refused: by the request itself, or, where that
would be refused today before it is looked at, by what was moved.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.utils import timezone

from inventory.errors import DomainError, IdempotencyMismatch
from inventory.importing.cells import read_date, read_quantity, usual_spelling
from inventory.importing.errors import TableTooLarge
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportOptions
from inventory.importing.tables import Table
from inventory.models import Item, Location, Lot, Movement, Posting, StockBalance
from inventory.operations.checking import to_stock_unit
from inventory.operations.posting import Actor
from inventory.quantities import ZERO, as_text

ROWS_MAX = 5_000
"""Rows of one file: each becomes a posting of its own."""
_KEYS = UUID("7b8f0a35-0e0e-4f5a-8a08-3c3f3f5d2c11")
_LOCK = 7_204_663_020
"""Advisory lock of these imports: two at once must not read the same stock before and after."""

ITEM = Field(
    "item",
    "Item",
    ("sku", "item", "item code", "part number", "part no", "part", "component", "product"),
    is_required=True,
)
QUANTITY = Field(
    "quantity",
    "Quantity",
    ("quantity", "qty", "amount", "count"),
    is_required=True,
    help_text="With a unit if it is not the stock unit: 2.5 kg.",
)
UNIT = Field("unit", "Unit", ("unit", "uom", "unit of measure"))
LOCATION = Field("location", "Location", ("location", "bin", "location code", "warehouse", "storage", "place"))
LOT = Field("lot", "Lot", ("lot", "batch", "lot code", "batch number", "lot number", "serial", "serial number"))
STATUS = Field("status", "Status", ("status", "stock status", "condition"))
REFERENCE = Field("reference", "Reference", ("reference", "document", "document number", "order", "delivery note"))
REASON = Field("reason", "Reason", ("reason", "cause"))
NOTE = Field("note", "Note", ("note", "comment", "remark"))
HAPPENED_ON = Field(
    "happened_on",
    "Date",
    ("date", "happened on", "day", "posting date"),
    help_text="An earlier day needs the privilege. Leave it empty for now.",
)
KEY = Field(
    "key",
    "Key",
    ("key", "external id", "transaction id", "line id"),
    help_text="Unique for each row, such as the number of a line in your old system. Without it the file and row count.",
)

Cell = tuple[str, str, str, str]
"""SKU, location code, lot code, status."""


@dataclass(slots=True)
class StockRow:
    """One row as it was read: everything a movement needs. `quantity` is in the stock unit."""

    reader: RowReader
    key: UUID
    item: Item
    location: Location | None
    quantity: Decimal
    unit: str
    lot_code: str
    effective_at: datetime | None
    is_signed: bool
    """Whether the sign of the quantity says that stock comes in or leaves."""

    def text(self, name: str, length_max: int = 100) -> str:
        return self.reader.text(name)[:length_max]


@dataclass(frozen=True, slots=True)
class _Moved:
    """One movement of a posting that was recorded before; `path` is that of its place."""

    item_id: int
    quantity: Decimal
    place: str
    path: str
    lot: str


@dataclass(slots=True)
class Places:
    """Every location by its code in upper case."""

    by_code: Mapping[str, Location] = field(
        default_factory=lambda: {place.code.upper(): place for place in Location.objects.all()}
    )

    def read(self, reader: RowReader, name: str, given: Location | None = None) -> Location | None:
        """The location a cell names, else the given one. Notes a problem for an unknown one and for none at all."""
        text = reader.text(name)
        if not text:
            if given is None:
                reader.refuse(name, "the row names no location. Fill the column, or choose one location for all rows.")
            return given
        found = self.by_code.get(text.upper())
        if found is None:
            reader.refuse(name, f"there is no location {text}. Make it first, or correct the code.")
        return found


Record = Callable[[StockRow, Places, Actor], Posting | None]
"""Records one row as a posting; None after noting why it cannot."""


def import_rows(
    table: Table,
    options: ImportOptions,
    actor: Actor,
    *,
    kind: str,
    fields: Sequence[Field],
    record: Record,
    place_field: str = "location",
    is_signed: bool = False,
) -> Report:
    """Record every row of a table that is in order; see running.ImportKind. `place_field` may be chosen for all rows."""
    if len(table.rows) > ROWS_MAX:
        raise TableTooLarge(f"{table.name} has {len(table.rows)} rows, this import takes {ROWS_MAX}. Split the file.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    report = Report.of(kind, table)
    columns = find_columns(table, fields)
    readers = [r for r in read_rows(table, columns, report, numbers=("quantity",)) if not _is_left_out(r, report)]
    items, places = items_by_sku({reader.text("item") for reader in readers}), Places()
    rows = [
        row
        for reader in readers
        if (row := _read(reader, items, places, options, kind, place_field, is_signed=is_signed)) is not None
    ]
    rows = _without_repeated_keys(rows)
    known = {posting.key: posting for posting in Posting.objects.filter(key__in=[row.key for row in rows])}
    held = _on_hand([row.item.pk for row in rows])
    moved = _moved([posting.pk for posting in known.values()])
    for row in rows:
        posting = known.get(row.key)
        if posting is not None:
            _compare(row, posting, moved.get(posting.pk, []), places, actor, record, report)
        else:
            _record(row, places, actor, record, held, report)
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


def _read(
    reader: RowReader,
    items: Mapping[str, Item],
    places: Places,
    options: ImportOptions,
    kind: str,
    place_field: str,
    *,
    is_signed: bool,
) -> StockRow | None:
    item = items.get(reader.text("item").upper())
    if item is None:
        reader.refuse("item", f"there is no item {reader.text('item')}. Import the items first, or correct the SKU.")
    location = places.read(reader, place_field, options.location)
    quantity, unit = _quantity(reader, item, is_signed=is_signed)
    happened_on = reader.read("happened_on", read_date)
    if item is None or quantity is None or not reader.is_clean:
        return None
    word = reader.text("key")
    name = f"{kind} key {word}" if word else f"{kind} {reader.table.digest} {reader.number}"
    if not word and location is not None and not reader.text(place_field):  # the same list may be for another place too
        name += f" at {location.pk}"
    return StockRow(
        reader,
        uuid5(_KEYS, name),
        item,
        location,
        quantity,
        unit,
        reader.text("lot"),
        _moment(happened_on),
        is_signed,
    )


def _quantity(reader: RowReader, item: Item | None, *, is_signed: bool) -> tuple[Decimal | None, str]:
    """The quantity in the stock unit, and the unit it was typed in."""
    text = reader.text("quantity")
    if not text:
        reader.refuse("quantity", "the quantity is empty. Type how much was moved, or delete the row.")
        return None, ""
    sign = -1 if is_signed and text.lstrip().startswith(("-", "\u2212")) else 1
    bare = text.lstrip().lstrip("-\u2212+").strip() if is_signed else text
    typed = reader.read("quantity", lambda _: read_quantity(bare, style=reader.style("quantity")))
    if typed is None or item is None:
        return None, ""
    if typed.doubt:
        reader.refuse("quantity", f"“{text}” is {typed.doubt}. Type the exact figure.")
        return None, ""
    unit = usual_spelling(typed.unit or reader.text("unit"))
    try:
        return sign * to_stock_unit(item, typed.number, unit), unit
    except DomainError as error:
        reader.refuse("unit" if error.code == "INVALID_UNIT" and reader.has("unit") else "quantity", error.message)
        return None, unit


def _moment(day: date | None) -> datetime | None:
    """Noon of an earlier day; None, which is now, for today."""
    if day is None or day == timezone.localdate():
        return None
    return timezone.make_aware(datetime.combine(day, time(12)))


def _without_repeated_keys(rows: Sequence[StockRow]) -> list[StockRow]:
    first: dict[UUID, StockRow] = {}
    kept = []
    for row in rows:
        other = first.setdefault(row.key, row)
        if other is row:
            kept.append(row)
        else:
            row.reader.refuse(
                "key", f"the key {row.text('key')} stands in row {other.reader.number} already. Each row needs its own."
            )
    return kept


def _record(
    row: StockRow, places: Places, actor: Actor, record: Record, held: dict[Cell, Decimal], report: Report
) -> None:
    try:
        with transaction.atomic():
            posting = record(row, places, actor)
    except DomainError as error:
        row.reader.refuse(_column_of(error, row.reader), error.message)
        return
    if posting is None or not row.reader.is_clean:
        return
    report.add(row.reader.number, Outcome.NEW, _label(row), changes=_changes(row, posting, held))


def _changes(row: StockRow, posting: Posting, held: dict[Cell, Decimal]) -> list[Change]:
    """What each cell held before and holds after, and what left or came in value."""
    changes: dict[Cell, Decimal] = {}
    for movement in Movement.objects.filter(posting=posting).select_related("location", "lot").order_by("quantity"):
        if movement.quantity:
            cell = (row.item.sku, movement.location.code, movement.lot.code, movement.status)
            changes[cell] = changes.get(cell, ZERO) + movement.quantity
    found = []
    for cell, quantity in changes.items():
        before = held.get(cell, ZERO)
        held[cell] = before + quantity
        _, place, lot, status = cell
        where = f"{place}{f', lot {lot}' if lot else ''}{'' if status == 'available' else f', {status}'}"
        unit = row.item.stock_unit
        found.append(Change(where, f"{as_text(before)} {unit}", f"{as_text(before + quantity)} {unit}"))
    return found


def _compare(
    row: StockRow,
    posting: Posting,
    moved: Sequence[_Moved],
    places: Places,
    actor: Actor,
    record: Record,
    report: Report,
) -> None:
    """A row under a known key: unchanged when it says what was recorded, else refused."""
    says_the_same = _is_the_request(row, posting, places, actor, record)
    if not row.reader.is_clean:
        return
    if says_the_same is None:
        says_the_same = _is_what_moved(row, posting, moved)
    day = f"{timezone.localtime(posting.recorded_at):%Y-%m-%d}"
    undone = Posting.objects.filter(reverses=posting).first()
    if says_the_same:
        note = f"recorded on {day} ({posting})"
        if undone is not None:
            note += (
                f", undone on {timezone.localtime(undone.recorded_at):%Y-%m-%d}; to record it again, "
                "give the row a key of its own"
            )
        report.add(row.reader.number, Outcome.UNCHANGED, _label(row), note=note)
        return
    quantity = _moved_quantity(row, moved)
    row.reader.refuse(
        "key",
        f"this key was used on {day} for {as_text(quantity)} {row.item.stock_unit} {_where(moved)} (posting {posting.pk}), "
        f"this row says {as_text(row.quantity)} or something else of it. Give the row a key of its own"
        + (f"; {posting} was undone since." if undone is not None else ", or reverse that posting."),
    )


def _is_the_request(row: StockRow, posting: Posting, places: Places, actor: Actor, record: Record) -> bool | None:
    """Whether the very request of the row was recorded; None when it would be refused today before that is known.

    A day that was the present one when it was recorded was recorded as now.
    """
    moments = [row.effective_at]
    if row.effective_at is not None and timezone.localdate(row.effective_at) == timezone.localdate(posting.recorded_at):
        moments.append(None)
    for moment in moments:
        try:
            with transaction.atomic():
                return record(replace(row, effective_at=moment), places, actor) is not None
        except IdempotencyMismatch:
            continue
        except DomainError:
            return None
    return False


def _is_what_moved(row: StockRow, posting: Posting, moved: Sequence[_Moved]) -> bool:
    """Whether a row that cannot be recorded any more (a closed period, an item that ended) says what a posting moved."""
    given = timezone.localdate(row.effective_at or posting.recorded_at)
    return (
        row.quantity == _moved_quantity(row, moved)
        and (posting.reference == row.text("reference") or not (row.text("reference") or posting.related_id is None))
        and posting.reason == row.text("reason")
        and given == timezone.localdate(posting.effective_at)
        and (row.location is None or any(one.path.startswith(row.location.path) for one in moved))
        and (not row.lot_code or any(one.lot.upper() == row.lot_code.upper() for one in moved))
    )


def _moved_quantity(row: StockRow, moved: Sequence[_Moved]) -> Decimal:
    """How much of the row's item a posting moved, with the sign a row of that kind has: what leaves is written without one."""
    mine = [one.quantity for one in moved if one.item_id == row.item.pk]
    came_in = sum((one for one in mine if one > ZERO), ZERO)
    return came_in or (sum(mine, ZERO) if row.is_signed else -sum(mine, ZERO))


def _where(moved: Sequence[_Moved]) -> str:
    return "at " + " and ".join(dict.fromkeys(one.place for one in moved))


def _moved(posting_ids: Sequence[int]) -> dict[int, list[_Moved]]:
    """By posting, what it moved."""
    found: dict[int, list[_Moved]] = {}
    rows = Movement.objects.filter(posting_id__in=posting_ids).select_related("location", "lot").order_by("id")
    for one in rows:
        moved = _Moved(one.item_id, one.quantity, one.location.code, one.location.path, one.lot.code)
        found.setdefault(one.posting_id, []).append(moved)
    return found


def _on_hand(items: Sequence[int]) -> dict[Cell, Decimal]:
    rows = StockBalance.objects.filter(item_id__in=set(items)).values_list(
        "item__sku", "location__code", "lot__code", "status", "quantity"
    )
    return {(sku, place, lot, status): quantity for sku, place, lot, status, quantity in rows}


def _label(row: StockRow) -> str:
    place = f" at {row.location.code}" if row.location else ""
    return f"{row.item.sku}{place}{f', {row.lot_code}' if row.lot_code else ''}"


def _column_of(error: DomainError, reader: RowReader) -> str:
    columns = {
        "INVALID_QUANTITY": "quantity",
        "INVALID_QUANTITY_STEP": "quantity",
        "INSUFFICIENT_STOCK": "quantity",
        "RESERVED_BY_OTHER": "quantity",
        "LOT_REQUIRED": "lot",
        "LOT_MISMATCH": "lot",
        "LOT_EXPIRED": "lot",
        "OVER_RETURN": "quantity",
        "DUPLICATE_SERIAL": "lot",
        "LOCATION_BLOCKED": "location",
        "BACKDATING_NOT_ALLOWED": "happened_on",
        "NEGATIVE_IN_FUTURE": "happened_on",
        "PERIOD_LOCKED": "happened_on",
    }
    wanted = columns.get(error.code, "item")
    if error.code == "WRONG_STATE":  # of what the row comes from, or goes to
        wanted = next((name for name in ("shipment", "receipt", "to_status") if reader.has(name)), wanted)
    if "reason" in error.message and not reader.has("reason"):
        wanted = "reason"
    return wanted


def named_lots(row: StockRow) -> tuple[tuple[Lot, Decimal], ...]:
    """The lot a row names, with its whole quantity, as operations take it; notes a problem for an unknown one."""
    if not row.lot_code:
        return ()
    lot = Lot.objects.filter(item=row.item, code__iexact=row.lot_code).first()
    if lot is None:
        row.reader.refuse("lot", f"{row.item.sku} has no lot {row.lot_code}. Correct it, or leave it empty.")
        return ()
    return ((lot, abs(row.quantity)),)
