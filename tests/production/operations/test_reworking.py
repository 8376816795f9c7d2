"""Rework orders: what they take, what the mended goods carry, and the way back."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.errors import (
    AlreadyReversed,
    IdempotencyMismatch,
    InsufficientStock,
    InvalidQuantity,
    InvalidQuantityStep,
    LotExpired,
    LotMismatch,
    NotReversible,
    PickReasonRequired,
    ReversalBlocked,
    WrongState,
)
from inventory.models import CostEntry, CostPool, Posting, PostingKind, StockBalance, StockStatus
from inventory.operations.issuing import issue_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import change_status
from inventory.reads.genealogy import genealogy
from inventory.reads.recall import recall
from production.errors import OrderClosed
from production.models import Disposition, Reworking, ReworkOrder, ReworkState
from production.operations.inspecting import (
    Outcome,
    decide_inspection,
    in_rework,
    return_reworked,
    undo_verdict,
)
from production.operations.reworking import (
    Use,
    close_rework,
    expected_minutes,
    expected_use,
    reverse_rework,
    rework,
)
from production.reads.held_goods import HeldQuestion, held_goods
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand
from tests.production.factories import open_rework_of, quarantined

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]

QUARANTINE, HOLD, AVAILABLE = StockStatus.QUARANTINE, StockStatus.QC_HOLD, StockStatus.AVAILABLE


@pytest.fixture
def place(db):
    return make_location(code="BENCH")


def done(order, good="0", scrapped="0", **rest):
    reason = "Torn" if Decimal(scrapped) else ""
    return rework(
        key=rest.pop("key", None) or uuid4(), order=order, good=Decimal(good), scrapped=Decimal(scrapped),
        scrap_reason=rest.pop("scrap_reason", reason), actor=None, **rest,
    )  # fmt: skip


def state():
    cells = StockBalance.objects.exclude(quantity=0).values_list("item", "location", "lot", "status", "quantity")
    pools = CostPool.objects.exclude(quantity=0).values_list("item", "lot", "quantity", "value", "unknown_quantity")
    return sorted(cells), sorted(pools, key=repr)


def worth(item):
    return CostPool.objects.get(item=item, lot=None).value


def test_mended_goods_carry_components_and_work_in_their_own_lot(place):
    """10 worth 50.00; 10 labels at 0.20 and 30 minutes at 24.00 an hour make them worth 64.00."""
    item, label = make_item(sku="CANDLE", tracking="lot"), make_item(sku="LABEL")
    lot = quarantined(item, place)
    put_on_hand(label, place, "100", value="20.00")
    order = open_rework_of(item, lot, place, components=[(label, "10")], minutes="30", rate="24")

    result = done(order, "10")

    order.refresh_from_db()
    assert (order.state, order.good, order.remaining) == (ReworkState.DONE, 10, 0)
    assert (on_hand(item, lot="L1"), on_hand(item, status=QUARANTINE), on_hand(label)) == (10, 0, 90)
    assert worth(item) == Decimal("64.00")
    assert (result.reworking.goods_value, result.reworking.component_value, result.reworking.work_value) == (50, 2, 12)
    assert list(CostEntry.objects.filter(posting=result.posting).values_list("kind", "amount")) == [("labour", -12)]
    assert (result.posting.kind, result.posting.reference) == (PostingKind.REWORK, order.number)


def test_what_is_spoiled_is_carried_by_what_is_good(place):
    item = make_item(sku="CANDLE", tracking="lot")
    order = open_rework_of(item, quarantined(item, place), place)

    done(order, "8", "2")

    assert (on_hand(item), worth(item)) == (8, Decimal("50.00"))


def test_nothing_good_is_an_expense(place):
    item = make_item(sku="CANDLE", tracking="lot")
    order = open_rework_of(item, quarantined(item, place), place, minutes="60", rate="10")

    result = done(order, scrapped="10")

    assert on_hand(item) == 0
    entries = dict(CostEntry.objects.filter(posting=result.posting).values_list("kind", "amount"))
    assert entries == {"labour": Decimal(-10), "scrap": Decimal(60)}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)).filter(any), min_size=1, max_size=5),
    needed=st.integers(1, 40),
    minutes=st.integers(0, 500),
    method=st.sampled_from(["average", "fifo", "lot"]),
)
def test_parts_take_what_the_whole_is_planned_to_and_undoing_leaves_nothing(db, parts, needed, minutes, method):
    place = make_location()
    item, part = (
        make_item(tracking="lot", cost_method=method),
        make_item(cost_method=method if method != "lot" else "fifo"),
    )
    whole = sum(good + scrapped for good, scrapped in parts)
    lot = quarantined(item, place, str(whole), value="33.33")
    put_on_hand(part, place, "25", value="10.01")
    put_on_hand(part, place, "25", value="12.34")
    before = state()
    order = open_rework_of(
        item, lot, place, str(whole), components=[(part, str(needed))], minutes=str(minutes), rate="17.5"
    )
    made = [done(ReworkOrder.objects.get(pk=order.pk), str(good), str(bad)).reworking for good, bad in parts]

    assert on_hand(part) == 50 - needed
    assert sum(one.minutes for one in made) == minutes
    order.refresh_from_db()
    assert (order.state, order.remaining) == (ReworkState.DONE, 0)

    for one in reversed(made):
        reverse_rework(key=uuid4(), reworking=one, actor=None)
    order.refresh_from_db()
    assert (order.state, order.good, order.scrapped) == (ReworkState.OPEN, 0, 0)
    assert state() == before


def test_what_was_really_used_and_worked_counts(place):
    item, label, glue = (
        make_item(sku="CANDLE", tracking="lot"),
        make_item(sku="LABEL"),
        make_item(sku="GLUE", step="0.1"),
    )
    lot = quarantined(item, place)
    put_on_hand(label, place, "100", value="20.00")
    put_on_hand(glue, place, "5", value="5.00")
    order = open_rework_of(item, lot, place, components=[(label, "10")], minutes="30", rate="24")

    result = done(order, "5", used=[Use(label, Decimal(7)), Use(glue, Decimal("0.5"))], minutes=Decimal(20))

    lines = {line.component.sku: (line.expected, line.actual) for line in result.reworking.lines.all()}
    assert lines == {"LABEL": (5, 7), "GLUE": (0, Decimal("0.5"))}
    assert result.reworking.work_value == 8
    order.refresh_from_db()
    assert dict(expected_use(order, Decimal(5))) == {label: 5}
    assert expected_minutes(order, Decimal(5)) == 15


def test_lots_of_components_are_named_with_a_reason_and_are_of_that_component(place):
    item, oil = make_item(sku="CANDLE", tracking="lot"), make_item(sku="OIL", tracking="lot")
    lot = quarantined(item, place)
    put_on_hand(oil, place, "10", lot="A", value="10")
    put_on_hand(oil, place, "10", lot="B", value="10")
    order = open_rework_of(item, lot, place, components=[(oil, "2")])
    named = [Use(oil, Decimal(2), [(lot_of(oil, "B"), Decimal(2))])]
    with pytest.raises(PickReasonRequired):
        done(order, "10", used=named)
    with pytest.raises(LotMismatch):
        done(order, "10", used=[Use(oil, Decimal(2), [(lot, Decimal(2))])], reason="Asked for")

    done(order, "10", used=named, reason="The other smells")

    assert (on_hand(oil, lot="A"), on_hand(oil, lot="B")) == (10, 8)


def test_a_mended_lot_has_the_lots_that_went_into_it(place):
    item, oil = make_item(sku="CANDLE", tracking="lot"), make_item(sku="OIL", tracking="lot")
    lot = quarantined(item, place)
    put_on_hand(oil, place, "10", lot="A", value="10")
    order = open_rework_of(item, lot, place, components=[(oil, "2")])
    one = done(order, "6", "4").reworking

    forward = genealogy(lots=[lot_of(oil, "A").pk], direction="forward")
    backward = genealogy(lots=[lot.pk], direction="backward")
    assert (
        {node.lot.code for node in forward.nodes.values()}
        == {"A", "L1"}
        == {n.lot.code for n in backward.nodes.values()}
    )
    assert (
        [(edge.taken, edge.made) for edge in forward.edges] == [(2, 6)] == [(e.taken, e.made) for e in backward.edges]
    )
    cells = recall(lots=[lot_of(oil, "A").pk]).cells
    assert {(cell.lot.code, cell.quantity) for cell in cells if cell.quantity} == {("A", 8), ("L1", 6)}

    reverse_rework(key=uuid4(), reworking=one, actor=None)
    assert genealogy(lots=[lot_of(oil, "A").pk], direction="forward").edges == []


# --- Inspected goods ---------------------------------------------------------------------------------------------------


@pytest.fixture
def failed(place):
    """10 of an inspected lot, all sent to rework; the decision."""
    item = make_item(sku="GIFT", tracking="lot", inspection_required=True)
    put_on_hand(item, place, "10", lot="L1", value="50")
    (goods,) = held_goods(HeldQuestion(item_ids=[item.pk]))
    outcome = Outcome(Disposition.REWORK, Decimal(10), "Label crooked")
    verdict = decide_inspection(key=uuid4(), handle=goods.pk, outcomes=[outcome], actor=None).verdict
    return verdict.decisions.select_related("verdict__inspection").get()


def of_decision(decision, place, quantity="10", **rest):
    inspection = decision.verdict.inspection
    return open_rework_of(inspection.item, inspection.lot, place, quantity, decision=decision, **rest)


def test_what_an_inspection_sent_is_inspected_again(failed, place):
    item = failed.verdict.inspection.item
    order = of_decision(failed, place, minutes="30", rate="20")

    result = done(order, "6")

    assert in_rework([failed]) == {failed.pk: 4}
    assert (on_hand(item, status=HOLD), on_hand(item, status=QUARANTINE), on_hand(item)) == (6, 4, 10)
    (goods,) = held_goods(HeldQuestion(item_ids=[item.pk]))
    assert (goods.posting_id, goods.kind, goods.held, goods.is_due) == (result.posting.pk, "rework", 6, True)
    decide_inspection(key=uuid4(), handle=goods.pk, outcomes=[Outcome(Disposition.RELEASE, Decimal(6))], actor=None)
    assert on_hand(item, status=AVAILABLE) == 6


def test_what_came_back_by_hand_and_what_orders_wait_for_are_not_reworked_again(failed, place):
    return_reworked(key=uuid4(), decision=failed, quantity=Decimal(3), actor=None)
    of_decision(failed, place, "5")
    with pytest.raises(InsufficientStock, match="2 pcs of GIFT"):
        of_decision(failed, place, "3")
    inspection = failed.verdict.inspection
    with pytest.raises(InsufficientStock, match="2 pcs of GIFT"):
        open_rework_of(inspection.item, inspection.lot, place, "3")
    of_decision(failed, place, "2")


def test_the_verdict_is_taken_back_after_its_rework(failed, place):
    order = of_decision(failed, place)
    one = done(order, "10").reworking
    with pytest.raises(ReversalBlocked):
        undo_verdict(key=uuid4(), verdict=failed.verdict, actor=None)

    reverse_rework(key=uuid4(), reworking=one, actor=None)
    assert in_rework([failed]) == {failed.pk: 10}
    undo_verdict(key=uuid4(), verdict=failed.verdict, actor=None)
    assert on_hand(failed.verdict.inspection.item, status=HOLD) == 10


# --- Refusals ----------------------------------------------------------------------------------------------------------


def test_an_order_is_refused_that_cannot_be_carried_out(place, failed):
    item, part = make_item(sku="CANDLE", tracking="lot"), make_item(sku="PART")
    lot = quarantined(item, place)
    for wrong, error in [
        ({"status": AVAILABLE}, WrongState),
        ({"quantity": "11"}, InsufficientStock),
        ({"quantity": "0"}, InvalidQuantity),
        ({"quantity": "1.5"}, InvalidQuantityStep),
        ({"components": [(item, "1")]}, WrongState),
        ({"components": [(part, "1"), (part, "2")]}, WrongState),
        ({"components": [(part, "0")]}, InvalidQuantity),
        ({"minutes": "-1"}, InvalidQuantity),
        ({"minutes": "NaN"}, InvalidQuantity),
        ({"minutes": "1.005"}, InvalidQuantity),
        ({"rate": "1e9"}, InvalidQuantity),
        ({"decision": failed}, WrongState),
    ]:
        with pytest.raises(error):
            open_rework_of(item, lot, place, **wrong)
    assert not ReworkOrder.objects.exists()


@pytest.mark.parametrize(
    ("good", "scrapped", "rest", "error"),
    [
        ("11", "0", {}, InvalidQuantity),
        ("8", "3", {}, InvalidQuantity),
        ("0", "0", {}, InvalidQuantity),
        ("-1", "2", {}, InvalidQuantity),
        ("0.5", "0", {}, InvalidQuantityStep),
        ("0", "1", {"scrap_reason": " "}, WrongState),
        ("1", "0", {"minutes": Decimal("Infinity")}, InvalidQuantity),
    ],
)
def test_nothing_is_written_of_what_is_refused(place, good, scrapped, rest, error):
    item, part = make_item(sku="CANDLE", tracking="lot"), make_item(sku="PART")
    order = open_rework_of(item, quarantined(item, place), place, components=[(part, "1")])
    before = (state(), Posting.objects.count())
    with pytest.raises(error):
        done(order, good, scrapped, **rest)
    assert (state(), Posting.objects.count()) == before


def test_missing_components_and_goods_that_were_moved_are_named(place):
    item, part = make_item(sku="CANDLE", tracking="lot"), make_item(sku="PART")
    lot = quarantined(item, place)
    order = open_rework_of(item, lot, place, components=[(part, "10")])
    with pytest.raises(InsufficientStock, match="PART"):
        done(order, "10")
    change_status(
        key=uuid4(), item=item, quantity=Decimal(4), location=place, from_status=QUARANTINE, to_status=AVAILABLE,
        lots=[(lot, Decimal(4))], actor=None, reason="Was right",
    )  # fmt: skip
    with pytest.raises(InsufficientStock, match="6 pcs of CANDLE wait"):
        done(order, "10", used=[Use(part, Decimal(0))])
    done(order, "6", used=[Use(part, Decimal(0))])


def test_a_lot_past_its_day_is_not_made_available_by_mending_it(place):
    item = make_item(sku="CREAM", tracking="lot")
    lot = quarantined(item, place)
    lot.expires_on = timezone.localdate() - timedelta(days=1)
    lot.save()
    order = open_rework_of(item, lot, place)
    with pytest.raises(LotExpired, match="cannot be made available"):
        done(order, "1")
    done(order, scrapped="10")


def test_a_key_answers_once_and_for_one_request(place):
    item = make_item(sku="CANDLE", tracking="lot")
    order, key = open_rework_of(item, quarantined(item, place), place), uuid4()
    first = done(order, "4", key=key)
    again = done(order, "4", key=key)

    assert (again.replayed, again.posting.pk, again.reworking.pk) == (True, first.posting.pk, first.reworking.pk)
    assert Reworking.objects.count() == 1
    with pytest.raises(IdempotencyMismatch):
        done(order, "5", key=key)


def test_closed_and_finished_orders_take_no_more(place):
    item = make_item(sku="CANDLE", tracking="lot")
    lot = quarantined(item, place)
    order = open_rework_of(item, lot, place, "4")
    close_rework(order=order, actor=None)
    with pytest.raises(OrderClosed):
        done(order, "1")
    with pytest.raises(OrderClosed):
        close_rework(order=order, actor=None)
    other = open_rework_of(item, lot, place, "10")  # what a closed order leaves is free for another
    done(other, "10")
    with pytest.raises(OrderClosed):
        done(other, "1")


def test_undoing_is_done_on_the_order_once_and_not_when_the_goods_are_gone(place):
    item = make_item(sku="CANDLE", tracking="lot")
    lot = quarantined(item, place)
    order = open_rework_of(item, lot, place)
    result = done(order, "10")
    with pytest.raises(NotReversible):
        reverse_posting(key=uuid4(), posting=result.posting, actor=None)
    sold = issue_stock(
        key=uuid4(), item=item, quantity=Decimal(1), location=place, lots=[(lot, Decimal(1))], actor=None, reason="Sold"
    )
    with pytest.raises(ReversalBlocked):
        reverse_rework(key=uuid4(), reworking=result.reworking, actor=None)
    reverse_posting(key=uuid4(), posting=sold.posting, actor=None)
    key = uuid4()
    back = reverse_rework(key=key, reworking=result.reworking, actor=None)
    assert reverse_rework(key=key, reworking=result.reworking, actor=None).pk == back.pk
    with pytest.raises(AlreadyReversed):
        reverse_rework(key=uuid4(), reworking=result.reworking, actor=None)
    assert on_hand(item, status=QUARANTINE) == 10
