"""How much of the stock came in without a cost, at any moment.

A movement of unknown value tells that something of unknown cost came or went; whether what is left is known follows from
the order of recording, as the cost pools follow it: goods that came in without a cost make the whole pool unknown until it
runs empty or its cost is corrected. First-in-first-out items are asked of their layers, which know it one by one.
"""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from django.db import connection

from inventory.arrays import numbers
from inventory.models import CostMethod, CostPool
from inventory.quantities import ZERO
from inventory.reads.moments import AsOf

# Per posting, in the order of the movements since the pool was last empty or corrected: what came in of unknown cost or was
# taken back of it. What was used counts until the pool is empty, so it is left out.
_POOLS = """
WITH by_posting AS (
  SELECT m.item_id, CASE WHEN c.method = 'lot' THEN m.lot_id ELSE 0 END AS lot_id, m.posting_id, min(m.id) AS place,
         sum(m.quantity) AS moved, coalesce(sum(m.quantity) FILTER (WHERE m.value IS NULL), 0) AS unknown
  FROM inventory_movement m JOIN inventory_costpool c ON c.item_id = m.item_id AND c.lot_id IS NULL
  WHERE m.item_id = ANY(%s::bigint[]) AND {condition} GROUP BY 1, 2, 3
), running AS (
  SELECT b.*, p.kind, sum(b.moved) OVER (PARTITION BY b.item_id, b.lot_id ORDER BY b.place) AS held
  FROM by_posting b JOIN inventory_posting p ON p.id = b.posting_id
), emptied AS (
  SELECT item_id, lot_id, max(place) AS place FROM running WHERE held = 0 GROUP BY 1, 2
), corrected AS (
  SELECT item_id, max(place) AS place FROM running WHERE kind = 'cost_correction' GROUP BY 1
), left_over AS (
  SELECT r.item_id, sum(r.unknown) AS net, (array_agg(r.held ORDER BY r.place DESC))[1] AS held,
         array_agg(r.unknown ORDER BY r.place) FILTER ({counts}) AS steps,
         array_agg(CASE WHEN r.kind = 'reversal' THEN r.held END ORDER BY r.place) FILTER ({counts}) AS held_after
  FROM running r LEFT JOIN emptied e USING (item_id, lot_id) LEFT JOIN corrected c USING (item_id)
  WHERE r.place > greatest(coalesce(e.place, 0), coalesce(c.place, 0)) GROUP BY r.item_id, r.lot_id
)
SELECT item_id, net, held, steps, held_after FROM left_over WHERE held < 0 AND net < 0 OR held > 0 AND steps IS NOT NULL
"""
_COUNTS = "WHERE r.unknown > 0 OR r.unknown < 0 AND r.kind = 'reversal'"
_LAYERS = """
SELECT item_id, sum(quantity) FROM (
  SELECT y.item_id, c.layer_id, sum(c.quantity) AS quantity,
         (array_agg(c.value IS NULL ORDER BY c.id DESC))[1] AS is_unknown
  FROM inventory_costlayer y JOIN inventory_costlayerchange c ON c.layer_id = y.id
  JOIN inventory_posting p ON p.id = c.posting_id
  WHERE y.item_id = ANY(%s::bigint[]) AND {condition} GROUP BY 1, 2
) layer WHERE is_unknown AND quantity > 0 GROUP BY 1
"""


def unknown_quantities(*, items: Collection[int], moment: AsOf) -> dict[int, Decimal]:
    """Units (stock unit) whose cost was not known, by item; items without any are left out.

    Of an average item the figure counts what came in without a cost, of which a part may have been used since.
    """
    methods = dict(CostPool.objects.filter(item_id__in=list(items), lot__isnull=True).values_list("item_id", "method"))
    by_layer = [item_id for item_id, method in methods.items() if method == CostMethod.FIFO]
    by_pool = [item_id for item_id, method in methods.items() if method != CostMethod.FIFO]
    found: dict[int, Decimal] = {}
    if by_pool:
        for item_id, net, held, steps, held_after in _query(_POOLS, by_pool, moment.condition("m")):
            part = min(-net, -held) if held < ZERO else min(_came(steps, held_after), held)
            found[item_id] = found.get(item_id, ZERO) + part
    if by_layer:
        found |= dict(_query(_LAYERS, by_layer, moment.condition("p")))
    return {item_id: quantity for item_id, quantity in found.items() if quantity > ZERO}


def items_of_unknown_cost(*, moment: AsOf) -> dict[int, Decimal]:
    """Every item of which some units had no known cost, with how many (stock unit)."""
    with connection.cursor() as cursor:
        if moment.is_now:
            cursor.execute(
                "SELECT item_id, unknown_quantity FROM inventory_costpool"
                " WHERE lot_id IS NULL AND unknown_quantity > 0 AND quantity <> 0"
            )
            return dict(cursor.fetchall())
        cursor.execute("SELECT DISTINCT item_id FROM inventory_movement WHERE value IS NULL")
        items = [row[0] for row in cursor.fetchall()]
    return unknown_quantities(items=items, moment=moment) if items else {}


def _came(steps: Sequence[Decimal], held_after: Sequence[Decimal | None]) -> Decimal:
    """What came in without a cost after these steps, as put, put_back and take_back of inventory.valuation count it.

    `held_after` is what the pool had after a step that undid something, None after any other.
    """
    came = ZERO
    for unknown, held in zip(steps, held_after, strict=True):
        added = max(came + unknown, ZERO)
        came = min(added, max(came, held)) if held is not None and unknown > ZERO else added
    return came


def _query(sql: str, items: Sequence[int], condition: tuple[str, list[Any]]) -> list[tuple[Any, ...]]:
    words, parameters = condition
    with connection.cursor() as cursor:
        cursor.execute(sql.format(condition=words, counts=_COUNTS), [numbers(items), *parameters])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
