"""Indexes for the stock board and the list of lots. None of them stands on a column that postings change."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0005_count_classes"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="costpool",
            index=models.Index(
                condition=models.Q(("unknown_quantity__gt", 0)), fields=["item"], name="inventory_costpool_unknown"
            ),
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(
                django.db.models.functions.text.Upper("name"), models.F("id"), name="inventory_item_by_name"
            ),
        ),
        migrations.AddIndex(
            model_name="lot",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("code"), name="text_pattern_ops"
                ),
                name="inventory_lot_code_begins",
            ),
        ),
        migrations.AddIndex(
            model_name="lot",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("supplier_lot"), name="text_pattern_ops"
                ),
                condition=models.Q(("supplier_lot", ""), _negated=True),
                name="inventory_lot_supplier_begins",
            ),
        ),
        migrations.AddIndex(
            model_name="lot",
            index=models.Index(
                condition=models.Q(("expires_on__isnull", False)), fields=["expires_on"], name="inventory_lot_expiry"
            ),
        ),
        migrations.AddIndex(
            model_name="lot",
            index=models.Index(
                condition=models.Q(("owner", ""), _negated=True), fields=["owner"], name="inventory_lot_not_ours"
            ),
        ),
        migrations.AddIndex(
            model_name="stockbalance",
            index=models.Index(
                condition=models.Q(("negative_allowed", True)), fields=["item"], name="inventory_balance_negative"
            ),
        ),
    ]
