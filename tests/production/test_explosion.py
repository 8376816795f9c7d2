"""The worked examples of the requirement formula, and its properties."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from production.explosion import BomFact, LineFact, Rate, expected_usage, explode, kept_after_reversal, startable

WHOLE, FINE = Decimal(1), Decimal("0.000001")


def line(component, quantity, *, numerator=1, denominator=1, **fields):
    return LineFact(component, component, Decimal(quantity), Decimal(numerator), Decimal(denominator), **fields)


def bom(*lines, makes="1", item=100):
    return BomFact(bom_id=item, item_id=item, makes=Decimal(makes), lines=lines)


def only(rates):
    (rate,) = rates
    return rate


def test_scrap_setup_and_multiple_of_a_published_case():
    """3 per unit, 2 % attrition, 10 set-up, multiple of 25, 100 units: InvenTree's documented 325."""
    rate = only(
        explode(
            bom(line(1, 3, scrap_percent=Decimal(2), setup_quantity=Decimal(10), rounding_multiple=Decimal(25))), {}
        )
    )

    assert rate.raw(Decimal(100)) == 316
    assert rate.requirement(Decimal(100), step=WHOLE) == 325


def test_whole_components_round_on_the_running_total():
    rate = only(explode(bom(line(1, 7), makes="4"), {}))
    booked, used = Decimal(0), []
    for done in range(1, 5):
        expected = expected_usage(rate, started_after=Decimal(done), booked=booked, step=WHOLE)
        used.append(expected)
        booked += expected

    assert used == [2, 2, 2, 1]


def test_fine_components_add_up_to_the_plan():
    rate = only(explode(bom(line(1, "0.333333")), {}))

    assert [rate.requirement(Decimal(n), step=FINE) for n in (1, 2, 3)] == [
        Decimal("0.333333"),
        Decimal("0.666666"),
        Decimal("0.999999"),
    ]


def test_phantoms_explode_in_place_and_lines_of_one_component_are_added():
    phantom = bom(line(5, 2), line(6, 1), item=9)

    rates = explode(bom(line(9, 3, explodes=True), line(6, 1)), {9: phantom})

    assert {rate.component_id: rate.requirement(Decimal(5), step=WHOLE) for rate in rates} == {5: 30, 6: 20}


def test_typed_units_convert_exactly_and_round_once():
    rate = only(explode(bom(line(1, 1, numerator=1, denominator=3)), {}))

    assert rate.requirement(Decimal(3), step=WHOLE) == 1


def test_a_multiple_never_rounds_up_by_a_float():
    rate = Rate(1, Fraction(1, 10), multiple=Fraction(1, 10))

    assert rate.requirement(Decimal(3), step=FINE) == Decimal("0.3")


def test_an_exploding_line_without_a_bom_is_a_bug():
    with pytest.raises(ValueError, match="no BOM in force"):
        explode(bom(line(9, 3, explodes=True)), {})


QUANTITIES = st.decimals(min_value="0.000001", max_value="1000", places=6)
RATES = st.builds(
    lambda n, d, setup, multiple: Rate(1, Fraction(n, d), setup=Fraction(setup), multiple=multiple),
    st.integers(1, 500),
    st.integers(1, 40),
    st.integers(0, 5),
    st.one_of(st.none(), st.sampled_from([Fraction(5), Fraction(1, 4), Fraction(12)])),
)
STEPS = st.sampled_from([WHOLE, Decimal("0.001"), Decimal("0.5")])


@given(rate=RATES, step=STEPS, parts=st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_any_split_of_the_plan_consumes_the_same(rate, step, parts):
    """Running totals: the sum over completions is the requirement of the whole, however it is split."""
    booked = done = Decimal(0)
    for part in parts:
        done += part
        booked += expected_usage(rate, started_after=done, booked=booked, step=step)

    assert booked == rate.requirement(done, step=step)


@given(rate=RATES, step=STEPS, one=st.integers(0, 100), more=st.integers(0, 100))
def test_requirement_never_falls(rate, step, one, more):
    assert rate.requirement(Decimal(one), step=step) <= rate.requirement(Decimal(one + more), step=step)


@given(per_unit=QUANTITIES, one=st.integers(0, 100), other=st.integers(0, 100))
def test_without_setup_the_exact_need_is_additive(per_unit, one, other):
    rate = only(explode(bom(line(1, per_unit)), {}))

    assert rate.raw(Decimal(one + other)) == rate.raw(Decimal(one)) + rate.raw(Decimal(other))


@given(quantities=st.lists(QUANTITIES, min_size=1, max_size=5), run=st.integers(1, 50))
def test_phantom_depth_does_not_change_the_result(quantities, run):
    """A chain of phantoms needs the product of its quantities."""
    phantoms, whole = {}, Fraction(1)
    for level, quantity in enumerate(quantities):
        whole *= Fraction(quantity)
        is_last = level == len(quantities) - 1
        target = 1 if is_last else 201 + level
        phantoms[200 + level] = bom(line(target, quantity, explodes=not is_last), item=200 + level)

    rate = only(explode(bom(line(200, 1, explodes=True)), phantoms))

    assert rate.raw(Decimal(run)) == whole * run


@given(rate=RATES, step=STEPS, usable=st.integers(0, 5000), output_step=st.sampled_from([WHOLE, Decimal("0.5")]))
def test_the_largest_start_fits_and_one_step_more_does_not(rate, step, usable, output_step):
    started = startable(rate, usable=Decimal(usable), step=step, output_step=output_step)

    assert started % output_step == 0
    assert started == 0 or rate.requirement(started, step=step) <= usable
    assert rate.requirement(started + output_step, step=step) > usable


def test_a_partial_reversal_keeps_what_the_rest_uses():
    """10 made from 20: reversing 4 keeps 12."""
    assert kept_after_reversal(Decimal(20), left=Decimal(6), made=Decimal(10), step=WHOLE) == 12
