"""Spreading a late cost, and following received units (rule S21)."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.late_costs import Flow, Use, share_over_uses, spread, track

CENT = Decimal("0.01")


def flows(*quantities):
    """Movements 1, 2, 3, ... each of a posting of the same number times ten."""
    return [Flow(n, n * 10, Decimal(q)) for n, q in enumerate(quantities, start=1)]


def left(found):
    return {key: one.left for key, one in found.items()}


def uses(found, key):
    return [(use.flow_id, use.quantity) for use in found[key].uses]


def test_shares_are_rounded_half_up_and_the_last_takes_the_residue():
    """W12: 100.00 over lines worth 200.00 and 100.00."""
    assert spread(Decimal(100), [Fraction(200), Fraction(100)], step=CENT) == [Decimal("66.67"), Decimal("33.33")]
    assert spread(Decimal(10), [Fraction(1)] * 3, step=CENT) == [Decimal("3.33"), Decimal("3.33"), Decimal("3.34")]
    assert spread(Decimal(-10), [Fraction(1)] * 3, step=CENT) == [Decimal("-3.33"), Decimal("-3.33"), Decimal("-3.34")]


def test_nothing_can_be_spread_over_weights_of_zero():
    with pytest.raises(ValueError, match="sum to zero"):
        spread(Decimal(1), [Fraction(0)], step=CENT)


@given(
    st.integers(-1_000_000, 1_000_000).map(lambda cents: Decimal(cents) * CENT),
    st.lists(st.fractions(0, 1000, max_denominator=1000), min_size=1, max_size=12).filter(any),
)
def test_shares_sum_to_the_amount_and_none_but_the_last_is_off_by_more_than_half_a_cent(amount, weights):
    shares = spread(amount, weights, step=CENT)

    assert sum(shares) == amount
    exact = [Fraction(amount) * weight / sum(weights) for weight in weights]
    assert all(abs(Fraction(s) - e) <= Fraction(1, 200) for s, e in list(zip(shares, exact, strict=True))[:-1])


def test_what_came_first_is_used_first():
    found = track(flows("4", "6", "-5", "2", "-1"))

    assert left(found) == {1: 0, 2: 4, 4: 2}
    assert uses(found, 1) == [(3, 4)]
    assert uses(found, 2) == [(3, 1), (5, 1)]


def test_a_use_that_is_undone_returns_to_its_old_place():
    found = track([*flows("4", "6", "-5"), Flow(4, 40, Decimal(5), undoes=30), Flow(5, 50, Decimal(-4))])

    assert left(found) == {1: 0, 2: 6}
    assert uses(found, 1) == [(5, 4)]


def test_a_part_that_is_undone_goes_back_last_taken_first():
    found = track([*flows("4", "6", "-5"), Flow(4, 40, Decimal(2), undoes=30)])

    assert left(found) == {1: 1, 2: 6}


def test_a_receipt_that_is_undone_leaves_by_itself():
    found = track([*flows("4", "6", "-1"), Flow(4, 40, Decimal(-6), undoes=20)])

    assert left(found) == {1: 3, 2: 0}
    assert (found[2].undone, found[2].uses) == (6, [])


def test_goods_sent_back_are_those_of_their_receipt_first():
    found = track([*flows("4", "6"), Flow(3, 30, Decimal(-7), returns=20)])

    assert left(found) == {1: 3, 2: 0}


def test_units_used_below_zero_are_those_of_the_next_receipt():
    found = track(flows("2", "-5", "10"))

    assert left(found) == {1: 0, 3: 7}
    assert uses(found, 3) == [(2, 3)]


def test_undoing_a_use_below_zero_takes_the_debt_back():
    found = track([*flows("2", "-5"), Flow(3, 30, Decimal(5), undoes=20), Flow(4, 40, Decimal(10))])

    assert left(found) == {1: 2, 4: 10}


def test_a_pool_that_ran_empty_or_was_corrected_knows_nothing_of_earlier_receipts():
    assert [one.is_in_pool for one in track(flows("4", "-4", "3")).values()] == [False, True]
    assert [one.is_in_pool for one in track(flows("4", "0", "3")).values()] == [False, True]


@given(st.lists(st.integers(-20, 20).filter(bool), max_size=40))
@settings(max_examples=300)
def test_nothing_is_lost_or_made_up(quantities):
    found = track(flows(*quantities))

    issued = -sum(q for q in quantities if q < 0)
    used = sum(use.quantity for one in found.values() for use in one.uses)
    assert all(one.left >= 0 and one.left + sum(u.quantity for u in one.uses) == one.received for one in found.values())
    assert used <= issued
    assert sum(one.left for one in found.values()) == max(sum(quantities) + (issued - used), 0)


def test_the_expensed_part_is_shared_over_the_first_uses():
    found = share_over_uses(
        [Use(1, 10, Decimal(2)), Use(2, 20, Decimal(5))], used=Decimal(3), expensed=Decimal("1.00"), step=CENT
    )

    assert [(one.use.posting_id, one.use.quantity, one.share) for one in found] == [
        (10, 2, Decimal("0.67")),
        (20, 1, Decimal("0.33")),
    ]


def test_uses_taken_back_since_leave_their_share_open():
    found = share_over_uses([Use(1, 10, Decimal(1))], used=Decimal(4), expensed=Decimal("1.00"), step=CENT)

    assert [(one.use.posting_id, one.share) for one in found] == [(10, Decimal("0.25"))]
