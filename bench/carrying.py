"""A product through the whole of making: imported, planned, stocked, released, completed, inspected and taken back."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

from bench.data_sets import SETS, STEPS, Source, as_csv
from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.invariants import INVARIANTS as OF_INVENTORY
from inventory.models import Item, Location
from production.invariants import INVARIANTS as OF_PRODUCTION
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

SPARE = Decimal(10)
"""What is stocked of each bought item beyond the need."""
PRICE = "1.37"
"""A unit of what has no price in its set."""


@dataclass(slots=True)
class Measured:
    """Seconds by step, and how much was done in them."""

    name: str
    items: int = 0
    orders: int = 0
    components: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def as_row(self) -> dict[str, Any]:
        steps = {f"{name}_s": round(self.seconds.get(name, 0.0), 2) for name in STEPS}
        return {
            "set": self.name,
            "items": self.items,
            "orders": self.orders,
            "components": self.components,
            **steps,
            "in_all_s": round(sum(self.seconds.values()), 2),
        }


def measure_set(name: str) -> Measured:
    """Import a set and carry its products through all steps, one after the other; the seconds of a step add up."""
    source, measured, known = SETS[name](), Measured(name), Item.objects.count()
    with measured.step("import"):
        for kind, content, file in source.files:
            _import(kind, content, file, on=source.on)
    measured.items = Item.objects.count() - known
    place = Location.objects.create(code=f"AT-{name}"[:32].upper(), name=name)
    for sku in source.products:
        _carry(measured, Item.objects.get(sku=sku), place, source)
    return measured


def _carry(measured: Measured, product: Item, place: Location, source: Source) -> None:
    Item.objects.filter(pk=product.pk).update(inspection_required=True)
    product.refresh_from_db()
    with measured.step("plan"):
        top = open_work_order(
            item=product,
            planned=source.quantity,
            output_location=place,
            source_location=place,
            actor=None,
            is_planned=True,
        )
        orders = [top, *make_sub_orders(work_order=top, actor=None)]
    bought = _bought(orders)
    records = [
        {
            "SKU": item.sku,
            "Quantity": f"{need + SPARE:f}",
            "Unit": item.stock_unit,
            "Unit cost": source.prices.get(item.sku) or PRICE,
        }
        for item, need in bought.items()
    ]
    with measured.step("stock"):
        _import("opening_stock", as_csv(records), f"{product.sku}.csv", location=place)
    with measured.step("release"):
        for order in reversed(orders):
            release_work_order(work_order=order, actor=None)
    with measured.step("complete"):
        done = _complete(orders, bought)
    with measured.step("verdict"):
        _inspect(product, source.quantity)
    with measured.step("reverse"):
        for completion in reversed(done):
            reverse_completion(key=uuid4(), completion=completion, actor=None)
    with measured.step("verify"):
        measured.findings += _findings()
    measured.orders += len(orders)
    measured.components += len(bought)


def _import(kind: str, content: bytes, file: str, **options: Any) -> None:
    report = run_import(
        kind=kind_named(kind),
        content=content,
        file_name=file,
        actor=None,
        mode=Mode.ALL,
        options=ImportOptions(**{name: value for name, value in options.items() if value is not None}),
    )
    assert not report.problems, [str(problem) for problem in report.problems[:5]]


def _bought(orders: Sequence[WorkOrder]) -> dict[Item, Decimal]:
    """What the orders need of items that none of them makes."""
    made = {order.item_id for order in orders}
    bought: dict[Item, Decimal] = {}
    for order in orders:
        for need in needs_of_order(order):
            if need.is_counted and need.component.pk not in made:
                bought[need.component] = bought.get(need.component, Decimal(0)) + need.need
    return bought


def _complete(orders: Sequence[WorkOrder], bought: Iterable[Item]) -> list[Completion]:
    """All orders in one batch, all or none, the deepest first; one of them takes a step more of a bought component."""
    usable = set(bought)
    spoiling, need = next(
        (order, need)
        for order in orders
        for need in needs_of_order(order)
        if need.component in usable and need.is_counted
    )
    more = Actual(need.component, need.need + need.component.step, reason="One was dropped", cause="scrap")
    entries = [
        (uuid4(), CompletionRequest(work_order=order, good=order.planned, actuals=[more] if order is spoiling else []))
        for order in reversed(orders)
    ]
    result = complete_batch(entries=entries, mode=BatchMode.ALL, actor=None)
    problems = [str(outcome.problem) for outcome in result.outcomes if outcome.problem is not None]
    assert result.is_kept, problems[:5]
    return [outcome.result.completion for outcome in result.outcomes if outcome.result is not None]


def _inspect(product: Item, quantity: Decimal) -> None:
    """All but one pass, one is scrapped; then the verdict is taken back."""

    (held,) = held_goods(HeldQuestion(item_ids=[product.pk]))
    outcomes = [Outcome(Disposition.RELEASE, quantity - 1, ""), Outcome(Disposition.SCRAP, Decimal(1), "Bent")]
    verdict = decide_inspection(key=uuid4(), handle=held.pk, outcomes=outcomes, findings=(), actor=None).verdict
    undo_verdict(key=uuid4(), verdict=verdict, actor=None)


def _findings() -> list[str]:
    return [f"{one.name}: {finding}" for one in (*OF_INVENTORY, *OF_PRODUCTION) for finding in one.find()]
