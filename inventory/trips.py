"""Statements that need nothing of each other's answers, sent to the database together: one wait instead of one for each.

The database executes them one after the other, each with a view of its own of what is committed, just as if they had been
sent singly. What saves the waits is that whoever holds locks holds them for so much less.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import psycopg
from django.db import connection

Statement = tuple[str, Sequence[Any]]
"""SQL that answers rows, and its parameters."""
Rows = list[tuple[Any, ...]]


def in_one_trip(*statements: Statement) -> list[Rows]:
    """Execute statements in their order and return the rows of each.

    When one of them fails, those after it are not executed, and its error is raised.
    """
    with ExitStack() as stack:
        cursors = [stack.enter_context(connection.cursor()) for _ in statements]
        if len(cursors) == 1:
            cursors[0].execute(*statements[0])
        else:
            with connection.wrap_database_errors:
                _send(statements, cursors)
        return [cursor.fetchall() for cursor in cursors]


def _send(statements: Sequence[Statement], cursors: Sequence[Any]) -> None:
    try:
        with connection.connection.pipeline():
            for cursor, (sql, parameters) in zip(cursors, statements, strict=True):
                cursor.execute(sql, parameters)
    except psycopg.errors.PipelineAborted as skipped:  # what the statements after the one that failed have to say
        if isinstance(skipped.__context__, psycopg.Error):
            raise skipped.__context__ from None
        raise
