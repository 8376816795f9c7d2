"""The database itself refuses to change what was posted (F13)."""

import pytest
from django.db import DatabaseError, connection, transaction
from psycopg.errors import InsufficientPrivilege

from inventory.models import CostEntry, Movement, Posting, ReservationChange
from production.models import CompletionLine

TABLES = [model._meta.db_table for model in (Posting, Movement, CostEntry, ReservationChange, CompletionLine)]
CHANGES = {
    "UPDATE": "UPDATE {table} SET id = id",
    "DELETE": "DELETE FROM {table}",
    "TRUNCATE": "TRUNCATE {table} CASCADE",
}


def application_role():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'backflush_app'")
        return "backflush_app" if cursor.fetchone() else None


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES)
def test_the_owner_is_refused_by_the_trigger(db, table, change):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CHANGES[change].format(table=table))


@pytest.mark.parametrize("table", TABLES[:4])
@pytest.mark.parametrize("change", CHANGES)
def test_the_application_has_no_such_privilege(db, table, change):
    role = application_role()
    if role is None:
        pytest.skip("The server has no application role of its own; the trigger alone protects the ledger there.")

    statement = f"SET LOCAL ROLE {role}; {CHANGES[change].format(table=table)}"
    with pytest.raises(InsufficientPrivilege, match="permission denied"), transaction.atomic():
        connection.connection.execute(statement)
