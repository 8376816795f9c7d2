"""Opening, closing and reopening work orders."""

from datetime import date
from decimal import Decimal

from django.utils import timezone

from inventory.errors import WrongState
from inventory.models import Item, Location
from inventory.operations.checking import check_item, check_location, check_quantity
from inventory.operations.posting import Actor
from inventory.operations.reserving import release_reservations
from inventory.operations.transactions import operation
from inventory.quantities import PLACES, as_text, round_half_up
from production.errors import OrderClosed
from production.facts import recipe_of_bom
from production.models import Bom, WorkOrder, WorkOrderLine, WorkOrderState
from production.operations.completing import DEMAND_KIND


@operation
def open_work_order(
    *,
    item: Item,
    planned: Decimal,
    output_location: Location,
    actor: Actor,
    source_location: Location | None = None,
    bom: Bom | None = None,
    due_on: date | None = None,
    over_completion_percent: Decimal | None = None,
    demand_kind: str = "",
    demand_ref: str = "",
    note: str = "",
) -> WorkOrder:
    """Open an order for `planned` (stock unit) of an item and freeze its BOM: the version in force today, or `bom`.

    Phantoms are exploded now; later changes of any BOM do not touch the order. Raises InvalidBom, InvalidQuantity,
    InvalidQuantityStep, LocationBlocked, PhantomNotStocked.
    """
    check_item(item)
    check_quantity(item, planned)
    check_location(output_location)
    recipe = recipe_of_bom(item=item, on=timezone.localdate(), bom_id=None if bom is None else bom.pk)
    order = WorkOrder.objects.create(
        number=f"new-{timezone.now().timestamp():.6f}-{item.pk}"[:24],
        item=item,
        bom_id=recipe.bom_id,
        planned=planned,
        over_completion_percent=(
            item.over_completion_percent if over_completion_percent is None else over_completion_percent
        ),
        source_location=source_location,
        output_location=output_location,
        due_on=due_on,
        demand_kind=demand_kind,
        demand_ref=demand_ref,
        note=note,
        created_by_id=getattr(actor, "pk", None),
    )
    order.number = f"WO-{order.pk:06d}"
    order.save(update_fields=["number"])
    WorkOrderLine.objects.bulk_create(
        WorkOrderLine(
            work_order=order,
            component_id=rate.component_id,
            rate_numerator=rate.per_unit.numerator,
            rate_denominator=rate.per_unit.denominator,
            setup_quantity=round_half_up(rate.setup, PLACES),
            rounding_multiple=None if rate.multiple is None else round_half_up(rate.multiple, PLACES),
            issue_method=rate.issue_method,
            is_consumable=rate.is_consumable,
            is_optional=rate.is_optional,
        )
        for rate in recipe.rates
    )
    return order


@operation
def close_work_order(*, work_order: WorkOrder, actor: Actor, reason: str = "") -> WorkOrder:
    """Close an order short: its remainder is no longer made and its reservations are freed.

    Raises OrderClosed when it is not open.
    """
    order = _locked(work_order)
    if not order.is_open:
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()} already.",
            work_order=order.number,
            state=order.state,
        )
    order.state = WorkOrderState.CLOSED
    order.closed_at = timezone.now()
    order.save(update_fields=["state", "closed_at"])
    release_reservations(
        demand_kind=DEMAND_KIND, demand_ref=order.number, reason=reason or f"{order.number} closed", actor=actor
    )
    return order


@operation
def reopen_work_order(*, work_order: WorkOrder, actor: Actor) -> WorkOrder:  # noqa: ARG001  kept like its siblings
    """Open a closed order again with what remains. Raises WrongState when it is open, or when nothing remains."""
    order = _locked(work_order)
    if order.is_open:
        raise WrongState(f"{order.number} is open already.", work_order=order.number)
    if order.remaining <= 0:
        raise WrongState(
            f"{order.number} planned {as_text(order.planned)} and all of it is done. Raise its plan first.",
            work_order=order.number,
        )
    order.state = WorkOrderState.OPEN
    order.closed_at = None
    order.save(update_fields=["state", "closed_at"])
    return order


@operation
def change_planned(*, work_order: WorkOrder, planned: Decimal, actor: Actor) -> WorkOrder:  # noqa: ARG001
    """Raise or lower the planned quantity, not below what is done (rule S7). Reaching it finishes the order."""
    order = _locked(work_order)
    check_quantity(order.item, planned)
    done = order.good + order.scrapped
    if planned < done:
        raise WrongState(
            f"{order.number} has {as_text(done)} done; the plan cannot be lowered to {as_text(planned)}. "
            "Reverse completions first, or plan at least what is done.",
            work_order=order.number,
            done=as_text(done),
        )
    if order.state == WorkOrderState.CLOSED:
        raise OrderClosed(f"{order.number} is closed short. Reopen it first.", work_order=order.number)
    order.planned = planned
    order.state = WorkOrderState.DONE if planned == done else WorkOrderState.OPEN
    order.closed_at = timezone.now() if planned == done else None
    order.save(update_fields=["planned", "state", "closed_at"])
    return order


def _locked(work_order: WorkOrder) -> WorkOrder:
    return WorkOrder.objects.select_related("item").select_for_update(of=("self",), no_key=True).get(pk=work_order.pk)
