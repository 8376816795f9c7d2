"""The cost of a product of ten levels and ten thousand items, reading included, beside a floor that only reads and multiplies."""

import gc
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.clients import cpu_seconds
from bench.report import rounded
from bench.structures import make_structure, net, tree

SHAPES = {"tree": tree, "net": net}
GARBAGE_THRESHOLD = 50_000
"""As in the web server's workers; see gunicorn.conf.py."""

_FLOOR = """
WITH RECURSIVE used(bom_id, item_id) AS (
  SELECT id, item_id FROM production_bom WHERE id = %(bom)s
  UNION
  SELECT b.id, b.item_id FROM used u
  JOIN production_bomline l ON l.bom_id = u.bom_id
  JOIN production_bom b ON b.item_id = l.component_id AND b.state = 'active'
)
SELECT u.item_id, l.component_id, l.quantity::float8, coalesce(i.standard_cost, p.value / p.quantity)::float8
FROM used u JOIN production_bomline l ON l.bom_id = u.bom_id JOIN inventory_item i ON i.id = l.component_id
LEFT JOIN inventory_costpool p ON p.item_id = i.id AND p.lot_id IS NULL
"""


def floor(bom_id: int, item_id: int) -> float:
    """The lines as rows of machine numbers, added up from below: no rules, no exactness, no reasons for what is missing."""
    from inventory.trips import rows_of

    lines: dict[int, list[tuple[int, float]]] = {}
    costs: dict[int, float] = {}
    for above, below, quantity, cost in rows_of(_FLOOR, {"bom": bom_id}):
        lines.setdefault(above, []).append((below, quantity))
        if cost is not None:
            costs[below] = cost
    waiting = [item_id]
    while waiting:
        current = waiting[-1]
        missing = [below for below, _ in lines[current] if below not in costs]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        costs[current] = sum(quantity * costs[below] for below, quantity in lines[current])
    return costs[item_id]


def _ours(bom_id: int) -> None:
    from production.reads.cost_rollup import cost_rollups

    cost_rollups(boms=[bom_id])


@dataclass(slots=True)
class _Figures:
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def take(self, work: Callable[[], object], pids: list[int]) -> None:
        before, began = cpu_seconds(pids), time.perf_counter()
        work()
        self.wall_ms.append((time.perf_counter() - began) * 1e3)
        after = cpu_seconds(pids)
        if before is not None and after is not None:
            self.cpu_ms.append((after - before) * 1e3)


def measure_rollups(*, rounds: int, levels: int = 10, nodes: int = 10_000) -> list[dict[str, Any]]:
    """Each shape: ours and the floor in turns, after one turn of each that is not counted."""
    from django.db import connection

    from bench.database import connect_as_owner
    from inventory.trips import rows_of
    from production.models import Bom

    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
    found = []
    for name, edges in SHAPES.items():
        bom_id = make_structure(name=name.upper(), edges=edges(levels=levels, nodes=nodes))
        with connect_as_owner() as admin:
            admin.execute("VACUUM ANALYZE")
        pids = [os.getpid(), int(rows_of("SELECT pg_backend_pid()", ())[0][0])]
        item_id = Bom.objects.values_list("item_id", flat=True).get(pk=bom_id)
        works: dict[str, Callable[[], object]] = {
            "ours": partial(_ours, bom_id),
            "floor": partial(floor, bom_id, item_id),
        }
        figures = {driver: _Figures() for driver in works}
        for turn in range(rounds + 1):
            for driver in list(works) if turn % 2 else reversed(list(works)):
                figures[driver].take(works[driver], pids)
        ours, least = figures["ours"], figures["floor"]
        found.append(
            {
                "shape": name,
                "lines": len(edges(levels=levels, nodes=nodes)),
                "ours_ms": rounded(statistics.median(ours.wall_ms[1:]), 1),
                "best_ms": rounded(min(ours.wall_ms[1:]), 1),
                "floor_ms": rounded(statistics.median(least.wall_ms[1:]), 1),
                "ratio": rounded(
                    statistics.median(a / b for a, b in zip(ours.wall_ms[1:], least.wall_ms[1:], strict=True)), 2
                ),
                "cpu_ms": rounded(statistics.median(ours.cpu_ms[1:]), 1) if ours.cpu_ms else None,
                "floor_cpu_ms": rounded(statistics.median(least.cpu_ms[1:]), 1) if least.cpu_ms else None,
            }
        )
    gc.set_threshold(*before)
    connection.close()
    return found
