"""The page of everything that runs by itself: when, how it went, switched on and off, and run at once."""

from __future__ import annotations

import json

from celery import current_app
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST
from django_celery_beat.models import PeriodicTask

from inventory.operations.switching_schedules import switch_schedule
from inventory.reads.schedules import ScheduleState, in_trouble, schedules
from inventory.wakeups import reaches_workers
from inventory.web import go_to, render_page

SENT_SECONDS = 3_600
"""A message nobody took by then is dropped; the schedule has sent another one."""
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
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch a schedule on or off."""
    assert request.user.is_authenticated
    task = get_object_or_404(PeriodicTask, pk=pk)
    to = request.POST.get("to")
    if to not in ("on", "off"):
        return go_to(request, "schedules", message=f"{task.name}: nothing was changed. Choose on or off.")
    switch_schedule(task=task, is_on=to == "on", actor=request.user)
    return go_to(request, "schedules", message=f"{task.name}: {to}.")


@require_POST
@permission_required(CHANGE, raise_exception=True)
def run_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Send for a worker now. The task looks itself for what is to be done."""
    task = get_object_or_404(PeriodicTask, pk=pk)
    args, kwargs = json.loads(task.args), json.loads(task.kwargs)
    is_sent = reaches_workers(
        lambda: current_app.send_task(task.task, args=args, kwargs=kwargs, retry=False, expires=SENT_SECONDS),
        task=task.task,
    )
    words = (
        "sent to a worker."
        if is_sent
        else "the message broker does not answer, so no worker was told. It runs when due."
    )
    return go_to(request, "schedules", message=f"{task.name}: {words}")
