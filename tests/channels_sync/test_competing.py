"""What cannot be kept when all that is shown is ordered, and that fully divided everything can."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from channels_sync.allocation.formula import part_of_the_way
from channels_sync.competing import Offered, worst_case
from production.contention import Make, Shop, Want, largest, partition, run
from production.explosion import Rate

JAR, WAX, ROSE, LIME, PINE = 1, 2, 11, 12, 13
ONE = Decimal(1)


def make(item_id, needs):
    return Make(item_id, ONE, [Rate(component, Fraction(each)) for component, each in needs.items()], smallest=ONE)


def shop(makes, stock):
    steps = dict.fromkeys([*stock, *(one.item_id for one in makes)], ONE)
    return Shop({one.item_id: one for one in makes}, {item: Decimal(number) for item, number in stock.items()}, steps)


def test_two_candles_that_each_show_all_ten_jars_lose_ten_at_the_worst():
    found = worst_case(
        shop([make(ROSE, {JAR: 1}), make(LIME, {JAR: 1})], {JAR: 10}),
        [Offered(ROSE, Decimal(10), Decimal(3)), Offered(LIME, Decimal(10), Decimal(5))],
    )

    assert (found.units, found.money) == (10, 50)


def test_the_sequence_that_loses_most_units_counts():
    """One large one takes all four jars; ordered last, it loses one unit, ordered first, the others lose four."""
    found = worst_case(
        shop([make(ROSE, {JAR: 4}), make(LIME, {JAR: 1})], {JAR: 4}),
        [Offered(ROSE, ONE, Decimal(100)), Offered(LIME, Decimal(4), Decimal(1))],
    )

    assert (found.units, dict(found.by_item)) == (4, {LIME: 4})
    assert found.money == 100


def test_what_is_in_stock_is_kept_first():
    found = worst_case(
        shop([make(ROSE, {JAR: 1}), make(LIME, {JAR: 1})], {JAR: 10, ROSE: 6}),
        [Offered(ROSE, Decimal(16), None), Offered(LIME, Decimal(3), None)],
    )

    assert (found.units, found.money) == (3, None)


def test_a_component_that_is_sold_itself_is_missing_for_what_is_made_of_it():
    found = worst_case(
        shop([make(ROSE, {JAR: 1})], {JAR: 10}), [Offered(ROSE, Decimal(10), ONE), Offered(JAR, Decimal(4), ONE)]
    )

    assert (found.units, found.money) == (4, 4)


def test_nothing_that_is_not_shown_is_lost():
    assert worst_case(shop([make(ROSE, {JAR: 1})], {JAR: 0}), [Offered(ROSE, Decimal(0), None)]).units == 0


numbers = st.integers(min_value=0, max_value=40)
needs = st.dictionaries(st.sampled_from([JAR, WAX]), st.integers(min_value=1, max_value=4), min_size=1)
percents = st.sampled_from([Decimal(0), Decimal("12.5"), Decimal(50), Decimal("99.999"), Decimal(100)])


@st.composite
def companies(draw):
    """A shop of up to three products, with what each could be built alone and its part."""
    makes = [make(one, draw(needs)) for one in draw(st.sampled_from([(ROSE, LIME), (ROSE, LIME, PINE)]))]
    stock = {one: draw(numbers) for one in (JAR, WAX, *(one.item_id for one in makes))}
    found = shop(makes, stock)
    alone = {one: largest(found, one) for one in found.makes}
    return found, alone, partition(found, {one: Want(Decimal(draw(st.integers(1, 5)))) for one in found.makes})


@given(company=companies(), chance=st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_fully_divided_every_sequence_of_orders_can_be_built(company, chance):
    """Fails when a part is one step larger, or when division takes `alone` in the place of the part."""
    found, alone, parts = company
    shown = {one: found.free(one) + part_of_the_way(alone[one], parts[one], Decimal(100)) for one in parts}

    assert worst_case(found, [Offered(one, quantity) for one, quantity in shown.items()]).units == 0

    left = {one: found.free(one) for one in found.steps}
    orders = [one for one, quantity in shown.items() for _ in range(int(quantity))]
    chance.shuffle(orders)
    for one in orders:
        if left[one] >= ONE:
            left[one] -= ONE
        else:
            run(found, one, ONE, left)
    assert min(left.values()) >= 0


@given(company=companies(), low=percents, high=percents)
@settings(max_examples=200, deadline=None)
def test_the_further_it_is_divided_the_less_is_shown_and_the_less_can_be_lost(company, low, high):
    found, alone, parts = company
    low, high = sorted([low, high])

    def shown(percent):
        return {one: found.free(one) + int(part_of_the_way(alone[one], parts[one], percent)) for one in parts}

    def lost(percent):
        return worst_case(found, [Offered(one, Decimal(quantity)) for one, quantity in shown(percent).items()]).units

    assert all(shown(high)[one] <= shown(low)[one] for one in parts)
    assert lost(high) <= lost(low)
    assert lost(Decimal(100)) == 0
