"""Giving a work order the newest BOM, splitting one, and merging several."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.utils import timezone

from inventory.errors import InvalidQuantity, WrongState
from inventory.operations.checking import check_quantity
from inventory.operations.pinning import unpin_stock
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, round_down
from production.errors import OrderClosed
from production.facts import Recipe, recipe_of_bom
from production.models import DEMAND_KIND, WorkOrder, WorkOrderPeg, WorkOrderState
from production.operations.freezing import copy_lines, have_same_lines, refreeze
from production.operations.pegs import add_peg, lower_peg
from production.operations.releasing import reserve_for
from production.operations.work_orders import (
    free_surplus,
    lock_makers,
    locked_order,
    number_order,
    refuse_issued,
    set_planned,
    tell_output,
)
from production.reads.demands import in_turn
from production.reads.order_needs import need_of, needs_of_order, needs_of_orders

PARTS_MAX = 50
"""Parts one order is split into at once: each moves reservations."""
UNFINISHED = (WorkOrderState.PLANNED, WorkOrderState.OPEN)


@dataclass(frozen=True, slots=True)
class LineChange:
    """One component before and after; quantities for the whole plan in its stock unit, None when it is not there."""

    sku: str
    name: str
    unit: str
    before: Decimal | None
    after: Decimal | None
    words: Sequence[str] = ()
    """What else changes, such as the issue method."""


@dataclass(frozen=True, slots=True)
class BomChange:
    """What taking the version in force would change of an order."""

    order: WorkOrder
    bom_id: int
    version: int
    lines: Sequence[LineChange]
    is_newer: bool
    """Whether it is another version than the one the order goes by."""

    @property
    def is_empty(self) -> bool:
        return not self.is_newer and not self.lines


def bom_change(order: WorkOrder, *, on: date | None = None) -> BomChange:
    """The differences between an order's frozen lines and the BOM in force today. Raises InvalidBom when there is none."""
    recipe = recipe_of_bom(item=order.item, on=on or timezone.localdate())
    return BomChange(
        order=order,
        bom_id=recipe.bom_id,
        version=recipe.bom_version,
        lines=_differences(order, recipe),
        is_newer=recipe.bom_id != order.bom_id,
    )


def _differences(order: WorkOrder, recipe: Recipe) -> list[LineChange]:
    before = {
        (line.component_id, line.is_consumable, line.is_optional): line
        for line in order.lines.select_related("component").order_by("id")
    }
    found = []
    for rate in recipe.rates:
        component = recipe.components[rate.component_id]
        line = before.pop(rate.key, None)
        after = rate.requirement(order.planned, step=component.step)
        words: list[str] = []
        needed = None if line is None else need_of(line, planned=order.planned)
        if line is not None and line.issue_method != rate.issue_method:
            words.append(f"issue method {line.issue_method} → {rate.issue_method}")
        if needed != after or words:
            found.append(LineChange(component.sku, component.name, component.stock_unit, needed, after, words))
    for line in before.values():
        item = line.component
        found.append(LineChange(item.sku, item.name, item.stock_unit, need_of(line, planned=order.planned), None))
    return found


@operation
def apply_newest_bom(*, work_order: WorkOrder, bom_id: int, actor: Actor) -> WorkOrder:
    """Freeze the BOM in force today into an unfinished order of which nothing was made; reservations follow.

    `bom_id` is the version whose differences somebody has looked at; another one in force by now is refused. Raises
    OrderClosed, WrongState when something was made (split off the rest and change that), InvalidBom.
    """
    order = locked_order(work_order)
    _refuse_finished(order)
    if order.good or order.scrapped or order.lines.exclude(booked=ZERO, used=ZERO).exists():
        raise WrongState(
            f"{as_text(order.good + order.scrapped)} {order.item.stock_unit} of {order.number} were made by BOM "
            f"v{order.bom.version}, and that stays so. Split off the rest, and give the new order the newest BOM.",
            work_order=order.number,
        )
    recipe = recipe_of_bom(item=order.item, on=timezone.localdate())
    if recipe.bom_id != bom_id:
        raise WrongState(
            f"BOM v{recipe.bom_version} of {order.item.sku} came into force meanwhile. Look at what it changes, then apply it.",
            work_order=order.number,
            bom=recipe.bom_id,
        )
    had_pins = any(need.reserved for need in needs_of_order(order))
    refreeze(order, recipe)
    free_surplus(order, reason=f"{order.number} has a new BOM", actor=actor)
    if had_pins and order.is_open:
        reserve_for(order, actor=actor)
    tell_output(order, actor=actor)
    return order


@operation
def split_work_order(
    *, work_order: WorkOrder, quantity: Decimal, actor: Actor, due_on: date | None = None
) -> WorkOrder:
    """Make `quantity` (stock unit) of an unfinished order's rest an order of its own, with the same frozen BOM.

    The newest demands go with it, and so do orders that make its sub-assemblies. Reservations beyond what the rest needs are
    freed and taken by the new order. Raises OrderClosed, InvalidQuantity when the rest is not larger than `quantity`,
    InvalidQuantityStep.
    """
    order = locked_order(work_order)
    _refuse_finished(order)
    return _split_off(order, quantity, due_on=due_on, origin=order, actor=actor)


@operation
def split_into_parts(*, work_order: WorkOrder, parts: int, actor: Actor) -> list[WorkOrder]:
    """Part what an unfinished order still has to make into `parts` orders of equal size; the order itself is the first.

    Each part is rounded down to the step, the last takes the rest. The oldest demands stay with the first parts. Everything
    else is as for `split_work_order`. Raises OrderClosed, InvalidQuantity for fewer than two parts, more than PARTS_MAX, or
    parts of nothing.
    """
    order = locked_order(work_order)
    _refuse_finished(order)
    if not 2 <= parts <= PARTS_MAX:
        raise InvalidQuantity(
            f"An order is split into 2 to {PARTS_MAX} parts; {parts} was given.", work_order=order.number, parts=parts
        )
    part = round_down(Fraction(order.remaining) / parts, order.item.step)
    if part <= ZERO:
        raise InvalidQuantity(
            f"{order.number} has {as_text(order.remaining)} {order.item.stock_unit} left, too few for {parts} parts of at "
            f"least {as_text(order.item.step)} {order.item.stock_unit}. Give fewer parts.",
            work_order=order.number,
            remaining=as_text(order.remaining),
        )
    found = [order]
    for _ in range(parts - 1):  # each takes what is left of the one before, and with it the younger demands
        last = found[-1]
        found.append(_split_off(last, last.remaining - part, due_on=None, origin=order, actor=actor))
    return found


def _split_off(
    order: WorkOrder, quantity: Decimal, *, due_on: date | None, origin: WorkOrder, actor: Actor
) -> WorkOrder:
    """The new order with `quantity` of the rest of a locked one; it names `origin` as the one it was split from."""
    check_quantity(order.item, quantity)
    if quantity >= order.remaining:
        raise InvalidQuantity(
            f"{order.number} has {as_text(order.remaining)} {order.item.stock_unit} left; less than that can be split off.",
            work_order=order.number,
            remaining=as_text(order.remaining),
        )
    makers = lock_makers(order)
    new = WorkOrder.objects.create(
        number=f"new-{timezone.now().timestamp():.6f}-{order.pk}"[:24],
        item=order.item,
        bom_id=order.bom_id,
        planned=quantity,
        over_completion_percent=order.over_completion_percent,
        state=order.state,
        source_location=order.source_location,
        output_location=order.output_location,
        basis=order.basis,
        parent_id=order.parent_id,
        split_from=origin,
        rank=order.rank,
        start_on=order.start_on,
        due_on=due_on or order.due_on,
        note=order.note,
        created_by_id=getattr(actor, "pk", None),
        released_at=order.released_at,
        frozen_on=order.frozen_day,
    )
    number_order(new)
    copy_lines(order, new)
    had_pins = any(need.reserved for need in needs_of_order(order))
    set_planned(order, order.planned - quantity)
    _split_pegs(order, new)
    free_surplus(order, reason=f"{new.number} was split off", actor=actor)
    if had_pins and new.is_open:
        reserve_for(new, actor=actor)
    _split_makers(order, new, makers)
    tell_output(order, new, actor=actor)
    return new


@operation
def merge_work_orders(*, target: WorkOrder, others: Sequence[WorkOrder], actor: Actor) -> WorkOrder:
    """Put other orders of which nothing was made into `target`: their plans, demands and reservations are its own.

    Raises OrderClosed, WrongState for another item, BOM, place or state, for orders of which something was made, or to which
    components were issued.
    """
    wanted = sorted({order.pk for order in others} - {target.pk})
    if not wanted:
        raise WrongState("Choose at least one other order to merge.", work_order=target.number)
    locked = {pk: locked_order(WorkOrder(pk=pk)) for pk in sorted([*wanted, target.pk])}
    order = locked[target.pk]
    _refuse_finished(order)
    for other in (locked[pk] for pk in wanted):
        _refuse_unlike(order, other)
        refuse_issued(other)
    for one in locked.values():
        lock_makers(one)
    had_pins = any(need.reserved for one in locked.values() for need in needs_of_order(one))
    total = ZERO
    for other in (locked[pk] for pk in wanted):
        total += other.planned
        unpin_stock(
            demand_kind=DEMAND_KIND,
            demand_ref=other.number,
            reason=f"{other.number} merged into {order.number}",
            actor=actor,
        )
        other.state, other.closed_at, other.merged_into = WorkOrderState.CANCELLED, timezone.now(), order
        other.save(update_fields=["state", "closed_at", "merged_into"])
        WorkOrder.objects.filter(parent=other).update(parent=order)
        _merge_pegs(other, order)
    set_planned(order, order.planned + total)
    days = [one.due_on for one in locked.values() if one.due_on is not None]
    order.due_on = min(days, default=None)
    order.rank = min(one.rank for one in locked.values())
    order.save(update_fields=["due_on", "rank"])
    if had_pins and order.is_open:
        reserve_for(order, actor=actor)
    tell_output(order, actor=actor)
    return order


def _refuse_finished(order: WorkOrder) -> None:
    if order.state not in UNFINISHED:
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()}. Only planned and open orders can be changed.",
            work_order=order.number,
            state=order.state,
        )


def _refuse_unlike(order: WorkOrder, other: WorkOrder) -> None:
    _refuse_finished(other)
    reason = ""
    if other.item_id != order.item_id:
        reason = f"makes {other.item.sku}, not {order.item.sku}"
    elif other.good or other.scrapped:
        reason = "has completions. Close it short instead"
    elif other.state != order.state:
        reason = f"is {other.get_state_display().lower()}, {order.number} is {order.get_state_display().lower()}"
    elif (other.source_location_id, other.output_location_id) != (order.source_location_id, order.output_location_id):
        reason = "has other places"
    elif other.basis != order.basis or not have_same_lines(order, other):
        reason = "consumes by another frozen BOM. Give both the newest one first"
    if reason:
        raise WrongState(
            f"{other.number} cannot be merged into {order.number}: it {reason}.",
            work_order=order.number,
            other=other.number,
        )


def _split_pegs(order: WorkOrder, new: WorkOrder) -> None:
    """The youngest demands go with the new order as far as the old one can no longer make them.

    What was handed to a demand stays with the order that made it.
    """
    pegs = in_turn(order.pegs.all())
    left = min(sum((peg.open for peg in pegs), ZERO) - order.remaining, new.planned)
    moved: list[tuple[WorkOrderPeg, Decimal]] = []
    for peg in reversed(pegs):
        part = min(peg.open, left)
        if part > ZERO:
            left -= part
            moved.append((peg, part))
            lower_peg(peg, part)
    for peg, part in reversed(moved):  # oldest first: that is the order in which they are served and split again
        add_peg(new, peg.demand, part, needed_on=peg.needed_on)
    _name_demand(new)


def _name_demand(order: WorkOrder) -> None:
    """An order says for whom it is first made."""
    first = next(iter(in_turn(order.pegs.all())), None)
    if first is not None:
        order.demand_kind, order.demand_ref = first.demand
        order.save(update_fields=["demand_kind", "demand_ref"])


def _split_makers(order: WorkOrder, new: WorkOrder, locked: Sequence[WorkOrder]) -> None:
    """Orders that make something for a split one make it for both parts: the youngest go with the new one, as far as the
    old one no longer needs them and the new one does."""
    makers = {maker.pk: maker for maker in locked}
    if not makers:
        return
    needs = needs_of_orders([order, new])
    left: dict[int, Decimal] = {}
    room: dict[int, Decimal] = {}
    for need in needs[order.pk]:
        left[need.component.pk] = left.get(need.component.pk, ZERO) - need.to_reserve
    for need in needs[new.pk]:
        room[need.component.pk] = room.get(need.component.pk, ZERO) + need.to_reserve
    pegs = list(WorkOrderPeg.objects.filter(work_order__in=makers, demand_kind=DEMAND_KIND, demand_ref=order.number))
    for peg in pegs:
        item_id = makers[peg.work_order_id].item_id
        left[item_id] = left.get(item_id, ZERO) + peg.open
    for peg in sorted(pegs, key=lambda peg: -peg.work_order_id):
        maker = makers[peg.work_order_id]
        part = min(peg.open, left[maker.item_id], room.get(maker.item_id, ZERO))
        if part <= ZERO:
            continue
        left[maker.item_id] -= part
        room[maker.item_id] -= part
        is_all = part == peg.quantity
        lower_peg(peg, part)
        add_peg(maker, (DEMAND_KIND, new.number), part, needed_on=peg.needed_on)
        if is_all and maker.parent_id == order.pk:
            maker.parent = new
            maker.save(update_fields=["parent"])
        _name_demand(maker)


def _merge_pegs(other: WorkOrder, order: WorkOrder) -> None:
    """The demands of a merged order, and the orders that make something for it, are those of the other one."""
    for peg in in_turn(other.pegs.all()):
        add_peg(order, peg.demand, peg.quantity, needed_on=peg.needed_on)
    other.pegs.all().delete()
    if not order.demand_kind:
        _name_demand(order)
    for maker in lock_makers(other):
        _repeg(maker, other, order)


def _repeg(maker: WorkOrder, other: WorkOrder, order: WorkOrder) -> None:
    """What a locked order makes for `other`, and has made for it, counts for `order`."""
    peg = maker.pegs.get(demand_kind=DEMAND_KIND, demand_ref=other.number)
    known = maker.pegs.filter(demand_kind=DEMAND_KIND, demand_ref=order.number).first()
    if known is None:
        peg.demand_ref = order.number
        peg.save(update_fields=["demand_ref"])
    else:
        peg.delete()
        known.quantity += peg.quantity
        known.served += peg.served
        known.save(update_fields=["quantity", "served"])
    if (maker.demand_kind, maker.demand_ref) == (DEMAND_KIND, other.number):
        maker.demand_ref = order.number
        maker.save(update_fields=["demand_ref"])
