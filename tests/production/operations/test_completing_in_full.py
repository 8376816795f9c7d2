"""By-products, labour, process loss, substitutes, several lots, nested builds, stock below zero (rules S6, S8-S12, S16)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import DuplicateSerial, InsufficientStock, LotMismatch, NegativeNotAllowed, WrongState
from inventory.models import CostEntry, CostPool, ExceptionCase, Movement, Posting, Reservation, StockBalance
from inventory.operations.reserving import reserve_stock
from production.errors import ConsumptionVariance, InvalidSubstitute, OrderClosed, OverCompletion, UnusualQuantity
from production.models import Completion, WorkOrder
from production.operations.completing import (
    Actual,
    ByProduct,
    CompletionRequest,
    OutputLot,
    complete_production,
    preview_completion,
)
from production.operations.issuing_components import IssueLine, issue_components
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


# --- Set-up and by-products after an undo ---


@pytest.fixture
def run_of_20(place):
    """An order for 20 with a set-up of an hour at 60.00; half an offcut each."""
    part, offcut, item = make_item(sku="PART"), make_item(sku="OFFCUT"), make_item(sku="ITEM")
    put_on_hand(part, place, "100", value="0.00")
    make_bom(
        item=item,
        lines=[(part, "1")],
        outputs=[(offcut, "0.5", "0")],
        operations=[
            {"kind": "labour", "minutes": Decimal(0), "setup_minutes": Decimal(60), "rate_per_hour": Decimal(60)}
        ],
    )
    order = open_work_order(item=item, planned=Decimal(20), output_location=place, actor=None)
    return order, item, offcut


def test_the_set_up_that_an_undo_took_back_is_charged_to_the_next_completion(run_of_20):
    order, item, _ = run_of_20
    first = complete(order=order, good="10").completion
    second = complete(order=order, good="5").completion
    reverse(first)

    third = complete(order=order, good="10").completion
    reverse(third, "5")
    fourth = complete(order=order, good="5").completion

    assert [one.operation_value for one in (first, second, third, fourth)] == [60, 0, 60, 30]
    assert worth(item) == 60


def test_by_products_of_a_run_are_what_its_standing_units_yield(run_of_20):
    order, _, offcut = run_of_20
    first = complete(order=order, good="1").completion
    complete(order=order, good="1")
    reverse(first)
    seen = [on_hand(offcut)]

    for good in ("1", "1", "3"):
        complete(order=order, good=good)
        seen.append(on_hand(offcut))

    assert seen == [1, 1, 1, 3]


def test_scrap_that_was_taken_back_takes_its_set_up_back(run_of_20):
    order, item, _ = run_of_20
    scrapped = complete(order=order, good="0", scrapped="2", scrap_reason="burnt").completion
    complete(order=order, good="2")
    reverse(scrapped)

    assert complete(order=order, good="1").completion.operation_value == 60
    assert worth(item) == 60


def test_each_piece_of_a_by_product_has_a_serial_number(place):
    engine, item, core = make_item(sku="ENGINE"), make_item(sku="REBUILT"), make_item(sku="CORE", tracking="serial")
    put_on_hand(engine, place, "9", value="90.00")
    make_bom(item=item, lines=[(engine, "1")], outputs=[(core, "1", "10")])
    named = [ByProduct(core, Decimal(3), lot_code="C-1..C-2, C-9")]

    completion = complete(item, "3", into=place, by_products=named).completion
    numbered = complete(item, "2", into=place).completion
    with pytest.raises(DuplicateSerial, match="3 pcs of CORE came out and 2 serial numbers are given"):
        complete(item, "3", into=place, by_products=[ByProduct(core, Decimal(3), lot_code="C-5 C-6")])

    assert [on_hand(core, lot=code) for code in ("C-1", "C-2", "C-9")] == [1, 1, 1]
    assert (on_hand(core), worth(core), numbered.by_product_value) == (5, Decimal("5.00"), Decimal("2.00"))
    reverse(completion, "1")
    assert [on_hand(core, lot=code) for code in ("C-1", "C-2", "C-9")] == [1, 1, 0]
    reverse(numbered)
    assert on_hand(core) == 2


@pytest.mark.parametrize("policy", ["reason", "block"])
def test_what_is_used_by_hand_or_by_choice_is_no_deviation(place, policy):
    part, glue, extra, item = (make_item(sku=sku) for sku in ("PART", "GLUE", "EXTRA", "ITEM"))
    for one in (part, glue, extra):
        put_on_hand(one, place, "10")
    lines = [(part, "1"), (glue, "1", {"issue_method": "manual"}), (extra, "1", {"is_optional": True})]
    make_bom(item=item, lines=lines, deviation_policy=policy)

    complete(item, "2", into=place, actuals=[(glue, "3"), (extra, "1")], actor=make_user(role="operator"))

    assert (on_hand(item), on_hand(glue), on_hand(extra)) == (2, 7, 9)


# --- Above the plan ---


def test_an_order_that_reached_its_plan_takes_the_rest_of_its_allowance(place):
    part, item = make_item(), make_item()
    put_on_hand(part, place, "100")
    make_bom(item=item, lines=[(part, "1")])
    order = open_work_order(
        item=item, planned=Decimal(50), output_location=place, over_completion_percent=Decimal(10), actor=None
    )
    complete(order=order, good="50")
    closed_at = WorkOrder.objects.get().closed_at

    with pytest.raises(OverCompletion, match="at most 5 more"):
        complete(order=order, good="6", reason="ran on")
    with pytest.raises(OverCompletion, match="needs a reason"):
        complete(order=order, good="2")
    complete(order=order, good="2", reason="ran on")
    completion = complete(order=order, good="3", reason="ran on").completion

    order.refresh_from_db()
    assert (order.state, order.good, on_hand(part), order.closed_at) == ("done", 55, 45, closed_at)
    with pytest.raises(OrderClosed, match="raising its plan"):
        complete(order=order, good="1", reason="ran on")
    reverse(completion)
    order.refresh_from_db()
    assert (order.state, order.good) == ("done", 52)


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


def test_a_component_that_a_substitute_stands_in_for_is_not_made(place):
    part, arm, other, item = (make_item(sku=sku) for sku in ("PART", "ARM", "OTHER", "ROBOT"))
    put_on_hand(part, place, "100")
    put_on_hand(other, place, "5")
    make_bom(item=arm, lines=[(part, "1")])
    make_bom(item=item, lines=[(arm, "1", {"builds_shortage": True, "substitutes": [(other, "1")]})])

    result = complete_production(
        key=uuid4(),
        request=CompletionRequest(
            item=item,
            good=Decimal(5),
            output_location=place,
            actuals=[Actual(other, Decimal(5), "no arms", replaces=arm)],
            reason="no arms",
        ),
        actor=None,
    )

    assert (on_hand(item), on_hand(other), on_hand(arm), on_hand(part)) == (5, 0, 0, 100)
    assert result.plan.nested == []


def test_a_component_of_which_none_was_used_is_not_made(robot, place):
    item, arm, *_ = robot

    complete(item, "4", into=place, build_missing=True, actuals=[(arm, "0", "made of scrap")])

    assert (on_hand(item), on_hand(arm), Completion.objects.count()) == (4, 2, 1)


@pytest.mark.parametrize("is_sub_first", [True, False])
def test_what_one_nested_build_uses_is_made_for_the_next(place, is_sub_first):
    raw, part, sub, item = (make_item(sku=sku) for sku in ("RAW", "PART", "SUB", "ITEM"))
    put_on_hand(raw, place, "100")
    put_on_hand(part, place, "2")
    make_bom(item=part, lines=[(raw, "3")])
    make_bom(item=sub, lines=[(part, "1")])
    lines = [(sub, "1", {"builds_shortage": True}), (part, "2", {"builds_shortage": True})]
    make_bom(item=item, lines=lines if is_sub_first else lines[::-1])
    request = CompletionRequest(item=item, good=Decimal(1), output_location=place)

    seen = preview_completion(request=request, actor=None)
    complete_production(key=uuid4(), request=request, actor=None)

    assert (seen.problems, [plan.good for plan in seen.nested]) == ([], [1, 1])
    assert (on_hand(item), on_hand(sub), on_hand(part), on_hand(raw)) == (1, 0, 0, 97)


def test_an_order_that_goes_by_what_was_issued_makes_nothing_more(place):
    part, arm, item = (make_item(sku=sku) for sku in ("PART", "ARM", "ROBOT"))
    floor, shelf = make_location(code="FLOOR"), make_location(code="SHELF")
    put_on_hand(part, shelf, "100")
    put_on_hand(arm, shelf, "3")
    make_bom(item=arm, lines=[(part, "1")])
    make_bom(item=item, lines=[(arm, "1", {"builds_shortage": True})])
    order = open_work_order(
        item=item, planned=Decimal(4), output_location=place, source_location=shelf, basis="issued", actor=None
    )
    issue_components(key=uuid4(), work_order=order, lines=[IssueLine(arm, Decimal(3))], floor=floor, actor=None)

    complete(order=order, good="4", reason="one robot went without")

    assert (on_hand(item), on_hand(arm), on_hand(part)) == (4, 0, 100)


# --- One component on two lines ---


@pytest.fixture
def twice(place):
    """B stands in for A and is a component itself; 10 of B in each of two lots."""
    a, b, item = make_item(sku="A"), make_item(sku="B", tracking="lot"), make_item(sku="ITEM")
    put_on_hand(b, place, "10", value="10.00", lot="L1")
    put_on_hand(b, place, "10", value="20.00", lot="L2")
    make_bom(item=item, lines=[(a, "1", {"substitutes": [(b, "1")]}), (b, "1")])
    return item, a, b


def with_b_instead(item, a, b, good, place):
    instead = [Actual(b, Decimal(good), "none there", replaces=a)]
    return CompletionRequest(item=item, good=Decimal(good), output_location=place, actuals=instead, reason="none there")


def test_two_lines_of_one_item_take_what_there_is_once(twice, place):
    b = twice[2]
    request = with_b_instead(*twice, "8", place)

    seen = preview_completion(request=request, actor=None)
    completion = complete_production(key=uuid4(), request=request, actor=None).completion

    picks = [[(pick.lot_code, pick.quantity) for pick in line.picks] for line in seen.lines]
    assert (seen.problems, picks) == ([], [[], [("L1", 8)], [("L1", 2), ("L2", 6)]])
    assert (on_hand(b, lot="L1"), on_hand(b, lot="L2"), completion.output_value) == (0, 4, Decimal("24.00"))


def test_two_lines_of_one_item_are_short_of_it_together(twice, place):
    item, _, b = twice

    with pytest.raises(InsufficientStock, match="holds 20 pcs of B; this completion needs 24 pcs") as refusal:
        complete_production(key=uuid4(), request=with_b_instead(*twice, "12", place), actor=None)

    assert [part["short"] for part in refusal.value.context["short"]] == ["4"]
    assert (on_hand(b), on_hand(item)) == (20, 0)


def test_two_lines_of_one_item_use_what_is_reserved_for_the_order_once(twice, place):
    item, a, b = twice
    order = open_work_order(item=item, planned=Decimal(8), output_location=place, actor=None)
    reserve_stock(
        item=b,
        location=place,
        quantity=Decimal(12),
        demand_kind="work_order",
        demand_ref=order.number,
        pinned=True,
        actor=None,
    )
    request = replace(with_b_instead(item, a, b, "8", place), item=None, work_order=order)

    complete_production(key=uuid4(), request=request, actor=None)

    left = [row.quantity for row in Reservation.objects.filter(demand_ref=order.number)]
    assert (on_hand(b), left) == (4, [0, 0])


def test_layers_are_taken_once_by_two_lines_of_one_item(place):
    a, b, item = make_item(sku="A"), make_item(sku="B", cost_method="fifo"), make_item(sku="ITEM")
    put_on_hand(b, place, "4", value="8.00")
    put_on_hand(b, place, "6", value="18.00")
    make_bom(item=item, lines=[(a, "1", {"substitutes": [(b, "1")]}), (b, "1")])

    completion = complete_production(key=uuid4(), request=with_b_instead(item, a, b, "5", place), actor=None).completion

    assert (on_hand(b), completion.output_value) == (0, Decimal("26.00"))


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


def test_stock_that_others_have_reserved_is_not_there_to_go_below_zero_unnoticed(place):
    site = make_location(code="SITE")
    shelf = make_location(code="SHELF", parent=site)
    glue, item = make_item(sku="GLUE", negative_allowed=True), make_item()
    put_on_hand(glue, shelf, "10", value="10.00")
    reserve_stock(
        item=glue, location=shelf, quantity=Decimal(10), demand_kind="order", demand_ref="1", pinned=True, actor=None
    )
    make_bom(item=item, lines=[(glue, "1")])

    complete(item, "5", into=place, source_location=site, may_go_below=True, reason="not booked yet")

    assert on_hand(glue, location=site) == -5
    assert "used 5 pcs; 0 were free" in ExceptionCase.objects.get(kind="negative_stock").reason


def test_expired_stock_is_not_called_reserved(place):
    glue, item = make_item(sku="GLUE", tracking="lot"), make_item()
    day = timezone.localdate()
    put_on_hand(glue, place, "10", lot="OLD", expires_on=day)
    make_bom(item=item, lines=[(glue, "1")])
    later = timezone.now() + timedelta(days=1)

    plan = preview_completion(
        request=CompletionRequest(item=item, good=Decimal(5), output_location=place, effective_at=later), actor=None
    )

    assert [problem.code for problem in plan.problems] == ["INSUFFICIENT_STOCK"]


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
