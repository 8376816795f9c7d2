"""Groups of offered products that compete for scarce components: what they show, what could be kept, and what division does.

A number of statements that depends neither on the groups nor on their products.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.utils import timezone

from channels_sync.allocation.terms import BY_DEMAND, DEMAND, HUNDRED, POOL, WEIGHT, Terms
from channels_sync.competing import Offered, Worst, worst_case
from channels_sync.models import AllocationPolicy, Listing
from channels_sync.reads.division import Competition, competition
from channels_sync.reads.figures import FigureChange, figures_of
from channels_sync.reads.rulebook import Proposal, Scope
from inventory.arrays import numbers
from inventory.models import Item
from inventory.quantities import PLACES, ZERO, round_half_up
from production.contention import largest
from production.reads.cost_rollup import as_unit_cost, item_costs, present_averages

PRICE_DAYS = 90
"""Prices of order lines of so many days are averaged."""
GROUPS_MAX = 50
"""Groups that are worked out for one look, those with most products first."""
SOLD, COST = "order lines", "cost"


@dataclass(frozen=True, slots=True)
class Worth:
    """What a stock unit is worth, base currency, and where that is from: SOLD, COST, or empty when it is not known."""

    value: Decimal | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One product, quantities in its stock unit. `alone` is None where nothing limits it."""

    item: Item
    listings: int
    listing_id: int | None
    """Its listing where it has one alone."""
    on_hand: Decimal
    alone: Decimal | None
    safe: Decimal
    shown: Decimal
    """What all its channels together should show."""
    then: Decimal
    """The same under the proposed division."""
    lost: Decimal
    """What of `then` cannot be kept in the case worst for the group."""
    worth: Worth
    is_sold_itself: bool = False
    """A component that is offered too; it is not divided."""


@dataclass(frozen=True, slots=True)
class Scarce:
    """A component the group competes for: what is free, and what all of it would take that could be built alone."""

    item: Item
    free: Decimal
    wanted: Decimal


@dataclass(frozen=True, slots=True)
class CompetingGroup:
    """Products that cannot all keep what they show, with the case worst for them: as it is now, and as it is proposed."""

    key: int
    """The smallest id of its products; it names the group in addresses."""
    members: Sequence[Member]
    sold_themselves: Sequence[Member]
    scarce: Sequence[Scarce]
    percent: Decimal | None
    """How far it is divided by its rules; None when its listings differ."""
    proposed: Decimal | None
    now: Worst
    then: Worst

    @property
    def items(self) -> list[int]:
        return [member.item.pk for member in self.members]

    @property
    def shown(self) -> Decimal:
        return sum((one.shown for one in self.members), ZERO)

    @property
    def shown_then(self) -> Decimal:
        return sum((one.then for one in self.members), ZERO)

    @property
    def safe(self) -> Decimal:
        return sum((one.on_hand + one.safe for one in self.members), ZERO)

    @property
    def worth_words(self) -> str:
        """Whose money the money is."""
        sources = {one.worth.source for one in (*self.members, *self.sold_themselves)}
        if sources == {SOLD}:
            return f"at the average price of the last {PRICE_DAYS} days' order lines"
        if SOLD in sources:
            return "at the price of order lines where one is known, else at cost per unit"
        return "at cost per unit, since no order line with a price is known"


def division_terms(standing: Mapping[str, object], percent: Decimal) -> dict[str, object]:
    """The terms of a product's rule with which it is divided so far; how it is divided stays where the rule says so."""
    sharing, building = standing.get("sharing"), standing.get("building")
    return {
        **standing,
        "building": building if building == WEIGHT else BY_DEMAND,
        "sharing": sharing if sharing in (WEIGHT, DEMAND) else DEMAND,
        "divided_percent": percent,
    }


def standing_terms(items: Collection[int]) -> dict[int, dict[str, object]]:
    """What the lasting rules of items alone say, by item id. One statement."""
    rules = AllocationPolicy.objects.standing().filter(
        item__in=list(items), channel__isnull=True, effective_from__lte=timezone.now()
    )
    return {rule.item_id: rule.terms for rule in rules if rule.item_id is not None}


def competing_groups(
    *, at: datetime | None = None, of_item: int | None = None, percent: Decimal | None = None
) -> list[CompetingGroup]:
    """The groups, that of `of_item` alone when given; with `percent` each as if it were divided so far."""
    now = at or timezone.now()
    found = competition(at=now, everybody=True)
    groups = [group for group in found.groups if len(group) > 1 and (of_item is None or of_item in group)]
    groups = sorted(groups, key=lambda group: (-len(group), min(group)))[:GROUPS_MAX]
    if not groups or found.structures is None:
        return []
    return _Reader(found, groups, at=now, percent=percent).groups()


class _Reader:
    """All groups read at once."""

    def __init__(
        self, found: Competition, groups: Sequence[set[int]], *, at: datetime, percent: Decimal | None
    ) -> None:
        self._shop, self._parts, self._groups, self._percent = found.shop, found.parts, groups, percent
        made = set().union(*groups)
        parts = {rate.component_id for one in made for rate in found.shop.makes[one].rates}
        rows = Listing.objects.published().filter(item__in=made | parts).values_list("pk", "item_id", "pack_size")
        self._packs = {pk: pack for pk, _, pack in rows}
        self._listings: dict[int, list[int]] = {}
        for pk, item_id, _ in rows:
            self._listings.setdefault(item_id, []).append(pk)
        self._items = Item.objects.in_bulk(made | parts)
        self._worth = worths(made | (parts & self._listings.keys()), at=at)
        present = figures_of(listing_ids=self._packs, now=at)
        self._terms = {one.facts.listing_id: one.derivation.terms for one in present}
        self._shown = self._in_stock_units(present, before=True)
        self._then = self._shown
        if percent is not None:
            standing = standing_terms(made)
            proposals = [
                Proposal(Scope(item_id=one), division_terms(standing.get(one, {}), percent)) for one in sorted(made)
            ]
            self._then = self._in_stock_units(figures_of(listing_ids=self._packs, now=at, proposals=proposals))

    def _in_stock_units(self, figures: Iterable[FigureChange], *, before: bool = False) -> dict[int, Decimal]:
        found: dict[int, Decimal] = {}
        for one in figures:
            packs = (one.before or 0) if before else one.quantity
            item_id = one.facts.item_id
            found[item_id] = found.get(item_id, ZERO) + packs * self._packs[one.facts.listing_id]
        return found

    def groups(self) -> list[CompetingGroup]:
        return sorted(
            (self._group(group) for group in self._groups),
            key=lambda one: (-(one.now.money or ZERO), -one.now.units, one.key),
        )

    def _group(self, group: set[int]) -> CompetingGroup:
        parts = {rate.component_id for one in group for rate in self._shop.makes[one].rates}
        sold = sorted((parts & self._listings.keys()) - group)
        now, then = (self._worst([*group, *sold], shown) for shown in (self._shown, self._then))
        members = [self._member(one, then) for one in group]
        return CompetingGroup(
            key=min(group),
            members=sorted(members, key=lambda one: (-one.shown, one.item.sku)),
            sold_themselves=[self._member(one, then, is_sold_itself=True) for one in sold],
            scarce=self._scarce(members),
            percent=self._present_percent(group),
            proposed=self._percent,
            now=now,
            then=then,
        )

    def _worst(self, items: Sequence[int], shown: Mapping[int, Decimal]) -> Worst:
        return worst_case(
            self._shop, [Offered(one, shown.get(one, ZERO), self._worth[one].value) for one in sorted(items)]
        )

    def _member(self, item_id: int, worst: Worst, *, is_sold_itself: bool = False) -> Member:
        part = self._parts.get(item_id)
        listings = self._listings.get(item_id, [])
        return Member(
            item=self._items[item_id],
            listings=len(listings),
            listing_id=listings[0] if len(listings) == 1 else None,
            on_hand=self._shop.free(item_id),
            alone=ZERO if is_sold_itself else largest(self._shop, item_id),
            safe=ZERO if part is None else part.quantity,
            shown=self._shown.get(item_id, ZERO),
            then=self._then.get(item_id, ZERO),
            lost=worst.by_item.get(item_id, ZERO),
            worth=self._worth[item_id],
            is_sold_itself=is_sold_itself,
        )

    def _scarce(self, members: Sequence[Member]) -> list[Scarce]:
        """Components of several of them that cannot give all that could be built alone, the scarcest first."""
        wanted: dict[int, Fraction] = {}
        users: dict[int, set[int]] = {}
        for member in members:
            for rate in self._shop.makes[member.item.pk].rates:
                users.setdefault(rate.component_id, set()).add(member.item.pk)
                taken = rate.per_unit * Fraction(member.alone or ZERO)
                wanted[rate.component_id] = wanted.get(rate.component_id, Fraction(0)) + taken
        found = [
            Scarce(self._items[one], self._shop.free(one), round_half_up(wanted[one], PLACES))
            for one in wanted
            if len(users[one]) > 1 and wanted[one] > self._shop.free(one)
        ]
        return sorted(found, key=lambda one: (Fraction(one.free) / Fraction(one.wanted), one.item.sku))

    def _present_percent(self, group: set[int]) -> Decimal | None:
        found = {_divided(self._terms[pk]) for one in group for pk in self._listings.get(one, ()) if pk in self._terms}
        return found.pop() if len(found) == 1 else None


def _divided(terms: Terms) -> Decimal:
    """How far a listing is from seeing all (0) to seeing its part alone (100), as far as one number says it."""
    if not terms.counts_buildable:
        return HUNDRED
    if not terms.divides_building or terms.sharing.value == POOL:
        return ZERO
    return terms.divided_percent.value


_PRICES = """
SELECT item_id, sum(unit_price * quantity) / sum(quantity) FROM channels_sync_channeldemand
WHERE item_id = ANY(%s::bigint[]) AND unit_price IS NOT NULL AND quantity > 0 AND day > %s GROUP BY item_id
"""


def worths(items: Collection[int], *, at: datetime) -> dict[int, Worth]:
    """What a unit of each item is worth: its price in recent order lines, else what it costs. At most five statements."""
    since = timezone.localdate(at) - timedelta(days=PRICE_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(_PRICES, [numbers(items), since])
        found = {item_id: Worth(round_half_up(Fraction(price), PLACES), SOLD) for item_id, price in cursor.fetchall()}
    rest = set(items) - found.keys()
    averages = present_averages(rest)
    found |= {one: Worth(as_unit_cost(value), COST) for one, value in averages.items()}
    for one, rolled in item_costs(items=sorted(rest - averages.keys())).items():
        if rolled.unit_cost is not None:
            found[one] = Worth(rolled.unit_cost, COST)
    return {one: found.get(one, Worth()) for one in items}
