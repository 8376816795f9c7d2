"""Prepared statements of one connection, executed over libpq itself.

A cursor of the driver finds out anew with every statement how it is to be sent, and waits for its answer in Python; that takes as
long as a short statement takes in the database. Here a statement is named once for each combination of types of its parameters,
and sent by that name; several go together, and the first of a transaction goes with its BEGIN. Values are written and read by the
driver's own adapters, errors are the driver's own.
"""

from __future__ import annotations

import itertools
import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import psycopg
from psycopg import pq
from psycopg._preparing import PrepareManager
from psycopg._queries import _query2pg_nocache
from psycopg.adapt import PyFormat, Transformer

NAMES_MAX = 200
"""Statements named on one connection, each with one combination of types; whatever comes after that goes by a cursor."""
Statement = tuple[str, Sequence[Any] | Mapping[str, Any]]
"""SQL, and its parameters in a row or by name."""
Rows = list[tuple[Any, ...]]
_Named = tuple[bytes, Any, Any]
"""A name, the values written, and the format of each."""
_numbers = itertools.count(1)
"""A name is never used again, also where the database was not told yet that it is forgotten."""
_IDLE, _IN_TRANSACTION = pq.TransactionStatus.IDLE, pq.TransactionStatus.INTRANS
_ROWS, _DONE = pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK
_SYNCED, _SKIPPED = pq.ExecStatus.PIPELINE_SYNC, pq.ExecStatus.PIPELINE_ABORTED


class Answer(NamedTuple):
    rows: Rows
    """Empty for a statement that answers none."""
    number: int
    """Rows that were answered or changed."""


class Statements:
    """The statements named on one connection of the driver."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._link = connection.pgconn
        self._manager = connection._prepared
        self._adapter = Transformer(connection)
        self._formats: dict[int, list[PyFormat]] = {}
        self._orders: dict[str, Sequence[str]] = {}
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._socket = select.poll()
        self._socket.register(self._link.socket, select.POLLIN)
        self._forget_with(self._manager)

    def _forget_with(self, manager: PrepareManager) -> None:
        """Forget all names when the driver has the database drop them.

        Where it prepared anything itself, it does so after a rollback and a change of the schema, for statements may name what is
        no longer there: with its next statement, for all at once. Where it prepared nothing, our names stay good.
        """
        clear, names = manager.clear, self._names

        def clear_both() -> bool:
            drops = clear()
            if drops:
                names.clear()
            return drops

        manager.clear = clear_both  # type: ignore[method-assign]

    @property
    def is_ready(self) -> bool:
        """Whether the database knows what is forgotten; else the next statement goes by a cursor, which tells it."""
        return not self._manager._to_flush

    def answers(self, statements: Sequence[Statement], *, begins: bool) -> list[Answer] | None:
        """Execute statements in their order; what each answers. None: nothing was sent, for too many have names; use cursors.

        With `begins` a transaction begins before the first. Raises psycopg.Error as a cursor does: that of the first statement
        that failed; those after it are not executed.
        """
        named = self._all_named(statements)
        if named is None:
            return None
        if len(named) == 1 and not begins:
            results = [self._link.exec_prepared(*named[0])]
        else:
            results = self._together(named, begins=begins)
        return self._read(results)

    @contextmanager
    def under_way(self, statements: Sequence[Statement]) -> Iterator[list[Answer] | None]:
        """Send statements within a transaction and do something else while they are executed, but send nothing.

        The list is filled when that is done. None: nothing was sent, for too many have names. Raises as `answers` does, unless
        what was done meanwhile failed.
        """
        named = self._all_named(statements)
        if named is None:
            yield None
            return
        found: list[Answer] = []
        self._send(named, begins=False)
        try:
            yield found
        finally:
            results = self._sent()
        found += self._read(results)

    def _all_named(self, statements: Sequence[Statement]) -> list[_Named] | None:
        named = []
        for sql, parameters in statements:
            one = self._named(sql, parameters)
            if one is None:
                return None
            named.append(one)
        return named

    def _read(self, results: Sequence[pq.abc.PGresult]) -> list[Answer]:
        for result in results:
            if result.status not in (_ROWS, _DONE):
                raise self._error(result)
        adapter, found = self._adapter, []
        for result in results:
            if result.status == _DONE:
                found.append(Answer([], result.command_tuples or 0))
            else:
                adapter.set_pgresult(result)
                found.append(Answer(adapter.load_rows(0, result.ntuples, tuple), result.ntuples))
        adapter.set_pgresult(None)
        return found

    def _named(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> _Named | None:
        adapter = self._adapter
        if isinstance(parameters, Mapping):
            parameters = self._in_a_row(sql, parameters)
        count = len(parameters)
        formats = self._formats.get(count)
        if formats is None:
            formats = self._formats[count] = [PyFormat.AUTO] * count
        values = adapter.dump_sequence(parameters, formats)
        key = (sql, adapter.types or ())
        name = self._names.get(key)
        if name is None:
            if len(self._names) >= NAMES_MAX:
                return None
            name = self._name(sql, key[1])
            self._names[key] = name
        return name, values, adapter.formats

    def _in_a_row(self, sql: str, parameters: Mapping[str, Any]) -> list[Any]:
        """Parameters with names in the order in which the statement first names them."""
        order = self._orders.get(sql)
        if order is None:
            *_, order, _ = _query2pg_nocache(sql.encode(), self._adapter.encoding)
            assert order is not None, "a statement whose parameters have no names"
            self._orders[sql] = order
        return [parameters[name] for name in order]

    def _name(self, sql: str, types: Sequence[int]) -> bytes:
        query, *_ = _query2pg_nocache(sql.encode(), self._adapter.encoding)
        name = b"trip_%d" % next(_numbers)
        result = self._link.prepare(name, query, types)
        if result.status != _DONE:
            raise self._error(result)
        return name

    def _together(self, named: Sequence[_Named], *, begins: bool) -> list[pq.abc.PGresult]:
        """The result of each, after one wait; of those after one that failed, none."""
        self._send(named, begins=begins)
        results = self._sent()
        if begins and results[0].status == _DONE:
            del results[0]
        return results

    def _send(self, named: Sequence[_Named], *, begins: bool) -> None:
        link = self._link
        try:
            link.enter_pipeline_mode()
            if begins:
                link.send_query_params(b"BEGIN", None)
            for one in named:
                link.send_query_prepared(*one)
            link.pipeline_sync()
        except BaseException:
            link.finish()  # nobody would know which answers are still to come
            raise

    def _sent(self) -> list[pq.abc.PGresult]:
        """What was sent last answered."""
        link = self._link
        try:
            results = self._all_results()
            link.exit_pipeline_mode()
        except BaseException:
            link.finish()
            raise
        return results

    def _all_results(self) -> list[pq.abc.PGresult]:
        """What the statements sent together answered, up to the one that failed."""
        link = self._link
        results: list[pq.abc.PGresult] = []
        while True:
            while link.is_busy():
                link.flush()
                self._socket.poll()
                link.consume_input()
            result = link.get_result()
            if result is None:
                if link.status != pq.ConnStatus.OK:
                    raise psycopg.OperationalError(link.get_error_message())
            elif result.status == _SYNCED:
                return results
            elif result.status != _SKIPPED:
                results.append(result)

    def _error(self, result: pq.abc.PGresult) -> psycopg.Error:
        if self._link.status != pq.ConnStatus.OK:
            return psycopg.OperationalError(self._link.get_error_message())
        return psycopg.errors.error_from_result(result, self._adapter.encoding)


_KEPT_AS = "_statements_by_name"
"""Kept with the driver's connection, so that both go together: the adapter of the statements holds the connection."""


def statements_of(connection: psycopg.Connection[Any]) -> Statements:
    """The statements named on a connection; none at first."""
    known: Statements | None = connection.__dict__.get(_KEPT_AS)
    if known is None:
        known = connection.__dict__[_KEPT_AS] = Statements(connection)
    return known


def answers_by_name(connection: psycopg.Connection[Any], statements: Sequence[Statement]) -> list[Answer] | None:
    """Execute statements in their order by their names; a transaction that is to begin with them begins. None: use cursors.

    That is so once after a rollback, in a pipeline and in a broken transaction, with another isolation than the server's, and
    where prepared statements are switched off (`prepare_threshold`), as behind a pooler that hands one connection to many.
    """
    known, begins = _usable(connection)
    return None if known is None else known.answers(statements, begins=begins)


def under_way_by_name(
    connection: psycopg.Connection[Any], statements: Sequence[Statement]
) -> AbstractContextManager[list[Answer] | None]:
    """The same within a transaction, while something else is done. None: nothing was sent, use cursors."""
    known, begins = _usable(connection)
    return nullcontext() if known is None or begins else known.under_way(statements)


def _usable(connection: psycopg.Connection[Any]) -> tuple[Statements | None, bool]:
    """The statements named on a connection, None when they are of no use now; and whether a transaction has to begin first."""
    link = connection.pgconn
    if connection.prepare_threshold is None or link.pipeline_status or connection.isolation_level is not None:
        return None, False
    status = link.transaction_status
    if status not in (_IDLE, _IN_TRANSACTION):
        return None, False
    known = statements_of(connection)
    return (known if known.is_ready else None), status == _IDLE and not connection.autocommit
