"""The kinds of cost of what is made, and what by-products take off it. Pure and exact; `rolling` adds it all up.

A cost is kept as a stack: level 0 is what enters here, level n what enters n levels below, each by kind. The stack adds up
to the cost. Rule S20: output = consumed + operations - by-products; rule S9 says what a by-product carries.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction

from production.explosion import OperationFact, OutputFact

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


def by_kind(stack: Stack) -> dict[str, Fraction]:
    """The cost by kind, all levels together."""
    found: dict[str, Fraction] = {}
    for level in stack:
        for kind, part in level.items():
            found[kind] = found.get(kind, NOTHING) + part
    return found


def cost_of_batch(operation: OperationFact) -> int:
    """What an operation costs a batch, without the set-up of a run, in units of base currency / 60,000,000,000.

    Minutes have three places and money six wherever they are saved.
    """
    return int(operation.minutes * 1000) * int(operation.rate_per_hour * 1_000_000) + 60_000 * int(
        operation.amount * 1_000_000
    )


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
