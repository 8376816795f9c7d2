"""Completions say where scrapped units were put."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0011_countline_recent"),
        ("production", "0010_nightly_missed_completions"),
    ]

    operations = [
        migrations.AddField(
            model_name="completion",
            name="scrap_location",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                help_text="Where the scrapped units were put. They are waste, not stock.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="inventory.location",
            ),
        ),
        migrations.AddIndex(
            model_name="completion",
            index=models.Index(
                condition=models.Q(("scrap_location__isnull", False)),
                fields=["scrap_location"],
                name="production_completion_scrap_at",
            ),
        ),
    ]
