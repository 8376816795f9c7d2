"""What one unit costs in a run of a certain size: set-ups once, needs rounded to whole and to multiples, spread over the run.

The run is one of this version, phantoms exploded; what its components cost is taken from the cost book, as a component has
runs of its own. The larger the run, the nearer the figure comes to that of the roll-up, which knows no run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import PLACES, round_half_up
from production.costing import NOTHING
from production.explosion import explode, operation_costs, uses_of_boms
from production.reads.cost_rollup import CostBook, as_unit_cost

USUAL_RUNS = (Decimal(1), Decimal(10), Decimal(100))


def runs_to_show(asked: Decimal | None) -> Sequence[Decimal]:
    """The usual sizes of a run and the one asked for, each once, in order."""
    return sorted({*USUAL_RUNS, *([] if asked is None else [asked])})


@dataclass(frozen=True, slots=True)
class RunCost:
    """A run of `quantity` good units by present costs; base currency, exact. Everything is None while a cost is unknown.

    `set_up` is what the set-ups of components and work add, and `rounding` what rounding needs up or down does; both are
    parts of `materials` and `work`.
    """

    quantity: Decimal
    materials: Fraction | None
    work: Fraction | None
    by_products: Fraction | None
    """Never above zero."""
    set_up: Fraction | None
    rounding: Fraction | None

    @property
    def total(self) -> Decimal | None:
        """The whole run, to six places."""
        return as_unit_cost(self._sum())

    @property
    def unit_cost(self) -> Decimal | None:
        """One good unit, to six places."""
        return self.each(self._sum())

    @property
    def materials_each(self) -> Decimal | None:
        return self.each(self.materials)

    @property
    def work_each(self) -> Decimal | None:
        return self.each(self.work)

    @property
    def by_products_each(self) -> Decimal | None:
        return self.each(self.by_products)

    @property
    def set_up_each(self) -> Decimal | None:
        return self.each(self.set_up)

    @property
    def rounding_each(self) -> Decimal | None:
        return self.each(self.rounding)

    def each(self, part: Fraction | None) -> Decimal | None:
        """A part of the run for one good unit, to six places."""
        return None if part is None else round_half_up(part / Fraction(self.quantity), PLACES)

    def _sum(self) -> Fraction | None:
        if self.materials is None or self.work is None or self.by_products is None:
            return None
        return self.materials + self.work + self.by_products


def run_costs(book: CostBook, bom_id: int, *, quantities: Sequence[Decimal]) -> Sequence[RunCost]:
    """Planned costs of runs of a version, each of so many good units (above zero), in the order asked. No statement."""
    structures = book.structures
    bom = structures.boms[bom_id]
    if not bom.lines or book.of_bom(bom_id).value is None or structures.unusable_phantoms(bom_id):
        return [RunCost(quantity, None, None, None, None, None) for quantity in quantities]
    phantoms = {item: structures.boms[child] for item, child in structures.in_force.items()}
    rates = [rate for rate in explode(bom, phantoms) if not rate.is_optional]
    uses = uses_of_boms(bom, phantoms)
    operations = [fact for use_of in {use.bom_id for use in uses} for fact in book.extras.operations.get(use_of, ())]
    costs = []
    for rate in rates:
        cost = book.of_component(rate.component_id, is_consumable=rate.is_consumable).value
        if cost is None:  # a part of an optional phantom, which the roll-up leaves out and a run does not
            return [RunCost(quantity, None, None, None, None, None) for quantity in quantities]
        costs.append((rate, structures.items[rate.component_id], cost))
    found = []
    for quantity in quantities:
        materials = set_up = rounding = NOTHING
        for rate, item, cost in costs:
            raw = rate.raw(quantity)
            need = raw if item.is_service else Fraction(rate.requirement(quantity, step=item.step))
            materials += need * cost
            set_up += rate.setup * cost
            rounding += (need - raw) * cost
        work = sum(operation_costs(operations, uses, started=quantity, is_first=True).values(), NOTHING)
        plain = sum(operation_costs(operations, uses, started=quantity, is_first=False).values(), NOTHING)
        credit = _credit(book, bom_id, materials + work, quantity)
        found.append(RunCost(quantity, materials, work, -credit, set_up + work - plain, rounding))
    return found


def _credit(book: CostBook, bom_id: int, total: Fraction, quantity: Decimal) -> Fraction:
    """What by-products carry of a run: a share of it, or their whole number of steps at a fixed value; at most all of it."""
    left = total
    for output in book.extras.outputs.get(bom_id, ()):
        if output.unit_value is None:
            carried = total * Fraction(output.cost_share_percent) / 100
        else:
            step = book.extras.items[output.item_id].step
            yielded = output.expected(started_before=Decimal(0), started=quantity, step=step)
            carried = Fraction(output.unit_value) * Fraction(yielded)
        left -= min(carried, left)
    return total - left
