"""By-products, labour, process loss, substitutes, several lots, nested builds, stock below zero (rules S6, S8-S12, S16)."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import InsufficientStock, LotMismatch, NegativeNotAllowed, WrongState
from inventory.models import CostEntry, CostPool, ExceptionCase, Movement, Posting, Reservation, StockBalance
from production.errors import ConsumptionVariance, InvalidSubstitute, UnusualQuantity
from production.models import Completion
from production.operations.completing import (
    Actual,
    ByProduct,
    CompletionRequest,
    OutputLot,
    complete_production,
    preview_completion,
)
from production.operations.reversing import reverse_completion
from production.operations.work_orders import open_work_order
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def place(db):
    return make_location(code="WORKSHOP")


def state():
    cells = StockBalance.objects.exclude(quantity=0).values_list("item", "location", "lot", "status", "quantity")
    pools = CostPool.objects.exclude(quantity=0).values_list("item", "lot", "quantity", "value", "unknown_quantity")
    return sorted(cells), sorted(pools, key=repr)


def worth(item):
    pool = CostPool.objects.get(item=item, lot=None)
    return pool.value


def reverse(completion, good=None):
    return reverse_completion(
        key=uuid4(), completion=completion, good=None if good is None else Decimal(good), actor=None
    )


# --- Labour, by-products, scrap ---


@pytest.fixture
def soap(place):
    """W9: consumed 85.00, operations 12.00, by-product 10 %; 20 started, 2 scrapped."""
    oil, soap, offcuts = make_item(sku="OIL"), make_item(sku="SOAP"), make_item(sku="OFFCUTS")
    put_on_hand(oil, place, "40", value="170.00")
    make_bom(
        item=soap,
        lines=[(oil, "1")],
        outputs=[(offcuts, "0.25", "10")],
        operations=[{"kind": "labour", "minutes": Decimal("1.5"), "rate_per_hour": Decimal(24)}],
    )
    return soap, oil, offcuts


def test_by_products_carry_their_share_and_the_good_units_the_rest(soap, place):
    item, _, offcuts = soap

    completion = complete(item, "18", into=place, scrapped="2", scrap_reason="chipped").completion

    assert completion.consumed_value == Decimal("85.00")
    assert completion.operation_value == Decimal("12.00")
    assert completion.by_product_value == Decimal("9.70")
    assert completion.output_value == Decimal("87.30")
    assert completion.unit_cost == Decimal("4.85")
    assert (on_hand(offcuts), worth(offcuts)) == (5, Decimal("9.70"))
    entry = CostEntry.objects.get(posting=completion.posting_id)
    assert (entry.kind, entry.amount) == ("labour", Decimal("-12.00"))


def test_two_by_products_and_the_main_item_sum_to_the_cost(place):
    """W11: shares 10 % and 5 % of 333.33 are 33.33 and 16.67; the main item carries 283.33."""
    crude, fuel, gas, tar = (make_item(sku=sku) for sku in ("CRUDE", "FUEL", "GAS", "TAR"))
    put_on_hand(crude, place, "1", value="333.33")
    make_bom(item=fuel, lines=[(crude, "1")], outputs=[(gas, "1", "10"), (tar, "1", "5")])

    complete(fuel, "1", into=place)

    assert (worth(gas), worth(tar), worth(fuel)) == (Decimal("33.33"), Decimal("16.67"), Decimal("283.33"))


def test_a_by_product_of_fixed_value_takes_no_more_than_the_cost(place):
    log, board, dust = make_item(sku="LOG"), make_item(sku="BOARD"), make_item(sku="DUST")
    put_on_hand(log, place, "2", value="10.00")
    make_bom(item=board, lines=[(log, "1")], outputs=[(dust, "3", "0", "2.00")])

    complete(board, "1", into=place)

    assert (worth(dust), worth(board)) == (Decimal("5.00"), Decimal("0.00"))


def test_without_a_good_unit_everything_is_an_expense(soap, place):
    item, _, offcuts = soap

    completion = complete(item, "0", into=place, scrapped="20", scrap_reason="burnt").completion

    expense = CostEntry.objects.get(posting=completion.posting_id, kind="scrap")
    assert expense.amount == Decimal("97.00")
    assert (on_hand(offcuts), worth(offcuts)) == (5, 0)


def test_by_products_round_down_on_the_running_total_of_an_order(soap, place):
    item, _, offcuts = soap
    order = open_work_order(item=item, planned=Decimal(10), output_location=place, actor=None)

    yields = []
    for good in ("3", "3", "4"):
        before = on_hand(offcuts)
        complete(order=order, good=good)
        yields.append(on_hand(offcuts) - before)

    assert yields == [0, 1, 1]  # 0.75, 1.5, 2.5 rounded down


def test_what_really_came_out_of_a_by_product_counts(soap, place):
    item, _, offcuts = soap
    bin_ = make_location(code="BIN")

    completion = complete(item, "20", into=place, by_products=[ByProduct(offcuts, Decimal(3), bin_)]).completion

    output = completion.outputs.get(is_main=False)
    assert (output.quantity, output.expected, on_hand(offcuts, location=bin_)) == (3, 5, 3)


def test_set_up_time_is_charged_to_the_first_completion_of_an_order(place):
    part, item = make_item(), make_item()
    put_on_hand(part, place, "10", value="0.00")
    make_bom(
        item=item,
        lines=[(part, "1")],
        operations=[{"minutes": Decimal(6), "setup_minutes": Decimal(30), "rate_per_hour": Decimal(20)}],
    )
    order = open_work_order(item=item, planned=Decimal(4), output_location=place, actor=None)

    first, second = complete(order=order, good="1").completion, complete(order=order, good="3").completion

    assert (first.operation_value, second.operation_value) == (Decimal("12.00"), Decimal("6.00"))


def test_reversing_takes_by_products_and_labour_back(soap, place):
    item, *_ = soap
    before = state()

    reverse(complete(item, "18", into=place, scrapped="2", scrap_reason="chipped").completion)

    assert state() == before


def test_reversing_in_parts_comes_to_the_same(soap, place):
    item, _, offcuts = soap
    before = state()
    completion = complete(item, "20", into=place).completion

    reverse(completion, "7")
    assert on_hand(offcuts) == 3  # 5 x 13 / 20 = 3.25
    reverse(Completion.objects.get(pk=completion.pk), "9")
    reverse(Completion.objects.get(pk=completion.pk))

    assert state() == before


# --- Process loss ---


def test_process_loss_needs_components_for_what_is_started(place):
    """W10: of 10 started 5 % are lost; 9.5 good need what 10 started need."""
    gas, bottle = make_item(sku="GAS", step="0.1"), make_item(sku="BOTTLE", step="0.5")
    put_on_hand(gas, place, "100", value="100.00")
    make_bom(item=bottle, lines=[(gas, "2")], process_loss_percent=Decimal(5))

    complete(bottle, "9.5", into=place)

    assert on_hand(gas) == 80


# --- Substitutes ---


@pytest.fixture
def candle(place):
    wax, soy, wick, item = (make_item(sku=sku) for sku in ("WAX", "SOY", "WICK", "CANDLE"))
    put_on_hand(wax, place, "6", value="6.00")
    put_on_hand(soy, place, "20", value="40.00")
    put_on_hand(wick, place, "20", value="2.00")
    make_bom(item=item, lines=[(wax, "2", {"substitutes": [(soy, "1.5")]}), (wick, "1")])
    return item, wax, soy, wick


def test_an_approved_substitute_counts_as_the_original(candle, place):
    item, wax, soy, _ = candle

    completion = complete(item, "5", into=place, actuals=[(soy, "6", "", (), wax)]).completion  # 6 SOY stand for 4 WAX

    lines = {line.component.sku: line for line in completion.lines.select_related("component")}
    assert (lines["WAX"].expected, lines["WAX"].actual) == (10, 6)
    assert (lines["SOY"].expected, lines["SOY"].actual, lines["SOY"].substitute_for) == (0, 6, wax)
    assert (on_hand(wax), on_hand(soy)) == (0, 14)


def test_an_item_that_is_not_approved_is_refused_in_every_mode(candle, place):
    item, wax, _, wick = candle

    with pytest.raises(InvalidSubstitute, match="approved: SOY"):
        complete(item, "1", into=place, actuals=[(wick, "2", "why not", (), wax)])

    assert (on_hand(wax), on_hand(wick)) == (6, 20)


def test_too_little_of_a_substitute_is_a_deviation(candle, place):
    item, wax, soy, _ = candle

    with pytest.raises(ConsumptionVariance, match="WAX"):
        complete(item, "5", into=place, actuals=[(soy, "3", "", (), wax), (wax, "6")])


def test_spoiled_material_is_kept_apart_with_its_cause(candle, place):
    item, wax, *_ = candle
    spoiled = Actual(wax, Decimal(5), reason="spilled", scrapped=Decimal(1))
    request = CompletionRequest(item=item, good=Decimal(2), output_location=place, actuals=[spoiled])

    completion = complete_production(key=uuid4(), request=request, actor=None).completion

    line = completion.lines.get(component=wax)
    assert (line.expected, line.actual, line.scrapped, line.cause) == (4, 5, 1, "scrap")


# --- Several lots ---


def test_serial_numbers_each_carry_their_part_of_the_cost(place):
    part, printer = make_item(), make_item(sku="PRINTER", tracking="serial")
    put_on_hand(part, place, "3", value="100.00")
    make_bom(item=printer, lines=[(part, "1")])

    completion = complete(
        printer, "3", into=place, output_lots=[OutputLot(code, Decimal(1)) for code in ("S1", "S2", "S3")]
    ).completion

    assert [output.value for output in completion.outputs.order_by("pk")] == [
        Decimal("33.33"),
        Decimal("33.34"),
        Decimal("33.33"),
    ]
    before = on_hand(printer)
    reverse(completion, "1")
    assert (before, on_hand(printer, lot="S1"), on_hand(printer, lot="S3")) == (3, 1, 0)


def test_lots_must_add_up_to_what_is_good(place):
    part, item = make_item(), make_item(tracking="lot")
    put_on_hand(part, place, "3")
    make_bom(item=item, lines=[(part, "1")])

    with pytest.raises(LotMismatch, match="add up to 2"):
        complete(item, "3", into=place, output_lots=[OutputLot("A", Decimal(2))])

    assert not Completion.objects.exists()


# --- Nested builds ---


@pytest.fixture
def robot(place):
    """A robot takes an arm, an arm two motors and a motor three magnets; two arms and one motor lie in stock."""
    magnet, motor, arm, item = (make_item(sku=sku) for sku in ("MAGNET", "MOTOR", "ARM", "ROBOT"))
    put_on_hand(magnet, place, "100", value="100.00")
    put_on_hand(motor, place, "1", value="3.50")
    put_on_hand(arm, place, "2", value="16.00")
    make_bom(item=motor, lines=[(magnet, "3")])
    make_bom(item=arm, lines=[(motor, "2")])
    make_bom(item=item, lines=[(arm, "1", {"builds_shortage": True})])
    return item, arm, motor, magnet


def test_what_is_missing_is_made_in_the_same_transaction(robot, place):
    item, arm, motor, magnet = robot

    result = complete(item, "4", into=place, build_missing=True)

    posting = result.posting
    nested = Completion.objects.get(parent=result.completion)
    deeper = Completion.objects.get(parent=nested)
    assert (nested.item, nested.good, deeper.item, deeper.good) == (arm, 2, motor, 3)
    assert (on_hand(arm), on_hand(motor), on_hand(magnet), on_hand(item)) == (0, 0, 91, 4)
    assert result.completion.output_value == Decimal("28.50")  # 16.00 + 3.50 + 9 magnets at 1.00
    assert Posting.objects.get(pk=nested.posting_id).related_id == posting.pk


def test_a_line_that_builds_makes_one_level_and_no_more(robot, place):
    item, arm, motor, _ = robot

    with pytest.raises(InsufficientStock, match="To make the missing 2 pcs of ARM"):
        complete(item, "4", into=place)

    assert (on_hand(arm), on_hand(motor), on_hand(item)) == (2, 1, 0)
    assert not Completion.objects.exists()


def test_the_preview_of_nested_builds_is_what_is_posted_and_leaves_nothing(robot, place):
    item, *_ = robot
    request = CompletionRequest(item=item, good=Decimal(4), output_location=place, build_missing=True)
    before = (state(), Posting.objects.count())

    seen = preview_completion(request=request, actor=None)

    assert (state(), Posting.objects.count()) == before
    posted = complete_production(key=uuid4(), request=request, actor=None).plan
    assert seen.problems == []
    assert (seen.output_value, [plan.good for plan in seen.nested]) == (posted.output_value, [2])


def test_reversing_the_parent_reverses_what_was_made_for_it(robot, place):
    item, *_ = robot
    before = state()

    reverse(complete(item, "4", into=place, build_missing=True).completion)

    assert state() == before
    assert all(completion.is_reversed for completion in Completion.objects.all())


def test_the_same_key_makes_nested_completions_once(robot, place):
    item, *_ = robot
    key = uuid4()

    complete(item, "4", into=place, build_missing=True, key=key)
    again = complete(item, "4", into=place, build_missing=True, key=key)

    assert (again.replayed, Completion.objects.count()) == (True, 3)


def test_what_must_be_inspected_first_is_not_made_on_the_way(robot, place):
    item, arm, *_ = robot
    arm.inspection_required = True
    arm.save()

    with pytest.raises(WrongState, match="must be inspected first"):
        complete(item, "4", into=place, build_missing=True)


# --- Slips, below zero, demand ---


def test_a_quantity_far_above_the_usual_is_asked_about_again(candle, place):
    item, wax, _soy, wick = candle
    for other in (wax, wick):
        put_on_hand(other, place, "900", value="9.00")
    for _ in range(3):
        complete(item, "2", into=place)

    with pytest.raises(UnusualQuantity, match="far more than the usual 2"):
        complete(item, "200", into=place, is_confirmed=False)
    complete(item, "200", into=place, is_confirmed=True)

    assert on_hand(item) == 206


def test_below_zero_needs_leave_and_opens_an_exception(place):
    glue, item = make_item(sku="GLUE", negative_allowed=True), make_item()
    put_on_hand(glue, place, "2", value="3.00")
    make_bom(item=item, lines=[(glue, "1")])

    with pytest.raises(NegativeNotAllowed):
        complete(item, "5", into=place, may_go_below=True, reason="late", actor=make_user(role="operator"))
    completion = complete(item, "5", into=place, may_go_below=True, reason="delivery not booked").completion

    assert (on_hand(glue), completion.output_value) == (-3, Decimal("7.50"))
    case = ExceptionCase.objects.get()
    assert (case.kind, case.subject, "delivery not booked" in case.reason) == ("negative_stock", "GLUE", True)


def test_what_was_made_for_a_demand_is_reserved_for_it_up_to_the_plan(candle, place):
    item, wax, _, wick = candle
    put_on_hand(wax, place, "50", value="9.00")
    order = open_work_order(
        item=item,
        planned=Decimal(5),
        output_location=place,
        over_completion_percent=Decimal(20),
        demand_kind="order",
        demand_ref="1001",
        actor=None,
    )

    completion = complete(order=order, good="6", reason="one more came out").completion

    held = Reservation.objects.get(demand_ref="1001")
    assert (held.quantity, held.is_pinned, on_hand(wick)) == (5, True, 14)
    reverse(completion)
    held.refresh_from_db()
    assert (held.quantity, on_hand(item)) == (0, 0)


def test_the_values_of_a_completion_are_in_the_ledger(soap, place):
    item, *_ = soap
    completion = complete(item, "18", into=place, scrapped="2", scrap_reason="chipped").completion

    moved = sum(m.value for m in Movement.objects.filter(posting=completion.posting_id))
    booked = sum(e.amount for e in CostEntry.objects.filter(posting=completion.posting_id))
    assert moved + booked == 0
