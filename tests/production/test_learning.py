"""What completions teach about a line. Pure: no database."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from production.learning import Observation, Part, Rule, Verdict, judge, parts, quantile, scaled, total_parts

D, F = Decimal, Fraction


def seen(actual, *, expected="120", number=1, **fields):
    values = {"standard": F(expected), **fields}
    return Observation(number, expected=D(expected), actual=D(actual), **values)


def series(*actuals, **fields):
    return [seen(actual, number=number, **fields) for number, actual in enumerate(actuals)]


STEADY = ["127", "125", "128", "126", "129", "127", "127", "125", "129", "128"]


def test_a_steady_difference_is_proposed_with_median_and_quartiles():
    found = judge(series(*STEADY))

    assert (found.verdict, found.measured) == (Verdict.PROPOSE, 10)
    assert [part * 120 for part in (found.lower, found.median, found.upper)] == [F("126.25"), 127, 128]
    assert scaled(D(120), found.median) == 127


def test_too_few_measurements_say_nothing():
    assert judge(series(*STEADY[:7])).verdict == Verdict.FEW


def test_a_difference_within_the_tolerance_is_near_enough():
    assert judge(series(*["121", "122"] * 5)).verdict == Verdict.WITHIN


def test_measurements_around_the_standard_are_only_scattered():
    assert judge(series(*["110", "131", "133", "114", "132", "118", "131", "134", "133", "115"])).verdict == (
        Verdict.SCATTERED
    )


def test_a_usage_that_moves_is_not_proposed_yet():
    assert (
        judge(series("123", "124", "123", "124", "123", "131", "132", "131", "133", "132")).verdict == Verdict.DRIFTING
    )


def test_completions_nobody_measured_are_no_evidence_for_the_standard():
    untouched = series(*["120"] * 10)

    assert judge([*untouched, *series(*STEADY)]).median == F(127, 120)
    assert judge([*untouched, *untouched, *untouched, *series(*STEADY)]).verdict == Verdict.SELDOM


def test_where_the_bom_asks_for_the_actual_the_standard_is_a_measurement_too():
    assert judge(series(*["120"] * 10, is_asked=True)).verdict == Verdict.WITHIN


def test_spoiled_goods_do_not_raise_the_standard_unless_it_allows_for_them():
    spoiled = series(*["140"] * 10, scrapped=D(20), cause="scrap")
    allowed = series(*["140"] * 10, scrapped=D(20), cause="scrap", has_scrap_allowance=True)

    assert judge(spoiled).verdict == Verdict.WITHIN
    assert judge(allowed).median == F(140, 120)


def test_the_set_up_is_set_aside():
    assert judge(series(*["140"] * 10, setup=F(20))).median == F(120, 100)


def test_a_tolerance_can_be_asked_for():
    assert judge(series(*STEADY), Rule(tolerance=F(1, 10))).verdict == Verdict.WITHIN


def test_a_difference_is_split_by_cause():
    one = seen("138", expected="121", standard=F("120.4"), scrapped=D(9), replaced=F(5), reason="poured by hand")

    assert parts(one) == {
        Part.ROUNDING: F("0.6"),
        Part.SUBSTITUTE: -5,
        Part.SPOILED: 9,
        Part.EXPLAINED: 13,
        Part.UNEXPLAINED: 0,
    }


def test_what_nobody_explained_is_called_so():
    assert parts(seen("127"))[Part.UNEXPLAINED] == 7
    assert parts(seen("127", cause="measured"))[Part.EXPLAINED] == 7


@given(
    st.lists(
        st.builds(
            Observation,
            completion_id=st.integers(1, 9),
            standard=st.fractions(0, 500),
            expected=st.decimals(0, 500, places=3),
            actual=st.decimals(0, 500, places=3),
            scrapped=st.decimals(0, 50, places=3),
            replaced=st.fractions(0, 50),
            cause=st.sampled_from(["", "scrap", "measured", "bom"]),
            reason=st.sampled_from(["", "spilled"]),
        ),
        max_size=12,
    )
)
def test_the_parts_sum_to_the_whole_difference(observations):
    total = sum(total_parts(observations).values())

    assert total == sum(F(one.actual) - one.standard for one in observations)


@given(st.lists(st.fractions(0, 10), min_size=1, max_size=20))
def test_quartiles_lie_in_order_between_the_extremes(values):
    ordered = sorted(values)
    marks = [quantile(ordered, number, 4) for number in range(5)]

    assert marks == sorted(marks)
    assert (marks[0], marks[-1]) == (ordered[0], ordered[-1])


@pytest.mark.parametrize(
    ("quantity", "ratio", "wanted"),
    [("120", F(1273, 1200), "127"), ("0.12", F(1273, 1200), "0.127"), ("1", F(1063, 1000), "1.06"),
     ("12000", F(10608, 10000), "12730"), ("0.000002", F(3, 2), "0.000003")],
)  # fmt: skip
def test_a_proposed_quantity_has_three_digits(quantity, ratio, wanted):
    assert scaled(D(quantity), ratio) == D(wanted)
