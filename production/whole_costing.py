"""Unit costs of whole structures in one pass from the bottom up, in whole numbers; the same sums as `production/costing.py`.

A cost is kept as numerator and denominator and reduced once per version: fractions that reduce after every step take several
times as long. Nothing is rounded. What enters on which level is not told apart here; the cost book does that for one version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd

from production.costing import by_product_credit
from production.explosion import OutputFact

IS_OPTIONAL, AT_STANDARD, EXPLODES = 1, 2, 4
"""What a line may be: left out; costed with the standard cost (consumables, services); costed with the parts in its place."""

QUANTITY_PARTS, PERCENT_PARTS = 1_000_000, 1_000
"""Stored figures are whole numbers of these parts."""
WHOLE = 100 * PERCENT_PARTS

Ratio = tuple[int, int]
Line = tuple[int, int, int, int]
"""Component; quantity with scrap in parts of QUANTITY_PARTS x WHOLE, times its unit's numerator; the denominator; flags."""


@dataclass(frozen=True, slots=True)
class BomColumns:
    """Versions side by side: makes in millionths, process loss in thousandths of a percent."""

    boms: Sequence[int]
    items: Sequence[int]
    makes: Sequence[int]
    losses: Sequence[int]


@dataclass(frozen=True, slots=True)
class CostSheet:
    """What the costs of versions follow from. `averages` are those of items that may lie in stock; costs per stock unit."""

    columns: BomColumns
    in_force: Mapping[int, int]
    """BOM by item."""
    lines: Mapping[int, Sequence[Line]]
    """By BOM, in any order; of every version."""
    standards: Mapping[int, Ratio]
    averages: Mapping[int, Ratio]
    work: Mapping[int, Ratio] = field(default_factory=dict)
    """Work and overhead of one batch by BOM, set-ups left out."""
    outputs: Mapping[int, Sequence[OutputFact]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WholeCosts:
    """Exact cost of one unit of output of each version, and of one stock unit of each item; absent when unknown."""

    boms: Mapping[int, Ratio]
    items: Mapping[int, Ratio]
    missing: Mapping[int, frozenset[int]]
    """Items whose unknown cost makes that of a version unknown, by BOM."""

    def of_bom(self, bom_id: int) -> Fraction | None:
        return _fraction(self.boms.get(bom_id))

    def of_item(self, item_id: int) -> Fraction | None:
        """As a component: the average, else the BOM in force, else the standard cost."""
        return _fraction(self.items.get(item_id))


def _fraction(ratio: Ratio | None) -> Fraction | None:
    return None if ratio is None else Fraction(*ratio)


def whole_costs(sheet: CostSheet) -> WholeCosts:
    """Costs of all versions of a sheet. A ValueError when versions contain each other, which the checks at save refuse."""
    columns = sheet.columns
    facts = zip(columns.boms, columns.items, columns.makes, columns.losses, strict=True)
    facts_of = {bom: (item, makes, loss) for bom, item, makes, loss in facts}
    values = {**sheet.standards, **sheet.averages}
    found: dict[int, Ratio] = {}
    in_place: dict[int, Ratio] = {}
    missing: dict[int, frozenset[int]] = {}
    for bom in _from_the_bottom(sheet):
        item, makes, loss = facts_of[bom]
        lines = sheet.lines[bom]
        cost = _batch(sheet, lines, values, in_place) if lines else None
        if cost is None:
            missing[bom] = _unknown(sheet, lines, values, in_place, missing) or frozenset({item})
            continue
        exploded = _per_unit(cost, sheet.work.get(bom), makes=makes, loss=loss)
        in_place[bom] = found[bom] = exploded
        outputs = sheet.outputs.get(bom)
        if outputs:
            total = Fraction(*exploded)
            left = total - by_product_credit(total, outputs)
            found[bom] = (left.numerator, left.denominator)
        if sheet.in_force.get(item) == bom and item not in sheet.averages:
            values[item] = found[bom]
    return WholeCosts(found, values, missing)


def _from_the_bottom(sheet: CostSheet) -> Sequence[int]:
    """Every version after all that its lines lead to."""
    waiting: dict[int, int] = {}
    parents: dict[int, list[int]] = {}
    ready: list[int] = []
    bom_of = sheet.in_force.get
    for bom, lines in sheet.lines.items():
        children = [child for child in [bom_of(line[0]) for line in lines] if child is not None]
        if not children:
            ready.append(bom)
            continue
        waiting[bom] = len(children)
        for child in children:
            if child in parents:
                parents[child].append(bom)
            else:
                parents[child] = [bom]
    for bom in ready:  # grows while it is read
        for parent in parents.get(bom, ()):
            waiting[parent] -= 1
            if not waiting[parent]:
                ready.append(parent)
    if len(ready) < len(sheet.lines):
        stuck = sorted(bom for bom, count in waiting.items() if count)
        raise ValueError(f"BOMs {stuck[:5]} contain each other or something that does, so that they have no cost")
    return ready


def _special(sheet: CostSheet, line: Line, values: Mapping[int, Ratio], in_place: Mapping[int, Ratio]) -> Ratio | None:
    """The cost of one stock unit of the component of any line; None when unknown."""
    component, flags = line[0], line[3]
    if flags & AT_STANDARD:
        return sheet.standards.get(component)
    if flags & EXPLODES:
        return in_place.get(sheet.in_force.get(component, 0))
    return values.get(component)


def _batch(
    sheet: CostSheet, lines: Sequence[Line], values: Mapping[int, Ratio], in_place: Mapping[int, Ratio]
) -> Ratio | None:
    """What the lines of one batch cost, times QUANTITY_PARTS x WHOLE, not reduced; None when a part of it is unknown."""
    total, shared = 0, 1
    for line in lines:
        component, weight, parts, flags = line
        if not flags:
            value = values.get(component)
        elif flags & IS_OPTIONAL:
            continue
        else:
            value = _special(sheet, line, values, in_place)
        if value is None:
            return None
        cost, below = value
        if parts != 1:
            below *= parts
        if below == shared:
            total += weight * cost
        elif shared == 1:
            total = total * below + weight * cost
            shared = below
        else:
            common = gcd(below, shared)
            below //= common
            total = total * below + weight * cost * (shared // common)
            shared *= below
    return total, shared


def _per_unit(batch: Ratio, work: Ratio | None, *, makes: int, loss: int) -> Ratio:
    """Of one good unit: the batch with its work, divided by what it makes, raised by what the process loses."""
    total, shared = batch
    if work:
        total = total * work[1] + work[0] * shared * (QUANTITY_PARTS * WHOLE)
        shared *= work[1]
    # x (parts of makes / makes) x (100 % / (100 % - loss)); the parts of quantity and of makes cancel each other.
    shared *= makes * (WHOLE - loss)
    common = gcd(total, shared)
    return total // common, shared // common


def _unknown(
    sheet: CostSheet,
    lines: Sequence[Line],
    values: Mapping[int, Ratio],
    in_place: Mapping[int, Ratio],
    missing: Mapping[int, frozenset[int]],
) -> frozenset[int]:
    """The items at the bottom that make a version's cost unknown."""
    found: set[int] = set()
    for line in lines:
        component, _, _, flags = line
        if flags & IS_OPTIONAL or _special(sheet, line, values, in_place) is not None:
            continue
        child = None if flags & AT_STANDARD else sheet.in_force.get(component)
        found |= {component} if child is None else missing[child]
    return frozenset(found)
