from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import AlreadyReversed, NotReversible, ReversalBlocked
from inventory.models import CostEntry, CostPool, Posting, StockBalance, Tracking
from inventory.operations.adjusting import adjust_stock, correct_cost
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import change_status, transfer_stock
from inventory.reads.moments import AsOf
from inventory.reads.unknown_costs import unknown_quantities
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def item(db):
    return make_item(sku="WAX", tracking=Tracking.LOT)


@pytest.fixture
def place(db):
    return make_location(code="STORE")


def reverse(posting, **fields):
    return reverse_posting(key=uuid4(), posting=posting, actor=None, **fields)


def state():
    cells = StockBalance.objects.exclude(quantity=0).values_list("item", "location", "lot", "status", "quantity")
    return sorted(cells), sorted(CostPool.objects.values_list("item", "quantity", "value", "unknown_quantity"))


WORKS = {
    "receipt": lambda item, place, other: put_on_hand(item, place, "4", lot="B", value="11.11"),
    "issue": lambda item, place, other: (
        issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(2), actor=None).posting
    ),
    "transfer": lambda item, place, other: (
        transfer_stock(key=uuid4(), item=item, source=place, target=other, quantity=Decimal(2), actor=None).posting
    ),
    "status change": lambda item, place, other: (
        change_status(
            key=uuid4(),
            item=item,
            location=place,
            quantity=Decimal(2),
            from_status="available",
            to_status="damaged",
            reason="dropped",
            actor=None,
        ).posting
    ),
    "adjustment up": lambda item, place, other: (
        adjust_stock(
            key=uuid4(), item=item, location=place, quantity=Decimal(2), lot_code="A", reason="found", actor=None
        ).posting
    ),
    "adjustment down": lambda item, place, other: (
        adjust_stock(key=uuid4(), item=item, location=place, quantity=Decimal(-2), reason="lost", actor=None).posting
    ),
    "scrap": lambda item, place, other: (
        scrap_stock(
            key=uuid4(),
            item=item,
            location=place,
            quantity=Decimal(2),
            lots=[(lot_of(item, "A"), Decimal(2))],
            reason="broken",
            actor=None,
        ).posting
    ),
}


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS.keys())
@pytest.mark.parametrize("value", ["10.00", None], ids=["known cost", "unknown cost"])
def test_a_posting_and_its_reversal_are_nothing(item, place, work, value):
    other = make_location()
    put_on_hand(item, place, "3", lot="A", value=value)
    before = state()
    posting = work(item, place, other)

    reverse(posting)

    assert state() == before


@pytest.mark.parametrize("used", [("2",), ("5", "7"), ("12",), ("3", "4", "2")])
def test_units_of_unknown_cost_are_as_many_as_before_issues_that_were_undone(item, place, used):
    put_on_hand(item, place, "12", lot="A", value=None)
    before = state()
    issues = [
        issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None).posting
        for quantity in used
    ]

    for issue in reversed(issues):
        reverse(issue)

    assert state() == before
    assert unknown_quantities(items=[item.pk], moment=AsOf.at(timezone.now())) == {item.pk: 12}


def test_a_second_reversal_is_refused(item, place):
    posting = put_on_hand(item, place, "3", lot="A")
    reverse(posting)

    with pytest.raises(AlreadyReversed):
        reverse(posting)


def test_what_was_used_since_blocks_and_is_named(item, place):
    posting = put_on_hand(item, place, "3", lot="A", value="3.00")
    used = issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(1), actor=None, reference="SO-9")
    count = Posting.objects.count()

    with pytest.raises(ReversalBlocked) as refusal:
        reverse(posting)

    (blocker,) = refusal.value.context["blocked_by"]
    assert (blocker["item"], blocker["needed"], blocker["on_hand"]) == ("WAX", "3", "2")
    assert blocker["used_by"] == [{"posting": used.posting.pk, "kind": "issue", "reference": "SO-9", "quantity": "1"}]
    assert Posting.objects.count() == count


def test_what_is_reserved_blocks(item, place):
    posting = put_on_hand(item, place, "3", lot="A")
    reserve_stock(
        item=item, location=place, quantity=Decimal(1), demand_kind="order", demand_ref="SO-1", actor=None, pinned=True
    )

    with pytest.raises(ReversalBlocked, match=r"1 of them reserved for SO-1 \(1\)") as refusal:
        reverse(posting)

    (blocker,) = refusal.value.context["blocked_by"]
    assert blocker["reserved_for"] == [{"demand_kind": "order", "demand_ref": "SO-1", "quantity": "1"}]


def test_a_receipt_that_others_averaged_with_books_a_variance(item, place):
    put_on_hand(item, place, "1", lot="A", value="1.00")
    dear = put_on_hand(item, place, "1", lot="B", value="9.00")
    issue_stock(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(1),
        lots=[(lot_of(item, "A"), Decimal(1))],
        actor=None,
    )

    reverse(dear)

    entry = CostEntry.objects.get(kind="reversal_variance")
    assert entry.amount == Decimal("-4.00")  # 5.00 were left on the last unit, 9.00 should have gone
    assert CostPool.objects.get(item=item).value == 0


def test_goods_whose_unknown_cost_was_corrected_leave_at_the_average(item, place):
    unknown = put_on_hand(item, place, "5", lot="A")
    put_on_hand(item, place, "5", lot="B")
    correct_cost(key=uuid4(), item=item, unit_cost=Decimal(2), reason="invoice", actor=None)

    reverse(unknown)

    pool = CostPool.objects.get(item=item)
    assert (pool.quantity, pool.value) == (5, Decimal("10.00"))


def test_reversals_and_cost_corrections_are_not_reversed(item, place):
    posting = put_on_hand(item, place, "3", lot="A")
    correction = correct_cost(key=uuid4(), item=item, unit_cost=Decimal(2), reason="invoice", actor=None).posting
    undone = reverse(posting).posting

    with pytest.raises(NotReversible, match="Record it again"):
        reverse(undone)
    with pytest.raises(NotReversible, match="another correction"):
        reverse(correction)


def test_a_repeated_reversal_is_posted_once(item, place):
    posting, key = put_on_hand(item, place, "3", lot="A"), uuid4()

    first = reverse_posting(key=key, posting=posting, actor=None)
    again = reverse_posting(key=key, posting=posting, actor=None)

    assert (first.posting, again.replayed) == (again.posting, True)
    assert on_hand(item) == 0
