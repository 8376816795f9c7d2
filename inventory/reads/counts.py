"""Sheets as people see them, and how right the records were."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from inventory.counting import Accuracy
from inventory.models import CountCause, CountGroup, CountLine, CountLineState, CountSheet, CountSheetState, Reservation
from inventory.operations.posting import Actor
from inventory.quantities import ZERO

MONTHS_SHOWN = 12


def may_see_expected(person: Actor, sheet: CountSheet) -> bool:
    """Whether a person may see what a sheet expects: never without the right to see stock, and on a blind sheet only once
    it was submitted, so that whoever counts has nothing to copy."""
    if person is None or not person.has_perm("inventory.view_stockbalance"):  # type: ignore[union-attr]
        return False
    return not sheet.is_blind or sheet.state != CountSheetState.OPEN


def sheets_with_progress() -> QuerySet[CountSheet]:
    """Sheets with `line_count`, `left_count` (to count), `wait_count` (counted, not posted)."""
    lines = Count("lines")
    left = Count("lines", filter=Q(lines__state__in=(CountLineState.TO_COUNT, CountLineState.RECOUNT)))
    wait = Count("lines", filter=Q(lines__state=CountLineState.COUNTED))
    return CountSheet.objects.select_related("location", "assigned_to", "created_by").annotate(
        line_count=lines, left_count=left, wait_count=wait
    )


def sheet_lines(sheet: CountSheet) -> QuerySet[CountLine]:
    """The lines in the order one walks: by place, then item and lot."""
    return sheet.lines.select_related(
        "item", "location", "lot", "counted_by", "first_counted_by", "approved_by", "posting"
    ).order_by("location__path", "item__sku", "lot__code", "status", "pk")


@dataclass(frozen=True, slots=True)
class FreedReservation:
    """What a count took from a promise, since less is there than was promised."""

    reservation: Reservation
    quantity: Decimal  # stock unit, positive


def freed_reason(number: str) -> str:
    """The reason that the log of reservations keeps for what a sheet freed."""
    return f"freed by count {number}"


def freed_reservations(sheet: CountSheet) -> list[FreedReservation]:
    """Promises that the postings of a sheet freed, the last first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.reservation_id, -sum(c.quantity) FROM inventory_reservationchange c"
            " JOIN inventory_reservation r ON r.id = c.reservation_id"
            " JOIN inventory_countline n ON n.sheet_id = %s AND (n.item_id, n.location_id, n.lot_id)"
            " = (r.item_id, r.location_id, r.lot_id) AND n.status = 'available'"
            " WHERE c.reason = %s GROUP BY 1 ORDER BY 1 DESC",
            [sheet.pk, freed_reason(sheet.number)],
        )
        freed = dict(cursor.fetchall())
    rows = Reservation.objects.select_related("item", "location", "lot").in_bulk(freed)
    return [FreedReservation(rows[pk], quantity) for pk, quantity in freed.items()]


@dataclass(frozen=True, slots=True)
class AccuracyMonth:
    """Record accuracy of the counts of one month, in all and by class in the order of `groups`."""

    month: date
    total: Accuracy
    by_group: tuple[tuple[str, Accuracy], ...]


@dataclass(frozen=True, slots=True)
class CauseRow:
    """Variances of one cause. `value` is the sum of the known ones, signed, base currency; `unknown` counts the others."""

    cause: str
    label: str
    lines: int
    value: Decimal
    unknown: int


@dataclass(frozen=True, slots=True)
class AccuracyReport:
    groups: tuple[str, ...]
    months: tuple[AccuracyMonth, ...]  # newest first
    total: Accuracy
    by_group: tuple[tuple[str, Accuracy], ...]
    causes: tuple[CauseRow, ...]


def accuracy_report(*, months: int = MONTHS_SHOWN) -> AccuracyReport:
    """Posted lines of the last `months` calendar months, this one included; two statements.

    A line is within tolerance by the tolerance it had when it was counted.
    """
    first = _first_of_month(timezone.localdate())
    for _ in range(months - 1):
        first = _first_of_month(first - timedelta(days=1))
    groups = tuple(str(group) for group in CountGroup)
    counted: dict[date, dict[str, Accuracy]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT date_trunc('month', c.scanned_at AT TIME ZONE %s)::date, coalesce(nullif(c.group, ''), 'C'),"
            " count(*) FILTER (WHERE abs(c.counted - c.expected) * 100"
            " <= abs(c.expected) * coalesce(c.tolerance_percent, 0)), count(*)"
            " FROM inventory_countline c WHERE c.state = 'posted'"
            " AND c.scanned_at >= %s::timestamp AT TIME ZONE %s GROUP BY 1, 2",
            [timezone.get_current_timezone_name(), first, timezone.get_current_timezone_name()],
        )
        for month, group, within, lines in cursor.fetchall():
            counted.setdefault(month, {})[group] = Accuracy(within, lines)
        cursor.execute(
            "SELECT c.cause, count(*), coalesce(sum(c.variance_value), 0), count(*) FILTER (WHERE c.variance_value IS NULL)"
            " FROM inventory_countline c WHERE c.state = 'posted' AND c.counted <> c.expected"
            " AND c.scanned_at >= %s::timestamp AT TIME ZONE %s GROUP BY 1 ORDER BY 2 DESC, 1",
            [first, timezone.get_current_timezone_name()],
        )
        names = {cause.value: cause.label for cause in CountCause}
        causes = tuple(
            CauseRow(cause, names.get(cause, "Not explained yet"), lines, value, unknown)
            for cause, lines, value, unknown in cursor.fetchall()
        )
    return AccuracyReport(
        groups=groups,
        months=tuple(
            AccuracyMonth(month, _sum(found.values()), tuple((g, found.get(g, Accuracy(0, 0))) for g in groups))
            for month, found in sorted(counted.items(), reverse=True)
        ),
        total=_sum(one for found in counted.values() for one in found.values()),
        by_group=tuple((g, _sum(found[g] for found in counted.values() if g in found)) for g in groups),
        causes=causes,
    )


def _sum(parts: Iterable[Accuracy]) -> Accuracy:
    return sum(parts, Accuracy(0, 0))


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


def known_total(lines: Sequence[CountLine]) -> tuple[Decimal, int]:
    """The sum of the known values of variances (signed, base currency), and how many are unknown."""
    known = ZERO
    unknown = 0
    for line in lines:
        if line.variance_value is not None:
            known += line.variance_value
        elif line.variance:
            unknown += 1
    return known, unknown
