"""The Celery application. Messages only wake workers; what is to be done stands in the database."""

import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

app = Celery("backflush")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def _note_runs(**_: object) -> None:
    """Workers note how their tasks went; processes that only send messages do not."""
    from config.task_runs import note_runs

    note_runs()
