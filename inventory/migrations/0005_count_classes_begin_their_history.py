"""The classes that were made before their history began get its first row, so that the first change has a before."""

from django.db import migrations
from django.utils import timezone

FIELDS = ("id", "group", "counts_per_year", "tolerance_percent", "share_percent", "approval_value")


def begin(apps, schema_editor):
    classes = apps.get_model("inventory", "CountClass").objects.values(*FIELDS)
    history = apps.get_model("inventory", "HistoricalCountClass")
    history.objects.bulk_create(
        history(history_date=timezone.now(), history_type="+", **values)
        for values in classes
        if not history.objects.filter(id=values["id"]).exists()
    )


class Migration(migrations.Migration):
    dependencies = [("inventory", "0004_expire_lots_nightly")]

    operations = [migrations.RunPython(begin, migrations.RunPython.noop)]
