"""Who may show how much: ring-fences, shares, priority when scarce, trials. Pure."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_sync.allocation import Claim, share_out
from channels_sync.allocation.sharing import divide

ONE = Decimal(1)


def claim(listing_id, draw="100", *, site="1", weight=1, fence="0", trial=None, **more):
    return Claim(
        listing_id,
        {site: Decimal(draw)},
        weight=Fraction(weight),
        fence=Decimal(fence),
        trial_limit=None if trial is None else Decimal(trial),
        **more,
    )


def limits(*claims, exposed=lambda listing_id, allotment: allotment.limit):
    return {number: one.limit for number, one in share_out(claims, step=ONE, exposed=exposed).items()}


def test_listings_in_the_pool_see_all_of_it():
    assert limits(claim(1), claim(2)) == {}


def test_a_ring_fence_is_kept_from_the_others():
    assert limits(claim(1, fence="30"), claim(2)) == {2: 70}


def test_a_fenced_listing_sees_its_fence_alone():
    assert limits(claim(1, fence="30", sharing="fenced"), claim(2)) == {1: 30, 2: 70}


def test_a_fence_is_no_more_than_there_is():
    assert limits(claim(1, "20", fence="30", sharing="fenced"), claim(2, "20")) == {1: 20, 2: 0}


def test_weights_divide_the_pool_to_the_last_piece():
    assert limits(claim(1, sharing="weight", weight=2), claim(2, sharing="weight")) == {1: 67, 2: 33}


def test_shares_come_after_fences_and_the_owner_keeps_its_own():
    assert limits(claim(1, fence="40", sharing="weight"), claim(2, sharing="weight")) == {1: 70, 2: 30}


def test_who_draws_on_one_site_alone_shares_only_that():
    east = Claim(1, {"east": Decimal(10)}, "weight")
    both = Claim(2, {"east": Decimal(10), "west": Decimal(6)}, "weight")

    assert limits(east, both) == {1: 5, 2: 11}


def test_scarce_items_go_to_the_first_by_priority():
    first = claim(1, priority=Decimal(5), scarce_below=Fraction(101))
    second = claim(2, priority=Decimal(1))

    found = limits(first, second, exposed=lambda listing_id, allotment: min(allotment.limit, Decimal(60)))

    assert found == {2: 100, 1: 40}


def test_a_trial_shows_its_limit_over_all_its_listings():
    assert limits(claim(1, trial="15"), claim(2, trial="15", weight=2), claim(3)) == {1: 5, 2: 10}


def test_a_fixed_figure_takes_nothing_of_the_pool_and_heeds_a_trial():
    fixed = claim(1, is_fixed=True, sharing="weight", trial="4", fence="50")

    assert limits(fixed, claim(2)) == {1: 4}


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [("4", (1, 1, 1), (2, 1, 1)), ("5", (1, 1, 1), (2, 2, 1)), ("1", (1, 9), (0, 1)), ("7", (0, 0), (0, 0))],
)
def test_division_gives_what_is_left_by_highest_averages(total, weights, parts):
    assert divide(Decimal(total), [Fraction(weight) for weight in weights], ONE) == [Decimal(part) for part in parts]


weights = st.fractions(min_value=0, max_value=50, max_denominator=9)
steps = st.sampled_from([Decimal(1), Decimal("0.25"), Decimal("0.1"), Decimal(12)])
quantities = st.integers(0, 40_000).map(lambda number: Decimal(number) / 4)
claims = st.builds(
    Claim,
    listing_id=st.integers(1, 50),
    draws=st.dictionaries(st.sampled_from(["1", "2", "~buildable"]), quantities, max_size=3),
    sharing=st.sampled_from(["weight", "demand", "fenced"]),
    weight=weights,
    fence=st.just(Decimal(0)) | quantities,
    priority=st.integers(0, 3).map(Decimal),
    trial_limit=st.none() | quantities,
    scarce_below=st.just(Fraction(0)) | quantities.map(Fraction),
)
groups = st.lists(claims, max_size=6, unique_by=lambda one: one.listing_id)
thorough = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(groups, steps)
def test_partition_sums_to_no_more_than_exists(group, step):
    """Fails when a fence is left in the pools, a share is rounded up, or what the first one shows is not taken off."""
    found = share_out(group, step=step, exposed=lambda listing_id, allotment: allotment.limit)

    pools = {}
    for one in group:
        for name, draw in one.draws.items():
            pools[name] = max(pools.get(name, Decimal(0)), draw)
    assert sum(one.limit for one in found.values()) <= sum(pools.values())
    for one in group:
        assert 0 <= found[one.listing_id].limit <= sum(one.draws.values())
    for trial in {one.trial_limit for one in group} - {None}:
        on_trial = [found[one.listing_id].limit for one in group if one.trial_limit is not None]
        assert sum(on_trial) <= trial or trial != min(one.trial_limit for one in group if one.trial_limit is not None)


@thorough
@given(quantities, quantities, st.lists(weights, max_size=6), steps)
def test_a_larger_pool_takes_from_nobody(total, more, shares, step):
    """Fails with largest remainders instead of highest averages."""
    before, after = divide(total, shares, step), divide(total + more, shares, step)

    assert sum(before) <= total
    assert all(one <= other for one, other in zip(before, after, strict=True))
    assert not any(part % step for part in before)
