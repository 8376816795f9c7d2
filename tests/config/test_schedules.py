"""What runs by itself: how runs are noted, what counts as late, and the page."""

from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from config import task_runs
from inventory.models import TaskRun
from inventory.operations.noting_runs import note_run
from inventory.reads.schedules import ScheduleState, schedules

pytestmark = pytest.mark.django_db
TASK = "inventory.tasks.expire_lots"


@pytest.fixture
def notes():
    return task_runs.Notes()


def run(notes, *, task=TASK, error=None):
    notes.begin("message")
    if error is not None:
        notes.fail("message", error)
    notes.end("message", task=task)


def make_schedule(name="Nightly", *, task=TASK, changed, **schedule):
    if not schedule:
        schedule = {"interval": IntervalSchedule.objects.get_or_create(every=1, period="hours")[0]}
    found = PeriodicTask.objects.create(name=name, task=task, **schedule)
    PeriodicTask.objects.filter(pk=found.pk).update(date_changed=changed)
    return found


def state_of(name):
    (found,) = [one for one in schedules() if one.task.name == name]
    return found.state


def test_a_run_is_noted_with_what_it_took_and_the_next_one_adds_to_it(notes):
    run(notes)
    first = TaskRun.objects.get()
    notes.noted_at.clear()
    run(notes)
    again = TaskRun.objects.get()

    assert (first.task, first.runs, first.has_failed) == (TASK, 1, False)
    assert first.succeeded_at - first.started_at == pytest.approx(
        timedelta(milliseconds=first.milliseconds), abs=timedelta(milliseconds=2)
    )
    assert again.runs == 2
    assert again.started_at > first.started_at


def test_what_runs_many_times_a_second_is_noted_once_in_a_while_and_counted_all_the_same(notes):
    for _ in range(5):
        run(notes)
    assert TaskRun.objects.get().runs == 1

    notes.noted_at[TASK] -= task_runs.NOTED_AGAIN_SECONDS
    run(notes)
    assert TaskRun.objects.get().runs == 6


def test_a_failure_is_noted_at_once_and_the_next_success_is_seen(notes):
    run(notes)
    run(notes, error=ValueError("no such lot"))
    failed = TaskRun.objects.get()
    notes.noted_at.clear()
    run(notes)
    mended = TaskRun.objects.get()

    assert failed.has_failed
    assert failed.error == "ValueError: no such lot"
    assert not mended.has_failed
    assert mended.failed_at == failed.failed_at


def test_a_database_that_cannot_be_reached_loses_no_count(notes, monkeypatch, caplog):
    real = task_runs.note_run
    monkeypatch.setattr(task_runs, "note_run", Mock(side_effect=OperationalError("gone")))
    run(notes)
    monkeypatch.setattr(task_runs, "note_run", real)
    run(notes)

    assert TaskRun.objects.get().runs == 2
    assert "task_run.not_noted" in caplog.text


def test_the_signals_of_a_worker_reach_the_notes(monkeypatch, settings):
    from celery.signals import task_failure, task_postrun, task_prerun

    from config.celery import app

    monkeypatch.setattr(task_runs, "_notes", task_runs.Notes())

    @app.task(name="tests.broken")
    def broken():
        raise ValueError("broken on purpose")

    task_runs.note_runs()
    try:
        broken.apply()
    finally:
        for signal in (task_prerun, task_failure, task_postrun):
            assert signal.disconnect(dispatch_uid="note_runs")

    assert TaskRun.objects.get(task="tests.broken").error == "ValueError: broken on purpose"


def test_what_did_not_run_when_it_was_due_is_late():
    now = timezone.now()
    make_schedule("new", changed=now, task="inventory.tasks.one")
    make_schedule("never", changed=now - timedelta(hours=3), task="inventory.tasks.two")
    make_schedule("good", changed=now - timedelta(days=9), task="inventory.tasks.three")
    note_run(task="inventory.tasks.three", started_at=now - timedelta(minutes=50), seconds=2.0)
    make_schedule("late", changed=now - timedelta(days=9), task="inventory.tasks.four")
    note_run(task="inventory.tasks.four", started_at=now - timedelta(hours=2), seconds=2.0)
    make_schedule("failed", changed=now - timedelta(days=9), task="inventory.tasks.five")
    note_run(task="inventory.tasks.five", started_at=now, seconds=2.0, error="no")
    off = make_schedule("off", changed=now - timedelta(days=9), task="inventory.tasks.six")
    PeriodicTask.objects.filter(pk=off.pk).update(enabled=False)

    found = {one.task.name: one for one in schedules(tasks_of="inventory")}

    assert {name: found[name].state for name in ("new", "never", "good", "late", "failed", "off")} == {
        "new": ScheduleState.NEW,
        "never": ScheduleState.LATE,
        "good": ScheduleState.GOOD,
        "late": ScheduleState.LATE,
        "failed": ScheduleState.FAILED,
        "off": ScheduleState.OFF,
    }
    assert found["off"].next_at is None
    assert found["new"].next_at == pytest.approx(now + timedelta(hours=1), abs=timedelta(seconds=5))
    assert found["new"].when == "every hour"


@pytest.mark.parametrize("year", [2025, 2026, 2031])
@pytest.mark.parametrize(("hours", "state"), [(5, ScheduleState.GOOD), (20, ScheduleState.LATE)])
def test_a_nightly_task_is_late_the_morning_after_the_night_it_missed(year, hours, state):
    """As of the moment asked about, whatever the clock says."""
    nightly, _ = CrontabSchedule.objects.get_or_create(minute="10", hour="2", timezone="UTC")
    at = datetime(year, 11, 27, 9, tzinfo=UTC)
    make_schedule("night", changed=at - timedelta(days=30), crontab=nightly)
    note_run(task=TASK, started_at=at - timedelta(hours=hours), seconds=1.0)

    (found,) = [one for one in schedules(at=at) if one.task.name == "night"]

    assert (found.when, found.state) == ("At 02:10, UTC", state)


def test_the_page_costs_the_same_queries_for_some_and_for_many(client, administrator, django_assert_max_num_queries):
    client.force_login(administrator)
    now = timezone.now()
    client.get(reverse("schedules"))
    with django_assert_max_num_queries(25) as few:
        assert client.get(reverse("schedules")).status_code == 200
    for number in range(40):
        make_schedule(f"Another {number}", task=f"inventory.tasks.x{number}", changed=now)
        note_run(
            task=f"inventory.tasks.x{number}", started_at=now, seconds=0.5, error="it broke" if number % 2 else None
        )
    with django_assert_max_num_queries(25) as many:
        page = client.get(reverse("schedules")).content.decode()

    assert len(few.captured_queries) == len(many.captured_queries)
    assert "it broke" in page
    assert "late or failed" in page


def test_whoever_may_switches_off_and_runs_at_once(client: Client, administrator, planner, monkeypatch):
    task = PeriodicTask.objects.get(name="Stock: expire lots")
    sent = Mock()
    monkeypatch.setattr("config.schedules.current_app.send_task", sent)

    client.force_login(planner)
    assert "Switch off" not in client.get(reverse("schedules")).content.decode()
    assert client.post(reverse("switch_schedule", args=[task.pk]), {"to": "off"}).status_code == 403

    client.force_login(administrator)
    client.post(reverse("switch_schedule", args=[task.pk]), {"to": "off"})
    assert state_of(task.name) == ScheduleState.OFF
    client.post(reverse("switch_schedule", args=[task.pk]), {"to": "on"})
    assert state_of(task.name) != ScheduleState.OFF
    client.post(reverse("run_now", args=[task.pk]))
    (((name,), options),) = sent.call_args_list
    assert (name, options["args"], options["kwargs"], options["retry"]) == (TASK, [], {}, False)

    sent.side_effect = ConnectionError("refused")
    answer = client.post(reverse("run_now", args=[task.pk]), follow=True)
    assert "does not answer" in answer.content.decode()


def test_who_switched_a_schedule_stands_in_the_audit_once(client: Client, administrator):
    task = PeriodicTask.objects.get(name="Ledger: check every fact")
    client.force_login(administrator)
    for to in ("off", "off", "nonsense", ""):
        assert client.post(reverse("switch_schedule", args=[task.pk]), {"to": to}).status_code == 302
    assert client.post(reverse("switch_schedule", args=[task.pk + 1000]), {"to": "off"}).status_code == 404

    (row,) = LogEntry.objects.all()
    assert (row.user, row.object_repr.split(":")[0]) == (administrator, "Ledger")
    assert state_of(task.name) == ScheduleState.OFF
    assert "Ledger: check every fact" in client.get(reverse("audit")).content.decode()
