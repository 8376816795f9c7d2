"""What one unit costs to make: components with expected scrap, work, overhead, packaging, less by-products. Pure and exact.

A cost is kept as a stack: level 0 is what enters here, level n what enters n levels below, each by kind. The stack adds up
to the cost. Rule S20: output = consumed + operations - by-products; rule S9 says what a by-product carries.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from production.explosion import OperationFact, OutputFact, started_per_good

NOTHING = Fraction(0)
Stack = tuple[Mapping[str, Fraction], ...]


class CostKind(StrEnum):
    MATERIAL = "material"
    SCRAP = "scrap"
    LABOUR = "labour"
    MACHINE = "machine"
    OVERHEAD = "overhead"
    PACKAGING = "packaging"
    BY_PRODUCT = "by_product"


KIND_WORDS = {
    CostKind.MATERIAL: "Material",
    CostKind.SCRAP: "Expected scrap",
    CostKind.LABOUR: "Labour",
    CostKind.MACHINE: "Machine",
    CostKind.OVERHEAD: "Overhead",
    CostKind.PACKAGING: "Packaging",
    CostKind.BY_PRODUCT: "By-products",
}


def bought(value: Fraction) -> Stack:
    """The stack of something that is not followed further down."""
    return ({CostKind.MATERIAL: value},)


def value_of(stack: Stack) -> Fraction:
    return sum((part for level in stack for part in level.values()), NOTHING)


def by_kind(stack: Stack) -> dict[str, Fraction]:
    """The cost by kind, all levels together."""
    found: dict[str, Fraction] = {}
    for level in stack:
        for kind, part in level.items():
            found[kind] = found.get(kind, NOTHING) + part
    return found


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


def by_product_credit(total: Fraction, outputs: Sequence[OutputFact]) -> Fraction:
    """What by-products take off the cost `total` of one unit: a share, or quantity times a fixed value; at most all of it."""
    left = total
    for output in outputs:
        if output.unit_value is not None:
            carried = Fraction(output.unit_value) * output.per_unit
        else:
            carried = total * Fraction(output.cost_share_percent) / 100
        left -= min(carried, left)
    return total - left


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
