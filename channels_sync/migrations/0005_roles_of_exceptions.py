"""Who reports, takes and gives exceptions: operators report and settle them, planners also give them to others."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

GRANTED = {
    "counter": ("report_exceptioncase",),
    "operator": ("report_exceptioncase", "resolve_exceptioncase"),
    "planner": ("report_exceptioncase", "resolve_exceptioncase", "assign_exceptioncase"),
    "approver": ("resolve_exceptioncase",),
    "administrator": ("report_exceptioncase", "resolve_exceptioncase", "assign_exceptioncase"),
}
NEW_MODELS = (("inventory", "exceptionevent"), ("production", "inspectionverdict"))
"""Tables that came with exceptions and inspections: whoever sees the rest sees them, administrators change them."""
SEE_EVERYTHING = ("viewer", "operator", "planner", "approver", "administrator")


def grant(apps, schema_editor):
    alias = schema_editor.connection.alias
    for label in ("inventory", "production"):
        create_permissions(installed.get_app_config(label), verbosity=0, using=alias)
    Group = apps.get_model("auth", "Group")
    for name, wanted in GRANTED.items():
        group = Group.objects.filter(name=name).first()
        if group is not None:
            group.permissions.add(*_of(apps, "inventory", codename__in=wanted))
    for group in Group.objects.filter(name__in=SEE_EVERYTHING):
        for label, model in NEW_MODELS:
            rights = {} if group.name == "administrator" else {"codename": f"view_{model}"}
            group.permissions.add(*_of(apps, label, content_type__model=model, **rights))


def _of(apps, label, **where):
    return apps.get_model("auth", "Permission").objects.filter(content_type__app_label=label, **where)


def take_back(apps, schema_editor):
    """Only what was new; operators could not settle exceptions before."""
    Group = apps.get_model("auth", "Group")
    for group in Group.objects.filter(name__in=GRANTED):
        new = ["report_exceptioncase", "assign_exceptioncase"]
        if group.name in ("operator", "approver"):
            new.append("resolve_exceptioncase")
        group.permissions.remove(*_of(apps, "inventory", codename__in=new))
        for label, model in NEW_MODELS:
            group.permissions.remove(*_of(apps, label, content_type__model=model))


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0004_nightly_ledger_check"),
        ("inventory", "0007_exception_events"),
        ("production", "0006_inspection_verdicts"),
    ]

    operations = [migrations.RunPython(grant, take_back)]
