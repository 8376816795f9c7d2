"""Random histories around a count: issues, receipts, late recordings and undone ones before, during and after it.

Whatever happens, as of the moment of the scan the book holds what was counted, and now that plus what moved since; what was
recorded after the count for a time before it leaves quantity and value as they were when it is undone. Cases:
BACKFLUSH_COUNT_HISTORIES (60 by default). Mutations that were tried and are found: posting the counted less the expected
quantity whatever was recorded meanwhile for earlier times; dating the posting now instead of at the scan; leaving out the
compensation of the writer (keep_counts), or its undoing (kept_counts); valuing it at the average of what is left.
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
from inventory.models import CostMethod, CostPool, CountSheetState, Movement, Tracking
from inventory.operations.issuing import issue_stock
from inventory.operations.reversing import reverse_posting
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import approve, count_for_sure, line_of, open_sheet, submit
from tests.properties.sizes import histories

HISTORIES = histories("BACKFLUSH_COUNT_HISTORIES", usual=60)

moves = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["issue", "receive"]), st.sampled_from(["now", "late"]), st.integers(1, 9)),
        st.tuples(st.just("undo"), st.just("now"), st.integers(0, 20)),
    ),
    max_size=6,
)


class Past:
    """What was recorded so far, newest last: each posting, what it moved, and whether a count had kept it out of the book."""

    def __init__(self, item, place):
        self.item, self.place = item, place
        self.done = []

    def play(self, history, *, scanned_at, is_counted=False):
        """Make the moves, late ones for hours before the scan; returns what moved after it. Impossible ones do not happen."""
        since = Decimal(0)
        for verb, when, quantity in history:
            at = None if when == "now" else scanned_at - timedelta(hours=2)
            try:
                with transaction.atomic():
                    if verb == "undo":
                        since += self.undo(quantity)
                        continue
                    posting = self.move(verb, quantity, at)
            except DomainError:
                continue
            signed = quantity if verb == "receive" else -quantity
            self.done.append((posting, signed, is_counted and when == "late"))
            if when == "now":
                since += signed
        return since

    def move(self, verb, quantity, at):
        if verb == "receive":
            return put_on_hand(self.item, self.place, str(quantity), value=f"{quantity}.10", effective_at=at)
        return issue_stock(
            key=uuid4(), item=self.item, location=self.place, quantity=Decimal(quantity), actor=None, effective_at=at
        ).posting

    def undo(self, number):
        """Take one of the postings back; what a count had kept out of the book moves nothing by it."""
        if not self.done:
            return 0
        posting, signed, was_kept = self.done[number % len(self.done)]
        before = on_hand(self.item)
        reverse_posting(key=uuid4(), posting=posting, actor=None)
        self.done.remove((posting, signed, was_kept))
        assert on_hand(self.item) == (before if was_kept else before - signed)
        return 0 if was_kept else -signed


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
        past = Past(item, place)
        past.play(before, scanned_at=timezone.now())
        sheet = open_sheet(place, items=[item])
        line = line_of(sheet, item)
        line = count_for_sure(line, str(counted)).line
        since = past.play(during, scanned_at=line.scanned_at)
        try:
            with transaction.atomic():
                assert submit(sheet).sheet.state in (CountSheetState.POSTED, CountSheetState.REVIEW)
        except CountOutdated:
            assert since < 0 or any(verb != "receive" for verb, when, _ in during if when == "now")
            transaction.set_rollback(True)
            return
        sheet.refresh_from_db()
        if sheet.state == CountSheetState.REVIEW:  # what was found has no known cost
            approve(sheet, [line])
        since += past.play(after, scanned_at=line.scanned_at, is_counted=True)

        assert as_of(item, line.scanned_at) == counted
        assert on_hand(item) == counted + since
        assert broken_invariants() == []
        transaction.set_rollback(True)


@pytest.mark.slow
@pytest.mark.django_db
@given(
    method=st.sampled_from(list(CostMethod)),
    layers=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 900)), min_size=1, max_size=3),
    late=st.lists(st.tuples(st.sampled_from(["issue", "receive"]), st.integers(1, 9)), min_size=1, max_size=4),
)
@settings(
    max_examples=HISTORIES // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_late_recordings_and_their_undoing_leave_quantity_and_value_of_what_was_counted(method, layers, late):
    """Newest first, as nothing else happened between: to the cent for each method of cost."""
    with transaction.atomic():
        tracking = Tracking.LOT if method == CostMethod.LOT else Tracking.NONE
        place, item = make_location(), make_item(cost_method=method, tracking=tracking)
        lot = {"lot": "L1"} if tracking == Tracking.LOT else {}
        day = timezone.now() - timedelta(days=5)
        for quantity, cents in layers:
            put_on_hand(item, place, str(quantity), value=str(Decimal(cents) / 100), effective_at=day, **lot)
        held = sum(quantity for quantity, _ in layers)
        sheet = open_sheet(place, items=[item])
        count_for_sure(line_of(sheet, item), str(held))
        assert submit(sheet).sheet.state == CountSheetState.POSTED
        at = timezone.now() - timedelta(hours=30)
        states, postings = [pool_of(item)], []
        for verb, quantity in late:
            try:
                with transaction.atomic():
                    if verb == "receive":
                        done = put_on_hand(item, place, str(quantity), value=f"{quantity}.10", effective_at=at, **lot)
                    else:
                        done = issue_stock(
                            key=uuid4(),
                            item=item,
                            location=place,
                            quantity=Decimal(quantity),
                            actor=None,
                            effective_at=at,
                        ).posting
            except DomainError:
                continue
            if (
                verb == "issue" and method != CostMethod.FIFO
            ):  # of layers it is the oldest that leave, the newest that come
                assert pool_of(item) == states[-1]
            postings.append(done)
            states.append(pool_of(item))
        for posting, state in zip(reversed(postings), reversed(states[:-1]), strict=True):
            reverse_posting(key=uuid4(), posting=posting, actor=None)
            assert pool_of(item) == state
        assert pool_of(item)[0] == on_hand(item) == held
        assert broken_invariants() == []
        transaction.set_rollback(True)


def pool_of(item):
    return CostPool.objects.values_list("quantity", "value", "unknown_quantity").get(item=item, lot=None)
