"""Choosing the cells stock leaves: by hand-picked lots, or automatically, with a refusal that says what there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from inventory.errors import InsufficientStock, LotExpired, LotMismatch, LotRequired, ReservedByOther
from inventory.locks import Cell, StockRows
from inventory.models import Item, Location, Lot, StockStatus, Tracking
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


def choose_cells(rows: StockRows, wanted: Wanted, *, on: date) -> tuple[Pick, ...]:
    """The cells to take `wanted` from, in picking order.

    Raises LotRequired, LotMismatch, LotExpired, InsufficientStock or ReservedByOther.
    """
    cells = rows.of_item(wanted.item.pk, status=wanted.status)
    if not wanted.lots:  # a blocked bin is used only by name
        cells = [cell for cell in cells if cell.is_pickable or cell.location_id == wanted.location.pk]
    lots = [cell.as_lot(own=rows.own_quantity(cell.id)) for cell in cells]
    if wanted.lots:
        _check_named(wanted, on=on)
        found = pick_named(lots, wanted=[(lot.pk, quantity) for lot, quantity in wanted.lots])
    else:
        if wanted.must_name_lot and wanted.item.tracking != Tracking.NONE:
            raise LotRequired(
                f"{wanted.item.sku} is tracked; name the lot the {as_text(wanted.quantity)} {wanted.item.stock_unit} "
                "come from.",
                item=wanted.item.sku,
            )
        day = date.min if wanted.allow_expired else on
        found = pick_lots(lots, quantity=wanted.quantity, on=day)
    if found.missing > ZERO:
        raise shortage(wanted, cells, on=on)
    return found.picks


def _check_named(wanted: Wanted, *, on: date) -> None:
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
        if lot.is_expired(on=on) and not wanted.allow_expired:
            raise LotExpired(
                f"Lot {lot} of {wanted.item.sku} expired on {lot.expires_on}. Choose another lot, or scrap this one.",
                item=wanted.item.sku,
                lot=lot.code,
                expires_on=str(lot.expires_on),
            )


def shortage(wanted: Wanted, cells: Sequence[Cell], *, on: date) -> InsufficientStock | ReservedByOther:
    """The refusal for too little stock, with every figure a person needs to go on."""
    item = wanted.item
    on_hand = sum((cell.quantity for cell in cells), ZERO)
    reserved = sum((cell.reserved for cell in cells), ZERO)
    expired = sum((c.quantity for c in cells if c.expires_on is not None and c.expires_on < on), ZERO)
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
            f"{as_text(reserved)} are reserved; {as_text(wanted.quantity)} are needed. Release a reservation or receive more.",
            **context,
        )
    also = f", {as_text(expired)} of them expired" if expired else ""
    return InsufficientStock(
        f"{wanted.location.code} holds {as_text(on_hand)} {item.stock_unit} of {item.sku}{status}{also}; "
        f"{as_text(wanted.quantity)} are needed. Receive more, or take less.",
        **context,
    )
