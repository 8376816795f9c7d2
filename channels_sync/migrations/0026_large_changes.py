import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now

_OF_PIECES = """
WITH made AS (
  INSERT INTO channels_sync_widechange (cause, posting_id, changed_at, actors, parts)
  SELECT cause, posting_id, changed_at, actors, count(*) FROM channels_sync_recomputepiece GROUP BY 1, 2, 3, 4
  RETURNING id, cause, posting_id, changed_at, actors
)
UPDATE channels_sync_recomputepiece p SET wide_id = made.id FROM made
WHERE (p.cause, p.actors) = (made.cause, made.actors)
  AND p.posting_id IS NOT DISTINCT FROM made.posting_id AND p.changed_at IS NOT DISTINCT FROM made.changed_at
"""


class Migration(migrations.Migration):
    """What touches more listings than one transaction takes is a row, which its pieces and its runs belong to."""

    dependencies = [
        ("channels_sync", "0025_outbox_knows_its_run"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="WideChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cause", models.TextField(help_text="What made the figures change, in words.")),
                ("posting_id", models.BigIntegerField(help_text="Newest posting among the changes.", null=True)),
                ("changed_at", models.DateTimeField(help_text="Oldest of the changes.", null=True)),
                (
                    "actors",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        default=list,
                        help_text="Users whose acts are among the changes.",
                        size=None,
                    ),
                ),
                (
                    "parts",
                    models.PositiveIntegerField(
                        help_text="Transactions it was cut into; each makes a run of each channel it changes."
                    ),
                ),
                ("recorded_at", models.DateTimeField(db_default=Now())),
            ],
            options={"ordering": ("-id",)},
        ),
        migrations.AddField(
            model_name="recomputepiece",
            name="wide",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="pieces",
                to="channels_sync.widechange",
            ),
        ),
        migrations.RunSQL(_OF_PIECES, migrations.RunSQL.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="recomputepiece",
            name="wide",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="pieces", to="channels_sync.widechange"
            ),
        ),
        migrations.RemoveField(model_name="recomputepiece", name="actors"),
        migrations.RemoveField(model_name="recomputepiece", name="cause"),
        migrations.RemoveField(model_name="recomputepiece", name="changed_at"),
        migrations.RemoveField(model_name="recomputepiece", name="posting_id"),
        migrations.AddField(
            model_name="publishrun",
            name="wide",
            field=models.ForeignKey(
                db_index=False,
                help_text="What it is a part of, where that touched too much for one transaction.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="runs",
                to="channels_sync.widechange",
            ),
        ),
        migrations.AddIndex(
            model_name="publishrun",
            index=models.Index(
                condition=models.Q(("wide__isnull", False)), fields=["wide"], name="channels_sync_run_of_wide"
            ),
        ),
        migrations.CreateModel(
            name="WideDecision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "verdict",
                    models.CharField(
                        choices=[("approve", "Approved"), ("refuse", "Refused"), ("undo", "Taken back")], max_length=10
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("listings", models.PositiveIntegerField(help_text="Changes it was about when it was decided.")),
                (
                    "newest_hold",
                    models.BigIntegerField(
                        default=0, help_text="What began to wait later was not seen and is not decided."
                    ),
                ),
                (
                    "newest_run",
                    models.BigIntegerField(
                        default=0, help_text="Runs made later were not seen and are not taken back."
                    ),
                ),
                (
                    "last_run",
                    models.BigIntegerField(
                        default=0, help_text="Runs are gone through in order, up to this one so far."
                    ),
                ),
                ("changed", models.PositiveIntegerField(default=0, help_text="New figures it led to.")),
                ("held", models.PositiveIntegerField(default=0, help_text="Changes it led to that wait again.")),
                ("frozen", models.PositiveIntegerField(default=0, help_text="Listings it froze.")),
                (
                    "problems",
                    models.JSONField(default=list, help_text="Runs it could not be carried out for: run and words."),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels_sync.channel",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "wide",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="channels_sync.widechange",
                    ),
                ),
            ],
            options={"ordering": ("-id",)},
        ),
        migrations.AddConstraint(
            model_name="widedecision",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)),
                fields=("wide",),
                name="channels_sync_decision_one_open",
            ),
        ),
    ]
