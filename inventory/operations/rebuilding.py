"""Balances and cost pools once more from the movements, which are the truth: for when a projection was damaged.

Item by item under the locks every posting takes, so work goes on meanwhile. The ledger itself is not touched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from inventory.errors import DomainError
from inventory.locks import ANYWHERE, lock_for_posting
from inventory.models import NEUTRAL_KINDS, VALUE_KINDS, CostMethod, Item, PostingKind, StockChange, StockStatus
from inventory.operations.transactions import run_in_transaction
from inventory.quantities import ZERO, as_text
from inventory.wakeups import wake_after_commit

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


def rebuild_balances(*, items: Iterable[int] | None = None, dry_run: bool = False) -> RebuildResult:
    """Bring balances and pools of `items` (None: all) to what movements and reservations say; with `dry_run` only compare.

    A few hundred items at a time, each batch in a transaction of its own. Raises LedgerDamaged for movements that sum to
    less than nothing; batches before that one are done then.
    """
    wanted = sorted(items) if items is not None else list(Item.objects.order_by("pk").values_list("pk", flat=True))
    differences: list[Difference] = []
    for start in range(0, len(wanted), ITEMS_PER_TRANSACTION):
        batch = wanted[start : start + ITEMS_PER_TRANSACTION]
        differences += run_in_transaction(lambda batch=batch: _rebuild(batch, dry_run=dry_run))  # type: ignore[misc]
    return RebuildResult(len(wanted), differences)


def _rebuild(items: list[int], *, dry_run: bool) -> list[Difference]:
    lock_for_posting(items=items, within=ANYWHERE, statuses=list(StockStatus))
    cells = _wrong_cells(items)
    pools = _wrong_pools(items)
    _refuse_negative(cells, pools)
    if dry_run:
        transaction.set_rollback(True)
    elif cells or pools:
        _write_cells(cells)
        _write_pools(pools)
        changed = sorted({row["item_id"] for row in (*cells, *pools)})
        StockChange.objects.create(items=changed, cause="rebuild")
        wake_after_commit()
    return _differences(cells, pools)


_CELLS = """
WITH moved AS (
  SELECT item_id, location_id, lot_id, status, sum(quantity) AS quantity
  FROM inventory_movement WHERE item_id = ANY(%(items)s::bigint[]) GROUP BY 1, 2, 3, 4
), pinned AS (
  SELECT item_id, location_id, lot_id, 'available' AS status, sum(quantity) AS reserved FROM inventory_reservation
  WHERE item_id = ANY(%(items)s::bigint[]) AND lot_id IS NOT NULL AND quantity > 0 GROUP BY 1, 2, 3
), stored AS (
  SELECT item_id, location_id, lot_id, status, quantity, reserved FROM inventory_stockbalance
  WHERE item_id = ANY(%(items)s::bigint[])
), wrong AS (
  SELECT item_id, location_id, lot_id, status,
         coalesce(s.quantity, 0) AS stored, coalesce(m.quantity, 0) AS rebuilt,
         coalesce(s.reserved, 0) AS stored_reserved, coalesce(p.reserved, 0) AS rebuilt_reserved
  FROM moved m FULL JOIN stored s USING (item_id, location_id, lot_id, status)
  LEFT JOIN pinned p USING (item_id, location_id, lot_id, status)
  WHERE coalesce(s.quantity, 0) <> coalesce(m.quantity, 0) OR coalesce(s.reserved, 0) <> coalesce(p.reserved, 0)
)
SELECT w.*, i.sku, l.code AS location, t.code AS lot FROM wrong w
LEFT JOIN inventory_item i ON i.id = w.item_id
LEFT JOIN inventory_location l ON l.id = w.location_id
LEFT JOIN inventory_lot t ON t.id = w.lot_id
ORDER BY w.item_id, w.location_id, w.lot_id, w.status
"""

_POOLS = """
SELECT i.id AS item_id, i.sku, p.method, coalesce(p.quantity, 0) AS stored, coalesce(p.value, 0) AS stored_value,
       coalesce(p.unknown_quantity, 0) AS stored_unknown, coalesce(m.quantity, 0) AS rebuilt,
       coalesce(m.value, 0) AS rebuilt_value, coalesce(m.has_unknown, false) AS has_unknown
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
    partly = [pool for pool in pools if pool["has_unknown"]]
    layered = [pool["item_id"] for pool in partly if pool["method"] in (CostMethod.FIFO, CostMethod.LOT)]
    unknown = _unknown_quantities([pool["item_id"] for pool in partly if pool["item_id"] not in layered])
    unknown |= _unknown_parts(layered)
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
    unknown: dict[int, Decimal] = {}
    if not items:
        return unknown
    held: dict[int, Decimal] = {}
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, [items, [str(kind) for kind in (*NEUTRAL_KINDS, PostingKind.LOT_CHANGE)]])
        for item_id, quantity, value, kind, _ in cursor:
            before = unknown.get(item_id, ZERO)
            left = held.get(item_id, ZERO) + quantity
            held[item_id] = left
            unknown[item_id] = _unknown_after(before, quantity=quantity, value=value, left=left, kind=kind)
    return unknown


_UNKNOWN_PARTS = """
SELECT item_id, sum(quantity) FROM inventory_costlayer y
WHERE item_id = ANY(%(items)s::bigint[]) AND value IS NULL AND quantity > 0
  AND EXISTS (SELECT 1 FROM inventory_costpool p WHERE p.item_id = y.item_id AND p.lot_id IS NULL AND p.method = 'fifo')
GROUP BY 1
UNION ALL
SELECT item_id, sum(unknown_quantity) FROM inventory_costpool l WHERE item_id = ANY(%(items)s::bigint[]) AND lot_id IS NOT NULL
  AND EXISTS (SELECT 1 FROM inventory_costpool p WHERE p.item_id = l.item_id AND p.lot_id IS NULL AND p.method = 'lot')
GROUP BY 1
"""


def _unknown_parts(items: list[int]) -> dict[int, Decimal]:
    """The same of items whose layers or lots know it: theirs is the truth, since units leave from single ones of them."""
    if not items:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_UNKNOWN_PARTS, {"items": items})
        return {item_id: quantity for item_id, quantity in cursor.fetchall() if quantity}


def _unknown_after(unknown: Decimal, *, quantity: Decimal, value: Decimal | None, left: Decimal, kind: str) -> Decimal:
    """The unknown quantity after one movement: the same steps as put, take, put_back and take_back of inventory.valuation."""
    if kind in VALUE_KINDS and quantity:  # late costs take units of unknown cost out and put them in at a known one
        return max(unknown + quantity, ZERO) if kind == PostingKind.LANDED_COST and value is None else unknown
    if quantity > ZERO and kind == PostingKind.REVERSAL:  # put_back
        return min(unknown + quantity, max(unknown, left)) if value is None else unknown
    if quantity > ZERO:  # put
        return unknown + quantity if value is None else unknown
    if quantity == ZERO:  # a correction makes all of it known; the reversal of a value alone does not
        return ZERO if kind == PostingKind.COST_CORRECTION else unknown
    if left == ZERO:
        return ZERO
    if kind != PostingKind.REVERSAL:  # take: what leaves a partly unknown pool is unknown, and the rest stays so
        return unknown
    return max(unknown + quantity, ZERO) if value is None else min(unknown, left)  # take_back


def _refuse_negative(cells: Sequence[dict[str, Any]], pools: Sequence[dict[str, Any]]) -> None:
    wrong = [f"{_cell_name(c)}: {as_text(c['rebuilt'])}" for c in cells if c["rebuilt"] < ZERO]
    wrong += [
        f"cost pool of {p['sku']}: {as_text(p['rebuilt'])} worth {as_text(p['rebuilt_value'])}"
        for p in pools
        if p["rebuilt"] < ZERO or p["rebuilt_value"] < ZERO or (p["rebuilt"] == ZERO and p["rebuilt_value"])
    ]
    if wrong:
        raise LedgerDamaged(
            f"The movements themselves are damaged; they sum to {'; '.join(wrong[:5])}. Restore the movements from a backup "
            "first; balances cannot be rebuilt from them.",
            findings=wrong,
        )


def _write_cells(cells: Sequence[dict[str, Any]]) -> None:
    if not cells:
        return
    names = ("item_id", "location_id", "lot_id", "status", "rebuilt", "rebuilt_reserved")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_stockbalance (item_id, location_id, lot_id, status, quantity, reserved)"
            " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::numeric[], %s::numeric[])"
            " ON CONFLICT (item_id, location_id, lot_id, status)"
            " DO UPDATE SET quantity = EXCLUDED.quantity, reserved = EXCLUDED.reserved",
            [[cell[name] for cell in cells] for name in names],
        )


def _write_pools(pools: Sequence[dict[str, Any]]) -> None:
    if not pools:
        return
    names = ("item_id", "rebuilt", "rebuilt_value", "rebuilt_unknown")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_costpool (item_id, lot_id, quantity, value, unknown_quantity)"
            " SELECT n.item_id, NULL, n.quantity, n.value, n.unknown"
            " FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[])"
            " AS n(item_id, quantity, value, unknown)"
            " ON CONFLICT (item_id, lot_id) DO UPDATE SET quantity = EXCLUDED.quantity, value = EXCLUDED.value,"
            " unknown_quantity = EXCLUDED.unknown_quantity",
            [[pool[name] for pool in pools] for name in names],
        )


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
