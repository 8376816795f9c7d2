"""Inspection plans get versions; what was decided follows from verdicts and the ledger instead of from counters.

Nothing was ever written to the tables of inspections before, so they are made anew.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

KINDS = [
    ("pass_fail", "Yes or no"),
    ("measurement", "Measurement"),
    ("photo", "Photo or file"),
    ("text", "Note"),
]


def key():
    return ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


def person():
    return models.ForeignKey(
        blank=True,
        null=True,
        on_delete=django.db.models.deletion.SET_NULL,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
    )


def figure(**options):
    return models.DecimalField(decimal_places=6, max_digits=18, **options)


def protected(to, related_name, **options):
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name=related_name, to=to, **options)


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0006_movement_happened"),
        ("production", "0005_demands"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.DeleteModel(name="InspectionFile"),
        migrations.DeleteModel(name="InspectionResult"),
        migrations.DeleteModel(name="InspectionDecision"),
        migrations.DeleteModel(name="Inspection"),
        migrations.RemoveConstraint(model_name="inspectionplan", name="production_inspectionplan_once"),
        migrations.AlterModelOptions(name="inspectionplan", options={"ordering": ("item", "applies_to", "-version")}),
        migrations.AddField(model_name="inspectionplan", name="version", field=models.PositiveIntegerField(default=1)),
        migrations.AddField(
            model_name="inspectionplan",
            name="created_at",
            field=models.DateTimeField(auto_now_add=True, default=django.utils.timezone.now),
            preserve_default=False,
        ),
        migrations.AddField(model_name="inspectionplan", name="created_by", field=person()),
        migrations.AddField(
            model_name="historicalinspectionplan", name="version", field=models.PositiveIntegerField(default=1)
        ),
        migrations.AddField(
            model_name="historicalinspectionplan",
            name="created_at",
            field=models.DateTimeField(blank=True, default=django.utils.timezone.now, editable=False),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="historicalinspectionplan",
            name="created_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="inspectionplan",
            constraint=models.UniqueConstraint(
                fields=("item", "applies_to", "version"), name="production_inspectionplan_version_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="inspectionplan",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_active", True)),
                fields=("item", "applies_to"),
                name="production_inspectionplan_active_once",
            ),
        ),
        migrations.AlterField(
            model_name="inspectioncheck",
            name="kind",
            field=models.CharField(choices=KINDS, default="pass_fail", max_length=12),
        ),
        migrations.CreateModel(
            name="Inspection",
            fields=[
                key(),
                (
                    "applies_to",
                    models.CharField(
                        choices=[("output", "What is made"), ("receipt", "What is received")], max_length=8
                    ),
                ),
                ("quantity", figure(help_text="Came into hold, in the stock unit.")),
                ("opened_at", models.DateTimeField(help_text="When the goods came into hold.")),
                ("item", protected("inventory.item", "inspections")),
                ("location", protected("inventory.location", "+")),
                ("lot", protected("inventory.lot", "inspections")),
                ("plan", protected("production.inspectionplan", "inspections", blank=True, null=True)),
                (
                    "posting",
                    protected("inventory.posting", "inspections", help_text="The completion or receipt behind it."),
                ),
            ],
            options={
                "ordering": ("-id",),
                "permissions": (("inspect", "Can pass and fail inspections"),),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("quantity__gt", 0)), name="production_inspection_quantity_positive"
                    ),
                    models.UniqueConstraint(
                        fields=("posting", "item", "location", "lot"), name="production_inspection_once_of_a_cell"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="InspectionVerdict",
            fields=[
                key(),
                ("key", models.UUIDField(unique=True)),
                (
                    "request_hash",
                    models.BinaryField(help_text="SHA-256 of the request that used the key.", max_length=32),
                ),
                ("note", models.CharField(blank=True, max_length=500)),
                ("decided_at", models.DateTimeField()),
                ("decided_by", person()),
                ("inspection", protected("production.inspection", "verdicts")),
            ],
            options={
                "ordering": ("id",),
                "indexes": [models.Index(fields=["decided_at"], name="production_verdict_decided")],
            },
        ),
        migrations.CreateModel(
            name="InspectionDecision",
            fields=[
                key(),
                (
                    "disposition",
                    models.CharField(
                        choices=[
                            ("release", "Release"),
                            ("scrap", "Scrap"),
                            ("rework", "Rework"),
                            ("quarantine", "Quarantine"),
                        ],
                        max_length=10,
                    ),
                ),
                ("quantity", figure(help_text="Stock unit.")),
                ("reason", models.CharField(blank=True, max_length=100)),
                ("posting", protected("inventory.posting", "inspection_decisions")),
                ("verdict", protected("production.inspectionverdict", "decisions")),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("quantity__gt", 0)), name="production_inspectiondecision_quantity_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("disposition", "release"), models.Q(("reason", ""), _negated=True), _connector="OR"
                        ),
                        name="production_inspectiondecision_failing_says_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="InspectionResult",
            fields=[
                key(),
                ("check_name", models.CharField(help_text="As the plan said then.", max_length=200)),
                ("kind", models.CharField(choices=KINDS, max_length=12)),
                ("unit", models.CharField(blank=True, max_length=16)),
                ("minimum", figure(blank=True, null=True)),
                ("maximum", figure(blank=True, null=True)),
                ("sample", models.PositiveIntegerField(default=1, help_text="Number of the sample, from 1.")),
                ("measured", figure(blank=True, null=True)),
                ("text", models.CharField(blank=True, max_length=500)),
                ("is_passed", models.BooleanField(null=True)),
                ("verdict", protected("production.inspectionverdict", "results")),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.CreateModel(
            name="InspectionFile",
            fields=[
                key(),
                ("file", models.FileField(upload_to="inspections/%Y/%m/")),
                ("name", models.CharField(help_text="As it was called where it came from.", max_length=200)),
                ("content_type", models.CharField(help_text="As its first bytes say.", max_length=40)),
                ("size_bytes", models.PositiveIntegerField()),
                ("uploaded_at", models.DateTimeField(auto_now_add=True)),
                ("inspection", protected("production.inspection", "files")),
                ("uploaded_by", person()),
            ],
            options={"ordering": ("id",)},
        ),
    ]
