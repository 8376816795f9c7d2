"""A database for measuring: made afresh, migrated like any other, used through the application's own role."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parents[1]
Connection = psycopg.Connection[tuple[Any, ...]]


def make_database(name: str) -> None:
    """Drop and make the database `name`, migrate it, and point this process and its children at it.

    BENCH_TEMPLATE names a migrated database without rows or sessions, from which it is copied instead of being migrated.
    Exits with a sentence when no database server is named in the environment.
    """
    if not os.environ.get("DATABASE_URL"):
        sys.exit("No database to measure. Run `make bench`, which starts the embedded one, or set DATABASE_URL.")
    owner = os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]
    template = os.environ.get("BENCH_TEMPLATE")
    with psycopg.connect(owner, autocommit=True) as connection:
        drop_database(connection, name)
        connection.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    use_database(name, make=False)
    if template:
        return
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"The migrations of the bench's database failed:\n{done.stdout}{done.stderr}")


def drop_database(connection: Connection, name: str) -> None:
    """Drop the database `name`, if it is there, with whoever uses it.

    DROP DATABASE ... WITH (FORCE) would be refused while the server vacuums there by itself; a plain one ends that.
    """
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
        [name],
    )
    connection.execute(f'DROP DATABASE IF EXISTS "{name}"')


def use_database(name: str, *, make: bool) -> None:
    """Point this process and its children at the database `name`; with `make` it is made afresh first."""
    if make:
        make_database(name)
        return
    owner = os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]
    os.environ["DATABASE_OWNER_URL"] = in_database(owner, name)
    os.environ["DATABASE_URL"] = in_database(os.environ["DATABASE_URL"], name)
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.settings"


def in_database(url: str, name: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def connect_as_owner() -> Connection:
    return psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True)


def run_script(connection: Connection, name: str) -> None:
    """Run one of the SQL files beside this module."""
    connection.execute((Path(__file__).parent / name).read_text(encoding="utf-8"))


def allow_reading_wal(connection: Connection) -> bool:
    """Whether the owner may read statistics of the write-ahead log; the embedded superuser is asked to allow it."""
    name = urlsplit(os.environ["DATABASE_OWNER_URL"])
    allow = (
        "CREATE EXTENSION IF NOT EXISTS pg_walinspect; "
        f'GRANT EXECUTE ON FUNCTION pg_get_wal_stats(pg_lsn, pg_lsn, boolean) TO "{name.username}"'
    )
    words = [sys.executable, "-m", "config.embedded", "psql", "--superuser", "--", "--quiet", "-c", allow]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DATABASE_")}
    subprocess.run([*words, name.path.lstrip("/")], cwd=ROOT, env=environment, capture_output=True, check=False)
    try:
        connection.execute("SELECT record_size FROM pg_get_wal_stats(%s, %s) LIMIT 1", ("0/0", "0/0")).fetchall()
    except (psycopg.errors.UndefinedFunction, psycopg.errors.InsufficientPrivilege):
        return False
    except psycopg.Error:
        return True  # it may be called, only not with these positions
    return True


def can_count_statements(connection: Connection) -> bool:
    """Whether statements of this database are counted and may be read by the owner."""
    try:
        connection.execute("SELECT count(*) FROM pg_stat_statements").fetchall()
        reset_statements(connection)
    except psycopg.Error:
        return False
    return True


def reset_statements(connection: Connection) -> None:
    connection.execute(
        "SELECT pg_stat_statements_reset(0, (SELECT oid FROM pg_database WHERE datname = current_database()), 0)"
    )


def statements_counted(connection: Connection, *, role: str) -> int:
    """Top-level statements of `role` in this database since the last reset, BEGIN and COMMIT included.

    Row checks of foreign keys are left out: they are work of the database, not sent by anybody.
    """
    row = connection.execute(
        "SELECT coalesce(sum(s.calls), 0) FROM pg_stat_statements s"
        " JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid"
        " WHERE d.datname = current_database() AND s.toplevel AND r.rolname = %s AND s.query NOT LIKE ALL(%s)",
        (role, ["%pg_stat_statements%", "%FOR KEY SHARE OF x%"]),
    ).fetchone()
    assert row is not None
    return int(row[0])
