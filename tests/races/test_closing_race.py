"""A posting with an earlier date against the close of its period, with real commits.

It fails when `_keep_postings_out` is taken out of `close_period`: the second test is that mutation.
"""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from inventory.errors import DomainError, PeriodLocked
from inventory.models import PeriodClose, PeriodSnapshot
from inventory.operations import closing, receiving
from inventory.operations.closing import close_period
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.race
WAIT_SECONDS = 30


def close_while_a_posting_is_under_way(monkeypatch):
    """A receipt dated into the period is past its checks and not written when the close begins. What became of both."""
    item, shelf = make_item(), make_location()
    long_ago = timezone.now() - timedelta(days=3)
    put_on_hand(item, shelf, "1", value="1.00", effective_at=long_ago)
    checked, go_on = threading.Event(), threading.Event()
    real_claim = receiving.claim_posting

    def slow_claim(**arguments):
        checked.set()
        go_on.wait(WAIT_SECONDS)
        return real_claim(**arguments)

    outcome = {}

    def run(name, work):
        try:
            outcome[name] = work()
        except DomainError as refusal:
            outcome[name] = refusal
        finally:
            connections.close_all()

    monkeypatch.setattr(receiving, "claim_posting", slow_claim)
    day = timezone.localdate(long_ago)
    posting = threading.Thread(
        target=run, args=("posting", lambda: put_on_hand(item, shelf, "2", value="2.00", effective_at=long_ago))
    )
    closer = threading.Thread(target=run, args=("close", lambda: close_period(through=day, actor=None)))
    posting.start()
    assert checked.wait(WAIT_SECONDS)
    closer.start()
    until = time.monotonic() + WAIT_SECONDS
    while closer.is_alive() and not is_waiting() and time.monotonic() < until:
        time.sleep(0.02)
    go_on.set()
    posting.join(WAIT_SECONDS)
    closer.join(WAIT_SECONDS)
    return item, outcome


def is_waiting():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        return cursor.fetchone()[0]


def test_a_close_waits_for_a_posting_into_its_period_and_keeps_it(committed_db, monkeypatch):
    item, outcome = close_while_a_posting_is_under_way(monkeypatch)

    assert outcome["posting"].pk
    kept = PeriodSnapshot.objects.get(period=outcome["close"].period, item=item)
    assert (kept.quantity, kept.value) == (3, 3)
    assert broken_invariants() == []
    with pytest.raises(PeriodLocked):
        put_on_hand(item, make_location(), "1", effective_at=outcome["close"].period.ends_at)


def test_without_the_lock_the_close_misses_the_posting(committed_db, monkeypatch):
    monkeypatch.setattr(closing, "_keep_postings_out", lambda: None)

    close_while_a_posting_is_under_way(monkeypatch)

    assert any(finding.startswith("closed periods") for finding in broken_invariants())


def test_of_two_closes_at_once_one_is_made(committed_db):
    put_on_hand(make_item(), make_location(), "1", value="1.00", effective_at=timezone.now() - timedelta(days=3))
    day = timezone.localdate() - timedelta(days=2)
    barrier = threading.Barrier(2)
    results = []

    def run():
        barrier.wait(WAIT_SECONDS)
        results.append(close_period(through=day, actor=None).replayed)
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)

    assert sorted(results) == [False, True]
    assert PeriodClose.objects.count() == 1
    assert broken_invariants() == []
