"""Fixtures every test may use: the ledger check, a database of its own for tests that really commit, people."""

import gc
import os
import uuid
from collections import Counter
from contextlib import contextmanager

import pytest
from django.db import connections
from django.test.utils import setup_databases, teardown_databases

from config.invariants import INVARIANTS
from tests import factories

LONG = (
    "tests/api/test_schemathesis.py",
    "tests/architecture/test_migrations.py",
    "tests/reliability/test_kill_nine.py",
    "tests/config/test_permission_matrix.py",
    "tests/properties/test_ledger_machine.py",
    "tests/properties/test_movement_machine.py",
    "tests/channels_sync/operations/test_interleavings.py",
    "tests/reliability/test_outbox_under_fire.py",
    "tests/bench/test_scale.py",
    "tests/bench/test_recompute.py",
    "tests/bench/test_bench.py",
    "tests/config/test_load_demo.py",
)
"""Files that take long, the longest first. Begun late, the last of them would run while the other processes have nothing left."""


def pytest_collection_modifyitems(config, items):
    """Long files first, then those with most tests, each in its own order.

    Two tests of one name are refused: processes that share the work would run one of them and count both.
    """
    twice = [name for name, times in Counter(item.nodeid for item in items).items() if times > 1]
    if twice:
        raise pytest.UsageError(f"Several tests have one name, so only one of them would run: {', '.join(twice)}.")
    gone = [name for name in LONG if not (config.rootpath / name).is_file()]
    if gone:
        raise pytest.UsageError(f"There are no such files: {', '.join(gone)}. Mend LONG in tests/conftest.py.")
    file_of = {item: item.nodeid.partition("::")[0] for item in items}
    tests_in = Counter(file_of.values())
    rank = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: (rank.get(file_of[item], len(LONG)), -tests_in[file_of[item]], file_of[item]))


def pytest_collection_finish():
    """What is loaded by now stays to the end: it is not looked through for garbage, and the rest less often.

    Thousands of short-lived models of migrations, templates and requests let Python search its whole memory over and over.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@pytest.fixture(scope="session")
def django_db_setup(request, django_test_environment, django_db_blocker, django_db_modify_db_settings):
    """One migrated test database per process, also when only tests that clone it were chosen."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"})
    yield
    with django_db_blocker.unblock():
        connections["default"].close()
        _end_other_sessions(connections["default"].settings_dict["NAME"])
        teardown_databases(made, verbosity=0)


def _end_other_sessions(name):
    """A thread that a test started and forgot must not keep the database from being dropped.

    DROP DATABASE ... WITH (FORCE) would also end a vacuum that runs there by itself, and be refused: that is not ours to end.
    A plain DROP DATABASE ends it.
    """
    with connections["default"]._nodb_cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend'",
            [name],
        )


def broken_invariants():
    """Every finding of every invariant, as `name: finding`."""
    return [f"{invariant.name}: {finding}" for _, invariant in INVARIANTS for finding in invariant.find()]


@pytest.fixture
def ledger_stays_true(db):
    """After the test every invariant still holds."""
    yield
    assert broken_invariants() == []


@contextmanager
def committed_clone(django_db_blocker):
    """A clone of the test database in which commits are real, for as long as the block runs."""
    with django_db_blocker.unblock():
        connection = connections["default"]
        template = connection.settings_dict["NAME"]
        clone = f"{template}_{uuid.uuid4().hex[:8]}"
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{clone}" TEMPLATE "{template}"')
            cursor.execute(f'ALTER DATABASE "{clone}" SET synchronous_commit TO off')  # it outlives no crash
        connection.settings_dict["NAME"] = clone
        connections.settings["default"]["NAME"] = clone
        os.environ["BACKFLUSH_TEST_DATABASE"] = clone
        try:
            yield clone
        finally:
            connection.close()
            connection.settings_dict["NAME"] = template
            connections.settings["default"]["NAME"] = template
            os.environ.pop("BACKFLUSH_TEST_DATABASE", None)
            _end_other_sessions(clone)
            with connection._nodb_cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{clone}"')


@pytest.fixture
def committed_db(django_db_setup, django_db_blocker):
    """A clone of the test database in which commits are real. It is dropped afterwards, since the ledger refuses TRUNCATE.

    Several threads may use it: each opens its own connection to the clone.
    """
    with committed_clone(django_db_blocker) as clone:
        yield clone


@pytest.fixture
def operator(db):
    return factories.make_user(role="operator")


@pytest.fixture
def planner(db):
    return factories.make_user(role="planner")


@pytest.fixture
def viewer(db):
    return factories.make_user(role="viewer")


@pytest.fixture
def administrator(db):
    return factories.make_user(role="administrator")
