"""What one unit costs by present figures, rolled up over the BOM, and what is missing to know it.

A component costs its moving average while it has stock of known cost; else what its own BOM in force adds up to; else its
standard cost; else it is unknown, and so is everything made of it. Consumables and services cost their standard cost, as in
a completion. Work, overhead and packaging are added and by-products taken off, on every level (rule S20). Set-ups belong to a
run and optional lines to nobody's standard, so both are left out. All sums are exact; `as_unit_cost` rounds once, for people.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from django.db.models import Sum

from inventory.models import CostPool, ItemKind
from inventory.quantities import PLACES, round_half_up
from production.costing import NOTHING, CostKind, Stack, bought, by_kind, made, own_operations, value_of
from production.explosion import LineFact
from production.reads.structures import (
    Extras,
    ItemFact,
    Structures,
    load_extras,
    load_structures,
    needs_of_line,
    rate_of_line,
)


class CostSource(StrEnum):
    AVERAGE = "average"
    BOM = "bom"
    STANDARD = "standard"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class UnitCost:
    """Cost of one stock unit in base currency, exact; `value` is None when unknown.

    `missing` are the items whose unknown cost makes it so. `stack[n]` is, by kind, the part of the value that enters n levels
    below: at 0 when the item itself is bought or has an average, and for its own work and by-products; deeper for what its
    BOM adds up.
    """

    value: Fraction | None
    source: CostSource
    missing: frozenset[int] = frozenset()
    stack: Stack = ()

    @property
    def levels(self) -> tuple[Fraction, ...]:
        return tuple(sum(level.values(), NOTHING) for level in self.stack)


@dataclass(frozen=True, slots=True)
class LineCost:
    """One line of a version: exact quantity and cost per unit of output."""

    line_id: int
    component: ItemFact
    quantity: Fraction
    unit_cost: UnitCost
    cost: Fraction | None
    is_consumable: bool
    is_optional: bool


@dataclass(frozen=True, slots=True)
class CostRollup:
    """One unit of output of one version. `unit_cost` is rounded to six places, None when unknown; see `missing`."""

    bom_id: int
    cost: UnitCost
    lines: Sequence[LineCost]
    missing: Sequence[ItemFact]

    @property
    def unit_cost(self) -> Decimal | None:
        return as_unit_cost(self.cost.value)

    @property
    def by_level(self) -> Sequence[Decimal]:
        """What enters 1, 2, ... levels below; with `own` it sums to the unit cost but for rounding."""
        return [round_half_up(part, PLACES) for part in self.cost.levels[1:]]

    @property
    def own(self) -> Decimal:
        """Work, overhead and packaging of the version itself, less its by-products."""
        return round_half_up(self.cost.levels[0], PLACES) if self.cost.stack else Decimal(0)

    @property
    def by_kind(self) -> Mapping[str, Decimal]:
        """Of all levels, in the order of CostKind; empty while the cost is unknown."""
        found = by_kind(self.cost.stack)
        return {kind.value: round_half_up(found[kind], PLACES) for kind in CostKind if found.get(kind)}


def as_unit_cost(value: Fraction | None) -> Decimal | None:
    """A cost for people: base currency, half up to six places."""
    return None if value is None else round_half_up(value, PLACES)


def present_averages(items: Collection[int]) -> dict[int, Fraction]:
    """The moving average of each item that has stock, all of it of known cost; base currency per stock unit."""
    pools = CostPool.objects.filter(item_id__in=items).order_by().values("item_id")
    sums = pools.annotate(held=Sum("quantity"), worth=Sum("value"), unknown=Sum("unknown_quantity"))
    return {
        row["item_id"]: Fraction(row["worth"]) / Fraction(row["held"])
        for row in sums
        if row["held"] > 0 and row["unknown"] == 0
    }


@dataclass(slots=True)
class CostBook:
    """Costs of all items of some structures, each worked out once."""

    structures: Structures
    averages: Mapping[int, Fraction]
    extras: Extras = field(default_factory=Extras)
    _known: dict[int, UnitCost] = field(default_factory=dict)
    _rolled: dict[tuple[int, bool], UnitCost] = field(default_factory=dict)

    def of_item(self, item_id: int) -> UnitCost:
        """The present cost of an item as a component."""
        if item_id not in self._known:
            self._known[item_id] = self._item(item_id)
        return self._known[item_id]

    def of_bom(self, bom_id: int, *, is_exploded: bool = False) -> UnitCost:
        """What a version adds up to per unit of output. Exploded in the place of an item, it yields no by-products."""
        key = (bom_id, is_exploded)
        if key not in self._rolled:
            self._rolled[key] = self._bom(bom_id, is_exploded=is_exploded)
        return self._rolled[key]

    def _bom(self, bom_id: int, *, is_exploded: bool) -> UnitCost:
        bom = self.structures.boms[bom_id]
        missing: set[int] = set()
        parts = []
        for line in bom.lines:
            if line.is_optional:
                continue
            cost = self.of_line(line)
            if cost.value is None:
                missing |= cost.missing
                continue
            net, gross = needs_of_line(line, bom.makes, bom.process_loss_percent)
            parts.append((net, gross, cost.stack))
        if missing or not bom.lines:
            return UnitCost(None, CostSource.UNKNOWN, frozenset(missing) or frozenset({bom.item_id}))
        operations = own_operations(
            self.extras.operations.get(bom_id, ()), makes=bom.makes, loss_percent=bom.process_loss_percent
        )
        outputs = () if is_exploded else self.extras.outputs.get(bom_id, ())
        stack = made(parts, operations=operations, outputs=outputs)
        return UnitCost(value_of(stack), CostSource.BOM, frozenset(), stack)

    def of_line(self, line: LineFact) -> UnitCost:
        """The cost of one stock unit of a line's component."""
        item = self.structures.items[line.component_id]
        if line.is_consumable or item.is_service:
            return _standard(item) or UnitCost(None, CostSource.UNKNOWN, frozenset({item.id}))
        if line.explodes:
            child = self.structures.child_of(line)
            return (
                UnitCost(None, CostSource.UNKNOWN, frozenset({item.id}))
                if child is None
                else self.of_bom(child, is_exploded=True)
            )
        return self.of_item(line.component_id)

    def _item(self, item_id: int) -> UnitCost:
        item = self.structures.items[item_id]
        average = self.averages.get(item_id)
        if average is not None and item.kind != ItemKind.PHANTOM:
            return UnitCost(average, CostSource.AVERAGE, frozenset(), bought(average))
        bom_id = self.structures.in_force.get(item_id)
        rolled = None if bom_id is None else self.of_bom(bom_id)
        if rolled is not None and rolled.value is not None:
            return rolled
        missing = frozenset({item_id}) if rolled is None else rolled.missing
        return _standard(item) or UnitCost(None, CostSource.UNKNOWN, missing)


def _standard(item: ItemFact) -> UnitCost | None:
    if item.standard_cost is None:
        return None
    value = Fraction(item.standard_cost)
    return UnitCost(value, CostSource.STANDARD, frozenset(), bought(value))


def cost_book(structures: Structures) -> CostBook:
    """A cost book over structures that were read whole. Two statements."""
    return CostBook(structures, present_averages(list(structures.items)), load_extras(structures))


def roll_up(book: CostBook, bom_id: int) -> CostRollup:
    """The cost of one unit of output of a version, line by line."""
    bom, items = book.structures.boms[bom_id], book.structures.items
    lines = []
    for line in bom.lines:
        quantity, cost = rate_of_line(line, bom.makes, bom.process_loss_percent), book.of_line(line)
        lines.append(
            LineCost(
                line_id=line.line_id,
                component=items[line.component_id],
                quantity=quantity,
                unit_cost=cost,
                cost=None if cost.value is None else quantity * cost.value,
                is_consumable=line.is_consumable,
                is_optional=line.is_optional,
            )
        )
    cost = book.of_bom(bom_id)
    missing = sorted((items[item_id] for item_id in cost.missing), key=lambda item: item.sku)
    return CostRollup(bom_id, cost, lines, missing)


def cost_rollups(*, boms: Iterable[int], on: date | None = None) -> dict[int, CostRollup]:
    """Rolled-up costs of versions, by BOM id. Three statements whatever their number and depth."""
    wanted = list(boms)
    book = cost_book(load_structures(boms=wanted, on=on))
    return {bom_id: roll_up(book, bom_id) for bom_id in wanted if bom_id in book.structures.boms}


def item_costs(*, items: Collection[int], on: date | None = None) -> dict[int, CostRollup]:
    """Rolled-up costs of the versions in force of items, by item id; items without one are left out. Three statements."""
    book = cost_book(load_structures(items=items, on=on))
    in_force = book.structures.in_force
    return {item_id: roll_up(book, in_force[item_id]) for item_id in items if item_id in in_force}
