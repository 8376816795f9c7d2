from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.errors import IdempotencyMismatch, InsufficientStock, InvalidQuantity, PeriodLocked, WrongState
from inventory.models import LocationKind, Movement, Posting, PostingKind, StockBalance
from inventory.operations.closing import close_period
from inventory.operations.issuing import issue_stock
from inventory.operations.reporting import ReportedQuantity, report_external_stock
from inventory.operations.reserving import reserve_stock
from tests.factories import make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def partner():
    return make_location(code="3PL", kind=LocationKind.THIRD_PARTY)


def report(place, *lines, key=None, as_of=None, is_complete=False, **fields):
    """`lines` are (item, quantity) or (item, quantity, {field: value})."""
    return report_external_stock(
        key=key or uuid4(),
        location=place,
        as_of=as_of or timezone.now(),
        lines=[ReportedQuantity(item, Decimal(quantity), **dict(*more)) for item, quantity, *more in lines],
        is_complete=is_complete,
        actor=None,
        **fields,
    )


def test_posts_the_difference_as_one_adjustment_dated_as_the_report(partner):
    less, more, same = make_item(sku="LESS"), make_item(sku="MORE"), make_item(sku="SAME")
    an_hour_ago = timezone.now() - timedelta(hours=1)
    for item in (less, more, same):
        put_on_hand(item, partner, "10", value="20.00", effective_at=an_hour_ago)
    as_of = timezone.now()

    result = report(partner, (less, "7"), (more, "12"), (same, "10"), as_of=as_of, reference="R-17")

    assert [(d.item.sku, d.booked, d.reported) for d in result.differences] == [("LESS", 10, 7), ("MORE", 10, 12)]
    assert (on_hand(less), on_hand(more), on_hand(same)) == (7, 12, 10)
    posting = result.posting
    assert (posting.kind, posting.reason, posting.reference) == (PostingKind.ADJUSTMENT, "Reported by 3PL", "R-17")
    assert posting.effective_at == as_of
    assert sorted(posting.movements.values_list("quantity", "value")) == [
        (Decimal(-3), Decimal("-6.00")),
        (Decimal(2), Decimal("4.00")),
    ]
    partner.refresh_from_db()
    assert (partner.stock_as_of, result.confirms) == (as_of, True)


def test_what_moved_since_the_report_stays_moved(partner):
    item = make_item()
    put_on_hand(item, partner, "120", effective_at=timezone.now() - timedelta(hours=3))
    as_of = timezone.now() - timedelta(hours=1)
    issue_stock(key=uuid4(), item=item, location=partner, quantity=Decimal(5), actor=None)

    result = report(partner, (item, "100"), as_of=as_of)

    assert [(d.booked, d.reported) for d in result.differences] == [(120, 100)]
    assert on_hand(item) == 95


def test_the_next_report_counts_what_the_last_one_corrected(partner):
    item = make_item()
    put_on_hand(item, partner, "120", effective_at=timezone.now() - timedelta(hours=3))
    report(partner, (item, "100"), as_of=timezone.now() - timedelta(hours=2))

    result = report(partner, (item, "100"), as_of=timezone.now() - timedelta(hours=1))

    assert (result.posting, list(result.differences), on_hand(item)) == (None, [], 100)


def test_a_report_that_says_what_the_book_says_posts_nothing_and_confirms(partner):
    item = make_item()
    put_on_hand(item, partner, "10")
    postings = Posting.objects.count()

    result = report(partner, (item, "10"))

    assert result.posting is None
    assert Posting.objects.count() == postings
    partner.refresh_from_db()
    assert partner.stock_as_of == result.as_of


def test_rows_that_a_report_leaves_out_stay_and_the_place_is_not_confirmed(partner):
    named, left_out = make_item(sku="NAMED"), make_item(sku="LEFT-OUT")
    put_on_hand(named, partner, "10")
    put_on_hand(left_out, partner, "4")

    result = report(partner, (named, "9"))

    assert (on_hand(named), on_hand(left_out)) == (9, 4)
    assert (list(result.unnamed), result.confirms) == (["LEFT-OUT"], False)
    partner.refresh_from_db()
    assert partner.stock_as_of is None


def test_a_complete_report_zeroes_what_it_does_not_name_there_and_nowhere_else(partner):
    named, left_out = make_item(sku="NAMED"), make_item(sku="LEFT-OUT")
    shelf = make_location(code="OWN")
    put_on_hand(named, partner, "10")
    put_on_hand(left_out, partner, "4", status="damaged")
    put_on_hand(left_out, shelf, "6")

    result = report(partner, (named, "10"), is_complete=True)

    assert on_hand(left_out, location=partner) == 0
    assert on_hand(left_out, location=shelf) == 6
    assert [(d.item.sku, d.status, d.booked, d.reported) for d in result.differences] == [("LEFT-OUT", "damaged", 4, 0)]
    assert result.confirms


def test_without_lots_the_sum_counts_and_the_earliest_expiry_leaves(partner):
    item, today = make_item(tracking="lot"), timezone.localdate()
    put_on_hand(item, partner, "5", lot="LATE", expires_on=today + timedelta(days=90))
    put_on_hand(item, partner, "5", lot="EARLY", expires_on=today + timedelta(days=9))

    report(partner, (item, "7"))

    assert (on_hand(item, lot="EARLY"), on_hand(item, lot="LATE")) == (2, 5)


def test_what_is_found_without_a_lot_joins_the_newest_lot_there(partner):
    item = make_item(tracking="lot")
    put_on_hand(item, partner, "5", lot="OLD")
    put_on_hand(item, partner, "5", lot="NEW")

    report(partner, (item, "13"))

    assert (on_hand(item, lot="OLD"), on_hand(item, lot="NEW")) == (5, 8)


def test_lots_that_are_named_are_brought_to_their_own_figures(partner):
    item = make_item(tracking="lot")
    put_on_hand(item, partner, "5", lot="A")

    report(partner, (item, "3", {"lot_code": "a"}), (item, "4", {"lot_code": "B"}))

    assert (on_hand(item, lot="A"), on_hand(item, lot="B")) == (3, 4)


def test_a_bin_is_reported_apart_from_the_rest_of_its_place(partner):
    item, bin_of = make_item(), make_location(code="3PL-BIN", parent=partner, kind=LocationKind.THIRD_PARTY)
    put_on_hand(item, partner, "5")
    put_on_hand(item, bin_of, "8")

    report(partner, (item, "2"), (item, "9", {"location": bin_of}))

    assert (on_hand(item, location=partner), on_hand(item, location=bin_of)) == (2, 9)


def test_the_same_key_answers_the_first_posting_and_another_request_is_refused(partner):
    item, key, as_of = make_item(), uuid4(), timezone.now()
    put_on_hand(item, partner, "10", effective_at=as_of - timedelta(hours=1))
    first = report(partner, (item, "7"), key=key, as_of=as_of)

    again = report(partner, (item, "7"), key=key, as_of=as_of)

    assert (again.posting, again.replayed, on_hand(item)) == (first.posting, True, 7)
    with pytest.raises(IdempotencyMismatch):
        report(partner, (item, "6"), key=key, as_of=as_of)


def test_refuses_to_take_what_is_promised_and_names_every_item(partner):
    one, other = make_item(sku="ONE"), make_item(sku="OTHER")
    for item in (one, other):
        put_on_hand(item, partner, "5")
        reserve_stock(
            item=item,
            location=partner,
            quantity=Decimal(4),
            demand_kind="order",
            demand_ref="1",
            actor=None,
            pinned=True,
        )
    movements = Movement.objects.count()

    with pytest.raises(InsufficientStock) as refusal:
        report(partner, (one, "2"), (other, "3"))

    assert [short["item"] for short in refusal.value.context["short"]] == ["ONE", "OTHER"]
    assert Movement.objects.count() == movements
    partner.refresh_from_db()
    assert partner.stock_as_of is None


def test_refuses_an_older_report_than_the_last_one(partner):
    item = make_item()
    put_on_hand(item, partner, "10", effective_at=timezone.now() - timedelta(hours=3))
    report(partner, (item, "9"))

    with pytest.raises(WrongState) as refusal:
        report(partner, (item, "5"), as_of=timezone.now() - timedelta(hours=2))

    assert "Send a newer one" in refusal.value.message
    assert on_hand(item) == 9


def test_refuses_a_place_of_our_own_and_a_bin_of_another_place(partner):
    item, own = make_item(), make_location(code="OWN")

    with pytest.raises(WrongState):
        report(own, (item, "1"))
    with pytest.raises(WrongState):
        report(partner, (item, "1", {"location": own}))

    assert not StockBalance.objects.exists()


def test_refuses_an_item_twice_and_an_empty_report(partner):
    item = make_item(tracking="lot")

    with pytest.raises(InvalidQuantity):
        report(partner, (item, "1"), (item, "2", {"lot_code": "A"}))
    with pytest.raises(InvalidQuantity):
        report(partner)

    assert not Posting.objects.exists()


def test_refuses_a_report_of_a_closed_day(partner, administrator):
    item, before = make_item(), timezone.now() - timedelta(days=3)
    put_on_hand(item, partner, "10", effective_at=timezone.now() - timedelta(days=5))
    close_period(through=timezone.localdate(before), actor=administrator)

    with pytest.raises(PeriodLocked):
        report(partner, (item, "4"), as_of=before)

    assert on_hand(item) == 10


def test_unknown_cost_stays_unknown(partner):
    item = make_item()
    put_on_hand(item, partner, "10")

    report(partner, (item, "12"))

    assert list(Movement.objects.filter(item=item, posting__kind="adjustment").values_list("quantity", "value")) == [
        (Decimal(2), None)
    ]


def test_lines_add_no_statements(partner):
    def statements(count):
        items = [make_item(tracking="lot") for _ in range(count)]
        for item in items:
            put_on_hand(item, partner, "5", value="5.00", lot="L")
        with CaptureQueriesContext(connection) as seen:
            report(partner, *[(item, "4" if number % 2 else "6") for number, item in enumerate(items)])
        return len(seen)

    few = statements(2)

    assert statements(20) == few
