"""Orders keep the day they were frozen and set-ups exactly, drafts the version they began as a copy of."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("production", "0013_pegs_of_earlier_orders"),
    ]

    operations = [
        migrations.AddField(
            model_name="bom",
            name="drafted_from",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                help_text="The version of the same item it began as a copy of.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="production.bom",
            ),
        ),
        migrations.AddField(
            model_name="workorder",
            name="frozen_on",
            field=models.DateField(
                blank=True,
                editable=False,
                help_text="The day whose BOMs its lines were frozen by; empty: the day it was made.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="workorderline",
            name="setup_numerator",
            field=models.DecimalField(
                decimal_places=0,
                help_text="Set-up exactly; empty: as `setup_quantity` says.",
                max_digits=60,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="workorderline",
            name="setup_denominator",
            field=models.DecimalField(decimal_places=0, max_digits=60, null=True),
        ),
    ]
