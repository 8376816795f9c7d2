"""Joint feasibility over shared components. Pure: no database."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from production.contention import (
    Limit,
    Make,
    Shop,
    Want,
    gain_of,
    groups,
    is_safe,
    largest,
    limits,
    partition,
    run,
    worst_rate,
)
from production.explosion import Rate
from tests.properties.sizes import histories

ONE, GRAM = Decimal(1), Decimal("0.001")
WAX, JAR, LID, CORE, CANDLE, TIN, SET = 1, 2, 3, 4, 11, 12, 13


def rate(component, per_unit, setup="0", multiple=None):
    return Rate(component, Fraction(per_unit), Fraction(setup), None if multiple is None else Fraction(multiple))


def make(item, *rates, builds=(), step=ONE, smallest="0"):
    return Make(item, step, rates, frozenset(builds), Decimal(smallest))


def shop(*makes, **stock):
    names = {"wax": WAX, "jar": JAR, "lid": LID, "core": CORE}
    steps = {WAX: GRAM, JAR: ONE, LID: ONE, CORE: ONE} | {one.item_id: one.step for one in makes}
    held = {names[name]: Decimal(quantity) for name, quantity in stock.items()}
    return Shop({one.item_id: one for one in makes}, held, steps)


def candles(**stock):
    """A candle takes 0.2 kg of wax and a jar, a tin 0.1 kg of wax and a lid."""
    return shop(make(CANDLE, rate(WAX, "0.2"), rate(JAR, 1)), make(TIN, rate(WAX, "0.1"), rate(LID, 1)), **stock)


def test_each_alone_is_bounded_by_its_scarcest_component():
    pool = candles(wax="10", jar="30", lid="500")

    assert largest(pool, CANDLE) == 30
    assert largest(pool, TIN) == 100


def test_limits_name_the_bottleneck_first_and_what_the_next_one_lacks():
    pool = candles(wax="10", jar="30", lid="500")

    assert limits(pool, CANDLE) == [Limit(JAR, Decimal(30), ONE), Limit(WAX, Decimal(50), Decimal("0.2"))]


def test_more_of_the_bottleneck_brings_as_much_as_the_next_limit_allows():
    pool = candles(wax="10", jar="30", lid="500")

    assert gain_of(pool, CANDLE, JAR, ONE) == 1
    assert gain_of(pool, CANDLE, JAR, Decimal(1000)) == 20
    assert gain_of(pool, CANDLE, WAX, Decimal(1)) == 0


def test_what_nothing_limits_has_no_largest_number():
    assert largest(shop(make(CANDLE)), CANDLE) is None


def test_a_made_component_is_taken_from_stock_and_the_rest_is_made():
    boxed = shop(make(SET, rate(CORE, 2), builds=[CORE]), make(CORE, rate(WAX, "0.5")), wax="10", core="6")
    from_stock = shop(make(SET, rate(CORE, 2)), make(CORE, rate(WAX, "0.5")), wax="10", core="6")

    assert largest(boxed, SET) == 13  # 26 cores: 6 in stock and 20 made of 10 kg
    assert largest(from_stock, SET) == 3


def test_one_run_pays_its_set_up_once_and_any_orders_pay_it_each_time():
    pool = shop(make(CANDLE, rate(WAX, "0.2", setup="0.3")), wax="10")

    assert largest(pool, CANDLE) == 48
    assert partition(pool, {CANDLE: Want(ONE)}) == {CANDLE: Decimal(20)}


def test_orders_of_at_least_ten_pay_a_set_up_for_ten():
    pool = shop(make(CANDLE, rate(WAX, "0.2", setup="0.3"), smallest="10"), wax="10")

    assert partition(pool, {CANDLE: Want(ONE)}) == {CANDLE: Decimal(43)}


def test_a_rounding_multiple_is_paid_by_every_order():
    rounded = rate(WAX, "0.2", multiple="0.5")

    assert worst_rate(rounded, step=GRAM, output_step=ONE, smallest=ONE) == Fraction("0.5")


def test_half_up_rounding_is_worst_where_it_rounds_up():
    pair = rate(JAR, "0.4")  # one unit takes nothing by halves up, two take one

    assert worst_rate(pair, step=Decimal("0.5"), output_step=ONE, smallest=ONE) == Fraction("0.5")


def test_weights_share_what_is_scarce_and_leave_nothing_lying():
    pool = candles(wax="10", jar="1000", lid="1000")

    even = partition(pool, {CANDLE: Want(ONE), TIN: Want(ONE)})
    uneven = partition(pool, {CANDLE: Want(Decimal(1)), TIN: Want(Decimal(3))})

    assert even == {CANDLE: Decimal(33), TIN: Decimal(34)}
    assert uneven == {CANDLE: Decimal(20), TIN: Decimal(60)}


def test_what_one_item_cannot_use_goes_to_the_others():
    pool = candles(wax="10", jar="5", lid="1000")

    assert partition(pool, {CANDLE: Want(ONE), TIN: Want(ONE)}) == {CANDLE: Decimal(5), TIN: Decimal(90)}


def test_nobody_gets_more_than_is_wanted():
    pool = candles(wax="10", jar="1000", lid="1000")

    assert partition(pool, {CANDLE: Want(ONE, Decimal(4)), TIN: Want(ONE, Decimal(7))}) == {
        CANDLE: Decimal(4),
        TIN: Decimal(7),
    }


def test_stock_of_a_made_component_is_not_counted_for_those_who_cannot_make_it():
    pool = shop(
        make(SET, rate(CORE, 1), builds=[CORE]),
        make(TIN, rate(CORE, 1)),
        make(CORE, rate(WAX, 1)),
        wax="100",
        core="10",
    )

    assert is_safe(pool, {SET: Decimal(60)})
    assert is_safe(pool, {SET: Decimal(6), TIN: Decimal(4)})
    assert not is_safe(pool, {SET: Decimal(60), TIN: Decimal(1)})  # sets first would take all ten cores


def test_items_that_compete_form_a_group_and_the_others_none():
    pool = shop(
        make(CANDLE, rate(WAX, "0.2"), rate(JAR, 1)),
        make(TIN, rate(WAX, "0.1"), rate(JAR, 1)),
        make(SET, rate(LID, 1), rate(CORE, 1)),
        wax="100",
        jar="30",
        lid="5",
        core="9",
    )

    (group,) = groups(pool, {item: largest(pool, item) for item in (CANDLE, TIN, SET)})

    assert group.items == [CANDLE, TIN]
    assert [(one.component_id, one.free, one.wanted) for one in group.shared] == [(JAR, 30, 60)]


# --- Whatever the graph -----------------------------------------------------------------------------------------------

STEPS = [Decimal(1), Decimal("0.5"), Decimal("0.001")]
BOUGHT, MADE, SOLD = range(1, 5), range(10, 13), range(20, 24)


@st.composite
def shops(draw):
    """Three levels: bought parts, made components that build one another, and things that are sold."""
    steps = {item: draw(st.sampled_from(STEPS)) for item in (*BOUGHT, *MADE, *SOLD)}
    stock = {
        item: draw(st.integers(0, 60)) * (steps[item] if item in MADE else Decimal(1)) for item in (*BOUGHT, *MADE)
    }
    makes = {}
    for item in (*MADE, *SOLD):
        below = [*BOUGHT, *(one for one in MADE if one < item)]
        chosen = draw(st.lists(st.sampled_from(below), min_size=1, max_size=3, unique=True))
        rates = [
            Rate(
                component,
                draw(st.integers(1, 3).map(Fraction) | st.fractions(Fraction(1, 20), 3, max_denominator=20)),
                draw(st.sampled_from([Fraction(0), Fraction(0), Fraction(1, 3), Fraction(2)])),
                draw(st.sampled_from([None, None, Fraction(1, 2), Fraction(5)])),
            )
            for component in chosen
        ]
        builds = frozenset(one for one in chosen if one in MADE and draw(st.booleans()))
        smallest = draw(st.sampled_from([Decimal(0), Decimal(2)]))
        makes[item] = Make(item, steps[item], rates, builds, smallest)
    return Shop(makes, stock, steps)


@given(shops(), st.data())
@settings(max_examples=120, deadline=None)
def test_whatever_is_ordered_within_the_partition_can_be_made_in_any_sequence(pool, data):
    """Fails when `worst_rate` forgets the set-up, or the multiple and the rounding."""
    wanted = {item: Want(Decimal(data.draw(st.integers(1, 5))), Decimal(12)) for item in SOLD}
    numbers = partition(pool, wanted)
    assert is_safe(pool, {item: number for item, number in numbers.items() if number is not None})
    left = dict(pool.stock)
    open_numbers = {item: number for item, number in numbers.items() if number}

    for _ in range(12):
        able = [item for item, number in open_numbers.items() if number >= pool.makes[item].smallest_order]
        if not able:
            break
        item = data.draw(st.sampled_from(sorted(able)))
        how = pool.makes[item]
        extra = int((open_numbers[item] - how.smallest_order) / how.step)
        quantity = how.smallest_order + data.draw(st.integers(0, extra)) * how.step
        run(pool, item, quantity, left)
        open_numbers[item] -= quantity

        assert all(quantity >= 0 for quantity in left.values())


@given(shops())
@settings(max_examples=50, deadline=None)
def test_no_number_of_a_partition_could_be_one_step_larger(pool):
    wanted = {item: Want(Decimal(1), Decimal(12)) for item in SOLD}

    numbers = partition(pool, wanted)

    for item in SOLD:
        more = numbers[item] + pool.makes[item].step
        assert more > 12 or not is_safe(pool, {**numbers, item: more})


@given(shops())
@settings(max_examples=50, deadline=None)
def test_the_largest_run_can_be_made_and_one_step_more_cannot(pool):
    for item in SOLD:
        most = largest(pool, item)
        left = dict(pool.stock)
        if most:
            run(pool, item, most, left)
        assert all(quantity >= 0 for quantity in left.values())
        beyond = dict(pool.stock)
        run(pool, item, most + pool.makes[item].step, beyond)
        assert any(quantity < 0 for quantity in beyond.values())


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 40), st.integers(1, 40))
@settings(max_examples=histories("BACKFLUSH_PARTITIONS", usual=60), deadline=None)
def test_more_of_what_all_take_alike_lowers_nobodys_number(weights, wax, more):
    """Fails when what is left over goes to those who have least and not to those who would have least with a step more."""
    makes = [make(CANDLE + place, rate(WAX, 1)) for place in range(len(weights))]
    wanted = {one.item_id: Want(Decimal(weight)) for one, weight in zip(makes, weights, strict=True)}

    before = partition(shop(*makes, wax=wax), wanted)
    after = partition(shop(*makes, wax=wax + more), wanted)

    assert all(before[one] <= after[one] for one in wanted)


def test_more_of_another_component_may_lower_a_number():
    """By its nature: a jar more lets candles take their part of the wax, which tins had because nobody else could use it."""
    wanted = {CANDLE: Want(ONE), TIN: Want(ONE)}

    assert partition(candles(wax="1", jar="2", lid="99"), wanted) == {CANDLE: 2, TIN: 6}
    assert partition(candles(wax="1", jar="99", lid="99"), wanted) == {CANDLE: 3, TIN: 4}
