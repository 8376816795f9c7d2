"""Which cells are due to be counted, and why; and the ABC class of items."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from inventory.counting import (
    SUSPICIOUS_FROM,
    abc_classes,
    has_moved_much,
    next_count_on,
    suspicion,
)
from inventory.models import CountClass, CountGroup, Item, LocationKind, PostingKind
from inventory.models.counts import UNFINISHED
from inventory.quantities import ZERO, as_text

USAGE_DAYS = 365
USING_KINDS = (PostingKind.ISSUE, PostingKind.SHIPMENT, PostingKind.COMPLETION)
"""Kinds of postings that use goods; what a reversal brings back of them was not used."""

NEGATIVE, SUSPICIOUS, NEVER, OVERDUE, MOVED = "negative", "suspicious", "never", "overdue", "moved"
REASONS = (NEGATIVE, SUSPICIOUS, NEVER, OVERDUE, MOVED)
"""Why a cell is due, the most urgent first."""


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
    on_hand: Decimal
    last_counted_at: datetime | None
    due_on: date | None  # by its class; None when it never was counted
    off_by: Decimal | None  # how many tolerances the last count was off, when that is suspicious
    moved: Decimal  # since the last count, in and out added up
    reasons: tuple[str, ...]
    sheet: str  # number of the sheet that has it already; empty otherwise

    @property
    def off_by_text(self) -> str:
        """`3.5 times its tolerance`."""
        return "" if self.off_by is None else f"{as_text(self.off_by)} times its tolerance"

    @property
    def urgency(self) -> tuple[int, str, str, str]:
        return (REASONS.index(self.reasons[0]), self.group, self.location_path, self.sku)


def item_groups(items: Iterable[int] | None = None) -> dict[int, str]:
    """The class of `items` (ids; None: of every item): the one set by hand, else by the value used in a year."""
    usage = _usage()
    shares = [(row.group, row.share_percent) for row in CountClass.objects.order_by("group")]
    rows = Item.objects.values_list("pk", "count_group")
    if items is not None:
        rows = rows.filter(pk__in=list(items))
    chosen = dict(rows)
    classes = abc_classes({**dict.fromkeys(chosen, ZERO), **usage}, shares=shares or [(CountGroup.C, Decimal(100))])
    return {item_id: by_hand or classes[item_id] for item_id, by_hand in chosen.items()}


def _usage() -> dict[int, Decimal]:
    """Base currency by item id over the last USAGE_DAYS, never below zero; unknown cost counts at the planned cost."""
    since = timezone.now() - timedelta(days=USAGE_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.item_id, greatest(sum(-coalesce(m.value, m.quantity * i.standard_cost, 0)), 0)
            FROM inventory_movement m
            JOIN inventory_posting p ON p.id = m.posting_id LEFT JOIN inventory_posting r ON r.id = p.reverses_id
            JOIN inventory_item i ON i.id = m.item_id
            WHERE m.recorded_at >= %s AND m.effective_at >= %s AND coalesce(r.kind, p.kind) = ANY(%s::text[])
              AND (CASE WHEN p.reverses_id IS NULL THEN m.quantity < 0 ELSE m.quantity > 0 END)
            GROUP BY m.item_id
            """,
            [since, since, [str(kind) for kind in USING_KINDS]],
        )
        return dict(cursor.fetchall())


_CELLS = """
WITH cells AS (
  SELECT b.item_id, b.location_id, b.lot_id, b.status, b.quantity, i.sku, i.name, i.stock_unit, l.code, l.path,
         t.code AS lot_code
  FROM inventory_stockbalance b
  JOIN inventory_item i ON i.id = b.item_id
  JOIN inventory_location l ON l.id = b.location_id
  JOIN inventory_lot t ON t.id = b.lot_id
  WHERE b.quantity <> 0 AND l.kind = %s AND l.is_active AND left(l.path, %s::int) = %s
), last AS (
  SELECT DISTINCT ON (c.item_id, c.location_id, c.lot_id, c.status)
         c.item_id, c.location_id, c.lot_id, c.status, c.scanned_at, c.counted, c.expected, c.tolerance_percent
  FROM inventory_countline c WHERE c.state = 'posted'
  ORDER BY c.item_id, c.location_id, c.lot_id, c.status, c.scanned_at DESC
), moved AS (
  SELECT m.item_id, m.location_id, m.lot_id, m.status, sum(abs(m.quantity)) AS quantity
  FROM inventory_movement m JOIN last USING (item_id, location_id, lot_id, status)
  JOIN inventory_posting p ON p.id = m.posting_id AND p.kind <> 'landed_cost'  -- a later price takes out and puts back
  WHERE m.recorded_at >= (SELECT min(scanned_at) FROM last) AND m.effective_at > last.scanned_at
  GROUP BY 1, 2, 3, 4
), open AS (
  SELECT c.item_id, c.location_id, c.lot_id, c.status, min(s.number) AS number
  FROM inventory_countline c JOIN inventory_countsheet s ON s.id = c.sheet_id
  WHERE c.state <> 'posted' AND s.state = ANY(%s::text[]) GROUP BY 1, 2, 3, 4
)
SELECT cells.*, last.scanned_at, last.counted, last.expected, coalesce(last.tolerance_percent, 0),
       coalesce(moved.quantity, 0), coalesce(open.number, '')
FROM cells LEFT JOIN last USING (item_id, location_id, lot_id, status)
LEFT JOIN moved USING (item_id, location_id, lot_id, status) LEFT JOIN open USING (item_id, location_id, lot_id, status)
"""


def count_plan(*, within: str = "/", rows_max: int | None = None) -> list[DueCell]:
    """The cells of our own places below the location path `within` that are due, the most urgent first.

    A cell is due when it never was counted, when the time of its class is over, when its last count left the tolerance,
    when it is below zero, or when much moved since. Five statements, whatever the number of cells.
    """
    classes = {row.group: row for row in CountClass.objects.all()}
    groups = item_groups()
    with connection.cursor() as cursor:
        cursor.execute(_CELLS, [LocationKind.OWN, len(within), within, [str(state) for state in UNFINISHED]])
        rows = cursor.fetchall()
    today = timezone.localdate()
    due = [cell for row in rows if (cell := _due(row, groups, classes, today)) is not None]
    due.sort(key=lambda cell: cell.urgency)
    return due[:rows_max]


def _due(
    row: tuple[object, ...], groups: Mapping[int, str], classes: Mapping[str, CountClass], today: date
) -> DueCell | None:
    """The cell of a row of _CELLS with the reasons why it is due; None when it is not."""
    item_id, location_id, lot_id, status, on_hand, sku, name, unit, code, path, lot_code, *more = row
    scanned_at, counted, expected, tolerance, moved, sheet = more
    assert isinstance(item_id, int)
    assert isinstance(location_id, int)
    assert isinstance(lot_id, int)
    assert isinstance(on_hand, Decimal)
    assert isinstance(moved, Decimal)
    group = groups.get(item_id, CountGroup.C)
    due_on = None
    off_by = None
    reasons = []
    if on_hand < ZERO:
        reasons.append(NEGATIVE)
    if not isinstance(scanned_at, datetime):
        reasons.append(NEVER)
    else:
        assert isinstance(counted, Decimal)
        assert isinstance(expected, Decimal)
        assert isinstance(tolerance, Decimal)
        score = suspicion(counted=counted, expected=expected, percent=tolerance)
        if score > SUSPICIOUS_FROM:
            reasons.append(SUSPICIOUS)
            off_by = Decimal(round(score * 10)) / 10
        rule = classes.get(group)
        if rule is not None:
            last_on = timezone.localdate(scanned_at)
            due_on = next_count_on(last_counted_on=last_on, counts_per_year=rule.counts_per_year)
            if due_on is not None and due_on <= today:
                reasons.append(OVERDUE)
        if has_moved_much(moved=moved, on_hand=on_hand, last_counted=counted):
            reasons.append(MOVED)
    if not reasons:
        return None
    return DueCell(
        item_id=item_id,
        location_id=location_id,
        lot_id=lot_id,
        status=str(status),
        sku=str(sku),
        name=str(name),
        unit=str(unit),
        location_code=str(code),
        location_path=str(path),
        lot_code=str(lot_code),
        group=group,
        on_hand=on_hand,
        last_counted_at=scanned_at if isinstance(scanned_at, datetime) else None,
        due_on=due_on,
        off_by=off_by,
        moved=moved,
        reasons=tuple(sorted(reasons, key=REASONS.index)),
        sheet=str(sheet),
    )
