"""What a completion needs to know, read with one statement each (two with phantoms): the frozen BOM and its components."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection

from inventory.models import Item, ItemKind
from production.errors import InvalidBom
from production.explosion import BomFact, LineFact, Rate, explode
from production.models import WorkOrder


class ComponentFact(NamedTuple):
    """What is needed of a component item; `standard_cost` in base currency per stock unit."""

    id: int
    sku: str
    name: str
    stock_unit: str
    step: Decimal
    tracking: str
    standard_cost: Decimal | None
    is_active: bool

    @classmethod
    def of(cls, item: Item) -> "ComponentFact":
        return cls(
            item.pk,
            item.sku,
            item.name,
            item.stock_unit,
            item.step,
            item.tracking,
            item.standard_cost,
            item.is_active,
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """The lines one run goes by: rates per component, what they are, and the BOM's rules for deviating from them."""

    bom_id: int
    bom_version: int
    deviation_policy: str
    deviation_tolerance_percent: Decimal
    rates: Sequence[Rate]
    components: dict[int, ComponentFact]
    line_ids: dict[tuple[int, bool, bool], int]
    """Work order line by rate key; empty without a work order."""
    booked: dict[tuple[int, bool, bool], Decimal]
    """Expected usage already booked on the work order, by rate key."""


_COMPONENT = "i.id, i.sku, i.name, i.stock_unit, i.step, i.tracking, i.standard_cost, i.is_active"

_IN_FORCE = """
SELECT b.id FROM production_bom b
WHERE b.item_id = %(item)s AND b.state <> 'draft' AND b.effective_from <= %(on)s
  AND (b.effective_to > %(on)s OR b.effective_to IS NULL AND b.state = 'active')
ORDER BY b.effective_from DESC NULLS LAST, b.version DESC LIMIT 1
"""
_GIVEN = "SELECT b.id FROM production_bom b WHERE b.id = %(bom)s"
_ALONE = "WITH used(bom_id) AS MATERIALIZED ({root})"
_WITH_PHANTOMS = """
WITH RECURSIVE used(bom_id) AS (
  ({root})
  UNION
  SELECT child.id FROM used u
  JOIN production_bomline l ON l.bom_id = u.bom_id
  JOIN inventory_item i ON i.id = l.component_id AND (l.is_phantom OR i.kind = 'phantom')
  JOIN production_bom child ON child.item_id = i.id AND child.state <> 'draft' AND child.effective_from <= %(on)s
   AND (child.effective_to > %(on)s OR child.effective_to IS NULL AND child.state = 'active')
)"""
_LINES = f"""
SELECT b.id, b.item_id, b.version, b.makes, b.state, b.deviation_policy, b.deviation_tolerance_percent,
       l.id, l.quantity, l.unit_numerator, l.unit_denominator, l.scrap_percent, l.setup_quantity, l.rounding_multiple,
       l.issue_method, l.is_consumable, l.is_optional, l.is_phantom OR i.kind = 'phantom', i.kind,
       {_COMPONENT}
FROM used u JOIN production_bom b ON b.id = u.bom_id
LEFT JOIN production_bomline l ON l.bom_id = b.id
LEFT JOIN inventory_item i ON i.id = l.component_id
ORDER BY b.id, l.position, l.id
"""


def _bom_rows(*, item: Item, on: date, bom_id: int | None) -> list[tuple[Any, ...]]:
    """The lines of the BOM; when some of them explode, read again together with the BOMs of their parts.

    Few BOMs have phantoms, and looking for them at every level takes longer than all the rest.
    """
    root = _IN_FORCE if bom_id is None else _GIVEN
    wanted: dict[str, Any] = {"item": item.pk, "on": on} if bom_id is None else {"bom": bom_id}
    with connection.cursor() as cursor:
        cursor.execute(_ALONE.format(root=root) + _LINES, wanted)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        if any(row[17] for row in rows):
            cursor.execute(_WITH_PHANTOMS.format(root=root) + _LINES, {**wanted, "on": on})
            rows = cursor.fetchall()
    return rows


def recipe_of_bom(*, item: Item, on: date, bom_id: int | None = None) -> Recipe:
    """The recipe of the BOM in force for `item` on a day, or of the given version; phantoms are exploded.

    Raises InvalidBom when there is none, when it is a draft, when it has no lines, or when a phantom has no BOM in force.
    """
    rows = _bom_rows(item=item, on=on, bom_id=bom_id)
    head = next((row for row in rows if row[1] == item.pk and (bom_id is None or row[0] == bom_id)), None)
    if head is None:
        raise InvalidBom(
            f"{item.sku} has no BOM in force on {on}. Make one and activate it, or choose another day.",
            item=item.sku,
            on=on.isoformat(),
        )
    if head[4] == "draft":
        raise InvalidBom(
            f"BOM v{head[2]} of {item.sku} is a draft. Activate it before it is used.", item=item.sku, bom=head[0]
        )
    if not any(row[0] == head[0] and row[7] is not None for row in rows):
        raise InvalidBom(
            f"BOM v{head[2]} of {item.sku} has no lines. Add components and activate it again.",
            item=item.sku,
            bom=head[0],
        )
    components = {row[19]: ComponentFact._make(row[19:27]) for row in rows if row[7] is not None}
    if any(row[17] for row in rows):
        rates = _exploded(rows, components, item=item, on=on, head=head)
    else:
        rates = _plain_rates(head[3], tuple(row[7:20] for row in rows))
    return Recipe(head[0], head[2], head[5], head[6], rates, components, {}, {})


@lru_cache(maxsize=2_000)
def _plain_rates(makes: Decimal, lines: tuple[tuple[Any, ...], ...]) -> Sequence[Rate]:
    """The rates of a BOM without phantoms, remembered by what its lines say: many completions go by few BOMs."""
    return tuple(explode(BomFact(0, 0, makes, [_line(row) for row in lines]), {}))


def _line(row: Sequence[Any]) -> LineFact:
    """From the columns of a line, the kind of its component and its id, in this order."""
    line = LineFact(row[0], row[12], *row[1:11])
    # A service is costed, not counted, like a consumable.
    return replace(line, is_consumable=True) if row[11] == ItemKind.SERVICE else line


def _exploded(
    rows: Sequence[tuple[Any, ...]],
    components: dict[int, ComponentFact],
    *,
    item: Item,
    on: date,
    head: tuple[Any, ...],
) -> Sequence[Rate]:
    """The rates of a BOM and of the phantoms below it. Raises InvalidBom when one of them has no BOM in force."""
    boms = _read(rows)
    root = boms[head[0]]
    phantoms = {bom.item_id: bom for bom in boms.values() if bom.bom_id != root.bom_id}
    for bom in boms.values():
        for line in bom.lines:
            if line.explodes and line.component_id not in phantoms:
                sku = components[line.component_id].sku
                raise InvalidBom(
                    f"{sku}, a phantom in the BOM of {item.sku}, has no BOM in force on {on}. Make one and activate it.",
                    item=item.sku,
                    component=sku,
                )
    try:
        return explode(root, phantoms)
    except ValueError as error:
        raise InvalidBom(
            f"BOM v{head[2]} of {item.sku} cannot be exploded: {error}. Check the phantoms below it.",
            item=item.sku,
            bom=head[0],
        ) from error


def _read(rows: Sequence[tuple[Any, ...]]) -> dict[int, BomFact]:
    lines: dict[int, list[LineFact]] = {}
    heads: dict[int, tuple[Any, ...]] = {}
    for row in rows:
        heads[row[0]] = row
        found = lines.setdefault(row[0], [])
        if row[7] is not None:
            found.append(_line(row[7:20]))
    return {bom_id: BomFact(bom_id, head[1], head[3], lines[bom_id]) for bom_id, head in heads.items()}


_ORDER_LINES = f"""
SELECT b.id, b.version, b.deviation_policy, b.deviation_tolerance_percent,
       l.id, l.rate_numerator, l.rate_denominator, l.setup_quantity, l.rounding_multiple, l.issue_method, l.is_consumable,
       l.is_optional, l.booked, {_COMPONENT}
FROM production_workorder o
JOIN production_bom b ON b.id = o.bom_id
JOIN production_workorderline l ON l.work_order_id = o.id
JOIN inventory_item i ON i.id = l.component_id
WHERE o.id = %s ORDER BY l.id
"""


def recipe_of_work_order(order: WorkOrder) -> Recipe:
    """The recipe a work order froze, with what its completions booked so far."""
    with connection.cursor() as cursor:
        cursor.execute(_ORDER_LINES, [order.pk])
        rows = cursor.fetchall()
    if not rows:
        raise InvalidBom(
            f"{order.number} has no component lines. Close it and open a new one.", work_order=order.number
        )
    rates: list[Rate] = []
    components: dict[int, ComponentFact] = {}
    line_ids: dict[tuple[int, bool, bool], int] = {}
    booked: dict[tuple[int, bool, bool], Decimal] = {}
    for row in rows:
        component = ComponentFact._make(row[13:21])
        components[component.id] = component
        rate = Rate(
            component_id=component.id,
            per_unit=Fraction(int(row[5]), int(row[6])),
            setup=Fraction(row[7]),
            multiple=None if row[8] is None else Fraction(row[8]),
            issue_method=row[9],
            is_consumable=row[10],
            is_optional=row[11],
        )
        rates.append(rate)
        line_ids[rate.key] = row[4]
        booked[rate.key] = row[12]
    first = rows[0]
    return Recipe(first[0], first[1], first[2], first[3], rates, components, line_ids, booked)
