"""Balances and cost pools once more from the movements, which are the truth: for when a projection was damaged.

Pools of lots and cost layers are compared but not rebuilt: value is shared out over them without a movement of theirs.

Item by item under the locks every posting takes, so work goes on meanwhile. The ledger itself is not touched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from inventory.errors import DomainError
from inventory.locks import ANYWHERE, lock_for_posting
from inventory.models import NEUTRAL_KINDS, VALUE_KINDS, CostMethod, Item, PostingKind, StockStatus
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import run_in_transaction
from inventory.quantities import ZERO, as_text
from inventory.valuation import Pool, UnitCost, put, put_back, take, take_back

ITEMS_PER_TRANSACTION = 200


class LedgerDamaged(DomainError):
    """Movements that add up to something no stock can be. Nothing can be rebuilt from them."""

    code = "LEDGER_DAMAGED"


@dataclass(frozen=True, slots=True)
class Difference:
    """One stored figure that is not what the movements say. `where` names a balance or a pool for people."""

    where: str
    figure: str
    stored: Decimal
    rebuilt: Decimal

    def __str__(self) -> str:
        return f"{self.where}: {self.figure} {as_text(self.stored)} -> {as_text(self.rebuilt)}"


@dataclass(frozen=True, slots=True)
class RebuildResult:
    items: int
    differences: Sequence[Difference]
    damaged: Sequence[str]
    """Pools of lots and cost layers that do not add up, in words. They are not rebuilt: what a single lot or layer is worth
    does not follow from movements alone, since corrections and changes of method share value out without moving goods."""


def rebuild_balances(*, items: Iterable[int] | None = None, dry_run: bool = False) -> RebuildResult:
    """Bring balances and pools of `items` (None: all) to what movements and reservations say; with `dry_run` only compare.

    A few hundred items at a time, each batch in a transaction of its own. Pools of lots and cost layers are compared, and
    named in the result when they are wrong, but not rebuilt. Raises LedgerDamaged for movements that sum to less than
    nothing where nothing may be below zero; batches before that one are done then.
    """
    wanted = sorted(items) if items is not None else list(Item.objects.order_by("pk").values_list("pk", flat=True))
    differences: list[Difference] = []
    damaged: list[str] = []
    for start in range(0, len(wanted), ITEMS_PER_TRANSACTION):
        batch = wanted[start : start + ITEMS_PER_TRANSACTION]
        found, broken = run_in_transaction(lambda batch=batch: _rebuild(batch, dry_run=dry_run))  # type: ignore[misc]
        differences += found
        damaged += broken
    return RebuildResult(len(wanted), differences, damaged)


def _rebuild(items: list[int], *, dry_run: bool) -> tuple[list[Difference], list[str]]:
    lock_for_posting(items=items, within=ANYWHERE, statuses=list(StockStatus))
    cells = _wrong_cells(items)
    pools = _wrong_pools(items)
    _refuse_negative(cells, pools)
    damaged = _damaged_parts(items)
    if dry_run:
        transaction.set_rollback(True)
    elif cells or pools:
        _write_cells(cells)
        _write_pools(pools)
        tell_changed(items={row["item_id"] for row in (*cells, *pools)}, cause="rebuild")
    return _differences(cells, pools), damaged


_CELLS = """
WITH moved AS (
  SELECT item_id, location_id, lot_id, status, sum(quantity) AS quantity
  FROM inventory_movement WHERE item_id = ANY(%(items)s::bigint[]) GROUP BY 1, 2, 3, 4
), pinned AS (
  SELECT item_id, location_id, lot_id, 'available' AS status, sum(quantity) AS reserved FROM inventory_reservation
  WHERE item_id = ANY(%(items)s::bigint[]) AND lot_id IS NOT NULL AND quantity > 0 GROUP BY 1, 2, 3
), stored AS (
  SELECT item_id, location_id, lot_id, status, quantity, reserved, negative_allowed FROM inventory_stockbalance
  WHERE item_id = ANY(%(items)s::bigint[])
), wrong AS (
  SELECT item_id, location_id, lot_id, status,
         coalesce(s.quantity, 0) AS stored, coalesce(m.quantity, 0) AS rebuilt,
         coalesce(s.reserved, 0) AS stored_reserved, coalesce(p.reserved, 0) AS rebuilt_reserved,
         coalesce(s.negative_allowed, false) AS is_marked
  FROM moved m FULL JOIN stored s USING (item_id, location_id, lot_id, status)
  LEFT JOIN pinned p USING (item_id, location_id, lot_id, status)
  WHERE coalesce(s.quantity, 0) <> coalesce(m.quantity, 0) OR coalesce(s.reserved, 0) <> coalesce(p.reserved, 0)
)
SELECT w.*, i.sku, l.code AS location, t.code AS lot,
       is_marked OR coalesce(i.negative_allowed AND i.tracking = 'none', false) AS may_go_below
FROM wrong w
LEFT JOIN inventory_item i ON i.id = w.item_id
LEFT JOIN inventory_location l ON l.id = w.location_id
LEFT JOIN inventory_lot t ON t.id = w.lot_id
ORDER BY w.item_id, w.location_id, w.lot_id, w.status
"""

_POOLS = """
SELECT i.id AS item_id, i.sku, coalesce(p.method, i.cost_method) AS method, coalesce(p.quantity, 0) AS stored,
       coalesce(p.value, 0) AS stored_value, coalesce(p.unknown_quantity, 0) AS stored_unknown,
       coalesce(m.quantity, 0) AS rebuilt, coalesce(m.value, 0) AS rebuilt_value, coalesce(m.has_unknown, false) AS has_unknown,
       i.negative_allowed AND i.tracking = 'none'
         OR EXISTS (SELECT 1 FROM inventory_stockbalance b WHERE b.item_id = i.id AND b.negative_allowed) AS may_go_below
FROM inventory_item i
LEFT JOIN inventory_costpool p ON p.item_id = i.id AND p.lot_id IS NULL
LEFT JOIN (SELECT item_id, sum(quantity) AS quantity, sum(value) AS value, bool_or(value IS NULL) AS has_unknown
           FROM inventory_movement WHERE item_id = ANY(%(items)s::bigint[]) GROUP BY 1) m ON m.item_id = i.id
WHERE i.id = ANY(%(items)s::bigint[]) ORDER BY i.id
"""


def _wrong_cells(items: list[int]) -> list[dict[str, Any]]:
    return _rows(_CELLS, items)


def _wrong_pools(items: list[int]) -> list[dict[str, Any]]:
    pools = _rows(_POOLS, items)
    partly: dict[str, list[int]] = {}
    for pool in pools:
        if pool["has_unknown"]:
            partly.setdefault(pool["method"], []).append(pool["item_id"])
    unknown = _unknown_quantities(partly.get(CostMethod.AVERAGE, []))
    unknown |= _unknown_parts(fifo=partly.get(CostMethod.FIFO, []), by_lot=partly.get(CostMethod.LOT, []))
    for pool in pools:
        pool["rebuilt_unknown"] = unknown.get(pool["item_id"], ZERO)
    return [
        pool
        for pool in pools
        if (pool["stored"], pool["stored_value"], pool["stored_unknown"])
        != (pool["rebuilt"], pool["rebuilt_value"], pool["rebuilt_unknown"])
    ]


def _rows(sql: str, items: list[int]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"items": items})
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


_HISTORY = """
SELECT m.item_id, m.quantity, m.value, p.kind, o.kind
FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id
LEFT JOIN inventory_posting o ON o.id = p.reverses_id
WHERE m.item_id = ANY(%s::bigint[]) AND coalesce(o.kind, p.kind) <> ALL(%s::text[])
ORDER BY m.item_id, m.id
"""


def _unknown_quantities(items: list[int]) -> dict[int, Decimal]:
    """How much of each pool has an unknown cost, by replaying what valuation did with each movement."""
    pools: dict[int, Pool] = {}
    if not items:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, [items, [str(kind) for kind in (*NEUTRAL_KINDS, PostingKind.LOT_CHANGE)]])
        for item_id, quantity, value, kind, _ in cursor:
            before = pools.get(item_id, Pool())
            unknown = _unknown_after(before, quantity=quantity, value=value, kind=kind)
            pools[item_id] = Pool(before.quantity + quantity, before.value + (value or ZERO), unknown)
    return {item_id: pool.unknown_quantity for item_id, pool in pools.items()}


_UNKNOWN_PARTS = """
SELECT item_id, sum(quantity) FROM inventory_costlayer
WHERE item_id = ANY(%(fifo)s::bigint[]) AND value IS NULL AND quantity > 0 GROUP BY 1
UNION ALL
SELECT item_id, sum(unknown_quantity) FROM inventory_costpool
WHERE item_id = ANY(%(by_lot)s::bigint[]) AND lot_id IS NOT NULL GROUP BY 1
"""


def _unknown_parts(*, fifo: list[int], by_lot: list[int]) -> dict[int, Decimal]:
    """The same of items whose layers or lots know it: theirs is the truth, since units leave from single ones of them."""
    if not fifo and not by_lot:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_UNKNOWN_PARTS, {"fifo": fifo, "by_lot": by_lot})
        return {item_id: quantity for item_id, quantity in cursor.fetchall() if quantity}


def _unknown_after(pool: Pool, *, quantity: Decimal, value: Decimal | None, kind: str) -> Decimal:
    """The unknown quantity after one movement, by the very steps of valuation that made it."""
    step: Decimal = settings.CURRENCY_STEP
    unknown = pool.unknown_quantity
    if kind in VALUE_KINDS and quantity:  # late costs take units of unknown cost out and put them in at a known one
        return max(unknown + quantity, ZERO) if kind == PostingKind.LANDED_COST and value is None else unknown
    if quantity == ZERO:  # a correction makes all of it known; the reversal of a value alone does not
        return ZERO if kind == PostingKind.COST_CORRECTION else unknown
    if kind == PostingKind.REVERSAL and quantity > ZERO:
        return put_back(pool, quantity, value).pool.unknown_quantity
    if kind == PostingKind.REVERSAL:
        worth = None if value is None else -value
        return take_back(pool, -quantity, worth, step=step).pool.unknown_quantity
    if quantity > ZERO:
        return put(pool, quantity, value, step=step).pool.unknown_quantity
    last_cost = None if value is None else UnitCost(-value, -quantity)  # what it left at below zero, if that was known
    return take(pool, -quantity, step=step, last_cost=last_cost).pool.unknown_quantity


def _refuse_negative(cells: Sequence[dict[str, Any]], pools: Sequence[dict[str, Any]]) -> None:
    """Refuse sums that no stock can be. What is below zero with leave has a debt for a value, or none."""
    wrong = [
        f"{_cell_name(c)}: {as_text(c['rebuilt'])}" for c in cells if c["rebuilt"] < ZERO and not c["may_go_below"]
    ]
    wrong += [
        f"cost pool of {p['sku']}: {as_text(p['rebuilt'])} worth {as_text(p['rebuilt_value'])}"
        for p in pools
        if not _can_be(p["rebuilt"], p["rebuilt_value"], may_go_below=p["may_go_below"])
    ]
    if wrong:
        raise LedgerDamaged(
            f"The movements themselves are damaged; they sum to {'; '.join(wrong[:5])}. Restore the movements from a backup "
            "first; balances cannot be rebuilt from them.",
            findings=wrong,
        )


def _can_be(quantity: Decimal, value: Decimal, *, may_go_below: bool) -> bool:
    if quantity < ZERO:
        return may_go_below and value <= ZERO
    return value >= ZERO if quantity else value == ZERO


def _write_cells(cells: Sequence[dict[str, Any]]) -> None:
    if not cells:
        return
    names = ("item_id", "location_id", "lot_id", "status", "rebuilt", "rebuilt_reserved")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_stockbalance AS b (item_id, location_id, lot_id, status, quantity, reserved,"
            " negative_allowed) SELECT n.*, n.quantity < 0 FROM"
            " unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::numeric[], %s::numeric[])"
            " AS n(item_id, location_id, lot_id, status, quantity, reserved)"
            " ON CONFLICT (item_id, location_id, lot_id, status) DO UPDATE SET quantity = EXCLUDED.quantity,"
            " reserved = EXCLUDED.reserved, negative_allowed = b.negative_allowed OR EXCLUDED.negative_allowed",
            [[cell[name] for cell in cells] for name in names],
        )


def _write_pools(pools: Sequence[dict[str, Any]]) -> None:
    if not pools:
        return
    names = ("item_id", "rebuilt", "rebuilt_value", "rebuilt_unknown")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_costpool (item_id, lot_id, method, quantity, value, unknown_quantity)"
            " SELECT n.item_id, NULL, i.cost_method, n.quantity, n.value, n.unknown"
            " FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[])"
            " AS n(item_id, quantity, value, unknown) JOIN inventory_item i ON i.id = n.item_id"
            " ON CONFLICT (item_id, lot_id) DO UPDATE SET quantity = EXCLUDED.quantity, value = EXCLUDED.value,"
            " unknown_quantity = EXCLUDED.unknown_quantity",
            [[pool[name] for pool in pools] for name in names],
        )


_DAMAGED = """
WITH wanted AS (
  SELECT id AS item_id, sku, cost_method FROM inventory_item
  WHERE id = ANY(%(items)s::bigint[]) AND cost_method IN ('lot', 'fifo')
), moved AS (
  SELECT m.item_id, m.lot_id, sum(m.quantity) AS quantity, coalesce(sum(m.value), 0) AS value
  FROM inventory_movement m JOIN wanted USING (item_id) GROUP BY 1, 2
), of_lots AS (
  SELECT p.item_id, p.lot_id, p.quantity, p.value FROM inventory_costpool p JOIN wanted w USING (item_id)
  WHERE p.lot_id IS NOT NULL AND w.cost_method = 'lot'
), parts AS (
  SELECT item_id, quantity, value FROM of_lots
  UNION ALL
  SELECT y.item_id, y.quantity, coalesce(y.value, 0) FROM inventory_costlayer y JOIN wanted w USING (item_id)
  WHERE w.cost_method = 'fifo'
)
SELECT w.sku, 'lot ' || t.code AS what, coalesce(p.quantity, 0), NULL, coalesce(m.quantity, 0), NULL
FROM of_lots p FULL JOIN (SELECT moved.* FROM moved JOIN wanted USING (item_id) WHERE cost_method = 'lot') m
  USING (item_id, lot_id)
JOIN wanted w USING (item_id) JOIN inventory_lot t ON t.id = lot_id
WHERE coalesce(p.quantity, 0) <> coalesce(m.quantity, 0)
UNION ALL
SELECT w.sku, CASE w.cost_method WHEN 'lot' THEN 'its lots' ELSE 'its layers' END,
       coalesce(s.quantity, 0), coalesce(s.value, 0), coalesce(m.quantity, 0), coalesce(m.value, 0)
FROM wanted w
LEFT JOIN (SELECT item_id, sum(quantity) AS quantity, sum(value) AS value FROM parts GROUP BY 1) s USING (item_id)
LEFT JOIN (SELECT item_id, sum(quantity) AS quantity, sum(value) AS value FROM moved GROUP BY 1) m USING (item_id)
WHERE (coalesce(s.quantity, 0), coalesce(s.value, 0)) <> (coalesce(m.quantity, 0), coalesce(m.value, 0))
ORDER BY 1, 2
"""


def _damaged_parts(items: list[int]) -> list[str]:
    """Pools of lots and layers that are not what their item's movements say."""
    with connection.cursor() as cursor:
        cursor.execute(_DAMAGED, {"items": items})
        return [
            f"{sku}, {what}: {_holding(quantity, value)}, the ledger {_holding(expected, worth)}"
            for sku, what, quantity, value, expected, worth in cursor.fetchall()
        ]


def _holding(quantity: Decimal, value: Decimal | None) -> str:
    return as_text(quantity) if value is None else f"{as_text(quantity)} worth {as_text(value)}"


def _differences(cells: Sequence[dict[str, Any]], pools: Sequence[dict[str, Any]]) -> list[Difference]:
    found = []
    for cell in cells:
        for figure, suffix in (("quantity", ""), ("reserved", "_reserved")):
            if cell[f"stored{suffix}"] != cell[f"rebuilt{suffix}"]:
                found.append(Difference(_cell_name(cell), figure, cell[f"stored{suffix}"], cell[f"rebuilt{suffix}"]))
    for pool in pools:
        for figure, suffix in (("quantity", ""), ("value", "_value"), ("unknown quantity", "_unknown")):
            if pool[f"stored{suffix}"] != pool[f"rebuilt{suffix}"]:
                where = f"cost pool of {pool['sku']}"
                found.append(Difference(where, figure, pool[f"stored{suffix}"], pool[f"rebuilt{suffix}"]))
    return found


def _cell_name(cell: dict[str, Any]) -> str:
    lot = f", lot {cell['lot']}" if cell["lot"] else ""
    return f"{cell['sku']} at {cell['location']}{lot}, {StockStatus(cell['status']).label.lower()}"
