"""What becomes of reservations when an order is completed: its output is promised on, what it no longer needs is freed."""

from collections.abc import Sequence
from decimal import Decimal

from inventory.models import StockStatus
from inventory.operations.pinning import unpin_stock
from inventory.operations.posting import Actor, Draft
from inventory.quantities import ZERO
from production.models import DEMAND_KIND, WorkOrder, WorkOrderState
from production.operations.completing.requests import CompletionPlan
from production.operations.pegs import hand_out


def promise_output(order: WorkOrder, plan: CompletionPlan, lot_ids: Sequence[int], *, actor: Actor) -> None:
    """Promise what was made to the demands the order is for, in turn, up to what each still wants (rule S19).

    What waits for inspection is not promised. An order for no demand promises nothing.
    """
    if not order.demand_kind or not plan.good:
        return
    made: dict[tuple[int, int], Decimal] = {}
    for output, lot_id in zip(plan.outputs, lot_ids, strict=True):
        if output.is_main and output.status == StockStatus.AVAILABLE:
            cell = (output.location.pk, lot_id)
            made[cell] = made.get(cell, ZERO) + output.quantity
    hand_out(order, order.item, made, actor=actor)


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
