from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from inventory.errors import NegativeInFuture, PeriodLocked, WrongState
from inventory.invariants import snapshots_equal_movements
from inventory.models import Movement, PeriodClose, PeriodSnapshot, Posting
from inventory.operations.adjusting import adjust_stock
from inventory.operations.closing import close_period, end_of, reopen_period
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.transferring import transfer_stock
from inventory.reads.moments import AsOf
from inventory.reads.stock_totals import totals_as_of
from tests.factories import make_item, make_location, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]
NOW = timezone.make_aware(datetime(2026, 5, 20, 12))
MAY_10 = date(2026, 5, 10)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def on(day, hour=12):
    return timezone.make_aware(datetime(2026, 5, day, hour))


def issue(item, place, quantity, at=None):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, effective_at=at)


def kept(period):
    return {row.item_id: (row.quantity, row.value) for row in PeriodSnapshot.objects.filter(period=period)}


def test_keeps_what_every_item_came_to_at_the_end_of_the_day(administrator):
    item, gone, shelf = make_item(), make_item(), make_location()
    put_on_hand(item, shelf, "10", value="25.00", effective_at=on(3))
    put_on_hand(gone, shelf, "1", value="5.00", effective_at=on(4))
    issue(gone, shelf, "1", on(5))
    put_on_hand(item, shelf, "2", effective_at=on(6))
    put_on_hand(item, shelf, "4", value="1.00", effective_at=on(11))

    period = close_period(through=MAY_10, actor=administrator, note=" settled ").period

    assert kept(period) == {item.pk: (12, 25)}
    assert (period.items, period.known_value, period.unknown_items) == (1, 25, 1)
    assert (period.closed_by, period.note, period.ends_at) == (administrator, "settled", end_of(MAY_10))


def test_goes_on_from_the_period_before_and_takes_what_was_recorded_late(clock):
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "10", value="25.00", effective_at=on(3))
    close_period(through=MAY_10, actor=None)
    clock.shift(timedelta(days=30))
    put_on_hand(item, shelf, "3", value="6.00", effective_at=on(11))

    period = close_period(through=date(2026, 5, 31), actor=None).period

    assert kept(period) == {item.pk: (13, 31)}


def test_the_last_moment_of_the_day_belongs_to_it_and_the_next_does_not():
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "1", value="1.00", effective_at=end_of(MAY_10))
    put_on_hand(item, shelf, "2", value="2.00", effective_at=end_of(MAY_10) + timedelta(microseconds=1))

    period = close_period(through=MAY_10, actor=None).period

    assert kept(period) == {item.pk: (1, 1)}
    with pytest.raises(PeriodLocked):
        put_on_hand(item, shelf, "1", effective_at=end_of(MAY_10))
    put_on_hand(item, shelf, "1", value="1.00", effective_at=end_of(MAY_10) + timedelta(microseconds=1))
    close_period(through=date(2026, 5, 11), actor=None)


@pytest.mark.parametrize("through", [date(2026, 5, 20), date(2026, 6, 1)])
def test_a_day_that_has_not_ended_stays_open(through):
    with pytest.raises(WrongState, match="has not ended"):
        close_period(through=through, actor=None)

    assert not PeriodClose.objects.exists()


def test_yesterday_is_closed_an_hour_after_midnight(clock):
    clock.move_to(on(20, 0) + timedelta(minutes=59))
    with pytest.raises(WrongState):
        close_period(through=date(2026, 5, 19), actor=None)

    clock.move_to(on(20, 1))
    assert close_period(through=date(2026, 5, 19), actor=None).period.through == date(2026, 5, 19)


def test_the_same_day_again_is_the_same_close():
    put_on_hand(make_item(), make_location(), "1", value="1.00", effective_at=on(3))
    first = close_period(through=MAY_10, actor=None)

    again = close_period(through=MAY_10, actor=None)

    assert (again.period, again.replayed, first.replayed) == (first.period, True, False)
    assert PeriodClose.objects.count() == 1


def test_an_earlier_day_is_refused():
    close_period(through=MAY_10, actor=None)

    with pytest.raises(PeriodLocked, match="2026-05-10"):
        close_period(through=date(2026, 5, 9), actor=None)

    assert PeriodClose.objects.count() == 1


@pytest.mark.parametrize("verb", ["receive", "issue", "transfer", "adjust", "scrap"])
def test_nothing_is_recorded_into_a_closed_period(verb):
    item, shelf, other = make_item(), make_location(), make_location()
    put_on_hand(item, shelf, "10", value="25.00", effective_at=on(3))
    close_period(through=MAY_10, actor=None)
    more = {"key": uuid4(), "item": item, "quantity": Decimal(1), "actor": None, "effective_at": on(10, 23)}
    work = {
        "receive": lambda: put_on_hand(item, shelf, "1", effective_at=on(10, 23)),
        "issue": lambda: issue_stock(location=shelf, **more),
        "transfer": lambda: transfer_stock(source=shelf, target=other, **more),
        "adjust": lambda: adjust_stock(location=shelf, reason="counted", **more),
        "scrap": lambda: scrap_stock(location=shelf, reason="broken", **more),
    }[verb]
    before = (Posting.objects.count(), Movement.objects.count())

    with pytest.raises(PeriodLocked, match="closed through 2026-05-10") as refusal:
        work()

    assert refusal.value.context["closed_through"] == "2026-05-10"
    assert (Posting.objects.count(), Movement.objects.count()) == before


def test_after_the_close_a_late_posting_still_may_not_take_what_a_later_day_needs():
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "10", value="20.00", effective_at=on(3))
    close_period(through=MAY_10, actor=None)
    issue(item, shelf, "8", on(15))
    put_on_hand(item, shelf, "5", value="10.00", effective_at=on(17))

    with pytest.raises(NegativeInFuture):
        issue(item, shelf, "3", on(12))
    issue(item, shelf, "2", on(12))

    assert totals_as_of(moment=AsOf(effective_at=on(16))).known_value == 0
    assert totals_as_of(moment=AsOf(effective_at=on(10, 23))).known_value == 20


def test_reopened_takes_late_postings_and_closes_anew(administrator):
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "10", value="25.00", effective_at=on(3))
    first = close_period(through=MAY_10, actor=None).period

    reopen_period(period=first, reason="late invoice", actor=administrator)
    put_on_hand(item, shelf, "2", value="5.00", effective_at=on(9))
    second = close_period(through=MAY_10, actor=None)

    first.refresh_from_db()
    assert (first.reopened_by, first.reopen_reason, first.reopened_at) == (administrator, "late invoice", NOW)
    assert second.replayed is False
    assert (kept(first), kept(second.period)) == ({item.pk: (10, 25)}, {item.pk: (12, 30)})


def test_is_reopened_newest_first_once_and_with_a_reason():
    older = close_period(through=date(2026, 5, 5), actor=None).period
    newer = close_period(through=MAY_10, actor=None).period

    with pytest.raises(WrongState, match="newest period first"):
        reopen_period(period=older, reason="late invoice", actor=None)
    with pytest.raises(WrongState, match="reason"):
        reopen_period(period=newer, reason=" ", actor=None)
    assert PeriodClose.objects.in_force().count() == 2

    reopen_period(period=newer, reason="late invoice", actor=None)
    with pytest.raises(WrongState, match="nothing left to open"):
        reopen_period(period=newer, reason="late invoice", actor=None)
    reopen_period(period=older, reason="late invoice", actor=None)
    assert not PeriodClose.objects.in_force().exists()


def test_a_kept_figure_that_was_tampered_with_is_found():
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "10", value="25.00", effective_at=on(3))
    older = close_period(through=date(2026, 5, 5), actor=None).period
    newer = close_period(through=MAY_10, actor=None).period
    assert snapshots_equal_movements() == []

    for period in (older, newer):
        PeriodSnapshot.objects.filter(period=period).update(value=Decimal(26))
        assert [finding.split(",")[0] for finding in snapshots_equal_movements()] != []
        PeriodSnapshot.objects.filter(period=period).update(value=Decimal(25))
    row = PeriodSnapshot.objects.get(period=newer)
    row.delete()
    assert any(f"item {item.pk}" in finding for finding in snapshots_equal_movements())
    PeriodSnapshot.objects.create(period=newer, item=item, quantity=Decimal(10), value=Decimal(25))
