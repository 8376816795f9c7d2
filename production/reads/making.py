"""What unfinished work orders will make of items for nobody in particular."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from inventory.quantities import ZERO
from production.models import DEMAND_KIND, REPLENISHMENT, WorkOrder, WorkOrderPeg, WorkOrderState
from production.reads.demands import UNFINISHED, coming_by_peg


@dataclass(frozen=True, slots=True)
class Making:
    """What an unfinished order makes of an item for nobody else; stock unit."""

    order: WorkOrder
    quantity: Decimal


def making_of(*, items: Collection[int], to_promise: bool = False) -> dict[int, list[Making]]:
    """What unfinished orders make of items (ids), soonest due first, without what is pegged to demands and to orders that are
    only planned. A fixed number of statements.

    What is made for a released order counts, for so does what that order needs. `to_promise`: only what may be promised to
    somebody else, which is nothing that is merely planned and nothing that is made for another order.
    """
    states = (WorkOrderState.OPEN,) if to_promise else UNFINISHED
    orders = list(
        WorkOrder.objects.filter(item__in=items, state__in=states).select_related("item").order_by("due_on", "id")
    )
    pegs: dict[int, list[WorkOrderPeg]] = {}
    for peg in WorkOrderPeg.objects.filter(work_order__in=orders).order_by("id"):
        pegs.setdefault(peg.work_order_id, []).append(peg)
    parents = {peg.demand_ref for found in pegs.values() for peg in found if peg.demand_kind == DEMAND_KIND}
    planned = set(
        WorkOrder.objects.filter(number__in=parents, state=WorkOrderState.PLANNED).values_list("number", flat=True)
    )
    making: dict[int, list[Making]] = {}
    for order in orders:
        mine = pegs.get(order.pk, [])
        parts = coming_by_peg(order, mine)
        others = sum(
            (
                parts[peg.pk]
                for peg in mine
                if _is_spoken_for(peg, planned) or (to_promise and peg.demand_kind == DEMAND_KIND)
            ),
            ZERO,
        )
        if order.remaining > others:
            making.setdefault(order.item_id, []).append(Making(order, order.remaining - others))
    return making


def _is_spoken_for(peg: WorkOrderPeg, planned: Collection[str]) -> bool:
    if peg.demand_kind == DEMAND_KIND:
        return peg.demand_ref in planned
    return peg.demand_kind != REPLENISHMENT
