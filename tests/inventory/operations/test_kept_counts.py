"""What is recorded late for a day before a count, what that is worth, and what undoing it leaves: the counted balance."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.models import CostMethod, CostPool, Movement, Posting, PostingKind, Tracking
from inventory.operations.issuing import issue_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import transfer_stock
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import approve, count_for_sure, open_sheet, submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def site():
    return make_location(code="SITE")


def long_ago(days=5):
    return timezone.now() - timedelta(days=days)


def counted(item, place, quantity, *, lot=None):
    """Count a cell to what it holds, and return an hour that lies before the count."""
    sheet = open_sheet(place, items=[item])
    for line in sheet.lines.select_related("lot"):
        wanted = quantity if lot in (None, line.lot.code) else str(line.expected or on_hand(item, lot=line.lot.code))
        count_for_sure(line, wanted)
    if submit(sheet).waiting:
        approve(sheet, sheet.lines.filter(needs_approval=True))
    return timezone.now() - timedelta(hours=30)


def issue(item, place, quantity, **more):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, **more).posting


def undo(posting):
    return reverse_posting(key=uuid4(), posting=posting, actor=None).posting


def pool(item, lot=None):
    found = CostPool.objects.get(item=item, lot=None if lot is None else lot_of(item, lot))
    return (found.quantity, found.value, found.unknown_quantity)


def stocked(site, quantity="10", value="100.00", **fields):
    item = make_item(**fields)
    put_on_hand(item, site, quantity, value=value, effective_at=long_ago())
    return item


@pytest.mark.parametrize("method", [CostMethod.AVERAGE, CostMethod.FIFO])
def test_undoing_a_late_issue_leaves_what_was_counted(site, method):
    item = stocked(site, cost_method=method)
    before = counted(item, site, "10")
    late = issue(item, site, "4", effective_at=before)
    assert (on_hand(item), pool(item)) == (10, (10, 100, 0))

    reversal = undo(late)

    assert (on_hand(item), pool(item)) == (10, (10, 100, 0))
    gone = Posting.objects.get(related=reversal)
    assert (gone.kind, gone.effective_at, gone.reason) == (
        PostingKind.COUNT,
        reversal.effective_at,
        "No longer in the count",
    )


@pytest.mark.parametrize("method", [CostMethod.AVERAGE, CostMethod.FIFO])
def test_undoing_a_late_receipt_leaves_what_was_counted(site, method):
    item = stocked(site, cost_method=method)
    before = counted(item, site, "10")
    late = put_on_hand(item, site, "4", value="60.00", effective_at=before)
    assert on_hand(item) == 10

    undo(late)

    assert (on_hand(item), pool(item)) == (10, (10, 100, 0))


def test_a_late_receipt_can_be_undone_when_all_that_was_counted_is_used(site):
    """Nothing of it has to be there: its compensation comes back first."""
    item = stocked(site)
    late = put_on_hand(item, site, "4", value="60.00", effective_at=counted(item, site, "10"))
    issue(item, site, "10")

    undo(late)

    assert on_hand(item) == 0


def test_a_late_issue_can_be_undone_when_all_that_was_counted_is_used(site):
    item = stocked(site)
    late = issue(item, site, "4", effective_at=counted(item, site, "10"))
    issue(item, site, "10")

    undo(late)

    assert on_hand(item) == 0


def test_an_issue_that_no_count_followed_comes_back_when_it_is_undone(site):
    item = stocked(site)
    late = issue(item, site, "4", effective_at=long_ago(2))
    counted(item, site, "6")

    undo(late)

    assert on_hand(item) == 10


def test_undoing_a_late_transfer_leaves_both_counted_places(site):
    item, other = stocked(site), make_location(code="OTHER")
    put_on_hand(item, other, "10", value="20.00", effective_at=long_ago())
    counted(item, other, "10")
    before = counted(item, site, "10")
    late = transfer_stock(
        key=uuid4(), item=item, source=site, target=other, quantity=Decimal(4), actor=None, effective_at=before
    ).posting
    assert (on_hand(item, location=site), on_hand(item, location=other)) == (10, 10)

    undo(late)

    assert (on_hand(item, location=site), on_hand(item, location=other), pool(item)) == (10, 10, (20, 120, 0))


def test_a_serial_number_that_was_counted_is_on_hand_once_after_the_undo(site):
    item = stocked_serial = make_item(tracking=Tracking.SERIAL)
    put_on_hand(stocked_serial, site, "1", value="7.00", lot="SN-1", effective_at=long_ago())
    late = issue(item, site, "1", effective_at=counted(item, site, "1"), lots=((lot_of(item, "SN-1"), Decimal(1)),))

    undo(late)

    assert (on_hand(item), pool(item)) == (1, (1, 7, 0))


# --- What a compensation is worth -------------------------------------------------------------------------------------


def test_goods_that_a_count_keeps_carry_the_value_they_left_with_even_if_all_of_them_left(site):
    item = stocked(site, value="50.00")

    issue(item, site, "10", effective_at=counted(item, site, "10"))

    assert pool(item) == (10, 50, 0)


def test_goods_of_unknown_cost_that_a_count_keeps_stay_unknown(site):
    item = stocked(site, value=None)

    issue(item, site, "10", effective_at=counted(item, site, "10"))

    assert pool(item) == (10, 0, 10)


def test_goods_that_a_count_keeps_carry_the_cost_of_their_lot(site):
    item = make_item(tracking=Tracking.LOT, cost_method=CostMethod.LOT)
    for lot, value in (("L1", "10.00"), ("L2", "90.00")):
        put_on_hand(item, site, "10", value=value, lot=lot, effective_at=long_ago())
    before = counted(item, site, "10", lot="L1")

    late = issue(item, site, "5", effective_at=before, lots=((lot_of(item, "L1"), Decimal(5)),), reason="by hand")
    assert (pool(item, "L1"), pool(item, "L2"), pool(item)) == ((10, 10, 0), (10, 90, 0), (20, 100, 0))

    undo(late)
    assert (pool(item, "L1"), pool(item, "L2"), pool(item)) == ((10, 10, 0), (10, 90, 0), (20, 100, 0))


def test_a_late_transfer_between_counted_places_changes_no_value(site):
    item, other = make_item(tracking=Tracking.LOT, cost_method=CostMethod.LOT), make_location(code="OTHER")
    put_on_hand(item, site, "10", value="10.00", lot="L1", effective_at=long_ago())
    put_on_hand(item, other, "2", value="2.00", lot="L1", effective_at=long_ago())
    put_on_hand(item, other, "10", value="90.00", lot="L2", effective_at=long_ago())
    counted(item, other, "2", lot="L1")
    before = counted(item, site, "10")

    transfer_stock(
        key=uuid4(), item=item, source=site, target=other, quantity=Decimal(5), actor=None, effective_at=before
    )

    assert (pool(item, "L1"), pool(item, "L2")) == ((12, 12, 0), (10, 90, 0))
    assert sum(movement.value for movement in Movement.objects.filter(item=item)) == 102
