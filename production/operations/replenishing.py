"""Planning work orders for items that reached their reorder point (rule S24)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from inventory.errors import InvalidQuantity, WrongState
from inventory.models import Item, Location
from inventory.operations.checking import check_location, check_quantity
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text
from production.models import WorkOrder
from production.models.work_orders import replenishment_of
from production.operations.demands import one_at_a_time
from production.operations.work_orders import open_work_order
from production.reads.replenishment import ItemLevel, levels

LINES_MAX = 100


@dataclass(frozen=True, slots=True)
class ReplenishLine:
    """An item to make again. `quantity` in its stock unit, None: what is suggested.

    `seen` is the projected figure the decision was made on; None: whatever it is.
    """

    item: Item
    quantity: Decimal | None = None
    seen: Decimal | None = None


@operation
def replenish_items(
    *, lines: Sequence[ReplenishLine], location: Location, actor: Actor, source_location: Location | None = None
) -> list[WorkOrder]:
    """Plan a work order for each item, its output going to `location`, due when the item's lead time is over.

    What is planned counts as on its way, so what was met is not suggested again. Nothing is planned when one line is refused:
    WrongState for an item that is not low any more or whose projected figure is not what was `seen`, InvalidQuantity,
    InvalidQuantityStep, InvalidBom for an item that is not made, LocationBlocked. `context["item"]` names the item.
    """
    _check(lines, location)
    items = sorted((line.item for line in lines), key=lambda item: item.pk)
    for item in items:
        one_at_a_time(item)
    found = {level.item.pk: level for level in levels(items)}
    today = timezone.localdate()
    orders = []
    for line in lines:
        item = line.item
        kind, reference = replenishment_of(item)
        quantity = _decided(line, found[item.pk])
        due_on = None if item.lead_time_days is None else today + timedelta(days=item.lead_time_days)
        order = open_work_order(
            item=item,
            planned=quantity,
            output_location=location,
            source_location=source_location,
            due_on=due_on,
            demand_kind=kind,
            demand_ref=reference,
            is_planned=True,
            actor=actor,
        )
        orders.append(order)
    return orders


def _check(lines: Sequence[ReplenishLine], location: Location) -> None:
    if not lines:
        raise InvalidQuantity("No item is named. Choose at least one.")
    if len(lines) > LINES_MAX:
        raise InvalidQuantity(f"{len(lines)} items are named; {LINES_MAX} are taken at once. Plan them in parts.")
    named: set[int] = set()
    for line in lines:
        if line.item.pk in named:
            raise InvalidQuantity(f"{line.item.sku} is named twice. Name each item once.", item=line.item.sku)
        named.add(line.item.pk)
    check_location(location)


def _decided(line: ReplenishLine, level: ItemLevel) -> Decimal:
    """The quantity of a line, when what it was decided on still holds."""
    item, unit = line.item, line.item.stock_unit
    if item.reorder_point is None:
        raise WrongState(f"{item.sku} has no reorder point. Give it one, or open a work order for it.", item=item.sku)
    if line.seen is not None and line.seen != level.projected:
        raise WrongState(
            f"{item.sku} changed meanwhile: {as_text(level.projected)} {unit} projected now, {as_text(line.seen)} when you "
            "looked. Look at the list again.",
            item=item.sku,
            projected=as_text(level.projected),
            seen=as_text(line.seen),
        )
    if not level.is_low:
        raise WrongState(
            f"{item.sku} is not low any more: {as_text(level.projected)} {unit} projected, reorder point "
            f"{as_text(item.reorder_point)}. Look at the list again.",
            item=item.sku,
            projected=as_text(level.projected),
            reorder_point=as_text(item.reorder_point),
        )
    quantity = level.to_replenish if line.quantity is None else line.quantity
    if quantity == ZERO and line.quantity is None:
        raise InvalidQuantity(
            f"{item.sku} is exactly at its reorder point and has no reorder quantity. Say how many to make.",
            item=item.sku,
        )
    check_quantity(item, quantity)
    return quantity
