"""Which cells are due to be counted, and why; and the ABC class of items.

The order of items and the cells that are due are worked out every night (inventory.operations.ranking_counts). Here the
database finds the most urgent of them and looks whether they still are; the others are not read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from inventory.counting import SUSPICIOUS_FROM, has_moved_much, next_count_on, suspicion
from inventory.models import CountGroup, CountRank, Item, Location, LocationKind
from inventory.models.counts import UNFINISHED
from inventory.quantities import ZERO, as_text

ROWS_MAX = 500
NEGATIVE, SUSPICIOUS, NEVER, OVERDUE, MOVED = "negative", "suspicious", "never", "overdue", "moved"
REASONS = (NEGATIVE, SUSPICIOUS, NEVER, OVERDUE, MOVED)
"""Why a cell is due, the most urgent first."""
LATE_ITEMS_MAX = 10_000
"""Items whose numbers were given out before the last ranking and that came to light after it."""
CANDIDATES = 4
"""So many times the wanted cells are looked at, since some may be empty by now."""
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
_IS_FREE = """
    (NOT %(free)s::boolean OR NOT EXISTS (
      SELECT FROM inventory_countline c JOIN inventory_countsheet s ON s.id = c.sheet_id
      WHERE (c.item_id, c.location_id, c.lot_id, c.status) = (b.item_id, b.location_id, b.lot_id, b.status)
        AND c.state <> 'posted' AND s.state = ANY(%(unfinished)s::text[])))
"""
_PLANNED = f"b.quantity <> 0 AND b.location_id = ANY(%(places)s::bigint[]) AND {_IS_FREE}"
_NEVER_COUNTED = """
    NOT EXISTS (SELECT FROM inventory_countline c WHERE c.state = 'posted'
      AND (c.item_id, c.location_id, c.lot_id, c.status) = (b.item_id, b.location_id, b.lot_id, b.status))
"""

_LAST = """
LEFT JOIN LATERAL (
  SELECT c.scanned_at, c.counted, c.expected, coalesce(c.tolerance_percent, 0) AS tolerance FROM inventory_countline c
  WHERE c.state = 'posted' AND (c.item_id, c.location_id, c.lot_id, c.status) = (b.item_id, b.location_id, b.lot_id, b.status)
  ORDER BY c.scanned_at DESC LIMIT 1) last ON true
"""
_RULE = """
LEFT JOIN inventory_countrank k ON k.item_id = b.item_id
LEFT JOIN inventory_countclass r ON r.group = coalesce(nullif(i.count_group, ''), k.group, 'C')
"""
_SEEN = "k.position, last.scanned_at, last.counted, last.expected, last.tolerance, r.counts_per_year"
_ORDER = " ORDER BY k.position NULLS LAST, l.path, b.item_id, b.lot_id LIMIT %(rows)s"
_SINCE = "coalesce(%(ranked_at)s::timestamptz, '-infinity')"

_BELOW_ZERO = f"""
SELECT {_CELL}, {_SEEN}, coalesce(d.moved, 0) FROM inventory_stockbalance b {_OF_CELL} {_RULE} {_LAST}
LEFT JOIN inventory_countdue d ON (d.item_id, d.location_id, d.lot_id, d.status)
  = (b.item_id, b.location_id, b.lot_id, b.status)
WHERE b.negative_allowed AND b.quantity < 0 AND {_PLANNED} {_ORDER}
"""
_OFF_SINCE = f"""
SELECT {_CELL}, {_SEEN}, 0::numeric
FROM (SELECT DISTINCT c.item_id, c.location_id, c.lot_id, c.status FROM inventory_countline c
      WHERE c.state = 'posted' AND c.scanned_at > {_SINCE}) fresh
JOIN inventory_stockbalance b USING (item_id, location_id, lot_id, status) {_OF_CELL} {_RULE} {_LAST}
WHERE abs(last.counted - last.expected) * 100 > abs(last.expected) * last.tolerance AND {_PLANNED} {_ORDER}
"""
_STILL_DUE = f"""
    NOT EXISTS (SELECT FROM inventory_countline c WHERE c.state = 'posted' AND (c.scanned_at > {_SINCE} OR b.reason = 2)
      AND (c.item_id, c.location_id, c.lot_id, c.status) = (b.item_id, b.location_id, b.lot_id, b.status))
"""
_DUE = f"""
SELECT {_CELL}, {_SEEN}, d.moved
FROM (SELECT b.* FROM inventory_countrank k JOIN inventory_countdue b ON b.item_id = k.item_id AND b.reason = %(reason)s
      WHERE b.location_id = ANY(%(places)s::bigint[]) AND {_STILL_DUE} AND {_IS_FREE}
      ORDER BY k.position LIMIT %(candidates)s) d
JOIN inventory_stockbalance b ON (b.item_id, b.location_id, b.lot_id, b.status)
  = (d.item_id, d.location_id, d.lot_id, d.status) {_OF_CELL} {_RULE} {_LAST}
WHERE b.quantity <> 0 {_ORDER}
"""
_NEW_ITEMS = f"""
SELECT {_CELL.replace("k.group", "NULL")}, NULL::int, NULL::timestamptz, NULL::numeric, NULL::numeric, NULL::numeric,
  NULL::numeric, 0::numeric
FROM inventory_stockbalance b {_OF_CELL}
WHERE i.id > coalesce((SELECT max(k.item_id) FROM inventory_countrank k), 0) - %(late)s
  AND NOT EXISTS (SELECT FROM inventory_countrank k WHERE k.item_id = i.id) AND b.quantity > 0 AND {_NEVER_COUNTED}
  AND {_PLANNED} ORDER BY l.path, b.item_id, b.lot_id LIMIT %(rows)s
"""


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
    when it is below zero, or when much moved since. Within a reason the items stand by class and use. What happened since
    the ranking counts at once where it can be known without reading everything: counts, stock below zero, new items. Nine
    statements, and at most `rows_max` cells of each kind are read, whatever the number of cells.
    """
    asked = {**_asked(within), "free": is_free, "rows": rows_max, "candidates": CANDIDATES * rows_max}
    today = timezone.localdate()
    found: dict[tuple[int, int, int, str], DueCell] = {}
    with connection.cursor() as cursor:
        for statement, reason in (
            (_BELOW_ZERO, None),
            (_OFF_SINCE, None),
            *((_DUE, number) for number in range(REASONS.index(SUSPICIOUS), len(REASONS))),
            (_NEW_ITEMS, None),
        ):
            cursor.execute(statement, asked if reason is None else {**asked, "reason": reason})
            for row in cursor.fetchall():
                cell = _cell(_Row(*row), today)
                if cell.reasons:
                    found.setdefault((cell.item_id, cell.location_id, cell.lot_id, cell.status), cell)
    return sorted(found.values(), key=lambda cell: cell.urgency)[:rows_max]


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


_TOTALS = f"""
WITH cells AS (
  SELECT b.item_id, b.location_id, b.lot_id, b.status, 0 AS reason
  FROM inventory_stockbalance b
  WHERE b.negative_allowed AND b.quantity < 0 AND {_PLANNED}
  UNION ALL
  SELECT b.item_id, b.location_id, b.lot_id, b.status, 1
  FROM (SELECT DISTINCT c.item_id, c.location_id, c.lot_id, c.status FROM inventory_countline c
        WHERE c.state = 'posted' AND c.scanned_at > {_SINCE}) fresh
  JOIN inventory_stockbalance b USING (item_id, location_id, lot_id, status) {_LAST}
  WHERE abs(last.counted - last.expected) * 100 > abs(last.expected) * last.tolerance AND {_PLANNED}
  UNION ALL
  SELECT b.item_id, b.location_id, b.lot_id, b.status, d.reason
  FROM inventory_countdue d JOIN inventory_stockbalance b USING (item_id, location_id, lot_id, status)
  WHERE {_PLANNED} AND {_STILL_DUE.replace("b.reason", "d.reason")}
  UNION ALL
  SELECT b.item_id, b.location_id, b.lot_id, b.status, 2
  FROM inventory_stockbalance b JOIN inventory_item i ON i.id = b.item_id
  WHERE i.id > coalesce((SELECT max(k.item_id) FROM inventory_countrank k), 0) - %(late)s
    AND NOT EXISTS (SELECT FROM inventory_countrank k WHERE k.item_id = i.id) AND b.quantity > 0 AND {_NEVER_COUNTED}
    AND {_PLANNED}
), due AS (
  SELECT item_id, location_id, lot_id, status, min(reason) AS reason FROM cells GROUP BY 1, 2, 3, 4
), busy AS (
  SELECT DISTINCT c.item_id, c.location_id, c.lot_id, c.status
  FROM inventory_countline c JOIN inventory_countsheet s ON s.id = c.sheet_id
  WHERE c.state <> 'posted' AND s.state = ANY(%(unfinished)s::text[])
)
SELECT due.reason, count(*), count(busy.item_id)
FROM due LEFT JOIN busy USING (item_id, location_id, lot_id, status) GROUP BY 1
"""


def due_totals(*, within: str = "/") -> DueTotals:
    """What all of the plan comes to; reads every cell that is due."""
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, {**_asked(within), "free": False})
        rows = cursor.fetchall()
    counts = {REASONS[reason]: cells for reason, cells, _ in rows}
    return DueTotals({reason: counts[reason] for reason in REASONS if reason in counts}, sum(row[2] for row in rows))


def _asked(within: str) -> dict[str, Any]:
    places = Location.objects.filter(kind=LocationKind.OWN, is_active=True, path__startswith=within)
    return {
        "places": numbers(places.values_list("pk", flat=True)),
        "unfinished": [str(state) for state in UNFINISHED],
        "ranked_at": ranked_at(),
        "late": LATE_ITEMS_MAX,
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
