"""What goods are worth that turn up without a price: found, counted, reported by somebody else, or back from a customer."""

from decimal import Decimal

from inventory.locks import CellKey, StockRows, read_last_costs
from inventory.models import CostMethod
from inventory.operations.posting import Draft
from inventory.valuation import average_value


def found_value(rows: StockRows, key: CellKey, quantity: Decimal, *, draft: Draft | None = None) -> Decimal | None:
    """What `quantity` (positive, stock unit) of a cell's item is worth, as the rows say or the `draft` leaves them.

    At the average of its lot, where lots carry their cost and there is something of it, else at that of the item, else at
    the cost the item last came or left at; None when neither is known.
    """
    item_id = key[0]
    so_far = Draft(rows) if draft is None else draft
    if so_far.method(item_id) == CostMethod.LOT:
        of_lot = so_far.lot_pool(key)
        if of_lot.quantity:
            return average_value(of_lot, quantity, step=so_far.step)
    for pool in (so_far.pool(item_id), rows.pools[item_id]):
        if pool.quantity:
            return average_value(pool, quantity, step=so_far.step)
    read_last_costs(rows, items=[item_id])
    last = rows.last_costs.get(item_id)
    return None if last is None else last.of(quantity, step=so_far.step)
