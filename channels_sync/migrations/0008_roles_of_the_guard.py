"""Who decides about publishing: approvers approve, refuse and take back; planners freeze; administrators set limits."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

EVERYBODY = ["view_hold", "view_freeze", "view_channelguard"]
GRANTED = {
    "viewer": EVERYBODY,
    "operator": EVERYBODY,
    "planner": [*EVERYBODY, "freeze_listing"],
    "approver": [*EVERYBODY, "decide_publishrun", "freeze_listing"],
    "administrator": [*EVERYBODY, "decide_publishrun", "freeze_listing", "change_channelguard", "add_channelguard"],
}


def grant(apps, schema_editor):
    create_permissions(installed.get_app_config("channels_sync"), verbosity=0, using=schema_editor.connection.alias)
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(content_type__app_label="channels_sync")
    for name, codenames in GRANTED.items():
        for group in Group.objects.filter(name=name):
            group.permissions.add(*ours.filter(codename__in=codenames))


def take_back(apps, schema_editor):
    """The permissions go with their models."""


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0007_guard_of_publishing"), ("channels_sync", "0003_first_roles")]

    operations = [migrations.RunPython(grant, take_back)]
