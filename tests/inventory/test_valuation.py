"""Worked examples of moving average, and properties over random sequences."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.valuation import Pool, average_value, put, take, take_back

CENT = Decimal("0.01")


def pool_of(*receipts):
    pool = Pool()
    for quantity, value in receipts:
        pool = put(pool, Decimal(quantity), None if value is None else Decimal(value))
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


def test_taking_more_than_there_is_is_a_bug():
    with pytest.raises(ValueError, match="cannot take"):
        take(pool_of((1, "1.00")), Decimal(2), step=CENT)


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

    taken = take_back(put(before, Decimal(5), None), Decimal(5), None, step=CENT)

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
        put(before, Decimal(moved), Decimal(value) / 100), Decimal(moved), Decimal(value) / 100, step=CENT
    )

    assert taken.pool == before
    assert taken.value == Decimal(value) / 100


def test_carrying_all_carries_all_the_value():
    assert average_value(pool_of((3, "10.00")), Decimal(3), step=CENT) == Decimal("10.00")
