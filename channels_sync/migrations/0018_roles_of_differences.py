"""Who sees what channels show instead of our figures, who decides about it, and who sets how they are read back."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

MODELS = ("difference", "listingreading", "driftsetting", "historicaldriftsetting")
SEE = ("viewer", "operator", "planner", "approver")


def grant(apps, schema_editor):
    label = installed.get_app_config("channels_sync")
    create_permissions(label, verbosity=0, using=schema_editor.connection.alias)
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(content_type__app_label="channels_sync", content_type__model__in=MODELS)
    for group in Group.objects.filter(name__in=SEE):
        group.permissions.add(*ours.filter(codename__startswith="view_"))
    for group in Group.objects.filter(name="planner"):
        group.permissions.add(*ours.filter(codename="decide_difference"))
    for group in Group.objects.filter(name="administrator"):
        group.permissions.add(*ours)


def take_back(apps, schema_editor):
    """The permissions go with their models."""


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0017_differences_read_back")]

    operations = [migrations.RunPython(grant, take_back)]
