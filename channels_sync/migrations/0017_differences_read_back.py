"""The last reading of each listing, and where it is not what was sent."""

import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0016_forget_old_maxima"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DriftSetting",
            fields=[
                (
                    "channel",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="drift_setting",
                        serialize=False,
                        to="channels_sync.channel",
                    ),
                ),
                (
                    "settle_minutes",
                    models.PositiveIntegerField(
                        default=10,
                        help_text="How long the channel may take to show a figure; a younger difference is only watched.",
                        validators=[django.core.validators.MaxValueValidator(2880)],
                    ),
                ),
                (
                    "sample_rows",
                    models.PositiveIntegerField(
                        default=50,
                        help_text="Listings read back every five minutes.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(200),
                        ],
                    ),
                ),
                (
                    "lost_lowering",
                    models.CharField(
                        choices=[
                            ("overwrite", "is overwritten with our figure"),
                            ("alert", "is told to a person"),
                            ("leave", "is left alone"),
                        ],
                        default="overwrite",
                        max_length=10,
                    ),
                ),
                (
                    "lost_raise",
                    models.CharField(
                        choices=[
                            ("alert", "is told to a person"),
                            ("overwrite", "is overwritten with our figure"),
                            ("leave", "is left alone"),
                        ],
                        default="alert",
                        max_length=10,
                    ),
                ),
                (
                    "edited",
                    models.CharField(
                        choices=[
                            ("alert", "is told to a person"),
                            ("overwrite", "is overwritten with our figure"),
                            ("adopt", "becomes the most we show, where it is lower"),
                            ("leave", "is left alone"),
                        ],
                        default="alert",
                        max_length=10,
                    ),
                ),
                (
                    "sold",
                    models.CharField(
                        choices=[("alert", "is told to a person"), ("leave", "is left alone")],
                        default="alert",
                        max_length=10,
                    ),
                ),
                (
                    "mapping",
                    models.CharField(
                        choices=[("alert", "is told to a person"), ("leave", "is left alone")],
                        default="alert",
                        max_length=10,
                    ),
                ),
                (
                    "unexplained",
                    models.CharField(
                        choices=[("alert", "is told to a person"), ("leave", "is left alone")],
                        default="alert",
                        max_length=10,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HistoricalDriftSetting",
            fields=[
                (
                    "settle_minutes",
                    models.PositiveIntegerField(
                        default=10,
                        help_text="How long the channel may take to show a figure; a younger difference is only watched.",
                        validators=[django.core.validators.MaxValueValidator(2880)],
                    ),
                ),
                (
                    "sample_rows",
                    models.PositiveIntegerField(
                        default=50,
                        help_text="Listings read back every five minutes.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(200),
                        ],
                    ),
                ),
                (
                    "lost_lowering",
                    models.CharField(
                        choices=[
                            ("overwrite", "is overwritten with our figure"),
                            ("alert", "is told to a person"),
                            ("leave", "is left alone"),
                        ],
                        default="overwrite",
                        max_length=10,
                    ),
                ),
                (
                    "lost_raise",
                    models.CharField(
                        choices=[
                            ("alert", "is told to a person"),
                            ("overwrite", "is overwritten with our figure"),
                            ("leave", "is left alone"),
                        ],
                        default="alert",
                        max_length=10,
                    ),
                ),
                (
                    "edited",
                    models.CharField(
                        choices=[
                            ("alert", "is told to a person"),
                            ("overwrite", "is overwritten with our figure"),
                            ("adopt", "becomes the most we show, where it is lower"),
                            ("leave", "is left alone"),
                        ],
                        default="alert",
                        max_length=10,
                    ),
                ),
                (
                    "sold",
                    models.CharField(
                        choices=[("alert", "is told to a person"), ("leave", "is left alone")],
                        default="alert",
                        max_length=10,
                    ),
                ),
                (
                    "mapping",
                    models.CharField(
                        choices=[("alert", "is told to a person"), ("leave", "is left alone")],
                        default="alert",
                        max_length=10,
                    ),
                ),
                (
                    "unexplained",
                    models.CharField(
                        choices=[("alert", "is told to a person"), ("leave", "is left alone")],
                        default="alert",
                        max_length=10,
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
                    "channel",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="channels_sync.channel",
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
                "verbose_name": "historical drift setting",
                "verbose_name_plural": "historical drift settings",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="ListingReading",
            fields=[
                (
                    "listing",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="reading",
                        serialize=False,
                        to="channels_sync.listing",
                    ),
                ),
                (
                    "quantity",
                    models.IntegerField(help_text="Null: the channel stocks nothing of it at the location.", null=True),
                ),
                (
                    "sku",
                    models.CharField(
                        blank=True, help_text="The channel's own; empty: it knows no such item.", max_length=100
                    ),
                ),
                (
                    "committed",
                    models.IntegerField(help_text="What the channel's orders held; null: it does not tell.", null=True),
                ),
                ("read_at", models.DateTimeField()),
                (
                    "agreed_version",
                    models.PositiveBigIntegerField(default=0, help_text="Newest version it was seen to show."),
                ),
                ("agreed_committed", models.IntegerField(help_text="What its orders held then.", null=True)),
                ("agreed_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["read_at"], name="channels_sync_reading_age")],
            },
        ),
        migrations.CreateModel(
            name="Difference",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveBigIntegerField()),
                ("ours", models.PositiveIntegerField()),
                ("theirs", models.IntegerField(help_text="Null: the channel shows nothing.", null=True)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("not_applied", "Our figure never arrived"),
                            ("edited", "Changed on the channel"),
                            ("sold", "Orders not imported yet"),
                            ("mapping", "Linked to the wrong item"),
                            ("unexplained", "Unexplained"),
                        ],
                        max_length=12,
                    ),
                ),
                ("evidence", models.CharField(max_length=300)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "done",
                    models.CharField(
                        choices=[
                            ("watched", "Watched: too young to judge"),
                            ("told", "Told to a person"),
                            ("overwritten", "Our figure was sent again"),
                            ("held", "Our figure waits for a person"),
                            ("adopted", "Frozen at the channel's figure"),
                            ("left", "Left alone"),
                        ],
                        default="watched",
                        max_length=12,
                    ),
                ),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="channels_sync.channel",
                    ),
                ),
                (
                    "done_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="Null: the channel's rule.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "listing",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="differences",
                        to="channels_sync.listing",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "permissions": (("decide_difference", "Can overwrite, adopt and leave what channels show"),),
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["channel", "cause"],
                        name="channels_sync_difference_now",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("listing",),
                        name="channels_sync_difference_one_open",
                    )
                ],
            },
        ),
    ]
