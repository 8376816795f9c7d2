"""Worked examples of moving average, and properties over random sequences."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from inventory.valuation import (
    Given,
    Layer,
    LayerUse,
    Pool,
    Taken,
    UnitCost,
    average_value,
    put,
    return_to_layers,
    take,
    take_back,
    take_layers,
)
from inventory.valuation import pool_of as pool_of_layers

CENT = Decimal("0.01")


def pool_of(*receipts):
    pool = Pool()
    for quantity, value in receipts:
        pool = put(pool, Decimal(quantity), None if value is None else Decimal(value), step=CENT).pool
    return pool


def test_average_of_two_receipts():
    pool = pool_of((10, "50.00"), (10, "70.00"))

    taken = take(pool, Decimal(5), step=CENT)

    assert pool.unit_cost == Decimal(6)
    assert taken.value == Decimal("30.00")
    assert (taken.pool.quantity, taken.pool.value) == (15, Decimal("90.00"))


def test_the_last_issue_takes_the_residue():
    pool, values = pool_of((3, "10.00")), []
    for _ in range(3):
        taken = take(pool, Decimal(1), step=CENT)
        values.append(taken.value)
        pool = taken.pool

    assert values == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]
    assert pool == Pool()


def test_average_moves_with_a_dearer_receipt():
    assert pool_of((10, "100.00"), (5, "65.00")).unit_cost == Decimal(11)


def test_goods_of_unknown_cost_make_the_issue_unknown():
    pool = pool_of((10, "50.00"), (5, None))

    taken = take(pool, Decimal(3), step=CENT)

    assert pool.unit_cost is None
    assert taken.value is None
    assert taken.pool.value == Decimal("50.00")


def test_known_value_on_zero_units_is_handed_back():
    taken = take(pool_of((10, "50.00"), (5, None)), Decimal(15), step=CENT)

    assert taken.value is None
    assert taken.residue == Decimal("50.00")
    assert taken.pool == Pool()


def test_what_is_missing_leaves_at_the_last_known_cost():
    taken = take(pool_of((2, "3.00")), Decimal(5), step=CENT)

    assert taken == Taken(Decimal("7.50"), Pool(Decimal(-3), Decimal("-4.50")))


def test_what_was_never_received_leaves_unknown_or_at_the_cost_it_is_told():
    assert take(Pool(), Decimal(2), step=CENT) == Taken(None, Pool(Decimal(-2), Decimal(0), Decimal(2)))
    told = take(Pool(), Decimal(2), step=CENT, last_cost=UnitCost(Decimal("10.00"), Decimal(3)))
    assert told == Taken(Decimal("6.67"), Pool(Decimal(-2), Decimal("-6.67")))


def test_a_receipt_covers_the_debt_first_and_the_rest_keeps_its_own_price():
    """3 short at 1.50; 5 come at 2.00: 3 cost 6.00 instead of 4.50, the variance is 1.50, 2 are left worth 4.00."""
    given = put(Pool(Decimal(-3), Decimal("-4.50")), Decimal(5), Decimal("10.00"), step=CENT)

    assert given == Given(Pool(Decimal(2), Decimal("4.00")), Decimal("1.50"))


def test_a_receipt_that_does_not_cover_leaves_the_rest_of_the_debt():
    given = put(Pool(Decimal(-4), Decimal("-8.00")), Decimal(1), Decimal("1.75"), step=CENT)

    assert given == Given(Pool(Decimal(-3), Decimal("-6.00")), Decimal("-0.25"))


def layers(*received):
    return [
        Layer(n, n, 1, Decimal(q), Decimal(q), None if v is None else Decimal(v))
        for n, (q, v) in enumerate(received, start=1)
    ]


def test_first_in_first_out_takes_the_oldest_layers():
    queue = layers((4, "10.00"), (6, "18.00"))

    assert take_layers(queue, Decimal(7), step=CENT).value == Decimal("19.00")
    assert pool_of_layers(queue) == Pool(Decimal(3), Decimal("9.00"))


def test_a_part_of_unknown_cost_makes_the_issue_unknown_and_tells_what_the_rest_was_worth():
    queue = layers((4, "10.00"), (6, None))

    assert take_layers(queue, Decimal(5), step=CENT) == (None, Decimal("10.00"))
    assert pool_of_layers(queue) == Pool(Decimal(5), Decimal(0), Decimal(5))


def test_the_last_of_a_layer_takes_the_residue():
    queue = layers((3, "10.00"))
    values = [take_layers(queue, Decimal(1), step=CENT).value for _ in range(3)]

    assert values == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9_999)), min_size=1, max_size=6),
    st.lists(st.integers(1, 40), max_size=12),
)
def test_layers_give_out_to_the_cent_what_they_took_in(received, issues):
    queue = layers(*[(quantity, Decimal(cents) / 100) for quantity, cents in received])
    before = pool_of_layers(queue)
    out = Decimal(0)
    for quantity in issues:
        if quantity <= pool_of_layers(queue).quantity:
            out += take_layers(queue, Decimal(quantity), step=CENT).value

    assert out + pool_of_layers(queue).value == before.value
    assert all(layer.value == 0 for layer in queue if not layer.quantity)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9_999)), min_size=1, max_size=6), st.data())
def test_what_returns_to_its_layers_returns_to_its_place_with_its_value(received, data):
    queue = layers(*[(quantity, Decimal(cents) / 100) for quantity, cents in received])
    before = [(layer.quantity, layer.value) for layer in queue]
    total = int(pool_of_layers(queue).quantity)
    quantity = data.draw(st.integers(1, total))
    taken = take_layers(queue, Decimal(quantity), step=CENT)
    uses = [LayerUse(y, -y.moved, -y.revalued) for y in queue if y.moved]

    returned = return_to_layers(uses, Decimal(quantity), step=CENT)

    assert returned.value == taken.value
    assert [(layer.quantity, layer.value) for layer in queue] == before


def test_undoing_a_receipt_never_leaves_value_on_zero_units():
    """10 @ 10.00 and 10 @ 30.00 make 20 @ 2.00 each; 10 issued at 20.00; undoing the second leaves 0 units: all goes."""
    pool = take(pool_of((10, "10.00"), (10, "30.00")), Decimal(10), step=CENT).pool

    taken = take_back(pool, Decimal(10), Decimal("30.00"), step=CENT)

    assert taken.value == Decimal("20.00")
    assert taken.pool == Pool()


def test_undoing_a_receipt_never_makes_the_value_negative():
    pool = take(pool_of((10, "0.00"), (10, "30.00")), Decimal(9), step=CENT).pool

    taken = take_back(pool, Decimal(10), Decimal("30.00"), step=CENT)

    assert taken.value == pool.value == Decimal("16.50")
    assert (taken.pool.quantity, taken.pool.value) == (1, 0)


def test_undoing_the_unknown_receipt_makes_the_pool_known_again():
    before = pool_of((10, "50.00"))

    taken = take_back(put(before, Decimal(5), None, step=CENT).pool, Decimal(5), None, step=CENT)

    assert taken.pool == before


def test_goods_whose_cost_was_corrected_leave_at_the_average():
    taken = take_back(pool_of((7, "14.00")), Decimal(5), None, step=CENT)

    assert taken.value == Decimal("10.00")
    assert (taken.pool.quantity, taken.pool.value) == (2, Decimal("4.00"))


@given(
    receipts=st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 100_000)), min_size=1, max_size=6),
    issues=st.lists(st.integers(1, 500), max_size=25),
)
def test_no_cent_is_lost_in_any_sequence(receipts, issues):
    pool = pool_of(*((quantity, Decimal(cents) / 100) for quantity, cents in receipts))
    total, out = pool.value, Decimal(0)
    for quantity in [*issues, None]:
        wanted = pool.quantity if quantity is None else min(Decimal(quantity), pool.quantity)
        if not wanted:
            continue
        taken = take(pool, wanted, step=CENT)
        assert 0 <= taken.value <= pool.value
        out += taken.value
        pool = taken.pool

    assert out == total
    assert pool == Pool()


@given(
    quantity=st.integers(1, 1000), cents=st.integers(0, 10**6), moved=st.integers(1, 1000), value=st.integers(0, 10**6)
)
def test_receipt_and_its_undoing_are_nothing(quantity, cents, moved, value):
    before = pool_of((quantity, Decimal(cents) / 100))

    taken = take_back(
        put(before, Decimal(moved), Decimal(value) / 100, step=CENT).pool,
        Decimal(moved),
        Decimal(value) / 100,
        step=CENT,
    )

    assert taken.pool == before
    assert taken.value == Decimal(value) / 100


def test_carrying_all_carries_all_the_value():
    assert average_value(pool_of((3, "10.00")), Decimal(3), step=CENT) == Decimal("10.00")
