"""Which products could be made more or less of when the free stock of some items changes."""

from collections.abc import Collection
from datetime import date

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from production.reads.structures import IN_FORCE

_DEPENDENTS = f"""
WITH RECURSIVE reached(item_id, is_inside) AS (
  SELECT unnest(%(items)s::bigint[]), true
  UNION
  SELECT u.item_id, p.kind = 'phantom' OR u.is_exploded
  FROM reached r
  CROSS JOIN LATERAL (
    SELECT b.item_id, EXISTS (
      SELECT FROM production_bomline x WHERE x.component_id = b.item_id AND x.is_phantom
    ) AS is_exploded
    FROM production_bomline l JOIN production_bom b ON b.id = l.bom_id
    WHERE l.component_id = r.item_id AND NOT l.is_consumable AND NOT l.is_optional AND {IN_FORCE}
  ) u
  JOIN inventory_item p ON p.id = u.item_id
  WHERE r.is_inside
)
SELECT DISTINCT item_id FROM reached
"""


def dependents(*, items: Collection[int], on: date | None = None) -> set[int]:
    """`items` (ids) and everything whose version in force takes one of them, directly or through a phantom.

    A made sub-assembly counts as it lies in stock, so what is made of it is not reached through it. One statement.
    """
    if not items:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_DEPENDENTS, {"items": numbers(items), "on": on or timezone.localdate()})
        return {item_id for (item_id,) in cursor.fetchall()}
