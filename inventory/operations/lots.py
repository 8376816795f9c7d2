"""Finding and making lots."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from inventory.arrays import days, numbers, texts
from inventory.errors import DuplicateSerial, LotMismatch, LotRequired
from inventory.models import Item, StockBalance, Tracking
from inventory.quantities import as_text
from inventory.trips import Rows, Statement, in_one_trip


@dataclass(frozen=True, slots=True)
class LotSpec:
    """A lot to find or make. An empty code is the item's implicit lot.

    `expires_on` is what somebody said, and a lot that exists must agree; `expires_on_if_new` is what a new one gets otherwise.
    """

    item: Item
    code: str
    received_on: date
    expires_on: date | None = None
    supplier_lot: str = ""
    expires_on_if_new: date | None = None

    @property
    def key(self) -> tuple[int, str]:
        return (self.item.pk, self.code.upper())


def check_lot_code(item: Item, code: str, quantity: Decimal) -> str:
    """The code for stock coming in: required for a tracked item, empty for an untracked one; a serial is one piece.

    Raises LotRequired, or DuplicateSerial for a quantity of a serial other than one.
    """
    code = code.strip()
    if item.tracking == Tracking.NONE:
        if code:
            raise LotRequired(
                f"{item.sku} is not tracked by lot, but lot {code} was given. Leave the lot empty, or switch tracking on.",
                item=item.sku,
                lot=code,
            )
        return ""
    if not code:
        raise LotRequired(
            f"{item.sku} is tracked by {item.get_tracking_display().lower().removeprefix('by ')}; "
            f"name the one for these {as_text(quantity)} {item.stock_unit}.",
            item=item.sku,
        )
    if item.tracking == Tracking.SERIAL and quantity != 1:
        raise DuplicateSerial(
            f"Serial number {code} of {item.sku} is one piece, not {as_text(quantity)}. Give one serial number each.",
            item=item.sku,
            lot=code,
        )
    return code


_FIND = """
SELECT l.id, l.item_id, upper(l.code), l.expires_on FROM inventory_lot l
JOIN unnest(%s::bigint[], %s::text[]) AS s(item_id, code) ON l.item_id = s.item_id AND upper(l.code) = upper(s.code)
"""


_ENSURE = f"""
WITH made AS (
  INSERT INTO inventory_lot (item_id, code, received_on, expires_on, supplier_lot, note, created_at)
  SELECT s.item_id, s.code, s.received_on, s.expires_on, s.supplier_lot, '', now()
  FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::date[], %s::text[])
    AS s(item_id, code, received_on, expires_on, supplier_lot)
  ON CONFLICT (item_id, upper(code)) DO NOTHING RETURNING id, item_id, upper(code), expires_on
)
SELECT * FROM made UNION ALL {_FIND}
"""


def ensure_lots(specs: Sequence[LotSpec]) -> dict[tuple[int, str], int]:
    """Ids of the lots by (item id, code in upper case); those that do not exist are made, in key order.

    Several specs may name one lot; what only one of them gives holds. Raises LotMismatch when a lot exists with another
    expiry than the one given, or when two specs of a lot differ in expiry or supplier's lot.
    """
    (rows,) = in_one_trip(lots_statement(specs))
    return lots_answered(specs, rows)


def lots_statement(specs: Sequence[LotSpec]) -> Statement:
    """What `ensure_lots` executes, to be sent along with something else; `lots_answered` reads the answer."""
    ordered = _ordered(specs)
    items, codes = numbers(s.item.pk for s in ordered), texts(s.code for s in ordered)
    received = days(s.received_on for s in ordered)
    expires = days(s.expires_on or s.expires_on_if_new for s in ordered)
    return _ENSURE, [items, codes, received, expires, texts(s.supplier_lot for s in ordered), items, codes]


def lots_answered(specs: Sequence[LotSpec], rows: Rows) -> dict[tuple[int, str], int]:
    """The lots by the answer to `lots_statement`, as ensure_lots returns them. Raises LotMismatch."""
    ordered = _ordered(specs)
    if len(rows) < len(ordered):  # a rival made one meanwhile; a statement sees only what was there when it began
        (rows,) = in_one_trip(_find_statement(ordered))
    wanted = {spec.key: spec for spec in ordered}
    for _, item_id, code, expires_on in rows:
        refuse_other_expiry(wanted[(item_id, code)], expires_on)
    return {(item_id, code): lot_id for lot_id, item_id, code, _ in rows}


def lots_there(specs: Sequence[LotSpec]) -> dict[tuple[int, str], tuple[int, date | None]]:
    """Id and expiry of those lots that exist, by (item id, code in upper case); nothing is made or compared."""
    if not specs:
        return {}
    (rows,) = in_one_trip(_find_statement(_ordered(specs)))
    return {(item_id, code): (lot_id, expires_on) for lot_id, item_id, code, expires_on in rows}


def refuse_other_expiry(spec: LotSpec, expires_on: date | None) -> None:
    """Refuse another expiry than the lot has that exists (`expires_on`). Raises LotMismatch."""
    if spec.expires_on is not None and spec.expires_on != expires_on:
        raise LotMismatch(
            f"Lot {spec.code} of {spec.item.sku} exists and "
            f"{f'expires on {expires_on}' if expires_on else 'has no expiry'}, not {spec.expires_on}. "
            "Leave the expiry empty to add to that lot, or use another lot code.",
            item=spec.item.sku,
            lot=spec.code,
            expires_on=str(expires_on),
        )


def _find_statement(ordered: Sequence[LotSpec]) -> Statement:
    return _FIND, [numbers(s.item.pk for s in ordered), texts(s.code for s in ordered)]


def _ordered(specs: Sequence[LotSpec]) -> list[LotSpec]:
    wanted: dict[tuple[int, str], LotSpec] = {}
    for spec in specs:
        known = wanted.get(spec.key)
        wanted[spec.key] = spec if known is None else _merged(known, spec)
    return [wanted[key] for key in sorted(wanted)]


def _merged(one: LotSpec, other: LotSpec) -> LotSpec:
    """What two lines say of one lot: what only one of them gives holds for both. Raises LotMismatch when they differ."""
    if one.expires_on and other.expires_on and one.expires_on != other.expires_on:
        raise LotMismatch(
            f"Lot {one.code} of {one.item.sku} is given twice, to expire on {one.expires_on} and on {other.expires_on}. "
            "Give the one that is right in one line, or use two lot codes.",
            item=one.item.sku,
            lot=one.code,
            expires_on=[str(one.expires_on), str(other.expires_on)],
        )
    if one.supplier_lot and other.supplier_lot and one.supplier_lot != other.supplier_lot:
        raise LotMismatch(
            f"Lot {one.code} of {one.item.sku} is given twice, as {one.supplier_lot} and as {other.supplier_lot} of the "
            "supplier. Use one lot code for each lot of the supplier.",
            item=one.item.sku,
            lot=one.code,
            supplier_lot=[one.supplier_lot, other.supplier_lot],
        )
    return replace(
        one, expires_on=one.expires_on or other.expires_on, supplier_lot=one.supplier_lot or other.supplier_lot
    )


def refuse_serials_on_hand(specs: Sequence[LotSpec], lot_ids: dict[tuple[int, str], int]) -> None:
    """Refuse a serial number that is on hand already. The items' pools must be locked."""
    serials = {lot_ids[s.key]: s for s in specs if s.item.tracking == Tracking.SERIAL}
    if not serials:
        return
    held = StockBalance.objects.filter(lot_id__in=serials, quantity__gt=0).select_related("location").first()
    if held is not None:
        spec = serials[held.lot_id]
        raise DuplicateSerial(
            f"Serial number {spec.code} of {spec.item.sku} is on hand at {held.location.code}. "
            "Check the number; a piece can be in one place only.",
            item=spec.item.sku,
            lot=spec.code,
            location=held.location.code,
        )
