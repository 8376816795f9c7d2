"""The indented BOM: every level below a version with cumulative quantities, costs and stock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import ZERO
from inventory.reads.availability import ItemAvailability, availability
from production.explosion import LineFact
from production.reads.buildable import free_stock
from production.reads.cost_rollup import CostBook, UnitCost, as_unit_cost, cost_book
from production.reads.structures import BomHead, ItemFact, TypedLine, load_structures, rate_of_line

ROWS_MAX = 5000


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One item at one place of the tree; the root has level 0 and no line.

    `quantity` is the exact need of the item for the quantity asked about, in its stock unit: rates multiplied down the tree,
    scrap included, set-up and rounding apart. Costs are of that quantity, in base currency, None when unknown.
    """

    level: int
    item: ItemFact
    bom: BomHead | None
    """The version whose lines stand below it; None for something bought."""
    line: LineFact | None
    typed: TypedLine | None
    quantity: Fraction
    unit_cost: UnitCost
    on_hand: Decimal
    """All of it at our sites, held and expired stock included."""
    free: Decimal
    """What can be used now."""

    @property
    def is_phantom(self) -> bool:
        """Whether its parts are used in its place; its own stock does not count."""
        return self.line is not None and self.line.explodes

    @property
    def is_made(self) -> bool:
        return self.bom is not None

    @property
    def is_consumable(self) -> bool:
        return self.line is not None and self.line.is_consumable

    @property
    def is_optional(self) -> bool:
        return self.line is not None and self.line.is_optional

    @property
    def cost(self) -> Decimal | None:
        """Of `quantity`, to six places."""
        value = self.unit_cost.value
        return None if value is None else as_unit_cost(value * self.quantity)


@dataclass(frozen=True, slots=True)
class BomTree:
    """Rows in reading order. `is_complete` is false when there were more rows than asked for."""

    rows: list[TreeRow]
    is_complete: bool


def bom_tree(
    *, bom_id: int, quantity: Decimal = Decimal(1), on: date | None = None, rows_max: int = ROWS_MAX
) -> BomTree:
    """The tree of a version for `quantity` units of output; below it the versions in force on a day (default today).

    Four statements whatever the size and depth. Raises KeyError when there is no such version.
    """
    structures = load_structures(boms=[bom_id], on=on)
    reading = _Reading(cost_book(structures), availability(items=list(structures.items)))
    rows: list[TreeRow] = []
    for row in reading.rows(structures.heads[bom_id], Fraction(quantity)):
        if len(rows) == rows_max:
            return BomTree(rows, is_complete=False)
        rows.append(row)
    return BomTree(rows, is_complete=True)


@dataclass(frozen=True, slots=True)
class _Reading:
    book: CostBook
    stock: dict[int, ItemAvailability]

    def rows(self, head: BomHead, quantity: Fraction) -> Iterator[TreeRow]:
        """Depth first, in line order; without recursion, so that no depth is too deep."""
        yield self._row(0, head.item_id, head, None, quantity, self.book.of_bom(head.id))
        waiting = [self._below(head, quantity, 1)]
        while waiting:
            row = next(waiting[-1], None)
            if row is None:
                waiting.pop()
                continue
            yield row
            if row.bom is not None:
                waiting.append(self._below(row.bom, row.quantity, row.level + 1))

    def _below(self, head: BomHead, quantity: Fraction, level: int) -> Iterator[TreeRow]:
        structures = self.book.structures
        for line in structures.boms[head.id].lines:
            child = structures.child_of(line)
            need = quantity * rate_of_line(line, head.makes, head.process_loss_percent)
            bom = None if child is None else structures.heads[child]
            yield self._row(level, line.component_id, bom, line, need, self.book.of_line(line))

    def _row(
        self, level: int, item_id: int, bom: BomHead | None, line: LineFact | None, quantity: Fraction, cost: UnitCost
    ) -> TreeRow:
        structures = self.book.structures
        found = self.stock.get(item_id)
        sites = () if found is None else found.from_sources(()).sources
        return TreeRow(
            level=level,
            item=structures.items[item_id],
            bom=bom,
            line=line,
            typed=None if line is None else structures.typed[line.line_id],
            quantity=quantity,
            unit_cost=cost,
            on_hand=sum((site.on_hand + site.expired + site.withheld for site in sites), ZERO),
            free=free_stock(self.stock, item_id),
        )
