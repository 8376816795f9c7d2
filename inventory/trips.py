"""Statements sent to the database past Django's cursors, and several of them together: one wait instead of one for each.

The database executes them one after the other, each with a view of its own of what is committed, just as if they had been
sent singly. What saves the waits is that whoever holds locks holds them for so much less. What is on the way of every
posting is sent from here, since Django's own cursors take about as long as the driver.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from inventory.prepared import Answer, Rows, Statement, answers_by_name, under_way_by_name

__all__ = ("Question", "Rows", "Statement", "execute", "in_one_trip", "rows_of", "under_way")


class Question(NamedTuple):
    """A statement that reads, in parts, so that another statement can answer it on its way. It answers at least one row."""

    tables: str
    """Common table expressions, without WITH."""
    select: str
    """What is selected from them, without SELECT."""
    parameters: Sequence[Any]

    def alone(self) -> Statement:
        return f"WITH {self.tables} SELECT {self.select}", self.parameters


def rows_of(sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> Rows:
    """Execute one statement that answers rows."""
    ((rows, _),) = _answers((sql, parameters))
    return rows


def execute(sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> int:
    """Execute one statement whose rows nobody wants; how many it answered or changed."""
    ((_, number),) = _answers((sql, parameters))
    return number


def in_one_trip(*statements: Statement) -> list[Rows]:
    """Execute statements in their order and return the rows of each.

    When one of them fails, those after it are not executed, and its error is raised.
    """
    return [rows for rows, _ in _answers(*statements)]


@contextmanager
def under_way(*statements: Statement) -> Iterator[list[Answer]]:
    """Have the database execute statements while something else is worked out here, which must ask it nothing.

    What they answered is in the list once that is done. Within a transaction. An error of a statement is raised at the end, and
    those after it are not executed.
    """
    if not statements:
        yield []
        return
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.in_atomic_block and not connection.needs_rollback and not _is_watched(connection):
        with connection.wrap_database_errors, under_way_by_name(connection.connection, statements) as found:
            if found is not None:
                yield found
                return
    yield _answers(*statements)


def _is_watched(connection: BaseDatabaseWrapper) -> bool:
    return bool(connection.queries_logged or connection.execute_wrappers)


def _answers(*statements: Statement) -> list[Answer]:
    connection = connections[DEFAULT_DB_ALIAS]
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    is_watched = _is_watched(connection)
    with connection.wrap_database_errors:
        if not is_watched:
            found = answers_by_name(connection.connection, statements)
            if found is not None:
                return found
        cursors: list[Any] = [connection.create_cursor() for _ in statements]
        if is_watched:
            watched = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
            cursors = [watched(cursor) for cursor in cursors]
        if len(cursors) == 1:
            cursors[0].execute(*statements[0])
        else:
            _send(connection.connection, statements, cursors)
        return [Answer(cursor.fetchall() if cursor.description else [], cursor.rowcount) for cursor in cursors]


def _send(connection: Any, statements: Sequence[Statement], cursors: Sequence[Any]) -> None:
    try:
        with connection.pipeline():
            for cursor, (sql, parameters) in zip(cursors, statements, strict=True):
                cursor.execute(sql, parameters)
    except psycopg.errors.PipelineAborted as skipped:  # what the statements after the one that failed have to say
        if isinstance(skipped.__context__, psycopg.Error):
            raise skipped.__context__ from None
        raise
