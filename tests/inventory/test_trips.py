"""Statements sent past Django's cursors behave as if they had been sent by one."""

import gc
import threading
import time
import weakref
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from psycopg.pq import TransactionStatus

from inventory import prepared
from inventory.models import Item
from inventory.trips import execute, in_one_trip, rows_of, under_way
from tests.factories import make_item

ONE = ("SELECT %s::int", [1])


@pytest.mark.django_db
def test_answers_come_in_the_order_of_the_statements():
    assert in_one_trip(ONE, ("SELECT n FROM generate_series(1, %s) AS n", [2]), ONE) == [[(1,)], [(1,), (2,)], [(1,)]]
    assert rows_of(*ONE) == [(1,)]


@pytest.mark.django_db
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("after", [0, 1])
def test_the_error_of_the_statement_that_failed_is_raised_as_djangos(before, after):
    wrong = ("INSERT INTO inventory_location (code) VALUES (%s) RETURNING id", ["A"])

    with pytest.raises(IntegrityError, match="null value"), transaction.atomic():
        in_one_trip(*[ONE] * before, wrong, *[ONE] * after)

    assert rows_of(*ONE) == [(1,)]


@pytest.mark.django_db
def test_nothing_is_sent_in_a_transaction_that_has_failed():
    with transaction.atomic():
        with pytest.raises(ProgrammingError), transaction.atomic(savepoint=False):
            rows_of("SELECT nothing", [])
        with pytest.raises(TransactionManagementError):
            rows_of(*ONE)
        transaction.set_rollback(True)


@pytest.mark.django_db
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


@pytest.mark.django_db
def test_what_is_under_way_is_executed_meanwhile_and_answered_at_the_end():
    with transaction.atomic(), under_way(("SELECT clock_timestamp(), pg_sleep(%s)::text", [0.05]), ONE) as answers:
        assert answers == []
        worked_until = datetime.now(UTC) + timedelta(milliseconds=20)
        while datetime.now(UTC) < worked_until:
            pass
    ((began, _),) = answers[0].rows

    assert began < worked_until
    assert [answer.rows for answer in answers[1:]] == [[(1,)]]
    assert rows_of(*ONE) == [(1,)]


@pytest.mark.django_db
def test_nothing_under_way_asks_nothing():
    with CaptureQueriesContext(connection) as counted, under_way() as answers:
        pass

    assert (answers, len(counted)) == ([], 0)


@pytest.mark.django_db
def test_what_is_under_way_is_counted_and_watched_like_any_other():
    with CaptureQueriesContext(connection) as counted, under_way(ONE, ONE) as answers:
        pass

    assert len(counted) == 2
    assert [answer.rows for answer in answers] == [[(1,)]] * 2


@pytest.mark.django_db
def test_the_error_of_what_was_under_way_is_raised_at_the_end():
    wrong = ("INSERT INTO inventory_location (code) VALUES (%s) RETURNING id", ["A"])
    is_through = False

    with pytest.raises(IntegrityError, match="null value"), transaction.atomic(), under_way(ONE, wrong, ONE):
        is_through = True

    assert is_through
    assert rows_of(*ONE) == [(1,)]


@pytest.mark.django_db
def test_a_failure_meanwhile_leaves_the_connection_usable():
    item = make_item()

    change = ("UPDATE inventory_item SET name = %s WHERE id = %s", ["Other", item.pk])
    with pytest.raises(ValueError, match="meanwhile"), transaction.atomic(), under_way(change):
        raise ValueError("meanwhile")

    item.refresh_from_db()
    assert item.name != "Other"
    assert rows_of(*ONE) == [(1,)]


@pytest.mark.django_db
@pytest.mark.parametrize("ask", [lambda: rows_of(*ONE), Item.objects.count], ids=["trip", "cursor"])
def test_nothing_is_asked_while_something_is_under_way(ask):
    with pytest.raises(RuntimeError, match="under way"), transaction.atomic(), under_way(ONE):
        ask()

    assert rows_of(*ONE) == [(1,)]


@pytest.fixture
def link(db):
    """The driver's connection, with nothing known of it."""
    connection.ensure_connection()
    rows_of(*ONE)
    prepared.statements_of(connection.connection)._names.clear()
    return connection.connection


def names_in_the_database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'trip%' ORDER BY name")
        return [name for (name,) in cursor.fetchall()]


@pytest.mark.django_db
def test_a_statement_is_named_once_for_each_combination_of_types(link):
    for value in (1, 2, 70_000, None, 3):
        assert rows_of("SELECT %s::bigint AS named_once", [value]) == [(value,)]

    # The driver has a type for small numbers, one for larger ones, one for nothing.
    assert len(prepared.statements_of(link)._names) == 3
    assert len(names_in_the_database()) >= 3


@pytest.mark.django_db
@pytest.mark.parametrize("by_cursor", [False, True])
def test_after_a_rollback_the_driver_forgets_all_names_and_so_do_we(link, by_cursor):
    def ask_by_cursor():
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::int AS prepared_by_the_driver", [1])

    for _ in range(4):  # so that the driver has something to forget
        ask_by_cursor()
    assert rows_of(*ONE) == [(1,)]
    with transaction.atomic():
        transaction.set_rollback(True)
    if by_cursor:
        ask_by_cursor()

    assert [rows_of(*ONE) for _ in range(3)] == [[(1,)]] * 3
    assert len(prepared.statements_of(link)._names) == 1
    assert len(names_in_the_database()) == 1


def test_rollbacks_leave_no_statements_behind(committed_db):
    """A process that tries things out all day must not fill the memory of its session."""

    def try_out():
        with transaction.atomic():
            for number in range(5):
                rows_of(f"SELECT %s::int AS tried_out_{number}", [1])
            transaction.set_rollback(True)

    try_out()
    before = names_in_the_database()
    for _ in range(10):
        try_out()

    assert names_in_the_database() == before


def test_a_connection_that_is_closed_is_let_go_of(committed_db):
    rows_of(*ONE)
    kept = weakref.ref(connection.connection)
    connection.close()
    gc.collect()

    assert kept() is None


@pytest.mark.parametrize("ask", [rows_of, lambda *one: in_one_trip(one, one)])
def test_other_threads_work_while_the_database_does(committed_db, ask):
    """A request of one thread must not stop the others of its process."""
    waiting = threading.Thread(target=lambda: (ask("SELECT pg_sleep(%s)", [0.4]), connection.close()))
    turns = 0
    waiting.start()
    while waiting.is_alive():
        time.sleep(0.001)
        turns += 1

    assert turns > 20  # one or two, if the statement kept the interpreter


@pytest.mark.django_db
def test_every_kind_of_value_comes_back_as_it_went(link):
    values = [uuid4(), Decimal("1.500000"), datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), b"\x00\xff", "a%b'\"\\", True]
    sql = "SELECT %s::uuid, %s::numeric, %s::timestamptz, %s::bytea, %s::text, %s::boolean, 7 %% 4"

    (row,) = rows_of(sql, values)

    assert list(row) == [*values, 3]


@pytest.mark.django_db
def test_with_too_many_names_and_without_prepared_statements_a_cursor_answers(link, monkeypatch):
    monkeypatch.setattr(prepared, "NAMES_MAX", 1)
    assert [rows_of("SELECT %s::int AS first", [1]), rows_of("SELECT %s::int AS second", [2])] == [[(1,)], [(2,)]]
    assert len(prepared.statements_of(link)._names) == 1

    monkeypatch.setattr(link, "prepare_threshold", None)
    assert prepared.answers_by_name(link, [ONE]) is None
    assert rows_of(*ONE) == [(1,)]


@pytest.mark.django_db
def test_parameters_may_have_names(link):
    for one in ({"n": 1, "of": "x", "other": 3}, {"other": 3, "of": "x", "n": 1}):
        assert rows_of("SELECT %(n)s::int, %(of)s, 7 %% 4, %(n)s::int", one) == [(1, "x", 3, 1)]
    assert len(prepared.statements_of(link)._names) == 1
    with pytest.raises(KeyError):
        rows_of("SELECT %(n)s::int, %(of)s, 7 %% 4, %(n)s::int", {"n": 1})


@pytest.mark.django_db
def test_a_statement_that_answers_no_rows_says_how_many_it_changed(link):
    for sku in ("A", "B"):
        make_item(sku=sku)
    change = "UPDATE inventory_item SET name = %s WHERE sku = ANY(%s::text[])"

    assert [execute(change, ["x", found]) for found in ("{A,B}", "{C}")] == [2, 0]
    assert execute("SELECT pg_advisory_xact_lock(%s)", [1]) == 1
    with CaptureQueriesContext(connection) as counted:
        assert execute(change, ["y", "{A,B}"]) == 2
    assert len(counted) == 1


@pytest.mark.parametrize("others", [0, 1])
def test_the_first_statement_of_a_transaction_begins_it(committed_db, others):
    def number():
        return in_one_trip(*[("SELECT txid_current(), %s::int", [1])] * (1 + others))

    with transaction.atomic():
        first = number()
        assert connection.connection.info.transaction_status == TransactionStatus.INTRANS
        assert number() == first
        make_item(sku="GONE")
        transaction.set_rollback(True)
    with transaction.atomic():
        (second, *_) = number()
        make_item(sku="KEPT")

    assert first[0] != second
    assert connection.connection.info.transaction_status == TransactionStatus.IDLE
    assert list(Item.objects.values_list("sku", flat=True)) == ["KEPT"]


def test_a_commit_that_the_database_refuses_is_an_error_and_keeps_nothing(committed_db):
    item = make_item(sku="HAS-LOT")

    def add_lot(item_id):
        return rows_of(
            "INSERT INTO inventory_lot (item_id, code, received_on, supplier_lot, note, created_at)"
            " VALUES (%s, 'X', '2026-01-01', '', '', now()) RETURNING id",
            [item_id],
        )

    @transaction.atomic
    def add_both():
        add_lot(item.pk)
        add_lot(item.pk + 1)  # looked at when the transaction ends

    with pytest.raises(IntegrityError, match="foreign key"):
        add_both()

    assert not item.lots.exists()
    assert rows_of(*ONE) == [(1,)]


@pytest.mark.parametrize("count", [1, 2])
def test_a_connection_that_the_server_ends_is_an_error_and_the_next_one_works(committed_db, count):
    end = ("SELECT pg_terminate_backend(pg_backend_pid()), %s::int", [1])

    with pytest.raises(OperationalError), transaction.atomic():
        in_one_trip(*[ONE] * (count - 1), end)
    connection.close_if_unusable_or_obsolete()
    connection.close()

    assert rows_of(*ONE) == [(1,)]


def test_a_wait_that_is_broken_off_leaves_no_answer_to_a_later_question(committed_db, monkeypatch):
    rows_of(*ONE)
    before = connection.connection
    known = prepared.statements_of(before)

    class Interrupted:
        def poll(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(known, "_socket", Interrupted())
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        in_one_trip(ONE, ("SELECT pg_sleep(%s)", [0.2]))

    assert connection.connection is not before
    assert rows_of("SELECT %s::int", [5]) == [(5,)]
