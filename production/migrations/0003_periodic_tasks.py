"""BOM versions begin and end by date."""

from django.db import migrations
from django.utils import timezone

NAME = "BOMs: begin and end versions"


def create(apps, schema_editor):
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="2", hour="*", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name=NAME,
        defaults={
            "task": "production.tasks.begin_and_end_boms",
            "crontab": crontab,
            "expire_seconds": 3000,
            "description": "Versions that were planned for a day begin, and the ones they replace end.",
        },
    )
    _tell_beat(apps)


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()
    _tell_beat(apps)


def _tell_beat(apps):
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("production", "0002_bom_frozen_once_used"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create, remove)]
