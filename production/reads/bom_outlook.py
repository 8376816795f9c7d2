"""What a version would cost and make as it stands on the page, saved or not, and what is wrong with it.

The content is laid over the structures of its components as one more version, so that the same reads answer for it as for
stored ones. Eight statements whatever the number of lines and levels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from inventory.errors import InvalidUnit
from inventory.models import Item
from inventory.quantities import ZERO, is_exact
from inventory.reads.availability import ItemAvailability, availability
from production.bom_checks import BomLineSpec, BomProblem, line_factor
from production.bom_content import BomContent
from production.explosion import BomFact, LineFact, OperationFact
from production.reads.bom_check import check_content, packs_of_many
from production.reads.buildable import Buildable, ComponentLimit, free_stock, limits_of
from production.reads.cost_rollup import CostBook, CostRollup, cost_book, roll_up
from production.reads.structures import (
    BomHead,
    ItemFact,
    Structures,
    TypedLine,
    load_structures,
    output_fact,
    rate_of_line,
)

ON_THE_PAGE = 0
"""Stands for the id of the version that is being edited."""
PART_ROWS_MAX = 400


@dataclass(frozen=True, slots=True)
class PartRow:
    """Something below a line: exact quantity per unit of output, and what that costs (None: unknown)."""

    level: int
    item: ItemFact
    quantity: Fraction
    cost: Fraction | None
    is_made: bool
    is_phantom: bool
    free: Decimal


@dataclass(frozen=True, slots=True)
class LineOutlook:
    """What is known about one line. `per_unit` and `cost` are per unit of output; None where it cannot be worked out."""

    per_unit: Fraction | None
    cost: Fraction | None
    unit_cost: Fraction | None
    free: Decimal
    limit: ComponentLimit | None
    is_made: bool
    parts: Sequence[PartRow]


@dataclass(frozen=True, slots=True)
class BomOutlook:
    """The whole. `lines` are by the index of the line in the content."""

    problems: Sequence[BomProblem]
    rollup: CostRollup
    buildable: Buildable
    lines: Mapping[int, LineOutlook]
    inactive: Sequence[ItemFact]
    structures: Structures
    book: CostBook
    stock: dict[int, ItemAvailability]


def bom_outlook(
    *, item: Item, content: BomContent, bom_id: int | None = None, others: Sequence[int] = (), on: date | None = None
) -> BomOutlook:
    """Everything a page says about content of a BOM of `item`. `others` are stored versions to be read along, for comparing.

    Lines that do not convert into the stock unit are problems and count as unknown.
    """
    components = {line.component.pk: line.component for line in content.lines}
    structures = load_structures(items=list(components), boms=list(others), on=on)
    factors = _factors(content.lines, packs_of_many(list(components)))
    lay_over(structures, item=item, content=content, factors=factors)
    book = cost_book(structures)
    _lay_extras(book, item, content)
    stock = availability(items=list(structures.items))
    rollup = roll_up(book, ON_THE_PAGE)
    can_make = limits_of(structures, ON_THE_PAGE, stock)
    limits = {limit.component.id: limit for limit in can_make.limits}
    lines = {}
    costs = {-line.line_id - 1: line for line in rollup.lines}
    for fact in structures.boms[ON_THE_PAGE].lines:
        index = -fact.line_id - 1
        known = costs[index]
        lines[index] = LineOutlook(
            per_unit=known.quantity,
            cost=known.cost,
            unit_cost=known.unit_cost.value,
            free=free_stock(stock, fact.component_id),
            limit=limits.get(fact.component_id),
            is_made=structures.child_of(fact) is not None,
            parts=_parts(structures, book, stock, fact, known.quantity),
        )
    below = [one for one in structures.items.values() if not one.is_active and one.id not in components]
    return BomOutlook(
        problems=check_content(item=item, content=content, bom_id=bom_id),
        rollup=rollup,
        buildable=can_make,
        lines=lines,
        inactive=sorted(below, key=lambda one: one.sku),
        structures=structures,
        book=book,
        stock=stock,
    )


def _factors(lines: Sequence[BomLineSpec], packs: Mapping[int, Mapping[str, Fraction]]) -> dict[int, Fraction]:
    found = {}
    for index, line in enumerate(lines):
        numbers = (line.quantity, line.setup_quantity, line.scrap_percent, line.rounding_multiple or Decimal(1))
        if any(not is_exact(number) or number < ZERO for number in numbers) or not line.quantity:
            continue
        try:
            found[index] = line_factor(line, packs.get(line.component.pk, {}))
        except InvalidUnit:
            continue  # stands among the problems
    return found


def lay_over(
    structures: Structures,
    *,
    item: Item,
    content: BomContent,
    factors: Mapping[int, Fraction],
    bom_id: int = ON_THE_PAGE,
) -> None:
    """Add content to structures as one more version, under the id `bom_id`."""
    head = content.head
    makes = head.makes if is_exact(head.makes) and head.makes > ZERO else Decimal(1)
    loss = head.process_loss_percent if ZERO <= head.process_loss_percent < 100 else ZERO
    lines = []
    for index, line in enumerate(content.lines):
        structures.items.setdefault(line.component.pk, _fact(line.component))
        if index not in factors:
            continue
        lines.append(
            LineFact(
                line_id=-index - 1,
                component_id=line.component.pk,
                quantity=line.quantity,
                unit_numerator=Decimal(factors[index].numerator),
                unit_denominator=Decimal(factors[index].denominator),
                scrap_percent=line.scrap_percent,
                setup_quantity=line.setup_quantity,
                rounding_multiple=line.rounding_multiple,
                issue_method=line.issue_method,
                is_consumable=line.is_consumable,
                is_optional=line.is_optional,
                explodes=line.explodes,
            )
        )
        structures.typed[-index - 1] = TypedLine(line.unit, line.reference, line.note, line.builds_shortage)
    structures.items[item.pk] = _fact(item)
    structures.heads[bom_id] = BomHead(
        bom_id, item.pk, 0, "draft", makes, head.effective_from, None, is_in_force=False, process_loss_percent=loss
    )
    structures.boms[bom_id] = BomFact(bom_id, item.pk, makes, lines, loss)


def _lay_extras(book: CostBook, item: Item, content: BomContent) -> None:
    head = book.structures.heads[ON_THE_PAGE]
    book.extras.operations[ON_THE_PAGE] = [
        OperationFact(ON_THE_PAGE, one.kind, one.name, one.minutes, one.setup_minutes, one.rate_per_hour, one.amount)
        for one in content.operations
    ]
    book.extras.items.update({one.item.pk: _fact(one.item) for one in content.outputs})
    book.extras.outputs[ON_THE_PAGE] = [
        output_fact(
            one.item.pk,
            one.kind,
            one.quantity,
            one.cost_share_percent,
            one.unit_value,
            makes=head.makes,
            loss=head.process_loss_percent,
        )
        for one in content.outputs
        if one.item.pk != item.pk
    ]


def _fact(item: Item) -> ItemFact:
    return ItemFact(
        item.pk, item.sku, item.name, item.kind, item.stock_unit, item.step, item.standard_cost, item.is_active
    )


def _parts(
    structures: Structures, book: CostBook, stock: dict[int, ItemAvailability], line: LineFact, quantity: Fraction
) -> list[PartRow]:
    """Everything below a line that is made, in reading order, at most PART_ROWS_MAX rows; loops are cut where they close."""
    rows: list[PartRow] = []
    waiting = [(line, quantity, 0, frozenset({structures.boms[ON_THE_PAGE].item_id}))]
    while waiting and len(rows) <= PART_ROWS_MAX:
        current, need, level, above = waiting.pop()
        item = structures.items[current.component_id]
        child = structures.child_of(current)
        if level:
            cost = book.of_line(current).value
            rows.append(
                PartRow(
                    level=level,
                    item=item,
                    quantity=need,
                    cost=None if cost is None else cost * need,
                    is_made=child is not None,
                    is_phantom=current.explodes,
                    free=free_stock(stock, item.id),
                )
            )
        if child is None or item.id in above:
            continue
        bom = structures.boms[child]
        waiting += [
            (
                part,
                need * rate_of_line(part, bom.makes, bom.process_loss_percent),
                level + 1,
                above | {item.id},
            )
            for part in reversed(bom.lines)
        ]
    return rows[:PART_ROWS_MAX]
