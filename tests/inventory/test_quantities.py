from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import InvalidQuantity, InvalidQuantityStep
from inventory.quantities import (
    as_text,
    check_step,
    from_text,
    is_exact,
    proportion,
    round_down,
    round_half_up,
    round_up,
    share_out,
    to_decimal,
)

CENT = Decimal("0.01")
QUANTITIES = st.decimals(min_value=0, max_value=10**9, places=6)


@pytest.mark.parametrize(
    ("number", "text"),
    [("12.500000", "12.5"), ("0E-6", "0"), ("-3.000", "-3"), ("1E+2", "100"), ("0.000001", "0.000001"), ("-0.0", "0")],
)
def test_text_has_no_exponent_and_no_trailing_zeros(number, text):
    assert as_text(Decimal(number)) == text


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        (" 12.5 ", "12.5"),
        ("1,250.00", "1250.00"),
        ("-3", "-3"),
        ("1e3", "1000"),
        ("8,6", "8.6"),
        ("0,125", "0.125"),
        ("8,600", "8600"),
    ],
)
def test_reads_numbers_as_people_type_them(typed, number):
    assert from_text(typed) == Decimal(number)


@pytest.mark.parametrize("typed", ["", "abc", "NaN", "Infinity", "1.2.3", "12 kg", "1,2,3"])
def test_refuses_what_is_not_a_number(typed):
    with pytest.raises(InvalidQuantity):
        from_text(typed)


@pytest.mark.parametrize(
    ("quantity", "exact"),
    [
        ("0.000001", True),
        ("0.0000001", False),
        ("1.5000000", True),
        ("NaN", False),
        ("999999999999.999999", True),
        ("1E12", False),
    ],
)
def test_exactness_is_six_places_and_eighteen_digits(quantity, exact):
    assert is_exact(Decimal(quantity)) is exact


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "Infinity", "1E13"])
def test_a_moved_quantity_is_positive_and_finite(quantity):
    with pytest.raises(InvalidQuantity):
        check_step(quantity=Decimal(quantity), step=Decimal(1), sku="WICK", unit="pcs")


def test_a_moved_quantity_is_a_multiple_of_the_step_and_never_rounded():
    with pytest.raises(InvalidQuantityStep) as refusal:
        check_step(quantity=Decimal("1.5"), step=Decimal(1), sku="WICK", unit="pcs")

    assert refusal.value.context == {"item": "WICK", "quantity": "1.5", "step": "1"}
    assert "not a multiple of its step 1 pcs" in refusal.value.message


@pytest.mark.parametrize(
    ("value", "rounded"), [("3.335", "3.34"), ("-3.335", "-3.34"), ("3.3349999", "3.33"), ("0.005", "0.01")]
)
def test_halves_round_away_from_zero(value, rounded):
    assert round_half_up(Fraction(value), CENT) == Decimal(rounded)


@given(
    value=st.fractions(min_value=-(10**6), max_value=10**6), step=st.sampled_from(["1", "0.001", "0.01", "5", "0.25"])
)
def test_rounding_ends_on_a_multiple_next_to_the_value(value, step):
    size = Fraction(step)

    low, high, near = (f(value, Decimal(step)) for f in (round_down, round_up, round_half_up))

    assert all((Fraction(number) / size).denominator == 1 for number in (low, high, near))
    assert Fraction(low) <= value <= Fraction(high)
    assert Fraction(high) - Fraction(low) in (0, size)
    assert abs(Fraction(near) - value) * 2 <= size


@given(total=st.decimals(min_value=0, max_value=10**7, places=2), weights=st.lists(QUANTITIES, min_size=1, max_size=12))
def test_shares_sum_to_the_total_and_are_never_negative(total, weights):
    parts = share_out(total, weights, step=CENT)

    assert sum(parts) == total
    assert all(part >= 0 for part in parts)
    assert all(part == part.quantize(CENT) for part in parts)


def test_by_product_shares_leave_the_rest_to_the_last():
    assert share_out(Decimal("10.00"), [Decimal(1)] * 3, step=CENT) == [
        Decimal("3.33"),
        Decimal("3.34"),
        Decimal("3.33"),
    ]


def test_all_of_a_whole_is_the_total_itself():
    assert proportion(Decimal("0.003"), Decimal(3), Decimal(3), step=CENT) == Decimal("0.003")


def test_a_fraction_with_more_than_six_places_is_refused():
    with pytest.raises(ValueError, match="six decimal places"):
        to_decimal(Fraction(1, 3))
