"""Rivals over lots and reports, with real commits. Each test names the line whose removal makes it fail; that was tried."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import DomainError, InsufficientStock, WrongState
from inventory.models import LocationKind, Posting
from inventory.operations.issuing import issue_stock
from inventory.operations.quarantining import quarantine_lots
from inventory.operations.reporting import ReportedQuantity, report_external_stock
from tests.conftest import broken_invariants
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand
from tests.races.test_completions_race import together

pytestmark = pytest.mark.race


def test_two_people_who_stop_a_lot_stop_it_once(committed_db):
    """Fails without `lock_for_posting` locking in quarantine_lots: both move what they read."""
    item = make_item(tracking="lot")
    for _ in range(3):
        put_on_hand(item, make_location(), "4", lot="A", value="4.00")
    lot = lot_of(item, "A")

    results = together(
        [lambda: quarantine_lots(key=uuid4(), lots=[lot], reason="recall", actor=None) for _ in range(2)]
    )

    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(result) for result in refused] == [WrongState]
    assert on_hand(item, status="quarantine") == 12
    assert broken_invariants() == []


def test_what_is_stopped_is_not_issued_too(committed_db):
    """The issue or the stop comes first: nothing is both. Fails without the lock."""
    item, place = make_item(tracking="lot"), make_location()
    put_on_hand(item, place, "4", lot="A", value="4.00")
    lot = lot_of(item, "A")

    stopped, issued = together(
        [
            lambda: quarantine_lots(key=uuid4(), lots=[lot], reason="recall", actor=None),
            lambda: issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(3), actor=None),
        ]
    )

    assert not isinstance(stopped, DomainError)
    left = 4 if isinstance(issued, InsufficientStock) else 1
    assert on_hand(item, status="quarantine") == left
    assert on_hand(item) == left
    assert broken_invariants() == []


def test_the_same_report_from_two_senders_is_booked_once(committed_db):
    """Fails without the lock: both find the same difference and post it."""
    item, place = make_item(), make_location(kind=LocationKind.THIRD_PARTY)
    put_on_hand(item, place, "10", value="10.00", effective_at=timezone.now() - timedelta(hours=1))
    as_of = timezone.now()
    line = ReportedQuantity(item, Decimal(7))

    results = together(
        [
            lambda: report_external_stock(key=uuid4(), location=place, as_of=as_of, lines=[line], actor=None)
            for _ in range(2)
        ]
    )

    assert sorted(result.posting is None for result in results) == [False, True]
    assert on_hand(item) == 7
    assert Posting.objects.filter(kind="adjustment").count() == 1
    assert broken_invariants() == []
