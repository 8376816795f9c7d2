"""What the role of the application may do in the database: read and write rows, but neither change the shape of tables nor
empty them, and what was posted it may only add to.

The owner of the tables gives these rights: as defaults for the tables it will make, and for those that are there. The
embedded servers and `manage.py grant_rights` use the same statements.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:  # the embedded servers start without Django
    from django.db.backends.base.base import BaseDatabaseWrapper

ON_TABLES = "SELECT, INSERT, UPDATE, DELETE"
ON_SEQUENCES = "USAGE, SELECT"
ON_APPEND_ONLY = "SELECT, INSERT"
"""Of tables whose rows are never changed or deleted; the trigger says so to everybody else."""

_TABLES = """
SELECT c.relname, c.relkind = 'S', EXISTS (
  SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = c.relname || '_append_only' AND NOT t.tgisinternal)
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND pg_has_role(current_user, c.relowner, 'USAGE')
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname
"""
"""Tables, views and sequences (True) of ours, and which of them are only added to; those of extensions are not ours."""


@dataclass(frozen=True, slots=True)
class Granted:
    """How many tables and sequences there were, and how many of the tables may only be added to."""

    tables: int
    sequences: int
    append_only: int


def default_grants(*, owner: str, application: str) -> Iterator[sql.Composed]:
    """The statements by which whatever `owner` makes from now on may be used by `application`, in the present database."""
    for statement in (
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {{owner}} GRANT {ON_TABLES} ON TABLES TO {{application}}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {{owner}} GRANT {ON_SEQUENCES} ON SEQUENCES TO {{application}}",
    ):
        yield _statement(statement, owner=owner, application=application)


def grant_rights(connection: "BaseDatabaseWrapper", *, application: str) -> Granted:
    """Give `application` its rights on all that is there and on what comes; run it as the owner, in one transaction.

    What it could do beyond that to these tables is taken away. Safe to repeat. Raises ProgrammingError when there is no
    such role or the tables are somebody else's.
    """
    tables = sequences = append_only = 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (owner,) = cursor.fetchone()
        for statement in default_grants(owner=owner, application=application):
            cursor.execute(statement)
        cursor.execute(_TABLES)
        for name, is_sequence, is_append_only in cursor.fetchall():
            rights = ON_SEQUENCES if is_sequence else ON_APPEND_ONLY if is_append_only else ON_TABLES
            kind = "SEQUENCE" if is_sequence else "TABLE"
            for text in (
                f"REVOKE ALL ON {kind} {{table}} FROM {{application}}",
                f"GRANT {rights} ON {kind} {{table}} TO {{application}}",
            ):
                cursor.execute(_statement(text, table=name, application=application))
            sequences += is_sequence
            tables += not is_sequence
            append_only += is_append_only
    return Granted(tables, sequences, append_only)


def _statement(text: str, **names: str) -> sql.Composed:
    return sql.SQL(text).format(**{name: sql.Identifier(value) for name, value in names.items()})
