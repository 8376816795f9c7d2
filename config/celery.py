"""The Celery application. Messages only wake workers; what is to be done stands in the database."""

import gc
import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

GARBAGE_THRESHOLD = 50_000
"""Allocations between collections; tasks make few cycles, and a collection walks everything that was loaded."""

app = Celery("backflush")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def _note_runs(**_: object) -> None:
    """Workers note how their tasks went; processes that only send messages do not."""
    from config.task_runs import note_runs

    note_runs()


@worker_init.connect
def leave_out_what_is_loaded(**_: object) -> None:
    """Leave the modules and settings, which stay for ever, out of every later collection of garbage, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
