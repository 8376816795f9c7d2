"""Ranks of items and cells due to be counted, worked out every night."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0008_report_standing_trouble"),
    ]

    operations = [
        migrations.CreateModel(
            name="CountDue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("available", "Available"),
                            ("qc_hold", "QC hold"),
                            ("quarantine", "Quarantine"),
                            ("damaged", "Damaged"),
                            ("expired", "Expired"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "reason",
                    models.SmallIntegerField(help_text="The most urgent one, as a place in reads.count_plan.REASONS."),
                ),
                (
                    "moved",
                    models.DecimalField(
                        decimal_places=6,
                        default=0,
                        help_text="In and out added up since the last count when that is much, in the stock unit.",
                        max_digits=28,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CountRank",
            fields=[
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="count_rank",
                        serialize=False,
                        to="inventory.item",
                    ),
                ),
                (
                    "group",
                    models.CharField(
                        choices=[("A", "A · counted most often"), ("B", "B"), ("C", "C · counted least often")],
                        help_text="Class by the value used in a year.",
                        max_length=1,
                    ),
                ),
                (
                    "used_value",
                    models.DecimalField(decimal_places=6, help_text="In a year, in base currency.", max_digits=20),
                ),
                ("position", models.PositiveIntegerField(help_text="1 is counted first.")),
                ("ranked_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("position",),
                "indexes": [models.Index(fields=["position"], name="inventory_countrank_position")],
            },
        ),
        migrations.AddField(
            model_name="countdue",
            name="item",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="inventory.item",
            ),
        ),
        migrations.AddField(
            model_name="countdue",
            name="location",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="inventory.location",
            ),
        ),
        migrations.AddField(
            model_name="countdue",
            name="lot",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="inventory.lot",
            ),
        ),
        migrations.AddIndex(
            model_name="countdue",
            index=models.Index(fields=["reason", "item"], name="inventory_countdue_reason"),
        ),
        migrations.AddConstraint(
            model_name="countdue",
            constraint=models.UniqueConstraint(
                fields=("item", "location", "lot", "status"), name="inventory_countdue_once"
            ),
        ),
    ]
