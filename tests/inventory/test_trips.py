"""Statements sent past Django's cursors behave as if they had been sent by one."""

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from inventory.trips import in_one_trip, rows_of

pytestmark = pytest.mark.django_db

ONE = ("SELECT %s::int", [1])


def test_answers_come_in_the_order_of_the_statements():
    assert in_one_trip(ONE, ("SELECT n FROM generate_series(1, %s) AS n", [2]), ONE) == [[(1,)], [(1,), (2,)], [(1,)]]
    assert rows_of(*ONE) == [(1,)]


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("after", [0, 1])
def test_the_error_of_the_statement_that_failed_is_raised_as_djangos(before, after):
    wrong = ("INSERT INTO inventory_location (code) VALUES (%s) RETURNING id", ["A"])

    with pytest.raises(IntegrityError, match="null value"), transaction.atomic():
        in_one_trip(*[ONE] * before, wrong, *[ONE] * after)

    assert rows_of(*ONE) == [(1,)]


def test_nothing_is_sent_in_a_transaction_that_has_failed():
    with transaction.atomic():
        with pytest.raises(ProgrammingError), transaction.atomic(savepoint=False):
            rows_of("SELECT nothing", [])
        with pytest.raises(TransactionManagementError):
            rows_of(*ONE)
        transaction.set_rollback(True)


def test_statements_are_counted_and_watched_like_any_other():
    seen = []

    def watch(execute, sql, *rest):
        seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        in_one_trip(ONE, ONE)
    with CaptureQueriesContext(connection) as counted:
        in_one_trip(ONE, ONE)

    assert seen == [ONE[0]] * 2
    assert len(counted) == 2
