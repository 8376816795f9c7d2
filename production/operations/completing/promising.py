"""What becomes of reservations when an order is completed: its output is promised on, what it no longer needs is freed."""

from collections.abc import Sequence
from decimal import Decimal

from inventory.models import Lot, StockStatus
from inventory.operations.pinning import unpin_stock
from inventory.operations.posting import Actor, Draft
from inventory.operations.reserving import reserve_stock
from inventory.quantities import ZERO
from production.models import WorkOrder, WorkOrderPeg, WorkOrderState
from production.operations.completing.requests import DEMAND_KIND, CompletionPlan


def promise_output(order: WorkOrder, plan: CompletionPlan, lot_ids: Sequence[int], *, actor: Actor) -> None:
    """Promise what was made to the demands the order is for, in their order, up to what each asked for (rule S19).

    What waits for inspection is not promised. An order for no demand promises nothing.
    """
    if not order.demand_kind or not plan.good:
        return
    outputs = [
        (output.location, lot_id, output.quantity)
        for output, lot_id in zip(plan.outputs, lot_ids, strict=True)
        if output.is_main and output.status == StockStatus.AVAILABLE
    ]
    for kind, reference, quantity in _wanted(order, made_before=order.good - plan.good, made=plan.good):
        left = quantity
        while outputs and left > ZERO:
            location, lot_id, there = outputs.pop(0)
            part = min(left, there)
            left -= part
            if there > part:
                outputs.insert(0, (location, lot_id, there - part))
            reserve_stock(
                item=order.item,
                location=location,
                quantity=part,
                demand_kind=kind,
                demand_ref=reference,
                actor=actor,
                lots=[(Lot.objects.get(pk=lot_id), part)],
                partial=True,
            )


def _wanted(order: WorkOrder, *, made_before: Decimal, made: Decimal) -> list[tuple[str, str, Decimal]]:
    """Of the next `made` units, what is whose: each demand has its stretch of the running total, the oldest first."""
    shares = demands_of(order)
    found = []
    start = ZERO
    for kind, reference, quantity in shares:
        part = min(start + quantity, made_before + made) - max(start, made_before)
        start += quantity
        if part > ZERO:
            found.append((kind, reference, part))
    return found


def demands_of(order: WorkOrder) -> list[tuple[str, str, Decimal]]:
    """Kind, reference and quantity of each demand an order is made for; one statement."""
    pegs = list(
        WorkOrderPeg.objects.filter(work_order=order)
        .order_by("id")
        .values_list("demand_kind", "demand_ref", "quantity")
    )
    return pegs or [(order.demand_kind, order.demand_ref, order.planned)]


def free_the_rest(order: WorkOrder, draft: Draft, *, actor: Actor) -> None:
    """A finished order lets go of what it had pinned and did not use; what stands on its floor is brought back by hand."""
    if order.state != WorkOrderState.DONE:
        return
    floor = order.floor_location_id
    places = {cell.id: cell.location_id for cell in draft.rows.cells.values()}
    is_left = any(
        own.quantity > draft.released.get(own.id, ZERO)
        for cell_id, owns in draft.rows.own.items()
        if places.get(cell_id) != floor
        for own in owns
    )
    if is_left:
        unpin_stock(
            demand_kind=DEMAND_KIND,
            demand_ref=order.number,
            reason=f"{order.number} is done",
            actor=actor,
            except_at=order.floor_location,
        )
