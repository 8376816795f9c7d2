"""Meeting a demand that is only a reference and a quantity: from stock, by work orders, or by both (rules S7, S23, S24)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.utils import timezone

from inventory.errors import WrongState
from inventory.models import Item, Location, SupplyPolicy
from inventory.operations.checking import check_item, check_location, check_quantity
from inventory.operations.pinning import pin_stock, unpin_stock
from inventory.operations.posting import Actor
from inventory.operations.reserving import release_reservations
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, round_up
from inventory.reads.availability import availability
from production.facts import recipe_of_bom
from production.models import Demand, DemandMode, WorkOrder, WorkOrderPeg, WorkOrderState
from production.operations.work_orders import open_work_order

WINDOW_HOURS = 4
"""Planned orders of the last hours take up further demands for the same item, so that one batch is made of them."""
REPLENISHMENT = "replenishment"
"""The demand kind of what is made beyond what anybody asked for, up to the reorder point."""
COUNTED = (WorkOrderState.PLANNED, WorkOrderState.OPEN, WorkOrderState.DONE)


@dataclass(frozen=True, slots=True)
class DemandResult:
    """What was done. Quantities in the item's stock unit.

    `pegs` are all orders that make something for it, `missing` is neither reserved nor made by any of them, `surplus` is
    more than is asked for now.
    """

    demand: Demand
    pegs: Sequence[WorkOrderPeg]
    missing: Decimal
    surplus: Decimal
    replayed: bool


@operation
def make_for_demand(
    *,
    demand_kind: str,
    demand_ref: str,
    item: Item,
    quantity: Decimal,
    location: Location,
    actor: Actor,
    mode: str = "",
    source_location: Location | None = None,
    needed_on: date | None = None,
    window_hours: int = WINDOW_HOURS,
) -> DemandResult:
    """Meet `quantity` (stock unit) of `item` for a reference, ready at `location`; asking again changes nothing.

    `mode` (empty: by the item's supply policy) says whether stock is used first and whether the rest is made. What is made
    joins a planned order of the last `window_hours` for the same item and places, or gets a planned order of its own. Asking
    for more uses what is surplus, then makes the rest; asking for less cuts planned orders and never a released one.
    Raises InvalidQuantity, InvalidQuantityStep, LocationBlocked, InvalidBom when something has to be made without a BOM,
    WrongState without a reference.
    """
    _check(demand_kind, demand_ref, item=item, quantity=quantity, location=location)
    _one_at_a_time(item)
    found = Demand.objects.filter(demand_kind=demand_kind, demand_ref=demand_ref, item=item).first()
    chosen = mode or (found.mode if found else policy_mode(item))
    demand = found or Demand(demand_kind=demand_kind, demand_ref=demand_ref, item=item)
    if found is not None and found.quantity == quantity and found.mode == chosen:
        return _result(found, replayed=True)
    demand.quantity, demand.mode, demand.location = quantity, chosen, location
    demand.needed_on = needed_on or demand.needed_on
    demand.created_by_id = demand.created_by_id or getattr(actor, "pk", None)
    demand.save()
    open_part = quantity - demand.reserved - _pegged(demand)
    if open_part > ZERO:
        _meet(demand, open_part, source=source_location, window_hours=window_hours, actor=actor)
    elif open_part < ZERO:
        _give_up(demand, -open_part, actor=actor)
    return _result(demand, replayed=False)


@operation
def withdraw_demand(*, demand_kind: str, demand_ref: str, item: Item, actor: Actor) -> DemandResult:
    """Nobody asks for it any more: its stock is freed and planned orders lose its part; released orders stay (rule S23).

    Raises WrongState for a reference that never asked for the item. Withdrawing twice changes nothing.
    """
    _one_at_a_time(item)
    demand = Demand.objects.filter(demand_kind=demand_kind, demand_ref=demand_ref, item=item).first()
    if demand is None:
        raise WrongState(f"{demand_ref} never asked for {item.sku}. Check the reference.", reference=demand_ref)
    if demand.quantity == ZERO:
        return _result(demand, replayed=True)
    _cut_planned(demand, _pegged(demand), actor=actor)
    release_reservations(
        demand_kind=demand_kind, demand_ref=demand_ref, item=item, reason=f"{demand_ref} withdrawn", actor=actor
    )
    demand.quantity = demand.reserved = ZERO
    demand.save(update_fields=["quantity", "reserved"])
    return _result(demand, replayed=False)


def policy_mode(item: Item) -> str:
    """What the item's supply policy means for a demand."""
    if item.supply_policy == SupplyPolicy.MAKE_ON_ORDER:
        return DemandMode.ALWAYS
    if item.supply_policy == SupplyPolicy.MAKE_ON_SHORTAGE:
        return DemandMode.SHORTAGE
    if item.supply_policy == SupplyPolicy.STOCK and item.reorder_point is not None:
        return DemandMode.REORDER
    return DemandMode.NEVER


def _check(demand_kind: str, demand_ref: str, *, item: Item, quantity: Decimal, location: Location) -> None:
    if not demand_kind.strip() or not demand_ref.strip():
        raise WrongState("A demand needs a kind and a reference, so that it counts once. Give both.")
    check_item(item)
    check_quantity(item, quantity)
    check_location(location)


def _one_at_a_time(item: Item) -> None:
    """Demands for one item queue up until the transaction ends; it comes before every other lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"production.demand:{item.pk}"])


def _pegged(demand: Demand) -> Decimal:
    """What work orders make or made for it; of an order that was closed only what it made."""
    total = ZERO
    for peg in _pegs(demand):
        order = peg.work_order
        if order.state in COUNTED:
            total += peg.quantity
        elif order.state == WorkOrderState.CLOSED:
            total += min(peg.quantity, order.good)
    return total


def _pegs(demand: Demand) -> list[WorkOrderPeg]:
    return list(
        WorkOrderPeg.objects.filter(
            demand_kind=demand.demand_kind, demand_ref=demand.demand_ref, work_order__item=demand.item_id
        )
        .select_related("work_order", "work_order__item")
        .order_by("work_order_id")
    )


def _meet(demand: Demand, wanted: Decimal, *, source: Location | None, window_hours: int, actor: Actor) -> None:
    missing = wanted
    if demand.mode != DemandMode.ALWAYS:
        short = pin_stock(
            wanted=[(demand.item, wanted)],
            within=demand.location,
            demand_kind=demand.demand_kind,
            demand_ref=demand.demand_ref,
            actor=actor,
        )
        missing = short.get(demand.item_id, ZERO)
        demand.reserved += wanted - missing
        demand.save(update_fields=["reserved"])
    if demand.mode == DemandMode.NEVER:
        return
    extra = _replenishment(demand.item) if demand.mode == DemandMode.REORDER else ZERO
    if missing + extra > ZERO:
        _make(demand, missing, extra, source=source, window_hours=window_hours, actor=actor)


def _replenishment(item: Item) -> Decimal:
    """What to make beyond what is asked for, so that the item is back at its reorder point (rule S24).

    Free stock counts, and what unfinished orders will make for nobody in particular.
    """
    if item.reorder_point is None:
        return ZERO
    stock = availability(items=[item.pk]).get(item.pk)
    projected = ZERO if stock is None else stock.available
    unfinished = WorkOrder.objects.filter(item=item, state__in=(WorkOrderState.OPEN, WorkOrderState.PLANNED))
    for order in unfinished.prefetch_related("pegs"):
        pegs = list(order.pegs.all())
        promised = sum((peg.quantity for peg in pegs if peg.demand_kind != REPLENISHMENT), ZERO)
        if not pegs and order.demand_kind:
            promised = order.planned
        projected += max(order.remaining - max(promised - order.good, ZERO), ZERO)
    if projected > item.reorder_point:
        return ZERO
    need = max(item.reorder_quantity or ZERO, item.reorder_point - projected)
    return round_up(Fraction(need), item.step)


def _make(
    demand: Demand, missing: Decimal, extra: Decimal, *, source: Location | None, window_hours: int, actor: Actor
) -> None:
    """Join a planned order that is young enough, or plan a new one."""
    quantity = missing + extra
    recipe = recipe_of_bom(item=demand.item, on=timezone.localdate())
    order = _batch(demand, source, bom_id=recipe.bom_id, hours=window_hours)
    if order is None:
        order = open_work_order(
            item=demand.item,
            planned=quantity,
            output_location=demand.location,
            source_location=source,
            due_on=demand.needed_on,
            demand_kind=demand.demand_kind if missing else REPLENISHMENT,
            demand_ref=demand.demand_ref if missing else demand.item.sku,
            is_planned=True,
            actor=actor,
        )
    else:
        order.planned += quantity
        days = [day for day in (order.due_on, demand.needed_on) if day is not None]
        order.due_on = min(days, default=None)
        order.save(update_fields=["planned", "due_on"])
    if missing:
        _peg(order, demand.demand_kind, demand.demand_ref, missing, needed_on=demand.needed_on)
    if extra:
        _peg(order, REPLENISHMENT, demand.item.sku, extra, needed_on=None)


def _batch(demand: Demand, source: Location | None, *, bom_id: int, hours: int) -> WorkOrder | None:
    """The planned order that takes up the demand, locked; None when none is young enough."""
    if hours <= 0:
        return None
    return (
        WorkOrder.objects.filter(
            item=demand.item_id,
            bom=bom_id,
            state=WorkOrderState.PLANNED,
            output_location=demand.location_id,
            source_location=source,
            parent=None,
            created_at__gte=timezone.now() - timedelta(hours=hours),
        )
        .exclude(demand_kind="")
        .select_for_update(of=("self",), no_key=True)
        .order_by("id")
        .first()
    )


def _peg(order: WorkOrder, kind: str, reference: str, quantity: Decimal, *, needed_on: date | None) -> None:
    peg, is_new = WorkOrderPeg.objects.get_or_create(
        work_order=order,
        demand_kind=kind,
        demand_ref=reference,
        defaults={"quantity": quantity, "needed_on": needed_on},
    )
    if not is_new:
        peg.quantity += quantity
        peg.needed_on = needed_on or peg.needed_on
        peg.save(update_fields=["quantity", "needed_on"])


def _give_up(demand: Demand, surplus: Decimal, *, actor: Actor) -> None:
    """Less is asked for: planned orders lose it first, then stock is freed; released orders are left alone."""
    left = surplus - _cut_planned(demand, surplus, actor=actor)
    part = min(left, demand.reserved)
    if part > ZERO:
        unpin_stock(
            demand_kind=demand.demand_kind,
            demand_ref=demand.demand_ref,
            items=[demand.item_id],
            keep={demand.item_id: demand.reserved - part},
            reason=f"{demand.demand_ref} asks for less",
            actor=actor,
        )
        demand.reserved -= part
        demand.save(update_fields=["reserved"])


def _cut_planned(demand: Demand, surplus: Decimal, *, actor: Actor) -> Decimal:  # noqa: ARG001  kept like its siblings
    """Take up to `surplus` out of planned orders, the youngest first; return what was taken."""
    left = surplus
    for peg in reversed(_pegs(demand)):
        order = WorkOrder.objects.select_for_update(of=("self",), no_key=True).get(pk=peg.work_order_id)
        if order.state != WorkOrderState.PLANNED or left <= ZERO:
            continue
        part = min(peg.quantity, left)
        left -= part
        if order.planned - part > ZERO:
            order.planned -= part
        else:
            order.state, order.closed_at = WorkOrderState.CANCELLED, timezone.now()
        order.save(update_fields=["planned", "state", "closed_at"])
        if peg.quantity == part:
            peg.delete()
        else:
            peg.quantity -= part
            peg.save(update_fields=["quantity"])
    return surplus - left


def _result(demand: Demand, *, replayed: bool) -> DemandResult:
    difference = demand.quantity - demand.reserved - _pegged(demand)
    return DemandResult(
        demand=demand,
        pegs=_pegs(demand),
        missing=max(difference, ZERO),
        surplus=max(-difference, ZERO),
        replayed=replayed,
    )


def in_words(result: DemandResult) -> str:
    """One sentence for whoever asked."""
    demand, item = result.demand, result.demand.item
    unit = item.stock_unit
    parts = [f"{as_text(demand.reserved)} {unit} reserved"] if demand.reserved else []
    parts += [f"{as_text(peg.quantity)} in {peg.work_order.number}" for peg in result.pegs]
    parts += [f"{as_text(result.missing)} missing"] if result.missing else []
    parts += [f"{as_text(result.surplus)} more than asked for"] if result.surplus else []
    return (
        f"{demand.demand_ref}: {as_text(demand.quantity)} {unit} of {item.sku} · {' · '.join(parts) or 'nothing to do'}"
    )
