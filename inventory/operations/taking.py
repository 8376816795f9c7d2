"""Choosing the cells stock leaves: by hand-picked lots, or automatically, with a refusal that says what there is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from inventory.errors import (
    InsufficientStock,
    LotExpired,
    LotMismatch,
    LotRequired,
    NegativeNotAllowed,
    PickReasonRequired,
    ReservedByOther,
)
from inventory.locks import Cell, CellKey, StockRows, read_last_costs
from inventory.models import Item, Location, LocationKind, Lot, StockStatus, Tracking
from inventory.operations.lots import LotSpec, ensure_lots
from inventory.operations.posting import Actor, Draft
from inventory.picking import Pick, pick_lots, pick_named
from inventory.quantities import ZERO, as_text

LotQuantity = tuple[Lot, Decimal]
"""A hand-picked lot and how much of it, in the stock unit."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A quantity of one item to take out of a place with one status."""

    item: Item
    quantity: Decimal
    location: Location
    status: str = StockStatus.AVAILABLE
    lots: Sequence[LotQuantity] = ()
    allow_expired: bool = False
    must_name_lot: bool = False
    shelf_life_days_min: int = 0
    """Lots must be good for at least so many days after the day of the posting."""


def choose_cells(rows: StockRows, wanted: Wanted, *, on: date) -> tuple[Pick, ...]:
    """The cells to take `wanted` from, in picking order.

    Raises LotRequired, LotMismatch, LotExpired, InsufficientStock or ReservedByOther.
    """
    picks, missing = find_cells(rows, wanted, on=on)
    if missing > ZERO:
        raise shortage(wanted, rows, on=on)
    return picks


def find_cells(rows: StockRows, wanted: Wanted, *, on: date) -> tuple[tuple[Pick, ...], Decimal]:
    """As choose_cells, but what is missing is told and not refused."""
    cells = _takeable(rows, wanted)
    lots = [cell.as_lot(own=rows.own_quantity(cell.id)) for cell in cells]
    if wanted.lots:
        check_named(wanted, on=on)
        found = pick_named(lots, wanted=[(lot.pk, quantity) for lot, quantity in wanted.lots])
    else:
        if wanted.must_name_lot and wanted.item.tracking != Tracking.NONE:
            raise LotRequired(
                f"{wanted.item.sku} is tracked; name the lot the {as_text(wanted.quantity)} {wanted.item.stock_unit} "
                "come from.",
                item=wanted.item.sku,
            )
        day = date.min if wanted.allow_expired else on + timedelta(days=wanted.shelf_life_days_min)
        found = pick_lots(lots, quantity=wanted.quantity, on=day)
    return found.picks, found.missing


def _takeable(rows: StockRows, wanted: Wanted) -> list[Cell]:
    """Cells that are looked at: those of the place and below it; a blocked bin is used only by name, goods on the road only
    by their transfer."""
    within = wanted.location.path
    cells = [cell for cell in rows.of_item(wanted.item.pk, status=wanted.status) if cell.path.startswith(within)]
    if wanted.lots:
        return _off_the_road(cells, wanted.location)
    return [cell for cell in cells if cell.is_pickable or cell.location_id == wanted.location.pk]


def _off_the_road(cells: list[Cell], location: Location) -> list[Cell]:
    """The cells without those that hold goods on the road, unless `location` is that very place; asked only where there may
    be such."""
    if location.kind == LocationKind.IN_TRANSIT or all(cell.is_own for cell in cells):
        return cells
    strange = {cell.location_id for cell in cells if not cell.is_own}
    road = set(Location.objects.filter(pk__in=strange, kind=LocationKind.IN_TRANSIT).values_list("pk", flat=True))
    return [cell for cell in cells if cell.location_id not in road]


def take_cells(
    draft: Draft, wanted: Wanted, *, on: date, actor: Actor, reason: str = "", may_go_below: bool = False
) -> tuple[list[tuple[CellKey, Decimal]], tuple[Pick, ...]]:
    """The cells with quantities that leave, and the picks among them that came by the picking order.

    With `may_go_below` what is missing of an item that allows it leaves the very place that was named, which goes below
    zero (rules S16, S22). Raises as choose_cells, and NegativeNotAllowed without item, privilege or reason for it.
    """
    rows = draft.rows
    picks, missing = find_cells(rows, wanted, on=on)
    cells = [((wanted.item.pk, p.location_id, p.lot_id, str(wanted.status)), p.quantity) for p in picks]
    if missing == ZERO:
        return cells, picks
    if not may_go_below or wanted.lots:
        raise shortage(wanted, rows, on=on)
    check_negative(wanted.item, actor=actor, reason=reason)
    lot_ids = ensure_lots([LotSpec(wanted.item, "", on)])
    key: CellKey = (wanted.item.pk, wanted.location.pk, lot_ids[(wanted.item.pk, "")], str(wanted.status))
    if key in rows.cells and rows.cells[key].reserved > ZERO:
        raise shortage(wanted, rows, on=on)
    read_last_costs(rows, items=[wanted.item.pk])
    draft.overdrawn.add(key)
    taken = dict(cells)
    taken[key] = taken.get(key, ZERO) + missing
    return list(taken.items()), picks


def check_picked_in_order(rows: StockRows, wanted: Wanted, *, on: date, reason: str) -> None:
    """Refuse lots that were picked by hand out of the picking order without a reason (Spec: FEFO, override with reason)."""
    if not wanted.lots or reason.strip():
        return
    automatic = replace(wanted, lots=(), must_name_lot=False)
    picks, _ = find_cells(rows, automatic, on=on)
    usual: dict[int, Decimal] = {}
    for pick in picks:
        usual[pick.lot_id] = usual.get(pick.lot_id, ZERO) + pick.quantity
    chosen: dict[int, Decimal] = {}
    for lot, quantity in wanted.lots:
        chosen[lot.pk] = chosen.get(lot.pk, ZERO) + quantity
    if chosen != usual and picks:
        codes = {cell.lot_id: cell.lot_code for cell in rows.of_item(wanted.item.pk)}
        first = ", ".join(f"{codes[lot_id] or 'no lot'} {as_text(quantity)}" for lot_id, quantity in usual.items())
        raise PickReasonRequired(
            f"By expiry and age {wanted.item.sku} would come from {first}. Other lots need a reason: say why.",
            item=wanted.item.sku,
        )


def may_use_expired(actor: Actor) -> bool:
    """Whether the person may use expired lots at all; the application itself may."""
    return actor is None or actor.has_perm("inventory.use_expired")  # type: ignore[union-attr]


def check_may_use_expired(item: Item, lots: Sequence[LotQuantity], *, actor: Actor, reason: str) -> None:
    """Refuse to use expired lots unless they are named, the person may, and there is a reason (rule S15)."""
    if not lots:
        raise LotRequired(f"Expired lots of {item.sku} are only used by name. Name the lot.", item=item.sku)
    if not may_use_expired(actor):
        raise LotExpired(
            f"You may not use expired lots of {item.sku}. Ask somebody with the privilege, or take another lot.",
            item=item.sku,
        )
    if not reason.strip():
        raise LotExpired(f"Using an expired lot of {item.sku} needs a reason. Say why.", item=item.sku)


def take_expired(
    rows: StockRows, wanted: Wanted, *, on: date
) -> tuple[list[tuple[CellKey, Decimal]], tuple[Pick, ...]]:
    """The cells the named lots leave, and the picks among them of available stock: what is set to expired goes first.

    Raises LotMismatch, InsufficientStock or ReservedByOther.
    """
    check_named(wanted, on=on)
    expired = replace(wanted, status=StockStatus.EXPIRED)
    marked = [cell.as_lot(own=ZERO) for cell in _takeable(rows, expired)]
    cells: list[tuple[CellKey, Decimal]] = []
    rest: list[LotQuantity] = []
    for lot, quantity in wanted.lots:
        found = pick_named(marked, wanted=[(lot.pk, quantity)])
        cells += [
            ((wanted.item.pk, pick.location_id, pick.lot_id, StockStatus.EXPIRED.value), pick.quantity)
            for pick in found.picks
        ]
        if found.missing > ZERO:
            rest.append((lot, found.missing))
    if not rest:
        return cells, ()
    left = replace(wanted, lots=rest, quantity=sum((quantity for _, quantity in rest), ZERO))
    picks = choose_cells(rows, left, on=on)
    cells += [((wanted.item.pk, p.location_id, p.lot_id, StockStatus.AVAILABLE.value), p.quantity) for p in picks]
    return cells, picks


def check_negative(item: Item, *, actor: Actor, reason: str) -> None:
    """Refuse to go below zero unless the item allows it, the person may, and there is a reason."""
    if not item.negative_allowed:
        raise NegativeNotAllowed(
            f"{item.sku} may not go below zero. Receive or count it first, or allow it on the item.", item=item.sku
        )
    if actor is not None and not actor.has_perm("inventory.go_negative"):  # type: ignore[union-attr]
        raise NegativeNotAllowed(
            f"You may not take {item.sku} below zero. Ask somebody with the privilege, or take less.", item=item.sku
        )
    if not reason.strip():
        raise NegativeNotAllowed(f"Taking {item.sku} below zero needs a reason. Say why.", item=item.sku)


def check_named(wanted: Wanted, *, on: date) -> None:
    """Refuse named lots that do not add up to the quantity, are of another item (LotMismatch) or expired (LotExpired)."""
    total = sum((quantity for _, quantity in wanted.lots), ZERO)
    if total != wanted.quantity:
        raise LotMismatch(
            f"The chosen lots add up to {as_text(total)} {wanted.item.stock_unit} of {wanted.item.sku}, "
            f"{as_text(wanted.quantity)} are needed. Change the quantities of the lots.",
            item=wanted.item.sku,
            chosen=as_text(total),
            needed=as_text(wanted.quantity),
        )
    for lot, _ in wanted.lots:
        if lot.item_id != wanted.item.pk:
            raise LotMismatch(
                f"Lot {lot} belongs to another item than {wanted.item.sku}. Choose a lot of this item.",
                item=wanted.item.sku,
                lot=lot.code,
            )
        if wanted.allow_expired:
            continue
        if lot.is_expired(on=on):
            raise LotExpired(
                f"Lot {lot} of {wanted.item.sku} expired on {lot.expires_on}. Choose another lot, or scrap this one.",
                item=wanted.item.sku,
                lot=lot.code,
                expires_on=str(lot.expires_on),
            )
        if lot.is_expired(on=on + timedelta(days=wanted.shelf_life_days_min)):
            raise LotExpired(
                f"Lot {lot} of {wanted.item.sku} is good through {lot.expires_on}; it must be for at least "
                f"{wanted.shelf_life_days_min} days more. Choose another lot, or ask for less shelf life.",
                item=wanted.item.sku,
                lot=lot.code,
                expires_on=str(lot.expires_on),
            )


def shortage(wanted: Wanted, rows: StockRows, *, on: date) -> InsufficientStock | ReservedByOther:
    """The refusal for too little stock, with every figure a person needs to go on."""
    item = wanted.item
    cells = _takeable(rows, wanted)
    on_hand = sum((cell.quantity for cell in cells), ZERO)
    reserved = sum((cell.reserved - rows.own_quantity(cell.id) for cell in cells), ZERO)  # for others
    first_day = on + timedelta(days=wanted.shelf_life_days_min)
    expired = sum((c.quantity for c in cells if c.expires_on is not None and c.expires_on < first_day), ZERO)
    context: dict[str, object] = {
        "item": item.sku,
        "location": wanted.location.code,
        "status": str(wanted.status),
        "needed": as_text(wanted.quantity),
        "on_hand": as_text(on_hand),
        "reserved": as_text(reserved),
        "expired": as_text(expired),
    }
    status = "" if wanted.status == StockStatus.AVAILABLE else f" with status {StockStatus(wanted.status).label}"
    if on_hand - expired >= wanted.quantity and reserved > ZERO:
        return ReservedByOther(
            f"{wanted.location.code} holds {as_text(on_hand)} {item.stock_unit} of {item.sku}{status}, of which "
            f"{as_text(reserved)} are reserved for others; {as_text(wanted.quantity)} are needed. Release a reservation "
            "or receive more.",
            **context,
        )
    days = wanted.shelf_life_days_min
    too_old = f"good for less than {days} days" if days else "expired"
    also = f", {as_text(expired)} of them {too_old}" if expired else ""
    return InsufficientStock(
        f"{wanted.location.code} holds {as_text(on_hand)} {item.stock_unit} of {item.sku}{status}{also}; "
        f"{as_text(wanted.quantity)} are needed. Receive more, or take less.",
        **context,
    )
