"""The roll-up as plainly as it can be written, with fractions and recursion: what the quick one must agree with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from inventory.models import ItemKind
from production.costing import NOTHING, CostKind, Stack, by_product_credit
from production.explosion import LineFact, OperationFact, OutputFact, started_per_good
from production.reads.structures import Extras, ItemFact, Structures, rate_of_line
from production.rolling import CostSource


@dataclass(frozen=True, slots=True)
class PlainCost:
    value: Fraction | None
    source: CostSource
    missing: frozenset[int] = frozenset()
    stack: Stack = ()


def bought(value: Fraction) -> Stack:
    """The stack of something that is not followed further down."""
    return ({CostKind.MATERIAL: value},)


def value_of(stack: Stack) -> Fraction:
    return sum((part for level in stack for part in level.values()), NOTHING)


def own_operations(
    operations: Iterable[OperationFact], *, makes: Decimal, loss_percent: Decimal
) -> dict[str, Fraction]:
    """Work and overhead per good unit by kind; the set-up of a run is left out, for a unit does not know its run."""
    batch = started_per_good(loss_percent) / Fraction(makes)
    found: dict[str, Fraction] = {}
    for operation in operations:
        cost = Fraction(operation.minutes) * Fraction(operation.rate_per_hour) / 60 + Fraction(operation.amount)
        if cost:
            found[operation.kind] = found.get(operation.kind, NOTHING) + cost * batch
    return found


def made(
    parts: Iterable[tuple[Fraction, Fraction, Stack]],
    *,
    operations: Mapping[str, Fraction],
    outputs: Sequence[OutputFact] = (),
) -> Stack:
    """The stack of one unit made of `parts`: needed without losses, needed in all, and the stack of one stock unit of each."""
    levels: list[dict[str, Fraction]] = [dict(operations), {}]
    for net, gross, stack in parts:
        while len(levels) <= len(stack):
            levels.append({})
        lost = gross - net
        for depth, level in enumerate(stack, start=1):
            into = levels[depth]
            for kind, part in level.items():
                into[kind] = into.get(kind, NOTHING) + net * part
        if lost:
            levels[1][CostKind.SCRAP] = levels[1].get(CostKind.SCRAP, NOTHING) + lost * value_of(stack)
    stack = tuple(levels)
    credit = by_product_credit(value_of(stack), outputs) if outputs else NOTHING
    if credit:
        levels[0][CostKind.BY_PRODUCT] = -credit
    return stack


def needs_of_line(
    line: LineFact, makes: Decimal, process_loss_percent: Decimal = Decimal(0)
) -> tuple[Fraction, Fraction]:
    """What a line needs per unit of output without any loss, and with the expected ones."""
    net = Fraction(line.quantity) * line.factor / Fraction(makes)
    if not line.scrap_percent and not process_loss_percent:
        return net, net
    return net, rate_of_line(line, makes, process_loss_percent)


@dataclass(slots=True)
class PlainBook:
    """Costs of all items of some structures."""

    structures: Structures
    averages: Mapping[int, Fraction]
    extras: Extras = field(default_factory=Extras)
    _known: dict[int, PlainCost] = field(default_factory=dict)
    _rolled: dict[tuple[int, bool], PlainCost] = field(default_factory=dict)

    def of_item(self, item_id: int) -> PlainCost:
        """The present cost of an item as a component."""
        if item_id not in self._known:
            self._known[item_id] = self._item(item_id)
        return self._known[item_id]

    def of_bom(self, bom_id: int, *, is_exploded: bool = False) -> PlainCost:
        """What a version adds up to per unit of output. Exploded in the place of an item, it yields no by-products."""
        key = (bom_id, is_exploded)
        if key not in self._rolled:
            self._rolled[key] = self._bom(bom_id, is_exploded=is_exploded)
        return self._rolled[key]

    def _bom(self, bom_id: int, *, is_exploded: bool) -> PlainCost:
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
            return PlainCost(None, CostSource.UNKNOWN, frozenset(missing) or frozenset({bom.item_id}))
        operations = own_operations(
            self.extras.operations.get(bom_id, ()), makes=bom.makes, loss_percent=bom.process_loss_percent
        )
        outputs = () if is_exploded else self.extras.outputs.get(bom_id, ())
        stack = made(parts, operations=operations, outputs=outputs)
        return PlainCost(value_of(stack), CostSource.BOM, frozenset(), stack)

    def of_line(self, line: LineFact) -> PlainCost:
        """The cost of one stock unit of a line's component."""
        item = self.structures.items[line.component_id]
        if line.is_consumable or item.is_service:
            return _standard(item) or PlainCost(None, CostSource.UNKNOWN, frozenset({item.id}))
        if line.explodes:
            child = self.structures.child_of(line)
            return (
                PlainCost(None, CostSource.UNKNOWN, frozenset({item.id}))
                if child is None
                else self.of_bom(child, is_exploded=True)
            )
        return self.of_item(line.component_id)

    def _item(self, item_id: int) -> PlainCost:
        item = self.structures.items[item_id]
        average = self.averages.get(item_id)
        if average is not None and item.kind != ItemKind.PHANTOM:
            return PlainCost(average, CostSource.AVERAGE, frozenset(), bought(average))
        bom_id = self.structures.in_force.get(item_id)
        rolled = None if bom_id is None else self.of_bom(bom_id)
        if rolled is not None and rolled.value is not None:
            return rolled
        missing = frozenset({item_id}) if rolled is None else rolled.missing
        return _standard(item) or PlainCost(None, CostSource.UNKNOWN, missing)


def _standard(item: ItemFact) -> PlainCost | None:
    if item.standard_cost is None:
        return None
    value = Fraction(item.standard_cost)
    return PlainCost(value, CostSource.STANDARD, frozenset(), bought(value))
