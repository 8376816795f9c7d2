"""What units really cost over a period against what the BOM plans, part by part. A fixed number of statements.

Actual is what the completions of the period took: components as they were valued, work and overhead as absorbed, by-products
as they were credited; the good units carry all of it, scrap included. Planned is the standard of the very versions that were
completed, at present costs, without set-ups. What lies between is parted: usage is what the completions cost above their own
standards at the costs of their days, scrap among it; price is what the standards, with their set-ups, cost then above what
they cost now.
Completions that were undone, whole or in part, are left out and counted.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from django.db import connection

from inventory.arrays import numbers
from inventory.models import CostEntryKind, Item, ItemKind
from inventory.quantities import ZERO
from production.explosion import BomUse, OperationFact, operation_costs, started_per_good, uses_of_boms
from production.models import BomOperation, BomOutput, OperationKind
from production.reads.cost_rollup import CostBook, cost_book
from production.reads.structures import Structures, load_structures

_NOTHING = Fraction(0)
PARTS = ("material", "packaging", "labour", "overhead", "by_products")
_PART_OF_KIND = {
    OperationKind.LABOUR: "labour",
    OperationKind.MACHINE: "labour",
    OperationKind.OVERHEAD: "overhead",
    OperationKind.PACKAGING: "packaging",
}


@dataclass(frozen=True, slots=True)
class CostStack:
    """Costs in base currency, exact; None where a part is not known. By-products are what they take off, below zero."""

    material: Fraction | None = _NOTHING
    packaging: Fraction | None = _NOTHING
    labour: Fraction | None = _NOTHING
    overhead: Fraction | None = _NOTHING
    by_products: Fraction | None = _NOTHING

    @property
    def total(self) -> Fraction | None:
        return _sum(self.material, self.packaging, self.labour, self.overhead, self.by_products)

    def plus(self, other: "CostStack", times: Fraction = Fraction(1)) -> "CostStack":
        """This and `times` the other, part by part."""
        return CostStack(*(_sum(_own(self, part), _times(_own(other, part), times)) for part in PARTS))

    def per(self, units: Decimal) -> "CostStack":
        return CostStack(*(_times(_own(self, part), 1 / Fraction(units)) for part in PARTS))


def _own(stack: CostStack, part: str) -> Fraction | None:
    value: Fraction | None = getattr(stack, part)
    return value


def _sum(*values: Fraction | None) -> Fraction | None:
    total = _NOTHING
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _times(value: Fraction | None, times: Fraction) -> Fraction | None:
    return None if value is None else value * times


@dataclass(slots=True)
class TrueCost:
    """One item over the period: what was made, and a unit's cost planned and actual.

    `actual` and `planned` are for all good units together; `scrap` is the part of the actual that went into scrapped units
    and spoiled components, None when a cost is unknown.
    """

    item_id: int
    completions: int = 0
    left_out: int = 0
    good: Decimal = ZERO
    scrapped: Decimal = ZERO
    actual: CostStack = field(default_factory=CostStack)
    planned: CostStack = field(default_factory=CostStack)
    planned_then: Fraction | None = _NOTHING
    """The standards of the completions for what came out good, at the costs of their days, for all good units together."""
    scrap: Fraction | None = _NOTHING

    @property
    def actual_unit(self) -> CostStack | None:
        """None when nothing good was made."""
        return self.actual.per(self.good) if self.good else None

    @property
    def planned_unit(self) -> CostStack | None:
        return self.planned.per(self.good) if self.good else None

    @property
    def scrap_unit(self) -> Fraction | None:
        return None if self.scrap is None or not self.good else self.scrap / Fraction(self.good)

    @property
    def difference(self) -> Fraction | None:
        """Actual less planned of one unit; None when either is unknown."""
        if self.actual_unit is None or self.planned_unit is None:
            return None
        actual, planned = self.actual_unit.total, self.planned_unit.total
        return None if actual is None or planned is None else actual - planned

    @property
    def usage(self) -> Fraction | None:
        """Of the difference of one unit, what was used beyond the standard, scrap among it."""
        if self.actual_unit is None or self.planned_then is None:
            return None
        actual = self.actual_unit.total
        return None if actual is None else actual - self.planned_then / Fraction(self.good)

    @property
    def price(self) -> Fraction | None:
        """Of the difference of one unit, what the standard cost on the days of completing, with set-ups, above what it costs
        now without them."""
        return None if self.difference is None or self.usage is None else self.difference - self.usage

    @property
    def difference_percent(self) -> Fraction | None:
        planned = None if self.planned_unit is None else self.planned_unit.total
        return None if self.difference is None or not planned else self.difference / planned * 100


_PERIOD = """
WITH chosen AS MATERIALIZED (
  SELECT c.posting_id, c.item_id, c.bom_id, c.good, c.scrapped, c.by_product_value,
         c.reversed_good > 0 OR c.reversed_scrap > 0 AS is_undone
  FROM production_completion c JOIN inventory_posting p ON p.id = c.posting_id
  WHERE c.item_id = ANY(%(items)s::bigint[]) AND p.effective_at >= %(since)s AND p.effective_at < %(until)s
), used AS (
  SELECT l.completion_id,
         sum(l.value) FILTER (WHERE i.kind <> %(packaging)s) AS material,
         sum(l.value) FILTER (WHERE i.kind = %(packaging)s) AS packaging,
         sum(l.value * l.scrapped / nullif(l.actual, 0)) AS spoiled,
         bool_or(l.value IS NULL AND l.actual > 0) AS is_unknown,
         sum(l.expected * worth.of_one) AS standard,
         bool_or(l.expected > 0 AND worth.of_one IS NULL) AS is_standard_unknown
  FROM production_completionline l JOIN chosen c ON c.posting_id = l.completion_id
  JOIN inventory_item i ON i.id = l.component_id
  LEFT JOIN inventory_costpool p ON p.item_id = l.component_id AND p.lot_id IS NULL AND l.actual = 0
  CROSS JOIN LATERAL (SELECT CASE WHEN l.actual > 0 THEN l.value / l.actual
    WHEN p.quantity > p.unknown_quantity AND p.unknown_quantity = 0 THEN p.value / p.quantity END AS of_one) worth
  GROUP BY l.completion_id
), absorbed AS (
  SELECT e.posting_id,
         -sum(e.amount) FILTER (WHERE e.kind = ANY(%(labour)s)) AS labour,
         -sum(e.amount) FILTER (WHERE e.kind = %(overhead)s) AS overhead,
         -sum(e.amount) FILTER (WHERE e.kind = %(packing)s) AS packing
  FROM inventory_costentry e JOIN chosen c ON c.posting_id = e.posting_id GROUP BY e.posting_id
), worked AS (
  SELECT w.completion_id, sum(w.value - w.planned_value) AS beyond FROM production_completionwork w
  JOIN chosen c ON c.posting_id = w.completion_id GROUP BY w.completion_id
)
SELECT c.item_id, c.bom_id, c.is_undone, count(*), sum(c.good), sum(c.scrapped),
       coalesce(sum(u.material), 0), coalesce(sum(u.packaging), 0) + coalesce(sum(a.packing), 0), coalesce(sum(a.labour), 0),
       coalesce(sum(a.overhead), 0), coalesce(sum(c.by_product_value), 0),
       coalesce(bool_or(u.is_unknown), false) OR bool_or(c.by_product_value IS NULL),
       coalesce(sum(u.spoiled), 0),
       coalesce(sum((coalesce(u.material, 0) + coalesce(u.packaging, 0) + coalesce(a.labour, 0) + coalesce(a.overhead, 0)
                     + coalesce(a.packing, 0) - coalesce(u.spoiled, 0)) * c.scrapped / (c.good + c.scrapped)), 0),
       coalesce(bool_or(u.is_standard_unknown), false),
       coalesce(sum((coalesce(u.standard, 0) + coalesce(a.labour, 0) + coalesce(a.overhead, 0) + coalesce(a.packing, 0)
                     - coalesce(w.beyond, 0) - coalesce(c.by_product_value, 0)) * c.good / (c.good + c.scrapped)), 0)
FROM chosen c LEFT JOIN used u ON u.completion_id = c.posting_id LEFT JOIN absorbed a ON a.posting_id = c.posting_id
LEFT JOIN worked w ON w.completion_id = c.posting_id
GROUP BY c.item_id, c.bom_id, c.is_undone
"""


def items_completed(*, since: datetime, until: datetime) -> "Collection[int]":
    """Ids of items that were completed in the period. One statement."""
    return list(
        Item.objects.filter(completions__posting__effective_at__gte=since, completions__posting__effective_at__lt=until)
        .order_by()
        .distinct()
        .values_list("pk", flat=True)
    )


def true_costs(*, items: Collection[int], since: datetime, until: datetime) -> dict[int, TrueCost]:
    """What units of `items` (ids) cost in [since, until), by item id; items that were not completed are left out.

    Five statements whatever the number of items and completions.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _PERIOD,
            {
                "items": numbers(items),
                "since": since,
                "until": until,
                "packaging": ItemKind.PACKAGING.value,
                "labour": [CostEntryKind.LABOUR.value, CostEntryKind.MACHINE.value],
                "overhead": CostEntryKind.OVERHEAD.value,
                "packing": CostEntryKind.PACKAGING.value,
            },
        )
        rows = cursor.fetchall()
    plans = planned_units(boms={row[1] for row in rows if not row[2]})
    found: dict[int, TrueCost] = {}
    for item_id, bom_id, is_undone, count, good, scrapped, *values, is_unknown, spoiled, lost, unsure, then in rows:
        one = found.setdefault(item_id, TrueCost(item_id))
        if is_undone:
            one.left_out += count
            continue
        material, packaging, labour, overhead, credit = (Fraction(value) for value in values)
        one.completions += count
        one.good += good
        one.scrapped += scrapped
        actual = CostStack(None if is_unknown else material, packaging, labour, overhead, -credit)
        one.actual = one.actual.plus(actual)
        one.planned = one.planned.plus(plans[bom_id], Fraction(good))
        one.planned_then = _sum(one.planned_then, None if is_unknown or unsure else Fraction(then))
        one.scrap = _sum(one.scrap, None if is_unknown else Fraction(spoiled) + Fraction(lost))
    return found


def planned_units(*, boms: Collection[int]) -> dict[int, CostStack]:
    """The standard cost of one unit by each version, at present costs, by BOM id. Four statements."""
    structures = load_structures(boms=boms)
    book = cost_book(structures)
    operations: dict[int, list[OperationFact]] = {}
    for row in BomOperation.objects.filter(bom_id__in=list(structures.boms)):
        fact = OperationFact(
            row.bom_id, row.kind, row.name, row.minutes, row.setup_minutes, row.rate_per_hour, row.amount
        )
        operations.setdefault(row.bom_id, []).append(fact)
    outputs: dict[int, list[BomOutput]] = {}
    for output in BomOutput.objects.filter(bom_id__in=list(boms)):
        outputs.setdefault(output.bom_id, []).append(output)
    return {
        bom_id: _planned_unit(structures, book, bom_id, operations, outputs.get(bom_id, []))
        for bom_id in boms
        if bom_id in structures.boms
    }


def _planned_unit(
    structures: Structures,
    book: CostBook,
    bom_id: int,
    operations: Mapping[int, list[OperationFact]],
    outputs: list[BomOutput],
) -> CostStack:
    bom = structures.boms[bom_id]
    parts: dict[str, Fraction | None] = dict.fromkeys(PARTS, _NOTHING)
    for line in bom.lines:
        if line.is_optional:
            continue
        part = "packaging" if structures.items[line.component_id].kind == ItemKind.PACKAGING else "material"
        parts[part] = _sum(parts[part], _times(book.of_line(line).value, structures.rate_of(line, bom_id)))
    for kind, cost in operation_costs(
        [one for use in _uses(structures, bom_id) for one in operations.get(use.bom_id, ())],
        _uses(structures, bom_id),
        started=Decimal(1),
        set_up=_NOTHING,
    ).items():
        part = _PART_OF_KIND[OperationKind(kind)]
        parts[part] = _sum(parts[part], cost)
    before = _sum(*parts.values())
    batch = started_per_good(bom.process_loss_percent) / Fraction(bom.makes)
    for output in outputs:
        if output.unit_value is not None:
            credit: Fraction | None = Fraction(output.unit_value) * Fraction(output.quantity) * batch
        else:
            credit = _times(before, Fraction(output.cost_share_percent) / 100)
        parts["by_products"] = _sum(parts["by_products"], _times(credit, Fraction(-1)))
    return CostStack(*(parts[part] for part in PARTS))


def _uses(structures: Structures, bom_id: int) -> list[BomUse]:
    phantoms = {item_id: structures.boms[one] for item_id, one in structures.in_force.items() if one != bom_id}
    return uses_of_boms(structures.boms[bom_id], phantoms)
