"""What the role of the application may do, as the command of the owner gives it and as the embedded servers do."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.db.models import Model
from psycopg.errors import InsufficientPrivilege

from config.embedded.places import APP_ROLE
from config.grants import grant_rights
from inventory.models import Item, Movement
from tests.factories import make_item, make_location, put_on_hand

ADDED_TO_ONLY = {
    "inventory_posting",
    "inventory_movement",
    "inventory_costentry",
    "inventory_reservationchange",
    "inventory_costlayerchange",
}
RIGHTS = """
SELECT c.relname, array_agg(a.privilege_type::text ORDER BY a.privilege_type::text)
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = %s::regrole AND c.relname NOT LIKE 'pg\\_stat%%'
GROUP BY 1
"""


@pytest.fixture(autouse=True)
def application(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE])
        if cursor.fetchone() is None:
            pytest.skip("The server has no role of the application.")


def rights():
    with connection.cursor() as cursor:
        cursor.execute(RIGHTS, [APP_ROLE])
        return dict(cursor.fetchall())


def take_everything_away():
    with connection.cursor() as cursor:
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {APP_ROLE}")
        cursor.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {APP_ROLE}")


def as_application(statement):
    """Execute one statement with the rights of the application, and answer its first row if it has any."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {APP_ROLE}")
        cursor.execute(statement)
        found = cursor.fetchone() if cursor.description else None
        cursor.execute("RESET ROLE")
        return found


def test_gives_a_role_without_rights_what_the_embedded_servers_give():
    embedded = rights()
    take_everything_away()
    assert rights() == {}

    call_command("grant_rights", role=APP_ROLE)

    given = rights()
    frozen = {name for name, privileges in given.items() if privileges == ["INSERT", "SELECT"]}
    assert set(given) == set(embedded)
    assert frozen >= ADDED_TO_ONLY
    assert {name: one for name, one in given.items() if name not in frozen} == {
        name: one for name, one in embedded.items() if name not in frozen
    }


def test_takes_back_what_was_granted_by_hand_on_what_was_posted():
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {APP_ROLE}")

    grant_rights(connection, application=APP_ROLE)

    given = rights()
    assert {name: given[name] for name in ADDED_TO_ONLY} == {name: ["INSERT", "SELECT"] for name in ADDED_TO_ONLY}
    assert not {name for name, privileges in given.items() if "TRUNCATE" in privileges}


def test_the_application_can_work_then_and_cannot_change_the_ledger():
    item = make_item()
    put_on_hand(item, make_location(), "5")
    take_everything_away()
    with pytest.raises(Exception, match="permission denied"):
        as_application("SELECT count(*) FROM inventory_item")

    grant_rights(connection, application=APP_ROLE)

    assert as_application(f"UPDATE {table_of(Item)} SET name = 'x' RETURNING name") == ("x",)
    assert as_application("SELECT nextval(pg_get_serial_sequence('inventory_movement', 'id')) > 0") == (True,)
    for change in ("UPDATE {} SET quantity = 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"):
        with pytest.raises(Exception, match="permission denied") as refusal:
            as_application(change.format(table_of(Movement)))
        assert isinstance(refusal.value.__cause__, InsufficientPrivilege)


def table_of(model: type[Model]) -> str:
    return model._meta.db_table


def test_tables_of_later_migrations_may_be_used_too():
    grant_rights(connection, application=APP_ROLE)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, name text)")

    assert as_application("INSERT INTO later (name) VALUES ('x') RETURNING id") == (1,)


def test_one_role_for_both_is_told(settings):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        settings.APPLICATION_ROLE = cursor.fetchone()[0]

    with pytest.raises(CommandError, match="the same role"):
        call_command("grant_rights")


def test_a_role_that_is_not_there_is_told_and_nothing_changes():
    before = rights()

    with pytest.raises(CommandError, match="Make the role first"):
        call_command("grant_rights", role="nobody_of_this_name")

    assert rights() == before
