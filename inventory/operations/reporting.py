"""Figures of places we do not run: what a third party or a channel reports to hold replaces what the book says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from inventory.arrays import numbers
from inventory.bulk import as_one_act
from inventory.errors import BackdatingNotAllowed, InsufficientStock, InvalidQuantity, LotRequired, WrongState
from inventory.locks import Cell, CellKey, StockRows, lock_for_posting
from inventory.models import Item, Location, LocationKind, Posting, PostingKind, StockStatus, Tracking
from inventory.operations.checking import check_item, check_location, check_quantity, refuse_closed_period
from inventory.operations.found_goods import found_value
from inventory.operations.lots import LotSpec, check_lot_code, ensure_lots
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.taking import Wanted, find_cells
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text

REPORTING_KINDS = frozenset({LocationKind.THIRD_PARTY, LocationKind.CHANNEL_OWNED})
LINES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class ReportedQuantity:
    """What a report says of one item, in its stock unit; zero is a figure.

    Without a `lot_code` it is the item's sum over all lots. Without a `location` it is what the whole place holds, but for
    bins that other lines of the item name; a bin lies within the place that reports.
    """

    item: Item
    quantity: Decimal
    location: Location | None = None
    lot_code: str = ""
    status: str = StockStatus.AVAILABLE
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the report and the book differed as of the report's time; stock unit."""

    item: Item
    location: Location
    lot_code: str
    status: str
    booked: Decimal
    reported: Decimal

    @property
    def quantity(self) -> Decimal:
        return self.reported - self.booked


@dataclass(frozen=True, slots=True)
class ReportResult:
    """`posting` is None when the report said what the book says. `unnamed` are items on hand there that it left out."""

    posting: Posting | None
    differences: Sequence[Difference]
    unnamed: Sequence[str]
    as_of: datetime
    confirms: bool
    """Whether the figures of the place count as confirmed as of then: nothing on hand there was left out."""
    replayed: bool


_Line = tuple[int, int, str, str]
"""(item, location, lot code in upper case, status)"""


@operation
def report_external_stock(
    *,
    key: UUID,
    location: Location,
    as_of: datetime,
    lines: Sequence[ReportedQuantity],
    actor: Actor,
    is_complete: bool = False,
    reference: str = "",
    note: str = "",
) -> ReportResult:
    """Bring the book of a place we do not run to what it reports to have held at `as_of`; all lines or none.

    The differences are one adjustment, dated `as_of`: what moved since then stays moved. What the report does not name
    stays as it is, unless it `is_complete`: then nothing of it is there. `Location.stock_as_of` moves on when nothing on
    hand was left out. What is found is worth what a count would give it. Raises WrongState for a place of our own or a report
    older than the last one, InsufficientStock when promised or later used stock stands in the way, PeriodLocked, and as
    receive_stock; nothing is written then.
    """
    _check(location, as_of, lines, is_complete=is_complete)
    wanted = {_key(line, location): line for line in lines}
    with transaction.atomic():  # a report that changes nothing leaves no posting behind
        claim = claim_posting(
            key=key,
            kind=PostingKind.ADJUSTMENT,
            request={
                "place": location.pk,
                "as_of": as_of,
                "complete": is_complete,
                "lines": [[*line, wanted[line].quantity, wanted[line].expires_on] for line in sorted(wanted)],
                "reference": reference,
            },
            actor=actor,
            effective_at=as_of,
            reference=reference,
            reason=f"Reported by {location.code}"[:100],
            note=note,
        )
        if not claim.is_new:
            return ReportResult(claim.posting, (), (), as_of, confirms=False, replayed=True)
        items = {line.item.pk: line.item for line in lines}
        there = _items_there(location)
        if is_complete:
            items |= {item.pk: item for item in Item.objects.filter(pk__in=there - set(items))}
        unnamed = sorted(there - set(items))
        rows = lock_for_posting(items=items, within=location.path, statuses=list(StockStatus))
        newest = Location.objects.select_for_update(of=("self",), no_key=True).get(pk=location.pk).stock_as_of
        if newest is not None and as_of < newest:
            raise _too_old(location, as_of, newest)
        since = _moved_since(items, location, as_of, rows)
        differences = _differences(wanted, location, rows, since, items, is_complete=is_complete)
        draft = Draft(rows)
        _draft_all(draft, differences, wanted, day=timezone.localdate(as_of))
        if draft.lines:
            with as_one_act("report", items=len({one.item.pk for one in differences})):
                post(posting=claim.posting, draft=draft)
        else:
            transaction.set_rollback(True)
    posting = claim.posting if draft.lines else None
    if not unnamed:
        Location.objects.filter(pk=location.pk).update(stock_as_of=as_of)
        location.stock_as_of = as_of
    skus = list(Item.objects.filter(pk__in=unnamed).order_by("sku").values_list("sku", flat=True))
    return ReportResult(posting, differences, skus, as_of, confirms=not unnamed, replayed=False)


def _check(location: Location, as_of: datetime, lines: Sequence[ReportedQuantity], *, is_complete: bool) -> None:
    if location.kind not in REPORTING_KINDS:
        raise WrongState(
            f"{location.code} is our own place; its figures are our records. Count or adjust it instead.",
            location=location.code,
        )
    check_location(location)
    if as_of > timezone.now():
        raise BackdatingNotAllowed(
            f"{timezone.localtime(as_of):%Y-%m-%d %H:%M} lies in the future; a report says what was. Give a time up to now."
        )
    if timezone.localdate(as_of) < timezone.localdate():
        refuse_closed_period(as_of)
    if not lines and not is_complete:
        raise InvalidQuantity("The report has no line, and it is not marked as complete. Nothing follows from it.")
    if len(lines) > LINES_MAX:
        raise InvalidQuantity(f"The report has {len(lines)} lines, one report takes {LINES_MAX}. Split it.")
    seen: set[_Line] = set()
    for line in lines:
        check_item(line.item)
        if line.quantity != ZERO:
            check_quantity(line.item, line.quantity)
        if line.location is not None and not line.location.path.startswith(location.path):
            raise WrongState(
                f"{line.location.code} does not lie in {location.code}. Report it for the place it lies in.",
                location=line.location.code,
            )
        if line.lot_code:
            check_lot_code(line.item, line.lot_code, line.quantity if line.quantity else Decimal(1))
        if line.item.tracking == Tracking.SERIAL and not line.lot_code and line.quantity:
            raise LotRequired(
                f"{line.item.sku} is tracked by serial number; report each one for itself.", item=line.item.sku
            )
        key = _key(line, location)
        whole = (key[0], key[1], "", key[3])
        clash = key in seen or (key[2] and whole in seen) or (not key[2] and any(_same(k, key) for k in seen))
        if clash:
            raise InvalidQuantity(
                f"The report names {line.item.sku} at {(line.location or location).code} twice. Add its lines up.",
                item=line.item.sku,
            )
        seen.add(key)


def _same(one: _Line, other: _Line) -> bool:
    return (one[0], one[1], one[3]) == (other[0], other[1], other[3])


def _key(line: ReportedQuantity, location: Location) -> _Line:
    place = location if line.location is None else line.location
    return (line.item.pk, place.pk, line.lot_code.strip().upper(), str(line.status))


def _too_old(location: Location, as_of: datetime, newest: datetime) -> WrongState:
    return WrongState(
        f"{location.code} reported last as of {timezone.localtime(newest):%Y-%m-%d %H:%M}; this report is of "
        f"{timezone.localtime(as_of):%Y-%m-%d %H:%M}. Send a newer one.",
        location=location.code,
        stock_as_of=newest.isoformat(),
    )


def _items_there(location: Location) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT b.item_id FROM inventory_stockbalance b JOIN inventory_location l ON l.id = b.location_id"
            " WHERE l.path LIKE %s AND b.quantity <> 0",
            [f"{location.path}%"],
        )
        return {row[0] for row in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class _Since:
    """By cell, what moved after the report's time, and the cells of which nothing is left now."""

    moved: Mapping[CellKey, Decimal]
    emptied: Mapping[CellKey, Cell]


def _moved_since(items: Iterable[int], location: Location, as_of: datetime, rows: StockRows) -> _Since:
    """A movement is never recorded before it happened, so the newest rows do."""
    moved: dict[CellKey, Decimal] = {}
    emptied: dict[CellKey, Cell] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.item_id, m.location_id, m.lot_id, m.status, sum(m.quantity), t.code, l.path FROM inventory_movement m"
            " JOIN inventory_location l ON l.id = m.location_id JOIN inventory_lot t ON t.id = m.lot_id"
            " WHERE m.item_id = ANY(%s::bigint[]) AND m.recorded_at > %s AND m.effective_at > %s AND l.path LIKE %s"
            " GROUP BY 1, 2, 3, 4, 6, 7",
            [numbers(items), as_of, as_of, f"{location.path}%"],
        )
        for item_id, location_id, lot_id, status, quantity, code, path in cursor.fetchall():
            key: CellKey = (item_id, location_id, lot_id, status)
            moved[key] = quantity
            if key not in rows.cells:
                day = date.min
                emptied[key] = Cell(0, *key, ZERO, ZERO, day, None, code, path, is_pickable=True, is_own=False)
    return _Since(moved, emptied)


def _differences(
    wanted: Mapping[_Line, ReportedQuantity],
    location: Location,
    rows: StockRows,
    since: _Since,
    items: Mapping[int, Item],
    *,
    is_complete: bool,
) -> list[Difference]:
    """Line by line the figure of the book at the report's time against the report's."""
    found = []
    left = {key: cell for key, cell in rows.cells.items() if cell.path.startswith(location.path)} | dict(since.emptied)
    for key in sorted(
        wanted, key=lambda key: (*_narrowness(wanted[key], location), key)
    ):  # what is named more closely first
        line = wanted[key]
        place = location if line.location is None else line.location
        cells = [c for c in left.values() if _belongs(c, key, place.path)]
        booked = sum((cell.quantity - since.moved.get(cell.key, ZERO) for cell in cells), ZERO)
        for cell in cells:
            left.pop(cell.key)
        if booked != line.quantity:
            found.append(Difference(line.item, place, line.lot_code.strip(), str(line.status), booked, line.quantity))
    if is_complete:
        found += _unreported(left.values(), since, items)
    return found


def _narrowness(line: ReportedQuantity, location: Location) -> tuple[int, bool]:
    place = location if line.location is None else line.location
    return (-len(place.path), line.lot_code == "")


def _belongs(cell: Cell, line: _Line, path: str) -> bool:
    item_id, _, lot_code, status = line
    if cell.item_id != item_id or cell.status != status or not cell.path.startswith(path):
        return False
    return not lot_code or cell.lot_code.upper() == lot_code


def _unreported(cells: Iterable[Cell], since: _Since, items: Mapping[int, Item]) -> list[Difference]:
    """What a complete report does not name was not there."""
    rest = [(cell, cell.quantity - since.moved.get(cell.key, ZERO)) for cell in cells]
    places = Location.objects.in_bulk({cell.location_id for cell, booked in rest if booked})
    return [
        Difference(items[cell.item_id], places[cell.location_id], cell.lot_code, cell.status, booked, ZERO)
        for cell, booked in rest
        if booked
    ]


def _draft_all(
    draft: Draft,
    differences: Sequence[Difference],
    wanted: Mapping[_Line, ReportedQuantity],
    *,
    day: date,
) -> None:
    """What is missing leaves, then what was found comes in. Raises InsufficientStock naming every shortage."""
    short = []
    for difference in (one for one in differences if one.quantity < ZERO):
        taken = _take(draft.rows, difference, day=day)
        if taken is None:
            short.append(difference)
        else:
            draft.issue(difference.item.pk, taken)
    if short:
        raise _short(short)
    more = [one for one in differences if one.quantity > ZERO]
    specs = {id(one): _spec(one, wanted, draft.rows, day) for one in more}
    lots = ensure_lots(list(specs.values())) if specs else {}
    for one in more:
        key = (one.item.pk, one.location.pk, lots[specs[id(one)].key], one.status)
        draft.receive(key, one.quantity, found_value(draft.rows, key, one.quantity, draft=draft))


def _take(
    rows: StockRows, difference: Difference, *, day: date
) -> list[tuple[tuple[int, int, int, str], Decimal]] | None:
    """The cells the missing quantity leaves, in picking order; None when less is free there now."""
    key: _Line = (difference.item.pk, difference.location.pk, difference.lot_code.upper(), difference.status)
    near = rows.where(lambda cell: _belongs(cell, key, difference.location.path))
    wanted = Wanted(
        difference.item, -difference.quantity, difference.location, status=difference.status, allow_expired=True
    )
    picks, missing = find_cells(near, wanted, on=day)
    if missing > ZERO:
        return None
    return [((difference.item.pk, p.location_id, p.lot_id, difference.status), p.quantity) for p in picks]


def _spec(one: Difference, wanted: Mapping[_Line, ReportedQuantity], rows: StockRows, day: date) -> LotSpec:
    """The lot that what was found belongs to: the one named, else the newest there, else the unknown lot."""
    line = wanted.get((one.item.pk, one.location.pk, one.lot_code.upper(), one.status))
    code = one.lot_code
    if not code and one.item.tracking == Tracking.LOT:
        there = [
            cell for cell in rows.of_item(one.item.pk, status=one.status) if cell.quantity > ZERO and cell.lot_code
        ]
        code = max(there, key=lambda cell: (cell.received_on, cell.lot_id)).lot_code if there else ""
    return LotSpec(one.item, code, day, line.expires_on if line is not None and one.lot_code else None)


def _short(short: Sequence[Difference]) -> InsufficientStock:
    words = "; ".join(
        f"{one.item.sku}{f', lot {one.lot_code}' if one.lot_code else ''}: {as_text(-one.quantity)} {one.item.stock_unit} less"
        for one in short[:10]
    )
    return InsufficientStock(
        f"The report says less than is promised or was used since: {words}. Nothing was changed. Release the promises, or "
        "record what came in there first.",
        short=[
            {
                "item": one.item.sku,
                "location": one.location.code,
                "lot": one.lot_code,
                "booked": as_text(one.booked),
                "reported": as_text(one.reported),
            }
            for one in short
        ],
    )
