"""Promising stock to demands, and letting it go again. Nothing moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F
from django.utils import timezone

from inventory.errors import OverReservation
from inventory.locks import ANYWHERE, lock_for_posting
from inventory.models import (
    Item,
    Location,
    Lot,
    Reservation,
    ReservationChange,
    StockBalance,
    StockStatus,
)
from inventory.operations.checking import check_item, check_quantity, check_source
from inventory.operations.posting import Actor
from inventory.operations.taking import Wanted, check_named
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation
from inventory.picking import pick_lots, pick_named
from inventory.quantities import ZERO, as_text


@dataclass(frozen=True, slots=True)
class ReservationResult:
    reservations: Sequence[Reservation]
    quantity: Decimal  # promised, stock unit
    missing: Decimal  # not promised because it is not free; only with `partial`


@operation
def reserve_stock(
    *,
    item: Item,
    location: Location,
    quantity: Decimal,
    demand_kind: str,
    demand_ref: str,
    actor: Actor,
    pinned: bool = False,
    lots: Sequence[tuple[Lot, Decimal]] = (),
    partial: bool = False,
    rank: int = 0,
    expires_at: datetime | None = None,
) -> ReservationResult:
    """Promise `quantity` (stock unit) at `location` to a demand.

    Soft by default: ranked, counted against availability. `pinned` promises real cells (picked like an issue, or the given
    `lots`, which add up to `quantity`) that nobody else can take; expired and blocked stock is never pinned. All or nothing
    unless `partial`. Raises OverReservation when less is free, LotMismatch for lots of another sum or item, and LotExpired
    (unless `partial`: what is expired is missing then).
    """
    check_item(item)
    check_source(location)
    check_quantity(item, quantity)
    today = timezone.localdate()
    if lots:
        check_named(Wanted(item, quantity, location, lots=lots, allow_expired=partial), on=today)
    if not pinned and not lots:
        made = Reservation.objects.create(
            item=item,
            location=location,
            quantity=quantity,
            demand_kind=demand_kind,
            demand_ref=demand_ref,
            rank=rank,
            expires_at=expires_at,
        )
        _log([(made, quantity)], reason="reserved", actor=actor)
        tell_changed(items=[item.pk], cause="reservation", actor=actor)
        return ReservationResult([made], quantity, ZERO)

    rows = lock_for_posting(items=[item.pk], within=location.path)
    cells = [cell.as_lot() for cell in rows.of_item(item.pk, status=StockStatus.AVAILABLE) if cell.is_pickable]
    if lots:
        good = [cell for cell in cells if cell.expires_on is None or cell.expires_on >= today]
        found = pick_named(good, wanted=[(lot.pk, q) for lot, q in lots])
    else:
        found = pick_lots(cells, quantity=quantity, on=today)
    if found.missing > ZERO and not partial:
        raise OverReservation(
            f"{location.code} has {as_text(quantity - found.missing)} {item.stock_unit} of {item.sku} free, "
            f"{as_text(quantity)} were to be reserved. Receive more, release another reservation, or reserve a part.",
            item=item.sku,
            location=location.code,
            needed=as_text(quantity),
            free=as_text(quantity - found.missing),
        )
    made_rows = Reservation.objects.bulk_create(
        Reservation(
            item=item,
            location_id=pick.location_id,
            lot_id=pick.lot_id,
            quantity=pick.quantity,
            demand_kind=demand_kind,
            demand_ref=demand_ref,
            rank=rank,
            expires_at=expires_at,
        )
        for pick in found.picks
    )
    for pick in found.picks:
        StockBalance.objects.filter(pk=pick.cell_id).update(reserved=F("reserved") + pick.quantity)
    _log([(row, row.quantity) for row in made_rows], reason="reserved", actor=actor)
    tell_changed(items=[item.pk], cause="reservation", actor=actor)
    return ReservationResult(made_rows, quantity - found.missing, found.missing)


@operation
def release_reservations(
    *, demand_kind: str, demand_ref: str, reason: str, actor: Actor, item: Item | None = None
) -> Decimal:
    """Let go of everything a demand still holds (of one item, or of all); return the quantity, summed over items.

    Nothing held is not an error: 0 comes back.
    """
    held = Reservation.objects.for_demand(kind=demand_kind, reference=demand_ref).filter(quantity__gt=0)
    if item is not None:
        held = held.filter(item=item)
    items: set[int] = set()
    while not items.issuperset(found := set(held.values_list("item_id", flat=True))):
        items |= found
        rows = lock_for_posting(items=items, within=ANYWHERE)  # under the lock of its pool nobody pins more of an item
    if not items:
        return ZERO
    released = list(held.select_for_update(of=("self",), no_key=True).order_by("id"))
    for row in released:
        if row.lot_id is not None:
            cell = rows.cells[(row.item_id, row.location_id, row.lot_id, StockStatus.AVAILABLE.value)]
            StockBalance.objects.filter(pk=cell.id).update(reserved=F("reserved") - row.quantity)
    _log([(row, -row.quantity) for row in released], reason=reason, actor=actor)
    Reservation.objects.filter(pk__in=[row.pk for row in released]).update(quantity=ZERO)
    tell_changed(items=items, cause="reservation", actor=actor)
    return sum((row.quantity for row in released), ZERO)


def _log(changes: Sequence[tuple[Reservation, Decimal]], *, reason: str, actor: Actor) -> None:
    ReservationChange.objects.bulk_create(
        ReservationChange(reservation=row, quantity=quantity, reason=reason, actor_id=getattr(actor, "pk", None))
        for row, quantity in changes
    )
