"""Which lots to take: earliest expiry first, then oldest first. Pure: rows in, picks out."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from inventory.quantities import ZERO

FAR_FUTURE = date.max


class LotOnHand(NamedTuple):
    """What one cell offers. `free` is not promised to anybody; `own` is promised to the very demand that picks."""

    cell_id: int
    location_id: int
    lot_id: int
    free: Decimal
    received_on: date
    expires_on: date | None = None
    own: Decimal = ZERO


class Pick(NamedTuple):
    """A quantity to take from one cell; `own` of it fulfils the demand's own reservation."""

    cell_id: int
    location_id: int
    lot_id: int
    quantity: Decimal
    own: Decimal


class Picks(NamedTuple):
    """What was found, and how much could not be."""

    picks: tuple[Pick, ...]
    missing: Decimal


def picking_order(lot: LotOnHand) -> tuple[date, date, int, int]:
    """Earliest expiry, then earliest receipt, then the lot that was made first, then the place (rule S15).

    Lots without an expiry come last, so for items that never expire this is first in, first out.
    """
    return (lot.expires_on or FAR_FUTURE, lot.received_on, lot.lot_id, lot.cell_id)


def pick_lots(lots: Iterable[LotOnHand], *, quantity: Decimal, on: date) -> Picks:
    """Take `quantity` from what the demand has reserved, then from what is free; expired lots are passed over.

    A lot is good through its expiry day. When there is too little, everything there is and what is missing.
    """
    usable = [lot for lot in lots if lot.expires_on is None or lot.expires_on >= on]
    if len(usable) > 1:
        usable.sort(key=picking_order)
    missing = quantity
    promised: dict[int, Decimal] = {}
    for lot in usable:
        if lot.own > ZERO and missing > ZERO:
            promised[lot.cell_id] = min(lot.own, missing)
            missing -= promised[lot.cell_id]
    picks = []
    for lot in usable:
        own = promised.get(lot.cell_id, ZERO)
        free = min(lot.free, missing)
        if free > ZERO:
            missing -= free
            picks.append(Pick(lot.cell_id, lot.location_id, lot.lot_id, own + free, own))
        elif own > ZERO:
            picks.append(Pick(lot.cell_id, lot.location_id, lot.lot_id, own, own))
    return Picks(tuple(picks), missing)


def pick_named(lots: Sequence[LotOnHand], *, wanted: Sequence[tuple[int, Decimal]]) -> Picks:
    """Take given quantities from given lots, in any of the cells that hold them; hand-picked lots override the order."""
    picks: dict[int, Pick] = {}
    missing = ZERO
    for lot_id, quantity in wanted:
        left = quantity
        for lot in sorted((lot for lot in lots if lot.lot_id == lot_id), key=picking_order):
            before = picks.get(lot.cell_id)
            own_left = lot.own - (before.own if before else ZERO)
            free_left = lot.free - (before.quantity - before.own if before else ZERO)
            own = min(own_left, left)
            free = min(free_left, left - own)
            if own + free > ZERO:
                picks[lot.cell_id] = Pick(
                    lot.cell_id,
                    lot.location_id,
                    lot.lot_id,
                    (before.quantity if before else ZERO) + own + free,
                    (before.own if before else ZERO) + own,
                )
                left -= own + free
            if left <= ZERO:
                break
        missing += max(left, ZERO)
    return Picks(tuple(picks.values()), missing)
