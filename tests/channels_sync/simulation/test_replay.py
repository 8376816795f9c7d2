"""One item's days: worked cases with exact figures, and what always holds."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from channels_sync.simulation import Supply, SupplyKind, replay
from channels_sync.simulation.case import DAY_MINUTES
from tests.channels_sync.simulation.making import HOUR, SHOP, STALL, case, exposure, sister, units

SHOP_PLACE, STALL_PLACE = 0, 1


def two_channels(**terms):
    return exposure(sister(channel=SHOP, **terms), sister(channel=STALL, **terms))


def run(one, shown, days=1):
    return replay(one, shown, days=days, demand_days=28)


def in_units(parts):
    return [Decimal(part) / 1_000_000 for part in parts]


RUSH = [(8 * HOUR, SHOP_PLACE, 6), (8 * HOUR + 5, STALL_PLACE, 6)]
"""Ten are there; the stall sells five minutes after the shop, before it has heard."""


def test_two_channels_sell_the_same_units_while_news_is_on_its_way():
    found = run(case(start="10", orders=RUSH, late=(10, 10)), two_channels())

    assert in_units(found.sold) == [6, 6]
    assert in_units(found.oversold) == [0, 2]
    assert in_units([found.start, found.supplied, found.left]) == [10, 0, -2]
    assert (found.lost, found.out_days) == ([0, 0], 1)


def test_a_buffer_of_what_is_sold_meanwhile_prevents_it_and_costs_sales():
    found = run(case(start="10", orders=RUSH, late=(10, 10)), two_channels(buffer=Decimal(6)))

    assert in_units(found.sold) == [4, 4]
    assert in_units(found.oversold) == [0, 0]
    assert in_units(found.lost) == [2, 2]
    assert in_units([found.left]) == [2]


def test_news_that_arrives_in_time_prevents_it_too():
    found = run(case(start="10", orders=RUSH, late=(10, 5)), two_channels())

    assert (in_units(found.sold), in_units(found.oversold), in_units(found.lost)) == ([6, 4], [0, 0], [0, 2])


def test_a_channel_never_forgets_its_own_sales():
    orders = [(8 * HOUR, SHOP_PLACE, 6), (8 * HOUR + 5, SHOP_PLACE, 6)]

    found = run(case(start="10", orders=orders, late=(10, 10)), two_channels())

    assert (in_units(found.sold), in_units(found.oversold)) == ([10, 0], [0, 0])


def test_shares_by_weight_are_those_of_publishing():
    shown = exposure(
        sister(channel=SHOP, sharing="weight", weight=Decimal(3)),
        sister(channel=STALL, sharing="weight", weight=Decimal(1)),
    )

    found = run(case(start="8", orders=RUSH), shown)

    assert in_units(found.sold) == [6, 0]  # six of eight, then a quarter of the two that are left, rounded down
    assert in_units(found.lost) == [0, 6]


def test_packs_are_sold_whole():
    shown = exposure(sister(channel=SHOP), sister(channel=STALL, pack="6"))

    found = run(case(start="16", orders=[(60, STALL_PLACE, 3), (120, SHOP_PLACE, 9)], packs=("1", "6")), shown)

    assert in_units(found.sold) == [4, 12]
    assert in_units(found.demanded) == [9, 18]
    assert in_units([found.left]) == [0]


def test_supply_is_ordered_up_to_a_level_and_arrives_after_the_lead_time():
    supply = Supply(SupplyKind.LEVEL, reorder_at=units("4"), level=units("10"), lead_days=2)
    orders = [(day * DAY_MINUTES + HOUR, SHOP_PLACE, 3) for day in range(6)]

    found = run(case(start="10", orders=orders, supply=supply), two_channels(), days=6)

    # Stock at the end of each day: 7, 4, 1 (ordered: 6), 0 with two lost, 3 with six in, 0.
    assert in_units(found.sold) == [16, 0]
    assert in_units(found.lost) == [2, 0]
    assert in_units([found.start, found.supplied, found.left]) == [10, 6, 0]
    assert found.out_days == 2


def test_the_level_follows_from_average_demand():
    supply = Supply.by_cover(daily=Fraction(units("10"), 7), lead_days=3, cover_days=4)

    assert in_units([supply.reorder_at, supply.level]) == [5, 10]  # 4.29 rounded up, 10 exactly


def test_given_arrivals_come_on_their_days():
    supply = Supply(SupplyKind.GIVEN, arrivals=((0, units("1")), (2, units("5"))))
    orders = [(day * DAY_MINUTES + HOUR, SHOP_PLACE, 2) for day in range(3)]

    found = run(case(start="2", orders=orders, supply=supply), two_channels(), days=3)

    assert in_units(found.sold) == [5, 0]
    assert in_units(found.lost) == [1, 0]
    assert in_units([found.supplied, found.left]) == [6, 3]


def test_a_rule_that_counts_what_is_on_its_way_sells_ahead():
    supply = Supply(SupplyKind.LEVEL, reorder_at=units("4"), level=units("10"), lead_days=1)
    orders = [(HOUR, SHOP_PLACE, 10)]

    found = run(case(start="4", orders=orders, supply=supply), two_channels(basis="promise"), days=3)

    assert in_units(found.sold) == [10, 0]
    assert in_units(found.oversold) == [6, 0]
    assert in_units([found.supplied, found.left]) == [16, 10]  # six that were ordered before, ten after the sale


def test_days_of_demand_are_those_of_the_days_before():
    demand = {SHOP: {-1: units("28"), 0: units("28")}}
    orders = [(HOUR, SHOP_PLACE, 9), (DAY_MINUTES + HOUR, SHOP_PLACE, 9)]
    one = case(start="10", orders=orders, demand=demand)

    found = run(one, two_channels(buffer_days=Decimal(2)), days=2)

    # 28 in 28 days: two days keep 2 back of ten. The day after, 56 in 28 days keep 4 back, and only 2 are left.
    assert in_units(found.sold) == [8, 0]
    assert in_units(found.lost) == [10, 0]


def test_exposure_and_days_without_stock_are_counted_at_the_end_of_each_day():
    orders = [(DAY_MINUTES + HOUR, SHOP_PLACE, 4)]

    found = run(case(start="4", orders=orders), two_channels(), days=3)

    assert found.steps_there == {0: units("4"), 1: -units("4")}
    assert found.steps_shown == [{0: units("4"), 1: -units("4")}] * 2
    assert (found.out_days, found.zero_days) == (2, [2, 2])


# --- what always holds ---

DAYS = 4
moments = st.integers(0, DAYS * DAY_MINUTES - 1)
orders = st.lists(st.tuples(moments, st.integers(0, 1), st.integers(1, 8)), max_size=25)
lates = st.tuples(st.sampled_from([0, 1, 30, 600, 3000]), st.sampled_from([0, 1, 30, 600, 3000]))
quantities = st.integers(0, 30).map(lambda number: Decimal(number) / 2)
rules = st.fixed_dictionaries(
    {},
    optional={
        "buffer": quantities,
        "percent": st.integers(0, 100).map(Decimal),
        "minimum": quantities,
        "maximum": quantities,
        "sharing": st.sampled_from(["pool", "weight", "demand", "fenced"]),
        "weight": st.integers(1, 4).map(Decimal),
        "ring_fence": quantities,
        "priority": st.integers(1, 3).map(Decimal),
        "scarce_below": quantities,
        "buffer_days": st.integers(0, 5).map(Decimal),
        "basis": st.sampled_from(["available", "promise", "built"]),
    },
)
supplies = st.one_of(
    st.just(Supply()),
    st.builds(
        lambda low, more, lead: Supply(SupplyKind.LEVEL, units(low), units(low + more), lead),
        st.integers(0, 10), st.integers(0, 20), st.integers(0, 3),
    ),
)  # fmt: skip


@given(orders, lates, st.integers(0, 30), st.sampled_from(["1", "0.5", "3"]), supplies, rules, rules)
def test_nothing_appears_or_vanishes(orders, late, start, pack, supply, rule, other):
    shown = exposure(sister(channel=SHOP, pack=pack, **rule), sister(channel=STALL, **other))
    demand = {SHOP: {-3: units("7"), 1: units("2")}}
    one = case(start=str(start), orders=orders, late=late, packs=(pack, "1"), supply=supply, demand=demand)

    found = run(one, shown, days=DAYS)

    assert found.start + found.supplied == sum(found.sold) + found.left
    assert found.demanded == [
        sum(packs for _, place, packs in orders if place == wanted) * one.packs[wanted] for wanted in (0, 1)
    ]
    assert all(0 <= got <= wanted for got, wanted in zip(found.sold, found.demanded, strict=True))
    assert all(0 <= beyond <= got for beyond, got in zip(found.oversold, found.sold, strict=True))
    assert [sum(week[0] for week in found.weeks), sum(week[2] for week in found.weeks)] == [
        sum(found.sold), sum(found.oversold)
    ]  # fmt: skip


@given(orders, st.integers(0, 30), supplies, st.integers(0, 12), st.integers(50, 100))
def test_nothing_is_sold_twice_when_news_is_shown_at_once(orders, start, supply, buffer, percent):
    """Fails when a sale leaves no moment behind, so that the other channel keeps the old figure."""
    shown = two_channels(buffer=Decimal(buffer), percent=Decimal(percent))

    found = run(case(start=str(start), orders=orders, supply=supply), shown, days=DAYS)

    assert found.oversold == [0, 0]
    assert found.left >= 0


@given(orders, lates, st.integers(0, 30), supplies)
def test_one_channel_alone_never_oversells_however_late(orders, late, start, supply):
    """Fails when an arriving figure forgets what the channel itself sold since."""
    alone = [(minute, 0, packs) for minute, _, packs in orders]

    found = run(case(start=str(start), orders=alone, late=late, supply=supply), two_channels(), days=DAYS)

    assert found.oversold == [0, 0]


@given(orders, lates, st.integers(0, 30))
def test_a_buffer_as_large_as_all_that_is_asked_for_meanwhile_never_oversells(orders, late, start):
    window = max(late)
    most = max(
        (sum(packs for minute, _, packs in orders if at - window <= minute <= at) for at, _, _ in orders), default=0
    )

    found = run(case(start=str(start), orders=orders, late=late), two_channels(buffer=Decimal(most)), days=DAYS)

    assert found.oversold == [0, 0]


@given(orders, lates, st.integers(0, 20), supplies, st.integers(0, 6), st.integers(1, 6))
def test_a_larger_buffer_everywhere_never_oversells_more(orders, late, start, supply, buffer, more):
    """Where listings show all of the pool beyond the buffer, whatever comes in."""

    def oversold(kept):
        one = case(start=str(start), orders=orders, late=late, supply=supply)
        return sum(run(one, two_channels(buffer=Decimal(kept)), days=DAYS).oversold)

    assert oversold(buffer + more) <= oversold(buffer)
