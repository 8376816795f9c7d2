"""The queue of exceptions: taking, giving, putting away, resolving and opening again."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import WrongState
from inventory.models import ExceptionCase, StockStatus
from inventory.operations import standing_trouble
from inventory.operations.exceptions import (
    assign_exception,
    note_exception,
    reopen_exception,
    report_exception,
    report_problem,
    resolve_by_fingerprint,
    resolve_exception,
    snooze_exception,
    take_exception,
    wake_exception,
)
from inventory.operations.issuing import issue_stock
from inventory.operations.standing_trouble import report_standing
from inventory.operations.transferring import change_status
from inventory.operations.transit import Arrival, DispatchLine, dispatch_transfer, receive_transfer
from inventory.reads.exceptions import ExceptionQuestion, exceptions_matching, queue_figures
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


def report(name="drift", **fields):
    return report_exception(
        kind=name, area="stock", fingerprint=f"{name}:1", title=f"A {name}", reason="It is so.", actor=None, **fields
    )


def steps(case):
    return [(event.step, event.words) for event in case.events.all()]


def test_the_same_trouble_is_one_case_that_counts(operator):
    first = report()
    take_exception(case=first, actor=operator)

    again = report(severity=3)

    assert (again.pk, again.times_seen, again.severity, again.owner) == (first.pk, 2, 3, operator)
    assert steps(again) == [("reported", ""), ("taken", "")]


def test_a_case_is_taken_given_and_let_go(operator, planner):
    case = report()

    take_exception(case=case, actor=operator)
    take_exception(case=case, actor=operator)
    assign_exception(case=case, owner=planner, actor=operator)
    case.refresh_from_db()
    assert case.owner == planner
    assign_exception(case=case, owner=None, actor=planner)

    case.refresh_from_db()
    assert case.owner is None
    assert steps(case) == [("reported", ""), ("taken", ""), ("assigned", planner.username), ("released", "")]


def test_nobody_who_left_is_given_a_case():
    gone = make_user()
    gone.is_active = False
    gone.save()
    case = report()

    with pytest.raises(WrongState):
        assign_exception(case=case, owner=gone, actor=None)

    assert ExceptionCase.objects.get().owner is None


def test_put_away_it_waits_until_its_moment_or_until_woken():
    case, now = report(), timezone.now()

    snooze_exception(case=case, until=now + timedelta(days=1), actor=None)

    assert not exceptions_matching(ExceptionQuestion(), at=now).exists()
    assert exceptions_matching(ExceptionQuestion(state="snoozed"), at=now).get() == case
    assert exceptions_matching(ExceptionQuestion(), at=now + timedelta(days=2)).get() == case
    wake_exception(case=case, actor=None)
    assert exceptions_matching(ExceptionQuestion(), at=now).get() == case


def test_is_not_put_away_into_the_past():
    case = report()

    with pytest.raises(WrongState):
        snooze_exception(case=case, until=timezone.now(), actor=None)

    assert steps(case) == [("reported", "")]


def test_resolved_once_and_opened_again(operator):
    case = report()
    resolve_exception(case=case, resolution=" counted it ", actor=operator)

    with pytest.raises(WrongState):
        resolve_exception(case=case, actor=operator)
    with pytest.raises(WrongState):
        take_exception(case=case, actor=operator)
    reopen_exception(case=case, note="came back", actor=operator)

    case.refresh_from_db()
    assert (case.state, case.resolved_at, case.resolution) == ("open", None, "")
    assert steps(case)[-2:] == [("resolved", "counted it"), ("reopened", "came back")]
    with pytest.raises(WrongState):
        reopen_exception(case=case, actor=operator)


def test_is_not_opened_again_beside_a_newer_case_of_the_same_trouble():
    old = report()
    resolve_exception(case=old, actor=None)
    report()

    with pytest.raises(WrongState):
        reopen_exception(case=old, actor=None)

    assert ExceptionCase.objects.open().count() == 1


def test_a_note_needs_words():
    case = report()
    note_exception(case=case, words="called the supplier", actor=None)

    with pytest.raises(WrongState):
        note_exception(case=case, words="  ", actor=None)

    assert steps(case)[-1] == ("noted", "called the supplier")


def test_a_problem_is_reported_once_by_its_key(operator):
    key = uuid4()
    first = report_problem(key=key, title="Scale drifts", words="", actor=operator)

    again = report_problem(key=key, title="Scale drifts", words="", actor=operator)

    assert (again.pk, again.times_seen, again.evidence) == (first.pk, 1, {"reported by": operator.username})
    with pytest.raises(WrongState):
        report_problem(key=uuid4(), title=" ", words="x", actor=operator)


def test_what_is_over_is_closed_by_its_fingerprint():
    case = report()

    assert resolve_by_fingerprint(fingerprint=case.fingerprint, resolution="over") == 1
    assert resolve_by_fingerprint(fingerprint=case.fingerprint, resolution="over") == 0
    assert steps(case)[-1] == ("resolved", "over")


def test_stock_below_zero_is_reported_until_it_is_covered(administrator):
    item, place = make_item(negative_allowed=True), make_location(code="BENCH")
    put_on_hand(item, place, "1", value="1")
    issue_stock(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(3),
        reason="urgent",
        may_go_below=True,
        actor=administrator,
    )

    assert report_standing().below_zero == 1
    case = ExceptionCase.objects.get(kind="negative_stock")
    assert "-2 pcs at BENCH" in case.reason
    put_on_hand(item, place, "5", value="5")

    assert report_standing().below_zero == 0
    case.refresh_from_db()
    assert case.state == "resolved"


def test_goods_long_in_quarantine_are_reported_until_they_leave(settings):
    settings.QUARANTINE_DAYS_MAX = 14
    item, place = make_item(), make_location()
    put_on_hand(item, place, "5", status=StockStatus.QUARANTINE)
    later = timezone.now() + timedelta(days=15)

    assert report_standing(at=timezone.now() + timedelta(days=13)).quarantined == 0
    assert report_standing(at=later).quarantined == 1
    assert report_standing(at=later).quarantined == 1
    case = ExceptionCase.objects.get(kind="old_quarantine")
    assert (case.times_seen, "15 days" in case.title) == (2, True)
    change_status(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(5),
        from_status=StockStatus.QUARANTINE,
        to_status=StockStatus.AVAILABLE,
        actor=None,
    )

    assert report_standing(at=later).quarantined == 0
    case.refresh_from_db()
    assert case.state == "resolved"


def test_goods_long_on_the_road_are_reported_until_they_arrive(settings):
    settings.TRANSIT_DAYS_MAX = 7
    item, source, target = make_item(sku="JAR"), make_location(code="HERE"), make_location(code="THERE")
    put_on_hand(item, source, "5")
    sent = dispatch_transfer(
        key=uuid4(), source=source, target=target, lines=[DispatchLine(item, Decimal(5))], actor=None
    ).transfer
    later = timezone.now() + timedelta(days=8)

    assert report_standing(at=timezone.now() + timedelta(days=7)).on_road == 0
    assert report_standing(at=later).on_road == 1
    assert report_standing(at=later).on_road == 1
    case = ExceptionCase.objects.get(kind="old_transfer")
    assert (case.times_seen, case.title) == (2, f"{sent.number} is on the road for 8 days")
    assert "5 pcs of JAR left HERE for THERE" in case.reason
    receive_transfer(key=uuid4(), transfer=sent, arrivals=[Arrival(sent.lines.get(), received=Decimal(5))], actor=None)

    assert report_standing(at=later).on_road == 0
    case.refresh_from_db()
    assert case.state == "resolved"


def test_goods_with_an_expected_day_are_reported_only_when_they_are_late(settings):
    settings.TRANSIT_DAYS_MAX, settings.TRANSIT_LATE_DAYS_MAX = 7, 2
    item, source, target = make_item(sku="JAR"), make_location(code="HERE"), make_location(code="THERE")
    put_on_hand(item, source, "5")
    today, now = timezone.localdate(), timezone.now()
    lines = [DispatchLine(item, Decimal(5))]
    sent = dispatch_transfer(
        key=uuid4(), source=source, target=target, lines=lines, expected_on=today + timedelta(days=40), actor=None
    ).transfer

    assert report_standing(at=now + timedelta(days=42)).on_road == 0
    assert report_standing(at=now + timedelta(days=43)).on_road == 1
    case = ExceptionCase.objects.get(kind="old_transfer")
    assert case.title == f"{sent.number} was expected 3 days ago"
    assert "That is more than 2 days past the expected day" in case.reason


def test_worst_first_then_oldest_and_counted(operator):
    report("low", severity=1)
    report("urgent", severity=4)
    mine = report("normal", severity=2)
    take_exception(case=mine, actor=operator)

    assert [case.kind for case in exceptions_matching(ExceptionQuestion())] == ["urgent", "normal", "low"]
    question = ExceptionQuestion(owner="mine", person_id=operator.pk)
    assert exceptions_matching(question).get() == mine
    figures = queue_figures(person_id=operator.pk)
    assert (figures.waiting, figures.severe, figures.mine, figures.nobody) == (3, 1, 1, 2)


def test_what_still_stands_stays_open_when_there_is_more_than_one_run_reports(administrator, monkeypatch):
    place = make_location()
    for _ in range(3):
        item = make_item(negative_allowed=True)
        given = {"key": uuid4(), "item": item, "location": place, "quantity": Decimal(1), "actor": administrator}
        issue_stock(reason="urgent", may_go_below=True, **given)
    assert report_standing().below_zero == 3
    monkeypatch.setattr(standing_trouble, "CASES_MAX", 2)

    assert report_standing().below_zero == 3

    assert ExceptionCase.objects.open().filter(kind="negative_stock").count() == 3
