import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0020_lines_by_time"),
    ]

    operations = [
        migrations.AddField(
            model_name="freeze",
            name="is_exact",
            field=models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="This very figure is shown, whatever there is.",
            ),
        ),
        migrations.AddField(
            model_name="publishrun",
            name="actors",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                db_default=[],
                default=list,
                help_text="Everybody who recorded what caused it.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="publishrun",
            name="exposed_after",
            field=models.DecimalField(
                decimal_places=6,
                help_text="The same with everything that changes, held or not.",
                max_digits=24,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="publishrun",
            name="exposed_before",
            field=models.DecimalField(
                decimal_places=6,
                help_text="What all channels show of these items, stock units.",
                max_digits=24,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="publishrun",
            name="supply",
            field=models.DecimalField(
                decimal_places=6,
                help_text="Of the items that change: what there is, counted once.",
                max_digits=24,
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="freeze",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_exact", False), ("listing__isnull", False), _connector="OR"),
                name="channels_sync_freeze_exact_of_a_listing",
            ),
        ),
    ]
