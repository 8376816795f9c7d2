"""Where an item is used: the lines that name it, and everything above it up to the products at the top."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection
from django.utils import timezone

from production.explosion import LineFact
from production.models import OutputKind
from production.reads.structures import IN_FORCE, rate_of_line

_DIRECT = f"""
SELECT b.id, b.item_id, p.sku, p.name, b.version, b.state, {IN_FORCE} AS is_in_force, b.makes, l.unit, c.stock_unit,
       l.id, l.component_id, l.quantity, l.unit_numerator, l.unit_denominator, l.scrap_percent, l.setup_quantity,
       l.rounding_multiple, l.issue_method, l.is_consumable, l.is_optional, l.is_phantom OR c.kind = 'phantom',
       b.process_loss_percent
FROM production_bomline l JOIN production_bom b ON b.id = l.bom_id
JOIN inventory_item p ON p.id = b.item_id JOIN inventory_item c ON c.id = l.component_id
WHERE l.component_id = %(item)s AND (b.state <> 'retired' OR %(retired)s)
ORDER BY p.sku, b.version DESC, l.position, l.id
"""

_BESIDE = f"""
SELECT b.id, b.item_id, p.sku, p.name, b.version, b.state, {IN_FORCE} AS is_in_force, use.instead_of, use.quantity, use.kind
FROM (
  SELECT l.bom_id, c.sku AS instead_of, s.ratio AS quantity, '' AS kind FROM production_bomsubstitute s
  JOIN production_bomline l ON l.id = s.line_id JOIN inventory_item c ON c.id = l.component_id WHERE s.item_id = %(item)s
  UNION ALL
  SELECT o.bom_id, '', o.quantity, o.kind FROM production_bomoutput o WHERE o.item_id = %(item)s
) use JOIN production_bom b ON b.id = use.bom_id JOIN inventory_item p ON p.id = b.item_id
WHERE b.state <> 'retired' OR %(retired)s
ORDER BY p.sku, b.version DESC, use.instead_of, use.kind
"""

_CURRENT = f"""SELECT DISTINCT ON (b.item_id) b.id, b.item_id, b.makes, b.process_loss_percent FROM production_bom b
  WHERE {IN_FORCE} ORDER BY b.item_id, b.effective_from DESC, b.version DESC"""

_ABOVE = f"""
WITH RECURSIVE current AS MATERIALIZED ({_CURRENT}), reached(item_id) AS (
  SELECT %(item)s::bigint
  UNION
  SELECT u.item_id FROM reached r JOIN production_bomline l ON l.component_id = r.item_id JOIN current u ON u.id = l.bom_id
)
SELECT u.id, u.item_id, p.sku, p.name, p.stock_unit, u.makes,
       l.id, l.component_id, l.quantity, l.unit_numerator, l.unit_denominator, l.scrap_percent, l.setup_quantity,
       l.rounding_multiple, l.issue_method, l.is_consumable, l.is_optional, u.process_loss_percent
FROM reached r JOIN production_bomline l ON l.component_id = r.item_id JOIN current u ON u.id = l.bom_id
JOIN inventory_item p ON p.id = u.item_id
ORDER BY p.sku, l.position, l.id
"""


@dataclass(frozen=True, slots=True)
class DirectUse:
    """One line that names the item. `per_unit` is exact, in the item's stock unit per unit of what is made."""

    bom_id: int
    item_id: int
    sku: str
    name: str
    version: int
    state: str
    is_in_force: bool
    quantity: Decimal
    unit: str
    makes: Decimal
    per_unit: Fraction
    is_consumable: bool
    is_optional: bool
    is_phantom: bool


@dataclass(frozen=True, slots=True)
class UseBeside:
    """A version that names the item without needing it: as a substitute, or as something that comes out beside the product.

    `quantity` is how many of the item stand for one stock unit of the component `instead_of`, or what a batch yields of it
    where `output_kind` says so; its stock unit.
    """

    bom_id: int
    item_id: int
    sku: str
    name: str
    version: int
    state: str
    is_in_force: bool
    instead_of: str
    quantity: Decimal
    output_kind: str

    @property
    def output_label(self) -> str:
        return str(OutputKind(self.output_kind).label) if self.output_kind else ""


@dataclass(frozen=True, slots=True)
class UseAbove:
    """One item that needs the item asked about, by the versions in force.

    `level` is the shortest way up, 1 for a direct use; `per_unit` adds up all ways, exactly, optional lines included.
    """

    item_id: int
    bom_id: int
    sku: str
    name: str
    stock_unit: str
    level: int
    per_unit: Fraction
    is_top: bool
    """Whether nothing else in force is made of it."""


@dataclass(frozen=True, slots=True)
class WhereUsed:
    """`direct` and `beside` cover drafts and planned versions too; `above` is what is in force, nearest first, then by SKU."""

    direct: Sequence[DirectUse]
    above: Sequence[UseAbove]
    beside: Sequence[UseBeside] = ()

    @property
    def tops(self) -> Sequence[UseAbove]:
        return [use for use in self.above if use.is_top]


def where_used(*, item_id: int, on: date | None = None, with_retired: bool = False) -> WhereUsed:
    """Every use of an item on a day (default today). Three statements whatever the number and depth of uses."""
    on = on or timezone.localdate()
    with connection.cursor() as cursor:
        cursor.execute(_DIRECT, {"item": item_id, "on": on, "retired": with_retired})
        direct = []
        for row in cursor.fetchall():
            line = LineFact(*row[10:22])
            direct.append(
                DirectUse(
                    bom_id=row[0],
                    item_id=row[1],
                    sku=row[2],
                    name=row[3],
                    version=row[4],
                    state=row[5],
                    is_in_force=row[6],
                    quantity=line.quantity,
                    unit=row[8] or row[9],
                    makes=row[7],
                    per_unit=rate_of_line(line, row[7], row[22]),
                    is_consumable=line.is_consumable,
                    is_optional=line.is_optional,
                    is_phantom=line.explodes,
                )
            )
        cursor.execute(_BESIDE, {"item": item_id, "on": on, "retired": with_retired})
        beside = [UseBeside(*row) for row in cursor.fetchall()]
        cursor.execute(_ABOVE, {"item": item_id, "on": on})
        rows = cursor.fetchall()
    return WhereUsed(direct, _above(item_id, rows), beside)


def _above(item_id: int, rows: Sequence[tuple[Any, ...]]) -> list[UseAbove]:
    """Add up the ways from the item to each of its users, an item only once all its own components are done."""
    users: dict[int, list[tuple[int, Fraction]]] = {}
    heads: dict[int, tuple[Any, ...]] = {}
    open_lines: dict[int, int] = {}
    for row in rows:
        line = LineFact(*row[6:17])
        user = int(row[1])
        heads[user] = row
        users.setdefault(line.component_id, []).append((user, rate_of_line(line, row[5], row[17])))
        open_lines[user] = open_lines.get(user, 0) + 1
    per_unit: dict[int, Fraction] = {item_id: Fraction(1)}
    level = {item_id: 0}
    ready = [item_id]
    for current in ready:
        for user, rate in users.get(current, ()):
            per_unit[user] = per_unit.get(user, Fraction(0)) + rate * per_unit[current]
            level[user] = min(level.get(user, level[current] + 1), level[current] + 1)
            open_lines[user] -= 1
            if open_lines[user] == 0:
                ready.append(user)
    found = [
        UseAbove(
            item_id=user,
            bom_id=head[0],
            sku=head[2],
            name=head[3],
            stock_unit=head[4],
            level=level[user],
            per_unit=per_unit[user],
            is_top=user not in users,
        )
        for user, head in heads.items()
    ]
    return sorted(found, key=lambda use: (use.level, use.sku))
