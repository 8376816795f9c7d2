"""Counts of the last hours are found by when they were scanned, for the plan of counts."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("inventory", "0010_rank_items_nightly")]

    operations = [
        AddIndexConcurrently(
            "countline",
            models.Index(
                condition=models.Q(("state", "posted")), fields=["scanned_at"], name="inventory_countline_recent"
            ),
        ),
    ]
