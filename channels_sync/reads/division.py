"""What could be built, divided among the products that draw on the same components.

Products whose rule says so take part. Together they are given no more than can be built whatever is ordered of each, in any
sequence: `production.contention.partition`. A product that divides with nobody is given what is safe for it alone, and one
whose rule does not say so keeps seeing all that could be built of it, as if there were no others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from django.utils import timezone

from channels_sync.allocation.terms import ALONE, BY_DEMAND
from channels_sync.models import ChannelMode
from channels_sync.reads.layers import demand_of
from channels_sync.reads.rulebook import Proposal, every_rule_in_force
from inventory.quantities import PLACES, ZERO, round_down
from inventory.reads.availability import availability
from inventory.trips import Statement, rows_of
from production.contention import Make, Shop, Want, largest, most_taken, partition, worst_rate
from production.reads.buildable import free_stock
from production.reads.structures import IN_FORCE, Structures, load_structures

GROUP_MAX = 100
"""In larger groups every component is cut up by weight once and for all, which is as safe and leaves more of it unused."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one product is given of what could be built, in its stock unit, and how many products divide with it."""

    quantity: Decimal
    among: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Member:
    item_id: int
    weight: Decimal
    is_by_demand: bool
    smallest: Decimal
    """The least that anybody can order of it, in stock units."""

    def together_with(self, other: _Member) -> _Member:
        """What two listings of one item come to."""
        return _Member(
            self.item_id,
            max(self.weight, other.weight),
            self.is_by_demand or other.is_by_demand,
            min(self.smallest, other.smallest),
        )


def division_statement(*, at: datetime) -> Statement:
    """Asks whether any rule in force has products divide what could be built."""
    return (
        "SELECT EXISTS (SELECT FROM channels_sync_allocationpolicy WHERE effective_from <= %(at)s"
        " AND (effective_to IS NULL OR effective_to > %(at)s) AND building NOT IN ('', %(alone)s))",
        {"at": at, "alone": ALONE},
    )


def parts_of_building(*, at: datetime, proposals: Collection[Proposal] = ()) -> dict[int, Part]:
    """What each product that takes part is given, by item id. The number of statements does not depend on how many there are."""
    return competition(at=at, proposals=proposals).parts


@dataclass(frozen=True, slots=True)
class Competition:
    """Products that take part, what they are made of, the groups that share what is scarce, and what each is given."""

    shop: Shop
    structures: Structures | None
    groups: Sequence[set[int]]
    parts: dict[int, Part]


def competition(*, at: datetime, proposals: Collection[Proposal] = (), everybody: bool = False) -> Competition:
    """Everything the parts rest on. With `everybody` also products take part that count what could be built and do not divide
    it yet: as if they did, by recent demand.
    """
    members = _members(at=at, proposals=proposals, everybody=everybody)
    if not members:
        return Competition(Shop({}, {}, {}), None, (), {})
    structures = load_structures(items=members, whole=False, on=timezone.localdate(at))
    stock = availability(items=list(structures.items), at=at)
    shop = _shop(structures, members, {one: free_stock(stock, one) for one in structures.items})
    weights = _weights([members[item_id] for item_id in shop.makes], at=at)
    found: dict[int, Part] = {}
    groups = _groups(shop)
    for group in groups:
        if len(group) > GROUP_MAX:
            given = _cut_up(shop, group, weights)
        else:
            wanted = partition(shop, {one: Want(weights[one]) for one in sorted(group)})
            given = {one: quantity for one, quantity in wanted.items() if quantity is not None}
        for one, quantity in given.items():
            how = "recent demand" if members[one].is_by_demand else "weight"
            others = len(group) - 1
            reason = (
                f"divided with {others} other{'' if others == 1 else 's'} by {how}" if others else "safe in any orders"
            )
            found[one] = Part(quantity, len(group), reason)
    return Competition(shop, structures, groups, found)


def connected_products(*, items: Collection[int], at: datetime) -> set[int]:
    """Products that take part and share a component with one of `items` (ids), directly or through others that do.

    `items` may be products, taking part or not, and components.
    """
    ((divides,),) = rows_of(*division_statement(at=at))
    return products_connected_with(items=items, at=at) if divides else set()


def products_connected_with(*, items: Collection[int], at: datetime) -> set[int]:
    """The same for who knows that a rule has products divide what could be built."""
    members = _members(at=at)
    structures = load_structures(items={*members, *items}, whole=False, on=timezone.localdate(at))
    users: dict[int, set[int]] = {}
    made_of: dict[int, set[int]] = {}
    for item_id, bom_id in structures.in_force.items():
        if not (item_id in members or item_id in items) or structures.unusable_phantoms(bom_id):
            continue
        for rate in structures.rates(bom_id):
            if not (rate.is_consumable or rate.is_optional):
                users.setdefault(rate.component_id, set()).add(item_id)
                made_of.setdefault(item_id, set()).add(rate.component_id)
    seen: set[int] = set()
    waiting = {*items, *(user for item_id in items for user in users.get(item_id, ()))}
    while waiting:
        current = waiting.pop()
        seen.add(current)
        waiting |= {user for one in made_of.get(current, ()) for user in users[one]} - seen
    return seen & members.keys()


# --- who takes part ---

_MADE_LISTINGS = f"""
SELECT l.id, l.channel_id, l.item_id, i.category_id, l.pack_size
FROM channels_sync_listing l JOIN channels_sync_channel c ON c.id = l.channel_id JOIN inventory_item i ON i.id = l.item_id
WHERE l.is_active AND c.mode <> %(off)s
  AND l.item_id = ANY(ARRAY(SELECT b.item_id FROM production_bom b WHERE {IN_FORCE}))
"""


@dataclass(frozen=True, slots=True)
class _Place:
    listing_id: int
    channel_id: int
    item_id: int
    category_id: int | None


def _members(*, at: datetime, proposals: Collection[Proposal] = (), everybody: bool = False) -> dict[int, _Member]:
    rules, _ = every_rule_in_force(at=at, proposals=proposals)
    rows = rows_of(_MADE_LISTINGS, {"off": ChannelMode.OFF.value, "on": timezone.localdate(at)})
    found: dict[int, _Member] = {}
    for listing_id, channel_id, item_id, category_id, pack_size in rows:
        terms = rules.terms_of(_Place(listing_id, channel_id, item_id, category_id))
        if not (terms.divides_building or (everybody and terms.counts_buildable)):
            continue
        by_demand = terms.building.value == BY_DEMAND or not terms.divides_building
        one = _Member(item_id, terms.weight.value, by_demand, pack_size)
        found[item_id] = one if item_id not in found else one.together_with(found[item_id])
    return found


def _weights(members: Iterable[_Member], *, at: datetime) -> dict[int, Decimal]:
    """Weights by item; those by demand are 1 on average, and one unit is added to every demand: what is new sells too."""
    everyone = list(members)
    weights = {one.item_id: one.weight for one in everyone}
    by_demand = [one.item_id for one in everyone if one.is_by_demand]
    if by_demand:
        book = demand_of(by_demand, today=timezone.localdate(at))
        sold = {item_id: book.of(item_id, 0).everywhere + 1 for item_id in by_demand}
        total = sum(sold.values(), ZERO)
        for item_id, quantity in sold.items():
            weights[item_id] = max(round_down(Fraction(quantity) * len(sold) / Fraction(total), PLACES), PLACES)
    return weights


# --- what there is to divide ---


def _shop(structures: Structures, members: Mapping[int, _Member], free: Mapping[int, Decimal]) -> Shop:
    """What members are made of, phantoms exploded; a made component counts as it lies in stock."""
    makes = {}
    for item_id, member in members.items():
        bom_id = structures.in_force.get(item_id)
        if bom_id is None or structures.unusable_phantoms(bom_id) or not structures.boms[bom_id].lines:
            continue
        rates = [rate for rate in structures.rates(bom_id) if not (rate.is_consumable or rate.is_optional)]
        step = structures.items[item_id].step
        makes[item_id] = Make(item_id, step, rates, frozenset(), smallest=max(step, member.smallest))
    return Shop(makes, free, {item_id: item.step for item_id, item in structures.items.items()})


def _groups(shop: Shop) -> list[set[int]]:
    """Products connected through components of which all together might take more than is free; each product in one group."""
    alone = {item_id: largest(shop, item_id) for item_id in shop.makes}
    taken = most_taken(shop, {item_id: most for item_id, most in alone.items() if most})
    group_of = {item_id: {item_id} for item_id in shop.makes}
    for component, quantity in taken.items():
        if quantity <= shop.free(component):
            continue
        joined: set[int] = set()
        for item_id, make in shop.makes.items():
            if any(rate.component_id == component for rate in make.rates):
                joined |= group_of[item_id]
        for item_id in joined:
            group_of[item_id] = joined
    return list({id(group): group for group in group_of.values()}.values())


def _cut_up(shop: Shop, group: Collection[int], weights: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """Every component cut up by weight among all that use it, and what each can make of its own pieces."""
    in_all: dict[int, Decimal] = {}
    for item_id in group:
        for component in {rate.component_id for rate in shop.makes[item_id].rates}:
            in_all[component] = in_all.get(component, ZERO) + weights[item_id]
    found = {}
    for item_id in group:
        make = shop.makes[item_id]
        needs: dict[int, Fraction] = {}
        for rate in make.rates:
            worst = worst_rate(
                rate, step=shop.steps[rate.component_id], output_step=make.step, smallest=make.smallest_order
            )
            needs[rate.component_id] = needs.get(rate.component_id, Fraction(0)) + worst
        shares = [
            Fraction(shop.free(component)) * Fraction(weights[item_id]) / Fraction(in_all[component]) / need
            for component, need in needs.items()
            if need and in_all[component]
        ]
        found[item_id] = round_down(min(shares), make.step) if shares and weights[item_id] else ZERO
    return found
