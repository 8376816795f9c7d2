"""BOM versions with everything below them, read with one statement whatever their number, size and depth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from inventory.models import ItemKind
from inventory.records import record
from inventory.trips import Rows, Statement, rows_of
from production.explosion import (
    BomFact,
    LineFact,
    OperationFact,
    OutputFact,
    Rate,
    explode,
    need_per_unit,
    started_per_good,
)

IN_FORCE = """(b.state <> 'draft' AND b.effective_from <= %(on)s
   AND (b.effective_to > %(on)s OR b.effective_to IS NULL AND b.state = 'active'))"""
"""SQL: version `b` is used on the day `on`. A retired version was used until the day it ended."""

_IN_FORCE_OF = f"""SELECT b.id FROM production_bom b WHERE b.item_id = {{item}} AND {IN_FORCE}
   ORDER BY b.effective_from DESC, b.version DESC LIMIT 1"""

_LINES = f"""SELECT b.id, b.item_id, b.version, b.state, b.makes, b.effective_from, b.effective_to, {IN_FORCE},
       b.process_loss_percent,
       o.id, o.sku, o.name, o.kind, o.stock_unit, o.step, o.standard_cost, o.is_active,
       l.id, l.component_id, l.quantity, l.unit_numerator, l.unit_denominator, l.scrap_percent, l.setup_quantity,
       l.rounding_multiple, l.issue_method, l.is_consumable, l.is_optional, l.is_phantom OR i.kind = 'phantom',
       l.unit, l.reference, l.note, l.builds_shortage,
       i.id, i.sku, i.name, i.kind, i.stock_unit, i.step, i.standard_cost, i.is_active
FROM production_bom b JOIN inventory_item o ON o.id = b.item_id
LEFT JOIN production_bomline l ON l.bom_id = b.id
LEFT JOIN inventory_item i ON i.id = l.component_id
WHERE b.id = ANY((SELECT array_agg(bom_id) FROM used)::bigint[])
ORDER BY b.id, l.position, l.id
"""
"""As an array, so that the planner looks versions up: of a recursion it expects so many that it reads all there are."""

_STRUCTURES = f"""
WITH RECURSIVE used(bom_id) AS (
  (SELECT unnest(%(boms)s::bigint[])
   UNION
   SELECT f.id FROM unnest(%(items)s::bigint[]) AS wanted(item_id)
   CROSS JOIN LATERAL ({_IN_FORCE_OF.format(item="wanted.item_id")}) f)
  UNION
  SELECT f.id FROM used u
  JOIN production_bomline l ON l.bom_id = u.bom_id
  CROSS JOIN LATERAL (SELECT i.id, i.kind FROM inventory_item i WHERE i.id = l.component_id OFFSET 0) i
  CROSS JOIN LATERAL ({_IN_FORCE_OF.format(item="i.id")}) f
  WHERE %(whole)s OR l.is_phantom OR i.kind = 'phantom'
)
{_LINES}"""

_VERSIONS = f"""
WITH used(bom_id) AS (SELECT unnest((SELECT %(boms)s::bigint[])))
{_LINES}"""


@record(frozen=True, slots=True)
class ItemFact:
    """An item as far as BOMs are concerned; `standard_cost` in base currency per stock unit, None when unknown."""

    id: int
    sku: str
    name: str
    kind: str
    stock_unit: str
    step: Decimal
    standard_cost: Decimal | None
    is_active: bool

    @property
    def is_service(self) -> bool:
        return self.kind == ItemKind.SERVICE


@record(frozen=True, slots=True)
class BomHead:
    """One version; `effective_to` is the first day it is no longer used."""

    id: int
    item_id: int
    version: int
    state: str
    makes: Decimal
    effective_from: date | None
    effective_to: date | None
    is_in_force: bool
    process_loss_percent: Decimal = Decimal(0)


@record(frozen=True, slots=True)
class TypedLine:
    """What was typed on a line, beside the figures the explosion uses."""

    unit: str
    reference: str
    note: str
    builds_shortage: bool = False


@dataclass(slots=True)
class Structures:
    """Versions, their lines, their items, and which version of an item is in force on the day asked about."""

    on: date
    items: dict[int, ItemFact] = field(default_factory=dict)
    heads: dict[int, BomHead] = field(default_factory=dict)
    boms: dict[int, BomFact] = field(default_factory=dict)
    typed: dict[int, TypedLine] = field(default_factory=dict)
    in_force: dict[int, int] = field(default_factory=dict)
    """BOM by item. Complete for the items asked for and for components, as deep as was read."""
    _explodable: dict[int, BomFact] | None = None

    def rates(self, bom_id: int) -> list[Rate]:
        """Exact needs per unit of output, phantoms exploded, services left out; see `unusable_phantoms` first."""
        return explode(self._goods_only(bom_id), self._phantoms())

    def unusable_phantoms(self, bom_id: int) -> list[ItemFact]:
        """Phantoms below a version that have no BOM in force, so that it cannot be exploded."""
        missing: dict[int, ItemFact] = {}
        seen: set[int] = set()
        waiting = [bom_id]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            for line in self.boms[current].lines:
                if line.explodes:
                    child = self.in_force.get(line.component_id)
                    if child is None:
                        missing[line.component_id] = self.items[line.component_id]
                    else:
                        waiting.append(child)
        return list(missing.values())

    def rate_of(self, line: LineFact, bom_id: int) -> Fraction:
        """What a line of a version needs per unit of output; see rate_of_line."""
        head = self.heads[bom_id]
        return rate_of_line(line, head.makes, head.process_loss_percent)

    def child_of(self, line: LineFact) -> int | None:
        """The version in force of a line's component; None for something bought."""
        return self.in_force.get(line.component_id)

    def _goods_only(self, bom_id: int) -> BomFact:
        bom = self.boms[bom_id]
        return replace(bom, lines=[line for line in bom.lines if not self.items[line.component_id].is_service])

    def _phantoms(self) -> Mapping[int, BomFact]:
        """Parts to use in the place of an item; worked out once."""
        if self._explodable is None:
            self._explodable = {item_id: self._goods_only(bom_id) for item_id, bom_id in self.in_force.items()}
        return self._explodable


def rate_of_line(line: LineFact, makes: Decimal, process_loss_percent: Decimal = Decimal(0)) -> Fraction:
    """Stock units of the component per unit of output, expected losses included, exactly; set-up and rounding apart."""
    return need_per_unit(line, makes, process_loss_percent)


@dataclass(slots=True)
class Extras:
    """What versions say beside their lines, by BOM id."""

    operations: dict[int, list[OperationFact]] = field(default_factory=dict)
    outputs: dict[int, list[OutputFact]] = field(default_factory=dict)
    items: dict[int, ItemFact] = field(default_factory=dict)
    """The items that come out, by id."""


_EXTRAS = """
SELECT o.bom_id, o.kind, o.name, o.minutes, o.setup_minutes, o.rate_per_hour, o.amount, o.position, o.id,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM production_bomoperation o WHERE o.bom_id = ANY(%(boms)s::bigint[])
UNION ALL
SELECT p.bom_id, p.kind, '', p.quantity, NULL, p.cost_share_percent, p.unit_value, p.position, p.id,
       i.id, i.sku, i.name, i.kind, i.stock_unit, i.step, i.standard_cost, i.is_active
FROM production_bomoutput p JOIN inventory_item i ON i.id = p.item_id WHERE p.bom_id = ANY(%(boms)s::bigint[])
ORDER BY 1, 8, 9
"""


def load_extras(structures: Structures) -> Extras:
    """Operations and by-products of all versions of some structures. One statement."""
    found = Extras()
    with connection.cursor() as cursor:
        cursor.execute(_EXTRAS, {"boms": list(structures.boms)})
        rows = cursor.fetchall()
    for row in rows:
        if row[9] is None:
            found.operations.setdefault(row[0], []).append(OperationFact(*row[:7]))
            continue
        item = ItemFact(*row[9:17])
        found.items[item.id] = item
        head = structures.heads[row[0]]
        output = output_fact(item.id, row[1], row[3], row[5], row[6], makes=head.makes, loss=head.process_loss_percent)
        found.outputs.setdefault(row[0], []).append(output)
    return found


def output_fact(
    item_id: int,
    kind: str,
    quantity: Decimal,
    cost_share_percent: Decimal,
    unit_value: Decimal | None,
    *,
    makes: Decimal,
    loss: Decimal,
) -> OutputFact:
    """A by-product per good unit of output: what is lost on the way yields it too."""
    per_unit = Fraction(quantity) * started_per_good(loss) / Fraction(makes)
    return OutputFact(item_id, kind, per_unit, cost_share_percent, unit_value)


def load_structures(
    *, items: Iterable[int] = (), boms: Iterable[int] = (), on: date | None = None, whole: bool = True
) -> Structures:
    """The versions in force of `items` on a day (default today) and the given versions, with all that lies below them.

    With `whole=False` only phantoms are followed, which is what making something needs. Items without a BOM in force are
    not in the answer. One statement.
    """
    on = on or timezone.localdate()
    wanted_items, wanted_boms = set(items), set(boms)
    if not wanted_items and not wanted_boms:
        return Structures(on)
    return structures_from(
        rows_of(*structures_statement(items=wanted_items, boms=wanted_boms, on=on, whole=whole)), on=on
    )


def structures_statement(
    *, items: Iterable[int] = (), boms: Iterable[int] = (), on: date, whole: bool = True
) -> Statement:
    """What `load_structures` asks, for who has something else to do meanwhile; `structures_from` reads the answer."""
    return _STRUCTURES, {
        "items": numbers(sorted(set(items))),
        "boms": numbers(sorted(set(boms))),
        "on": on,
        "whole": whole,
    }


def structures_from(rows: Rows, *, on: date) -> Structures:
    return _read(rows, Structures(on))


def items_in(rows: Rows) -> set[int]:
    """Ids of the items in an answer to `structures_statement`: what is made, and its components."""
    return {row[9] for row in rows} | {row[33] for row in rows if row[33] is not None}


def load_versions(*, boms: Iterable[int], on: date) -> Structures:
    """Versions with their own lines, and nothing below them. One statement."""
    return _read(rows_of(_VERSIONS, {"boms": numbers(boms), "on": on}), Structures(on))


_ITEMS = """
SELECT id, sku, name, kind, stock_unit, step, standard_cost, is_active FROM inventory_item WHERE id = ANY(%s::bigint[])
"""


def load_item_facts(items: Iterable[int]) -> dict[int, ItemFact]:
    """Items by id. One statement."""
    return {row[0]: ItemFact(*row) for row in rows_of(_ITEMS, [numbers(items)])}


def _read(rows: Iterable[Sequence[Any]], found: Structures) -> Structures:
    lines: dict[int, list[LineFact]] = {}
    for row in rows:
        _read_row(row, found, lines)
    for head in found.heads.values():
        found.boms[head.id] = BomFact(head.id, head.item_id, head.makes, lines[head.id], head.process_loss_percent)
        if head.is_in_force:
            best = found.heads.get(found.in_force.get(head.item_id, 0))
            if best is None or _later(head, best):
                found.in_force[head.item_id] = head.id
    return found


def _later(one: BomHead, other: BomHead) -> bool:
    return (one.effective_from or date.min, one.version) > (other.effective_from or date.min, other.version)


def _read_row(row: Sequence[Any], found: Structures, lines: dict[int, list[LineFact]]) -> None:
    bom_id = row[0]
    found.heads[bom_id] = BomHead(*row[0:9])
    found.items[row[9]] = ItemFact(*row[9:17])
    here = lines.setdefault(bom_id, [])
    if row[17] is None:
        return
    here.append(LineFact(*row[17:29]))
    found.typed[row[17]] = TypedLine(*row[29:33])
    found.items[row[33]] = ItemFact(*row[33:41])
