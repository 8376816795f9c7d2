"""What a run of so many units is planned to cost, and each unit of it: what is used once a run is spread over all of them.

A unit alone knows no run, so `cost_rollup` leaves set-ups and rounding out. Here a run needs what a completion of it would be
planned to take: set-ups once, whole items and rounding multiples rounded up, what comes out beside it rounded down. Components
count at their present cost for one unit each, as in the roll-up: a sub-assembly has runs of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import PLACES, ZERO, round_half_up
from production.costing import NOTHING
from production.explosion import BomFact, Rate, explode, operation_costs, uses_of_boms
from production.reads.cost_rollup import CostBook, cost_book
from production.reads.structures import ItemFact, Structures, load_structures
from production.rolling import AT_STANDARD, OF_ITEM

USUAL_RUNS = (Decimal(1), Decimal(10), Decimal(100))
RUN_MAX = Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True)
class RunCost:
    """A run of `quantity` good units; base currency, exact. The parts add up to `total`."""

    quantity: Decimal
    components: Fraction
    """What the units need by themselves, expected losses included."""
    set_up: Fraction
    """Components and work that are needed once a run."""
    rounding: Fraction
    """What is taken more (or less) because items are whole, have a step, or come in multiples."""
    work: Fraction
    by_products: Fraction
    """What comes out beside it carries this much; taken off."""

    @property
    def total(self) -> Fraction:
        return self.components + self.set_up + self.rounding + self.work - self.by_products

    @property
    def each(self) -> Decimal:
        """Of one unit, half up to six places."""
        return round_half_up(self.total / Fraction(self.quantity), PLACES)


@dataclass(frozen=True, slots=True)
class RunCosts:
    """`runs` is empty while a cost is unknown or a phantom has no BOM in force; `missing` says which."""

    bom_id: int
    runs: Sequence[RunCost]
    missing: Sequence[ItemFact]


def run_costs(*, bom_id: int, quantities: Iterable[Decimal] = USUAL_RUNS, on: date | None = None) -> RunCosts:
    """Planned costs of runs of a version, by present figures. Three statements. Raises KeyError when there is no such version.

    A quantity that is no multiple of the item's step is taken as it is: it is a question, not a plan.
    """
    structures = load_structures(boms=[bom_id], on=on)
    return runs_of(cost_book(structures), bom_id, quantities)


def runs_of(book: CostBook, bom_id: int, quantities: Iterable[Decimal]) -> RunCosts:
    """The same for a version that was read already, stored or laid over. No statement."""
    structures = book.structures
    missing = structures.unusable_phantoms(bom_id)
    if missing:
        return RunCosts(bom_id, (), missing)
    rates = [rate for rate in explode(structures.boms[bom_id], _in_place(structures, bom_id)) if not rate.is_optional]
    costs: list[tuple[Rate, Decimal, Fraction]] = []
    unknown: set[int] = set()
    for rate in rates:
        item = structures.items[rate.component_id]
        known = book.of_component(item.id, AT_STANDARD if rate.is_consumable or item.is_service else OF_ITEM)
        if known.value is None:
            unknown |= known.missing
        else:
            costs.append((rate, ZERO if item.is_service else item.step, known.value))
    if unknown or not rates:
        named = [structures.items[item_id] for item_id in unknown if item_id in structures.items]
        return RunCosts(bom_id, (), sorted(named, key=lambda item: item.sku))
    return RunCosts(bom_id, [_run(book, bom_id, costs, Decimal(quantity)) for quantity in quantities], ())


def _in_place(structures: Structures, bom_id: int) -> dict[int, BomFact]:
    return {item_id: structures.boms[one] for item_id, one in structures.in_force.items() if one != bom_id}


def _run(book: CostBook, bom_id: int, costs: Sequence[tuple[Rate, Decimal, Fraction]], quantity: Decimal) -> RunCost:
    structures = book.structures
    components = set_up = rounding = NOTHING
    for rate, step, cost in costs:
        net = rate.per_unit * Fraction(quantity)
        components += net * cost
        set_up += rate.setup * cost
        if step:
            taken = Fraction(rate.requirement(quantity, step=step))
            rounding += (taken - net - rate.setup) * cost
    uses = uses_of_boms(structures.boms[bom_id], _in_place(structures, bom_id))
    operations = [one for bom in {use.bom_id for use in uses} for one in book.extras.operations.get(bom, ())]
    with_set_up = sum(operation_costs(operations, uses, started=quantity, set_up=Fraction(1)).values(), NOTHING)
    work = sum(operation_costs(operations, uses, started=quantity, set_up=NOTHING).values(), NOTHING)
    set_up += with_set_up - work
    before = components + set_up + rounding + work
    left = before
    for output in book.extras.outputs.get(bom_id, ()):
        expected = output.yielded(quantity, step=book.extras.items[output.item_id].step)
        if expected == ZERO:
            carried = NOTHING  # nothing came out, so nothing is carried
        elif output.unit_value is not None:
            carried = Fraction(output.unit_value) * Fraction(expected)
        else:
            carried = before * Fraction(output.cost_share_percent) / 100
        left -= min(carried, left)
    return RunCost(quantity, components, set_up, rounding, work, before - left)
