"""The page of everything that runs by itself: when, how it went, switched on and off, and run at once."""

from __future__ import annotations

import json
import logging

from celery import current_app
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import OperationalError

from inventory.reads.schedules import ScheduleState, in_trouble, schedules
from inventory.web import go_to, render_page

logger = logging.getLogger(__name__)

SEE, CHANGE = "inventory.view_invariantrun", "django_celery_beat.change_periodictask"


@require_GET
@permission_required(SEE, raise_exception=True)
def schedules_page(request: HttpRequest) -> HttpResponse:
    """Every schedule with its last run."""
    found = schedules()
    return render_page(
        request,
        "config/schedules.html",
        title="Schedules",
        rows=found,
        trouble=in_trouble(found),
        off=[one for one in found if one.state == ScheduleState.OFF],
        may_change=request.user.has_perm(CHANGE),
    )


@require_POST
@permission_required(CHANGE, raise_exception=True)
def switch_schedule(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch a schedule on or off. The scheduler reads it within seconds."""
    task = get_object_or_404(PeriodicTask, pk=pk)
    task.enabled = request.POST.get("to") == "on"
    task.save(update_fields=["enabled", "date_changed"])
    return go_to(request, "schedules", message=f"{task.name}: {'on' if task.enabled else 'off'}.")


@require_POST
@permission_required(CHANGE, raise_exception=True)
def run_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Send for a worker now. The task looks itself for what is to be done."""
    task = get_object_or_404(PeriodicTask, pk=pk)
    try:
        current_app.send_task(task.task, args=json.loads(task.args), kwargs=json.loads(task.kwargs))
    except OperationalError:
        logger.exception("schedule.not_sent", extra={"task": task.task})
        return go_to(
            request,
            "schedules",
            message=f"{task.name}: the message broker does not answer, so no worker was told. It runs when it is due.",
        )
    return go_to(request, "schedules", message=f"{task.name}: sent to a worker.")
