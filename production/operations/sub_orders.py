"""Work orders for the sub-assemblies an order is short of, level by level, pegged to the order that needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from django.utils import timezone

from inventory.errors import WrongState
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, round_up
from production.errors import OrderClosed
from production.models import DEMAND_KIND, Bom, WorkOrder, WorkOrderState
from production.operations.work_orders import locked_order, open_work_order
from production.promising import run_begins
from production.reads.demands import UNFINISHED
from production.reads.shortages import shortages_of

LEVELS_MAX = 20


@dataclass(frozen=True, slots=True)
class SubAssembly:
    """A made component an order is short of, and how much of it nobody makes or buys yet (its stock unit)."""

    component: Item
    quantity: Decimal


def missing_sub_assemblies(order: WorkOrder) -> list[SubAssembly]:
    """What could be made for an unfinished order by orders of its own; by component. A fixed number of statements."""
    if order.state not in UNFINISHED:
        return []
    uncovered: dict[int, tuple[Item, Decimal]] = {}
    for line in shortages_of(order):
        if line.uncovered > ZERO:
            _, before = uncovered.get(line.component.pk, (line.component, ZERO))
            uncovered[line.component.pk] = (line.component, before + line.uncovered)
    if not uncovered:
        return []
    made = set(
        Bom.objects.in_force(on=timezone.localdate()).filter(item__in=uncovered).values_list("item_id", flat=True)
    )
    return [
        SubAssembly(item, round_up(Fraction(quantity), item.step))
        for pk, (item, quantity) in uncovered.items()
        if pk in made
    ]


@operation
def make_sub_orders(*, work_order: WorkOrder, actor: Actor) -> Sequence[WorkOrder]:
    """Plan a work order for every made component that is short and not on its way, and for what these are short of in turn.

    Each is pegged to the order that needs it, and its output will be reserved for it. It is due the day before that one starts;
    an order that says no start begins as long before its due day as its run takes, and so on below.
    A second call plans nothing more. Raises OrderClosed when the order is neither planned nor open.
    """
    order = locked_order(work_order)
    if order.state not in UNFINISHED:
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()}. Reopen it before sub-assemblies are planned for it.",
            work_order=order.number,
            state=order.state,
        )
    return _plan_below(order, actor=actor, level=1)


def _plan_below(order: WorkOrder, *, actor: Actor, level: int) -> list[WorkOrder]:
    if level > LEVELS_MAX:
        raise WrongState(f"{order.item.sku} would be made through more than {LEVELS_MAX} levels.")
    made: list[WorkOrder] = []
    begins = _begins(order)
    due_on = None if begins is None else begins - timedelta(days=1)
    for missing in missing_sub_assemblies(order):
        child = open_work_order(
            item=missing.component,
            planned=missing.quantity,
            output_location=order.source_location or order.output_location,
            source_location=order.source_location,
            due_on=due_on,
            rank=order.rank,
            demand_kind=DEMAND_KIND,
            demand_ref=order.number,
            parent=order,
            is_planned=True,
            actor=actor,
        )
        made.append(child)
    for child in list(made):
        made += _plan_below(child, actor=actor, level=level + 1)
    return made


def _begins(order: WorkOrder) -> date | None:
    """The day an order starts: as it says, else so long before it is due as its run takes; None without either."""
    if order.start_on is not None or order.due_on is None:
        return order.start_on
    return run_begins(
        due_on=order.due_on,
        quantity=order.planned,
        capacity=order.bom.capacity_per_day,
        lead_time_days=order.item.lead_time_days,
    )


def sub_orders_of(order: WorkOrder) -> list[WorkOrder]:
    """The orders that make something for this one, cancelled ones left out. One statement."""
    children = WorkOrder.objects.filter(parent=order).exclude(state=WorkOrderState.CANCELLED)
    return list(children.select_related("item").order_by("id"))
