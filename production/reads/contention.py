"""What can be made of many items from one stock: each alone, in groups that compete, divided so that all of it can be kept,
and by when. A fixed number of statements whatever the number of items.

With `make_missing` (the default) made components that run out are made too, all levels down; else only where the line of the
BOM says so. One stock for all: at `places`, or at every site.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from inventory.quantities import ZERO
from inventory.reads.availability import availability
from inventory.reads.incoming import incoming
from production.contention import (
    Group,
    Limit,
    Make,
    Shop,
    Want,
    gain_of,
    groups,
    largest,
    limits,
    partition,
    taken_by_run,
)
from production.promising import Arrival, Promise, promise
from production.reads.buildable import free_stock
from production.reads.open_orders import open_needs, open_outputs
from production.reads.structures import ItemFact, Structures, load_structures

GROUP_ITEMS_MAX = 200
"""Items whose competition is looked at together."""
LIMITS_SHOWN = 4
_ONE = Decimal(1)


@dataclass(slots=True)
class ShopRead:
    """A shop as it stands in the database, with the items in it by id, and why some cannot be made at all."""

    shop: Shop
    structures: Structures
    capacities: Mapping[int, Decimal] = field(default_factory=dict)
    """Units a day by item, where the version in force limits them."""
    problems: Mapping[int, str] = field(default_factory=dict)

    @property
    def items(self) -> Mapping[int, ItemFact]:
        return self.structures.items


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many of one item can be made: alone, None when nothing limits it.

    `limits` begin with the bottleneck. `gain` is what one stock unit more of the bottleneck would bring, None when then
    nothing limits the item any more.
    """

    item_id: int
    quantity: Decimal | None
    limits: Sequence[Limit] = ()
    gain: Decimal | None = None
    problem: str = ""

    @property
    def bottleneck(self) -> Limit | None:
        return self.limits[0] if self.limits else None


_FLAGS = """
SELECT b.id, b.capacity_per_day,
       ARRAY(SELECT l.component_id FROM production_bomline l WHERE l.bom_id = b.id AND l.builds_shortage)
FROM production_bom b WHERE b.id = ANY(%s::bigint[])
"""


def load_shop(
    *, items: Collection[int], places: Collection[int] = (), make_missing: bool = True, on: date | None = None
) -> ShopRead:
    """Free stock and recipes of `items` (ids) and of everything below them. Three statements."""
    structures = load_structures(items=items, on=on)
    stock = availability(items=list(structures.items), sources=places)
    flags: dict[int, tuple[Decimal | None, list[int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_FLAGS, [numbers(structures.boms)])
        for bom_id, capacity, builds in cursor.fetchall():
            flags[bom_id] = (capacity, builds)
    makes, problems, capacities = {}, {}, {}
    for item_id in {*items, *structures.in_force}:
        bom_id = structures.in_force.get(item_id)
        problem = _problem(structures, bom_id)
        if problem or bom_id is None:
            problems[item_id] = problem
            continue
        step = structures.items[item_id].step
        rates = [rate for rate in structures.rates(bom_id) if not (rate.is_consumable or rate.is_optional)]
        if make_missing:
            builds = frozenset(structures.in_force)
        else:
            builds = frozenset(one for bom in _exploded(structures, bom_id) for one in flags[bom][1])
        makes[item_id] = Make(item_id, step, rates, builds, smallest=max(step, _ONE))
        capacity = flags[bom_id][0]
        if capacity is not None:
            capacities[item_id] = capacity
    for make in makes.values():  # what cannot be made because its BOM is broken is only taken from stock
        makes[make.item_id] = Make(
            make.item_id,
            make.step,
            make.rates,
            frozenset(r.component_id for r in make.rates if r.component_id in make.builds and r.component_id in makes),
            make.smallest,
        )
    free = {item_id: free_stock(stock, item_id, places) for item_id in structures.items}
    steps = {item_id: item.step for item_id, item in structures.items.items()}
    return ShopRead(Shop(makes, free, steps), structures, capacities, problems)


def _problem(structures: Structures, bom_id: int | None) -> str:
    if bom_id is None:
        return f"No BOM is in force on {structures.on}."
    broken = structures.unusable_phantoms(bom_id)
    if broken:
        skus = ", ".join(sorted(item.sku for item in broken))
        return f"{skus} has no BOM in force whose parts could be used."
    return "" if structures.boms[bom_id].lines else f"BOM v{structures.heads[bom_id].version} has no lines."


def _exploded(structures: Structures, bom_id: int) -> list[int]:
    """A version and the versions of the phantoms whose parts it uses."""
    found, waiting = [], [bom_id]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.append(current)
        children = [structures.child_of(line) for line in structures.boms[current].lines if line.explodes]
        waiting += [child for child in children if child is not None]
    return found


def outlook(read: ShopRead, item_id: int) -> Outlook:
    """How many of an item can be made from a shop that was read."""
    if item_id not in read.shop.makes:
        return Outlook(item_id, ZERO, problem=read.problems.get(item_id, ""))
    found = limits(read.shop, item_id, most=LIMITS_SHOWN)
    if not found:
        return Outlook(item_id, None)
    gain = gain_of(read.shop, item_id, found[0].component_id, _ONE)
    return Outlook(item_id, found[0].quantity, found, gain)


@dataclass(frozen=True, slots=True)
class Gain:
    """What `extra` more of a component (its stock unit) would bring of an item. None: nothing would limit it."""

    component: ItemFact
    extra: Decimal
    before: Decimal | None
    after: Decimal | None
    bottleneck: ItemFact | None
    """What would limit it then."""

    @property
    def more(self) -> Decimal | None:
        return None if self.before is None or self.after is None else self.after - self.before


def gain(read: ShopRead, *, item_id: int, component_id: int, extra: Decimal) -> Gain:
    """What more of one component would bring of an item that can be made. No statement."""
    before = largest(read.shop, item_id)
    then = limits(read.shop.with_more(component_id, extra), item_id, most=1)
    return Gain(
        component=read.items[component_id],
        extra=extra,
        before=before,
        after=then[0].quantity if then else None,
        bottleneck=read.items[then[0].component_id] if then else None,
    )


def component_named(read: ShopRead, item_id: int, sku: str) -> ItemFact | None:
    """The item below `item_id` that a SKU names, without regard to case; None when it is none of them."""
    named = (one for one in read.items.values() if one.sku.casefold() == sku.strip().casefold() and one.id != item_id)
    return next(named, None)


def alone(read: ShopRead, items: Collection[int]) -> dict[int, Decimal | None]:
    """The most of each item by itself; items that cannot be made are left out."""
    return {item_id: largest(read.shop, item_id) for item_id in items if item_id in read.shop.makes}


def groups_of(read: ShopRead, items: Collection[int]) -> list[Group]:
    """The groups of `items` that compete for what is scarce."""
    return groups(read.shop, alone(read, items))


def partitioned(
    *,
    wanted: Mapping[int, Want],
    places: Collection[int] = (),
    make_missing: bool = True,
) -> dict[int, Decimal | None]:
    """Numbers per item id within which any sequence of orders can be made, shared by weight; None: nothing limits it.

    What has no BOM in force gets zero. Three statements whatever the number of items.
    """
    read = load_shop(items=list(wanted), places=places, make_missing=make_missing)
    made = {item_id: want for item_id, want in wanted.items() if item_id in read.shop.makes}
    found = partition(read.shop, made)
    return {item_id: found.get(item_id, ZERO) for item_id in wanted}


_RIVALS = """
WITH RECURSIVE in_force AS MATERIALIZED (
  SELECT DISTINCT ON (b.item_id) b.id, b.item_id FROM production_bom b
  WHERE b.state <> 'draft' AND b.effective_from <= %(on)s
    AND (b.effective_to > %(on)s OR b.effective_to IS NULL AND b.state = 'active')
  ORDER BY b.item_id, b.effective_from DESC, b.version DESC
), users(item_id) AS (
  SELECT unnest(%(components)s::bigint[])
  UNION
  SELECT f.item_id FROM users u
  JOIN production_bomline l ON l.component_id = u.item_id AND NOT l.is_consumable AND NOT l.is_optional
  JOIN in_force f ON f.id = l.bom_id
)
SELECT i.id FROM users u JOIN inventory_item i ON i.id = u.item_id JOIN in_force f ON f.item_id = i.id
WHERE i.is_active AND i.kind <> 'phantom' ORDER BY i.sku LIMIT %(most)s
"""


def rivals(*, read: ShopRead, item_id: int) -> list[int]:
    """Items that are made, at any level, of something a run of `item_id` takes; itself among them. One statement."""
    if item_id not in read.shop.makes:
        return []
    taken = taken_by_run(read.shop, item_id, read.shop.makes[item_id].step)
    with connection.cursor() as cursor:
        cursor.execute(
            _RIVALS,
            {"components": numbers([*taken, item_id]), "on": read.structures.on, "most": GROUP_ITEMS_MAX},
        )
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class PromiseRead:
    """A promise with the items its lines name."""

    promise: Promise | None
    items: Mapping[int, ItemFact]
    problem: str = ""


def promise_date(
    *, item_id: int, quantity: Decimal, places: Collection[int] = (), make_missing: bool = True
) -> PromiseRead:
    """The earliest day on which `quantity` (stock unit, positive) of an item can be ready, and why.

    Open work orders come first: what they still need of components is theirs, and what they still make of this item takes
    its capacity. Six statements.
    """
    today = timezone.localdate()
    read = load_shop(items=[item_id], places=places, make_missing=make_missing, on=today)
    if item_id not in read.shop.makes:
        return PromiseRead(None, read.items, read.problems.get(item_id, ""))
    components = [one for one in read.items if one != item_id]
    arrivals = [
        Arrival(row.item_id, row.quantity, row.expected_on, row.reference, row.origin)
        for rows in incoming(items=components).values()
        for row in rows
    ]
    found = promise(
        read.shop,
        item_id,
        quantity,
        on_hand=read.shop.free(item_id),
        promised=open_needs(items=components),
        arrivals=arrivals,
        today=today,
        capacity=read.capacities.get(item_id),
        queue=open_outputs(items=[item_id]).get(item_id, ZERO),
    )
    return PromiseRead(found, read.items)
