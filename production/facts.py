"""What a completion needs to know, read with one statement each (two with phantoms): the frozen BOM and its components."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection

from inventory.models import Item, ItemKind
from inventory.quantities import ZERO
from inventory.trips import Question, Rows, rows_of
from production.errors import InvalidBom
from production.explosion import (
    BomFact,
    BomUse,
    LineFact,
    OperationFact,
    OutputFact,
    Rate,
    explode,
    started_per_good,
    uses_of_boms,
)
from production.models import WorkOrder
from production.models.work_orders import exact_setup


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
    extras: "RecipeExtras | None" = None
    """Operations, by-products and substitutes; None when the BOM has none."""
    builds: frozenset[int] = frozenset()
    """Components of which what is missing is made in the same completion."""
    process_loss_percent: Decimal = ZERO


class OutputItem(NamedTuple):
    """What is needed of an item that comes out beside the main one."""

    id: int
    sku: str
    stock_unit: str
    step: Decimal
    tracking: str
    shelf_life_days: int | None
    inspection_required: bool


@dataclass(frozen=True, slots=True)
class RecipeExtras:
    """What a BOM says beside its lines."""

    operations: Sequence[OperationFact]
    uses: Sequence[BomUse]
    outputs: Sequence[OutputFact]
    output_items: dict[int, OutputItem]
    substitutes: dict[int, dict[int, Decimal]]
    """By component: ratio by the id of the item that may replace it, in order of preference."""


_COMPONENT = "i.id, i.sku, i.name, i.stock_unit, i.step, i.tracking, i.standard_cost, i.is_active"

_HAS_EXTRAS = (
    "(EXISTS (SELECT 1 FROM production_bomoperation o WHERE o.bom_id = b.id)"
    " OR EXISTS (SELECT 1 FROM production_bomoutput p WHERE p.bom_id = b.id)"
    " OR EXISTS (SELECT 1 FROM production_bomsubstitute s JOIN production_bomline sl ON sl.id = s.line_id"
    " WHERE sl.bom_id = b.id))"
)
_IN_FORCE = """
SELECT b.id FROM production_bom b
WHERE b.item_id = %s AND b.state <> 'draft' AND b.effective_from <= %s
  AND (b.effective_to > %s OR b.effective_to IS NULL AND b.state = 'active')
ORDER BY b.effective_from DESC NULLS LAST, b.version DESC LIMIT 1
"""
_GIVEN = "SELECT b.id FROM production_bom b WHERE b.id = %s"
_ALONE = f"used(bom_id, has_extras) AS MATERIALIZED (SELECT b.id, {_HAS_EXTRAS} FROM ({{root}}) b)"
_WITH_PHANTOMS = f"""
RECURSIVE below(bom_id) AS (
  ({{root}})
  UNION
  SELECT child.id FROM below u
  JOIN production_bomline l ON l.bom_id = u.bom_id
  JOIN inventory_item i ON i.id = l.component_id AND (l.is_phantom OR i.kind = 'phantom')
  JOIN production_bom child ON child.item_id = i.id AND child.state <> 'draft' AND child.effective_from <= %s
   AND (child.effective_to > %s OR child.effective_to IS NULL AND child.state = 'active')
), used(bom_id, has_extras) AS MATERIALIZED (
  SELECT b.id, {_HAS_EXTRAS} FROM production_bom b WHERE b.id IN (SELECT bom_id FROM below)
)"""
_LINES = f"""
b.id, b.item_id, b.version, b.makes, b.state, b.deviation_policy, b.deviation_tolerance_percent,
       l.id, l.quantity, l.unit_numerator, l.unit_denominator, l.scrap_percent, l.setup_quantity, l.rounding_multiple,
       l.issue_method, l.is_consumable, l.is_optional, l.is_phantom OR i.kind = 'phantom', i.kind,
       {_COMPONENT}, l.builds_shortage, b.process_loss_percent, u.has_extras
FROM (VALUES (1)) one LEFT JOIN used u ON true
LEFT JOIN production_bom b ON b.id = u.bom_id
LEFT JOIN production_bomline l ON l.bom_id = b.id
LEFT JOIN inventory_item i ON i.id = l.component_id
ORDER BY b.id, l.position, l.id
"""


def bom_question(*, item: Item, on: date, bom_id: int | None = None) -> Question:
    """The lines of the BOM in force for `item` on a day, or of the given version, for `recipe_of_bom`."""
    root, wanted = _root(item, on, bom_id)
    return Question(_ALONE.format(root=root), _LINES, wanted)


def _root(item: Item, on: date, bom_id: int | None) -> tuple[str, list[Any]]:
    return (_IN_FORCE, [item.pk, on, on]) if bom_id is None else (_GIVEN, [bom_id])


def _bom_rows(*, item: Item, on: date, bom_id: int | None, answer: Rows | None = None) -> Rows:
    """The lines of the BOM; when some of them explode, read again together with the BOMs of their parts.

    Few BOMs have phantoms, and looking for them at every level takes longer than all the rest. `answer` is what the
    question answered, where it was asked before.
    """
    rows = rows_of(*bom_question(item=item, on=on, bom_id=bom_id).alone()) if answer is None else answer
    if any(row[17] for row in rows):
        root, wanted = _root(item, on, bom_id)
        rows = rows_of(*Question(_WITH_PHANTOMS.format(root=root), _LINES, [*wanted, on, on]).alone())
    return [row for row in rows if row[0] is not None]


def recipe_of_bom(*, item: Item, on: date, bom_id: int | None = None, answer: Rows | None = None) -> Recipe:
    """The recipe of the BOM in force for `item` on a day, or of the given version; phantoms are exploded.

    `answer` is what `bom_question` answered for the same arguments, where it was asked before. Raises InvalidBom when there
    is none, when it is a draft, when it has no lines, or when a phantom has no BOM in force.
    """
    rows = _bom_rows(item=item, on=on, bom_id=bom_id, answer=answer)
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
        rates = _plain_rates(head[0], head[3], head[28], [row[7:20] for row in rows])
    return Recipe(
        bom_id=head[0],
        bom_version=head[2],
        deviation_policy=head[5],
        deviation_tolerance_percent=head[6],
        rates=rates,
        components=components,
        line_ids={},
        booked={},
        extras=_extras(_read(rows), head[0]) if any(row[29] for row in rows) else None,
        builds=frozenset(row[19] for row in rows if row[27]),
        process_loss_percent=head[28],
    )


def _plain_rates(bom_id: int, makes: Decimal, loss: Decimal, lines: list[tuple[Any, ...]]) -> Sequence[Rate]:
    """The rates of a BOM without phantoms, remembered for as long as its lines say the same: many completions go by few
    BOMs."""
    said, kept = (makes, loss, lines), _kept_rates(bom_id)
    if kept and kept[0][0] == said:
        return kept[0][1]
    rates = tuple(explode(BomFact(0, 0, makes, [_line(row) for row in lines], loss), {}))
    kept[:] = [(said, rates)]
    return rates


@lru_cache(maxsize=2_000)
def _kept_rates(bom_id: int) -> list[tuple[object, Sequence[Rate]]]:  # noqa: ARG001  what it is remembered by
    """Where the rates of a BOM are kept, with what they follow from; empty at first."""
    return []


_EXTRAS = """
SELECT 'operation', o.bom_id, o.kind, o.name, o.minutes, o.setup_minutes, o.rate_per_hour, o.amount,
       NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::int, NULL::boolean, o.position, o.id, NULL::bigint
FROM production_bomoperation o WHERE o.bom_id = ANY(%(boms)s::bigint[])
UNION ALL
SELECT 'output', p.bom_id, p.kind, '', p.quantity, p.cost_share_percent, p.unit_value, i.step,
       i.id, i.sku, i.stock_unit, i.tracking, i.shelf_life_days, i.inspection_required, p.position, p.id, NULL
FROM production_bomoutput p JOIN inventory_item i ON i.id = p.item_id WHERE p.bom_id = %(root)s
UNION ALL
SELECT 'substitute', l.bom_id, '', '', s.ratio, NULL, NULL, NULL, s.item_id, NULL, NULL, NULL, NULL, NULL, s.position, s.id,
       l.component_id
FROM production_bomsubstitute s JOIN production_bomline l ON l.id = s.line_id WHERE l.bom_id = ANY(%(boms)s::bigint[])
ORDER BY 1, 15, 16
"""


def _extras(boms: Mapping[int, BomFact], root_id: int) -> RecipeExtras:
    """Operations of the root and its phantoms, by-products of the root, substitutes of all lines. One statement."""
    root = boms[root_id]
    phantoms = {bom.item_id: bom for bom in boms.values() if bom.bom_id != root_id}
    batch = started_per_good(root.process_loss_percent) / Fraction(root.makes)
    operations: list[OperationFact] = []
    outputs: list[OutputFact] = []
    items: dict[int, OutputItem] = {}
    substitutes: dict[int, dict[int, Decimal]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_EXTRAS, {"boms": list(boms), "root": root_id})
        for row in cursor.fetchall():
            if row[0] == "operation":
                operations.append(OperationFact(row[1], row[2], row[3], *row[4:8]))
            elif row[0] == "output":
                outputs.append(OutputFact(row[8], row[2], Fraction(row[4]) * batch, row[5], row[6]))
                items[row[8]] = OutputItem(row[8], row[9], row[10], row[7], row[11], row[12], row[13])
            else:
                substitutes.setdefault(row[16], {}).setdefault(row[8], row[4])
    return RecipeExtras(operations, uses_of_boms(root, phantoms), outputs, items, substitutes)


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
    return {bom_id: BomFact(bom_id, head[1], head[3], lines[bom_id], head[28]) for bom_id, head in heads.items()}


_ORDER_LINES = f"""
SELECT b.id, b.version, b.deviation_policy, b.deviation_tolerance_percent,
       l.id, l.rate_numerator, l.rate_denominator, l.setup_quantity, l.rounding_multiple, l.issue_method, l.is_consumable,
       l.is_optional, l.booked, {_COMPONENT}, x.has_extras, b.process_loss_percent, l.setup_numerator, l.setup_denominator
FROM production_workorder o
JOIN production_bom b ON b.id = o.bom_id
CROSS JOIN LATERAL (SELECT {_HAS_EXTRAS} OR EXISTS (
  SELECT 1 FROM production_bomline e JOIN inventory_item ei ON ei.id = e.component_id
  WHERE e.bom_id = b.id AND (e.is_phantom OR e.builds_shortage OR ei.kind = 'phantom')) AS has_extras) x
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
            setup=exact_setup(row[7], row[23], row[24]),
            multiple=None if row[8] is None else Fraction(row[8]),
            issue_method=row[9],
            is_consumable=row[10],
            is_optional=row[11],
        )
        rates.append(rate)
        line_ids[rate.key] = row[4]
        booked[rate.key] = row[12]
    first = rows[0]
    extras, builds = None, frozenset[int]()
    if first[21]:  # what the BOM says beside its lines, by the day the order froze it
        bom_rows = _bom_rows(item=order.item, on=order.frozen_day, bom_id=first[0])
        extras = _extras(_read(bom_rows), first[0]) if any(row[29] for row in bom_rows) else None
        builds = frozenset(row[19] for row in bom_rows if row[27])
    return Recipe(
        bom_id=first[0],
        bom_version=first[1],
        deviation_policy=first[2],
        deviation_tolerance_percent=first[3],
        rates=rates,
        components=components,
        line_ids=line_ids,
        booked=booked,
        extras=extras,
        builds=builds,
        process_loss_percent=first[22],
    )
