"""Migrations up, down and up again on a filled book (F11)."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from channels_sync.operations.absorbing import absorb_changes
from inventory.models import Movement
from production.operations.reversing import reverse_completion
from tests.channels_sync.factories import make_channel, make_listing
from tests.conftest import broken_invariants, committed_clone
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.slow

APPS = ("channels_sync", "production", "inventory")
"""From the top down: whoever refers to a table goes before it."""

MADE_ANEW = {
    "channels_sync_listingpush": ["due_by"],
    "channels_sync_publishrun": ["actors", "supply", "exposed_before", "exposed_after"],
}
"""Columns that only order work (empty means first, and whoever works on the row fills them again), and what was noted about a
run when it was worked out: runs of before the columns have nothing there, and the next run of a listing notes it again."""

_SHAPE = """
SELECT 'column', table_name, column_name, concat_ws(' ', data_type, numeric_precision, numeric_scale, is_nullable,
       character_maximum_length, column_default) FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
  WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
"""


@pytest.fixture
def filled_book(committed_db):
    """Receipts with and without a lot, a completion, a partial reversal, and a figure worked out for a channel."""
    place = make_location(code="WORKSHOP")
    wax, wick, candle = (
        make_item(sku="WAX", step="0.001"),
        make_item(sku="WICK", tracking="lot"),
        make_item(sku="CANDLE"),
    )
    make_bom(item=candle, lines=[(wax, "0.2"), (wick, "1")])
    put_on_hand(wax, place, "10", value="33.33")
    put_on_hand(wick, place, "50", value="4.99", lot="W-1", expires_on=date(2099, 1, 1))
    candle.is_sellable = True
    candle.save()
    make_listing(channel=make_channel(), item=candle)
    made = complete(candle, "7", into=place).completion
    reverse_completion(key=uuid4(), completion=made, good=Decimal(2), actor=None)
    absorb_changes()
    assert broken_invariants() == []


def rows(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def shape():
    return set(rows(_SHAPE))


def ours():
    """Tables, sequences, types and functions that a database has by our migrations, by kind and name."""
    return {
        (kind, name)
        for kind, name in rows(
            "SELECT 'table', relname FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S', 'v', 'm')"
            " UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS"
            " (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"
            " UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')"
        )
        if name.startswith(APPS)
    }


def contents():
    """Every row of our tables, as text."""
    tables = sorted(
        model._meta.db_table
        for label in APPS
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
    )

    def texts(table):
        without = f" - ARRAY{MADE_ANEW[table]}" if table in MADE_ANEW else ""
        return sorted(text for (text,) in rows(f'SELECT (to_jsonb(t){without})::text FROM "{table}" t'))

    return {table: texts(table) for table in tables}


def roles():
    return {
        group.name: set(group.permissions.values_list("content_type__app_label", "codename"))
        for group in Group.objects.all()
    }


def migrate(targets):
    """Go to these (app, name) targets; None as a name takes the app away. Forward states are worked out once for all."""
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets))


def newest():
    graph = MigrationExecutor(connection).loader.graph
    return [node for app in APPS for node in graph.leaf_nodes(app)]


def oldest_that_keep_the_tables():
    """For each app its earliest migration that can be gone back to without taking the tables of any app away."""
    executor = MigrationExecutor(connection)
    nodes = sorted(node for node in executor.loader.graph.nodes if node[0] in APPS)
    first = {app: min(node for node in nodes if node[0] == app) for app in APPS}

    def keeps_the_tables(node):
        undone = {(migration.app_label, migration.name) for migration, _ in executor.migration_plan([node])}
        return not undone & set(first.values())

    return [next(node for node in nodes if node[0] == app and keeps_the_tables(node)) for app in APPS]


def test_data_survive_the_way_back_to_the_first_tables_and_forward_again(filled_book, django_db_blocker):
    """From the first tables on a copy goes further down, until nothing of ours is left. The new ledger refuses changes like the
    old one."""
    shape_before, contents_before, roles_before = shape(), contents(), roles()
    targets = oldest_that_keep_the_tables()

    migrate(targets)
    shape_between = shape()
    kept = {table for kind, table, *_ in shape_between if kind == "column"}
    with committed_clone(django_db_blocker):
        migrate((app, None) for app in APPS)
        left = ours()
    migrate(newest())

    assert set(targets) != set(newest())
    assert shape_between != shape_before
    assert left == set()
    assert {table: rows for table, rows in contents().items() if table in kept} == {
        table: rows for table, rows in contents_before.items() if table in kept
    }
    assert shape() == shape_before
    assert roles() == roles_before
    assert broken_invariants() == []
    assert ours() > {("table", "inventory_movement"), ("function", "inventory_refuse_change")}
    with pytest.raises(DatabaseError), transaction.atomic():
        Movement.objects.update(quantity=1)


def test_every_migration_of_ours_can_be_reversed():
    stuck = [
        f"{label}.{name}: {operation.describe()}"
        for (label, name), migration in MigrationLoader(None).disk_migrations.items()
        if label in APPS
        for operation in migration.operations
        if not operation.reversible
    ]

    assert stuck == []
