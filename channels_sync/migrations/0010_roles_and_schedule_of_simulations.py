"""Who may try out rules: planners and approvers ask, everybody who sees the rest reads. And a look for lost work each minute."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.utils import timezone

TASK = "Simulator: find work"
SEE_EVERYTHING = ("viewer", "operator", "planner", "approver")
ASK = ("planner", "approver")


def grant(apps, schema_editor):
    create_permissions(installed.get_app_config("channels_sync"), verbosity=0, using=schema_editor.connection.alias)
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(content_type__app_label="channels_sync", content_type__model="simulation")
    for group in Group.objects.filter(name__in=SEE_EVERYTHING):
        group.permissions.add(*ours.filter(codename="view_simulation"))
    for group in Group.objects.filter(name__in=ASK):
        group.permissions.add(*ours.filter(codename="add_simulation"))
    for group in Group.objects.filter(name="administrator"):
        group.permissions.add(*ours)


def take_back(apps, schema_editor):
    """The permissions go with their model."""


def schedule(apps, schema_editor):
    interval_model = apps.get_model("django_celery_beat", "IntervalSchedule")
    every_minute = interval_model.objects.filter(every=1, period="minutes").first()
    if every_minute is None:
        every_minute = interval_model.objects.create(every=1, period="minutes")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name=TASK,
        defaults={
            "task": "channels_sync.tasks.run_simulations",
            "interval": every_minute,
            "expire_seconds": 55,
            "description": "Takes up simulations whose wake-up was lost or whose worker is gone.",
        },
    )
    _tell_beat(apps)


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=TASK).delete()
    _tell_beat(apps)


def _tell_beat(apps):
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0009_simulations"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.RunPython(grant, take_back),
        migrations.RunPython(schedule, unschedule),
    ]
