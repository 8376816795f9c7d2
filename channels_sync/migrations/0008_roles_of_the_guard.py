"""Who decides about publishing: approvers approve, refuse and take back; planners freeze; administrators set limits.

Who sees the rest also sees what came with it since the first roles; administrators may do all of it.
"""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

APPS = ("inventory", "production", "channels_sync")
SEE_EVERYTHING = ("viewer", "operator", "planner", "approver")
GRANTED = {
    "planner": ["freeze_listing"],
    "approver": ["decide_publishrun", "freeze_listing"],
}


def grant(apps, schema_editor):
    for label in APPS:
        create_permissions(installed.get_app_config(label), verbosity=0, using=schema_editor.connection.alias)
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(content_type__app_label__in=APPS)
    for group in Group.objects.filter(name__in=SEE_EVERYTHING):
        group.permissions.add(*ours.filter(codename__startswith="view_"))
    for group in Group.objects.filter(name="administrator"):
        group.permissions.add(*ours)
    for name, codenames in GRANTED.items():
        for group in Group.objects.filter(name=name):
            group.permissions.add(*ours.filter(content_type__app_label="channels_sync", codename__in=codenames))


def take_back(apps, schema_editor):
    """The permissions go with their models."""


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0007_guard_of_publishing"),
        ("inventory", "0008_report_standing_trouble"),
        ("production", "0010_nightly_missed_completions"),
    ]

    operations = [migrations.RunPython(grant, take_back)]
