"""What is done about a demand, and what one still wants: from reservations and work orders, not from counters of its own."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from inventory.models import Item
from inventory.quantities import ZERO
from inventory.reads.promises import NOTHING, promises_to
from production.models import DEMAND_KIND, REPLENISHMENT, Demand, WorkOrder, WorkOrderPeg, WorkOrderState
from production.pegging import DemandKey, OpenPeg, share_out
from production.reads.held_goods import HeldQuestion, held_goods
from production.reads.order_needs import needs_of_orders

UNFINISHED = (WorkOrderState.PLANNED, WorkOrderState.OPEN)


@dataclass(frozen=True, slots=True)
class DemandStanding:
    """A demand and what is done about it. Quantities in the item's stock unit.

    promised + taken + coming + missing = asked for + surplus, where what was taken beyond the demand counts as asked for.
    """

    demand: Demand
    pegs: Sequence[WorkOrderPeg]
    """Of all work orders that make or made something for it, the oldest first."""
    promised: Decimal
    """Pinned for it now, from stock and from what was made."""
    taken: Decimal
    """Shipped out of what was promised to it."""
    coming: Decimal
    """What unfinished orders still make for it, and what was made and waits for inspection."""

    @property
    def missing(self) -> Decimal:
        """Neither promised nor taken nor coming."""
        return max(self.demand.quantity - self.taken - self.promised - self.coming, ZERO)

    @property
    def surplus(self) -> Decimal:
        """Promised or coming beyond what is asked for now."""
        return max(self.promised + self.coming - max(self.demand.quantity - self.taken, ZERO), ZERO)


def key_of(demand: Demand) -> DemandKey:
    return (demand.demand_kind, demand.demand_ref)


def in_turn(pegs: Iterable[WorkOrderPeg]) -> list[WorkOrderPeg]:
    """The pegs of an order as they are served: the oldest first, what nobody asked for last."""
    return sorted(pegs, key=lambda peg: (peg.demand_kind == REPLENISHMENT, peg.pk))


def open_pegs(pegs: Iterable[WorkOrderPeg]) -> list[OpenPeg]:
    """The same as plain figures."""
    return [OpenPeg(peg.pk, peg.demand, peg.open) for peg in in_turn(pegs)]


def coming_by_peg(order: WorkOrder, pegs: Iterable[WorkOrderPeg], *, held: Decimal = ZERO) -> dict[int, Decimal]:
    """By peg id, what an order will still make for it; `held` was made and waits for inspection."""
    left = held + (order.remaining if order.state in UNFINISHED else ZERO)
    of_order = open_pegs(pegs)
    return {peg.id: part for peg, part in zip(of_order, share_out(left, of_order), strict=True)}


def standings(demands: Sequence[Demand]) -> list[DemandStanding]:
    """Demands with what is done about them, in their order. `item` must be loaded. A fixed number of statements."""
    if not demands:
        return []
    items = {demand.item_id for demand in demands}
    keys = {key_of(demand) for demand in demands}
    orders = WorkOrder.objects.filter(
        pk__in=WorkOrderPeg.objects.filter(
            demand_ref__in={reference for _, reference in keys}, work_order__item__in=items
        ).values("work_order")
    )
    pegs = list(
        WorkOrderPeg.objects.filter(work_order__in=orders)
        .select_related("work_order", "work_order__item")
        .order_by("id")
    )
    by_order: dict[int, list[WorkOrderPeg]] = {}
    mine: dict[tuple[str, str, int], list[WorkOrderPeg]] = {}
    for peg in pegs:
        by_order.setdefault(peg.work_order_id, []).append(peg)
        mine.setdefault((*peg.demand, peg.work_order.item_id), []).append(peg)
    held = held_by_order(items) if pegs else {}
    coming: dict[int, Decimal] = {}
    for found in by_order.values():
        order = found[0].work_order
        coming.update(coming_by_peg(order, found, held=held.get(order.number, ZERO)))
    promises = promises_to(demands=keys, items=items)
    return [
        DemandStanding(
            demand=demand,
            pegs=mine.get((*key_of(demand), demand.item_id), []),
            promised=promises.get((*key_of(demand), demand.item_id), NOTHING).pinned,
            taken=promises.get((*key_of(demand), demand.item_id), NOTHING).taken,
            coming=sum(
                (coming[peg.pk] for peg in mine.get((*key_of(demand), demand.item_id), [])),
                ZERO,
            ),
        )
        for demand in demands
    ]


def held_by_order(items: Collection[int]) -> dict[str, Decimal]:
    """By order number, what was made of the items and waits for inspection; stock unit."""
    held: dict[str, Decimal] = {}
    for goods in held_goods(HeldQuestion(item_ids=sorted(items))):
        if goods.work_order:
            held[goods.work_order] = held.get(goods.work_order, ZERO) + goods.held
    return held


def wants_of(*, item: Item, demands: Collection[DemandKey]) -> dict[DemandKey, Decimal]:
    """What demands still want of an item, beyond what they hold and have taken; stock unit. A fixed number of statements.

    A work order wants what it needs while it is unfinished; what is made beyond all demands is wanted by nobody. A
    reference that never asked by itself is not in the answer: it wants what is pegged to it.
    """
    wants = {key: ZERO for key in demands if key[0] in (DEMAND_KIND, REPLENISHMENT)}
    numbers = [reference for kind, reference in wants if kind == DEMAND_KIND]
    if numbers:
        parents = list(WorkOrder.objects.filter(number__in=numbers, state__in=UNFINISHED))
        needs = needs_of_orders(parents)
        for parent in parents:
            of_item = [need.to_reserve for need in needs[parent.pk] if need.component.pk == item.pk]
            wants[DEMAND_KIND, parent.number] = sum(of_item, ZERO)
    others = [key for key in demands if key not in wants]
    if others:
        asked = {
            key_of(demand): demand.quantity
            for demand in Demand.objects.filter(item=item, demand_ref__in=[reference for _, reference in others])
        }
        promises = promises_to(demands=others, items=[item.pk])
        for key in others:
            if key in asked:
                promise = promises.get((*key, item.pk), NOTHING)
                wants[key] = max(asked[key] - promise.pinned - promise.taken, ZERO)
    return wants
