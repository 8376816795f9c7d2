"""How many could be made now from what is free, and which component is the bottleneck (rule S23).

Phantoms are exploded; made sub-assemblies count as they lie in stock (S12). Consumables, services and optional components do
not limit. One figure per product: products that draw on the same component cannot all be built at once.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import ZERO
from inventory.reads.availability import ItemAvailability, availability
from inventory.records import record
from production.explosion import startable
from production.reads.structures import ItemFact, Structures, load_structures


@record(frozen=True, slots=True)
class ComponentLimit:
    """What one component allows: `free` in its stock unit, `per_unit` exact per unit of output, `limit` units of output."""

    component: ItemFact
    free: Decimal
    per_unit: Fraction
    limit: Decimal


@record(frozen=True, slots=True)
class Buildable:
    """How many units of an item could be made now by one version; `quantity` is None when no component limits it.

    `limits` are the components that do, scarcest first. `problem` says why nothing can be made where no stock is to blame:
    there is no BOM in force, or a phantom has none.
    """

    item_id: int
    bom_id: int | None
    quantity: Decimal | None
    limits: Sequence[ComponentLimit] = ()
    problem: str = ""

    @property
    def bottleneck(self) -> ComponentLimit | None:
        return self.limits[0] if self.limits else None


def free_stock(stock: dict[int, ItemAvailability], item_id: int, places: Collection[int] = ()) -> Decimal:
    """Free to use of an item at `places`, or at every site when none is named; never below zero."""
    found = stock.get(item_id)
    return ZERO if found is None else found.from_sources(places).available


def limits_of(
    structures: Structures, bom_id: int, stock: dict[int, ItemAvailability], *, places: Collection[int] = ()
) -> Buildable:
    """How many units a version can make from this stock."""
    head = structures.heads[bom_id]
    broken = structures.unusable_phantoms(bom_id)
    if broken:
        skus = ", ".join(sorted(item.sku for item in broken))
        return Buildable(head.item_id, bom_id, ZERO, problem=f"{skus} has no BOM in force whose parts could be used.")
    if not structures.boms[bom_id].lines:
        return Buildable(head.item_id, bom_id, ZERO, problem=f"BOM v{head.version} has no lines.")
    limits = []
    for rate in structures.rates(bom_id):
        if rate.is_consumable or rate.is_optional:
            continue
        component = structures.items[rate.component_id]
        free = free_stock(stock, component.id, places)
        step = structures.items[head.item_id].step
        limit = startable(rate, usable=free, step=component.step, output_step=step)
        if limit is not None:
            limits.append(ComponentLimit(component, free, rate.per_unit, limit))
    limits.sort(key=lambda limit: (limit.limit, limit.component.sku))
    return Buildable(head.item_id, bom_id, limits[0].limit if limits else None, limits)


def buildable(*, items: Collection[int], places: Collection[int] = (), on: date | None = None) -> dict[int, Buildable]:
    """How many of each item could be made now by its version in force, by item id.

    From free stock at `places` (location ids, each with all below it), or at every site when none is named; stock of several
    places is added up, so ask per place for what must not be pooled. Two statements whatever the number of items.
    """
    structures = load_structures(items=items, on=on, whole=False)
    stock = availability(items=list(structures.items), sources=places)
    found = {}
    for item_id in items:
        bom_id = structures.in_force.get(item_id)
        if bom_id is None:
            found[item_id] = Buildable(item_id, None, ZERO, problem=f"No BOM is in force on {structures.on}.")
        else:
            found[item_id] = limits_of(structures, bom_id, stock, places=places)
    return found


def buildable_by_place(
    *, items: Collection[int], places: Sequence[int], on: date | None = None
) -> dict[int, dict[int, Buildable]]:
    """`buildable` of each place for itself, nothing pooled: place id, then item id. Items without a BOM are left out.

    Two statements whatever the number of items and places.
    """
    structures = load_structures(items=items, on=on, whole=False)
    stock = availability(items=list(structures.items), sources=places)
    made = [item_id for item_id in items if item_id in structures.in_force]
    return {
        place: {item_id: limits_of(structures, structures.in_force[item_id], stock, places=[place]) for item_id in made}
        for place in places
    }


def buildable_by_bom(*, boms: Iterable[int], places: Collection[int] = ()) -> dict[int, Buildable]:
    """How many could be made now by given versions, drafts included, by BOM id. Two statements."""
    wanted = list(boms)
    structures = load_structures(boms=wanted, whole=False)
    stock = availability(items=list(structures.items), sources=places)
    return {
        bom_id: limits_of(structures, bom_id, stock, places=places) for bom_id in wanted if bom_id in structures.boms
    }
