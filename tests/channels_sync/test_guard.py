"""The circuit breaker: which changes of a plan wait. Pure."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync.guard import RULES_ACROSS_PLANS, Change, Limits, RuleName, Setting, effect_of, judge

USUAL = Setting(listings=100)


def rise(number, before=10, after=12, **rest):
    return Change(number, f"SKU-{number}", before, after, **rest)


def zeroing(number):
    return rise(number, 7, 0)


def rules(verdict):
    return [trip.rule for trip in verdict.trips]


def test_a_usual_plan_flows():
    verdict = judge([rise(1), rise(2, 5, 3), zeroing(3)], limits=Limits(), setting=USUAL)

    assert verdict.is_clear
    assert verdict.held == frozenset()


def test_a_plan_that_changes_a_third_of_the_channel_holds_its_raises_and_lets_the_rest_flow():
    changes = [*(rise(number) for number in range(20)), *(rise(number, 10, 9) for number in range(20, 31))]

    verdict = judge(changes, limits=Limits(), setting=USUAL)

    assert rules(verdict) == [RuleName.SHARE_CHANGED]
    assert "31 of 100 listings would change (31%); up to 30% go out by themselves." in verdict.trips[0].words
    assert verdict.held == frozenset(range(20))


def test_thirty_of_a_hundred_are_not_more_than_thirty_percent():
    assert judge([rise(number) for number in range(30)], limits=Limits(), setting=USUAL).is_clear


def test_a_small_shop_may_change_whole():
    assert judge([rise(number) for number in range(19)], limits=Limits(), setting=Setting(listings=19)).is_clear


def test_first_figures_of_a_new_channel_are_no_mass_change():
    changes = [rise(number, None, 5, possible=5) for number in range(1000)]

    assert judge(changes, limits=Limits(), setting=Setting(listings=1000)).is_clear


def test_many_listings_falling_to_zero_wait_with_the_raises_and_lowering_flows():
    changes = [*(zeroing(number) for number in range(11)), rise(20), rise(21, 9, 4)]

    verdict = judge(changes, limits=Limits(), setting=USUAL)

    assert rules(verdict) == [RuleName.TO_ZERO]
    assert verdict.held == frozenset([*range(11), 20])


def test_a_channel_may_let_zeros_flow_and_hold_the_raises_alone():
    changes = [*(zeroing(number) for number in range(11)), rise(20)]

    assert judge(changes, limits=Limits(zeroing_waits=False), setting=USUAL).held == frozenset([20])


def test_ten_times_what_it_showed_lately_waits_alone():
    verdict = judge([rise(1, 40, 400, recent_max=40), rise(2)], limits=Limits(), setting=USUAL)

    assert rules(verdict) == [RuleName.RECENT_MAX]
    assert verdict.held == frozenset([1])
    assert verdict.trips[0].words == "SKU-1 would show 400; the most it showed lately was 40."


@pytest.mark.parametrize(("after", "is_held"), [(200, False), (201, True)])
def test_five_times_the_recent_maximum_is_the_limit(after, is_held):
    assert (judge([rise(1, 40, after, recent_max=40)], limits=Limits(), setting=USUAL).held == {1}) is is_held


def test_a_few_units_more_than_a_small_maximum_are_no_alarm():
    assert judge([rise(1, 1, 21, recent_max=1)], limits=Limits(), setting=USUAL).is_clear
    assert not judge([rise(1, 1, 22, recent_max=1)], limits=Limits(), setting=USUAL).is_clear


@pytest.mark.parametrize(("after", "is_held"), [(20, False), (21, True), (12_000, True)])
def test_what_showed_nothing_for_long_is_compared_with_nothing_and_a_few_units(after, is_held):
    assert (judge([rise(1, 0, after, recent_max=0)], limits=Limits(), setting=USUAL).held == {1}) is is_held


def test_more_than_could_exist_waits_also_the_first_time():
    verdict = judge([rise(1, None, 13, possible=12)], limits=Limits(), setting=USUAL)

    assert rules(verdict) == [RuleName.ABOVE_POSSIBLE]
    assert verdict.held == {1}


def test_lowering_to_something_that_could_not_exist_either_flows():
    assert judge([rise(1, 20, 13, possible=12)], limits=Limits(), setting=USUAL).is_clear


def test_raises_right_after_an_import_wait():
    after = Setting(listings=100, bulk="the import of items.csv")

    verdict = judge([rise(number) for number in range(6)], limits=Limits(), setting=after)

    assert rules(verdict) == [RuleName.AFTER_BULK]
    assert verdict.trips[0].words == "6 listings would rise right after the import of items.csv."
    assert judge([rise(number) for number in range(5)], limits=Limits(), setting=after).is_clear
    assert judge([rise(number, 9, 2) for number in range(9)], limits=Limits(), setting=after).is_clear


def test_what_rose_by_the_bulk_edit_before_counts_and_a_plan_without_raises_flows():
    shortly_after = Setting(listings=100, bulk="an import", raised_before=5)

    assert rules(judge([rise(1)], limits=Limits(), setting=shortly_after)) == [RuleName.AFTER_BULK]
    assert judge([rise(1, 9, 2)], limits=Limits(), setting=shortly_after).is_clear


def test_raises_on_stale_figures_wait():
    verdict = judge([rise(1), rise(2, 9, 2)], limits=Limits(), setting=Setting(listings=9, stale=["3PL-EAST"]))

    assert rules(verdict) == [RuleName.STALE]
    assert verdict.held == {1}


def test_a_late_report_holds_the_raises_that_rest_on_it_alone():
    changes = [rise(1), rise(2, rests_on_late=False), rise(3, 9, 2)]

    verdict = judge(changes, limits=Limits(), setting=Setting(listings=9, stale=["3PL-EAST"]))

    assert verdict.trips[0].words == "1 listing would rise on figures that are too old: 3PL-EAST."
    assert verdict.held == {1}
    assert judge(changes[1:], limits=Limits(), setting=Setting(listings=9, stale=["3PL-EAST"])).is_clear


def test_many_small_plans_within_the_window_are_one_large_change():
    assert judge([rise(1)], limits=Limits(), setting=Setting(listings=100, changed_before=29)).is_clear
    assert judge([rise(1)], limits=Limits(), setting=Setting(listings=100, changed_before=30)).held == {1}
    assert judge([zeroing(1)], limits=Limits(), setting=Setting(listings=100, zeroed_before=9)).is_clear
    assert judge([zeroing(1)], limits=Limits(), setting=Setting(listings=100, zeroed_before=10)).held == {1}
    assert judge([rise(1)], limits=Limits(), setting=Setting(listings=100, zeroed_before=99)).is_clear


def test_a_listing_that_waits_is_not_raised_and_may_fall():
    waiting = [rise(1, 10, 11, waits_already=True), rise(2, 10, 9, waits_already=True), rise(3)]

    verdict = judge(waiting, limits=Limits(), setting=USUAL)

    assert rules(verdict) == [RuleName.WAITS]
    assert verdict.held == {1}


def test_where_every_change_is_approved_all_of_them_wait():
    verdict = judge([rise(1), rise(2, 10, 3)], limits=Limits(), setting=Setting(listings=9, needs_approval=True))

    assert rules(verdict) == [RuleName.APPROVAL]
    assert verdict.held == {1, 2}
    assert judge([], limits=Limits(), setting=Setting(listings=9, needs_approval=True)).is_clear


def test_every_rule_can_be_switched_off():
    off = Limits(
        share_changed=None,
        to_zero_max=None,
        times_recent_max=None,
        above_possible=False,
        after_bulk=False,
        stale_sources=False,
    )
    changes = [*(rise(number, 1, 1000, recent_max=1, possible=1) for number in range(50)), *map(zeroing, range(50, 99))]

    assert judge(changes, limits=off, setting=Setting(listings=99, bulk="an import", stale=["x"])).is_clear


@pytest.mark.parametrize(
    "wrong", [{"share_changed": Decimal(2)}, {"times_recent_max": Decimal(0)}, {"changed_min": -1}]
)
def test_limits_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)) if "min" not in next(iter(wrong)) else "below zero"):
        Limits(**wrong)


def test_a_plan_in_figures():
    changes = [
        rise(1, 10, 100, possible=100),
        rise(2, 50, 0, possible=60),
        rise(3, 0, 4, possible=4),
        rise(4, None, 6, possible=36),
        rise(5, 9, 8, possible=0),
    ]

    effect = effect_of(changes, top=2)

    assert (effect.changed, effect.raised, effect.lowered) == (5, 3, 2)
    assert (effect.to_zero, effect.from_zero, effect.first) == (1, 1, 1)
    assert (effect.units_before, effect.units_after) == (69, 118)
    assert [change.listing_id for change in effect.rises] == [1, 4]
    assert [change.listing_id for change in effect.falls] == [2, 5]


quantities = st.integers(0, 3000)
maybe = st.none() | quantities
plans = st.lists(st.tuples(maybe, quantities, maybe, maybe), max_size=80).map(
    lambda rows: [
        Change(number, f"S{number}", before, after, recent_max=recent, possible=possible)
        for number, (before, after, recent, possible) in enumerate(rows)
        if before != after
    ]
)
limits = st.builds(
    Limits,
    share_changed=st.none() | st.decimals("0.01", "1", places=2),
    changed_min=st.integers(0, 30),
    to_zero_max=st.none() | st.integers(0, 20),
    zeroing_waits=st.booleans(),
    times_recent_max=st.none() | st.decimals("1", "20", places=1),
    recent_units_min=st.integers(0, 50),
    above_possible=st.booleans(),
    after_bulk=st.booleans(),
    bulk_listings_min=st.integers(0, 10),
    stale_sources=st.booleans(),
)
settings = st.builds(
    Setting,
    listings=st.integers(0, 200),
    changed_before=st.integers(0, 40),
    zeroed_before=st.integers(0, 20),
    bulk=st.sampled_from(["", "an import"]),
    raised_before=st.integers(0, 12),
    stale=st.sampled_from([(), ("x",)]),
)


@given(plans, limits, settings)
def test_a_lowered_listing_above_zero_is_never_held_and_a_tripped_plan_raises_nothing(changes, limits, setting):
    verdict = judge(changes, limits=limits, setting=setting)
    flowing = [change for change in changes if change.listing_id not in verdict.held]

    assert all(c.is_raise or c.is_to_zero for c in changes if c.listing_id in verdict.held)
    if any(trip.listing_id is None for trip in verdict.trips):
        assert not any(change.is_raise for change in flowing)
    assert bool(verdict.trips) or not verdict.held


@given(plans, limits, settings)
def test_what_flows_is_within_every_limit_that_is_on(changes, limits, setting):
    verdict = judge(changes, limits=limits, setting=setting)
    flowing = [change for change in changes if change.listing_id not in verdict.held]

    for change in flowing:
        if change.is_raise and limits.above_possible and change.possible is not None:
            assert change.after <= change.possible
        if change.is_raise and limits.times_recent_max is not None and change.recent_max is not None:
            assert change.after <= max(
                change.recent_max * limits.times_recent_max, change.recent_max + limits.recent_units_min
            )
    if limits.to_zero_max is not None and limits.zeroing_waits:
        zeros = sum(change.is_to_zero for change in flowing)
        assert not zeros or zeros + setting.zeroed_before <= limits.to_zero_max


@given(plans, limits, settings, st.tuples(*[st.integers(0, 60)] * 3))
def test_what_does_not_trip_with_more_before_does_not_trip_with_less(changes, limits, setting, more):
    """So the guard may first take an upper bound of what happened before, and count only where that trips a rule."""
    changed, zeroed, raised = more
    larger = replace(
        setting,
        changed_before=setting.changed_before + changed,
        zeroed_before=setting.zeroed_before + zeroed,
        raised_before=setting.raised_before + raised,
    )
    verdict = judge(changes, limits=limits, setting=larger)

    if not RULES_ACROSS_PLANS.intersection(rules(verdict)):
        assert judge(changes, limits=limits, setting=setting) == verdict


@given(plans, limits, settings, st.randoms())
def test_the_verdict_does_not_depend_on_the_order_of_the_changes(changes, limits, setting, random):
    shuffled = list(changes)
    random.shuffle(shuffled)

    assert judge(shuffled, limits=limits, setting=setting).held == judge(changes, limits=limits, setting=setting).held
