"""More stock lowers no listing of an item: shares, fences, priority when scarce, trials, packs; also what could be built."""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels_sync.allocation import Claim, share_out
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
    """A listing as sharing sees it: its claim (the draws are filled in), the pools it draws on, and what it shows of an allotment."""

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
amounts = st.fixed_dictionaries({name: small for name in POOLS})


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
