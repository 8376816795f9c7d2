"""When an item is low, and how much of it is made or bought (rule S24)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from production.replenishing import Projection, is_low, to_replenish

ONE, THOUSANDTH = Decimal(1), Decimal("0.001")


def need(projected, *, point, least=None, step=ONE):
    return to_replenish(
        Decimal(projected),
        point=None if point is None else Decimal(point),
        quantity_min=None if least is None else Decimal(least),
        step=step,
    )


def test_what_comes_is_added_and_what_is_asked_for_is_taken():
    projection = Projection(Decimal(5), Decimal(10), Decimal(20), Decimal(3), Decimal(7), Decimal(4))

    assert projection.projected == 29


@pytest.mark.parametrize(
    ("projected", "point", "least", "wanted"),
    [
        ("11", "10", "5", "0"),  # above the point
        ("10", "10", "5", "5"),  # at the point: low
        ("10", "10", None, "0"),  # at the point, and nobody says how much is worth while
        ("4", "10", None, "6"),  # up to the point
        ("4", "10", "20", "20"),  # at least the reorder quantity
        ("-8", "10", "12", "18"),  # below zero is made good too
        ("4", None, "20", "0"),  # no point, nothing
        ("0", "0", "50", "50"),
    ],
)
def test_worked_examples(projected, point, least, wanted):
    assert need(projected, point=point, least=least) == Decimal(wanted)


def test_it_is_rounded_up_to_the_step():
    assert need("4.2", point="10", step=ONE) == 6
    assert need("4.2", point="10", step=THOUSANDTH) == Decimal("5.8")
    assert need("9.9999", point="10", step=THOUSANDTH) == Decimal("0.001")


def thousandths(low, high):
    return st.integers(low * 1_000, high * 1_000).map(lambda number: Decimal(number) / 1_000)


quantities = thousandths(-10_000, 10_000)


@given(
    quantities,
    quantities,
    st.none() | thousandths(0, 1_000),
    st.sampled_from([1, "0.001", "0.25"]),
)
def test_afterwards_the_point_is_reached_and_a_second_run_asks_for_no_more(projected, point, least, step):
    """Fails when it is rounded down, or when the trigger is not `<=`."""
    made = to_replenish(projected, point=point, quantity_min=least, step=Decimal(step))

    assert made >= 0
    assert made % Decimal(step) == 0
    assert (made == 0) or is_low(projected, point=point)
    assert projected + made >= point
    if least and is_low(projected, point=point):
        assert made >= least
        assert to_replenish(projected + made, point=point, quantity_min=least, step=Decimal(step)) in (
            Decimal(0),
            to_replenish(point, point=point, quantity_min=least, step=Decimal(step)),
        )
