"""Judging what is held: by quantity, against the plan, and back again."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import (
    AlreadyReversed,
    IdempotencyMismatch,
    InsufficientStock,
    InvalidQuantity,
    InvalidQuantityStep,
    LotExpired,
    ReversalBlocked,
    WrongState,
)
from inventory.models import CostEntry, ExceptionCase, ExceptionState, Posting, PostingKind, Reservation, StockStatus
from inventory.operations.issuing import scrap_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import change_status, transfer_stock
from inventory.reads.availability import availability
from production.errors import InspectionIncomplete, OverInspection
from production.models import Disposition, InspectionDecision, InspectionResult, InspectionVerdict
from production.operations.demands import make_for_demand
from production.operations.inspecting import (
    Finding,
    Outcome,
    decide_inspection,
    in_rework,
    release_not_due,
    return_reworked,
    undo_verdict,
)
from production.operations.inspection_plans import CheckSpec, save_inspection_plan
from production.operations.releasing import release_work_order
from production.operations.reversing import reverse_completion
from production.operations.work_orders import open_work_order
from production.reads.held_goods import HeldQuestion, held_goods, hold_figures
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

HOLD, AVAILABLE, QUARANTINE = StockStatus.QC_HOLD, StockStatus.AVAILABLE, StockStatus.QUARANTINE


def outcome(disposition, quantity, reason=""):
    return Outcome(Disposition(disposition), Decimal(quantity), reason)


def decide(goods, *outcomes, findings=(), note="", key=None, actor=None):
    return decide_inspection(
        key=key or uuid4(), handle=goods.pk, outcomes=outcomes, findings=findings, note=note, actor=actor
    )


def received(item, place, quantity="10", **fields):
    """Goods of an item that is inspected, as they wait in the queue."""
    put_on_hand(item, place, quantity, **fields)
    return held_goods(HeldQuestion(item_ids=[item.pk]))[-1]


@pytest.fixture
def place():
    return make_location(code="BENCH")


@pytest.fixture
def item():
    return make_item(sku="GIFT", inspection_required=True)


def plan_with_checks(item, **fields):
    fields = {"applies_to": "receipt", **fields}
    plan = save_inspection_plan(
        item=item,
        checks=[CheckSpec("Label straight"), CheckSpec("Weight", "measurement", "g", Decimal(95), Decimal(105))],
        actor=None,
        **fields,
    ).plan
    label, weight = plan.checks.order_by("position")
    return plan, label, weight


def test_parts_go_where_they_were_sent_and_their_value_with_them(item, place):
    goods = received(item, place, "10", value="50")

    result = decide(
        goods,
        outcome("release", "6"),
        outcome("scrap", "1", "cracked"),
        outcome("quarantine", "2", "stained"),
        outcome("rework", "1", "label crooked"),
    )

    assert on_hand(item, status=HOLD) == 0
    assert on_hand(item, status=AVAILABLE) == Decimal(6)
    assert on_hand(item, status=QUARANTINE) == Decimal(3)
    assert [posting.kind for posting in result.postings] == [PostingKind.STATUS_CHANGE, PostingKind.SCRAP]
    assert {posting.related_id for posting in Posting.objects.filter(kind="scrap")} == {goods.posting_id}
    assert CostEntry.objects.get(kind="scrap").amount == Decimal("5.00")
    assert held_goods() == []


def test_a_part_is_decided_and_the_rest_waits_on(item, place):
    goods = received(item, place, "10")

    decide(goods, outcome("release", "4"))

    (left,) = held_goods()
    assert (left.pk, left.held, left.arrived) == (goods.pk, Decimal(6), Decimal(10))


def test_output_of_a_completion_waits_with_its_order_and_lot(place):
    part, made = make_item(), make_item(sku="MADE", inspection_required=True, tracking="lot")
    make_bom(item=made, lines=[(part, "1")])
    put_on_hand(part, place, "5")
    order = open_work_order(item=made, planned=Decimal(5), source_location=place, output_location=place, actor=None)
    complete(order=order, good="5", output_lot_code="L-1")

    (goods,) = held_goods()

    assert (goods.lot_code, goods.work_order, goods.held, goods.kind) == ("L-1", order.number, Decimal(5), "completion")
    assert goods.applies_to == "output"


def test_more_than_is_held_is_refused_and_nothing_changes(item, place):
    goods = received(item, place, "10")
    postings = Posting.objects.count()

    with pytest.raises(OverInspection) as refusal:
        decide(goods, outcome("release", "8"), outcome("scrap", "3", "cracked"))

    assert refusal.value.context["held"] == "10"
    assert (Posting.objects.count(), InspectionVerdict.objects.count()) == (postings, 0)
    assert on_hand(item, status=HOLD) == Decimal(10)


def test_what_another_arrival_holds_is_not_decided_with_this_one(item, place):
    first = received(item, place, "4")
    put_on_hand(item, place, "6")

    with pytest.raises(OverInspection):
        decide(first, outcome("release", "5"))
    decide(first, outcome("release", "4"))

    (second,) = held_goods()
    assert (second.held, second.pk != first.pk) == (Decimal(6), True)


@pytest.mark.parametrize(
    ("outcomes", "refused"),
    [
        ([], InvalidQuantity),
        ([outcome("release", "0")], InvalidQuantity),
        ([outcome("release", "-1")], InvalidQuantity),
        ([outcome("release", "0.5")], InvalidQuantityStep),
        ([outcome("scrap", "1")], WrongState),
        ([outcome("quarantine", "1", "  ")], WrongState),
    ],
)
def test_decides_quantities_that_can_be_and_failures_that_say_why(item, place, outcomes, refused):
    goods = received(item, place)

    with pytest.raises(refused):
        decide(goods, *outcomes)

    assert on_hand(item, status=HOLD) == Decimal(10)
    assert not InspectionVerdict.objects.exists()


def test_the_same_key_decides_once(item, place):
    goods, key = received(item, place), uuid4()
    first = decide(goods, outcome("release", "10"), key=key)

    again = decide(goods, outcome("release", "10"), key=key)

    assert (again.replayed, again.verdict.pk) == (True, first.verdict.pk)
    assert [posting.pk for posting in again.postings] == [posting.pk for posting in first.postings]
    with pytest.raises(IdempotencyMismatch):
        decide(goods, outcome("release", "9"), key=key)
    assert on_hand(item, status=AVAILABLE) == Decimal(10)


def test_is_not_released_before_the_plan_is_answered(item, place):
    _, label, _ = plan_with_checks(item)
    goods = received(item, place)

    with pytest.raises(InspectionIncomplete) as refusal:
        decide(goods, outcome("release", "10"), findings=[Finding(label.pk, is_ok=True)])

    assert refusal.value.context["missing"] == ["Weight"]
    assert (on_hand(item, status=AVAILABLE), InspectionResult.objects.count()) == (Decimal(0), 0)


def test_what_fails_needs_no_more_checks(item, place):
    plan_with_checks(item)
    goods = received(item, place)

    decide(goods, outcome("quarantine", "10", "box wet"))

    assert on_hand(item, status=QUARANTINE) == Decimal(10)


def test_limits_belong_to_what_is_allowed_and_stay_with_the_result(item, place):
    plan, label, weight = plan_with_checks(item)
    goods = received(item, place)
    figures = ["95", "105", "94.999", "105.001"]

    decide(
        goods,
        outcome("release", "8"),
        outcome("scrap", "2", "weight"),
        findings=[
            Finding(label.pk, is_ok=True),
            *(Finding(weight.pk, sample=n, measured=Decimal(f)) for n, f in enumerate(figures, start=1)),
        ],
    )

    results = InspectionResult.objects.filter(check_name="Weight").order_by("sample")
    assert [result.is_passed for result in results] == [True, True, False, False]
    assert {(result.minimum, result.maximum, result.unit) for result in results} == {(Decimal(95), Decimal(105), "g")}
    assert InspectionVerdict.objects.get().inspection.plan == plan


def test_everything_against_a_failed_check_needs_a_word(item, place):
    _, label, weight = plan_with_checks(item)
    goods = received(item, place)
    findings = [Finding(label.pk, is_ok=False), Finding(weight.pk, measured=Decimal(100))]

    with pytest.raises(WrongState):
        decide(goods, outcome("release", "10"), findings=findings)
    assert on_hand(item, status=AVAILABLE) == 0

    decide(goods, outcome("release", "10"), findings=findings, note="Label is under the lid")
    assert on_hand(item, status=AVAILABLE) == Decimal(10)


def test_checks_are_answered_once_for_all_parts(item, place):
    _, label, weight = plan_with_checks(item)
    goods = received(item, place)
    decide(
        goods,
        outcome("release", "3"),
        findings=[Finding(label.pk, is_ok=True), Finding(weight.pk, measured=Decimal(100))],
    )

    decide(goods, outcome("release", "7"))

    assert on_hand(item, status=AVAILABLE) == Decimal(10)


def test_a_check_of_an_older_plan_is_refused(item, place):
    _, label, _ = plan_with_checks(item)
    goods = received(item, place)
    save_inspection_plan(item=item, applies_to="receipt", checks=[CheckSpec("Smell")], actor=None)

    with pytest.raises(WrongState):
        decide(goods, outcome("release", "10"), findings=[Finding(label.pk, is_ok=True)])

    assert on_hand(item, status=HOLD) == Decimal(10)


def test_an_expired_lot_is_scrapped_but_not_released(place):
    item = make_item(inspection_required=True, tracking="lot")
    goods = received(item, place, "5", lot="OLD", expires_on=timezone.localdate() - timedelta(days=1))

    with pytest.raises(LotExpired):
        decide(goods, outcome("release", "5"))
    assert on_hand(item, status=HOLD) == Decimal(5)

    decide(goods, outcome("scrap", "5", "too old"))
    assert on_hand(item) == 0


def test_goods_in_a_bin_below_are_not_taken_for_those_above(item, place):
    shelf = make_location(code="BENCH-1", parent=place)
    below = received(item, shelf, "5")
    above = received(item, place, "5")

    decide(above, outcome("release", "5"))

    assert on_hand(item, location=place, status=AVAILABLE) == Decimal(5)
    assert on_hand(item, location=shelf, status=HOLD) == Decimal(5)
    assert [goods.pk for goods in held_goods()] == [below.pk]


def test_a_failure_opens_an_exception_that_its_undo_closes(item, place, operator):
    goods = received(item, place)
    verdict = decide(goods, outcome("release", "9"), outcome("scrap", "1", "cracked"), actor=operator).verdict

    case = ExceptionCase.objects.get()
    assert (case.kind, case.state, "1 pcs scrap: cracked" in case.reason) == ("failed_inspection", "open", True)

    undo_verdict(key=uuid4(), verdict=verdict, actor=operator)
    case.refresh_from_db()
    assert case.state == ExceptionState.RESOLVED


def test_undo_brings_quantity_and_value_back_into_hold(item, place):
    goods = received(item, place, "10", value="33.33")
    verdict = decide(goods, outcome("release", "7"), outcome("scrap", "3", "cracked")).verdict

    undo_verdict(key=uuid4(), verdict=verdict, actor=None)

    (held,) = held_goods()
    assert (held.pk, held.held) == (goods.pk, Decimal(10))
    assert item.cost_pools.get(lot=None).value == Decimal("33.33")
    assert sum(entry.amount for entry in CostEntry.objects.all()) == 0
    assert InspectionDecision.objects.standing().count() == 0
    with pytest.raises(AlreadyReversed):
        undo_verdict(key=uuid4(), verdict=verdict, actor=None)


def test_undo_is_refused_as_a_whole_when_released_goods_are_gone(item, place):
    goods = received(item, place)
    verdict = decide(goods, outcome("release", "8"), outcome("scrap", "2", "cracked")).verdict
    scrap_stock(key=uuid4(), item=item, location=place, quantity=Decimal(1), reason="fell", actor=None)

    with pytest.raises(ReversalBlocked):
        undo_verdict(key=uuid4(), verdict=verdict, actor=None)

    assert (on_hand(item, status=AVAILABLE), on_hand(item, status=HOLD)) == (Decimal(7), Decimal(0))


def test_a_posting_reversed_in_the_ledger_opens_the_inspection_again(item, place):
    goods = received(item, place)
    result = decide(goods, outcome("release", "10"))

    reverse_posting(key=uuid4(), posting=result.postings[0], actor=None)

    (held,) = held_goods()
    assert (held.pk, held.held) == (goods.pk, Decimal(10))
    decide(held, outcome("release", "10"))
    assert on_hand(item, status=AVAILABLE) == Decimal(10)


def test_a_completion_is_undone_after_its_inspection_which_the_refusal_names(place):
    part, made = make_item(), make_item(inspection_required=True)
    make_bom(item=made, lines=[(part, "1")])
    put_on_hand(part, place, "10", value="10")
    completion = complete(made, "10", into=place).completion
    (goods,) = held_goods()
    result = decide(goods, outcome("release", "9"), outcome("scrap", "1", "bent"))

    with pytest.raises(ReversalBlocked) as refusal:
        reverse_completion(key=uuid4(), completion=completion, actor=None)

    used_by = [user["posting"] for cell in refusal.value.context["blocked_by"] for user in cell["used_by"]]
    assert sorted(set(used_by)) == sorted(posting.pk for posting in result.postings)
    undo_verdict(key=uuid4(), verdict=result.verdict, actor=None)
    reverse_completion(key=uuid4(), completion=completion, actor=None)
    assert (on_hand(made), on_hand(part), held_goods()) == (Decimal(0), Decimal(10), [])


def test_a_partly_undone_completion_holds_what_is_left(place):
    part, made = make_item(), make_item(inspection_required=True)
    make_bom(item=made, lines=[(part, "1")])
    put_on_hand(part, place, "10")
    completion = complete(made, "10", into=place).completion

    reverse_completion(key=uuid4(), completion=completion, good=Decimal(4), actor=None)

    (goods,) = held_goods()
    assert (goods.held, goods.arrived) == (Decimal(6), Decimal(10))
    with pytest.raises(OverInspection):
        decide(goods, outcome("release", "7"))


def test_goods_carried_elsewhere_on_hold_wait_there(item, place):
    received(item, place)
    other = make_location(code="LAB")

    transfer_stock(key=uuid4(), item=item, source=place, target=other, quantity=Decimal(4), status=HOLD, actor=None)

    assert {goods.location_code: goods.held for goods in held_goods()} == {"BENCH": Decimal(6), "LAB": Decimal(4)}


def test_rework_comes_back_to_be_inspected_again(item, place):
    goods = received(item, place)
    decide(goods, outcome("release", "7"), outcome("rework", "3", "label crooked"))
    decision = InspectionDecision.objects.get(disposition="rework")

    return_reworked(key=uuid4(), decision=decision, quantity=Decimal(2), actor=None)

    assert in_rework([decision]) == {decision.pk: Decimal(1)}
    (back,) = held_goods()
    assert (back.held, back.kind) == (Decimal(2), "status_change")
    with pytest.raises(InsufficientStock):
        return_reworked(key=uuid4(), decision=decision, quantity=Decimal(2), actor=None)
    decide(back, outcome("release", "2"))
    assert (on_hand(item, status=AVAILABLE), on_hand(item, status=QUARANTINE)) == (Decimal(9), Decimal(1))


def test_each_third_is_inspected_and_the_rest_released(item, place):
    plan_with_checks(item, every_nth=3)
    for _ in range(4):
        put_on_hand(item, place, "1")

    assert [goods.is_due for goods in held_goods()] == [True, False, False, True]
    assert release_not_due() == 2
    assert release_not_due() == 0

    assert on_hand(item, status=AVAILABLE) == Decimal(2)
    assert [goods.number for goods in held_goods()] == [1, 4]
    assert InspectionDecision.objects.first().reason == "Not due for inspection: 2nd, each 3rd is inspected"


def test_what_a_person_took_back_is_not_released_again_by_itself(item, place):
    plan_with_checks(item, every_nth=2)
    put_on_hand(item, place, "1")
    put_on_hand(item, place, "1")
    release_not_due()
    undo_verdict(key=uuid4(), verdict=InspectionVerdict.objects.get(), actor=None)

    assert release_not_due() == 0

    assert on_hand(item, status=HOLD) == Decimal(2)


def test_what_an_order_made_for_a_demand_is_promised_once_released(place):
    part, made = make_item(), make_item(inspection_required=True)
    make_bom(item=made, lines=[(part, "1")])
    put_on_hand(part, place, "10")
    order = open_work_order(
        item=made,
        planned=Decimal(6),
        source_location=place,
        output_location=place,
        demand_kind="order",
        demand_ref="SO-1",
        actor=None,
    )
    complete(order=order, good="6")
    assert not Reservation.objects.filter(demand_ref="SO-1").exists()
    (goods,) = held_goods()

    verdict = decide(goods, outcome("release", "4"), outcome("scrap", "2", "bent")).verdict

    assert sum(row.quantity for row in Reservation.objects.filter(demand_ref="SO-1", item=made)) == Decimal(4)
    undo_verdict(key=uuid4(), verdict=verdict, actor=None)
    assert sum(row.quantity for row in Reservation.objects.filter(demand_ref="SO-1", item=made)) == Decimal(0)


def test_what_is_released_serves_every_demand_of_a_batch_in_turn(place):
    part, made = make_item(), make_item(inspection_required=True)
    make_bom(item=made, lines=[(part, "1")])
    put_on_hand(part, place, "20")
    put_on_hand(made, place, "3", status="available")

    def ask(reference, quantity):
        return make_for_demand(
            demand_kind="order",
            demand_ref=reference,
            item=made,
            quantity=Decimal(quantity),
            location=place,
            mode="shortage",
            actor=None,
        )

    ask("A", "8")
    order = ask("B", "5").pegs[0].work_order
    release_work_order(work_order=order, actor=None)
    complete(order=order, good="10")
    assert (ask("A", "8").missing, ask("B", "5").missing) == (0, 0)
    (goods,) = held_goods()

    first = decide(goods, outcome("release", "5")).verdict
    assert (promised_to("A", made), promised_to("B", made)) == (8, 0)
    decide(held_goods()[0], outcome("release", "4"), outcome("scrap", "1", "bent"))
    assert (promised_to("A", made), promised_to("B", made)) == (8, 4)
    assert ask("B", "5").pegs[-1].quantity == 1

    undo_verdict(key=uuid4(), verdict=first, actor=None)
    assert promised_to("A", made) + promised_to("B", made) == 7


def promised_to(reference, item):
    return sum(row.quantity for row in Reservation.objects.filter(demand_ref=reference, item=item))


def test_released_by_hand_counts_for_the_oldest(item, place):
    first, second = received(item, place, "4"), received(item, place, "6")

    change_status(
        key=uuid4(), item=item, location=place, quantity=Decimal(5), from_status=HOLD, to_status=AVAILABLE, actor=None
    )

    assert [(goods.pk, goods.held) for goods in held_goods()] == [(second.pk, Decimal(5))]
    with pytest.raises(WrongState):
        decide(first, outcome("release", "1"))


def test_held_goods_are_not_available(item, place):
    received(item, place)

    before = availability(items=[item.pk])[item.pk].available
    decide(held_goods()[0], outcome("release", "3"), outcome("quarantine", "2", "stained"))

    assert (before, availability(items=[item.pk])[item.pk].available) == (Decimal(0), Decimal(3))


def test_finds_by_sku_lot_reference_and_place(place):
    tracked = make_item(sku="SOAP_1", inspection_required=True, tracking="lot")
    put_on_hand(tracked, place, "5", lot="B-77")
    put_on_hand(make_item(sku="SOAPX1", inspection_required=True), make_location(code="LAB"), "5")

    assert [goods.item.sku for goods in held_goods(HeldQuestion(text="b-77"))] == ["SOAP_1"]
    assert [goods.item.sku for goods in held_goods(HeldQuestion(text="soap_1"))] == ["SOAP_1"]
    assert [goods.item.sku for goods in held_goods(HeldQuestion(text="LAB"))] == ["SOAPX1"]
    assert len(held_goods(HeldQuestion(source="receipt"))) == 2
    assert held_goods(HeldQuestion(source="output")) == []
    assert held_goods(HeldQuestion(lot_ids=[lot_of(tracked, "B-77").pk]))[0].held == Decimal(5)


def test_time_in_hold_is_from_coming_in_to_the_decision(item, place):
    put_on_hand(item, place, "10", effective_at=timezone.now() - timedelta(hours=48))
    decide(held_goods()[0], outcome("release", "9"), outcome("scrap", "1", "cracked"))

    figures = hold_figures()

    assert (figures.decided, figures.failed, figures.hours_average) == (2, 1, Decimal("48.0"))


@pytest.mark.parametrize("count", [1, 20])
def test_what_waits_costs_three_queries(django_assert_num_queries, place, count):
    for _ in range(count):
        item = make_item(inspection_required=True)
        plan_with_checks(item, every_nth=2)
        put_on_hand(item, place, "1")

    with django_assert_num_queries(3):
        assert len(held_goods()) == count


def test_a_measurement_is_asked_for_every_sample_before_the_release(item, place):
    plan_with_checks(item, sample_quantity=Decimal(3))
    goods = received(item, place)
    label, weight = goods.plan.checks.order_by("position")
    first = [Finding(label.pk, is_ok=True), Finding(weight.pk, sample=1, measured=Decimal(100))]

    with pytest.raises(InspectionIncomplete, match=r"Weight \(1 of 3 samples\)"):
        decide(goods, outcome("release", "10"), findings=first)
    assert on_hand(item, status=AVAILABLE) == 0
    decide(goods, outcome("quarantine", "1", "stained"), findings=first)
    more = [Finding(weight.pk, sample=number, measured=Decimal(100)) for number in (2, 3)]
    decide(goods, outcome("release", "9"), findings=more)

    assert on_hand(item, status=AVAILABLE) == 9
