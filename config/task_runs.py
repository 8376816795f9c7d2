"""How the tasks of a worker went, told to the database when they end."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celery.signals import task_failure, task_postrun, task_prerun
from django.db import Error
from django.utils import timezone

from inventory.operations.noting_runs import note_run

logger = logging.getLogger(__name__)

NOTED_AGAIN_SECONDS = 20.0
"""A task that runs many times a second is noted so often; the runs between are counted with the next note."""


@dataclass(slots=True)
class _Begun:
    at: datetime
    clock: float
    error: str | None = None


@dataclass(slots=True)
class Notes:
    """What one process of a worker knows of its runs."""

    begun: dict[str, _Begun] = field(default_factory=dict)
    """By the id of the message."""
    noted_at: dict[str, float] = field(default_factory=dict)
    """By task, on the clock of the process."""
    uncounted: dict[str, int] = field(default_factory=dict)

    def begin(self, message_id: str) -> None:
        self.begun[message_id] = _Begun(timezone.now(), time.monotonic())

    def fail(self, message_id: str, error: BaseException) -> None:
        begun = self.begun.get(message_id)
        if begun is not None:
            begun.error = f"{type(error).__name__}: {error}"

    def end(self, message_id: str, *, task: str) -> None:
        begun = self.begun.pop(message_id, None)
        if begun is None:
            return
        now = time.monotonic()
        runs = self.uncounted.pop(task, 0) + 1
        if begun.error is None and now - self.noted_at.get(task, float("-inf")) < NOTED_AGAIN_SECONDS:
            self.uncounted[task] = runs
            return
        try:
            note_run(task=task, started_at=begun.at, seconds=now - begun.clock, error=begun.error, runs=runs)
        except Error:
            # The work is done and committed; only the page that shows it is behind.
            logger.warning("task_run.not_noted", exc_info=True, extra={"task": task})
            self.uncounted[task] = runs
        else:
            self.noted_at[task] = now


_notes = Notes()


def note_runs() -> None:
    """Have this process, and those it forks, note the tasks they run."""
    task_prerun.connect(_begin, dispatch_uid="note_runs")
    task_failure.connect(_fail, dispatch_uid="note_runs")
    task_postrun.connect(_end, dispatch_uid="note_runs")


def _begin(task_id: str, **_: Any) -> None:
    _notes.begin(task_id)


def _fail(task_id: str, exception: BaseException, **_: Any) -> None:
    _notes.fail(task_id, exception)


def _end(task_id: str, task: Any, **_: Any) -> None:
    _notes.end(task_id, task=task.name)
