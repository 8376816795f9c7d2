"""Count classes keep their history; who may read it."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0005_count_classes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="invariantrun",
            options={
                "ordering": ("-id",),
                "permissions": (
                    ("run_invariants", "Can check the ledger by hand"),
                    ("read_audit", "Can see who changed what and when"),
                ),
            },
        ),
        migrations.CreateModel(
            name="HistoricalCountClass",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                (
                    "group",
                    models.CharField(
                        choices=[("A", "A · counted most often"), ("B", "B"), ("C", "C · counted least often")],
                        db_index=True,
                        max_length=1,
                    ),
                ),
                (
                    "counts_per_year",
                    models.DecimalField(
                        decimal_places=2,
                        max_digits=6,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                    ),
                ),
                (
                    "tolerance_percent",
                    models.DecimalField(
                        decimal_places=3,
                        help_text="Of the expected quantity.",
                        max_digits=6,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                    ),
                ),
                (
                    "share_percent",
                    models.DecimalField(
                        decimal_places=3,
                        help_text="Up to this share of the year's usage value the items belong here, the largest first.",
                        max_digits=6,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                    ),
                ),
                (
                    "approval_value",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="A variance worth more needs a second person, in base currency.",
                        max_digits=20,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical count class",
                "verbose_name_plural": "historical count classes",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
    ]
