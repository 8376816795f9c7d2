"""Which cells are due to be counted, and why; and the ABC class of items.

The order of items and the cells that moved much are worked out every night (inventory.operations.ranking_counts). Here the
database finds the most urgent cells by them; the others are not read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.utils import timezone

from inventory.counting import DAYS_PER_YEAR, SUSPICIOUS_FROM, TURNOVERS_MANY, has_moved_much, next_count_on, suspicion
from inventory.models import CountGroup, CountRank, Item, LocationKind
from inventory.models.counts import UNFINISHED
from inventory.quantities import ZERO, as_text

ROWS_MAX = 500
NEGATIVE, SUSPICIOUS, NEVER, OVERDUE, MOVED = "negative", "suspicious", "never", "overdue", "moved"
REASONS = (NEGATIVE, SUSPICIOUS, NEVER, OVERDUE, MOVED)
"""Why a cell is due, the most urgent first."""
UNRANKED = 2**31
"""Items that came after the last ranking stand behind all others."""


@dataclass(frozen=True, slots=True)
class DueCell:
    """A cell that is due to be counted. Quantities are in the item's stock unit; `reasons` in order of urgency."""

    item_id: int
    location_id: int
    lot_id: int
    status: str
    sku: str
    name: str
    unit: str
    location_code: str
    location_path: str
    lot_code: str
    group: str
    position: int  # of its item in the order of counting
    on_hand: Decimal
    last_counted_at: datetime | None
    due_on: date | None  # by its class; None when it never was counted
    off_by: Decimal | None  # how many tolerances the last count was off, when that is suspicious
    moved: Decimal  # since the last count, in and out added up, when that is much; as of the last ranking
    reasons: tuple[str, ...]
    sheet: str  # number of the sheet that has it already; empty otherwise

    @property
    def off_by_text(self) -> str:
        """`3.5 times its tolerance`."""
        return "" if self.off_by is None else f"{as_text(self.off_by)} times its tolerance"

    @property
    def urgency(self) -> tuple[int, int, str, int, int]:
        return (REASONS.index(self.reasons[0]), self.position, self.location_path, self.item_id, self.lot_id)


def item_groups(items: Iterable[int]) -> dict[int, str]:
    """The class of `items` (ids): the one set by hand, else by the value used in a year; C for one that has no rank yet."""
    rows = Item.objects.filter(pk__in=list(items)).values_list("pk", "count_group", "count_rank__group")
    return {item_id: by_hand or by_use or CountGroup.C.value for item_id, by_hand, by_use in rows}


def ranked_at() -> datetime | None:
    """When items were put in order last; None when they never were."""
    return CountRank.objects.order_by("position").values_list("ranked_at", flat=True).first()


_CELL = """
       b.item_id, b.location_id, b.lot_id, b.status, b.quantity, i.sku, i.name, i.stock_unit, l.code, l.path,
       t.code AS lot_code, coalesce(nullif(i.count_group, ''), k.group, 'C') AS of_group,
       (SELECT coalesce(min(s.number), '') FROM inventory_countline c JOIN inventory_countsheet s ON s.id = c.sheet_id
        WHERE (c.item_id, c.location_id, c.lot_id, c.status) = (b.item_id, b.location_id, b.lot_id, b.status)
          AND c.state <> 'posted' AND s.state = ANY(%(unfinished)s::text[])) AS sheet
"""
_OF_CELL = """
JOIN inventory_item i ON i.id = b.item_id
JOIN inventory_location l ON l.id = b.location_id
JOIN inventory_lot t ON t.id = b.lot_id
"""
_PLANNED = """
    b.quantity <> 0 AND l.kind = %(own)s AND l.is_active AND left(l.path, %(within_length)s::int) = %(within)s
    AND (NOT %(free)s::boolean OR NOT EXISTS (
      SELECT FROM inventory_countline c JOIN inventory_countsheet s ON s.id = c.sheet_id
      WHERE (c.item_id, c.location_id, c.lot_id, c.status) = (b.item_id, b.location_id, b.lot_id, b.status)
        AND c.state <> 'posted' AND s.state = ANY(%(unfinished)s::text[])))
"""
_NEVER_COUNTED = """
    NOT EXISTS (SELECT FROM inventory_countline c WHERE c.state = 'posted'
      AND (c.item_id, c.location_id, c.lot_id, c.status) = (b.item_id, b.location_id, b.lot_id, b.status))
"""
_NOT_COUNTED = "NULL::timestamptz, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, 0::numeric"

_LAST = (
    """
WITH last AS (
  SELECT DISTINCT ON (c.item_id, c.location_id, c.lot_id, c.status)
         c.item_id, c.location_id, c.lot_id, c.status, c.scanned_at, c.counted, c.expected,
         coalesce(c.tolerance_percent, 0) AS tolerance
  FROM inventory_countline c WHERE c.state = 'posted'
  ORDER BY c.item_id, c.location_id, c.lot_id, c.status, c.scanned_at DESC
), due AS (
  SELECT b.item_id, b.location_id, b.lot_id, b.status, b.quantity, last.scanned_at, last.counted, last.expected,
         last.tolerance, r.counts_per_year, k.position, l.path, coalesce(y.moved, 0) AS moved,
         CASE WHEN b.quantity < 0 THEN 0
              WHEN abs(last.counted - last.expected) * 100 > abs(last.expected) * last.tolerance THEN 1
              WHEN (last.scanned_at AT TIME ZONE %(zone)s)::date + least(div(%(days)s * 100, r.counts_per_year * 100), 36500)::int
                   <= %(today)s::date THEN 3
              WHEN y.moved >= %(many)s * greatest(abs(b.quantity), abs(last.counted)) THEN 4 END AS reason
  FROM last JOIN inventory_stockbalance b USING (item_id, location_id, lot_id, status)
  JOIN inventory_location l ON l.id = b.location_id
  JOIN inventory_item i ON i.id = b.item_id
  LEFT JOIN inventory_countrank k ON k.item_id = b.item_id
  LEFT JOIN inventory_countclass r ON r.group = coalesce(nullif(i.count_group, ''), k.group, 'C')
  LEFT JOIN inventory_busycell y ON (y.item_id, y.location_id, y.lot_id, y.status)
    = (b.item_id, b.location_id, b.lot_id, b.status) AND y.ranked_at > last.scanned_at
  WHERE """
    + _PLANNED
    + ")"
)
_COUNTED = (
    _LAST
    + " SELECT"
    + _CELL
    + """, b.position, b.scanned_at, b.counted, b.expected, b.tolerance, b.counts_per_year, b.moved
FROM due b"""
    + _OF_CELL
    + """LEFT JOIN inventory_countrank k ON k.item_id = b.item_id
WHERE b.reason IS NOT NULL
ORDER BY b.reason, b.position NULLS LAST, b.path, b.item_id, b.lot_id LIMIT %(rows)s"""
)
_BELOW_ZERO = (
    "SELECT"
    + _CELL
    + f", k.position, {_NOT_COUNTED} FROM inventory_stockbalance b"
    + _OF_CELL
    + "LEFT JOIN inventory_countrank k ON k.item_id = b.item_id WHERE b.negative_allowed AND b.quantity < 0 AND"
    + _NEVER_COUNTED
    + "AND"
    + _PLANNED
    + "ORDER BY k.position NULLS LAST, l.path, b.item_id, b.lot_id LIMIT %(rows)s"
)
_RANKED = (
    "SELECT"
    + _CELL
    + f", k.position, {_NOT_COUNTED} FROM inventory_countrank k JOIN inventory_stockbalance b ON b.item_id = k.item_id"
    + _OF_CELL
    + "WHERE b.quantity > 0 AND"
    + _NEVER_COUNTED
    + "AND"
    + _PLANNED
    + "ORDER BY k.position, l.path, b.item_id, b.lot_id LIMIT %(rows)s"
)
_UNRANKED = (
    "SELECT"
    + _CELL.replace("k.group", "NULL")
    + f", NULL::int, {_NOT_COUNTED} FROM inventory_stockbalance b"
    + _OF_CELL
    + "WHERE NOT EXISTS (SELECT FROM inventory_countrank k WHERE k.item_id = i.id) AND b.quantity > 0 AND"
    + _NEVER_COUNTED
    + "AND"
    + _PLANNED
    + "ORDER BY l.path, b.item_id, b.lot_id LIMIT %(rows)s"
)


class _Row(NamedTuple):
    """A cell as the statements above answer it."""

    item_id: int
    location_id: int
    lot_id: int
    status: str
    on_hand: Decimal
    sku: str
    name: str
    unit: str
    location_code: str
    location_path: str
    lot_code: str
    group: str
    sheet: str
    position: int | None
    scanned_at: datetime | None
    counted: Decimal | None
    expected: Decimal | None
    tolerance: Decimal | None
    counts_per_year: Decimal | None
    moved: Decimal


def count_plan(*, within: str = "/", rows_max: int = ROWS_MAX, is_free: bool = False) -> list[DueCell]:
    """The most urgent cells of our own places below the location path `within` that are due; with `is_free` those alone
    that no unfinished sheet has.

    A cell is due when it never was counted, when the time of its class is over, when its last count left the tolerance,
    when it is below zero, or when much moved since. Within a reason the items stand by class and use. Four statements, and
    at most `rows_max` cells of each kind are read, whatever the number of cells.
    """
    asked: dict[str, object] = {**_asked(within), "free": is_free, "rows": rows_max}
    found: list[DueCell] = []
    today = timezone.localdate()
    with connection.cursor() as cursor:
        for statement in (_BELOW_ZERO, _COUNTED, _RANKED, _UNRANKED):
            cursor.execute(statement, asked)
            found += [_cell(_Row(*row), today) for row in cursor.fetchall()]
    found.sort(key=lambda cell: cell.urgency)
    return found[:rows_max]


@dataclass(frozen=True, slots=True)
class DueTotals:
    """How many cells are due, by the most urgent reason of each, and how many of them no unfinished sheet has."""

    by_reason: dict[str, int]
    on_sheets: int

    @property
    def cells(self) -> int:
        return sum(self.by_reason.values())

    @property
    def free(self) -> int:
        return self.cells - self.on_sheets


_TOTALS = (
    _LAST
    + """
, cells AS (
  SELECT item_id, location_id, lot_id, status, reason FROM due WHERE reason IS NOT NULL
  UNION ALL
  SELECT b.item_id, b.location_id, b.lot_id, b.status, CASE WHEN b.quantity < 0 THEN 0 ELSE 2 END
  FROM inventory_stockbalance b JOIN inventory_location l ON l.id = b.location_id
  WHERE """
    + _NEVER_COUNTED
    + " AND "
    + _PLANNED
    + """
), busy AS (
  SELECT DISTINCT c.item_id, c.location_id, c.lot_id, c.status
  FROM inventory_countline c JOIN inventory_countsheet s ON s.id = c.sheet_id
  WHERE c.state <> 'posted' AND s.state = ANY(%(unfinished)s::text[])
)
SELECT cells.reason, count(*), count(busy.item_id)
FROM cells LEFT JOIN busy USING (item_id, location_id, lot_id, status) GROUP BY 1
"""
)


def due_totals(*, within: str = "/") -> DueTotals:
    """What all of the plan comes to; reads every cell, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, {**_asked(within), "free": False})
        rows = cursor.fetchall()
    counts = {REASONS[reason]: cells for reason, cells, _ in rows}
    return DueTotals({reason: counts[reason] for reason in REASONS if reason in counts}, sum(row[2] for row in rows))


def _asked(within: str) -> dict[str, object]:
    return {
        "own": LocationKind.OWN,
        "within": within,
        "within_length": len(within),
        "unfinished": [str(state) for state in UNFINISHED],
        "zone": settings.TIME_ZONE,
        "days": DAYS_PER_YEAR,
        "today": timezone.localdate(),
        "many": TURNOVERS_MANY,
    }


def _cell(row: _Row, today: date) -> DueCell:
    """A row with the reasons why it is due."""
    due_on = None
    off_by = None
    reasons = []
    if row.on_hand < ZERO:
        reasons.append(NEGATIVE)
    if row.scanned_at is None:
        reasons.append(NEVER)
    else:
        assert row.counted is not None, "a posted count has a figure"
        assert row.expected is not None, "a posted count knew what was expected"
        score = suspicion(counted=row.counted, expected=row.expected, percent=row.tolerance or ZERO)
        if score > SUSPICIOUS_FROM:
            reasons.append(SUSPICIOUS)
            off_by = Decimal(round(score * 10)) / 10
        if row.counts_per_year is not None:
            last_on = timezone.localdate(row.scanned_at)
            due_on = next_count_on(last_counted_on=last_on, counts_per_year=row.counts_per_year)
            if due_on is not None and due_on <= today:
                reasons.append(OVERDUE)
        if has_moved_much(moved=row.moved, on_hand=row.on_hand, last_counted=row.counted):
            reasons.append(MOVED)
    return DueCell(
        item_id=row.item_id,
        location_id=row.location_id,
        lot_id=row.lot_id,
        status=row.status,
        sku=row.sku,
        name=row.name,
        unit=row.unit,
        location_code=row.location_code,
        location_path=row.location_path,
        lot_code=row.lot_code,
        group=row.group,
        position=UNRANKED if row.position is None else row.position,
        on_hand=row.on_hand,
        last_counted_at=row.scanned_at,
        due_on=due_on,
        off_by=off_by,
        moved=row.moved,
        reasons=tuple(sorted(reasons, key=REASONS.index)),
        sheet=row.sheet,
    )
