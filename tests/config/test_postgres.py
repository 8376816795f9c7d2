"""Connections that are kept from one request to the next."""

import pytest
from django.db import connection, connections

from config.postgres import base
from inventory.trips import rows_of
from tests.api.client import ApiClient
from tests.factories import make_item, make_user


def statements_of_health(monkeypatch):
    """Count how often the question is put to the server."""
    asked = []
    real = base.base.DatabaseWrapper.is_usable
    monkeypatch.setattr(base.base.DatabaseWrapper, "is_usable", lambda self: asked.append(1) or real(self))
    return asked


def end_session():
    """End our own session from another one, as a restart of the server or an administrator would."""
    pid = connection.connection.info.backend_pid
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        assert cursor.fetchone() == (True,)


def test_a_connection_that_was_used_a_moment_ago_is_not_asked(committed_db, monkeypatch):
    connection.ensure_connection()
    asked = statements_of_health(monkeypatch)

    assert connection.is_usable()

    assert asked == []


def test_a_connection_that_was_quiet_for_long_is_asked(committed_db, monkeypatch):
    connection.ensure_connection()
    connection._used_at -= base.ASKED_AGAIN_SECONDS
    asked = statements_of_health(monkeypatch)

    assert connection.is_usable()
    assert connection.is_usable()

    assert asked == [1]


def test_statements_sent_past_djangos_cursors_open_the_connection_too(committed_db):
    connection.close()

    assert rows_of("SELECT %s::int", [1]) == [(1,)]


def test_an_ended_session_is_noticed(committed_db):
    connection.ensure_connection()

    end_session()

    assert not connection.is_usable()


def test_a_connection_within_a_transaction_is_asked(committed_db, monkeypatch):
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    asked = statements_of_health(monkeypatch)

    assert connection.is_usable()
    connection.rollback()
    connection.set_autocommit(True)

    assert asked == [1]


@pytest.mark.parametrize("closed_here", [False, True])
def test_the_request_after_an_ended_session_is_answered(committed_db, closed_here):
    make_item(sku="A")
    client = ApiClient(make_user(role="viewer"))
    assert client.get("items/").status_code == 200
    if closed_here:
        connection.connection.close()
    else:
        end_session()
    connections["default"].health_check_done = False  # as at the start of every request of the web server

    found = client.get("items/")

    assert [item["sku"] for item in found.json()["results"]] == ["A"]
