"""The first roles: viewer, counter, operator, planner, approver, administrator."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

APPS = ("inventory", "production", "channels_sync")

VIEWER = []
COUNTER = ["inventory.count_stock"]
OPERATOR = [
    "inventory.receive_stock",
    "inventory.receive_purchaseorder",
    "inventory.issue_stock",
    "inventory.ship_stock",
    "inventory.return_stock",
    "inventory.count_stock",
    "inventory.transfer_stock",
    "inventory.scrap_stock",
    "inventory.change_stock_status",
    "production.inspect",
    "production.disassemble",
    "production.record_completion",
    "production.reverse_completion",
]
PLANNER = [
    *OPERATOR,
    "inventory.add_item",
    "inventory.change_item",
    "inventory.add_itemcategory",
    "inventory.change_itemcategory",
    "inventory.add_itemunit",
    "inventory.change_itemunit",
    "inventory.delete_itemunit",
    "inventory.add_location",
    "inventory.change_location",
    "inventory.add_lot",
    "inventory.change_lot",
    "inventory.add_reservation",
    "inventory.change_reservation",
    "inventory.adjust_stock",
    "inventory.reverse_posting",
    "inventory.change_lots",
    "inventory.use_expired",
    "inventory.plan_counts",
    "inventory.approve_count",
    "inventory.change_countclass",
    "inventory.add_supplier",
    "inventory.change_supplier",
    "inventory.add_supplieritem",
    "inventory.change_supplieritem",
    "inventory.delete_supplieritem",
    "inventory.add_supplierstock",
    "inventory.change_supplierstock",
    "inventory.add_purchaseorder",
    "inventory.change_purchaseorder",
    "inventory.place_purchaseorder",
    "inventory.over_receive",
    "inventory.add_landed_cost",
    "inventory.share_savedview",
    "inventory.add_countclass",
    "inventory.change_countclass",
    "inventory.run_invariants",
    "inventory.read_audit",
    "production.add_bom",
    "production.change_bom",
    "production.delete_bom",
    "production.add_bomline",
    "production.change_bomline",
    "production.delete_bomline",
    "production.activate_bom",
    "production.deviate_from_bom",
    "production.add_workorder",
    "production.change_workorder",
    "production.close_workorder",
    "production.release_workorder",
    "production.add_inspectionplan",
    "production.change_inspectionplan",
    "production.delete_inspectionplan",
    "production.add_bomattachment",
    "production.change_bomattachment",
    "production.delete_bomattachment",
    "inventory.resolve_exceptioncase",
    "channels_sync.add_listing",
    "channels_sync.change_listing",
    "channels_sync.add_allocationpolicy",
    "channels_sync.change_allocationpolicy",
    "channels_sync.pause_channel",
]
APPROVER = ["inventory.approve_count"]
ADMINISTRATOR = ["everything"]

ROLES = {
    "viewer": VIEWER,
    "counter": COUNTER,
    "operator": OPERATOR,
    "planner": PLANNER,
    "approver": APPROVER,
    "administrator": ADMINISTRATOR,
}
SEES_NOTHING_ELSE = {"counter"}
"""Roles that do not see the rest; whoever counts blind must not look up what is expected."""


def make_roles(apps, schema_editor):
    for label in APPS:
        create_permissions(installed.get_app_config(label), verbosity=0, using=schema_editor.connection.alias)
    for label in ("auth", "authtoken", "django_celery_beat"):
        create_permissions(installed.get_app_config(label), verbosity=0, using=schema_editor.connection.alias)
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(content_type__app_label__in=APPS)
    views = ours.filter(codename__startswith="view_")
    for name, granted in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        permissions = set() if name in SEES_NOTHING_ELSE else set(views)
        for word in granted:
            if word == "everything":
                permissions |= set(ours)
                permissions |= set(
                    Permission.objects.filter(content_type__app_label__in=("auth", "authtoken", "django_celery_beat"))
                )
            elif "." in word:
                label, codename = word.split(".")
                permissions.add(ours.get(content_type__app_label=label, codename=codename))
        group.permissions.set(permissions)


def remove_roles(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0002_periodic_tasks"),
        ("production", "0004_parts_of_boms_frozen"),
        ("inventory", "0005_count_classes_begin_their_history"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("authtoken", "0004_alter_tokenproxy_options"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_roles, remove_roles)]
