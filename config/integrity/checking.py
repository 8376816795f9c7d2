"""Checking every fact on one state of the data, storing the outcome signed, and raising the alarm on a breach."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from config.integrity.signing import sign
from config.invariants import INVARIANTS, Finding, verify
from inventory.ledger_passes import on_the_ledger, one_look
from inventory.models import InvariantResult, InvariantRun
from inventory.whole_numbers import whole_number

logger = logging.getLogger(__name__)

RUNS_KEPT = 400
"""More than a year of nights. Older runs are taken away, at most RUNS_REMOVED_MAX after each check."""
RUNS_REMOVED_MAX = 50
STATEMENT_MAX = 250
WORK_MEMORY = "256MB"
"""For sums and joins over all cells; with the usual few megabytes it is sorted on disk, which takes several times as long."""
_SETTINGS = {"work_mem": WORK_MEMORY, "parallel_setup_cost": "0", "parallel_tuple_cost": "0", "jit": "off"}
"""Until the transaction ends. Large tables are read by several workers, where the server has any to spare; compiling some forty
statements, in each worker, takes longer than it saves."""
_PROGRESS = "backflush ledger check"
"""A running check tells how far it is in the name of its connection, since it writes nothing before it ends."""


@dataclass(frozen=True, slots=True)
class Check:
    """Every fact as it stood at one moment."""

    started_at: datetime
    finished_at: datetime
    movements: int
    newest_movement: int | None
    findings: Sequence[Finding]

    @property
    def broken(self) -> list[Finding]:
        return [one for one in self.findings if one.findings]


def check_facts() -> Check:
    """Check every fact over one snapshot, so that postings made meanwhile break nothing. Writes nothing.

    Inside a transaction of the caller's it looks at what that transaction sees.
    """
    if connection.in_atomic_block:
        return _check(lambda _number: None)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return _check(_tell_progress)


def _check(before_each: Callable[[int], None]) -> Check:
    started_at = timezone.now()
    with connection.cursor() as cursor:
        for name, value in _SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
        cursor.execute("SELECT max(id) FROM inventory_movement")
        (newest,) = cursor.fetchone()
    with one_look():
        findings = verify(before_each=before_each)
        movements = on_the_ledger().movements  # counted on the way
    return Check(started_at, timezone.now(), movements, newest, findings)


def _tell_progress(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, true)", [f"{_PROGRESS} {number}/{len(INVARIANTS)}"])


@dataclass(frozen=True, slots=True)
class Progress:
    checked: int
    of: int

    @property
    def percent(self) -> int:
        return 100 * self.checked // self.of if self.of else 0


def progress() -> Progress | None:
    """How far the check is that runs now, in whatever process; None when none runs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND starts_with(application_name, %s) ORDER BY pid LIMIT 1",
            [_PROGRESS],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    checked, _, of = row[0].removeprefix(_PROGRESS).strip().partition("/")
    done, total = whole_number(checked), whole_number(of)
    return None if done is None or total is None else Progress(done, total)


def run_check(*, cause: str) -> InvariantRun:
    """Check every fact, keep the outcome and log a breach as an error. `cause`: nightly, by hand or a command.

    Two at once do no harm: both are kept.
    """
    return store(check_facts(), cause=cause)


@transaction.atomic
def store(check: Check, *, cause: str) -> InvariantRun:
    """Keep what a check found, signed, and take runs away beyond the newest RUNS_KEPT."""
    run = InvariantRun(
        started_at=check.started_at,
        finished_at=check.finished_at,
        cause=cause[:24],
        movements=check.movements,
        newest_movement=check.newest_movement,
        is_true=not check.broken,
    )
    results = [
        InvariantResult(
            run=run,
            app=one.app,
            name=one.invariant.name,
            statement=one.invariant.description[:STATEMENT_MAX],
            milliseconds=one.milliseconds,
            findings=list(one.findings),
        )
        for one in check.findings
    ]
    run.signature = sign(run, results)
    run.save()
    InvariantResult.objects.bulk_create(results)
    _remove_old()
    if check.broken:
        logger.error(
            "ledger.broken",
            extra={
                "run_id": run.pk,
                "facts": [f"{one.app}: {one.invariant.name}" for one in check.broken],
                "findings": sum(len(one.findings) for one in check.broken),
                "first_finding": check.broken[0].findings[0],
            },
        )
    else:
        logger.info("ledger.true", extra={"run_id": run.pk, "facts": len(results), "movements": run.movements})
    return run


def _remove_old() -> None:
    oldest_kept = InvariantRun.objects.order_by("-id").values_list("id", flat=True)[RUNS_KEPT - 1 : RUNS_KEPT].first()
    if oldest_kept is not None:
        old = InvariantRun.objects.filter(id__lt=oldest_kept).order_by("id").values_list("id", flat=True)
        InvariantRun.objects.filter(id__in=list(old[:RUNS_REMOVED_MAX])).delete()
