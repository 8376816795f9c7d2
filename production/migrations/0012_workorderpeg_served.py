"""Pegs say what was handed to their demand; what a demand has from stock follows from reservations."""

from decimal import Decimal

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0011_countline_recent"),
        ("production", "0011_place_of_scrap"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="demand",
            name="production_demand_not_negative",
        ),
        migrations.RemoveField(
            model_name="demand",
            name="reserved",
        ),
        migrations.AddField(
            model_name="workorderpeg",
            name="served",
            field=models.DecimalField(db_default=Decimal("0"), decimal_places=6, default=Decimal("0"), max_digits=18),
        ),
        migrations.AddConstraint(
            model_name="demand",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gte", 0)), name="production_demand_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="workorderpeg",
            constraint=models.CheckConstraint(
                condition=models.Q(("served__gte", 0), ("served__lte", models.F("quantity"))),
                name="production_workorderpeg_served",
            ),
        ),
    ]
