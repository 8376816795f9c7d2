"""Releasing a work order: its BOM is frozen, its components are reserved, and it can be completed."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from inventory.errors import InsufficientStock, WrongState
from inventory.models import Item
from inventory.operations.checking import check_item, check_location
from inventory.operations.pinning import pin_stock
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text
from production.errors import OrderClosed
from production.facts import recipe_of_bom
from production.models import WorkOrder, WorkOrderState
from production.operations.completing import DEMAND_KIND
from production.operations.freezing import goes_by, refreeze
from production.operations.work_orders import locked_order, tell_output
from production.reads.order_needs import needs_of_order


@dataclass(frozen=True, slots=True)
class Missing:
    """What is short of a component, in its stock unit."""

    component: Item
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    order: WorkOrder
    missing: Sequence[Missing]
    """Components of which less was free than is needed; empty when nothing was to be reserved."""
    has_new_bom: bool
    """Whether it consumes by something else than it was planned by: another version of its BOM, or of a phantom below."""


@operation
def release_work_order(
    *,
    work_order: WorkOrder,
    actor: Actor,
    keeps_bom: bool = False,
    reserves: bool = True,
    needs_everything: bool = False,
) -> ReleaseResult:
    """Let a planned order be made: freeze the BOM in force today and reserve its components, earliest expiry first.

    `keeps_bom`: go by the version it was planned by. What is not free stays missing, unless `needs_everything`. Raises
    WrongState when it is not planned, InvalidBom, ItemInactive, LocationBlocked, and InsufficientStock naming every short
    component; nothing is written then.
    """
    order = locked_order(work_order)
    if order.state != WorkOrderState.PLANNED:
        raise WrongState(
            f"{order.number} is {order.get_state_display().lower()}; only a planned order can be released.",
            work_order=order.number,
            state=order.state,
        )
    check_item(order.item)
    check_location(order.output_location)
    has_new_bom = False
    if not keeps_bom:
        recipe = recipe_of_bom(item=order.item, on=timezone.localdate())
        has_new_bom = not goes_by(order, recipe)
        if has_new_bom:
            refreeze(order, recipe)
        order.frozen_on = timezone.localdate()  # with the same lines too: the work of phantoms is that of the day
    order.state = WorkOrderState.OPEN
    order.released_at = timezone.now()
    order.save(update_fields=["state", "released_at", "frozen_on"])
    tell_output(order, actor=actor)
    missing = reserve_for(order, actor=actor) if reserves or needs_everything else []
    if missing and needs_everything:
        raise _short(order, missing)
    return ReleaseResult(order, missing, has_new_bom=has_new_bom)


@operation
def reserve_components(*, work_order: WorkOrder, actor: Actor) -> Sequence[Missing]:
    """Reserve what a released order still needs and has neither reserved nor issued; return what is short of it.

    Raises OrderClosed when it is not open.
    """
    order = locked_order(work_order)
    if not order.is_open:
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()}. Release or reopen it before its components are "
            "reserved.",
            work_order=order.number,
            state=order.state,
        )
    return reserve_for(order, actor=actor)


def reserve_for(order: WorkOrder, *, actor: Actor) -> Sequence[Missing]:
    """Pin what a locked order still needs; return what is not free."""
    wanted = [(need.component, need.to_reserve) for need in needs_of_order(order) if need.to_reserve > ZERO]
    short = pin_stock(
        wanted=wanted,
        within=order.source_location,
        demand_kind=DEMAND_KIND,
        demand_ref=order.number,
        rank=order.rank,
        actor=actor,
    )
    items = {item.pk: item for item, _ in wanted}
    return [Missing(items[item_id], quantity) for item_id, quantity in short.items()]


def _short(order: WorkOrder, missing: Sequence[Missing]) -> InsufficientStock:
    parts = [f"{as_text(m.quantity)} {m.component.stock_unit} of {m.component.sku}" for m in missing]
    return InsufficientStock(
        f"{order.number} is short of {', '.join(parts)}. Receive or make them, or release it with what there is.",
        work_order=order.number,
        short=[
            {"item": m.component.sku, "short": as_text(m.quantity), "unit": m.component.stock_unit} for m in missing
        ],
    )
