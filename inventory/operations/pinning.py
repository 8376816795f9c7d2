"""Pinning many items for one demand under one lock, pinning cells that a posting has just filled, and letting go again."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from inventory.errors import WrongState
from inventory.locks import ANYWHERE, lock_for_posting
from inventory.models import Item, Location, Reservation, ReservationChange, StockStatus
from inventory.operations.posting import Actor
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation
from inventory.picking import pick_lots
from inventory.quantities import ZERO, as_text


class Pin(NamedTuple):
    """A quantity (stock unit) in one cell of available stock."""

    item_id: int
    location_id: int
    lot_id: int
    quantity: Decimal


@operation
def pin_stock(
    *,
    wanted: Sequence[tuple[Item, Decimal]],
    within: Location | None,
    demand_kind: str,
    demand_ref: str,
    actor: Actor,
    rank: int = 0,
) -> dict[int, Decimal]:
    """Pin as much of each item as is free below `within` (None: any place of our own), earliest expiry first.

    Returns what could not be pinned, by item id; nothing missing, nothing in it. Expired and blocked stock is never pinned.
    The number of statements does not depend on the number of items.
    """
    needed: dict[int, Decimal] = {}
    for item, quantity in wanted:
        needed[item.pk] = needed.get(item.pk, ZERO) + quantity
    if not needed:
        return {}
    rows = lock_for_posting(items=list(needed), within=within.path if within else ANYWHERE)
    today = timezone.localdate()
    pins: list[Pin] = []
    missing: dict[int, Decimal] = {}
    for item_id in sorted(needed):
        cells = rows.of_item(item_id, status=StockStatus.AVAILABLE)
        lots = [cell.as_lot() for cell in cells if cell.is_pickable and (within is not None or cell.is_own)]
        found = pick_lots(lots, quantity=needed[item_id], on=today)
        pins += [Pin(item_id, pick.location_id, pick.lot_id, pick.quantity) for pick in found.picks]
        if found.missing > ZERO:
            missing[item_id] = found.missing
    pin_cells(pins, demand_kind=demand_kind, demand_ref=demand_ref, rank=rank, actor=actor)
    return missing


def pin_cells(
    pins: Sequence[Pin], *, demand_kind: str, demand_ref: str, actor: Actor, rank: int = 0, reason: str = "reserved"
) -> None:
    """Promise cells to a demand. Their rows must be locked, and hold as much that is promised to nobody."""
    pin_for_demands([(pin, (demand_kind, demand_ref)) for pin in pins], rank=rank, reason=reason, actor=actor)


def pin_for_demands(
    pins: Sequence[tuple[Pin, tuple[str, str]]], *, actor: Actor, rank: int = 0, reason: str = "reserved"
) -> None:
    """Promise cells to several demands (kind, reference), as `pin_cells`; as many statements as for one of them."""
    if not pins:
        return
    made = Reservation.objects.bulk_create(
        Reservation(
            item_id=pin.item_id,
            location_id=pin.location_id,
            lot_id=pin.lot_id,
            quantity=pin.quantity,
            demand_kind=kind,
            demand_ref=reference,
            rank=rank,
        )
        for pin, (kind, reference) in pins
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_stockbalance b SET reserved = b.reserved + u.quantity FROM ("
            " SELECT item_id, location_id, lot_id, sum(quantity) AS quantity"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[])"
            " AS u(item_id, location_id, lot_id, quantity) GROUP BY 1, 2, 3) u"
            " WHERE (b.item_id, b.location_id, b.lot_id) = (u.item_id, u.location_id, u.lot_id) AND b.status = %s",
            [
                numbers(pin.item_id for pin, _ in pins),
                numbers(pin.location_id for pin, _ in pins),
                numbers(pin.lot_id for pin, _ in pins),
                numbers(pin.quantity for pin, _ in pins),
                StockStatus.AVAILABLE.value,
            ],
        )
    ReservationChange.objects.bulk_create(
        ReservationChange(
            reservation=row, quantity=row.quantity, reason=reason[:100], actor_id=getattr(actor, "pk", None)
        )
        for row in made
    )
    tell_changed(items=(pin.item_id for pin, _ in pins), cause="reservation", actor=actor)


@operation
def unpin_stock(
    *,
    demand_kind: str,
    demand_ref: str,
    reason: str,
    actor: Actor,
    items: Sequence[int] = (),
    except_at: Location | None = None,
    keep: dict[int, Decimal] | None = None,
) -> dict[int, Decimal]:
    """Let go of what a demand has pinned and return the quantities by item id; other places than `except_at`.

    `items`: only these ids. `keep`: so much of an item stays pinned, the oldest pins first. Nothing pinned is no error.
    """
    held = Reservation.objects.for_demand(kind=demand_kind, reference=demand_ref).pinned().filter(quantity__gt=0)
    if items:
        held = held.filter(item_id__in=items)
    if except_at is not None:
        held = held.exclude(location=except_at)
    found = list(held.values_list("item_id", "location_id"))
    if not found:
        return {}
    lock_for_posting(items={item for item, _ in found}, locations=sorted({place for _, place in found}))
    left = dict(keep or {})
    changes: list[tuple[Reservation, Decimal]] = []
    for row in held.select_for_update(of=("self",), no_key=True).order_by("id"):
        kept = min(row.quantity, left.get(row.item_id, ZERO))
        left[row.item_id] = left.get(row.item_id, ZERO) - kept
        if row.quantity > kept:
            changes.append((row, row.quantity - kept))
    _let_go(changes, reason=reason, actor=actor)
    released: dict[int, Decimal] = {}
    for row, quantity in changes:
        released[row.item_id] = released.get(row.item_id, ZERO) + quantity
    return released


@operation
def unpin_cells(
    *,
    item: Item,
    cells: Mapping[tuple[int, int], Decimal],
    demands: Sequence[tuple[str, str]],
    reason: str,
    actor: Actor,
) -> dict[tuple[str, str], Decimal]:
    """Let go of what demands (kind, reference) have pinned in cells (location id, lot id), at most the quantities given.

    The first of `demands` lets go first, and of each its newest pins. Returns what each let go of; nothing pinned is no
    error. The number of statements depends neither on the cells nor on the demands.
    """
    if not cells or not demands:
        return {}
    held = Reservation.objects.pinned().filter(
        item=item,
        quantity__gt=0,
        lot_id__in={lot_id for _, lot_id in cells},
        location_id__in={location_id for location_id, _ in cells},
        demand_ref__in={reference for _, reference in demands},
    )
    lock_for_posting(items=[item.pk], locations=sorted({location_id for location_id, _ in cells}))
    turns = {demand: turn for turn, demand in enumerate(demands)}
    found = [
        row
        for row in held.select_for_update(of=("self",), no_key=True).order_by("-id")
        if (row.demand_kind, row.demand_ref) in turns
    ]
    left = dict(cells)
    changes: list[tuple[Reservation, Decimal]] = []
    released: dict[tuple[str, str], Decimal] = {}
    for row in sorted(found, key=lambda row: turns[row.demand_kind, row.demand_ref]):
        assert row.lot_id is not None
        cell, demand = (row.location_id, row.lot_id), (row.demand_kind, row.demand_ref)
        part = min(row.quantity, left.get(cell, ZERO))
        if part > ZERO:
            left[cell] -= part
            changes.append((row, part))
            released[demand] = released.get(demand, ZERO) + part
    _let_go(changes, reason=reason, actor=actor)
    return released


@operation
def release_reservation(*, reservation: Reservation, reason: str, actor: Actor) -> Decimal:
    """Let go of one reservation, pinned or not, and return what it still promised (stock unit); 0 when it was over already.

    Raises WrongState without a reason.
    """
    if not reason.strip():
        raise WrongState(
            f"{as_text(reservation.quantity)} would be taken from {reservation.demand} without a reason. Say why.",
            reservation=reservation.pk,
        )
    lock_for_posting(items=[reservation.item_id], locations=[reservation.location_id])
    held = Reservation.objects.select_for_update(of=("self",), no_key=True).get(pk=reservation.pk)
    if held.quantity:
        _let_go([(held, held.quantity)], reason=reason.strip(), actor=actor)
    return held.quantity


def _let_go(changes: Sequence[tuple[Reservation, Decimal]], *, reason: str, actor: Actor) -> None:
    """Lower reservations of locked rows by positive quantities, with the cells of pinned ones, the log and the news."""
    if not changes:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH u AS (SELECT * FROM unnest(%s::bigint[], %s::numeric[]) AS u(id, quantity)), less AS ("
            " UPDATE inventory_reservation r SET quantity = r.quantity - u.quantity FROM u WHERE r.id = u.id"
            " RETURNING r.item_id, r.location_id, r.lot_id, u.quantity)"
            " UPDATE inventory_stockbalance b SET reserved = b.reserved - x.quantity FROM ("
            " SELECT item_id, location_id, lot_id, sum(quantity) AS quantity FROM less GROUP BY 1, 2, 3) x"
            " WHERE (b.item_id, b.location_id, b.lot_id) = (x.item_id, x.location_id, x.lot_id) AND b.status = %s",
            [
                numbers(row.pk for row, _ in changes),
                numbers(quantity for _, quantity in changes),
                StockStatus.AVAILABLE.value,
            ],
        )
    ReservationChange.objects.bulk_create(
        ReservationChange(reservation=row, quantity=-quantity, reason=reason[:100], actor_id=getattr(actor, "pk", None))
        for row, quantity in changes
    )
    tell_changed(items=(row.item_id for row, _ in changes), cause="reservation", actor=actor)
