"""Supply beside stock, and what is known about it: incoming, suppliers, what could be built, demand, trust in the books.

Each is one statement for any number of items, and is asked only where a policy counts it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from channels_sync.allocation import Component, Confidence, Demand, Incoming, Makeable, SupplierFigure
from channels_sync.allocation.facts import WORK_ORDER
from inventory.arrays import numbers
from inventory.models import Location, SupplierStock
from inventory.quantities import ZERO
from inventory.reads.availability import ItemAvailability
from inventory.reads.incoming import incoming, on_the_road
from inventory.records import record
from production.reads.buildable import Buildable, limits_of
from production.reads.making import making_of
from production.reads.structures import Structures

DEMAND_DAYS = 28
"""The window of recent demand: full days before today."""
COMPONENTS_KEPT = 5
"""Scarcest components kept with a derivation."""


@record(frozen=True, slots=True)
class Arrival:
    """Incoming supply and the path of the place it will arrive at."""

    supply: Incoming
    path: str


def arrivals_of(items: Collection[int]) -> dict[int, list[Arrival]]:
    """Open purchase quantities, what is on the road between places of ours, and what released work orders make for nobody in
    particular, by item id. A fixed number of statements.
    """
    found: dict[int, list[tuple[Incoming, int]]] = {}
    for rows in (incoming(items=items), on_the_road(items=items)):
        for item_id, ways in rows.items():
            found.setdefault(item_id, []).extend(
                (Incoming(one.order_id, one.reference, one.quantity, one.expected_on, one.source), one.location_id)
                for one in ways
            )
    for item_id, runs in making_of(items=items, to_promise=True).items():
        found.setdefault(item_id, []).extend(
            (
                Incoming(one.order.pk, one.order.number, one.quantity, one.order.due_on, WORK_ORDER),
                one.order.output_location_id,
            )
            for one in runs
        )
    places = {place for rows in found.values() for _, place in rows}
    paths = dict(Location.objects.filter(pk__in=places).values_list("pk", "path"))
    return {item_id: [Arrival(supply, paths[place]) for supply, place in rows] for item_id, rows in found.items()}


def supplier_figures_of(items: Collection[int]) -> dict[int, tuple[SupplierFigure, ...]]:
    """What active suppliers say to have, by item id."""
    found: dict[int, list[SupplierFigure]] = {}
    rows = SupplierStock.objects.filter(
        supplier_item__item__in=list(items), supplier_item__supplier__is_active=True
    ).order_by("supplier_item__supplier__code")
    for item_id, code, quantity, at in rows.values_list(
        "supplier_item__item_id", "supplier_item__supplier__code", "quantity", "confirmed_at"
    ):
        found.setdefault(item_id, []).append(SupplierFigure(code, quantity, at))
    return {item_id: tuple(figures) for item_id, figures in found.items()}


def makeable_of(item_id: int, structures: Structures, stock: Mapping[int, ItemAvailability]) -> Makeable:
    """How many units could be made from free components at every site."""
    bom_id = structures.in_force.get(item_id)
    if bom_id is None:
        return Makeable(ZERO, problem="no BOM is in force")
    found: Buildable = limits_of(structures, bom_id, dict(stock))
    if found.quantity is None:
        return Makeable(ZERO, bom_id, problem="no component limits it; give a fixed figure")
    return Makeable(
        found.quantity,
        bom_id,
        tuple(
            Component(limit.component.id, limit.component.sku, limit.component.stock_unit, limit.free, limit.limit)
            for limit in found.limits[:COMPONENTS_KEPT]
        ),
        found.problem,
    )


class DemandBook:
    """Recent demand by item and channel."""

    def __init__(self, sold: Mapping[tuple[int, int], Decimal]) -> None:
        self._sold = sold
        self._everywhere: dict[int, Decimal] = {}
        for (item_id, _), quantity in sold.items():
            self._everywhere[item_id] = self._everywhere.get(item_id, ZERO) + quantity

    def of(self, item_id: int, channel_id: int) -> Demand:
        return Demand(DEMAND_DAYS, self._sold.get((item_id, channel_id), ZERO), self._everywhere.get(item_id, ZERO))


def demand_of(items: Collection[int], *, today: date) -> DemandBook:
    """What was sold in the DEMAND_DAYS days before today."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item_id, channel_id, sum(quantity) FROM channels_sync_channeldemand"
            " WHERE item_id = ANY(%s::bigint[]) AND day >= %s AND day < %s GROUP BY item_id, channel_id",
            [numbers(items), today - timedelta(days=DEMAND_DAYS), today],
        )
        return DemandBook({(item_id, channel_id): quantity for item_id, channel_id, quantity in cursor.fetchall()})


_COUNTED = """
SELECT w.item_id, c.counted_at, (
  SELECT count(*) FROM (
    SELECT m.recorded_at FROM inventory_movement m WHERE m.item_id = w.item_id ORDER BY m.id DESC LIMIT 200
  ) newest WHERE newest.recorded_at > c.counted_at
)
FROM unnest(%s::bigint[]) AS w(item_id)
LEFT JOIN LATERAL (
  SELECT max(l.scanned_at) AS counted_at FROM inventory_countline l WHERE l.item_id = w.item_id AND l.state = 'posted'
) c ON true
"""


class TrustBook:
    """When items were counted last, what moved since, and which places report late."""

    def __init__(self, counted: Mapping[int, tuple[int | None, int]], stale_paths: Collection[str]) -> None:
        self._counted = counted
        self._stale_paths = stale_paths

    def of(self, item_id: int, paths: Collection[str]) -> Confidence:
        """Trust in the figures of one item at sources with these paths."""
        days, moves = self._counted.get(item_id, (None, 0))
        is_stale = any(path.startswith(late) or late.startswith(path) for path in paths for late in self._stale_paths)
        return Confidence(days, moves, is_stale)


def trust_of(items: Collection[int], *, now: datetime) -> TrustBook:
    """Two statements."""
    today = timezone.localdate(now)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, [numbers(items)])
        counted = {
            item_id: (None if at is None else max(0, (today - timezone.localdate(at)).days), moves)
            for item_id, at, moves in cursor.fetchall()
        }
        cursor.execute(
            "SELECT path FROM inventory_location WHERE is_active AND freshness_hours IS NOT NULL"
            " AND (stock_as_of IS NULL OR stock_as_of < %s - freshness_hours * interval '1 hour')",
            [now],
        )
        stale = [path for (path,) in cursor.fetchall()]
    return TrustBook(counted, stale)
