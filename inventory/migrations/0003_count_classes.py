"""The usual three classes of cycle counts; staff change them to their needs."""

from decimal import Decimal

from django.db import migrations

CLASSES = (  # group, counts a year, tolerance %, share of the year's usage value %, approval above
    ("A", "4", "1", "80", "100"),
    ("B", "2", "3", "95", "100"),
    ("C", "1", "5", "100", "100"),
)


def make_classes(apps, schema_editor):
    CountClass = apps.get_model("inventory", "CountClass")
    for group, counts, tolerance, share, approval in CLASSES:
        CountClass.objects.get_or_create(
            group=group,
            defaults={
                "counts_per_year": Decimal(counts),
                "tolerance_percent": Decimal(tolerance),
                "share_percent": Decimal(share),
                "approval_value": Decimal(approval),
            },
        )


class Migration(migrations.Migration):
    dependencies = [("inventory", "0002_ledger_append_only")]

    operations = [migrations.RunPython(make_classes, migrations.RunPython.noop)]
