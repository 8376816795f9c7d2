"""What stock is worth when it moves: moving average by pools (rule S20). Pure; values are exact, residues are kept."""

from decimal import Decimal
from typing import NamedTuple

from inventory.quantities import ZERO, proportion


class Pool(NamedTuple):
    """Quantity (stock unit) and value (base currency) of an item's stock; see models.CostPool."""

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


class Taken(NamedTuple):
    """What an issue is worth, the pool after it, and known value that was left on zero units of a partly unknown pool."""

    value: Decimal | None
    pool: Pool
    residue: Decimal = ZERO


def average_value(pool: Pool, quantity: Decimal, *, step: Decimal) -> Decimal | None:
    """Value of `quantity` units at the pool's average; the whole value for the whole pool; None when unknown."""
    return None if pool.is_unknown else proportion(pool.value, quantity, pool.quantity, step=step)


def take(pool: Pool, quantity: Decimal, *, step: Decimal) -> Taken:
    """Issue `quantity` (positive, at most what the pool has) at the average.

    From a pool with units of unknown cost the value is None; when that empties it, the known rest of its value is handed
    back as `residue`, so that no value stays on zero units.
    """
    left = pool.quantity - quantity
    if left < ZERO:
        raise ValueError(f"cannot take {quantity} from a pool of {pool.quantity}")
    if pool.is_unknown:
        if left == ZERO:
            return Taken(None, Pool(), residue=pool.value)
        return Taken(None, Pool(left, pool.value, pool.unknown_quantity))
    value = proportion(pool.value, quantity, pool.quantity, step=step)
    return Taken(value, Pool(left, pool.value - value, pool.unknown_quantity))


def put(pool: Pool, quantity: Decimal, value: Decimal | None) -> Pool:
    """Receive `quantity` (positive) worth `value`; None for goods whose cost is not known."""
    if value is None:
        return Pool(pool.quantity + quantity, pool.value, pool.unknown_quantity + quantity)
    return Pool(pool.quantity + quantity, pool.value + value, pool.unknown_quantity)


def take_back(pool: Pool, quantity: Decimal, value: Decimal | None, *, step: Decimal) -> Taken:
    """Undo a receipt of `quantity` worth `value`: its very value leaves, so far as the pool still has it (rule S14).

    Goods of unknown cost (None) leave unknown, or at the average when their cost was corrected since. `Taken.value` is
    what really leaves: where the exact value would leave value on zero units, or a negative value, the caller books the
    difference to `value` as reversal variance.
    """
    left = pool.quantity - quantity
    if left < ZERO:
        raise ValueError(f"cannot take {quantity} from a pool of {pool.quantity}")
    if value is None and not pool.is_unknown:  # its cost became known by a correction: it leaves at the average
        return take(pool, quantity, step=step)
    if value is None:
        unknown = max(pool.unknown_quantity - quantity, ZERO)
        if left == ZERO:
            return Taken(None, Pool(), residue=pool.value)
        return Taken(None, Pool(left, pool.value, unknown))
    out = pool.value if left == ZERO else min(value, pool.value)
    unknown = ZERO if left == ZERO else min(pool.unknown_quantity, left)
    return Taken(out, Pool(left, pool.value - out, unknown))
