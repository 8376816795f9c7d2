"""What stock is worth when it moves: moving average, first-in-first-out layers, and below zero (rules S20, S22).

Pure; values are exact to the currency step, residues are kept, so that what was received equals what was issued to the cent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from inventory.quantities import ZERO, proportion


class Pool(NamedTuple):
    """Quantity (stock unit) and value (base currency) of an item's stock; see models.CostPool.

    Below zero, `value` is the debt at the cost it was issued at, negative too.
    """

    quantity: Decimal = ZERO
    value: Decimal = ZERO
    unknown_quantity: Decimal = ZERO

    @property
    def is_unknown(self) -> bool:
        return self.unknown_quantity > ZERO

    @property
    def unit_cost(self) -> Decimal | None:
        """Base currency per stock unit, for display; None when unknown or empty."""
        return None if self.is_unknown or not self.quantity else self.value / self.quantity


class UnitCost(NamedTuple):
    """A unit cost as it was paid: `value` for `quantity` (positive, stock unit), never divided."""

    value: Decimal
    quantity: Decimal

    def of(self, quantity: Decimal, *, step: Decimal) -> Decimal:
        return proportion(self.value, quantity, self.quantity, step=step)


class Taken(NamedTuple):
    """What an issue is worth, the pool after it, and known value that was left on zero units of a partly unknown pool."""

    value: Decimal | None
    pool: Pool
    residue: Decimal = ZERO


class Given(NamedTuple):
    """The pool after a receipt. `settled` is what leaves (positive) or enters (negative) with it, because units that had
    gone below zero cost something else than what they left at; `is_unknown` when one of the two costs is not known."""

    pool: Pool
    settled: Decimal = ZERO
    is_unknown: bool = False


def average_value(pool: Pool, quantity: Decimal, *, step: Decimal) -> Decimal | None:
    """Value of `quantity` units at the pool's average; the whole value for the whole pool; None when unknown.

    Zero from a pool that nets out to nothing, which only happens while another cell of the item is below zero.
    """
    if pool.is_unknown:
        return None
    if pool.quantity == ZERO:
        return ZERO
    return proportion(abs(pool.value), quantity, abs(pool.quantity), step=step)


def take(pool: Pool, quantity: Decimal, *, step: Decimal, last_cost: UnitCost | None = None) -> Taken:
    """Issue `quantity` (positive) at the average.

    From a pool with units of unknown cost the value is None; when that empties it, the known rest of its value is handed
    back as `residue`, so that no value stays on zero units. What the pool lacks leaves at the last known cost (rule S22):
    that of the pool, else `last_cost`, else unknown.
    """
    left = pool.quantity - quantity
    if left < ZERO:
        return _take_below_zero(pool, quantity, step=step, last_cost=last_cost)
    if pool.is_unknown:
        if left == ZERO:
            return Taken(None, Pool(), residue=pool.value)
        return Taken(None, Pool(left, pool.value, pool.unknown_quantity))
    value = proportion(pool.value, quantity, pool.quantity, step=step)
    return Taken(value, Pool(left, pool.value - value, pool.unknown_quantity))


def _take_below_zero(pool: Pool, quantity: Decimal, *, step: Decimal, last_cost: UnitCost | None) -> Taken:
    have = max(pool.quantity, ZERO)
    missing = quantity - have
    left = pool.quantity - quantity
    if pool.quantity and not pool.is_unknown:
        last_cost = UnitCost(abs(pool.value), abs(pool.quantity))
    if pool.is_unknown or last_cost is None:
        if have:  # what was there leaves unknown with the rest; its known value does not stay behind
            return Taken(None, Pool(left, ZERO, missing), residue=pool.value)
        return Taken(None, Pool(left, pool.value, min(pool.unknown_quantity + missing, -left)))
    owed = last_cost.of(missing, step=step)
    if have:
        return Taken(pool.value + owed, Pool(left, -owed, ZERO))
    return Taken(owed, Pool(left, pool.value - owed, ZERO))


def put(pool: Pool, quantity: Decimal, value: Decimal | None, *, step: Decimal) -> Given:
    """Receive `quantity` (positive) worth `value`; None for goods whose cost is not known.

    A pool below zero is covered first: those units are worth what they left at, and the difference to what they cost is
    settled. Units above zero are worth their own price.
    """
    if pool.quantity < ZERO:
        return _cover(pool, quantity, value, step=step)
    if value is None:
        return Given(Pool(pool.quantity + quantity, pool.value, pool.unknown_quantity + quantity))
    return Given(Pool(pool.quantity + quantity, pool.value + value, pool.unknown_quantity))


def _cover(pool: Pool, quantity: Decimal, value: Decimal | None, *, step: Decimal) -> Given:
    debt = -pool.quantity
    covered = min(quantity, debt)
    left = pool.quantity + quantity
    owed = proportion(-pool.value, covered, debt, step=step)
    unknown_debt = max(pool.unknown_quantity - covered, ZERO)
    if value is None:  # what the covered units cost is not known: their debt goes, the rest comes in unknown
        above = max(left, ZERO)
        return Given(Pool(left, pool.value + owed, above or unknown_debt), settled=-owed, is_unknown=True)
    cost = proportion(value, covered, quantity, step=step)
    kept = ZERO if left <= ZERO else value - cost
    after = Pool(left, pool.value + owed + kept, unknown_debt if left < ZERO else ZERO)
    return Given(after, settled=cost - owed, is_unknown=pool.is_unknown)


class Carried(NamedTuple):
    """A pool in two parts: what stays and what is carried to another lot. Together they are the pool."""

    rest: Pool
    part: Pool


def carry(pool: Pool, quantity: Decimal, *, step: Decimal) -> Carried:
    """Split `quantity` (positive, at most what there is) off a pool with its value; units of unknown cost go first.

    Nothing becomes known or unknown by it, and no value is left on zero units.
    """
    left = pool.quantity - quantity
    if left == ZERO:
        return Carried(Pool(), pool)
    unknown = min(pool.unknown_quantity, quantity)
    priced = pool.quantity - pool.unknown_quantity
    value = proportion(pool.value, quantity - unknown, priced, step=step) if priced > ZERO else ZERO
    return Carried(Pool(left, pool.value - value, pool.unknown_quantity - unknown), Pool(quantity, value, unknown))


def put_back(pool: Pool, quantity: Decimal, value: Decimal | None) -> Taken:
    """Undo an issue: the very quantity and value return. `residue` is value that nothing carries then (rule S14).

    What comes back unknown is counted as unknown again, but no more units than the pool has: an issue that did not empty it
    had left their number as it was (`take`).
    """
    left = pool.quantity + quantity
    if value is None:
        if pool.quantity < ZERO:
            unknown = max(left, ZERO) if left > ZERO else max(pool.unknown_quantity - quantity, ZERO)
        else:
            unknown = min(pool.unknown_quantity + quantity, max(pool.unknown_quantity, left))
        return _signed(None, Pool(left, pool.value, unknown))
    return _signed(value, Pool(left, pool.value + value, min(pool.unknown_quantity, abs(left))))


def _signed(value: Decimal | None, pool: Pool) -> Taken:
    """`pool`, and as residue what would stand on zero units or with the wrong sign."""
    if pool.quantity == ZERO:
        return Taken(value, Pool(), residue=pool.value)
    if (pool.quantity > ZERO and pool.value < ZERO) or (pool.quantity < ZERO and pool.value > ZERO):
        return Taken(value, Pool(pool.quantity, ZERO, pool.unknown_quantity), residue=pool.value)
    return Taken(value, pool)


def take_back(pool: Pool, quantity: Decimal, value: Decimal | None, *, step: Decimal) -> Taken:
    """Undo a receipt of `quantity` worth `value`: its very value leaves, so far as the pool still has it (rule S14).

    Goods of unknown cost (None) leave unknown, or at the average when their cost was corrected since. `Taken.value` is
    what really leaves: where the exact value would leave value on zero units, or a negative value, the caller books the
    difference to `value` as reversal variance.
    """
    left = pool.quantity - quantity
    if value is None and not pool.is_unknown:  # its cost became known by a correction: it leaves at the average
        return take(pool, quantity, step=step)
    if value is None:
        unknown = max(pool.unknown_quantity - quantity, ZERO)
        if left == ZERO:
            return Taken(None, Pool(), residue=pool.value)
        return Taken(None, Pool(left, pool.value, unknown))
    if left < ZERO:  # another cell is below zero
        out = max(value, pool.value)
        return Taken(out, Pool(left, pool.value - out, min(pool.unknown_quantity, -left)))
    out = pool.value if left == ZERO else min(value, pool.value)
    unknown = ZERO if left == ZERO else min(pool.unknown_quantity, left)
    return Taken(out, Pool(left, pool.value - out, unknown))


# --- First in, first out ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Layer:
    """What is left of one receipt, and what the present posting does to it. `id` is None for one that it makes.

    `value` is None while the cost is not known.
    """

    id: int | None
    posting_id: int | None
    lot_id: int
    received: Decimal
    quantity: Decimal
    value: Decimal | None
    moved: Decimal = ZERO
    revalued: Decimal | None = ZERO
    """Sum of the changes of value; None when units of unknown cost came or went."""
    is_repriced: bool = False
    """Whether its cost became known, be it 0."""

    @property
    def is_changed(self) -> bool:
        return bool(self.moved) or self.revalued != ZERO or self.is_repriced

    def change(self, quantity: Decimal, value: Decimal | None) -> None:
        """Add signed `quantity` and `value`."""
        self.quantity += quantity
        self.moved += quantity
        if self.value is not None and value is not None:
            self.value += value
            self.revalued = None if self.revalued is None else self.revalued + value
        else:
            self.revalued = None

    def make_known(self, value: Decimal) -> None:
        """What is left of it, of unknown cost so far, is worth `value`."""
        self.value, self.revalued, self.is_repriced = value, value, True


class LayersTaken(NamedTuple):
    """What an issue is worth, None when a part of it is unknown; `known` is the value of the known part."""

    value: Decimal | None
    known: Decimal


def pool_of(layers: Iterable[Layer]) -> Pool:
    """The sum of layers."""
    quantity = value = unknown = ZERO
    for layer in layers:
        quantity += layer.quantity
        if layer.value is None:
            unknown += layer.quantity
        else:
            value += layer.value
    return Pool(quantity, value, unknown)


def take_layers(layers: Sequence[Layer], quantity: Decimal, *, step: Decimal) -> LayersTaken:
    """Take `quantity` (positive, at most what there is) out of the oldest layers, which are changed.

    Of a layer that is emptied all that is left of its value goes, of another its part, rounded (rule S20).
    """
    missing = quantity
    value: Decimal | None = ZERO
    known = ZERO
    for layer in layers:
        part = min(layer.quantity, missing)
        if part <= ZERO:
            continue
        worth = None if layer.value is None else proportion(layer.value, part, layer.quantity, step=step)
        layer.change(-part, None if worth is None else -worth)
        known += worth or ZERO
        value = None if value is None or worth is None else value + worth
        missing -= part
        if not missing:
            break
    if missing:
        raise ValueError(f"cannot take {quantity}: the layers lack {missing}")
    return LayersTaken(value, known)


class LayerUse(NamedTuple):
    """What one posting took out of a layer: positive quantity, its value, None when unknown."""

    layer: Layer
    quantity: Decimal
    value: Decimal | None


def return_to_layers(uses: Sequence[LayerUse], quantity: Decimal, *, step: Decimal) -> LayersTaken:
    """Put `quantity` back into the layers it was taken from, the last taken first, each to its old place in the queue."""
    missing = quantity
    value: Decimal | None = ZERO
    known = ZERO
    for use in reversed(uses):
        part = min(use.quantity, missing)
        if part <= ZERO:
            continue
        layer = use.layer
        if use.value is not None and layer.value is not None:
            worth: Decimal | None = proportion(use.value, part, use.quantity, step=step)
        elif layer.value is not None and layer.quantity:  # its cost became known since: at what the rest is worth now
            worth = proportion(layer.value, part, layer.quantity, step=step)
        else:
            worth, layer.value = None, None
        layer.change(part, worth)
        known += worth or ZERO
        value = None if value is None or worth is None else value + worth
        missing -= part
        if not missing:
            break
    if missing:
        raise ValueError(f"cannot return {quantity}: only {quantity - missing} were taken from layers")
    return LayersTaken(value, known)
