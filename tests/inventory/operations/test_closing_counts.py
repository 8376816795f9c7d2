"""Submitting, approving and sending back; what is posted, when it happened, and what it does to promises."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.models import Sum
from django.utils import timezone

from inventory.errors import (
    CountIncomplete,
    CountOutdated,
    DuplicateSerial,
    NotReversible,
    SecondPersonRequired,
    WrongState,
)
from inventory.models import (
    CostMethod,
    CountLine,
    CountLineState,
    CountSheetState,
    Movement,
    Posting,
    PostingKind,
    ReservationChange,
    Tracking,
)
from inventory.operations.closing import close_period
from inventory.operations.closing_counts import explain_variance, send_back_count
from inventory.operations.counting import add_found_line
from inventory.operations.issuing import issue_stock
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.reads.counts import freed_reservations
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import (
    approve,
    approve_from,
    count,
    count_for_sure,
    line_of,
    open_sheet,
    scan,
    submit,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def site():
    return make_location(code="SITE")


def issue(item, place, quantity, **more):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, **more).posting


def as_of(item, place, at):
    found = Movement.objects.filter(item=item, location=place, effective_at__lte=at).aggregate(total=Sum("quantity"))
    return found["total"] or Decimal(0)


def test_variance_within_limits_is_posted_at_once(site, operator):
    item = make_item()
    put_on_hand(item, site, "100", value="200.00")
    sheet = open_sheet(site)
    line = line_of(sheet, item)
    count(line, "98", actor=operator)

    result = submit(sheet, actor=operator)

    (posting,) = result.postings
    line.refresh_from_db()
    assert (posting.kind, posting.reference, posting.actor_id) == (PostingKind.COUNT, sheet.number, operator.pk)
    assert posting.effective_at == line.scanned_at
    assert [(m.quantity, m.value) for m in posting.movements.all()] == [(Decimal(-2), Decimal("-4.00"))]
    assert (line.state, line.posting, line.variance_value) == (CountLineState.POSTED, posting, Decimal("-4.00"))
    assert (result.sheet.state, result.waiting, on_hand(item)) == (CountSheetState.POSTED, 0, Decimal(98))
    assert result.sheet.closed_at is not None


def test_cell_that_is_right_is_posted_without_a_movement(site):
    item = make_item()
    put_on_hand(item, site, "5", value="5.00")
    sheet = open_sheet(site)
    count(line_of(sheet, item), "5")

    result = submit(sheet)

    assert (result.postings, result.sheet.state) == ((), CountSheetState.POSTED)
    assert line_of(sheet, item).posting is None


def test_cells_that_are_not_counted_stop_the_sheet(site):
    one, two, three = make_item(), make_item(), make_item()
    for item in (one, two, three):
        put_on_hand(item, site, "100", value="1.00")
    sheet = open_sheet(site)
    count(line_of(sheet, one), "99")
    count(line_of(sheet, two), "10")

    with pytest.raises(CountIncomplete, match=r"2 of 3 cells .* 1 of them for the second time"):
        submit(sheet)

    sheet.refresh_from_db()
    assert (sheet.state, Posting.objects.filter(kind="count").count()) == (CountSheetState.OPEN, 0)


def test_stock_that_moves_between_scan_and_posting_is_not_counted_away(site):
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    sheet = open_sheet(site)
    line = scan(line_of(sheet, item))
    issue(item, site, "10")
    count(line, "98")
    put_on_hand(item, site, "5", value="5.00")

    submit(sheet)

    assert on_hand(item) == Decimal(98 - 10 + 5)
    assert as_of(item, site, line.scanned_at) == Decimal(98)


def test_what_is_recorded_between_scan_and_posting_for_a_time_before_the_scan_was_counted_already(site):
    """The late issue explains the difference: nothing is left for the count to post."""
    item = make_item()
    put_on_hand(item, site, "100", value="100.00", effective_at=timezone.now() - timedelta(days=3))
    sheet = open_sheet(site)
    line = scan(line_of(sheet, item))
    count(line, "97")
    issue(item, site, "3", effective_at=line.scanned_at - timedelta(hours=30))

    result = submit(sheet)

    assert (result.postings, on_hand(item)) == ((), Decimal(97))
    assert as_of(item, site, line.scanned_at) == Decimal(97)


def test_what_is_recorded_after_the_count_for_a_time_before_it_does_not_move_the_balance(site):
    """The rule of the writer, end to end: it compensates at the time of the count."""
    item = make_item()
    put_on_hand(item, site, "100", value="100.00", effective_at=timezone.now() - timedelta(days=3))
    sheet = open_sheet(site)
    line = scan(line_of(sheet, item))
    count(line, "97")
    submit(sheet)

    late = issue(item, site, "3", effective_at=line.scanned_at - timedelta(hours=30))

    assert on_hand(item) == Decimal(97)
    assert as_of(item, site, line.scanned_at) == Decimal(97)
    assert as_of(item, site, line.scanned_at - timedelta(hours=29)) == Decimal(97)
    kept = Posting.objects.get(related=late)
    assert (kept.kind, kept.effective_at) == (PostingKind.COUNT, line.scanned_at)


def test_late_receipt_before_a_count_is_compensated_too(site):
    item = make_item()
    put_on_hand(item, site, "100", value="100.00", effective_at=timezone.now() - timedelta(days=3))
    sheet = open_sheet(site)
    line = scan(line_of(sheet, item))
    count(line, "102")
    submit(sheet)

    put_on_hand(item, site, "2", value="2.00", effective_at=line.scanned_at - timedelta(hours=30))

    assert on_hand(item) == Decimal(102)
    assert as_of(item, site, line.scanned_at) == Decimal(102)


def test_what_happened_after_the_count_moves_the_balance_whenever_it_is_recorded(site):
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    sheet = open_sheet(site)
    line = scan(line_of(sheet, item))
    count(line, "98")
    moment = timezone.now()
    submit(sheet)

    issue(item, site, "8", effective_at=moment)

    assert on_hand(item) == Decimal(90)


def test_count_that_would_leave_less_than_nothing_now_has_to_be_made_again(site):
    item = make_item(sku="WAX", name="Wax")
    put_on_hand(item, site, "10", value="10.00")
    sheet = open_sheet(site)
    line = line_of(sheet, item)
    count(line, "2")
    scan(line)
    issue(item, site, "5")
    count(line, "2")

    with pytest.raises(CountOutdated, match="Count it again") as refusal:
        submit(sheet)

    assert refusal.value.context["lines"] == [line.pk]
    assert not any(figure in refusal.value.message for figure in ("10", "-3", "5 "))
    sheet.refresh_from_db()
    assert (on_hand(item), sheet.state) == (Decimal(5), CountSheetState.OPEN)
    scan(line)
    count(line, "5")
    submit(sheet)
    assert on_hand(item) == Decimal(5)


def test_count_that_a_receipt_covers_only_later_has_to_be_made_again(site):
    """Two were counted, five left, ten came: the book would have been below zero in between."""
    item = make_item()
    put_on_hand(item, site, "10", value="10.00")
    sheet = open_sheet(site)
    line = line_of(sheet, item)
    count(line, "2")
    scan(line)
    issue(item, site, "5")
    put_on_hand(item, site, "10", value="10.00")
    count(line, "2")

    with pytest.raises(CountOutdated):
        submit(sheet)
    assert on_hand(item) == Decimal(15)


def test_count_of_a_period_that_was_closed_since_has_to_be_made_again(site):
    item = make_item()
    put_on_hand(item, site, "10", value="10.00", effective_at=timezone.now() - timedelta(days=9))
    sheet = open_sheet(site)
    line = line_of(sheet, item)
    count(line, "10")
    before = timezone.now() - timedelta(days=3)
    CountLine.objects.filter(pk=line.pk).update(scanned_at=before)
    close_period(through=timezone.localdate(before), actor=None)

    with pytest.raises(CountOutdated):
        submit(sheet)


def test_found_units_are_worth_the_average(site):
    item = make_item()
    put_on_hand(item, site, "3", value="10.00")
    sheet = open_sheet(site)
    count_for_sure(line_of(sheet, item), "4")

    (posting,) = submit(sheet).postings

    assert [m.value for m in posting.movements.all()] == [Decimal("3.33")]


def test_found_units_of_an_item_without_stock_are_worth_what_it_last_cost(site):
    item, other = make_item(), make_item()
    put_on_hand(other, site, "1", value="1.00")
    put_on_hand(item, site, "4", value="10.00")
    issue(item, site, "4")
    sheet = open_sheet(site, items=[item])
    count_for_sure(line_of(sheet, item), "2")

    (posting,) = submit(sheet).postings

    assert [m.value for m in posting.movements.all()] == [Decimal("5.00")]


def test_found_units_of_unknown_cost_stay_unknown(site, planner):
    item = make_item()
    put_on_hand(make_item(), site, "1", value="1.00")
    sheet = open_sheet(site, items=[item])
    count_for_sure(line_of(sheet, item), "2")
    assert submit(sheet).waiting == 1

    (posting,) = approve(sheet, [line_of(sheet, item)], actor=planner, cause="receiving").postings

    assert [m.value for m in posting.movements.all()] == [None]
    assert line_of(sheet, item).variance_value is None


@pytest.mark.parametrize("method", [CostMethod.FIFO, CostMethod.LOT])
@pytest.mark.parametrize(("counted", "value"), [("8", "-2.00"), ("12", "2.00")])
def test_other_cost_methods_are_counted_too(site, method, counted, value):
    item = make_item(cost_method=method, tracking=Tracking.LOT)
    put_on_hand(item, site, "10", value="10.00", lot="L1")
    sheet = open_sheet(site)
    count_for_sure(line_of(sheet, item), counted)

    (posting,) = submit(sheet).postings

    assert (on_hand(item), [m.value for m in posting.movements.all()]) == (Decimal(counted), [Decimal(value)])


def test_count_below_zero_brings_the_cell_up(site, administrator):
    item = make_item(negative_allowed=True)
    put_on_hand(item, site, "2", value="4.00")
    issue_stock(
        key=uuid4(),
        item=item,
        location=site,
        quantity=Decimal(5),
        actor=administrator,
        reason="late",
        may_go_below=True,
    )
    sheet = open_sheet(site)
    line = count_for_sure(line_of(sheet, item), "1").line
    assert line.expected == Decimal(-3)

    submit(sheet)

    assert on_hand(item) == Decimal(1)


def test_count_below_what_is_reserved_frees_the_newest_promise(site):
    """W18: 10 on hand, 9 reserved, 8 counted."""
    item = make_item()
    put_on_hand(item, site, "10", value="10.00")
    for reference, quantity in (("first", "5"), ("second", "4")):
        reserve_stock(
            item=item, location=site, quantity=Decimal(quantity), demand_kind="order", demand_ref=reference, actor=None,
            pinned=True,
        )  # fmt: skip
    sheet = open_sheet(site)
    count_for_sure(line_of(sheet, item), "8")

    result = submit(sheet)

    assert [(f.reservation.demand_ref, f.quantity) for f in result.freed] == [("second", Decimal(1))]
    assert [(f.reservation.demand_ref, f.quantity) for f in freed_reservations(sheet)] == [("second", Decimal(1))]
    balance = item.balances.get()
    assert (balance.quantity, balance.reserved) == (Decimal(8), Decimal(8))
    assert dict(item.reservations.values_list("demand_ref", "quantity")) == {"first": Decimal(5), "second": Decimal(3)}
    logged = ReservationChange.objects.filter(quantity__lt=0).get()
    assert (logged.quantity, logged.reason) == (Decimal(-1), f"freed by count {sheet.number}")


def test_count_of_nothing_frees_every_promise_of_the_cell_newest_first(site):
    item = make_item()
    put_on_hand(item, site, "6", value="6.00")
    for reference in ("first", "second"):
        reserve_stock(
            item=item, location=site, quantity=Decimal(3), demand_kind="order", demand_ref=reference, actor=None,
            pinned=True,
        )  # fmt: skip
    sheet = open_sheet(site)
    count_for_sure(line_of(sheet, item), "0")

    freed = submit(sheet).freed

    assert [(f.reservation.demand_ref, f.quantity) for f in freed] == [("second", Decimal(3)), ("first", Decimal(3))]
    assert item.balances.get().reserved == 0


def test_large_variance_waits_for_a_second_person_with_a_cause(site, operator, planner):
    approve_from("1")
    small, large = make_item(), make_item()
    put_on_hand(small, site, "100", value="10.00")
    put_on_hand(large, site, "100", value="1000.00")
    sheet = open_sheet(site)
    count(line_of(sheet, small), "99", actor=operator)
    count(line_of(sheet, large), "98", actor=operator)

    first = submit(sheet, actor=operator)

    assert (first.sheet.state, first.waiting, len(first.postings)) == (CountSheetState.REVIEW, 1, 1)
    assert (on_hand(small), on_hand(large)) == (Decimal(99), Decimal(100))
    line = line_of(sheet, large)
    with pytest.raises(SecondPersonRequired, match="somebody else has to approve"):
        approve(sheet, [line], actor=operator)
    with pytest.raises(WrongState, match="needs a cause"):
        approve(sheet, [line], actor=planner, cause="")
    assert on_hand(large) == Decimal(100)

    second = approve(sheet, [line], actor=planner, cause="bom_error", note="2 g more per piece")

    line.refresh_from_db()
    assert (line.cause, line.note, line.approved_by, line.state) == (
        "bom_error",
        "2 g more per piece",
        planner,
        CountLineState.POSTED,
    )
    assert (line.posting.reason, line.posting.note, line.posting.actor_id) == (
        "BOM is wrong",
        "2 g more per piece",
        planner.pk,
    )
    assert (second.sheet.state, on_hand(large)) == (CountSheetState.POSTED, Decimal(98))


def test_person_who_made_the_first_count_does_not_approve_the_second(site, operator, planner):
    approve_from("0")
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    sheet = open_sheet(site)
    line = line_of(sheet, item)
    count(line, "50", actor=planner)
    count(line, "50", actor=operator)
    submit(sheet, actor=operator)

    with pytest.raises(SecondPersonRequired):
        approve(sheet, [line], actor=planner)
    assert on_hand(item) == Decimal(100)


def test_line_that_is_sent_back_is_counted_again(site, operator, planner):
    approve_from("0")
    item, other = make_item(), make_item()
    for one in (item, other):
        put_on_hand(one, site, "100", value="100.00")
    sheet = open_sheet(site)
    for one in (item, other):
        count(line_of(sheet, one), "99", actor=operator)
    submit(sheet, actor=operator)

    send_back_count(sheet=sheet, line_ids=[line_of(sheet, item).pk], actor=planner)

    sheet.refresh_from_db()
    line = line_of(sheet, item)
    assert (sheet.state, line.state, line.first_counted) == (
        CountSheetState.OPEN,
        CountLineState.RECOUNT,
        Decimal(99),
    )
    count(line, "100", actor=make_user(role="counter"))
    assert submit(sheet, actor=operator).waiting == 1
    approve(sheet, [line_of(sheet, other)], actor=planner)
    assert (on_hand(item), on_hand(other)) == (Decimal(100), Decimal(99))


def test_lines_that_do_not_wait_are_neither_approved_nor_sent_back(site, planner):
    approve_from("0")
    item, other = make_item(), make_item()
    for one in (item, other):
        put_on_hand(one, site, "100", value="100.00")
    sheet = open_sheet(site)
    count(line_of(sheet, item), "99")
    count(line_of(sheet, other), "100")
    with pytest.raises(WrongState, match="does not wait for approval"):
        approve(sheet, [line_of(sheet, item)], actor=planner)
    submit(sheet)

    for lines in ([], [line_of(sheet, other)]):
        with pytest.raises(WrongState, match="Choose lines"):
            approve(sheet, lines, actor=planner)
        with pytest.raises(WrongState, match="Choose lines"):
            send_back_count(sheet=sheet, line_ids=[line.pk for line in lines], actor=planner)
    assert on_hand(item) == Decimal(100)


def test_submitting_or_approving_again_posts_nothing_more(site, operator, planner):
    approve_from("1")
    small, large = make_item(), make_item()
    put_on_hand(small, site, "100", value="10.00")
    put_on_hand(large, site, "100", value="1000.00")
    sheet = open_sheet(site)
    count(line_of(sheet, small), "99", actor=operator)
    count(line_of(sheet, large), "98", actor=operator)
    submit(sheet, actor=operator)
    key = uuid4()
    line = line_of(sheet, large)

    again = submit(sheet, actor=planner)
    approve(sheet, [line], actor=planner, key=key)
    replay = approve(sheet, [line], actor=planner, key=key)

    assert (again.replayed, again.postings, replay.replayed) == (True, (), True)
    assert Posting.objects.filter(kind="count").count() == 2
    with pytest.raises(WrongState):
        approve(sheet, [line], actor=planner)


def test_serial_that_stood_in_the_wrong_place_is_moved_by_counting_both_places(site):
    here, there = make_location(code="HERE", parent=site), make_location(code="THERE", parent=site)
    item = make_item(tracking=Tracking.SERIAL)
    put_on_hand(item, here, "1", lot="S1", value="10.00")
    sheet = open_sheet(site)
    found = add_found_line(sheet=sheet, item=item, location=there, lot_code="s1", actor=None)
    count_for_sure(found, "1")
    count_for_sure(CountLine.objects.get(sheet=sheet, location=here), "0")

    submit(sheet)

    assert (on_hand(item, location=here), on_hand(item, location=there)) == (Decimal(0), Decimal(1))


def test_serial_is_not_found_in_a_second_place(site):
    here, there = make_location(code="HERE"), site
    item = make_item(tracking=Tracking.SERIAL)
    put_on_hand(item, here, "1", lot="S1", value="10.00")
    put_on_hand(make_item(), site, "1", value="1.00")
    sheet = open_sheet(there)
    count(sheet.lines.get(), "1")
    count_for_sure(add_found_line(sheet=sheet, item=item, location=there, lot_code="S1", actor=None), "1")

    with pytest.raises(DuplicateSerial) as refusal:
        submit(sheet)

    assert "HERE" not in refusal.value.message
    assert on_hand(item) == Decimal(1)


def test_several_lines_of_one_item_are_valued_one_after_the_other(site):
    item = make_item(tracking=Tracking.LOT)
    put_on_hand(item, site, "10", value="10.00", lot="L1")
    put_on_hand(item, site, "10", value="30.00", lot="L2")
    sheet = open_sheet(site)
    count_for_sure(line_of(sheet, item, lot="L1"), "0")
    count_for_sure(line_of(sheet, item, lot="L2"), "5")

    postings = submit(sheet).postings

    assert sorted(m.value for p in postings for m in p.movements.all()) == [Decimal("-20.00"), Decimal("-10.00")]
    assert on_hand(item) == Decimal(5)


def test_cause_can_be_told_afterwards(site, planner):
    item, right = make_item(), make_item()
    for one in (item, right):
        put_on_hand(one, site, "100", value="100.00")
    sheet = open_sheet(site)
    count(line_of(sheet, item), "99")
    count(line_of(sheet, right), "100")
    submit(sheet)

    explain_variance(line=line_of(sheet, item), cause="scrap", note="torn", actor=planner)

    line = line_of(sheet, item)
    assert (line.cause, line.note) == ("scrap", "torn")
    with pytest.raises(WrongState):
        explain_variance(line=line_of(sheet, right), cause="scrap", actor=planner)
    with pytest.raises(WrongState):
        explain_variance(line=line, cause="whatever", actor=planner)


def test_count_is_undone_by_counting_again(site):
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    sheet = open_sheet(site)
    count(line_of(sheet, item), "99")
    (posting,) = submit(sheet).postings

    with pytest.raises(NotReversible, match="Count again instead"):
        reverse_posting(key=uuid4(), posting=posting, actor=None)


def test_count_that_was_exact_waits_for_approval_when_a_late_posting_makes_its_change_large(site, operator):
    approve_from("1000")
    item = make_item()
    put_on_hand(item, site, "100", value="10000.00", effective_at=timezone.now() - timedelta(days=3))
    other = make_item()
    put_on_hand(other, site, "10", value="10.00", effective_at=timezone.now() - timedelta(days=3))
    sheet = open_sheet(site)
    line = line_of(sheet, item)
    count(line, "100", actor=operator)
    count(line_of(sheet, other), "10", actor=operator)
    issue(item, site, "50", effective_at=timezone.now() - timedelta(hours=30))

    result = submit(sheet, actor=operator)

    assert (result.postings, result.waiting, result.sheet.state) == ((), 1, CountSheetState.REVIEW)
    line.refresh_from_db()
    assert (line.state, line.needs_approval, line.variance_value) == (CountLineState.COUNTED, True, 5000)
    assert on_hand(item) == 50
    with pytest.raises(SecondPersonRequired):
        approve(sheet, [line], actor=operator)

    approve(sheet, [line], actor=make_user(role="planner"))

    line.refresh_from_db()
    assert (on_hand(item), line.state, line.variance_value) == (100, CountLineState.POSTED, 5000)
