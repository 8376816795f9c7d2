"""Planning, opening, closing, cancelling and reopening work orders, and changing what they plan."""

from datetime import date
from decimal import Decimal

from django.utils import timezone

from inventory.errors import WrongState
from inventory.models import Item, Location, Reservation
from inventory.operations.checking import check_item, check_location, check_quantity
from inventory.operations.pinning import unpin_stock
from inventory.operations.posting import Actor
from inventory.operations.reserving import release_reservations
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text
from production.errors import OrderClosed
from production.facts import recipe_of_bom
from production.models import DEMAND_KIND, Bom, ConsumptionBasis, WorkOrder, WorkOrderPeg, WorkOrderState
from production.operations.freezing import freeze
from production.operations.pegs import add_peg, locked_orders, trim_pegs
from production.reads.order_needs import needs_of_order


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
    is_planned: bool = False,
    start_on: date | None = None,
    rank: int = 0,
    basis: str = ConsumptionBasis.BOM,
    floor_location: Location | None = None,
    parent: WorkOrder | None = None,
) -> WorkOrder:
    """Open an order for `planned` (stock unit) of an item and freeze its BOM: the version in force today, or `bom`.

    `is_planned` only plans it: nothing can be completed before it is released. `rank`: lower is made first. `basis` says
    what a completion consumes, `floor_location` where components stand that are issued before. Phantoms are exploded now;
    later changes of any BOM do not touch the order. With a demand, all of the plan is pegged to it. Raises InvalidBom,
    InvalidQuantity, InvalidQuantityStep, LocationBlocked, PhantomNotStocked, WrongState for dates in the wrong order.
    """
    check_item(item)
    check_quantity(item, planned)
    check_location(output_location)
    _check_dates(start_on, due_on)
    recipe = recipe_of_bom(item=item, on=timezone.localdate(), bom_id=None if bom is None else bom.pk)
    order = WorkOrder.objects.create(
        number=f"new-{timezone.now().timestamp():.6f}-{item.pk}"[:24],
        item=item,
        bom_id=recipe.bom_id,
        planned=planned,
        over_completion_percent=(
            item.over_completion_percent if over_completion_percent is None else over_completion_percent
        ),
        state=WorkOrderState.PLANNED if is_planned else WorkOrderState.OPEN,
        released_at=None if is_planned else timezone.now(),
        frozen_on=timezone.localdate(),
        source_location=source_location,
        output_location=output_location,
        floor_location=floor_location,
        basis=basis,
        parent=parent,
        rank=rank,
        start_on=start_on,
        due_on=due_on,
        demand_kind=demand_kind,
        demand_ref=demand_ref,
        note=note,
        created_by_id=getattr(actor, "pk", None),
    )
    number_order(order)
    freeze(order, recipe)
    if demand_kind:
        add_peg(order, (demand_kind, demand_ref), planned, needed_on=due_on)
    tell_output(order, actor=actor)
    return order


def number_order(order: WorkOrder) -> None:
    """Give a new order its number."""
    order.number = f"WO-{order.pk:06d}"
    order.save(update_fields=["number"])


@operation
def close_work_order(*, work_order: WorkOrder, actor: Actor, reason: str = "") -> WorkOrder:
    """Close an order: a remainder is no longer made and its reservations are freed.

    A finished order is closed for good. Raises OrderClosed when it is closed or was cancelled, WrongState when it was never
    released, or while components that were issued to it still stand on the floor.
    """
    order = locked_order(work_order)
    if order.state == WorkOrderState.PLANNED:
        raise WrongState(f"{order.number} was never released. Cancel it instead.", work_order=order.number)
    if order.state not in (WorkOrderState.OPEN, WorkOrderState.DONE):
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()} already.",
            work_order=order.number,
            state=order.state,
        )
    refuse_issued(order)
    lock_makers(order)
    order.state = WorkOrderState.CLOSED
    order.closed_at = timezone.now()
    order.save(update_fields=["state", "closed_at"])
    release_reservations(
        demand_kind=DEMAND_KIND, demand_ref=order.number, reason=reason or f"{order.number} closed", actor=actor
    )
    tell_output(order, actor=actor)
    return order


@operation
def cancel_work_order(*, work_order: WorkOrder, actor: Actor, reason: str = "") -> WorkOrder:
    """Cancel an order of which nothing was made; its reservations are freed.

    Raises OrderClosed when it is closed, cancelled or done already, WrongState when something was made, or while components
    that were issued to it still stand on the floor.
    """
    order = locked_order(work_order)
    if order.state not in (WorkOrderState.PLANNED, WorkOrderState.OPEN):
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()} already.",
            work_order=order.number,
            state=order.state,
        )
    if order.good or order.scrapped:
        raise WrongState(
            f"{as_text(order.good + order.scrapped)} {order.item.stock_unit} of {order.number} were made. Close it short, or "
            "take its completions back first.",
            work_order=order.number,
            done=as_text(order.good + order.scrapped),
        )
    refuse_issued(order)
    lock_makers(order)
    order.state = WorkOrderState.CANCELLED
    order.closed_at = timezone.now()
    order.save(update_fields=["state", "closed_at"])
    release_reservations(
        demand_kind=DEMAND_KIND, demand_ref=order.number, reason=reason or f"{order.number} cancelled", actor=actor
    )
    tell_output(order, actor=actor)
    return order


@operation
def reopen_work_order(*, work_order: WorkOrder, actor: Actor) -> WorkOrder:
    """Open a closed or cancelled order again with what remains.

    One that was never released is planned again, and one that was closed with nothing left is complete again.
    Raises WrongState when it is open or planned, was merged into another one, or is complete.
    """
    order = locked_order(work_order)
    if order.is_open:
        raise WrongState(f"{order.number} is open already.", work_order=order.number)
    if order.state == WorkOrderState.PLANNED:
        raise WrongState(f"{order.number} is planned. Release it instead.", work_order=order.number)
    if order.merged_into is not None:
        raise WrongState(
            f"{order.number} was merged into {order.merged_into.number}. Split that one instead.",
            work_order=order.number,
            merged_into=order.merged_into.number,
        )
    if order.remaining <= ZERO and order.state == WorkOrderState.CLOSED:
        order.state = WorkOrderState.DONE
        order.save(update_fields=["state"])
        return order
    if order.remaining <= ZERO:
        raise WrongState(
            f"{order.number} planned {as_text(order.planned)} and all of it is done. Raise its plan first.",
            work_order=order.number,
        )
    was_released = order.released_at is not None or order.state != WorkOrderState.CANCELLED
    order.state = WorkOrderState.OPEN if was_released else WorkOrderState.PLANNED
    order.closed_at = None
    order.save(update_fields=["state", "closed_at"])
    tell_output(order, actor=actor)
    return order


@operation
def change_planned(*, work_order: WorkOrder, planned: Decimal, actor: Actor) -> WorkOrder:
    """Raise or lower the planned quantity, not below what is done (rule S7). Reaching it finishes the order.

    What was reserved for more than the new plan needs is freed, and what it no longer makes is missing to its demands, the
    youngest first. What more it makes is for nobody yet.
    """
    order = locked_order(work_order)
    check_quantity(order.item, planned)
    done = order.good + order.scrapped
    if planned < done:
        raise WrongState(
            f"{order.number} has {as_text(done)} done; the plan cannot be lowered to {as_text(planned)}. "
            "Reverse completions first, or plan at least what is done.",
            work_order=order.number,
            done=as_text(done),
        )
    if order.state in (WorkOrderState.CLOSED, WorkOrderState.CANCELLED):
        how = "closed short" if order.state == WorkOrderState.CLOSED else "cancelled"
        raise OrderClosed(f"{order.number} is {how}. Reopen it first.", work_order=order.number)
    is_less = planned < order.planned
    set_planned(order, planned)
    if is_less:
        trim_pegs(order)
        free_surplus(order, reason=f"{order.number} plans less", actor=actor)
    tell_output(order, actor=actor)
    return order


def set_planned(order: WorkOrder, planned: Decimal) -> None:
    """Write another plan of a locked order, and the state that follows from it."""
    done = order.good + order.scrapped
    order.planned = planned
    if order.state != WorkOrderState.PLANNED:
        order.state = WorkOrderState.DONE if planned == done else WorkOrderState.OPEN
        order.closed_at = timezone.now() if planned == done else None
    order.save(update_fields=["planned", "state", "closed_at"])


@operation
def reschedule_work_order(
    *,
    work_order: WorkOrder,
    due_on: date | None,
    actor: Actor,
    start_on: date | None = None,
    rank: int | None = None,
) -> WorkOrder:
    """Give an order other dates, and another rank unless None. Raises OrderClosed, WrongState for dates out of order."""
    order = locked_order(work_order)
    if order.state not in (WorkOrderState.PLANNED, WorkOrderState.OPEN):
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()}; its dates no longer matter. Reopen it first.",
            work_order=order.number,
            state=order.state,
        )
    _check_dates(start_on, due_on)
    order.start_on, order.due_on = start_on, due_on
    order.rank = order.rank if rank is None else rank
    order.save(update_fields=["start_on", "due_on", "rank"])
    tell_output(order, actor=actor)
    return order


def tell_output(*orders: WorkOrder, actor: Actor) -> None:
    """Leave news of what released orders make: channels may count what is on its way."""
    tell_changed(items={order.item_id for order in orders if order.released_at}, cause="work order", actor=actor)


def free_surplus(order: WorkOrder, *, reason: str, actor: Actor) -> None:
    """Free what is pinned for a locked order beyond what its lines still need."""
    keep: dict[int, Decimal] = {}
    for need in needs_of_order(order):
        wanted = need.to_issue if order.state != WorkOrderState.DONE else ZERO
        keep[need.component.pk] = keep.get(need.component.pk, ZERO) + wanted
    unpin_stock(
        demand_kind=DEMAND_KIND,
        demand_ref=order.number,
        reason=reason,
        actor=actor,
        except_at=order.floor_location,
        keep=keep,
    )


def refuse_issued(order: WorkOrder) -> None:
    """Refuse to end an order while components that were issued to it stand on the floor."""
    if order.floor_location_id is None:
        return
    left = (
        Reservation.objects.for_demand(kind=DEMAND_KIND, reference=order.number)
        .filter(location_id=order.floor_location_id, quantity__gt=0, lot__isnull=False)
        .select_related("item", "location")
        .order_by("item__sku", "id")
    )
    found = [f"{as_text(row.quantity)} {row.item.stock_unit} of {row.item.sku}" for row in left]
    if found:
        place = left[0].location.code
        raise WrongState(
            f"{', '.join(found[:5])}{' and more' if len(found) > 5 else ''} issued to {order.number} still at {place}. "
            "Return it first, or complete with it.",
            work_order=order.number,
            location=place,
        )


def lock_makers(order: WorkOrder) -> list[WorkOrder]:
    """Lock the orders that make something for a locked one, by id.

    A completion of one of them is done with its promises, or will see the order as this transaction leaves it.
    """
    pegs = WorkOrderPeg.objects.filter(demand_kind=DEMAND_KIND, demand_ref=order.number)
    return locked_orders(sorted(pegs.values_list("work_order_id", flat=True)))


def locked_order(work_order: WorkOrder) -> WorkOrder:
    """The order as it is now, locked; orders come first in the lock order."""
    orders = WorkOrder.objects.select_related(
        "item", "bom", "output_location", "source_location", "floor_location", "merged_into"
    )
    return orders.select_for_update(of=("self",), no_key=True).get(pk=work_order.pk)


def _check_dates(start_on: date | None, due_on: date | None) -> None:
    if start_on is not None and due_on is not None and start_on > due_on:
        raise WrongState(f"The order would start on {start_on} and be due on {due_on}. Change one of the dates.")
