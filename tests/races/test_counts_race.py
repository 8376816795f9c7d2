"""Rivals around a count, with real commits. Each test names the line whose removal makes it fail; that was tried."""

import threading
import time
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models import Sum

from inventory.errors import WrongState
from inventory.models import CountLine, Movement, Posting
from inventory.operations.issuing import issue_stock
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import (
    approve,
    approve_from,
    count,
    line_of,
    open_sheet,
    scan,
    submit,
)
from tests.races.test_completions_race import together

pytestmark = pytest.mark.race


@pytest.fixture
def shelf(committed_db):
    return make_location(code="SHELF")


def test_two_people_submit_one_sheet_and_it_is_posted_once(shelf):
    """Fails when submit_count_sheet reads its sheet without lock_sheet."""
    item = make_item()
    put_on_hand(item, shelf, "100", value="100.00")
    sheet = open_sheet(shelf)
    count(line_of(sheet, item), "98")

    results = together([lambda: submit(sheet) for _ in range(2)])

    assert sorted(result.replayed for result in results) == [False, True]
    assert (on_hand(item), Posting.objects.filter(kind="count").count()) == (Decimal(98), 1)
    assert broken_invariants() == []


def test_two_people_approve_one_line_and_it_is_posted_once(shelf):
    """Fails when approve_count locks neither its sheet (lock_sheet) nor its lines (_lock_lines)."""
    approve_from("0")
    item = make_item()
    put_on_hand(item, shelf, "100", value="100.00")
    sheet = open_sheet(shelf)
    count(line_of(sheet, item), "98")
    submit(sheet)
    line = line_of(sheet, item)

    results = together([lambda: approve(sheet, [line]) for _ in range(2)])

    assert [type(result) for result in results if isinstance(result, Exception)] == [WrongState]
    assert (on_hand(item), Posting.objects.filter(kind="count").count()) == (Decimal(98), 1)
    assert broken_invariants() == []


@pytest.mark.parametrize("seed", range(3))
def test_posting_a_count_against_issues_keeps_both(shelf, seed):
    """Fails when _lock in closing_counts reads without locking (lock=False): an issue is then counted away."""
    item = make_item()
    put_on_hand(item, shelf, "100", value="100.00")
    sheet = open_sheet(shelf)
    line = scan(line_of(sheet, item))
    count(line, "98")

    def issues():
        for _ in range(5):
            issue_stock(key=uuid4(), item=item, location=shelf, quantity=Decimal(2), actor=None)

    works = [lambda: submit(sheet), issues, issues]
    together(works[seed:] + works[:seed])

    line.refresh_from_db()
    then = Movement.objects.filter(item=item, effective_at__lte=line.scanned_at).aggregate(total=Sum("quantity"))
    assert then["total"] == Decimal(98)
    assert on_hand(item) == Decimal(98 - 20)
    assert broken_invariants() == []


def test_scan_waits_for_what_is_being_posted_and_expects_what_it_leaves(shelf):
    """Fails when _freeze reads the balance without locking the pool (lock=False)."""
    item = make_item()
    put_on_hand(item, shelf, "100", value="100.00")
    line = line_of(open_sheet(shelf), item)
    is_written = threading.Event()

    def slow_issue():
        with transaction.atomic():
            issue_stock(key=uuid4(), item=item, location=shelf, quantity=Decimal(10), actor=None)
            is_written.set()
            time.sleep(0.5)

    def scan_meanwhile():
        assert is_written.wait(timeout=20)
        scan(line)

    results = together([slow_issue, scan_meanwhile])

    assert results == [None, None]
    line.refresh_from_db()
    assert line.expected == Decimal(90)


def test_two_sheets_opened_at_once_share_no_cell(shelf):
    """Fails when lock_cells does not lock the pools before it looks for unfinished lines."""
    items = [make_item() for _ in range(5)]
    for item in items:
        put_on_hand(item, shelf, "5", value="5.00")

    results = together([lambda: open_sheet(shelf) for _ in range(2)])

    assert [type(result) for result in results if isinstance(result, Exception)] == [WrongState]
    assert CountLine.objects.count() == len(items)
