"""The import of completions: a row each, all of a completion's consequences with it.

The key of a row is made from what its column `key` says, or from the file and the row, so the same file again changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from inventory.errors import DomainError
from inventory.importing.cells import read_date, read_yes
from inventory.importing.errors import TableTooLarge
from inventory.importing.headers import Field, find_columns
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.stock_rows import HAPPENED_ON, KEY, NOTE, REASON, REFERENCE, UNIT
from inventory.importing.tables import Table
from inventory.models import Location, StockBalance
from inventory.operations.posting import Actor
from inventory.quantities import ZERO, as_text
from production.batch_rows import BatchRow, Defaults, RowProblem, request_of_row
from production.errors import UnusualQuantity
from production.forms import own_places
from production.models import Completion
from production.operations.completing import CompletionRequest, complete_production, item_of

ROWS_MAX = 5_000
_KEYS = UUID("2b6c7f5e-9a55-4b0a-9f6e-0f6b1e4c7d21")
_LOCK = 7_204_663_021
"""Advisory lock of this import: two at once must not read the same stock before and after."""

WHAT = Field(
    "what",
    "Item or work order",
    ("item or work order", "work order", "item", "sku", "product", "made item", "order"),
    is_required=True,
    help_text="The number of a work order, or the SKU of what was made.",
)
GOOD = Field(
    "good", "Good", ("good", "quantity", "qty", "made", "produced"), help_text="With a unit if not the stock unit."
)
SCRAPPED = Field("scrapped", "Scrap", ("scrap", "scrapped", "rejected", "scrap quantity"))
SCRAP_REASON = Field("scrap_reason", "Scrap reason", ("scrap reason", "reject reason"))
SCRAP_PLACE = Field(
    "scrap_place",
    "Scrap put in",
    ("scrap put in", "scrap place", "scrap location"),
    help_text="A place, as a note: scrapped units are waste and no stock.",
)
USED = Field(
    "used",
    "Used",
    ("used", "actual", "actuals", "actual quantities", "components used"),
    help_text="Components of which another quantity was used than the standard: WAX = 2.1 kg (spilled); WICK = 11.",
)
INTO = Field("into", "Into", ("into", "to", "output location", "location", "bin"))
SOURCE = Field("source", "From", ("from", "source", "source location", "components from"))
LOT = Field(
    "lot",
    "Lot",
    ("lot", "batch", "lot code", "serial numbers", "serial"),
    help_text="Several: L-1 20; L-2 20. Serial numbers: A-001..A-040, or parted by spaces.",
)
CONFIRMED = Field(
    "confirmed",
    "Confirmed",
    ("confirmed", "checked", "is confirmed"),
    help_text="yes where a quantity far above the usual one is right.",
)
FIELDS = (
    WHAT, GOOD, SCRAPPED, UNIT, SCRAP_REASON, SCRAP_PLACE, INTO, SOURCE, LOT, USED, REASON, REFERENCE, HAPPENED_ON, NOTE,
    CONFIRMED, KEY,
)  # fmt: skip


@dataclass(slots=True)
class _Entry:
    reader: RowReader
    key: UUID
    request: CompletionRequest


def import_completions(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Record every row of a table that is in order; see running.ImportKind."""
    if len(table.rows) > ROWS_MAX:
        raise TableTooLarge(f"{table.name} has {len(table.rows)} rows, this import takes {ROWS_MAX}. Split the file.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    report = Report.of("completions", table)
    columns = find_columns(table, FIELDS)
    readers = [r for r in read_rows(table, columns, report, numbers=()) if not _is_left_out(r, report)]
    places, keys = own_places(), _keys_of(readers)
    known = {
        done.posting.key: done
        for done in Completion.objects.filter(posting__key__in=keys.values()).select_related(
            "posting", "item", "output_location"
        )
    }
    for reader in readers:
        key = keys.get(reader.number)
        if key is None:
            continue
        entry = _read(reader, key, places, Defaults(into=options.location))
        if entry is None:
            continue
        if key in known:
            _compare(entry, known[key], actor, report)
        else:
            _record(entry, actor, report)
    for reader in readers:
        if not reader.is_clean:
            report.add(reader.number, Outcome.REFUSED, reader.text("what"))
    report.results.sort(key=lambda result: result.row)
    return report


def _is_left_out(reader: RowReader, report: Report) -> bool:
    if reader.text("what"):
        return False
    if is_total(reader.row):
        report.add(reader.number, Outcome.SKIPPED, "", note="a total")
        return True
    reader.refuse("what", "neither an item nor a work order is named. Fill the cell, or delete the row.")
    report.add(reader.number, Outcome.REFUSED, "")
    return True


def _keys_of(readers: Sequence[RowReader]) -> dict[int, UUID]:
    """The key of each row by its number; a key that stands in two rows is refused in the second."""
    first: dict[UUID, int] = {}
    keys = {}
    for reader in readers:
        word = reader.text("key")
        key = uuid5(_KEYS, f"key {word}" if word else f"{reader.table.digest} {reader.number}")
        if key in first:
            reader.refuse("key", f"the key {word} stands in row {first[key]} already. Each row needs its own.")
            continue
        first[key] = reader.number
        keys[reader.number] = key
    return keys


def _read(reader: RowReader, key: UUID, places: Mapping[str, Location], defaults: Defaults) -> _Entry | None:
    made_on = reader.read("happened_on", read_date)
    is_confirmed = reader.read("confirmed", read_yes) or False
    others = ("happened_on", "key", "confirmed")
    texts = {field.name: reader.text(field.name) for field in FIELDS if field.name not in others}
    if not reader.is_clean:
        return None
    try:
        row = BatchRow(**texts, made_on=made_on)
        request = request_of_row(row, places=places, defaults=defaults, is_confirmed=is_confirmed)
    except RowProblem as problem:
        reader.refuse(problem.field, problem.message)
        return None
    return _Entry(reader, key, request)


def _record(entry: _Entry, actor: Actor, report: Report) -> None:
    try:
        with transaction.atomic():
            result = complete_production(key=entry.key, request=entry.request, actor=actor)
    except UnusualQuantity as error:
        entry.reader.refuse("good", f"{error.message} Write yes into the column Confirmed of this row.")
        return
    except DomainError as error:
        entry.reader.refuse(_column_of(error), error.message)
        return
    plan = result.plan
    assert plan is not None, "the key is new"
    cells = StockBalance.objects.filter(item=plan.item, location=plan.output_location, status=plan.output_status)
    held = cells.aggregate(sum=Sum("quantity"))["sum"] or ZERO
    unit = plan.item.stock_unit
    changes = [
        Change(
            f"{plan.item.sku} in {plan.output_location.code}",
            f"{as_text(held - plan.good)} {unit}",
            f"{as_text(held)} {unit}",
        )
    ]
    for line in plan.lines:
        if not line.is_consumable and line.actual != ZERO:
            unit = line.component.stock_unit
            before, after = as_text(line.on_hand), as_text(line.on_hand_after)
            changes.append(Change(line.component.sku, f"{before} {unit}", f"{after} {unit}"))
    report.add(entry.reader.number, Outcome.NEW, _label(entry), changes=changes)


def _compare(entry: _Entry, done: Completion, actor: Actor, report: Report) -> None:
    """A row under a known key: unchanged when it says exactly what was recorded, else refused."""
    if any(_says_the_same(entry, request, actor) for request in _ways_to_say(entry.request, done)):
        report.add(entry.reader.number, Outcome.UNCHANGED, _label(entry), note=f"recorded as {done.posting}")
        return
    entry.reader.refuse(
        "key",
        f"this key was used for {as_text(done.good)} good and {as_text(done.scrapped)} scrapped of {done.item.sku} into "
        f"{done.output_location.code} (completion {done.pk}), and the row says something else: an item, quantity, place, lot, "
        "day, reason or used component differs. Give the row a key of its own, or take that completion back.",
    )


def _ways_to_say(request: CompletionRequest, done: Completion) -> list[CompletionRequest]:
    """The row as it is; and without its day, when it was recorded on that very day, for which no time is kept in a request."""
    ways = [request]
    day = None if request.effective_at is None else timezone.localdate(request.effective_at)
    posting = done.posting
    if day == timezone.localdate(posting.effective_at) == timezone.localdate(posting.recorded_at):
        ways.append(replace(request, effective_at=None))
    return ways


def _says_the_same(entry: _Entry, request: CompletionRequest, actor: Actor) -> bool:
    try:
        with transaction.atomic():
            return complete_production(key=entry.key, request=request, actor=actor).replayed
    except DomainError:
        return False


def _label(entry: _Entry) -> str:
    order = entry.request.work_order
    return f"{item_of(entry.request).sku}{f' for {order.number}' if order else ''}"


def _column_of(error: DomainError) -> str:
    columns = {
        "LOT_REQUIRED": "lot",
        "LOT_MISMATCH": "lot",
        "DUPLICATE_SERIAL": "lot",
        "LOCATION_BLOCKED": "into",
        "BACKDATING_NOT_ALLOWED": "happened_on",
        "NEGATIVE_IN_FUTURE": "happened_on",
        "PERIOD_LOCKED": "happened_on",
        "CONSUMPTION_VARIANCE": "used",
        "INVALID_SUBSTITUTE": "used",
        "ORDER_CLOSED": "what",
        "INVALID_BOM": "what",
    }
    return columns.get(error.code, "good")


COMPLETIONS = ImportKind(
    name="completions",
    title="Completions",
    help_text=(
        "What was made, a row each: components leave by the BOM. The same file again changes nothing, and a key is used once."
    ),
    permissions=("production.record_completion",),
    fields=FIELDS,
    options=("location",),
    perform=import_completions,
    order=45,
)
