"""More stock lowers no listing of an item: shares, fences, priority when scarce, trials, packs; also what could be built."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels_sync.allocation import (
    Claim,
    Demand,
    Incoming,
    Makeable,
    Offer,
    Snapshot,
    SourceStock,
    SupplierFigure,
    Term,
    Terms,
    share_out,
)
from channels_sync.allocation.sisters import Sister, quantities_of
from tests.properties.sizes import histories

ONE = Decimal(1)
ZERO = Decimal(0)
thorough = settings(
    max_examples=histories("BACKFLUSH_SHARING_EXAMPLES", usual=300),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Listing:
    """A listing as sharing sees it: its claim without draws, the pools it draws on, and what it shows of an allotment."""

    claim: Claim
    pools: frozenset[str]
    percent: Decimal = Decimal(100)
    buffer: Decimal = ZERO
    minimum: Decimal = ZERO
    maximum: Decimal = Decimal(10**6)
    pack: Decimal = ONE

    @property
    def may_leave_less(self) -> bool:
        """Whether it may show more of a larger allotment by more than the allotment grew: what is left then falls."""
        return self.pack > ONE or self.minimum > ZERO

    def shows(self, limit: Decimal, step: Decimal) -> Decimal:
        left = max(ZERO, limit - self.buffer) * self.percent / 100 // step * step
        if left < self.minimum:
            return ZERO
        pack = self.pack * step
        return min(left, self.maximum) // pack * pack


def shown(listings, stock, step):
    """What each listing shows of so much in each pool."""
    claims = [replace(one.claim, draws={name: stock[name] for name in one.pools}) for one in listings]
    by_id = {one.claim.listing_id: one for one in listings}
    found = share_out(claims, step=step, exposed=lambda listing_id, given: by_id[listing_id].shows(given.limit, step))
    figures = {}
    for one in claims:
        whole = sum(one.draws.values(), ZERO)
        given = found.get(one.listing_id)
        figures[one.listing_id] = by_id[one.listing_id].shows(whole if given is None else min(given.limit, whole), step)
    return figures


def exempt(listings):
    """Those served by priority after one whose pack or minimum leaves over what it takes back later: see docs/rules.md."""
    if not any(one.claim.scarce_below for one in listings):
        return set()
    found, after = set(), False
    for one in sorted(listings, key=lambda one: one.claim.order):
        if after:
            found.add(one.claim.listing_id)
        after = after or one.may_leave_less
    return found


def listing(
    number, *, pools="1", weight=1, priority=100, scarce_below=0, sharing="weight", fence=0, trial=None, **more
):
    claim = Claim(
        number, {}, sharing, Fraction(weight), Decimal(fence), Decimal(priority), trial, Fraction(scarce_below)
    )
    return Listing(claim, frozenset(pools), **more)


POOLS = "123"
small = st.integers(0, 60)
amounts = st.fixed_dictionaries(dict.fromkeys(POOLS, small))


@st.composite
def listings_of_an_item(draw, sharings=("pool", "weight", "demand", "fenced")):
    found = []
    trial = draw(st.none() | small.map(Decimal))
    for number in range(1, draw(st.integers(2, 5)) + 1):
        claim = Claim(
            listing_id=number,
            draws={},
            sharing=draw(st.sampled_from(sharings)),
            weight=draw(st.fractions(min_value=0, max_value=20, max_denominator=5)),
            fence=draw(st.just(ZERO) | small.map(Decimal)),
            priority=draw(st.integers(1, 3).map(Decimal)),
            trial_limit=draw(st.sampled_from([None, trial])),
            scarce_below=draw(st.just(Fraction(0)) | small.map(Fraction)),
            divided_percent=draw(st.sampled_from([Decimal(100)] * 3 + [Decimal(0), Decimal(37)])),
        )
        found.append(
            Listing(
                claim,
                draw(st.just(frozenset(POOLS)) | st.frozensets(st.sampled_from(POOLS), min_size=1)),
                percent=draw(st.sampled_from([Decimal(100)] * 3 + [Decimal(50), Decimal(33)])),
                buffer=draw(st.just(ZERO) | st.integers(0, 9).map(Decimal)),
                minimum=draw(st.just(ZERO) | st.integers(0, 9).map(Decimal)),
                maximum=draw(st.just(Decimal(10**6)) | small.map(Decimal)),
                pack=draw(st.sampled_from([ONE] * 3 + [Decimal(2), Decimal(6)])),
            )
        )
    return found


@thorough
@given(listings_of_an_item(), amounts, amounts)
@example([listing(1, priority=1, scarce_below=10), listing(2)], {"1": 9}, {"1": 1})
def test_more_stock_lowers_nobody(listings, stock, more):
    """Fails when above the threshold everything is shared anew, when `fenced` sees more than its fence while scarce, and when
    shares are rounded by largest remainders."""
    before = shown(listings, {name: Decimal(quantity) for name, quantity in stock.items()}, ONE)
    after = shown(listings, {name: Decimal(quantity + more[name]) for name, quantity in stock.items()}, ONE)

    for number in before.keys() - exempt(listings):
        assert before[number] <= after[number], f"listing {number} falls: {before} -> {after}"


@thorough
@given(listings_of_an_item(sharings=("weight", "demand", "fenced")), amounts, st.sampled_from([ONE, Decimal("0.25")]))
def test_no_set_of_listings_shows_more_than_the_pools_it_draws_on(listings, stock, step):
    for one in listings:
        if one.claim.divided_percent != 100:
            return
    stock = {name: Decimal(quantity) for name, quantity in stock.items()}
    found = shown(listings, stock, step)

    assert found == shown(list(reversed(listings)), stock, step)
    for size in range(1, len(listings) + 1):
        for some in combinations(listings, size):
            there = sum(stock[name] for name in frozenset().union(*(one.pools for one in some)))
            assert 0 <= sum(found[one.claim.listing_id] for one in some) <= there


# --- whole figures ---

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TODAY = NOW.date()
SITES = (1, 2)
percents = st.sampled_from([Decimal(100), Decimal(100), Decimal(60), Decimal(33)])
flags = st.booleans()


def term_values(draw, alike):
    """Terms of one listing. `alike` are those that all listings of the item have in common."""
    values = {
        "basis": draw(st.sampled_from(["available", "promise", "built", "buildable", "fixed"])),
        "sharing": draw(st.sampled_from(["pool", "weight", "weight", "demand", "fenced"])),
        "incoming_days": draw(st.sampled_from([None, Decimal(5)])),
        "fixed_quantity": draw(small.map(Decimal)),
        "weight": draw(st.integers(0, 9).map(Decimal)),
        "ring_fence": draw(st.just(ZERO) | small.map(Decimal)),
        "priority": draw(st.integers(1, 3).map(Decimal)),
        "percent": draw(percents),
        "buffer": draw(st.just(ZERO) | st.integers(0, 9).map(Decimal)),
        "buffer_percent": draw(st.sampled_from([ZERO, ZERO, Decimal(10)])),
        "buffer_days": draw(st.sampled_from([ZERO, ZERO, Decimal(3)])),
        "minimum": draw(st.just(ZERO) | st.integers(0, 9).map(Decimal)),
        "maximum": draw(st.none() | small.map(Decimal)),
        **alike,
    }
    return Terms(**{name: Term(value) for name, value in values.items()})


@dataclass(frozen=True)
class Supply:
    """What there is of an item: at each site, on its way in 3 and in 30 days, to be built, with suppliers."""

    stock: tuple[int, int]
    on_its_way: tuple[int, int]
    buildable: int
    alone: int
    suppliers: int

    def plus(self, more):
        added = lambda one, other: tuple(a + b for a, b in zip(one, other, strict=True))  # noqa: E731
        return Supply(
            added(self.stock, more.stock),
            added(self.on_its_way, more.on_its_way),
            self.buildable + more.buildable,
            self.alone + more.alone,
            self.suppliers + more.suppliers,
        )

    def seen_by(self, sister):
        """A listing's snapshot: its own sites, and the layers its rule counts."""
        terms, snapshot = sister.terms, sister.snapshot
        sources = tuple(
            SourceStock(site, "", Decimal(quantity))
            for site, quantity in zip(SITES, self.stock, strict=True)
            if site in sister.pools and quantity
        )
        if terms.counts_incoming:
            days = [3, 30]
            arrivals = [
                Incoming(number, "PO", Decimal(quantity), TODAY + timedelta(days=days[number]))
                for number, quantity in enumerate(self.on_its_way)
                if quantity
            ]
            snapshot = replace(snapshot, incoming=tuple(arrivals))
        if terms.counts_buildable:
            part = Decimal(min(self.buildable, self.alone))
            made = (
                Makeable(part, 1, alone=Decimal(self.alone))
                if terms.divides_building
                else Makeable(Decimal(self.alone), 1)
            )
            snapshot = replace(snapshot, makeable=made)
        if terms.counts_suppliers:
            snapshot = replace(snapshot, suppliers=(SupplierFigure("WAX", Decimal(self.suppliers), NOW),))
        return replace(sister, snapshot=replace(snapshot, sources=sources))


supplies = st.builds(Supply, st.tuples(small, small), st.tuples(small, small), small, small, small)


@st.composite
def sisters(draw):
    """Listings of one item. What of a layer counts is the same for all of them: see docs/rules.md."""
    alike = {
        "buildable_percent": draw(percents),
        "building": draw(st.sampled_from(["alone", "weight"])),
        "supplier_percent": draw(st.sampled_from([ZERO, Decimal(60)])),
        "supplier_maximum": draw(st.sampled_from([None, Decimal(20)])),
        "scarce_below": draw(st.just(ZERO) | small.map(Decimal)),
        "scarce_days": draw(st.just(ZERO) | st.integers(0, 20).map(Decimal)),
        "trial_limit": draw(st.none() | small.map(Decimal)),
    }
    demand = [draw(small.map(Decimal)) for _ in range(3)]
    found = []
    for number in range(draw(st.integers(1, 4))):
        channel = draw(st.integers(0, 2))
        pack = draw(st.sampled_from(["1", "1", "1", "6"]))
        sites = SITES if channel else SITES[:1]
        found.append(
            Sister(
                listing_id=number,
                channel_id=channel,
                offer=Offer(number, "CANDLE", "pcs", ONE, Decimal(pack), 10**6),
                terms=term_values(draw, alike),
                snapshot=Snapshot(1, None, (), demand=Demand(28, demand[channel], sum(demand, ZERO))),
                pools={site: str(site) for site in sites},
            )
        )
    return found


def exempt_sisters(listings):
    if not any(one.terms.scarce_below.value or one.terms.scarce_days.value for one in listings):
        return set()
    found, after = set(), False
    for one in sorted(listings, key=lambda one: (one.terms.priority.value, one.listing_id)):
        if after:
            found.add(one.listing_id)
        may_leave_less = one.offer.pack_size > ONE or one.terms.minimum.value > ZERO
        after = after or (may_leave_less and one.terms.basis.value != "fixed")
    return found


@thorough
@given(sisters(), supplies, supplies)
def test_more_of_any_supply_lowers_no_figure_of_the_item(listings, supply, more):
    """Fails when arrivals that only some listings count are one pool for all, and when a buffer in percent counts pieces."""
    before = quantities_of([supply.seen_by(one) for one in listings], now=NOW)
    after = quantities_of([supply.plus(more).seen_by(one) for one in listings], now=NOW)

    spared = exempt_sisters(listings)
    for one, was, becomes in zip(listings, before, after, strict=True):
        if one.listing_id not in spared:
            assert was <= becomes, f"listing {one.listing_id} falls: {before} -> {after}"


def test_a_pack_that_fills_takes_back_what_the_next_had_while_scarce():
    """By its nature, as docs/rules.md says: while scarce, what fills no pack of the first is the next one's to sell."""
    six = listing(1, priority=1, scarce_below=20, pack=Decimal(6))
    single = listing(2)

    assert shown([six, single], {"1": Decimal(11)}, ONE) == {1: 6, 2: 5}
    assert shown([six, single], {"1": Decimal(12)}, ONE) == {1: 12, 2: 0}


@pytest.mark.parametrize(
    ("stock", "figures"),
    [(9, (9, 0)), (10, (10, 0)), (11, (10, 1)), (19, (10, 9)), (20, (10, 10)), (31, (16, 15))],
)
def test_what_is_called_scarce_goes_by_priority_and_weights_catch_up(stock, figures):
    listings = [listing(1, priority=1, scarce_below=10), listing(2)]

    assert tuple(shown(listings, {"1": Decimal(stock)}, ONE).values()) == figures


def test_what_a_trial_leaves_goes_to_the_next_while_scarce():
    tried = listing(1, priority=1, scarce_below=20, trial=Decimal(5))

    assert shown([tried, listing(2)], {"1": Decimal(12)}, ONE) == {1: 5, 2: 7}


def test_a_fence_alone_is_no_more_while_scarce():
    fenced = listing(1, priority=1, scarce_below=20, sharing="fenced", fence=3)

    assert shown([fenced, listing(2)], {"1": Decimal(12)}, ONE) == {1: 3, 2: 9}
