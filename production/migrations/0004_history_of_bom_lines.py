"""Lines of a BOM keep their history."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0006_history_of_count_classes"),
        ("production", "0003_periodic_tasks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="HistoricalBomLine",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("position", models.PositiveIntegerField(default=0)),
                (
                    "quantity",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="Per batch, as typed.",
                        max_digits=18,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.000001"))],
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        blank=True, help_text="As typed; empty means the component's stock unit.", max_length=32
                    ),
                ),
                ("unit_numerator", models.DecimalField(decimal_places=0, default=1, editable=False, max_digits=40)),
                ("unit_denominator", models.DecimalField(decimal_places=0, default=1, editable=False, max_digits=40)),
                (
                    "scrap_percent",
                    models.DecimalField(
                        decimal_places=3,
                        default=Decimal("0"),
                        help_text="Expected loss, added on top.",
                        max_digits=7,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                        verbose_name="scrap %",
                    ),
                ),
                (
                    "setup_quantity",
                    models.DecimalField(
                        decimal_places=6,
                        default=Decimal("0"),
                        help_text="Used once per run, in the line's unit.",
                        max_digits=18,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                    ),
                ),
                (
                    "rounding_multiple",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="Rounded up to a multiple of this, in the line's unit.",
                        max_digits=18,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.000001"))],
                    ),
                ),
                (
                    "issue_method",
                    models.CharField(
                        choices=[
                            ("backflush", "Backflush the standard"),
                            ("prompt", "Ask for the actual"),
                            ("manual", "Issued by hand, not backflushed"),
                        ],
                        default="backflush",
                        max_length=10,
                    ),
                ),
                (
                    "is_consumable",
                    models.BooleanField(default=False, help_text="Costed, not counted.", verbose_name="consumable"),
                ),
                (
                    "is_optional",
                    models.BooleanField(
                        default=False, help_text="Not consumed unless asked for.", verbose_name="optional"
                    ),
                ),
                (
                    "is_phantom",
                    models.BooleanField(
                        default=False,
                        help_text="Use the parts of this component instead of taking it from stock.",
                        verbose_name="explode",
                    ),
                ),
                (
                    "reference",
                    models.CharField(blank=True, help_text="Drawing position or designator.", max_length=250),
                ),
                ("note", models.CharField(blank=True, max_length=500)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "bom",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="production.bom",
                    ),
                ),
                (
                    "component",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="inventory.item",
                    ),
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
                "verbose_name": "historical BOM line",
                "verbose_name_plural": "historical BOM lines",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
    ]
