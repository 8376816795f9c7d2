"""What runs by itself: when, how it went last, and whether it is late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cron_descriptor import FormatException, MissingFieldException, Options, WrongArgumentException, get_description
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from inventory.models import TaskRun

GRACE = timedelta(minutes=10)
"""So long a run may take to begin and to end before it counts as late."""


class ScheduleState(StrEnum):
    OFF = "off"
    FAILED = "failed"
    LATE = "late"
    NEW = "new"
    GOOD = "good"


_BADGES = {
    ScheduleState.GOOD: ("Runs", "good", "check_circle"),
    ScheduleState.NEW: ("Has not run yet", "quiet", "hourglass_empty"),
    ScheduleState.LATE: ("Late", "blocked", "schedule"),
    ScheduleState.FAILED: ("Failed", "blocked", "error"),
    ScheduleState.OFF: ("Off", "look", "pause_circle"),
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """One line of the schedule. `run` is how its task went last, whoever sent for it; None: it never ended."""

    task: PeriodicTask
    run: TaskRun | None
    when: str
    next_at: datetime | None
    """None where it is off."""
    state: ScheduleState

    @property
    def badge(self) -> tuple[str, str, str]:
        """The state as a word, its tone and an icon."""
        return _BADGES[self.state]


def schedules(*, tasks_of: str = "", at: datetime | None = None) -> list[Schedule]:
    """Every schedule, those of one app with `tasks_of` (its name), in order of their names. Two statements."""
    at = at or timezone.now()
    found = PeriodicTask.objects.select_related("interval", "crontab", "solar", "clocked").order_by("name")
    found = found.exclude(task__startswith="celery.")
    if tasks_of:
        found = found.filter(task__startswith=f"{tasks_of}.")
    rows = list(found)
    runs = {run.task: run for run in TaskRun.objects.filter(task__in=[row.task for row in rows])}
    return [_schedule(row, runs.get(row.task), at) for row in rows]


def in_trouble(found: Sequence[Schedule]) -> list[Schedule]:
    """Those that failed or are late."""
    return [one for one in found if one.state in (ScheduleState.FAILED, ScheduleState.LATE)]


def _schedule(task: PeriodicTask, run: TaskRun | None, at: datetime) -> Schedule:
    # The scheduler writes down what it sent every few minutes only; a run that ended says it earlier.
    last = max((one for one in (task.last_run_at, run and run.started_at) if one), default=task.date_changed or at)
    next_at = _due_after(task, last, at) if task.enabled else None
    return Schedule(task, run, _when(task), next_at, _state(task, run, at))


def _state(task: PeriodicTask, run: TaskRun | None, at: datetime) -> ScheduleState:
    if not task.enabled:
        return ScheduleState.OFF
    if run is not None and run.has_failed:
        return ScheduleState.FAILED
    last = max((moment for moment in (run and run.succeeded_at, task.date_changed) if moment), default=at)
    if _due_after(task, last, at) + GRACE < at:
        return ScheduleState.LATE
    return ScheduleState.NEW if run is None else ScheduleState.GOOD


def _due_after(task: PeriodicTask, last: datetime, at: datetime) -> datetime:
    """When it is due, having run at `last`; in the past when it was missed."""
    schedule = task.schedule
    schedule.nowfun = lambda: at  # or it counts from another moment than we do
    remaining: timedelta = schedule.remaining_estimate(last)
    return (at + remaining + timedelta(milliseconds=500)).replace(microsecond=0)


_OF_24_HOURS = Options()
_OF_24_HOURS.use_24hour_time_format = True


def _crontab_in_words(crontab: CrontabSchedule) -> str:
    fields = (crontab.minute, crontab.hour, crontab.day_of_month, crontab.month_of_year, crontab.day_of_week)
    expression = " ".join(str(field).replace(" ", "") for field in fields)
    try:
        return str(get_description(expression, _OF_24_HOURS))
    except (
        FormatException,
        MissingFieldException,
        WrongArgumentException,
    ):  # written by hand, in a way it does not know
        return expression


def _when(task: PeriodicTask) -> str:
    """`every 5 seconds`, `At 02:10, UTC`."""
    if task.crontab is not None:
        return f"{_crontab_in_words(task.crontab)}, {task.crontab.timezone}"
    if task.interval is not None:
        every = task.interval.every
        period = str(task.interval.period)
        return f"every {period.removesuffix('s')}" if every == 1 else f"every {every} {period}"
    return str(task.schedule)
