"""What was put into cost layers and taken out of them stays as it was written."""

from importlib import import_module

from django.db import migrations

protect = import_module("inventory.migrations.0002_ledger_append_only").protect


class Migration(migrations.Migration):
    dependencies = [("inventory", "0003_stock_in_full")]

    operations = [protect("inventory_costlayerchange")]
