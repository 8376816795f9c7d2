"""Movements are found by when they happened: bounds of reports and of the ledger's dates."""

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("inventory", "0005_count_classes_begin_their_history")]

    operations = [
        AddIndexConcurrently(
            "movement",
            BrinIndex(fields=["effective_at"], name="inventory_movement_happened", pages_per_range=32),
        ),
    ]
