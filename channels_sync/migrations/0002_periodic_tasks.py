"""The schedule of publishing, as rows that staff can see and change."""

from django.db import migrations
from django.utils import timezone

SWEEP = "Publishing: find work"
RECOMPUTE = "Publishing: work out every listing"


def create(apps, schema_editor):
    interval_model = apps.get_model("django_celery_beat", "IntervalSchedule")
    crontab_model = apps.get_model("django_celery_beat", "CrontabSchedule")
    task_model = apps.get_model("django_celery_beat", "PeriodicTask")
    every_5_seconds = interval_model.objects.filter(every=5, period="seconds").first()
    if every_5_seconds is None:
        every_5_seconds = interval_model.objects.create(every=5, period="seconds")
    hourly, _ = crontab_model.objects.get_or_create(
        minute="1", hour="*", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    task_model.objects.update_or_create(
        name=SWEEP,
        defaults={
            "task": "channels_sync.tasks.sweep_publishing",
            "interval": every_5_seconds,
            "expire_seconds": 5,
            "description": "Wakes the workers for every due, unconfirmed or forgotten figure.",
        },
    )
    task_model.objects.update_or_create(
        name=RECOMPUTE,
        defaults={
            "task": "channels_sync.tasks.recompute_everything",
            "crontab": hourly,
            "expire_seconds": 3000,
            "description": "Lots and reservations expire and rules begin and end without anything being posted.",
        },
    )
    _tell_beat(apps)


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=[SWEEP, RECOMPUTE]).delete()
    _tell_beat(apps)


def _tell_beat(apps):
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create, remove)]
