"""What is done with exceptions is kept, and there are rights to give and to report them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0006_movement_happened"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="exceptioncase",
            options={
                "ordering": ("-severity", "opened_at"),
                "permissions": (
                    ("resolve_exceptioncase", "Can take, snooze and resolve exceptions"),
                    ("assign_exceptioncase", "Can give exceptions to others"),
                    ("report_exceptioncase", "Can report a problem"),
                ),
            },
        ),
        migrations.CreateModel(
            name="ExceptionEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "step",
                    models.CharField(
                        choices=[
                            ("reported", "Reported"),
                            ("taken", "Taken"),
                            ("assigned", "Given"),
                            ("released", "Let go"),
                            ("snoozed", "Put away"),
                            ("woken", "Brought back"),
                            ("resolved", "Resolved"),
                            ("reopened", "Opened again"),
                            ("noted", "Note"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "words",
                    models.CharField(
                        blank=True, help_text="The note, the person it was given to, until when.", max_length=500
                    ),
                ),
                ("happened_at", models.DateTimeField()),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="events", to="inventory.exceptioncase"
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
    ]
