"""What one unit costs by present figures, rolled up over the BOM, and what is missing to know it.

A component costs its moving average while it has stock of known cost; else what its own BOM in force adds up to; else its
standard cost; else it is unknown, and so is everything made of it. Consumables and services cost their standard cost, as in
a completion. Work, overhead and packaging are added and by-products taken off, on every level (rule S20). Set-ups belong to a
run and optional lines to nobody's standard, so both are left out. All sums are exact; `as_unit_cost` rounds once, for people.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial

from django.db.models import Sum
from django.utils import timezone

from inventory.models import CostPool, ItemKind
from inventory.quantities import PLACES, round_half_up
from production.costing import NOTHING, CostKind, Stack, by_kind, cost_of_batch
from production.explosion import LineFact
from production.reads.cost_graph import load_figures
from production.reads.structures import (
    Extras,
    ItemFact,
    Structures,
    load_extras,
    load_item_facts,
    load_versions,
    rate_of_line,
)
from production.rolling import (
    AT_STANDARD,
    EXPLODED,
    MILLION,
    NOBODY,
    OF_ITEM,
    CostSource,
    Figures,
    Recipe,
    Roller,
    Worth,
    millionths,
    thousandths,
)


@dataclass(frozen=True, slots=True)
class UnitCost:
    """Cost of one stock unit in base currency, exact; `value` is None when unknown.

    `missing` are the items whose unknown cost makes it so. `stack[n]` is, by kind, the part of the value that enters n levels
    below: at 0 when the item itself is bought or has an average, and for its own work and by-products; deeper for what its
    BOM adds up. It is worked out when it is asked for, for lists have no use for it.
    """

    value: Fraction | None
    source: CostSource
    missing: frozenset[int]
    _layers: Callable[[], Stack] = field(repr=False, compare=False)

    @property
    def stack(self) -> Stack:
        return self._layers()

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
    """Costs of all items of some structures, each worked out once, when it is asked for."""

    structures: Structures
    averages: Mapping[int, Fraction]
    extras: Extras = field(default_factory=Extras)
    _roller: Roller | None = None
    _made: dict[tuple[int, int], UnitCost] = field(default_factory=dict)

    def of_item(self, item_id: int) -> UnitCost:
        """The present cost of an item as a component."""
        return self.of_component(item_id, OF_ITEM)

    def of_bom(self, bom_id: int, *, is_exploded: bool = False) -> UnitCost:
        """What a version adds up to per unit of output. Exploded in the place of an item, it yields no by-products."""
        roller = self._figured()
        return as_known(
            roller.of_version(bom_id, is_exploded=is_exploded),
            partial(roller.stack_of_version, bom_id, is_exploded=is_exploded),
        )

    def of_line(self, line: LineFact) -> UnitCost:
        """The cost of one stock unit of a line's component."""
        return self.of_component(line.component_id, how_costed(line, self.structures.items[line.component_id]))

    def of_component(self, item_id: int, how: int) -> UnitCost:
        """The cost of one stock unit of an item, costed as `how` says; see `rolling`."""
        known = self._made.get((item_id, how))
        if known is None:
            roller = self._figured()
            known = as_known(roller.of_part(item_id, how), partial(roller.stack_of_part, item_id, how))
            self._made[(item_id, how)] = known
        return known

    def _figured(self) -> Roller:
        """The roller of this book; what is laid over the structures must be there before the first question."""
        if self._roller is None:
            items = self.structures.items
            self._roller = Roller(
                Figures(
                    Recipes(self.structures, self.extras),
                    self.structures.in_force,
                    {
                        item_id: (CostSource.AVERAGE, value.denominator, value.numerator, NOBODY)
                        for item_id, value in self.averages.items()
                        if items[item_id].kind != ItemKind.PHANTOM
                    },
                    {
                        item.id: (CostSource.STANDARD, MILLION, millionths(item.standard_cost), NOBODY)
                        for item in items.values()
                        if item.standard_cost is not None
                    },
                )
            )
        return self._roller


class Recipes(dict[int, Recipe]):
    """The versions of some structures as whole numbers, each when it is needed."""

    def __init__(self, structures: Structures, extras: Extras) -> None:
        super().__init__()
        self._structures, self._extras = structures, extras

    def __missing__(self, bom_id: int) -> Recipe:
        structures, extras = self._structures, self._extras
        bom = structures.boms[bom_id]
        recipe = Recipe(
            bom.item_id,
            millionths(bom.makes),
            thousandths(bom.process_loss_percent),
            bool(bom.lines),
            [
                (
                    line.component_id,
                    millionths(line.quantity) * int(line.unit_numerator),
                    int(line.unit_denominator),
                    thousandths(line.scrap_percent),
                    how_costed(line, structures.items[line.component_id]),
                )
                for line in bom.lines
                if not line.is_optional
            ],
            [(operation.kind, cost_of_batch(operation)) for operation in extras.operations.get(bom_id, ())],
            extras.outputs.get(bom_id, ()),
        )
        self[bom_id] = recipe
        return recipe


def how_costed(line: LineFact, item: ItemFact) -> int:
    """Consumables and services at their standard cost, what explodes by its parts, all else as the item it is."""
    if line.is_consumable or item.is_service:
        return AT_STANDARD
    return EXPLODED if line.explodes else OF_ITEM


def as_known(worth: Worth, layers: Callable[[], Stack]) -> UnitCost:
    """A cost for people. The layers are only made when they are looked at."""
    source, denominator, total, missing = worth
    return UnitCost(Fraction(total, denominator) if denominator else None, source, missing, layers)


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
    """Rolled-up costs of versions, by BOM id. At most three statements whatever their number and depth."""
    wanted = list(boms)
    on = on or timezone.localdate()
    return _rollups(load_figures(boms=wanted, on=on), wanted, on) if wanted else {}


def item_costs(*, items: Collection[int], on: date | None = None) -> dict[int, CostRollup]:
    """Rolled-up costs of the versions in force of items, by item id; items without one are left out. At most three statements."""
    on = on or timezone.localdate()
    figures = load_figures(items=items, on=on)
    in_force = {item_id: figures.in_force[item_id] for item_id in items if item_id in figures.in_force}
    found = _rollups(figures, list(in_force.values()), on)
    return {item_id: found[bom_id] for item_id, bom_id in in_force.items()}


def unit_costs(*, boms: Iterable[int], on: date | None = None) -> dict[int, UnitCost]:
    """What a unit of each version costs, by BOM id, and no more than that. One statement whatever their number and depth."""
    wanted = list(boms)
    roller = Roller(load_figures(boms=wanted, on=on or timezone.localdate()))
    return {
        bom_id: as_known(roller.of_version(bom_id), partial(roller.stack_of_version, bom_id))
        for bom_id in wanted
        if bom_id in roller.figures.recipes
    }


def _rollups(figures: Figures, boms: Sequence[int], on: date) -> dict[int, CostRollup]:
    """What lies below was read as bare figures; only the lines people see are read with their items."""
    book = CostBook(load_versions(boms=boms, on=on), {}, Extras(), Roller(figures))
    found = [bom_id for bom_id in boms if bom_id in figures.recipes]
    missing = frozenset[int]().union(*[book.of_bom(bom_id).missing for bom_id in found])
    items = book.structures.items
    if not missing <= items.keys():
        items.update(load_item_facts(missing - items.keys()))
    return {bom_id: roll_up(book, bom_id) for bom_id in found}
