"""Costs rolled up over versions, from what is bought upwards: exact, in whole numbers, each version once. Pure.

A sum of ten thousand fractions is slow because each addition looks for a common denominator. Here a version looks for it once:
its parts are added as whole numbers over it, and what comes out is reduced once. Rules S9 and S20, as in `costing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import gcd, lcm
from typing import NamedTuple

from production.costing import CostKind, Stack, by_product_credit
from production.explosion import OutputFact

MILLION = 1_000_000
WHOLE = 100_000
"""100 % in thousandths of a percent."""

OF_ITEM, AT_STANDARD, EXPLODED = 0, 1, 2
"""How a part is costed: as the item it is, at its standard cost alone, or by its version in its place."""

Part = tuple[int, int, int, int, int]
"""Component; stock units a batch takes as millionths over a denominator; expected scrap in thousandths of a percent; how."""
Key = tuple[int, bool]
"""A version by id, and whether it is exploded in the place of an item."""

KINDS = tuple(CostKind)
_STRIDE = len(KINDS)
_INDEX: Mapping[str, int] = {kind: place for place, kind in enumerate(KINDS)}
_WORK, _OF_WORK = 5, 3
"""work / 60,000,000,000 a batch x 1,000,000 / makes x 100 % / (100 % - loss) = work x 5 / 3 / makes / (100 % - loss) a unit."""
_MATERIAL, _SCRAP, _BY_PRODUCT = map(KINDS.index, (CostKind.MATERIAL, CostKind.SCRAP, CostKind.BY_PRODUCT))


class CostSource(StrEnum):
    AVERAGE = "average"
    BOM = "bom"
    STANDARD = "standard"
    UNKNOWN = "unknown"


Worth = tuple[CostSource, int, int, frozenset[int]]
"""The cost of one stock unit: where it is from, its denominator (0: unknown), its numerator in base currency, and the items
whose unknown cost makes it unknown. A plain tuple, for there are thousands."""
Bought = Worth

NOBODY: frozenset[int] = frozenset()
_AVERAGE, _BOM, _STANDARD, _UNKNOWN = CostSource.AVERAGE, CostSource.BOM, CostSource.STANDARD, CostSource.UNKNOWN


class Recipe(NamedTuple):
    """A version as whole numbers; optional lines are no parts."""

    item_id: int
    makes: int
    """Millionths of a stock unit of the output."""
    loss: int
    """Process loss, thousandths of a percent."""
    has_lines: bool
    parts: Sequence[Part]
    work: Sequence[tuple[str, int]] = ()
    """Kind and cost of each operation of a batch, set-ups left out; base currency / 60,000,000,000."""
    outputs: Sequence[OutputFact] = ()


@dataclass(slots=True)
class Figures:
    """What costs are worked out from. A mapping may make what it is asked for."""

    recipes: Mapping[int, Recipe]
    """By BOM id; every version that is in force, or asked about."""
    in_force: Mapping[int, int]
    """BOM id by item."""
    averages: Mapping[int, Bought]
    """Moving average by item; none of phantoms."""
    standards: Mapping[int, Bought]
    """Standard cost by item."""
    order: Sequence[int] = ()
    """BOM ids, most of them before those they are made of; only saves time."""


class _Layers(NamedTuple):
    """The cost of a version by level and kind, over one denominator; by level times the number of kinds plus the kind."""

    denominator: int
    amounts: Mapping[int, int]

    def stack(self) -> Stack:
        levels: list[dict[str, Fraction]] = [{} for _ in range(max(1, max(self.amounts, default=0) // _STRIDE) + 1)]
        for key, amount in self.amounts.items():
            levels[key // _STRIDE][KINDS[key % _STRIDE]] = Fraction(amount, self.denominator)
        return tuple(levels)


def millionths(number: Decimal) -> int:
    """A figure as a whole number; more than six places are refused wherever figures are saved."""
    return int(number * MILLION)


def thousandths(percent: Decimal) -> int:
    """A percentage as a whole number; more than three places are refused wherever figures are saved."""
    return int(percent * 1000)


@dataclass(slots=True)
class Roller:
    """Works each version out once, those below it first; no depth is too deep."""

    figures: Figures
    _versions: dict[Key, Worth] = field(default_factory=dict)
    """In the order they were worked out: those below first."""
    _items: dict[int, Worth] = field(default_factory=dict)
    _layers: dict[Key, _Layers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """What is bought needs no working out."""
        figures = self.figures
        self._items.update({item: cost for item, cost in figures.standards.items() if item not in figures.in_force})
        self._items.update(figures.averages)

    def of_version(self, bom_id: int, *, is_exploded: bool = False) -> Worth:
        """One unit of output of a version; exploded in the place of an item it yields no by-products."""
        key = (bom_id, is_exploded)
        if key not in self._versions:
            self._work_out(key)
        return self._versions[key]

    def of_part(self, component_id: int, how: int) -> Worth:
        """One stock unit of a component."""
        found = self._ready(component_id, how)
        if found is None:
            self._work_out((self.figures.in_force[component_id], how == EXPLODED))
            found = self._ready(component_id, how)
            assert found is not None
        return found

    def stack_of_version(self, bom_id: int, *, is_exploded: bool = False) -> Stack:
        """What of_version says, by level and kind; empty when unknown."""
        if not self.of_version(bom_id, is_exploded=is_exploded)[1]:
            return ()
        return self._layers_of((bom_id, is_exploded)).stack()

    def stack_of_part(self, component_id: int, how: int) -> Stack:
        """What of_part says, by level and kind; empty when unknown."""
        source, denominator, total, _ = self.of_part(component_id, how)
        if not denominator:
            return ()
        if source != _BOM:
            return ({CostKind.MATERIAL: Fraction(total, denominator)},)
        return self._layers_of((self.figures.in_force[component_id], how == EXPLODED)).stack()

    def _work_out(self, wanted: Key) -> None:
        """Depth first, without recursion. What is part of itself has no cost."""
        recipes, in_force = self.figures.recipes, self.figures.in_force
        versions, items = self._versions, self._items
        waiting, opened = [wanted], set[Key]()
        if not versions:
            waiting += [(bom_id, False) for bom_id in self.figures.order]
        while waiting:
            key = waiting[-1]
            if key in versions:
                waiting.pop()
                continue
            recipe = recipes[key[0]]
            sums: dict[int, int] = {}
            below: list[Key] = []
            missing = NOBODY
            for component, number, parts, scrap, how in recipe.parts:
                found = items.get(component) if how == OF_ITEM else None
                if found is None:
                    found = self._ready(component, how)
                    if found is None:
                        below.append((in_force[component], how == EXPLODED))
                        missing |= {component}
                        continue
                _, denominator, total, unknown = found
                if unknown:
                    missing |= unknown
                    continue
                common = parts * denominator
                sums[common] = sums.get(common, 0) + number * total * (WHOLE + scrap)
            if below and key not in opened:
                opened.add(key)
                waiting += below
                continue
            versions[key] = _made(recipe, sums, missing, is_exploded=key[1])
            waiting.pop()

    def _ready(self, component_id: int, how: int) -> Worth | None:
        """What a part costs; None while the version in force of it must be worked out first."""
        figures = self.figures
        if how == AT_STANDARD:
            cost = figures.standards.get(component_id)
            return _unknown(component_id) if cost is None else cost
        version = figures.in_force.get(component_id)
        if how == EXPLODED:
            return _unknown(component_id) if version is None else self._versions.get((version, True))
        found = figures.averages.get(component_id)
        if found is None:
            rolled = None if version is None else self._versions.get((version, False))
            if version is not None and rolled is None:
                return None
            if rolled is not None and rolled[1]:
                found = rolled
            else:
                found = figures.standards.get(component_id) or rolled or _unknown(component_id)
        self._items[component_id] = found
        return found

    def _layers_of(self, wanted: Key) -> _Layers:
        """The layers of a version of known cost; those of the versions below it are made on the way and kept."""
        if wanted not in self._layers:
            for key in self._below(wanted):
                if key not in self._layers:
                    self._layers[key] = self._layered(key)
        return self._layers[wanted]

    def _below(self, wanted: Key) -> list[Key]:
        """The version and those its cost comes from, the lowest first."""
        found, waiting = {wanted}, [wanted]
        while waiting:
            for key in self._sources(waiting.pop()):
                if key not in found:
                    found.add(key)
                    waiting.append(key)
        return [key for key in self._versions if key in found]

    def _sources(self, key: Key) -> list[Key]:
        """The versions the parts of a version get their costs from."""
        in_force = self.figures.in_force
        return [
            (in_force[component], how == EXPLODED)
            for component, _, _, _, how in self.figures.recipes[key[0]].parts
            if how != AT_STANDARD and self.of_part(component, how)[0] == _BOM
        ]

    def _layered(self, key: Key) -> _Layers:
        recipe = self.figures.recipes[key[0]]
        amounts: dict[int, int] = {}
        found: list[tuple[int, int, int, Mapping[int, int], int]] = []
        for component, number, parts, scrap, how in recipe.parts:
            below: Mapping[int, int]
            source, denominator, total, _ = self.of_part(component, how)
            if source == _BOM:
                denominator, below = self._layers[(self.figures.in_force[component], how == EXPLODED)]
            else:
                below = {_MATERIAL: total}
            found.append((number, parts * denominator, scrap, below, sum(below.values())))
        common = lcm(*[part[1] for part in found])
        good = WHOLE - recipe.loss
        lost = 0
        for number, parts, scrap, below, total in found:
            factor = number * (common // parts)
            for place, amount in below.items():
                deeper = place + _STRIDE
                amounts[deeper] = amounts.get(deeper, 0) + factor * amount * good
            lost += factor * total * (scrap + recipe.loss)
        if lost:
            amounts[_STRIDE + _SCRAP] = amounts.get(_STRIDE + _SCRAP, 0) + lost
        denominator = common * recipe.makes * good
        if recipe.work:
            of_work = _OF_WORK * recipe.makes * good
            denominator = _widen(amounts, denominator, lcm(denominator, of_work))
            for kind, cost in recipe.work:
                amounts[_INDEX[kind]] = amounts.get(_INDEX[kind], 0) + _WORK * cost * (denominator // of_work)
        _, parts, total, _ = self._versions[key]
        denominator = _widen(amounts, denominator, lcm(denominator, parts))
        credit = sum(amounts.values()) - total * (denominator // parts)
        if credit:
            amounts[_BY_PRODUCT] = -credit
        shared = gcd(denominator, *amounts.values())
        return _Layers(denominator // shared, {place: amount // shared for place, amount in amounts.items()})


def _unknown(item_id: int) -> Worth:
    return _UNKNOWN, 0, 0, frozenset({item_id})


def _made(recipe: Recipe, sums: Mapping[int, int], missing: frozenset[int], *, is_exploded: bool) -> Worth:
    """One unit of output, from the sums of a batch's parts times 100 % and scrap by their denominators."""
    if missing or not recipe.has_lines:
        return _UNKNOWN, 0, 0, missing or frozenset({recipe.item_id})
    common = lcm(*sums)
    total = sum([amount * (common // parts) for parts, amount in sums.items()])
    if recipe.work:
        if common % _OF_WORK:
            common, total = common * _OF_WORK, total * _OF_WORK
        total += _WORK * sum([cost for _, cost in recipe.work]) * (common // _OF_WORK)
    denominator = (
        common * recipe.makes * (WHOLE - recipe.loss)
    )  # x (100 % + scrap %) / (100 % - loss %), the first is in it
    if recipe.outputs and not is_exploded:
        left = Fraction(total, denominator)
        left -= by_product_credit(left, recipe.outputs)
        total, denominator = left.numerator, left.denominator
    shared = gcd(total, denominator)
    return _BOM, denominator // shared, total // shared, NOBODY


def _widen(amounts: dict[int, int], old: int, new: int) -> int:
    """Bring every amount from one denominator to a multiple of it. Returns the new one."""
    factor = new // old
    if factor > 1:
        for key in amounts:
            amounts[key] *= factor
    return new
