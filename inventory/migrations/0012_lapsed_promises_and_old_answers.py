"""Promises whose time is over are let go of every minute, stored answers of the API are forgotten every night."""

from django.conf import settings
from django.db import migrations
from django.utils import timezone

LAPSED = "Stock: let go of promises whose time is over"
FORGET = "API: forget old answers"


def create(apps, schema_editor):
    interval_model = apps.get_model("django_celery_beat", "IntervalSchedule")
    every_minute = interval_model.objects.filter(every=60, period="seconds").first()
    if every_minute is None:
        every_minute = interval_model.objects.create(every=60, period="seconds")
    nightly, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="50",
        hour="2",
        day_of_week="*",
        day_of_month="*",
        month_of_year="*",
        timezone=settings.TIME_ZONE,
    )
    task_model = apps.get_model("django_celery_beat", "PeriodicTask")
    task_model.objects.update_or_create(
        name=LAPSED,
        defaults={
            "task": "inventory.tasks.release_lapsed_reservations",
            "interval": every_minute,
            "expire_seconds": 60,
            "description": "What was reserved until a time is free again after it, also for the channels.",
        },
    )
    task_model.objects.update_or_create(
        name=FORGET,
        defaults={
            "task": "inventory.tasks.forget_old_answers",
            "crontab": nightly,
            "expire_seconds": 6 * 3600,
            "description": "Answers kept for requests that are sent again with the same key are deleted after 30 days.",
        },
    )
    _tell_beat(apps)


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=[LAPSED, FORGET]).delete()
    _tell_beat(apps)


def _tell_beat(apps):
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0011_countline_recent"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create, remove)]
