"""The transaction around a domain operation: one, atomic, tried again when the database asks for it."""

import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

RETRIED = frozenset({"40001", "40P01", "55P03"})
"""Serialisation failure, deadlock, lock time-out: nothing was written, and the same request may succeed now."""
ATTEMPTS_MAX = 5

_is_joined: ContextVar[bool] = ContextVar("is_joined", default=False)
"""Whether the open transaction is that of an operation, so that operations called within belong to it."""


def run_in_transaction(work: Callable[[], R]) -> R:
    """Run `work` in one transaction; as the outermost one, up to five times with jitter when the database asks for it.

    An operation called by another joins it: they succeed or fail together, and the outermost does the retrying, since only
    that one can start afresh. Inside a transaction that somebody else opened a savepoint is set, so that the caller may
    catch a refusal and go on.
    """
    if connection.in_atomic_block:
        if _is_joined.get():
            return work()
        with transaction.atomic():
            return work()
    token = _is_joined.set(True)
    try:
        return _with_retries(work)
    finally:
        _is_joined.reset(token)


def _with_retries(work: Callable[[], R]) -> R:
    attempt = 1
    while True:
        try:
            with transaction.atomic():
                return work()
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if state not in RETRIED or attempt >= ATTEMPTS_MAX:
                raise
            time.sleep(random.uniform(0.005, 0.03) * 2**attempt)  # noqa: S311  jitter, not a secret
            attempt += 1


def try_out(work: Callable[[], R]) -> R:
    """Run `work` to see what it would do, and keep nothing of it; repeated like an operation, since it takes the same locks."""

    def attempt() -> R:
        with transaction.atomic():
            result = work()
            transaction.set_rollback(True)
        return result

    return run_in_transaction(attempt)


def is_within_operation() -> bool:
    """Whether operations called now belong to the transaction of one that is running: a refusal undoes nothing by itself."""
    return _is_joined.get()


def operation(verb: Callable[P, R]) -> Callable[P, R]:
    """Make a business verb atomic: everything or nothing, repeated on deadlock, serialisation failure or lock time-out."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return run_in_transaction(lambda: verb(*args, **kwargs))

    return run
