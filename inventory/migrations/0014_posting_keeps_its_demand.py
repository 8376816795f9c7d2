"""A shipment or issue keeps what it was for, so that a recall finds the orders whatever was promised before."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("inventory", "0013_who_is_behind_news")]

    operations = [
        migrations.AddField(
            "posting",
            "demand_kind",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="What goods were shipped or issued for: order.",
                max_length=24,
            ),
        ),
        migrations.AddField(
            "posting",
            "demand_ref",
            models.CharField(blank=True, db_default="", default="", help_text="Its number.", max_length=64),
        ),
        AddIndexConcurrently(
            "posting",
            models.Index(fields=["demand_ref"], condition=~Q(demand_ref=""), name="inventory_posting_demand"),
        ),
    ]
