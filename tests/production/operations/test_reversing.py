from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.errors import AlreadyReversed, InvalidQuantity, NotReversible, ReversalBlocked
from inventory.models import CostEntry, CostPool, Movement, Posting, StockBalance, Tracking
from inventory.operations.issuing import issue_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import change_status
from production.operations.reversing import reverse_completion
from production.operations.work_orders import open_work_order
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import count_for_sure, line_of, open_sheet, submit
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def place(db):
    return make_location(code="WORKSHOP")


@pytest.fixture
def thing(place):
    part, item = make_item(sku="PART", tracking=Tracking.LOT), make_item(sku="THING")
    make_bom(item=item, lines=[(part, "2")])
    put_on_hand(part, place, "12", lot="L1", value="12.34")
    put_on_hand(part, place, "20", lot="L2", value="20.01")
    return item, part


def reverse(completion, good=None, **fields):
    return reverse_completion(
        key=fields.pop("key", None) or uuid4(),
        completion=completion,
        good=None if good is None else Decimal(good),
        actor=None,
        **fields,
    )


def state():
    cells = StockBalance.objects.exclude(quantity=0).values_list("item", "location", "lot", "status", "quantity")
    pools = CostPool.objects.exclude(quantity=0).values_list("item", "quantity", "value", "unknown_quantity")
    return sorted(cells), sorted(pools)


def test_complete_and_reverse_are_nothing(thing, place):
    item, _part = thing
    before = state()

    reverse(complete(item, "10", into=place).completion)

    assert state() == before


def test_a_part_goes_back_last_picked_first(thing, place):
    """10 made from L1 12 and L2 8: taking back 4 leaves what 6 use, 12, so 8 return to L2."""
    item, part = thing
    made = complete(item, "10", into=place).completion

    result = reverse(made, "4")

    back = [(m.lot.code, m.quantity) for m in result.posting.movements.filter(item=part)]
    assert back == [("L2", 8)]
    assert on_hand(item) == 6
    made.refresh_from_db()
    assert made.reversed_good == 4


def test_parts_then_the_rest_restore_everything(thing, place):
    item, _part = thing
    before = state()
    made = complete(item, "10", into=place).completion

    for good in ("3", "4", None):
        reverse(made, good)

    made.refresh_from_db()
    assert made.is_reversed
    assert state() == before


def test_values_return_and_leave_alike(thing, place):
    item, _part = thing
    made = complete(item, "7", into=place).completion

    result = reverse(made, "3")

    assert sum(m.value for m in result.posting.movements.all()) == 0


def test_scrapped_units_return_with_the_last_good_one(thing, place):
    item, _part = thing
    before = state()
    made = complete(item, "5", scrapped="1", scrap_reason="cracked", into=place).completion

    reverse(made)

    made.refresh_from_db()
    assert (made.reversed_good, made.reversed_scrap) == (5, 1)
    assert state() == before


def test_a_completion_of_scrap_alone_can_be_taken_back(thing, place):
    item, _part = thing
    before = state()
    made = complete(item, "0", scrapped="2", scrap_reason="cracked", into=place).completion

    reverse(made)

    assert state() == before
    assert sum(entry.amount for entry in CostEntry.objects.all()) == 0


def test_consumables_and_their_value_go_back(place):
    part, glue, item = make_item(), make_item(standard_cost=Decimal("0.333")), make_item()
    make_bom(item=item, lines=[(part, "1"), (glue, "1", {"is_consumable": True})])
    put_on_hand(part, place, "10", value="10.01")
    before = state()
    made = complete(item, "7", into=place).completion

    reverse(made, "3")
    reverse(made)

    assert state() == before
    assert sum(entry.amount for entry in CostEntry.objects.all()) == 0


def test_more_than_is_left_is_refused(thing, place):
    made = complete(thing[0], "5", into=place).completion
    reverse(made, "3")

    with pytest.raises(InvalidQuantity, match="2 pcs of THING are left"):
        reverse(made, "3")


def test_a_second_reversal_is_refused(thing, place):
    made = complete(thing[0], "5", into=place).completion
    reverse(made)

    with pytest.raises(AlreadyReversed):
        reverse(made)


def test_output_that_was_used_blocks_and_the_rest_can_go_back(thing, place):
    item, _part = thing
    made = complete(item, "5", into=place).completion
    issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(2), actor=None, reference="SO-4")
    counts = Posting.objects.count(), Movement.objects.count()

    with pytest.raises(ReversalBlocked) as refusal:
        reverse(made)
    assert (Posting.objects.count(), Movement.objects.count()) == counts
    reverse(made, "3")

    assert refusal.value.context["blocked_by"][0]["used_by"][0]["reference"] == "SO-4"
    assert on_hand(item) == 0


def test_output_released_from_qc_blocks_until_the_release_is_reversed(place):
    part, item = make_item(), make_item(inspection_required=True)
    make_bom(item=item, lines=[(part, "1")])
    put_on_hand(part, place, "5", value="5.00")
    made = complete(item, "5", into=place).completion
    released = change_status(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(2),
        from_status="qc_hold",
        to_status="available",
        actor=None,
    )

    with pytest.raises(ReversalBlocked) as refusal:
        reverse(made)
    reverse_posting(key=uuid4(), posting=released.posting, actor=None)
    reverse(made)

    assert refusal.value.context["blocked_by"][0]["used_by"][0]["kind"] == "status_change"
    assert on_hand(part) == 5


def test_the_order_counts_back_and_opens_again(place):
    part, item = make_item(), make_item()
    make_bom(item=item, lines=[(part, "7")], makes="4")
    put_on_hand(part, place, "7", value="7.00")
    order = open_work_order(item=item, planned=Decimal(4), output_location=place, actor=None)
    done = [complete(order=order, good="1").completion for _ in range(4)]

    reverse(done[1])

    order.refresh_from_db()
    line = order.lines.get()
    assert (order.good, order.state, line.booked, line.used) == (3, "open", 5, 5)
    assert complete(order=order, good="1").completion.lines.get().expected == 2


def test_a_completion_is_not_reversed_as_a_plain_posting(thing, place):
    made = complete(thing[0], "5", into=place)

    with pytest.raises(NotReversible, match="Reverse the completion itself"):
        reverse_posting(key=uuid4(), posting=made.posting, actor=None)


def test_a_repeated_reversal_is_posted_once(thing, place):
    made, key = complete(thing[0], "5", into=place).completion, uuid4()

    first, again = reverse(made, "2", key=key), reverse(made, "2", key=key)

    assert (first.posting, again.replayed) == (again.posting, True)
    assert on_hand(thing[0]) == 3


def test_a_dearer_receipt_in_between_leaves_a_variance_and_no_value_on_nothing(thing, place):
    item, _part = thing
    made = complete(item, "10", into=place).completion
    put_on_hand(item, place, "10", value="500.00")
    issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(10), actor=None)

    reverse(made)

    pool = CostPool.objects.get(item=item)
    assert (pool.quantity, pool.value) == (0, 0)
    assert CostEntry.objects.filter(kind="reversal_variance").count() == 1


@settings(max_examples=25, deadline=None)
@given(
    costs=st.lists(st.integers(0, 5000), min_size=1, max_size=3),
    good=st.integers(1, 9),
    parts=st.lists(st.integers(1, 4), max_size=4),
)
def test_any_way_of_taking_back_restores_everything(django_db_blocker, costs, good, parts):
    """In steps of any size, with any costs over several lots."""
    place = make_location()
    part, item = make_item(tracking=Tracking.LOT), make_item()
    make_bom(item=item, lines=[(part, "3")])
    for number, cents in enumerate(costs):
        put_on_hand(part, place, "11", lot=f"L{number}", value=Decimal(cents) / 100)
    good = min(good, 11 * len(costs) // 3)
    before = state()
    made = complete(item, str(good), into=place).completion
    left = good
    for taken in parts:
        if taken < left:
            reverse(made, str(taken))
            left -= taken

    reverse(made)

    assert state() == before


# --- Completions that were recorded late, for a day before a count ---


@pytest.fixture
def counted_part(place):
    """Ten things were made for a day before a count of their parts, which found what the book held then."""
    part, item = make_item(sku="PART"), make_item(sku="THING")
    make_bom(item=item, lines=[(part, "2")])
    put_on_hand(part, place, "30", value="30.00", effective_at=timezone.now() - timedelta(days=5))
    sheet = open_sheet(place, items=[part])
    count_for_sure(line_of(sheet, part), "30")
    submit(sheet)
    made = complete(item, "10", into=place, effective_at=timezone.now() - timedelta(hours=30)).completion
    assert (on_hand(part), on_hand(item)) == (30, 10)
    return part, item, made


def test_taking_back_a_late_completion_leaves_the_counted_parts(counted_part):
    part, item, made = counted_part

    reverse(made)

    assert (on_hand(part), on_hand(item)) == (30, 0)
    assert CostPool.objects.get(item=part).value == 30


def test_taking_back_a_late_completion_in_parts_leaves_the_counted_parts(counted_part):
    part, item, made = counted_part

    for good, left in (("3", 7), ("4", 3), (None, 0)):
        reverse(made, good)
        assert (on_hand(part), on_hand(item)) == (30, left)

    assert CostPool.objects.get(item=part).value == 30


def test_taking_back_a_late_completion_leaves_the_counted_output(place):
    part, item = make_item(sku="PART"), make_item(sku="THING")
    make_bom(item=item, lines=[(part, "2")])
    put_on_hand(part, place, "30", value="30.00", effective_at=timezone.now() - timedelta(days=5))
    put_on_hand(item, place, "8", value="24.00", effective_at=timezone.now() - timedelta(days=5))
    sheet = open_sheet(place, items=[item])
    count_for_sure(line_of(sheet, item), "8")
    submit(sheet)
    made = complete(item, "5", into=place, effective_at=timezone.now() - timedelta(hours=30)).completion
    assert (on_hand(part), on_hand(item)) == (20, 8)

    for good, left in (("2", 24), (None, 30)):
        reverse(made, good)
        assert (on_hand(part), on_hand(item)) == (left, 8)
