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
from channels_sync.allocation.sisters import Sister, draws_of, quantities_of
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


def exempt(turns):
    """Listings that may fall for what others take back while something goes by priority; docs/rules.md names the cases.

    `turns` are all listings in the order of priority: number, whether its pack or minimum may leave less of more, and the
    pools it draws on. Of one pool only those that come later can lose. Of several everybody can; also where one listing draws
    on two pools of which neither is counted only by listings that count the other too, since it may take from either.
    """
    drawing = {}
    for number, _, pools in turns:
        for pool in pools:
            drawing.setdefault(pool, set()).add(number)
    found, before = set(), False
    for number, may_leave_less, pools in turns:
        if before:
            found.add(number)
        crosses = any(not (drawing[a] <= drawing[b] or drawing[b] <= drawing[a]) for a, b in combinations(pools, 2))
        before = before or may_leave_less or crosses
    return {number for number, _, _ in turns} if before and len(drawing) > 1 else found


def exempt_listings(listings):
    if not any(one.claim.scarce_below for one in listings):
        return set()
    ordered = sorted(listings, key=lambda one: one.claim.order)
    return exempt([(one.claim.listing_id, one.may_leave_less, one.pools) for one in ordered])


def listing(
    number, *, pools="1", weight=1, priority=100, scarce_below=0, sharing="weight", fence=0, trial=None, **more
):
    claim = Claim(
        number, {}, sharing, Fraction(weight), Decimal(fence), Decimal(priority), trial, Fraction(scarce_below)
    )
    return Listing(claim, frozenset(pools), **more)


POOLS = "123"
small = st.integers(0, 30)
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
                frozenset(draw(st.sampled_from(("123", "123", "12", "1", "2", "13", "3")))),
                percent=draw(st.sampled_from([Decimal(100)] * 3 + [Decimal(50), Decimal(33)])),
                buffer=draw(st.just(ZERO) | st.integers(0, 9).map(Decimal)),
                minimum=draw(st.sampled_from([ZERO] * 6 + [Decimal(3), Decimal(9)])),
                maximum=draw(st.just(Decimal(10**6)) | small.map(Decimal)),
                pack=draw(st.sampled_from([ONE] * 6 + [Decimal(2), Decimal(6)])),
            )
        )
    return found


@thorough
@given(listings_of_an_item(), amounts, st.lists(st.sampled_from(POOLS), min_size=5, max_size=20))
@example([listing(1, priority=1, scarce_below=10), listing(2)], {"1": 8}, ["1"] * 3)
def test_more_stock_lowers_nobody(listings, stock, arriving):
    """Piece by piece. Fails when above the threshold everything is shared anew, when `fenced` sees more than its fence while
    scarce, and when shares are rounded by largest remainders."""
    there = {name: Decimal(quantity) for name, quantity in stock.items()}
    spared = exempt_listings(listings)
    before = shown(listings, there, ONE)
    for name in arriving:
        there[name] += 1
        after = shown(listings, there, ONE)
        for number in before.keys() - spared:
            assert before[number] <= after[number], f"listing {number} falls at {there}: {before} -> {after}"
        before = after


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
        "minimum": draw(st.sampled_from([ZERO] * 6 + [Decimal(3), Decimal(9)])),
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


few = st.just(0) | st.integers(0, 25)
supplies = st.builds(Supply, st.tuples(few, few), st.tuples(few, few), few, few, few)
arrivals = st.sampled_from(
    [
        Supply((1, 0), (0, 0), 0, 0, 0),
        Supply((0, 1), (0, 0), 0, 0, 0),
        Supply((0, 0), (1, 0), 0, 0, 0),
        Supply((0, 0), (0, 1), 0, 0, 0),
        Supply((0, 0), (0, 0), 1, 1, 0),
        Supply((0, 0), (0, 0), 0, 1, 0),
        Supply((0, 0), (0, 0), 0, 0, 1),
    ]
)


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
        pack = draw(st.sampled_from(["1"] * 6 + ["6"]))
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


def exempt_sisters(listings, supply):
    if not any(one.terms.scarce_below.value or one.terms.scarce_days.value for one in listings):
        return set()
    draws = draws_of([supply.seen_by(one) for one in listings], now=NOW)
    ordered = sorted(listings, key=lambda one: (one.terms.priority.value, one.listing_id))
    return exempt(
        [
            (one.listing_id, one.offer.pack_size > ONE or one.terms.minimum.value > ZERO, draws[one.listing_id])
            for one in ordered
            if one.terms.basis.value != "fixed"
        ]
    )


@thorough
@given(sisters(), supplies, st.lists(arrivals, min_size=5, max_size=15))
def test_more_of_any_supply_lowers_no_figure_of_the_item(listings, supply, arriving):
    """Fails when arrivals that only some listings count are one pool for all, and when a buffer in percent counts pieces."""
    before = quantities_of([supply.seen_by(one) for one in listings], now=NOW)
    for more in arriving:
        supply = supply.plus(more)
        after = quantities_of([supply.seen_by(one) for one in listings], now=NOW)
        spared = exempt_sisters(listings, supply)
        for one, was, becomes in zip(listings, before, after, strict=True):
            assert was <= becomes or one.listing_id in spared, (
                f"{one.listing_id} falls at {supply}: {before} -> {after}"
            )
        before = after


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


def test_a_percentage_of_what_is_scarce_stays_at_the_threshold():
    half = listing(1, priority=1, scarce_below=10, percent=Decimal(50))

    assert shown([half, listing(2)], {"1": Decimal(9)}, ONE) == {1: 4, 2: 5}
    assert shown([half, listing(2)], {"1": Decimal(10)}, ONE) == {1: 5, 2: 5}


def test_more_of_what_the_first_alone_counts_takes_nothing_from_the_next():
    half = listing(1, pools="12", priority=1, scarce_below=60, percent=Decimal(50))
    next_one = listing(2)

    assert shown([half, next_one], {"1": Decimal(10), "2": Decimal(0)}, ONE) == {1: 5, 2: 5}
    assert shown([half, next_one], {"1": Decimal(10), "2": Decimal(10)}, ONE) == {1: 10, 2: 10}


def sister(number, **values):
    offer = Offer(number, "CANDLE", "pcs", ONE, ONE, 10**6)
    terms = Terms(**{name: Term(value) for name, value in values.items()})
    return Sister(number, number, offer, terms, Snapshot(1, None, ()), {site: str(site) for site in SITES})


def test_arrivals_that_only_one_counts_are_divided_with_nobody():
    soon = sister(1, basis="promise", sharing="weight", incoming_days=Decimal(5))
    any_day = sister(2, basis="promise", sharing="weight")

    figures = [
        quantities_of([supply.seen_by(one) for one in (soon, any_day)], now=NOW)
        for supply in (Supply((0, 0), (0, 20), 0, 0, 0), Supply((0, 0), (2, 20), 0, 0, 0))
    ]

    assert figures == [[0, 20], [1, 21]]


def test_sites_that_all_count_are_divided_together():
    """Rounded at every site, the first would get the odd piece of both."""
    listings = [sister(number, sharing="weight") for number in (1, 2)]

    assert quantities_of([Supply((1, 1), (0, 0), 0, 0, 0).seen_by(one) for one in listings], now=NOW) == [1, 1]


def test_pieces_of_a_step_that_one_leaves_make_no_piece_of_another():
    alike = {"scarce_below": Decimal(60), "supplier_percent": Decimal(60), "buildable_percent": Decimal(80)}
    listings = [sister(1, priority=ONE, **alike), sister(2, basis="buildable", **alike)]

    figures = [
        quantities_of([Supply((0, 0), (0, 0), 1, 1, suppliers).seen_by(one) for one in listings], now=NOW)
        for suppliers in (3, 5)
    ]

    assert figures == [[1, 0], [3, 0]]
