"""Items that draw on the same components: how many of each can be made together, and how many are safe to promise. Pure.

Two questions are asked of one stock. *Alone*: one run of an item, everything else at rest; its set-up counts once and its
need is rounded once, as a completion rounds. *Partitioned*: numbers per item such that orders in any sequence and of any
size within them can all be made, each as a run of its own. Every run pays its set-up and its rounding, so a run of n units is
counted as n times the worst need per unit of any run (`worst_rate`): what is promised can always be made, and sometimes a
little more could. What is missing of a component that is made is made in the same run where `Make.builds` says so (rule S12);
stock of it goes first. All quantities are exact.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from inventory.quantities import QUANTITY_MAX, ZERO, round_down, round_up
from production.explosion import Rate

LEVELS_MAX = 50
RUNS_TRIED = 24
"""Sizes of runs whose rounding is looked at one by one; larger ones are bounded by a formula."""
UNLIMITED_FROM = Decimal(10) ** 12
"""A number nobody makes: what allows it limits nothing."""
_NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Make:
    """How an item is made: rates of the components that limit it, and those of which what is missing is made as well."""

    item_id: int
    step: Decimal
    rates: Sequence[Rate]
    builds: frozenset[int] = frozenset()
    smallest: Decimal = ZERO
    """No order is smaller; zero means one step. A nested run may always be as small as one step."""

    @property
    def smallest_order(self) -> Decimal:
        return max(self.smallest, self.step)


@dataclass(slots=True)
class Shop:
    """Free stock by item, steps by item, and how items are made. Below zero counts as nothing."""

    makes: Mapping[int, Make]
    stock: Mapping[int, Decimal]
    steps: Mapping[int, Decimal]
    _order: list[int] = field(default_factory=list)

    def free(self, item_id: int) -> Decimal:
        return max(self.stock.get(item_id, ZERO), ZERO)

    def with_more(self, item_id: int, extra: Decimal) -> "Shop":
        """The same shop with `extra` more of one item in stock."""
        return replace(self, stock={**self.stock, item_id: self.free(item_id) + extra})

    def without_limit_of(self, items: Collection[int]) -> "Shop":
        """The same shop where these never run out."""
        return replace(self, stock={**self.stock, **dict.fromkeys(items, QUANTITY_MAX * QUANTITY_MAX)})

    def makers_first(self) -> list[int]:
        """Made items, each before the made components it builds. Raises ValueError for a loop."""
        if not self._order:
            seen: dict[int, int] = {}
            for item_id in self.makes:
                self._visit(item_id, seen, 0)
            self._order = sorted(seen, key=lambda one: -seen[one])
        return self._order

    def _visit(self, item_id: int, seen: dict[int, int], depth: int) -> int:
        """The height of an item above what it builds."""
        if depth > LEVELS_MAX:
            raise ValueError(f"item {item_id} is made through more than {LEVELS_MAX} levels")
        if item_id not in seen:
            below = [self._visit(one, seen, depth + 1) for one in self.makes[item_id].builds if one in self.makes]
            seen[item_id] = 1 + max(below, default=0)
        return seen[item_id]


@dataclass(frozen=True, slots=True)
class Limit:
    """What one component allows of an item: `quantity` units of it, `short` of the component for one step more."""

    component_id: int
    quantity: Decimal
    short: Decimal


@dataclass(frozen=True, slots=True)
class Want:
    """What is asked for of one item when stock is divided: its weight against the others, and at most how many."""

    weight: Decimal
    most: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SharedComponent:
    """A component that is scarce for a group: `free` of it, and `wanted` by all if each made all it could alone."""

    component_id: int
    free: Decimal
    wanted: Decimal
    users: Sequence[int]


@dataclass(frozen=True, slots=True)
class Group:
    """Items that cannot all be made at once, and the components they compete for, scarcest first."""

    items: Sequence[int]
    shared: Sequence[SharedComponent]


# --- One run ----------------------------------------------------------------------------------------------------------


def run(shop: Shop, item_id: int, quantity: Decimal, left: dict[int, Decimal], depth: int = 0) -> None:
    """Take what a run of `quantity` needs out of `left`, by item; below zero is what is missing.

    The truth the bounds below are held against: the very rounding of a completion, and nested runs for what is missing.
    """
    if depth > LEVELS_MAX:
        raise ValueError(f"item {item_id} is made through more than {LEVELS_MAX} levels")
    make = shop.makes[item_id]
    for rate in make.rates:
        component = rate.component_id
        need = rate.requirement(quantity, step=shop.steps[component])
        there = left.get(component, ZERO)
        if there < need and component in make.builds and component in shop.makes:
            built = round_up(Fraction(need - max(there, ZERO)), shop.makes[component].step)
            run(shop, component, built, left, depth + 1)
            there = left.get(component, ZERO) + built
        left[component] = there - need


def taken_by_run(shop: Shop, item_id: int, quantity: Decimal) -> dict[int, Decimal]:
    """What one run takes out of stock, by component; more than is there where it cannot be made."""
    left = _LeftOf(shop)
    run(shop, item_id, quantity, left)
    return {component: shop.free(component) - after for component, after in left.items()}


def short_of_run(shop: Shop, item_id: int, quantity: Decimal) -> dict[int, Decimal]:
    """What one run lacks, by component; empty when it can be made."""
    left = _LeftOf(shop)
    run(shop, item_id, quantity, left)
    return {component: -after for component, after in left.items() if after < ZERO}


class _LeftOf(dict[int, Decimal]):
    """What is left of each item: its free stock until somebody takes of it."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self._shop = shop

    def get(self, key: int, default: Decimal | None = None) -> Decimal:  # type: ignore[override]  # noqa: ARG002
        return self[key] if key in self else self._shop.free(key)


def largest(shop: Shop, item_id: int) -> Decimal | None:
    """The most of an item that one run can make; None when no component limits it."""
    step = shop.makes[item_id].step
    if short_of_run(shop, item_id, step):
        return ZERO
    fits, fails = 1, 2
    while not short_of_run(shop, item_id, fails * step):
        if fails * step > UNLIMITED_FROM:
            return None
        fits, fails = fails, fails * 2
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if short_of_run(shop, item_id, middle * step):
            fails = middle
        else:
            fits = middle
    return fits * step


def limits(shop: Shop, item_id: int, *, most: int = 4) -> list[Limit]:
    """The components that limit an item, the bottleneck first: each as if the ones before never ran out."""
    found: list[Limit] = []
    step = shop.makes[item_id].step
    while len(found) < most:
        endless = shop.without_limit_of([limit.component_id for limit in found])
        quantity = largest(endless, item_id)
        if quantity is None:
            break
        short = short_of_run(endless, item_id, quantity + step)
        found += [Limit(component, quantity, short[component]) for component in sorted(short)]
    return found[:most]


def gain_of(shop: Shop, item_id: int, component_id: int, extra: Decimal) -> Decimal | None:
    """How many more of an item could be made with `extra` more of a component; None when then nothing limits it."""
    now, then = largest(shop, item_id), largest(shop.with_more(component_id, extra), item_id)
    return None if now is None or then is None else then - now


# --- Any orders -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=20_000)
def worst_rate(rate: Rate, *, step: Decimal, output_step: Decimal, smallest: Decimal) -> Fraction:
    """The largest need per unit of output of any run: at least requirement(q) / q for every q = smallest + n x step.

    `step` is the component's, `output_step` the item's. Runs that take the worst need however often take at most this times
    what they make.
    """
    grid, first = Fraction(step), Fraction(smallest)
    stride = rate.per_unit * Fraction(output_step)
    is_even = rate.multiple is None and (
        (stride / grid).denominator == 1 and ((rate.per_unit * first + rate.setup) / grid).denominator == 1
    )
    if is_even:  # nothing is ever rounded: the smallest run bears most of the set-up
        return rate.per_unit + rate.setup / first
    worst = _NOTHING
    for number in range(RUNS_TRIED):
        size = smallest + number * output_step
        worst = max(worst, Fraction(rate.requirement(size, step=step)) / Fraction(size))
    added = rate.setup + grid + (rate.multiple or _NOTHING)
    return max(worst, rate.per_unit + added / (first + RUNS_TRIED * Fraction(output_step)))


def most_taken(shop: Shop, numbers: Mapping[int, Decimal]) -> dict[int, Fraction]:
    """At most what orders for these numbers take of each component, in any sequence; made ones included.

    Where stock of a made component may be used up by those that build it while others can only take it from stock, building
    it does not help the others: then all of them must find it in stock.
    """
    builders: dict[int, Fraction] = {}
    others: dict[int, Fraction] = {}
    nested: dict[int, Fraction] = {}
    for item_id in shop.makers_first():
        if item_id in builders and not others.get(item_id):
            missing = builders[item_id] - Fraction(shop.free(item_id))
            if missing > 0:
                nested[item_id] = Fraction(round_up(missing, shop.makes[item_id].step))
        ordered, inside = Fraction(numbers.get(item_id, ZERO)), nested.get(item_id, _NOTHING)
        if not ordered and not inside:
            continue
        make = shop.makes[item_id]
        for rate in make.rates:
            component = rate.component_id
            taken = _worst_of(shop, make, rate, ordered, make.smallest_order)
            taken += _worst_of(shop, make, rate, inside, make.step)
            side = builders if component in make.builds and component in shop.makes else others
            side[component] = side.get(component, _NOTHING) + taken
    total = dict(others)
    for component, taken in builders.items():
        free = Fraction(shop.free(component))
        total[component] = taken + others[component] if others.get(component) else min(taken, free)
    return total


def _worst_of(shop: Shop, make: Make, rate: Rate, quantity: Fraction, smallest: Decimal) -> Fraction:
    if not quantity:
        return _NOTHING
    worst = worst_rate(rate, step=shop.steps[rate.component_id], output_step=make.step, smallest=smallest)
    return worst * quantity


def is_safe(shop: Shop, numbers: Mapping[int, Decimal]) -> bool:
    """Whether orders for these numbers can all be made whatever their sequence and size."""
    return all(taken <= Fraction(shop.free(component)) for component, taken in most_taken(shop, numbers).items())


def partition(shop: Shop, wanted: Mapping[int, Want]) -> dict[int, Decimal | None]:
    """Numbers that can all be made, shared fairly: everybody gets the same share of the weight until something runs out.

    What still can grow then grows on; no number could be one step larger in the end. An item that nothing limits gets its
    `most`, None without one. Weight zero gets nothing.
    """
    found: dict[int, Decimal | None] = {}
    numbers: dict[int, Decimal] = {}
    growing: list[int] = []
    for item_id, want in wanted.items():
        if want.weight <= ZERO:
            found[item_id] = ZERO
        elif is_safe(shop, {item_id: UNLIMITED_FROM}):
            found[item_id] = want.most
        else:
            numbers[item_id] = ZERO
            growing.append(item_id)
    while growing:
        numbers = _grow_together(shop, wanted, numbers, growing)
        growing = _grow_one_by_one(shop, wanted, numbers, growing)
    return {item_id: numbers.get(item_id, found.get(item_id)) for item_id in wanted}


def _grow_together(
    shop: Shop, wanted: Mapping[int, Want], numbers: dict[int, Decimal], growing: Sequence[int]
) -> dict[int, Decimal]:
    """The largest equal share of the weights that is safe, in ticks that raise no number by more than a step."""
    tick = min(Fraction(shop.makes[one].step) / Fraction(wanted[one].weight) for one in growing)

    def shared(ticks: int) -> dict[int, Decimal]:
        raised = dict(numbers)
        for one in growing:
            share = round_down(tick * ticks * Fraction(wanted[one].weight), shop.makes[one].step)
            raised[one] = max(numbers[one], _capped(shop, one, share, wanted[one]))
        return raised

    fits, fails, last = 0, 1, numbers
    while is_safe(shop, raised := shared(fails)):
        if raised == last and fails > 1 and all(_is_full(shop, one, raised[one], wanted[one]) for one in growing):
            return raised
        fits, fails, last = fails, fails * 2, raised
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if is_safe(shop, shared(middle)):
            fits = middle
        else:
            fails = middle
    return shared(fits)


def _grow_one_by_one(
    shop: Shop, wanted: Mapping[int, Want], numbers: dict[int, Decimal], growing: Sequence[int]
) -> list[int]:
    """Give each a step more and return those that got one: the others have all they can have.

    First comes whoever is least served with a step more (highest averages): sorted by what each has already, a larger stock could
    move a step from one to another.
    """

    def served(one: int) -> Fraction:
        return (Fraction(numbers[one]) + Fraction(shop.makes[one].step)) / Fraction(wanted[one].weight)

    still = []
    for one in sorted(growing, key=lambda one: (served(one), one)):
        if _is_full(shop, one, numbers[one], wanted[one]):
            continue
        more = {**numbers, one: numbers[one] + shop.makes[one].step}
        if is_safe(shop, more):
            numbers[one] = more[one]
            still.append(one)
    return still


def _capped(shop: Shop, item_id: int, quantity: Decimal, want: Want) -> Decimal:
    return quantity if want.most is None else min(quantity, round_down(Fraction(want.most), shop.makes[item_id].step))


def _is_full(shop: Shop, item_id: int, quantity: Decimal, want: Want) -> bool:
    return want.most is not None and quantity + shop.makes[item_id].step > want.most


# --- Who competes with whom -------------------------------------------------------------------------------------------


def groups(shop: Shop, alone: Mapping[int, Decimal | None]) -> list[Group]:
    """Items that compete: connected through components of which all together would take more than is free.

    `alone` is the most of each item that can be made by itself. Items that stand in nobody's way are in no group.
    """
    takes = {
        item_id: taken_by_run(shop, item_id, max(quantity, shop.makes[item_id].step))
        for item_id, quantity in alone.items()
        if quantity is not None
    }
    users: dict[int, list[int]] = {}
    for item_id, taken in takes.items():
        for component, quantity in taken.items():
            if quantity > ZERO:
                users.setdefault(component, []).append(item_id)
    scarce: list[SharedComponent] = []
    for component, by in users.items():
        total = sum((takes[item_id][component] for item_id in by), ZERO)
        if len(by) > 1 and total > shop.free(component):
            scarce.append(SharedComponent(component, shop.free(component), total, sorted(by)))
    found = []
    for members in _connected([shared.users for shared in scarce]):
        shared = [one for one in scarce if one.users[0] in members]
        shared.sort(key=lambda one: (Fraction(one.free) / Fraction(one.wanted), one.component_id))
        found.append(Group(sorted(members), shared))
    return found


def _connected(links: Iterable[Sequence[int]]) -> list[set[int]]:
    """Sets of numbers that are connected through the lists they stand in."""
    found: list[set[int]] = []
    for link in links:
        joined = set(link)
        apart = []
        for one in found:
            if one & joined:
                joined |= one
            else:
                apart.append(one)
        found = [*apart, joined]
    return found
