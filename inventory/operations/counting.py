"""Counting: a sheet of cells, each frozen when it is scanned, counted once or twice. Nothing is posted here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

from django.contrib.auth.models import User
from django.utils import timezone

from inventory.counting import is_within_tolerance
from inventory.errors import CountOutdated, InvalidQuantity, SecondPersonRequired, WrongState
from inventory.locks import CellKey, StockRows, lock_for_posting
from inventory.models import (
    CountClass,
    CountLine,
    CountLineState,
    CountSheet,
    CountSheetState,
    Item,
    Location,
    LocationKind,
    StockBalance,
    StockStatus,
    Tracking,
)
from inventory.operations.checking import check_item, check_location, check_quantity, to_stock_unit
from inventory.operations.found_goods import found_value
from inventory.operations.lots import LotSpec, check_lot_code, ensure_lots
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import QUANTITY_MAX, ZERO, as_text
from inventory.reads.count_plan import count_plan, item_groups

LINES_MAX = 500
"""Cells of one sheet; more than a person counts in a day."""
COUNTERS_BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True, slots=True)
class CountResult:
    line: CountLine
    needs_recount: bool  # the figure left the tolerance, so the cell has to be counted once more


@operation
def open_count_sheet(
    *,
    location: Location,
    actor: Actor,
    items: Sequence[Item] = (),
    top: int | None = None,
    is_blind: bool = True,
    assigned_to: User | None = None,
    note: str = "",
) -> CountSheet:
    """Open a sheet for cells at `location` and everything below it.

    The cells are those of `items` (an untracked item that has none there gets an empty one), or the `top` most urgent of
    the count plan, or every cell that holds something. Cells on another unfinished sheet are left out. Raises WrongState
    when none is left or there are more than LINES_MAX, LocationBlocked, PhantomNotStocked, ItemInactive.
    """
    check_location(location)
    for item in items:
        check_item(item)
    if top is not None and top < 1:
        raise InvalidQuantity(f"{top} cells cannot be counted. Give 1 or more.", top=top)
    wanted = _wanted_cells(location, items, top)
    groups = item_groups({key[0] for key in wanted}) if wanted else {}
    _, busy = lock_cells(wanted)
    free = [key for key in wanted if key not in busy]
    if not free:
        numbers = ", ".join(sorted(set(busy.values())))
        raise WrongState(
            f"Everything to count at {location.code} is on {numbers} already. Finish or cancel that first."
            if busy
            else f"Nothing of what was chosen stands at {location.code}. Choose another place, or name the items.",
            location=location.code,
        )
    if len(free) > LINES_MAX:
        raise WrongState(
            f"{len(free)} cells are too many for one sheet; it takes {LINES_MAX}. Choose a smaller place, or the most "
            "urgent ones.",
            cells=len(free),
        )
    sheet = CountSheet.objects.create(
        number=f"new-{uuid4().hex[:20]}",
        location=location,
        is_blind=is_blind,
        assigned_to=assigned_to,
        note=note,
        created_by_id=getattr(actor, "pk", None),
    )
    sheet.number = f"CS-{sheet.pk:06d}"
    sheet.save(update_fields=["number"])
    tolerances = dict(CountClass.objects.values_list("group", "tolerance_percent"))
    CountLine.objects.bulk_create(_line(sheet, key, groups[key[0]], tolerances) for key in free)
    return sheet


def _wanted_cells(location: Location, items: Sequence[Item], top: int | None) -> list[CellKey]:
    if top is not None and not items:
        due = count_plan(within=location.path, rows_max=top, is_free=True)
        return [(cell.item_id, cell.location_id, cell.lot_id, cell.status) for cell in due]
    cells = StockBalance.objects.on_hand().filter(location__path__startswith=location.path)
    cells = cells.exclude(location__kind=LocationKind.IN_TRANSIT)  # counted when it arrives, by its transfer
    if items:
        cells = cells.filter(item__in=items)
    found: list[CellKey] = list(
        cells.order_by("location__path", "item__sku", "lot__code", "status").values_list(
            "item_id", "location_id", "lot_id", "status"
        )[: LINES_MAX * 4]
    )
    here = {key[0] for key in found}
    absent = [item for item in items if item.pk not in here and item.tracking == Tracking.NONE]
    if absent:
        lots = ensure_lots([LotSpec(item, "", timezone.localdate()) for item in absent])
        found += [(item.pk, location.pk, lots[(item.pk, "")], StockStatus.AVAILABLE.value) for item in absent]
    return found


def lock_cells(keys: Sequence[CellKey]) -> tuple[StockRows, dict[CellKey, str]]:
    """Lock cells, and tell which of them are on an unfinished sheet, and on which one.

    The pools are what keeps two sheets from taking the same cell at once.
    """
    rows = lock_for_posting(
        items={key[0] for key in keys},
        locations=sorted({key[1] for key in keys}),
        statuses=sorted({str(key[3]) for key in keys}),
    )
    open_lines = CountLine.objects.unfinished().filter(item_id__in={key[0] for key in keys})
    busy: dict[CellKey, str] = {}
    chosen = set(keys)
    for item_id, location_id, lot_id, status, number in open_lines.values_list(
        "item_id", "location_id", "lot_id", "status", "sheet__number"
    ):
        if (item_id, location_id, lot_id, status) in chosen:
            busy[(item_id, location_id, lot_id, status)] = number
    return rows, busy


def _line(sheet: CountSheet, key: CellKey, group: str, tolerances: dict[str, Decimal]) -> CountLine:
    return CountLine(
        sheet=sheet,
        item_id=key[0],
        location_id=key[1],
        lot_id=key[2],
        status=key[3],
        group=group,
        tolerance_percent=tolerances.get(group, ZERO),
    )


@operation
def cancel_count_sheet(*, sheet: CountSheet, actor: Actor) -> CountSheet:  # noqa: ARG001  kept like its siblings
    """Give a sheet up: what was posted stays, the rest is not counted. Raises WrongState when it is finished."""
    locked = lock_sheet(sheet)
    if locked.state not in (CountSheetState.OPEN, CountSheetState.REVIEW):
        raise _finished(locked)
    locked.state = CountSheetState.CANCELLED
    locked.closed_at = timezone.now()
    locked.save(update_fields=["state", "closed_at"])
    return locked


@operation
def scan_count_line(*, line: CountLine, actor: Actor) -> CountLine:  # noqa: ARG001  kept like its siblings
    """Somebody stands before the cell: from now on movements no longer belong to the count.

    Freezes what the book holds now as `expected`. A line that was counted already is counted once more; its figure is kept
    as the first count. Raises WrongState when its sheet is not being counted.
    """
    locked = _lock_line(line)
    if locked.state == CountLineState.COUNTED:
        to_recount(locked)
    _freeze(locked)
    return locked


@operation
def record_count(
    *, line: CountLine, quantity: Decimal, actor: Actor, unit: str = "", alone: bool = False
) -> CountResult:
    """Write down what is in the cell: `quantity` of `unit` (empty: the stock unit), zero when it cannot be found.

    A line that was not scanned is scanned now. The first figure outside the tolerance asks for a second count, by somebody
    else unless nobody else may count or the person says to be `alone`; the second figure stands. Raises WrongState,
    SecondPersonRequired, InvalidQuantity, InvalidQuantityStep, InvalidUnit or DuplicateSerial.
    """
    locked = _lock_line(line)
    counted = _checked(locked, quantity, unit)
    if not locked.is_open:
        raise WrongState(
            f"{locked.item.sku} at {locked.location.code} is counted already. Scan it again to count it once more.",
            line=locked.pk,
        )
    is_second = locked.state == CountLineState.RECOUNT
    if is_second:
        _check_second_person(locked, actor, alone=alone)
    if locked.scanned_at is None:
        _freeze(locked)
    assert locked.expected is not None, "a scanned line knows what is expected"
    locked.counted = counted
    locked.counted_by_id = getattr(actor, "pk", None)
    locked.state = CountLineState.COUNTED
    is_within = is_within_tolerance(counted=counted, expected=locked.expected, percent=locked.tolerance_percent or ZERO)
    if not is_within and not is_second:
        to_recount(locked)
        locked.save()
        return CountResult(locked, needs_recount=True)
    _value(locked)
    locked.save()
    return CountResult(locked, needs_recount=False)


@operation
def add_found_line(
    *,
    sheet: CountSheet,
    item: Item,
    location: Location,
    actor: Actor,
    lot_code: str = "",
    status: str = StockStatus.AVAILABLE,
) -> CountLine:
    """Something is there that the sheet does not list: add its cell, scanned now.

    A cell that the sheet does list is scanned instead. Raises WrongState when another unfinished sheet has the cell, when
    `location` lies outside the place of the sheet or the sheet is not being counted, and LotRequired.
    """
    check_item(item)
    check_location(location)
    code = check_lot_code(item, lot_code, Decimal(1))
    locked = lock_sheet(sheet)
    if locked.state != CountSheetState.OPEN:
        raise _finished(locked)
    if not location.path.startswith(locked.location.path):
        raise WrongState(
            f"{location.code} is not below {locked.location.code}, where {locked.number} counts. Put it on a sheet of its "
            "own place.",
            location=location.code,
            sheet=locked.number,
        )
    group = item_groups([item.pk])[item.pk]
    spec = LotSpec(item, code, timezone.localdate())
    lock_for_posting(items=[], pools_of=[item.pk])  # lots are made under it
    key: CellKey = (item.pk, location.pk, ensure_lots([spec])[spec.key], str(status))
    _, busy = lock_cells([key])
    known = locked.lines.filter(item=item, location=location, lot_id=key[2], status=status).first()
    if known is not None:
        return scan_count_line(line=known, actor=actor)
    if key in busy:
        raise WrongState(
            f"{item.sku} at {location.code} is being counted on {busy[key]}. Tell whoever counts there.",
            sheet=busy[key],
        )
    tolerances = dict(CountClass.objects.values_list("group", "tolerance_percent"))
    line = _line(locked, key, group, tolerances)
    line.is_unexpected = True
    line.save()
    _freeze(line)
    return line


# --- What the steps share ---------------------------------------------------------------------------------------------


def lock_sheet(sheet: CountSheet) -> CountSheet:
    """The sheet as it is now, held until the transaction ends. Taken before lines and stock."""
    return CountSheet.objects.select_for_update(of=("self",), no_key=True).select_related("location").get(pk=sheet.pk)


def _finished(sheet: CountSheet) -> WrongState:
    hint = "Have it sent back to count on it." if sheet.state == CountSheetState.REVIEW else "Open another sheet."
    return WrongState(
        f"{sheet.number} is not being counted: {sheet.get_state_display().lower()}. {hint}",
        sheet=sheet.number,
        state=sheet.state,
    )


def _lock_line(line: CountLine) -> CountLine:
    """The line as it is now, of a sheet that is being counted. Whoever submits the sheet waits for it, or it for them."""
    locked = (
        CountLine.objects.select_for_update(of=("self",), no_key=True)
        .select_related("item", "location", "lot", "sheet")
        .get(pk=line.pk)
    )
    sheet = CountSheet.objects.get(pk=locked.sheet_id)  # read after the wait
    if sheet.state != CountSheetState.OPEN:
        raise _finished(sheet)
    if locked.state == CountLineState.POSTED:
        raise WrongState(
            f"The count of {locked.item.sku} at {locked.location.code} is posted. Put the cell on a new sheet.",
            line=locked.pk,
        )
    return locked


def cell_of(line: CountLine) -> CellKey:
    return (line.item_id, line.location_id, line.lot_id, line.status)


def _freeze(line: CountLine) -> None:
    """What the book holds at this moment. The lock of the pool parts what moved before from what moves after."""
    key = cell_of(line)
    rows = lock_for_posting(items=[line.item_id], locations=[line.location_id], statuses=[line.status])
    line.expected = rows.cells[key].quantity if key in rows.cells else ZERO
    line.scanned_at = timezone.now()
    line.save()


def to_recount(line: CountLine) -> None:
    """Ask for a second count; the figures so far are kept as the first one. Does not save."""
    if line.first_counted is None:
        line.first_counted, line.first_expected = line.counted, line.expected
        line.first_counted_by_id = line.counted_by_id
    line.counted = line.expected = line.scanned_at = line.counted_by = None
    line.variance_value = None
    line.needs_approval = False
    line.state = CountLineState.RECOUNT


def _checked(line: CountLine, quantity: Decimal, unit: str) -> Decimal:
    """The figure in the stock unit."""
    item = line.item
    if not quantity.is_finite() or quantity < ZERO or quantity > QUANTITY_MAX:
        raise InvalidQuantity(
            f"{quantity} is not what can be counted of {item.sku}. Give zero or more.",
            item=item.sku,
            quantity=str(quantity),
        )
    counted = to_stock_unit(item, quantity, unit)
    if counted == ZERO:
        return ZERO
    check_quantity(item, counted)
    if not line.lot.is_implicit:
        check_lot_code(item, line.lot.code, counted)
    return counted


def _check_second_person(line: CountLine, actor: Actor, *, alone: bool) -> None:
    pk = getattr(actor, "pk", None)
    if pk is None or pk != line.first_counted_by_id or alone:
        return
    others = User.objects.with_perm("inventory.count_stock", backend=COUNTERS_BACKEND).exclude(pk=pk)
    if others.exists():
        raise SecondPersonRequired(
            f"You made the first count of {line.item.sku} at {line.location.code}; somebody else should make the second. "
            "If nobody else is there, say so and count it again yourself.",
            line=line.pk,
        )


def _value(line: CountLine) -> None:
    """What the variance is worth, and whether a second person has to approve it: above the limit of its class, or not
    known."""
    variance = line.variance
    assert variance is not None, "only a counted line has a variance"
    if not variance:
        line.variance_value = ZERO
        line.needs_approval = False
        return
    rows = lock_for_posting(items=[line.item_id], locations=[line.location_id], statuses=[line.status], lock=False)
    limits = dict(CountClass.objects.filter(group=line.group).values_list("group", "approval_value"))
    line.needs_approval = judge(line, variance, rows, limits)


def judge(line: CountLine, change: Decimal, rows: StockRows, limits: Mapping[str, Decimal]) -> bool:
    """Note on the line what a `change` (signed, not zero) of its cell is worth; tell whether a second person has to approve
    it, being above the limit of its class or not known. Does not save."""
    worth = found_value(rows, cell_of(line), abs(change))
    line.variance_value = None if worth is None else worth.copy_sign(change)
    limit = limits.get(line.group)
    return worth is None or limit is None or worth > limit


def outdated(lines: Sequence[CountLine]) -> CountOutdated:
    """The refusal that names cells to count again, without a figure: whoever counts blind reads it too."""
    names = ", ".join(f"{line.item.sku} at {line.location.code}" for line in lines[:5])
    more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
    return CountOutdated(
        f"Too much moved since {names}{more} was counted for the count to be right. Count it again. Nothing was posted.",
        lines=[line.pk for line in lines],
    )


def describe(line: CountLine) -> str:
    """`WAX at BIN-1, lot L7: 12 kg counted`, for messages."""
    lot = "" if line.lot.is_implicit else f", lot {line.lot.code}"
    figure = "" if line.counted is None else f": {as_text(line.counted)} {line.item.stock_unit} counted"
    return f"{line.item.sku} at {line.location.code}{lot}{figure}"
