"""Loaded by Django as the ENGINE of the database."""

import select
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg import pq

_IN_TRANSACTION = pq.TransactionStatus.INTRANS

ASKED_AGAIN_SECONDS = 10
"""A connection that was quiet for so long is asked by a statement: a firewall may have dropped it without a word."""


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's. A request that finds a connection kept from the one before looks at its socket first.

    A server that ends a connection says so or closes the socket, and either makes the socket readable. As long as there is
    nothing to read, and the last use was a moment ago, the connection works, and the statement that Django would send with
    every request is spared.
    """

    _used_at: float | None = None

    def is_usable(self) -> bool:
        now = time.monotonic()
        last, self._used_at = self._used_at, now
        if last is not None and now - last < ASKED_AGAIN_SECONDS and self._is_quiet():
            return True
        return bool(super().is_usable())

    def connect(self) -> None:
        self._used_at = time.monotonic()
        super().connect()

    def create_cursor(self, name: str | None = None) -> Any:
        """As Django's, but while statements are under way (`inventory.trips`): their answers would be taken for its own."""
        connection = self.connection
        if connection is not None and connection.pgconn.pipeline_status and connection._pipeline is None:
            raise RuntimeError("A statement was sent while others are under way. Send it before them or after them.")
        return super().create_cursor(name)

    def _commit(self) -> None:
        """Commit by one call of libpq, where a transaction is open; what the driver does around it takes as long as it."""
        link = None if self.connection is None else self.connection.pgconn
        if link is None or self.queries_logged or link.pipeline_status or link.transaction_status != _IN_TRANSACTION:
            super()._commit()  # type: ignore[misc]
            return
        with self.wrap_database_errors:
            result = link.exec_(b"COMMIT")
            if link.status != pq.ConnStatus.OK:
                raise psycopg.OperationalError(link.get_error_message())
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)

    def _is_quiet(self) -> bool:
        """Whether the connection is between transactions and the server has sent nothing and not hung up."""
        if self.connection is None or self.connection.closed:
            return False
        pgconn = self.connection.pgconn
        if pgconn.status != pq.ConnStatus.OK or pgconn.transaction_status != pq.TransactionStatus.IDLE:
            return False
        socket = select.poll()
        socket.register(pgconn.socket, select.POLLIN | select.POLLPRI)  # errors and hanging up are always reported
        return not socket.poll(0)
