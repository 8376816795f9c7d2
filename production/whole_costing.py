"""Unit costs of whole structures in one pass from the bottom up, in whole numbers; the same sums as `production/costing.py`.

A cost is kept as numerator and denominator and reduced once per version: fractions that reduce after every step take several
times as long. Nothing is rounded. What enters on which level is not told apart here; the cost book does that for one version.
"""

from collections.abc import Iterable, Mapping, Sequence
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


@dataclass(slots=True)
class CostSheet:
    """Versions and their lines as columns of whole numbers; quantities and makes in millionths, percents in thousandths.

    The lines of a version stand together. `averages` are those of items that may lie in stock; costs are per stock unit.
    """

    boms: Sequence[int]
    items: Sequence[int]
    makes: Sequence[int]
    losses: Sequence[int]
    in_force: Mapping[int, int]
    """BOM by item."""
    line_boms: Sequence[int]
    components: Sequence[int]
    quantities: Sequence[int]
    numerators: Sequence[int]
    denominators: Sequence[int]
    scraps: Sequence[int]
    flags: Sequence[int]
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
    lines = _lines_by_bom(sheet)
    place_of = {bom: place for place, bom in enumerate(sheet.boms)}
    values = {**sheet.standards, **sheet.averages}
    found: dict[int, Ratio] = {}
    in_place: dict[int, Ratio] = {}
    missing: dict[int, frozenset[int]] = {}
    for bom in _from_the_bottom(sheet, lines):
        place = place_of[bom]
        item = sheet.items[place]
        cost = _batch(sheet, lines[bom], values, in_place)
        if cost is None:
            unknown = _unknown(sheet, lines[bom], values, in_place, missing) or frozenset({item})
            missing[bom] = unknown
            continue
        exploded = _per_unit(cost, sheet.work.get(bom), makes=sheet.makes[place], loss=sheet.losses[place])
        in_place[bom] = found[bom] = exploded
        outputs = sheet.outputs.get(bom)
        if outputs:
            total = Fraction(*exploded)
            left = total - by_product_credit(total, outputs)
            found[bom] = (left.numerator, left.denominator)
        if sheet.in_force.get(item) == bom and item not in sheet.averages:
            values[item] = found[bom]
    return WholeCosts(found, values, missing)


def _lines_by_bom(sheet: CostSheet) -> dict[int, list[int]]:
    lines: dict[int, list[int]] = {bom: [] for bom in sheet.boms}
    for number, bom in enumerate(sheet.line_boms):
        lines[bom].append(number)
    return lines


def _from_the_bottom(sheet: CostSheet, lines: Mapping[int, list[int]]) -> Iterable[int]:
    """Every version after all that its lines lead to."""
    waiting = dict.fromkeys(sheet.boms, 0)
    parents: dict[int, list[int]] = {}
    in_force = sheet.in_force
    for bom, component in zip(sheet.line_boms, sheet.components, strict=True):
        child = in_force.get(component)
        if child is not None:
            waiting[bom] += 1
            if child in parents:
                parents[child].append(bom)
            else:
                parents[child] = [bom]
    ready = [bom for bom, count in waiting.items() if not count]
    for bom in ready:  # grows while it is read
        for parent in parents.get(bom, ()):
            waiting[parent] -= 1
            if not waiting[parent]:
                ready.append(parent)
    if len(ready) < len(lines):
        stuck = sorted(bom for bom, count in waiting.items() if count)
        raise ValueError(f"BOMs {stuck[:5]} contain each other or something that does, so that they have no cost")
    return ready


def _value_of(
    sheet: CostSheet, number: int, values: Mapping[int, Ratio], in_place: Mapping[int, Ratio]
) -> Ratio | None:
    """The cost of one stock unit of a line's component; None when unknown."""
    flags, component = sheet.flags[number], sheet.components[number]
    if flags & AT_STANDARD:
        return sheet.standards.get(component)
    if flags & EXPLODES:
        return in_place.get(sheet.in_force.get(component, 0))
    return values.get(component)


def _batch(
    sheet: CostSheet, lines: Sequence[int], values: Mapping[int, Ratio], in_place: Mapping[int, Ratio]
) -> Ratio | None:
    """What the lines of one batch cost, times QUANTITY_PARTS x WHOLE, not reduced; None when a part of it is unknown."""
    if not lines:
        return None
    total, shared = 0, 1
    quantities, numerators, denominators, scraps = sheet.quantities, sheet.numerators, sheet.denominators, sheet.scraps
    flags, components = sheet.flags, sheet.components
    for number in lines:
        if not flags[number]:
            value = values.get(components[number])
        elif flags[number] & IS_OPTIONAL:
            continue
        else:
            value = _value_of(sheet, number, values, in_place)
        if value is None:
            return None
        cost = quantities[number] * numerators[number] * (WHOLE + scraps[number]) * value[0]
        parts = denominators[number] * value[1]
        if parts == shared:
            total += cost
        else:
            common = gcd(parts, shared)
            total = total * (parts // common) + cost * (shared // common)
            shared *= parts // common
    return total, shared


def _per_unit(batch: Ratio, work: Ratio | None, *, makes: int, loss: int) -> Ratio:
    """Of one good unit: the batch with its work, divided by what it makes, raised by what the process loses."""
    total, shared = batch
    if work:
        total = total * work[1] + work[0] * shared * QUANTITY_PARTS * WHOLE
        shared *= work[1]
    # x (parts of makes / makes) x (100 % / (100 % - loss)); the parts of quantity and of makes cancel each other.
    shared *= makes * (WHOLE - loss)
    common = gcd(total, shared)
    return total // common, shared // common


def _unknown(
    sheet: CostSheet,
    lines: Sequence[int],
    values: Mapping[int, Ratio],
    in_place: Mapping[int, Ratio],
    missing: Mapping[int, frozenset[int]],
) -> frozenset[int]:
    """The items at the bottom that make a version's cost unknown."""
    found: set[int] = set()
    for number in lines:
        if sheet.flags[number] & IS_OPTIONAL or _value_of(sheet, number, values, in_place) is not None:
            continue
        component = sheet.components[number]
        child = None if sheet.flags[number] & AT_STANDARD else sheet.in_force.get(component)
        found |= {component} if child is None else missing[child]
    return frozenset(found)
