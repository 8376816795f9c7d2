"""What is free of many items at once, as SQL that other statements are built on.

The same figure as `inventory.reads.availability`: over the sources of a pool, each clamped at zero by itself. A pool is a
set of sources and a number of days that lots must be good for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from inventory.arrays import numbers
from inventory.models import LocationKind, StockStatus
from inventory.trips import Rows, Statement, rows_of

FREE = """
source AS MATERIALIZED (
  SELECT g.pool, g.good_for, s.id, s.path, s.path || '%%' AS below
  FROM unnest(%(pools)s::int[], %(sources)s::bigint[], %(good_for)s::int[]) AS g(pool, source_id, good_for)
  JOIN inventory_location s ON s.id = g.source_id
), place AS MATERIALIZED (
  SELECT s.pool, s.good_for, s.id AS source_id, l.id AS location_id
  FROM source s JOIN inventory_location l ON l.path LIKE s.below
  WHERE l.is_sellable AND l.is_active AND NOT l.is_blocked
), held AS (
  SELECT b.item_id, p.pool, p.source_id, sum(greatest(b.quantity, 0) - b.reserved) AS free
  FROM inventory_stockbalance b JOIN place p ON p.location_id = b.location_id
  JOIN inventory_lot t ON t.id = b.lot_id
  WHERE {of_balances} AND b.quantity <> 0 AND b.status = %(available)s
    AND (t.expires_on IS NULL OR t.expires_on >= %(day)s::date + p.good_for)
  GROUP BY b.item_id, p.pool, p.source_id
), soft AS (
  SELECT r.item_id, s.pool, s.id AS source_id, sum(r.quantity) AS quantity
  FROM inventory_reservation r JOIN inventory_location l ON l.id = r.location_id
  JOIN source s ON l.path LIKE s.below OR s.path LIKE l.path || '%%'
  WHERE {of_reservations} AND r.lot_id IS NULL AND r.quantity > 0 AND (r.expires_at IS NULL OR r.expires_at > %(at)s)
  GROUP BY r.item_id, s.pool, s.id
), free AS (
  SELECT h.item_id, h.pool, sum(greatest(h.free - coalesce(f.quantity, 0), 0)) AS free
  FROM held h LEFT JOIN soft f USING (item_id, pool, source_id) GROUP BY h.item_id, h.pool
)
"""
"""Common table expressions that end in `free(item_id, pool, free)`; what is not in it has nothing free."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Sources (location ids; empty: every site) and the days lots must be good for."""

    sources: frozenset[int] = frozenset()
    good_for_days: int = 0


EVERY_SITE = Pool()


def places_statement(pools: Sequence[Pool]) -> Statement:
    """What `pool_arguments` has to know of places, for who asks it together with something else."""
    return (
        "SELECT id, path, parent_id IS NULL AND kind <> %s FROM inventory_location"
        " WHERE parent_id IS NULL OR id = ANY(%s::bigint[]) ORDER BY path",
        [LocationKind.CHANNEL_OWNED.value, numbers({one for pool in pools for one in pool.sources})],
    )


def pool_arguments(pools: Sequence[Pool], *, at: datetime, places: Rows | None = None) -> dict[str, Any]:
    """Arguments of FREE; a pool's number is its place in `pools`. One statement, none with what `places_statement` answered."""
    rows = rows_of(*places_statement(pools)) if places is None else places
    found = [
        (number, source, pool.good_for_days) for number, pool in enumerate(pools) for source in _outermost(pool, rows)
    ]
    return {
        "pools": [number for number, _, _ in found],
        "sources": [source for _, source, _ in found],
        "good_for": [days for *_, days in found],
        "available": StockStatus.AVAILABLE.value,
        "day": timezone.localdate(at),
        "at": at,
    }


def _outermost(pool: Pool, rows: Collection[tuple[int, str, bool]]) -> list[int]:
    """The sources of a pool that lie in no other one of it."""
    if not pool.sources:
        return [one for one, _, is_site in rows if is_site]
    named = [(one, path) for one, path, _ in rows if one in pool.sources]
    return [one for one, path in named if not any(path != other and path.startswith(other) for _, other in named)]
