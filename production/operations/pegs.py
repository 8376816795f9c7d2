"""Handing the output of a work order to the demands it is made for, and taking it back from them (rule S19)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from inventory.locks import lock_for_posting
from inventory.models import Item, StockStatus
from inventory.operations.pinning import Pin, pin_for_demands, unpin_cells
from inventory.operations.posting import Actor
from inventory.quantities import ZERO
from production.models import WorkOrder, WorkOrderPeg
from production.pegging import portions
from production.reads.demands import in_turn, open_pegs, wants_of


def hand_out(
    order: WorkOrder, item: Item, output: Mapping[tuple[int, int], Decimal], *, actor: Actor, reason: str = "reserved"
) -> None:
    """Promise available output (location id, lot id -> stock unit) of a locked order to its demands in turn.

    Each gets what it still wants, at most what is pegged to it; the rest stays free, and so does what is expired or in a
    blocked place. The number of statements depends neither on the lots nor on the demands.
    """
    pegs = [peg for peg in open_pegs(WorkOrderPeg.objects.filter(work_order=order)) if peg.open > ZERO]
    if not pegs or not output:
        return
    rows = lock_for_posting(items=[item.pk], locations=sorted({location_id for location_id, _ in output}))
    today = timezone.localdate()
    cells, pieces = [], []
    for (location_id, lot_id), quantity in output.items():
        cell = rows.cells.get((item.pk, location_id, lot_id, StockStatus.AVAILABLE.value))
        if cell is not None and cell.is_pickable and (cell.expires_on is None or cell.expires_on >= today):
            cells.append(cell)
            pieces.append(max(min(quantity, cell.free), ZERO))
    found = portions(pieces, pegs, wants=wants_of(item=item, demands={peg.demand for peg in pegs}))
    pin_for_demands(
        [
            (Pin(item.pk, cells[part.source].location_id, cells[part.source].lot_id, part.quantity), part.peg.demand)
            for part in found
        ],
        reason=reason,
        actor=actor,
    )
    _count_served([(part.peg.id, part.quantity) for part in found])


def take_back(
    order: WorkOrder,
    item: Item,
    output: Mapping[tuple[int, int], Decimal],
    *,
    reason: str,
    actor: Actor,
    made: Decimal | None = None,
) -> None:
    """Let the demands of a locked order go of output (location id, lot id -> stock unit) that is no longer to be had.

    The demand that was served last waits again first. `made` is what stays made of the order: no more was handed to anybody,
    also when a demand had let go of its promise before.
    """
    pegs = in_turn(WorkOrderPeg.objects.filter(work_order=order))[::-1]
    if not pegs:
        return
    released = unpin_cells(item=item, cells=output, demands=[peg.demand for peg in pegs], reason=reason, actor=actor)
    less = {peg.pk: min(peg.served, released.get(peg.demand, ZERO)) for peg in pegs}
    if made is not None:
        surplus = sum((peg.served - less[peg.pk] for peg in pegs), ZERO) - made
        for peg in pegs:
            part = max(min(peg.served - less[peg.pk], surplus), ZERO)
            less[peg.pk] += part
            surplus -= part
    _count_served([(pk, -quantity) for pk, quantity in less.items() if quantity])


def add_peg(order: WorkOrder, demand: tuple[str, str], quantity: Decimal, **fields: object) -> None:
    """Peg `quantity` (stock unit) more of a locked order to a demand."""
    kind, reference = demand
    peg, is_new = WorkOrderPeg.objects.get_or_create(
        work_order=order, demand_kind=kind, demand_ref=reference, defaults={"quantity": quantity, **fields}
    )
    if not is_new:
        peg.quantity += quantity
        peg.needed_on = fields.get("needed_on") or peg.needed_on  # type: ignore[assignment]
        peg.save(update_fields=["quantity", "needed_on"])


def lower_peg(peg: WorkOrderPeg, quantity: Decimal) -> None:
    """Take `quantity` of what is open of a peg away; one with nothing left is deleted."""
    assert quantity <= peg.open, "what was handed to a demand stays its own"
    peg.quantity -= quantity
    if peg.quantity == ZERO:
        peg.delete()
    else:
        peg.save(update_fields=["quantity"])


def trim_pegs(order: WorkOrder) -> None:
    """A locked order that plans less makes less for its demands: what nobody asked for goes first, then the youngest."""
    pegs = in_turn(WorkOrderPeg.objects.filter(work_order=order))
    surplus = sum((peg.quantity for peg in pegs), ZERO) - order.planned
    for peg in reversed(pegs):
        part = min(peg.open, surplus)
        if part > ZERO:
            surplus -= part
            lower_peg(peg, part)


def locked_orders(ids: Sequence[int]) -> list[WorkOrder]:
    """Orders as they are now, locked by id."""
    return list(WorkOrder.objects.filter(pk__in=ids).select_for_update(of=("self",), no_key=True).order_by("id"))


def _count_served(changes: Sequence[tuple[int, Decimal]]) -> None:
    sums: dict[int, Decimal] = {}
    for peg_id, quantity in changes:
        sums[peg_id] = sums.get(peg_id, ZERO) + quantity
    if not sums:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE production_workorderpeg p SET served = p.served + u.quantity"
            " FROM unnest(%s::bigint[], %s::numeric[]) AS u(id, quantity) WHERE p.id = u.id",
            [numbers(sums), numbers(sums.values())],
        )
