"""Switching on and off what runs by itself."""

from __future__ import annotations

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django_celery_beat.models import PeriodicTask

from inventory.operations.transactions import operation


@operation
def switch_schedule(*, task: PeriodicTask, is_on: bool, actor: User) -> None:
    """Have a schedule run, or not; the scheduler reads it within seconds. Who changed it stands in the audit."""
    known = PeriodicTask.objects.select_for_update(of=("self",), no_key=True).get(pk=task.pk)
    if known.enabled == is_on:
        return
    known.enabled = is_on
    known.save()
    LogEntry.objects.log_actions(actor.pk, [known], CHANGE, change_message=[{"changed": {"fields": ["Enabled"]}}])
