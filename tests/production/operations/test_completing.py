from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import (
    DomainError,
    IdempotencyMismatch,
    InsufficientStock,
    InvalidQuantity,
    InvalidQuantityStep,
    LotExpired,
    LotMismatch,
    ReservedByOther,
    WrongState,
)
from inventory.models import (
    CostEntry,
    CostPool,
    Lot,
    Movement,
    Posting,
    Reservation,
    StockBalance,
    StockChange,
    StockStatus,
    Tracking,
)
from inventory.operations.issuing import issue_stock
from inventory.operations.reserving import reserve_stock
from inventory.operations.transferring import change_status
from production.errors import ConsumptionVariance, InvalidBom, OrderClosed, OverCompletion
from production.models import BomState, Completion, CompletionLine, DeviationPolicy, IssueMethod
from production.operations.completing import (
    Actual,
    ByProduct,
    CompletionRequest,
    OutputLot,
    complete_production,
    preview_completion,
)
from production.operations.reversing import reverse_completion
from production.operations.work_orders import close_work_order, open_work_order
from tests.conftest import broken_invariants
from tests.factories import lot_of, make_item, make_location, make_user, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def place(db):
    return make_location(code="WORKSHOP")


@pytest.fixture
def candle(place):
    wax, wick = make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="WICK")
    item = make_item(sku="CANDLE")
    make_bom(item=item, lines=[(wax, "200", {"unit": "g"}), (wick, "1")])
    put_on_hand(wax, place, "10", value="45.00")
    put_on_hand(wick, place, "100", value="10.00")
    return item, wax, wick


def make_order(item, place, planned="50", **fields):
    return open_work_order(item=item, planned=Decimal(planned), output_location=place, actor=None, **fields)


def preview(item=None, good="1", **fields):
    actuals = [Actual(c, Decimal(q), *more) for c, q, *more in fields.pop("actuals", ())]
    request = CompletionRequest(
        item=item,
        good=Decimal(good),
        scrapped=Decimal(fields.pop("scrapped", 0)),
        work_order=fields.pop("order", None),
        output_location=fields.pop("into", None),
        actuals=actuals,
        **fields,
    )
    return preview_completion(request=request, actor=None)


def test_takes_components_and_puts_the_output_in_at_their_cost(candle, place):
    item, wax, wick = candle

    result = complete(item, "40", into=place)

    assert (on_hand(wax), on_hand(wick), on_hand(item)) == (2, 60, 40)
    assert result.completion.output_value == Decimal("40.00")
    assert result.completion.unit_cost == 1
    assert StockChange.objects.filter(posting_id=result.posting.pk).count() == 1


def test_refuses_too_little_stock_naming_every_short_item_and_writes_nothing(candle, place):
    item, _wax, _wick = candle
    counts = Posting.objects.count(), Movement.objects.count(), StockChange.objects.count()

    with pytest.raises(InsufficientStock) as refusal:
        complete(item, "120", into=place, source_location=place)

    assert [(row["item"], row["short"]) for row in refusal.value.context["short"]] == [("WAX", "14"), ("WICK", "20")]
    assert "WORKSHOP holds 10 kg of WAX; this completion needs 24 kg." in refusal.value.message
    assert (Posting.objects.count(), Movement.objects.count(), StockChange.objects.count()) == counts
    assert not Completion.objects.exists()


def test_the_preview_is_what_is_posted(candle, place):
    item, wax, _wick = candle

    plan = preview(item, "7", scrapped=1, scrap_reason="cracked", into=place, actuals=[(wax, "1.7", "spilled")])
    result = complete(item, "7", scrapped=1, scrap_reason="cracked", into=place, actuals=[(wax, "1.7", "spilled")])

    posted = {line.component_id: line for line in CompletionLine.objects.all()}
    for line in plan.lines:
        stored = posted[line.component.id]
        assert (line.expected, line.actual, line.value) == (stored.expected, stored.actual, stored.value)
        moved = result.posting.movements.filter(item_id=line.component.id)
        assert [(m.lot_id, -m.quantity) for m in moved] == [(p.lot_id, p.quantity) for p in line.picks]
    assert plan.output_value == result.completion.output_value
    assert plan.is_postable


def test_the_preview_writes_nothing(candle, place):
    item, *_ = candle
    counts = Posting.objects.count(), CostPool.objects.count()

    preview(item, "7", into=place)

    assert (Posting.objects.count(), CostPool.objects.count()) == counts


def test_the_preview_offers_what_is_possible(candle, place):
    item, *_ = candle

    plan = preview(item, "120", into=place)

    assert [type(problem) for problem in plan.problems] == [InsufficientStock]
    assert plan.completable == 50
    assert plan.output_value is None
    assert complete(item, "50", into=place).completion.good == 50


def test_scrapped_units_use_components_and_the_good_ones_carry_the_cost(candle, place):
    item, _wax, wick = candle

    result = complete(item, "18", scrapped="2", scrap_reason="cracked", into=place)

    assert on_hand(wick) == 80
    assert on_hand(item) == 18
    assert result.completion.output_value == Decimal("20.00")
    assert result.completion.scrap_reason == "cracked"


def test_when_all_is_scrapped_the_cost_is_an_expense(candle, place):
    item, *_ = candle

    result = complete(item, "0", scrapped="2", scrap_reason="cracked", into=place)

    entry = CostEntry.objects.get(posting=result.posting)
    assert (entry.kind, entry.amount) == ("scrap", Decimal("2.00"))
    assert on_hand(item) == 0


def test_scrap_needs_a_reason(candle, place):
    with pytest.raises(InvalidQuantity, match="need a reason"):
        complete(candle[0], "1", scrapped="1", into=place)


@pytest.mark.parametrize(
    ("good", "refusal"), [("0", InvalidQuantity), ("-1", InvalidQuantity), ("1.5", InvalidQuantityStep)]
)
def test_refuses_impossible_quantities(candle, place, good, refusal):
    with pytest.raises(refusal):
        complete(candle[0], good, into=place)


def test_actual_usage_keeps_the_standard_beside_it(candle, place):
    item, wax, _ = candle

    result = complete(item, "10", into=place, actuals=[(wax, "2.4", "hot day")])

    line = result.completion.lines.get(component=wax)
    assert (line.expected, line.actual, line.reason) == (2, Decimal("2.4"), "hot day")
    assert on_hand(wax) == Decimal("7.6")


def test_nothing_used_of_a_component_is_possible(candle, place):
    item, _wax, wick = candle

    complete(item, "10", into=place, actuals=[(wick, "0", "without wick")])

    assert on_hand(wick) == 100


def test_an_extra_component_is_a_deviation_from_zero(candle, place):
    item, *_ = candle
    dye = make_item(sku="DYE", unit="g", step="0.1")
    put_on_hand(dye, place, "10", value="5.00")

    with pytest.raises(ConsumptionVariance, match="DYE: standard 0, actual 2 g"):
        complete(item, "10", into=place, actuals=[(dye, "2")])
    result = complete(item, "10", into=place, actuals=[(dye, "2", "coloured batch")])

    assert result.completion.output_value == Decimal("11.00")


def policy_bom(policy, place, **fields):
    part, item = make_item(sku="PART", step="0.01"), make_item(sku="THING")
    make_bom(item=item, lines=[(part, "1")], deviation_policy=policy, **fields)
    put_on_hand(part, place, "100", value="100.00")
    return item, part


def test_a_free_bom_takes_any_actual(place):
    item, part = policy_bom(DeviationPolicy.FREE, place)

    assert complete(item, "10", into=place, actuals=[(part, "15")]).completion.output_value == Decimal("15.00")


def test_a_deviation_needs_a_reason_beyond_the_tolerance(place):
    item, part = policy_bom(DeviationPolicy.REASON, place, deviation_tolerance_percent=Decimal(5))

    complete(item, "10", into=place, actuals=[(part, "10.5")])
    with pytest.raises(ConsumptionVariance, match=r"PART: standard 10, actual 10\.51 pcs"):
        complete(item, "10", into=place, actuals=[(part, "10.51")])
    complete(item, "10", into=place, actuals=[(part, "10.51")], reason="new supplier")

    assert on_hand(item) == 20


def test_a_blocked_deviation_needs_the_privilege_and_a_reason(place):
    item, part = policy_bom(DeviationPolicy.BLOCK, place)

    with pytest.raises(ConsumptionVariance, match="allows no deviation"):
        complete(item, "10", into=place, actuals=[(part, "9", "thin")], actor=make_user())
    with pytest.raises(ConsumptionVariance, match="Give a reason"):
        complete(item, "10", into=place, actuals=[(part, "9")], actor=make_user(superuser=True))
    complete(item, "10", into=place, actuals=[(part, "9", "thin")], actor=make_user(superuser=True))

    assert on_hand(part) == 91


def test_two_actuals_for_one_component_are_refused(candle, place):
    item, wax, _ = candle

    with pytest.raises(InvalidQuantity, match="two actual quantities"):
        complete(item, "10", into=place, actuals=[(wax, "1"), (wax, "1")])


def test_lots_are_picked_by_expiry_and_can_be_chosen(place):
    oil, soap = make_item(sku="OIL", tracking=Tracking.LOT), make_item(sku="SOAP")
    make_bom(item=soap, lines=[(oil, "1")], deviation_policy=DeviationPolicy.FREE)
    today = timezone.localdate()
    put_on_hand(oil, place, "5", lot="LATE", expires_on=today + timedelta(9), value="5.00")
    put_on_hand(oil, place, "5", lot="SOON", expires_on=today + timedelta(1), value="5.00")
    put_on_hand(oil, place, "5", lot="GONE", expires_on=today - timedelta(1), value="5.00")

    complete(soap, "6", into=place)
    chosen = CompletionRequest(
        item=soap,
        good=Decimal(1),
        output_location=place,
        actuals=[Actual(oil, Decimal(1), lots=[(lot_of(oil, "LATE"), Decimal(1))])],
    )
    complete_production(key=uuid4(), request=chosen, actor=None)

    assert {code: on_hand(oil, lot=code) for code in ("SOON", "LATE", "GONE")} == {"SOON": 0, "LATE": 3, "GONE": 5}


@pytest.mark.parametrize(("lot", "quantity", "refusal"), [("GONE", 1, LotExpired), ("SOON", 2, LotMismatch)])
def test_chosen_lots_must_be_in_date_and_add_up(place, lot, quantity, refusal):
    oil, soap = make_item(sku="OIL", tracking=Tracking.LOT), make_item(sku="SOAP")
    make_bom(item=soap, lines=[(oil, "1")])
    today = timezone.localdate()
    put_on_hand(oil, place, "5", lot="SOON", expires_on=today + timedelta(1))
    put_on_hand(oil, place, "5", lot="GONE", expires_on=today - timedelta(1))
    request = CompletionRequest(
        item=soap,
        good=Decimal(1),
        output_location=place,
        actuals=[Actual(oil, Decimal(1), lots=[(lot_of(oil, lot), Decimal(quantity))])],
    )

    with pytest.raises(refusal):
        complete_production(key=uuid4(), request=request, actor=None)


def expired_oil(place):
    """Soap of oil, of which 5 (10.00) are past their day, 3 of them set to expired already, and 9 (9.00) are good."""
    oil, soap = make_item(sku="OIL", tracking=Tracking.LOT), make_item(sku="SOAP")
    make_bom(item=soap, lines=[(oil, "1")])
    today = timezone.localdate()
    put_on_hand(oil, place, "5", lot="GONE", expires_on=today - timedelta(1), value="10.00")
    put_on_hand(oil, place, "9", lot="GOOD", expires_on=today + timedelta(9), value="9.00")
    gone = lot_of(oil, "GONE")
    change_status(
        key=uuid4(),
        item=oil,
        location=place,
        quantity=Decimal(3),
        from_status=StockStatus.AVAILABLE,
        to_status=StockStatus.EXPIRED,
        lots=[(gone, Decimal(3))],
        reason="past its day",
        actor=None,
    )
    return oil, soap, gone


def use_expired(soap, place, actual, **rest):
    request = CompletionRequest(item=soap, good=actual.quantity, output_location=place, actuals=[actual], **rest)
    return request, lambda actor: complete_production(key=uuid4(), request=request, actor=actor)


def test_an_expired_lot_is_used_by_name_with_a_reason_what_is_set_to_expired_first_and_undone_exactly(
    place, ledger_stays_true
):
    oil, soap, gone = expired_oil(place)
    actual = Actual(oil, Decimal(4), lots=[(gone, Decimal(4))], reason="tested, still good")
    request, post_it = use_expired(soap, place, actual)
    plan = preview_completion(request=request, actor=None)

    done = post_it(make_user(role="administrator")).completion

    def left():
        return dict(StockBalance.objects.filter(item=oil, lot=gone).values_list("status", "quantity"))

    assert (plan.problems, plan.lines[0].on_hand, plan.lines[0].on_hand_after) == ([], 14, 10)
    assert left() == {"expired": 0, "available": 1}
    assert on_hand(oil, lot="GOOD") == 9
    reverse_completion(key=uuid4(), completion=done, actor=None)
    assert left() == {"expired": 3, "available": 2}


@pytest.mark.parametrize(
    ("reason", "role", "words"),
    [(" ", "administrator", "Say why"), ("still good", "operator", "Choose another lot")],
    ids=["no reason", "no privilege"],
)
def test_an_expired_lot_needs_a_reason_and_a_privilege(place, reason, role, words):
    oil, soap, gone = expired_oil(place)
    actual = Actual(oil, Decimal(4), lots=[(gone, Decimal(4))], reason=reason)
    _, post_it = use_expired(soap, place, actual)
    before = Posting.objects.count()

    with pytest.raises(LotExpired, match=words):
        post_it(make_user(role=role))

    assert Posting.objects.count() == before
    assert on_hand(oil) == 14


def test_more_of_an_expired_lot_than_there_is_is_short(place):
    oil, soap, gone = expired_oil(place)
    actual = Actual(oil, Decimal(6), lots=[(gone, Decimal(6))], reason="still good")
    _, post_it = use_expired(soap, place, actual)

    with pytest.raises(ReservedByOther, match="choose other lots"):
        post_it(None)

    assert on_hand(oil) == 14


def test_components_come_from_below_the_source_only(candle):
    item, _wax, _wick = candle
    empty = make_location(code="EMPTY")

    with pytest.raises(InsufficientStock, match="EMPTY holds 0 kg of WAX"):
        complete(item, "1", into=empty, source_location=empty)


def test_without_a_source_any_own_unblocked_place_will_do_and_no_other(place):
    part, item = make_item(sku="PART"), make_item(sku="THING")
    make_bom(item=item, lines=[(part, "1")])
    put_on_hand(part, make_location(), "2")
    put_on_hand(part, make_location(is_blocked=True), "9")
    put_on_hand(part, make_location(kind="3pl"), "9")

    with pytest.raises(InsufficientStock):
        complete(item, "3", into=place)
    complete(item, "2", into=place)

    assert on_hand(part) == 18


def test_what_is_reserved_for_others_is_not_used(candle, place):
    item, _wax, wick = candle
    reserve_stock(
        item=wick, location=place, quantity=Decimal(95), demand_kind="order", demand_ref="1", actor=None, pinned=True
    )

    with pytest.raises(ReservedByOther, match="Release a reservation"):
        complete(item, "10", into=place)


def test_an_order_uses_what_is_reserved_for_it(candle, place):
    """40 on hand, own 10, another's 25: 20 needed use own 10, free 5, and 5 are missing."""
    _item, _wax, _ = candle
    screw, box = make_item(sku="SCREW"), make_item(sku="BOX")
    make_bom(item=box, lines=[(screw, "1")])
    put_on_hand(screw, place, "40", value="4.00")
    order = make_order(box, place)
    pins = {"actor": None, "pinned": True, "item": screw, "location": place}
    reserve_stock(quantity=Decimal(10), demand_kind="work_order", demand_ref=order.number, **pins)
    reserve_stock(quantity=Decimal(25), demand_kind="order", demand_ref="1", **pins)

    with pytest.raises(ReservedByOther) as refusal:
        complete(order=order, good="20")
    complete(order=order, good="15")

    assert refusal.value.context["short"][0]["short"] == "5"
    assert on_hand(screw) == 25
    assert Reservation.objects.get(demand_ref=order.number).quantity == 0


def test_output_of_an_inspected_item_goes_to_qc_hold(place):
    part, item = make_item(), make_item(inspection_required=True)
    make_bom(item=item, lines=[(part, "1")])
    put_on_hand(part, place, "2")

    complete(item, "2", into=place)

    assert on_hand(item, status="qc_hold") == 2


def test_a_tracked_output_gets_a_lot_with_its_expiry(place):
    part, item = make_item(), make_item(tracking=Tracking.LOT, shelf_life_days=30)
    make_bom(item=item, lines=[(part, "1")])
    put_on_hand(part, place, "5")

    automatic = complete(item, "2", into=place)
    named = complete(item, "2", into=place, output_lot_code="BATCH-7", expires_on=date(2035, 1, 1))

    today = timezone.localdate()
    assert automatic.completion.output_lot.code == f"{today:%y%m%d}-{automatic.posting.pk}"
    assert automatic.completion.output_lot.expires_on == today + timedelta(30)
    assert Lot.objects.get(code="BATCH-7").expires_on == date(2035, 1, 1)
    assert named.completion.output_lot.code == "BATCH-7"


def test_more_goes_into_a_lot_on_a_later_day_and_the_lot_keeps_its_expiry(place):
    part, item = make_item(), make_item(tracking=Tracking.LOT, shelf_life_days=30)
    make_bom(item=item, lines=[(part, "1")])
    yesterday = timezone.now() - timedelta(days=1)
    put_on_hand(part, place, "5", effective_at=yesterday)
    complete(item, "2", into=place, output_lot_code="B-7", effective_at=yesterday)

    seen = preview(item, "1", into=place, output_lot_code="b-7")
    complete(item, "1", into=place, output_lot_code="B-7")
    complete(item, "1", into=place, output_lots=[OutputLot("B-7", Decimal(1))])

    lot = Lot.objects.get(item=item)
    assert lot.expires_on == timezone.localdate(yesterday) + timedelta(30) == seen.output_expires_on
    assert (seen.problems, on_hand(item)) == ([], 4)


def test_another_expiry_than_a_lot_has_is_told_by_the_preview_and_refused(place):
    part, item = make_item(), make_item(tracking=Tracking.LOT, shelf_life_days=30)
    make_bom(item=item, lines=[(part, "1")])
    put_on_hand(part, place, "5")
    complete(item, "2", into=place, output_lot_code="B-7", expires_on=date(2035, 1, 1))
    fields = {"into": place, "output_lot_code": "B-7", "expires_on": date(2036, 1, 1)}

    (problem,) = preview(item, "1", **fields).problems
    with pytest.raises(LotMismatch, match="expires on 2035-01-01, not 2036-01-01") as refusal:
        complete(item, "1", **fields)

    assert problem.message == refusal.value.message
    assert on_hand(item) == 2


def test_a_by_product_of_a_later_day_goes_into_the_lot_it_is_named_for(place):
    part, item, rest = make_item(), make_item(), make_item(tracking=Tracking.LOT, shelf_life_days=5)
    make_bom(item=item, lines=[(part, "1")], outputs=[(rest, "1", "10")])
    yesterday = timezone.now() - timedelta(days=1)
    put_on_hand(part, place, "5", effective_at=yesterday)
    into_it = [ByProduct(rest, Decimal(1), lot_code="R-1")]
    complete(item, "1", into=place, by_products=into_it, effective_at=yesterday)

    complete(item, "1", into=place, by_products=into_it)

    assert on_hand(rest) == 2


def test_the_preview_tells_a_serial_number_that_is_on_hand(place):
    part, item = make_item(), make_item(tracking=Tracking.SERIAL)
    make_bom(item=item, lines=[(part, "1")])
    put_on_hand(part, place, "5")
    complete(item, "1", into=place, output_lot_code="S-1")

    (problem,) = preview(item, "1", into=place, output_lot_code="S-1").problems

    assert problem.code == "DUPLICATE_SERIAL"


def test_consumables_are_costed_and_not_counted(place):
    part, glue, item = (
        make_item(),
        make_item(sku="GLUE", unit="g", step="0.1", standard_cost=Decimal("0.02")),
        make_item(),
    )
    make_bom(item=item, lines=[(part, "1"), (glue, "7", {"is_consumable": True})])
    put_on_hand(part, place, "10", value="10.00")

    result = complete(item, "10", into=place)

    assert result.completion.output_value == Decimal("11.40")
    entry = CostEntry.objects.get(posting=result.posting)
    assert (entry.kind, entry.amount) == ("consumables", Decimal("-1.40"))
    assert not glue.movements.exists()


def test_an_unknown_cost_makes_the_output_unknown_and_never_zero(place):
    part, item = make_item(), make_item()
    make_bom(item=item, lines=[(part, "1")])
    put_on_hand(part, place, "10")

    result = complete(item, "10", into=place)

    assert result.completion.output_value is None
    assert CostPool.objects.get(item=item).unknown_quantity == 10


def test_optional_and_manual_lines_are_used_only_when_entered(place):
    part, extra, hand, item = make_item(), make_item(), make_item(), make_item()
    make_bom(
        item=item,
        lines=[(part, "1"), (extra, "1", {"is_optional": True}), (hand, "1", {"issue_method": IssueMethod.MANUAL})],
    )
    for component in (part, extra, hand):
        put_on_hand(component, place, "10", value="10.00")

    complete(item, "2", into=place)
    complete(item, "2", into=place, actuals=[(extra, "2", "asked for")])

    assert (on_hand(part), on_hand(extra), on_hand(hand)) == (6, 8, 10)


def test_phantoms_are_exploded(place):
    bolt, nut, kit, item = make_item(), make_item(), make_item(kind="phantom"), make_item()
    make_bom(item=kit, lines=[(bolt, "2"), (nut, "1")])
    make_bom(item=item, lines=[(kit, "3"), (nut, "1")])
    put_on_hand(bolt, place, "30", value="3.00")
    put_on_hand(nut, place, "20", value="2.00")

    complete(item, "5", into=place)

    assert (on_hand(bolt), on_hand(nut)) == (0, 0)


def test_a_line_may_be_exploded_instead_of_taken_from_stock(place):
    bolt, kit, item = make_item(), make_item(), make_item()
    make_bom(item=kit, lines=[(bolt, "2")])
    make_bom(item=item, lines=[(kit, "1", {"is_phantom": True})])
    put_on_hand(bolt, place, "10")

    complete(item, "5", into=place)

    assert on_hand(bolt) == 0


def test_refuses_an_item_without_a_bom_in_force(place):
    item, part = make_item(sku="NEW"), make_item()
    make_bom(item=item, lines=[(part, "1")], state=BomState.DRAFT)
    future = make_item(sku="LATER")
    make_bom(item=future, lines=[(part, "1")], effective_from=timezone.localdate() + timedelta(1))

    with pytest.raises(InvalidBom, match="NEW has no BOM in force"):
        complete(item, "1", into=place)
    with pytest.raises(InvalidBom, match="LATER has no BOM in force"):
        complete(future, "1", into=place)


def test_refuses_a_draft_that_is_named(place):
    item, part = make_item(), make_item()
    draft = make_bom(item=item, lines=[(part, "1")], state=BomState.DRAFT)

    with pytest.raises(InvalidBom, match="is a draft"):
        complete(item, "1", into=place, bom=draft)


def test_the_output_needs_a_place(candle):
    with pytest.raises(WrongState, match="Choose a location"):
        complete(candle[0], "1")


def test_the_same_key_posts_once_and_another_request_is_refused(candle, place):
    item, *_ = candle
    key = uuid4()
    first = complete(item, "3", into=place, key=key)

    again = complete(item, "3", into=place, key=key)
    with pytest.raises(IdempotencyMismatch):
        complete(item, "4", into=place, key=key)

    assert (first.posting, again.replayed, on_hand(item)) == (again.posting, True, 3)


def test_a_refused_request_leaves_its_key_free(candle, place):
    item, wax, _ = candle
    key = uuid4()
    with pytest.raises(InsufficientStock):
        complete(item, "60", into=place, key=key)
    put_on_hand(wax, place, "10")

    assert complete(item, "60", into=place, key=key).replayed is False


# --- work orders ------------------------------------------------------------------------------------------------------


def test_partials_of_an_order_add_up_to_its_plan(place):
    """7 whole parts make 4: four completions of one use 2, 2, 2, 1."""
    part, item = make_item(), make_item()
    make_bom(item=item, lines=[(part, "7")], makes="4")
    put_on_hand(part, place, "7", value="7.00")
    order = make_order(item, place, "4")

    used = [complete(order=order, good="1").completion.lines.get().expected for _ in range(4)]

    order.refresh_from_db()
    assert used == [2, 2, 2, 1]
    assert (order.good, order.state, order.lines.get().booked) == (4, "done", 7)


def test_completions_without_an_order_round_each_for_itself(place):
    part, item = make_item(), make_item()
    make_bom(item=item, lines=[(part, "7")], makes="4")
    put_on_hand(part, place, "8")

    for _ in range(4):
        complete(item, "1", into=place)

    assert on_hand(part) == 0


def test_an_order_keeps_the_bom_it_was_opened_with(candle, place):
    item, _wax, wick = candle
    order = make_order(item, place)
    old = item.boms.get()
    old.effective_to = timezone.localdate()
    old.state = BomState.RETIRED
    old.save()
    make_bom(item=item, lines=[(wick, "99")], effective_from=timezone.localdate())

    complete(order=order, good="1")

    assert on_hand(wick) == 99


def test_an_order_takes_at_most_its_allowance(candle, place):
    """W14: 50 planned, 30 and 2 scrapped done, 10 % allowed: at most 23 more, for 30 + 2 + 23 is 55."""
    item, wax, _wick = candle
    put_on_hand(wax, place, "10")
    order = make_order(item, place, "50", over_completion_percent=Decimal(10))
    complete(order=order, good="30", scrapped="2", scrap_reason="cracked")

    with pytest.raises(OverCompletion) as refusal:
        complete(order=order, good="24", reason="asked for")
    with pytest.raises(OverCompletion) as with_scrap:
        complete(order=order, good="20", scrapped="4", scrap_reason="cracked", reason="asked for")
    with pytest.raises(OverCompletion, match="needs a reason"):
        complete(order=order, good="23")
    order.refresh_from_db()
    assert (order.good, order.scrapped, order.state) == (30, 2, "open"), "the refusals wrote nothing"
    complete(order=order, good="23", reason="asked for")

    order.refresh_from_db()
    assert (refusal.value.context["allowed"], refusal.value.context["given"]) == ("23", "24")
    assert (with_scrap.value.context["allowed"], with_scrap.value.context["given"]) == ("23", "24")
    assert "at most 23 more may be completed" in refusal.value.message
    assert (order.good, order.scrapped, order.state) == (53, 2, "done")
    assert order.good + order.scrapped == 55


def test_a_closed_or_finished_order_takes_no_more(candle, place):
    item, *_ = candle
    closed, done = make_order(item, place, "5"), make_order(item, place, "5")
    close_work_order(work_order=closed, actor=None)
    complete(order=done, good="5")

    for order in (closed, done):
        with pytest.raises(OrderClosed, match="Reopen it"):
            complete(order=order, good="1")


def test_over_completion_comes_before_shortage(candle, place):
    order = make_order(candle[0], place, "5")

    with pytest.raises(OverCompletion):
        complete(order=order, good="5000")


def test_a_deviation_of_one_completion_does_not_change_what_the_rest_needs(candle, place):
    item, _wax, wick = candle
    order = make_order(item, place, "4")
    complete(order=order, good="2", actuals=[(wick, "5", "dropped three")])

    rest = complete(order=order, good="2")

    line = rest.completion.lines.get(component=wick)
    assert (line.expected, line.actual) == (2, 2)
    booked = order.lines.get(component=wick)
    assert (booked.booked, booked.used) == (4, 7)


@pytest.mark.parametrize("with_order", [False, True])
def test_statements_do_not_depend_on_lines_and_lots(place, with_order, django_assert_num_queries):
    for lines, lots in ((1, 1), (20, 1), (5, 3)):
        item = make_item(tracking=Tracking.LOT)
        parts = [make_item(tracking=Tracking.LOT) for _ in range(lines)]
        for part in parts:
            for number in range(lots):
                put_on_hand(part, place, "4", lot=f"L{number}", value="4.00")
        make_bom(item=item, lines=[(part, "1") for part in parts])
        order = make_order(item, place, "50") if with_order else None
        complete(item if not with_order else None, "1", into=place, order=order)  # makes the pool of the output

        with django_assert_num_queries(10 if with_order else 7):  # savepoint and release stand for BEGIN and COMMIT
            complete(item if not with_order else None, str(4 * lots - 1), into=place, order=order)


def test_every_refusal_is_a_domain_error_with_a_code():
    codes = {error.code for error in DomainError.__subclasses__()}

    assert "REFUSED" not in codes
    assert len(codes) == len(DomainError.__subclasses__())


def test_issue_from_a_lot_made_here_is_possible_at_once(candle, place):
    item, *_ = candle
    complete(item, "3", into=place)

    issued = issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(3), actor=None)

    assert issued.value == Decimal("3.00")


def test_a_backdated_completion_uses_the_bom_of_its_day(place):
    old, new, item = make_item(), make_item(), make_item()
    today = timezone.localdate()
    first = make_bom(item=item, lines=[(old, "1")], effective_from=today - timedelta(30))
    first.state, first.effective_to = BomState.RETIRED, today - timedelta(2)
    first.save()
    make_bom(item=item, lines=[(new, "1")], effective_from=today - timedelta(2))
    for component in (old, new):
        put_on_hand(component, place, "5", effective_at=timezone.now() - timedelta(days=20))

    complete(item, "1", into=place, effective_at=timezone.now() - timedelta(days=10))
    complete(item, "2", into=place)

    assert (on_hand(old), on_hand(new)) == (4, 3)


def test_services_are_costed_and_not_counted(place):
    part, sawing, item = make_item(), make_item(kind="service", standard_cost=Decimal("1.25")), make_item()
    make_bom(item=item, lines=[(part, "1"), (sawing, "2")])
    put_on_hand(part, place, "5", value="5.00")

    result = complete(item, "2", into=place)

    assert result.completion.output_value == Decimal("7.00")


def test_scrap_whose_components_were_booked_before_moves_nothing_and_can_be_undone(place):
    """A roll is used whole: the second spoiled piece of a run comes out of what the first one took."""
    roll, bag = make_item(sku="ROLL"), make_item(sku="BAG")
    make_bom(item=bag, lines=[(roll, "1", {"rounding_multiple": "6"})])
    put_on_hand(roll, place, "12", value="12.00")
    order = make_order(bag, place, "9")

    def spoil():
        request = CompletionRequest(good=Decimal(0), scrapped=Decimal(1), scrap_reason="torn", work_order=order)
        return complete_production(key=uuid4(), request=request, actor=None).completion

    first, second = spoil(), spoil()

    assert [one.posting.movements.count() for one in (first, second)] == [1, 0]
    assert on_hand(roll) == 6
    assert broken_invariants() == []
    reverse_completion(key=uuid4(), completion=second, actor=None)
    reverse_completion(key=uuid4(), completion=first, actor=None)
    assert on_hand(roll) == 12
