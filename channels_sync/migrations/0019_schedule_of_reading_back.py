"""When channels are read back: a sample every five minutes, everything at night. Rows that staff can see and change."""

from django.db import migrations
from django.utils import timezone

SAMPLE, EVERYTHING = "Publishing: read back a sample", "Publishing: read back everything"


def create(apps, schema_editor):
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    interval = intervals.filter(every=5, period="minutes").first() or intervals.create(every=5, period="minutes")
    tasks.update_or_create(
        name=SAMPLE,
        defaults={
            "task": "channels_sync.tasks.read_back_samples",
            "interval": interval,
            "expire_seconds": 240,
            "description": "Compares what channels show with what was sent: the riskiest and the longest unread listings.",
        },
    )
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="10", hour="1-5", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    tasks.update_or_create(
        name=EVERYTHING,
        defaults={
            "task": "channels_sync.tasks.read_back_everything",
            "crontab": crontab,
            "expire_seconds": 3000,
            "description": "Compares every listing. The later hours go on where an earlier one had to stop.",
        },
    )
    _tell_beat(apps)


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=(SAMPLE, EVERYTHING)).delete()
    _tell_beat(apps)


def _tell_beat(apps):
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0018_roles_of_differences"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create, remove)]
