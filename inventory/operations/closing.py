"""Closing the books through a day, and opening them again."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from inventory.errors import PeriodLocked, WrongState
from inventory.models import PeriodClose
from inventory.operations.checking import PERIOD_LOCK
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.reads.moments import AsOf
from inventory.reads.unknown_costs import items_of_unknown_cost

GRACE = timedelta(hours=1)
"""A day can be closed this long after it ended: what began to be recorded before its end has been written by then."""


@dataclass(frozen=True, slots=True)
class CloseResult:
    period: PeriodClose
    replayed: bool  # the books were closed through that very day already


def end_of(day: date) -> datetime:
    """The last moment of a day in local time."""
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min)) - timedelta(microseconds=1)


@operation
def close_period(*, through: date, actor: Actor, note: str = "") -> CloseResult:
    """Close the books through a day and keep what every item came to at its end.

    Waits for postings with earlier dates that are under way, and keeps others out until it is done. Closing through the
    last closed day again changes nothing. Raises WrongState for a day that has not ended at least an hour ago, and
    PeriodLocked for one before the last closed day.
    """
    ends_at = end_of(through)
    if timezone.now() < ends_at + GRACE:
        raise WrongState(
            f"{through} has not ended an hour ago, and stock may still move on it. Close through an earlier day.",
            through=str(through),
        )
    _keep_postings_out()
    last = PeriodClose.objects.in_force().order_by("-ends_at").first()
    if last is not None and last.through == through:
        return CloseResult(last, replayed=True)
    if last is not None and through < last.through:
        raise PeriodLocked(
            f"The books are closed through {last.through} already. Reopen that period first to close an earlier day alone.",
            through=str(through),
            closed_through=str(last.through),
        )
    period = PeriodClose.objects.create(
        through=through,
        ends_at=ends_at,
        closed_at=timezone.now(),
        closed_by_id=getattr(actor, "pk", None),
        note=note.strip(),
    )
    period.items, period.known_value = _write_snapshot(period, last)
    period.unknown_items = len(items_of_unknown_cost(moment=AsOf(effective_at=ends_at)))
    period.save(update_fields=["items", "known_value", "unknown_items"])
    return CloseResult(period, replayed=False)


@operation
def reopen_period(*, period: PeriodClose, reason: str, actor: Actor) -> PeriodClose:
    """Open the last closed period again, so that something can be recorded into it; its snapshot is used no more.

    Raises WrongState without a reason, when it was reopened before, or while a later period is closed.
    """
    if not reason.strip():
        raise WrongState("Reopening a closed period needs a reason. Say what has to be recorded.")
    _keep_postings_out()
    locked = PeriodClose.objects.select_for_update().get(pk=period.pk)
    if locked.reopened_at is not None:
        raise WrongState(
            f"The period through {locked.through} was reopened on {timezone.localtime(locked.reopened_at):%Y-%m-%d %H:%M}. "
            "There is nothing left to open.",
            through=str(locked.through),
        )
    later = PeriodClose.objects.in_force().filter(ends_at__gt=locked.ends_at).order_by("-ends_at").first()
    if later is not None:
        raise WrongState(
            f"The books are closed through {later.through} as well. Reopen the newest period first.",
            through=str(locked.through),
            closed_through=str(later.through),
        )
    locked.reopened_at = timezone.now()
    locked.reopened_by_id = getattr(actor, "pk", None)
    locked.reopen_reason = reason.strip()[:200]
    locked.save(update_fields=["reopened_at", "reopened_by", "reopen_reason"])
    return locked


def _keep_postings_out() -> None:
    """Until the transaction ends no posting with an earlier date is recorded; those under way are waited for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PERIOD_LOCK])


# What was recorded after the end of the earlier period is all that can have happened after it.
_SNAPSHOT = """
WITH kept AS (
  INSERT INTO inventory_periodsnapshot (period_id, item_id, quantity, value)
  SELECT %(period)s, item_id, sum(quantity), sum(value) FROM (
    SELECT item_id, quantity, value FROM inventory_periodsnapshot WHERE period_id = %(before)s
    UNION ALL
    SELECT item_id, sum(quantity), coalesce(sum(value), 0) FROM inventory_movement
    WHERE effective_at <= %(ends_at)s AND effective_at > coalesce(%(begins_at)s::timestamptz, '-infinity')
      AND recorded_at > coalesce(%(begins_at)s::timestamptz, '-infinity') GROUP BY 1
  ) parts GROUP BY item_id HAVING sum(quantity) <> 0 OR sum(value) <> 0
  RETURNING quantity, value
)
SELECT count(*) FILTER (WHERE quantity <> 0), coalesce(sum(value), 0) FROM kept
"""


def _write_snapshot(period: PeriodClose, before: PeriodClose | None) -> tuple[int, Decimal]:
    """Items with stock and their known value, as kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SNAPSHOT,
            {
                "period": period.pk,
                "before": before.pk if before else None,
                "begins_at": before.ends_at if before else None,
                "ends_at": period.ends_at,
            },
        )
        row = cursor.fetchone()
    assert row is not None
    return row[0], row[1]
