"""Classes, tolerance, accuracy, due days and suspicion: worked examples and properties."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.counting import (
    SUSPICION_MAX,
    Accuracy,
    abc_classes,
    has_moved_much,
    is_within_tolerance,
    next_count_on,
    record_accuracy,
    suspicion,
)

SHARES = [("A", Decimal(80)), ("B", Decimal(95)), ("C", Decimal(100))]
D = Decimal
quantities = st.decimals(min_value=0, max_value=10**6, places=3, allow_nan=False, allow_infinity=False)
percents = st.decimals(min_value=0, max_value=100, places=3, allow_nan=False, allow_infinity=False)


def test_items_are_classed_by_the_value_used_in_a_year_the_largest_first():
    usage = {1: D(500), 2: D(300), 3: D(150), 4: D(40), 5: D(10), 6: D(0)}

    assert abc_classes(usage, shares=SHARES) == {1: "A", 2: "A", 3: "B", 4: "C", 5: "C", 6: "C"}


def test_item_that_crosses_a_cut_off_still_belongs_above_it():
    assert abc_classes({1: D(100)}, shares=SHARES) == {1: "A"}
    assert abc_classes({1: D(79), 2: D(20), 3: D(1)}, shares=SHARES) == {1: "A", 2: "A", 3: "C"}


def test_company_that_uses_nothing_has_only_the_last_class():
    assert abc_classes({1: D(0), 2: D(0)}, shares=SHARES) == {1: "C", 2: "C"}


@given(st.dictionaries(st.integers(1, 50), quantities, max_size=30))
def test_larger_usage_is_never_in_a_lower_class(usage):
    classes = abc_classes(usage, shares=SHARES)

    ranked = sorted(usage, key=lambda item: (-usage[item], item))
    assert set(classes) == set(usage)
    assert [classes[item] for item in ranked] == sorted(classes[item] for item in ranked)


@given(st.dictionaries(st.integers(1, 50), quantities, min_size=1, max_size=30), st.integers(2, 9))
def test_classes_do_not_depend_on_the_currency(usage, factor):
    assert abc_classes(usage, shares=SHARES) == abc_classes(
        {item: value * factor for item, value in usage.items()}, shares=SHARES
    )


@pytest.mark.parametrize(
    ("counted", "expected", "percent", "is_within"),
    [
        ("99", "100", "1", True),
        ("101", "100", "1", True),
        ("98.999999", "100", "1", False),
        ("0", "0", "5", True),
        ("0.000001", "0", "5", False),
        ("0", "5", "100", True),
        ("-3", "-3", "1", True),
        ("0", "-3", "5", False),
        ("5", "5", "0", True),
    ],
)
def test_tolerance_is_a_part_of_what_was_expected(counted, expected, percent, is_within):
    assert is_within_tolerance(counted=D(counted), expected=D(expected), percent=D(percent)) is is_within


def test_surplus_and_shortage_do_not_make_up_for_each_other():
    """Two items off by plus and minus 5 are 0 % accurate, though their sum is right."""
    found = record_accuracy([(D(105), D(100), D(1)), (D(95), D(100), D(1))])

    assert (found, found.percent) == (Accuracy(0, 2), Fraction(0))


def test_accuracy_is_lines_within_tolerance_of_lines_counted():
    found = record_accuracy([(D(100), D(100), D(1)), (D(3), D(3), D(1)), (D(2), D(3), D(5))])

    assert found.percent == Fraction(200, 3)
    assert record_accuracy([]).percent is None


@given(st.lists(st.tuples(quantities, quantities, percents), max_size=20), st.integers(0, 20))
def test_accuracy_of_parts_adds_up_to_that_of_the_whole(lines, cut):
    assert record_accuracy(lines[:cut]) + record_accuracy(lines[cut:]) == record_accuracy(lines)


def test_cells_are_due_again_after_a_part_of_the_year():
    counted = date(2026, 1, 1)

    assert next_count_on(last_counted_on=counted, counts_per_year=D(4)) == counted + timedelta(days=91)
    assert next_count_on(last_counted_on=counted, counts_per_year=D(1)) == counted + timedelta(days=365)
    assert next_count_on(last_counted_on=None, counts_per_year=D(4)) is None
    assert next_count_on(last_counted_on=counted, counts_per_year=D("0.00001")) == date.max


@given(
    st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.decimals("0.1", "365", places=2), st.decimals("0.1", 365, places=2)
)
def test_more_counts_a_year_are_never_due_later(day, one, other):
    dues = [next_count_on(last_counted_on=day, counts_per_year=n) for n in sorted((one, other))]

    assert day <= dues[1] <= dues[0]


def test_suspicion_is_how_many_tolerances_a_count_was_off():
    assert suspicion(counted=D(95), expected=D(100), percent=D(1)) == 5
    assert suspicion(counted=D(100), expected=D(100), percent=D(0)) == 0
    assert suspicion(counted=D(1), expected=D(0), percent=D(5)) == SUSPICION_MAX
    assert suspicion(counted=D(9), expected=D(10), percent=D(0)) == SUSPICION_MAX


@given(quantities, quantities, percents)
def test_suspicion_above_one_is_exactly_what_is_out_of_tolerance(counted, expected, percent):
    score = suspicion(counted=counted, expected=expected, percent=percent)

    assert 0 <= score <= SUSPICION_MAX
    assert (score <= 1) is is_within_tolerance(counted=counted, expected=expected, percent=percent)


def test_big_movement_is_several_times_what_the_cell_holds():
    assert has_moved_much(moved=D(30), on_hand=D(10), last_counted=D(8))
    assert not has_moved_much(moved=D(29), on_hand=D(10), last_counted=D(8))
    assert not has_moved_much(moved=D(0), on_hand=D(0), last_counted=D(0))
    assert has_moved_much(moved=D(1), on_hand=D(0), last_counted=D(0))
