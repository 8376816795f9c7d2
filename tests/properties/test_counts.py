"""Random histories around a count: issues, receipts and late recordings before, during and after it.

Whatever happens, as of the moment of the scan the book holds what was counted, and now that plus what moved since. Cases:
BACKFLUSH_COUNT_HISTORIES (40 by default). Mutations that were tried and are found: posting the counted less the expected
quantity whatever was recorded meanwhile for earlier times; dating the posting now instead of at the scan; leaving out the
compensation of the writer (keep_counts).
"""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.errors import CountOutdated, DomainError
from inventory.models import CountSheetState, Movement
from inventory.operations.issuing import issue_stock
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import approve, count_for_sure, line_of, open_sheet, submit
from tests.properties.sizes import histories

HISTORIES = histories("BACKFLUSH_COUNT_HISTORIES", usual=40)

moves = st.lists(
    st.tuples(st.sampled_from(["issue", "receive"]), st.sampled_from(["now", "late"]), st.integers(1, 9)), max_size=5
)


def play(item, place, history, *, scanned_at):
    """Make the moves, late ones for hours before the scan; returns what moved after it. Impossible ones do not happen."""
    since = Decimal(0)
    for verb, when, quantity in history:
        at = None if when == "now" else scanned_at - timedelta(hours=2)
        try:
            with transaction.atomic():
                if verb == "issue":
                    issue_stock(
                        key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, effective_at=at
                    )
                else:
                    put_on_hand(item, place, str(quantity), value=f"{quantity}.10", effective_at=at)
        except DomainError:
            continue
        if when == "now":
            since += quantity if verb == "receive" else -quantity
    return since


def as_of(item, at):
    found = Movement.objects.filter(item=item, effective_at__lte=at).aggregate(total=Sum("quantity"))
    return found["total"] or Decimal(0)


@pytest.mark.slow
@pytest.mark.django_db
@given(start=st.integers(0, 20), counted=st.integers(0, 25), before=moves, during=moves, after=moves)
@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_moment_of_the_count_holds_what_was_counted_whatever_moves(start, counted, before, during, after):
    with transaction.atomic():
        place, item = make_location(), make_item()
        if start:
            day = timezone.now() - timedelta(days=5)
            put_on_hand(item, place, str(start), value=f"{start}.00", effective_at=day)
        play(item, place, before, scanned_at=timezone.now())
        sheet = open_sheet(place, items=[item])
        line = line_of(sheet, item)
        line = count_for_sure(line, str(counted)).line
        since = play(item, place, during, scanned_at=line.scanned_at)
        try:
            with transaction.atomic():
                assert submit(sheet).sheet.state in (CountSheetState.POSTED, CountSheetState.REVIEW)
        except CountOutdated:
            assert since < 0 or any(verb == "issue" for verb, when, _ in during if when == "now")
            transaction.set_rollback(True)
            return
        sheet.refresh_from_db()
        if sheet.state == CountSheetState.REVIEW:  # what was found has no known cost
            approve(sheet, [line])
        since += play(item, place, after, scanned_at=line.scanned_at)

        assert as_of(item, line.scanned_at) == counted
        assert on_hand(item) == counted + since
        assert broken_invariants() == []
        transaction.set_rollback(True)
