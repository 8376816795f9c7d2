"""Meeting a demand that is only a reference and a quantity: from stock, by work orders, or by both (rules S7, S23, S24)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Min
from django.utils import timezone

from inventory.errors import WrongState
from inventory.models import Item, Location, SupplyPolicy
from inventory.operations.checking import check_item, check_location, check_quantity
from inventory.operations.pinning import pin_stock, unpin_stock
from inventory.operations.posting import Actor
from inventory.operations.reserving import release_reservations
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text
from inventory.reads.availability import availability
from production.facts import recipe_of_bom
from production.models import REPLENISHMENT, Demand, DemandMode, WorkOrder, WorkOrderPeg, WorkOrderState
from production.models.work_orders import WorkOrderQuerySet, replenishment_of
from production.operations.pegs import add_peg, locked_orders, lower_peg
from production.operations.work_orders import open_work_order
from production.reads.demands import UNFINISHED, DemandStanding, coming_by_peg, standings
from production.replenishing import to_replenish

WINDOW_HOURS = 4
"""Planned orders of the last hours take up further demands for the same item, so that one batch is made of them."""


@dataclass(frozen=True, slots=True)
class DemandResult:
    """What is done about the demand now. Quantities in the item's stock unit.

    `pegs` are all orders that make or made something for it. `reserved` is promised to it now, from stock and from what was
    made; `missing` is neither reserved nor taken nor on its way, `surplus` is more than is asked for.
    """

    demand: Demand
    pegs: Sequence[WorkOrderPeg]
    reserved: Decimal
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
    """Meet `quantity` (stock unit) of `item` for a reference, ready at `location`; asking again does only what is missing.

    `mode` (empty: by the item's supply policy) says whether stock is used first and whether the rest is made. What is made
    joins a planned order of the last `window_hours` for the same item and places, or gets a planned order of its own. Asking
    for more uses what is surplus, then makes the rest; asking for less cuts planned orders, then frees stock, and never cuts a
    released order. What was lost meanwhile, by scrap or an order that ended short, is met again. Another day goes on to the
    orders that are only planned. Raises InvalidQuantity, InvalidQuantityStep, LocationBlocked, InvalidBom when something has
    to be made without a BOM, WrongState without a reference.
    """
    _check(demand_kind, demand_ref, item=item, quantity=quantity, location=location)
    one_at_a_time(item)
    demand = Demand.objects.filter(demand_kind=demand_kind, demand_ref=demand_ref, item=item).first()
    is_new = demand is None
    if demand is None:
        demand = Demand(demand_kind=demand_kind, demand_ref=demand_ref, item=item)
    demand.item = item
    before = (demand.quantity, demand.mode, demand.location_id, demand.needed_on) if not is_new else None
    demand.quantity, demand.location = quantity, location
    demand.mode = mode or demand.mode or policy_mode(item)
    demand.needed_on = needed_on or demand.needed_on
    demand.created_by_id = demand.created_by_id or getattr(actor, "pk", None)
    batch = _batches(demand, source_location, hours=window_hours)
    orders = _lock_orders(demand, batch)
    is_changed = before != (demand.quantity, demand.mode, demand.location_id, demand.needed_on)
    if is_changed:
        demand.save()
    if before is not None and before[3] != demand.needed_on:
        _move_day(demand)
    standing = _standing(demand)
    did = False
    if standing.missing > ZERO:
        young = [order for order in orders if order.pk in batch]
        did = _meet(demand, standing.missing, young, source=source_location, actor=actor)
    elif standing.surplus > ZERO:
        did = _give_up(demand, standing.surplus, actor=actor)
    return _result(demand, replayed=not (is_changed or did))


@operation
def withdraw_demand(*, demand_kind: str, demand_ref: str, item: Item, actor: Actor) -> DemandResult:
    """Nobody asks for it any more: its stock is freed and planned orders lose its part (rule S23).

    Released orders stay as they are; what they make is for whoever asks next. Raises WrongState for a reference that never
    asked for the item. Withdrawing twice changes nothing.
    """
    one_at_a_time(item)
    demand = Demand.objects.filter(demand_kind=demand_kind, demand_ref=demand_ref, item=item).first()
    if demand is None:
        raise WrongState(f"{demand_ref} never asked for {item.sku}. Check the reference.", reference=demand_ref)
    demand.item = item
    _lock_orders(demand, [])
    if demand.quantity == ZERO:
        return _result(demand, replayed=True)
    _cut_planned(demand, _standing(demand).coming)
    for peg in _pegs(demand):
        if peg.open > ZERO:
            lower_peg(peg, peg.open)
    release_reservations(
        demand_kind=demand_kind, demand_ref=demand_ref, item=item, reason=f"{demand_ref} withdrawn", actor=actor
    )
    demand.quantity = ZERO
    demand.save(update_fields=["quantity"])
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


def one_at_a_time(item: Item) -> None:
    """Demands for one item queue up until the transaction ends; it comes before every other lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"production.demand:{item.pk}"])


def _batches(demand: Demand, source: Location | None, *, hours: int) -> list[int]:
    """Ids of planned orders that are young enough to take up the demand."""
    if hours <= 0 or demand.mode == DemandMode.NEVER:
        return []
    return list(_joinable(demand, source, hours=hours).order_by("id").values_list("id", flat=True))


def _joinable(demand: Demand, source: Location | None, *, hours: int) -> WorkOrderQuerySet:
    return WorkOrder.objects.filter(
        item=demand.item_id,
        state=WorkOrderState.PLANNED,
        output_location=demand.location_id,
        source_location=source,
        parent=None,
        created_at__gte=timezone.now() - timedelta(hours=hours),
    ).exclude(demand_kind="")


def _lock_orders(demand: Demand, batch: Sequence[int]) -> list[WorkOrder]:
    """The orders that make for it and those it may join, locked by id: orders come before stock (rule S18).

    A completion of one of them sees the demand as it was before, or as it is afterwards.
    """
    return locked_orders(sorted({*batch, *(peg.work_order_id for peg in _pegs(demand))}))


def _pegs(demand: Demand) -> list[WorkOrderPeg]:
    return list(
        WorkOrderPeg.objects.filter(
            demand_kind=demand.demand_kind, demand_ref=demand.demand_ref, work_order__item=demand.item_id
        ).order_by("work_order_id")
    )


def _standing(demand: Demand) -> DemandStanding:
    return standings([demand])[0]


def _meet(
    demand: Demand, wanted: Decimal, young: Sequence[WorkOrder], *, source: Location | None, actor: Actor
) -> bool:
    """Reserve or make what is missing; whether anything was done."""
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
    extra = _replenishment(demand.item) if demand.mode == DemandMode.REORDER else ZERO
    if demand.mode != DemandMode.NEVER and missing + extra > ZERO:
        _make(demand, missing, extra, young, source=source, actor=actor)
        return True
    return missing < wanted


def _replenishment(item: Item) -> Decimal:
    """What to make beyond what is asked for, so that the item is back at its reorder point (rule S24).

    Free stock counts, and what unfinished orders will make for nobody in particular.
    """
    if item.reorder_point is None:
        return ZERO
    stock = availability(items=[item.pk]).get(item.pk)
    projected = ZERO if stock is None else stock.from_sources(()).available
    unfinished = WorkOrder.objects.filter(item=item, state__in=UNFINISHED)
    for order in unfinished.prefetch_related("pegs"):
        promised = sum((peg.open for peg in order.pegs.all() if peg.demand_kind != REPLENISHMENT), ZERO)
        projected += max(order.remaining - promised, ZERO)
    return to_replenish(projected, point=item.reorder_point, quantity_min=item.reorder_quantity, step=item.step)


def _make(
    demand: Demand,
    missing: Decimal,
    extra: Decimal,
    young: Sequence[WorkOrder],
    *,
    source: Location | None,
    actor: Actor,
) -> None:
    """Join a planned order that is young enough, or plan a new one."""
    recipe = recipe_of_bom(item=demand.item, on=timezone.localdate())
    order = next((one for one in young if one.state == WorkOrderState.PLANNED and one.bom_id == recipe.bom_id), None)
    mine, nobodys = (demand.demand_kind, demand.demand_ref), replenishment_of(demand.item)
    wanted = [(mine, missing, demand.needed_on), (nobodys, extra, None)]
    wanted = [(key, quantity, day) for key, quantity, day in wanted if quantity > ZERO]
    if order is None:
        (kind, reference), quantity, day = wanted.pop(0)
        order = open_work_order(
            item=demand.item,
            planned=quantity,
            output_location=demand.location,
            source_location=source,
            due_on=demand.needed_on,
            demand_kind=kind,
            demand_ref=reference,
            is_planned=True,
            actor=actor,
        )
    for key, quantity, day in wanted:
        order.planned += quantity
        add_peg(order, key, quantity, needed_on=day)
    days = [day for day in (order.due_on, demand.needed_on) if day is not None]
    order.due_on = min(days, default=None)
    order.save(update_fields=["planned", "due_on"])


def _move_day(demand: Demand) -> None:
    """Another day: orders that are only planned are due when the first of their demands is."""
    for peg in _pegs(demand):
        if peg.open <= ZERO:
            continue
        peg.needed_on = demand.needed_on
        peg.save(update_fields=["needed_on"])
        order = WorkOrder.objects.get(pk=peg.work_order_id)
        if order.state == WorkOrderState.PLANNED:
            order.due_on = order.pegs.aggregate(first=Min("needed_on"))["first"]
            order.save(update_fields=["due_on"])


def _give_up(demand: Demand, surplus: Decimal, *, actor: Actor) -> bool:
    """Less is asked for: planned orders lose it first, then stock is freed; released orders are left alone."""
    cut = _cut_planned(demand, surplus)
    standing = _standing(demand)
    part = min(surplus - cut, standing.promised)
    if part > ZERO:
        unpin_stock(
            demand_kind=demand.demand_kind,
            demand_ref=demand.demand_ref,
            items=[demand.item_id],
            keep={demand.item_id: standing.promised - part},
            reason=f"{demand.demand_ref} asks for less",
            actor=actor,
        )
    return cut > ZERO or part > ZERO


def _cut_planned(demand: Demand, surplus: Decimal) -> Decimal:
    """Take up to `surplus` out of planned orders, the youngest first; return what was taken."""
    left = surplus
    for peg in reversed(_pegs(demand)):
        order = WorkOrder.objects.get(pk=peg.work_order_id)
        if order.state != WorkOrderState.PLANNED or left <= ZERO:
            continue
        part = min(coming_by_peg(order, order.pegs.all())[peg.pk], left)
        left -= part
        if order.planned - part > ZERO:
            order.planned -= part
        else:
            order.state, order.closed_at = WorkOrderState.CANCELLED, timezone.now()
        order.save(update_fields=["planned", "state", "closed_at"])
        lower_peg(peg, part)
    return surplus - left


def _result(demand: Demand, *, replayed: bool) -> DemandResult:
    standing = _standing(demand)
    return DemandResult(
        demand=demand,
        pegs=standing.pegs,
        reserved=standing.promised,
        missing=standing.missing,
        surplus=standing.surplus,
        replayed=replayed,
    )


def in_words(result: DemandResult) -> str:
    """One sentence for whoever asked."""
    demand, item = result.demand, result.demand.item
    unit = item.stock_unit
    parts = [f"{as_text(result.reserved)} {unit} reserved"] if result.reserved else []
    parts += [f"{as_text(peg.quantity)} in {peg.work_order.number}" for peg in result.pegs]
    parts += [f"{as_text(result.missing)} missing"] if result.missing else []
    parts += [f"{as_text(result.surplus)} more than asked for"] if result.surplus else []
    return (
        f"{demand.demand_ref}: {as_text(demand.quantity)} {unit} of {item.sku} · {' · '.join(parts) or 'nothing to do'}"
    )
