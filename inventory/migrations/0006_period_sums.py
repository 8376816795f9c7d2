"""A closed period keeps its sums, so that the list of closes need not add up its snapshots."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inventory", "0005_count_classes")]

    operations = [
        migrations.AddField(
            "periodclose",
            "items",
            models.PositiveIntegerField(default=0, help_text="Items with stock at the end."),
        ),
        migrations.AddField(
            "periodclose",
            "known_value",
            models.DecimalField(
                decimal_places=6,
                default=0,
                help_text="Of all stock at the end, in base currency.",
                max_digits=20,
            ),
        ),
        migrations.AddField(
            "periodclose",
            "unknown_items",
            models.PositiveIntegerField(
                default=0,
                help_text="Items of which a part had no known cost at the end; their known part is in the value.",
            ),
        ),
    ]
