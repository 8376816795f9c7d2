"""Noting how background tasks went, for whoever asks whether they still run."""

from __future__ import annotations

from datetime import datetime, timedelta

from inventory.trips import execute

ERROR_LENGTH = 500
_NOTE = """
INSERT INTO inventory_taskrun (task, runs, started_at, milliseconds, succeeded_at, failed_at, error)
VALUES (%(task)s, %(runs)s, %(started_at)s, %(milliseconds)s, %(succeeded_at)s, %(failed_at)s, %(error)s)
ON CONFLICT (task) DO UPDATE SET runs = inventory_taskrun.runs + excluded.runs, started_at = excluded.started_at,
  milliseconds = excluded.milliseconds, succeeded_at = coalesce(excluded.succeeded_at, inventory_taskrun.succeeded_at),
  failed_at = coalesce(excluded.failed_at, inventory_taskrun.failed_at),
  error = CASE WHEN excluded.failed_at IS NULL THEN inventory_taskrun.error ELSE excluded.error END
"""


def note_run(*, task: str, started_at: datetime, seconds: float, error: str | None = None, runs: int = 1) -> None:
    """Keep how a run of a task ended: well, or with `error`. `runs` counts those before it that were not noted. One statement."""
    ended_at = started_at + timedelta(seconds=seconds)
    execute(
        _NOTE,
        {
            "task": task,
            "runs": runs,
            "started_at": started_at,
            "milliseconds": round(seconds * 1000),
            "succeeded_at": ended_at if error is None else None,
            "failed_at": None if error is None else ended_at,
            "error": (error or "")[:ERROR_LENGTH],
        },
    )
