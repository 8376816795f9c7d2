"""A product through the whole of making: planned at every level, released, completed in a batch, inspected, taken back."""

from dataclasses import dataclass, field
from decimal import Decimal
from uuid import uuid4

from inventory.models import Item, StockBalance
from inventory.quantities import ZERO
from production.models import Completion, Disposition, WorkOrder
from production.operations.completing import Actual, CompletionRequest
from production.operations.completing_batches import BatchMode, complete_batch
from production.operations.inspecting import Outcome, decide_inspection, undo_verdict
from production.operations.releasing import release_work_order
from production.operations.reversing import reverse_completion
from production.operations.sub_orders import make_sub_orders
from production.operations.work_orders import open_work_order
from production.reads.held_goods import HeldQuestion, held_goods
from production.reads.order_needs import needs_of_order
from tests.conftest import broken_invariants
from tests.data_sets.building import import_all, needs_of, state
from tests.data_sets.sources import as_csv
from tests.factories import on_hand

SPARE = Decimal(10)
"""What is stocked of each bought item beyond the need."""
PRICE = "1.37"
"""A unit of what has no price in its set: the way is walked with a known cost at every step."""


@dataclass
class Carried:
    """How it went: one order for each made item that is needed, the top one first, and what was used beyond the standard."""

    orders: list[WorkOrder] = field(default_factory=list)
    completions: list[Completion] = field(default_factory=list)
    extra: Item | None = None


def carry_through(product, place, *, quantity=Decimal(2), unit_costs=None):
    """Import the stock, plan and release every level, complete all in one batch with one variance, inspect, and undo it all."""
    Item.objects.filter(pk=product.pk).update(inspection_required=True)
    product.refresh_from_db()
    needs = needs_of(product, quantity)
    _import_stock(needs.bought, place, unit_costs or {})
    before = state()

    top = open_work_order(
        item=product, planned=quantity, output_location=place, source_location=place, actor=None, is_planned=True
    )
    below = list(make_sub_orders(work_order=top, actor=None))
    assert list(make_sub_orders(work_order=top, actor=None)) == [], "a second call plans nothing more"
    planned = {}
    for order in [top, *below]:
        planned[order.item] = planned.get(order.item, ZERO) + order.planned
    assert planned == needs.made
    carried = Carried([top, *below])
    for order in reversed(carried.orders):
        released = release_work_order(work_order=order, actor=None)
        assert {missing.component for missing in released.missing} <= set(needs.made)

    _complete_all(carried, needs)
    used = {item: on_hand(item) for item in needs.bought}
    assert used == {item: SPARE - (item.step if item == carried.extra else ZERO) for item in needs.bought}
    assert on_hand(product, status="qc_hold") == quantity
    assert {b.item_id for b in StockBalance.objects.exclude(quantity=0)} == {product.pk, *(i.pk for i in needs.bought)}
    assert broken_invariants() == []

    _inspect_and_undo(product, quantity)
    for done in reversed(carried.completions):
        reverse_completion(key=uuid4(), completion=Completion.objects.get(pk=done.pk), actor=None)
    changed = [set(one) ^ set(other) for one, other in zip(before, state(), strict=True)]
    assert changed == [set(), set()], changed
    assert broken_invariants() == []
    return carried


def _import_stock(bought, place, unit_costs):
    records = [
        {
            "SKU": item.sku,
            "Quantity": f"{need + SPARE:f}",
            "Unit": item.stock_unit,
            "Unit cost": unit_costs.get(item.sku) or PRICE,
        }
        for item, need in bought.items()
    ]
    import_all("opening_stock", as_csv(records), "opening.csv", location=place)


def _complete_all(carried, needs):
    """All orders in one batch, all or none, the deepest first; one of them takes one step more of a bought component."""
    spoiling, need = next(
        (order, need) for order in carried.orders for need in needs_of_order(order) if need.component in needs.bought
    )
    carried.extra = need.component
    more = Actual(need.component, need.need + need.component.step, reason="One was dropped", cause="scrap")
    entries = [
        (uuid4(), CompletionRequest(work_order=order, good=order.planned, actuals=[more] if order is spoiling else []))
        for order in reversed(carried.orders)
    ]

    done = complete_batch(entries=entries, mode=BatchMode.ALL, actor=None)

    assert [str(one.problem) for one in done.outcomes if one.problem is not None] == []
    assert done.is_kept
    carried.completions = [one.result.completion for one in done.outcomes]
    variances = [line for one in carried.completions for line in one.lines.all() if line.actual != line.expected]
    assert [(line.component, line.actual - line.expected) for line in variances] == [
        (carried.extra, carried.extra.step)
    ]


def _inspect_and_undo(product, quantity):
    """All but one pass, one is scrapped; then the verdict is taken back."""
    (held,) = held_goods(HeldQuestion(item_ids=[product.pk]))
    assert held.held == quantity
    verdict = decide_inspection(
        key=uuid4(),
        handle=held.pk,
        outcomes=[
            Outcome(Disposition.RELEASE, quantity - 1, ""),
            Outcome(Disposition.SCRAP, Decimal(1), "Bent"),
        ],
        findings=(),
        actor=None,
    ).verdict
    assert (on_hand(product, status="available"), on_hand(product)) == (quantity - 1, quantity - 1)
    assert broken_invariants() == []
    undo_verdict(key=uuid4(), verdict=verdict, actor=None)
    assert on_hand(product, status="qc_hold") == quantity
