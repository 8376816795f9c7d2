"""What counts say about forgotten completions. Pure: no database."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from production.explosion import Rate
from production.missed import estimate

WAX, WICK, JAR, CANDLE = 1, 2, 3, 9
RATES = [Rate(WAX, Fraction(1, 5)), Rate(WICK, Fraction(1)), Rate(JAR, Fraction(1))]


def ask(**found):
    names = {"wax": WAX, "wick": WICK, "jar": JAR, "candle": CANDLE}
    differences = {names[name]: Decimal(quantity) for name, quantity in found.items()}
    return estimate(item_id=CANDLE, step=Decimal(1), rates=RATES, found=differences)


def test_components_short_in_the_proportions_of_the_bom_are_a_forgotten_completion():
    found = ask(wax="-8", wick="-40", candle="41")

    assert (found.quantity, found.witnesses) == (40, [WAX, WICK, CANDLE])


def test_components_over_and_goods_short_are_a_completion_too_many():
    assert ask(wax="8", jar="40", candle="-40").quantity == -40


def test_one_item_alone_says_nothing():
    assert ask(candle="40") is None
    assert ask(wax="-8") is None


def test_differences_that_do_not_agree_say_nothing():
    assert ask(wax="-8", wick="-3") is None
    assert ask(wax="-8", wick="-40", jar="11", candle="-2") is None


def test_one_count_of_its_own_among_three_that_agree_does_not_hide_it():
    assert ask(wax="-8", wick="-40", jar="-2", candle="40").witnesses == [WAX, WICK, CANDLE]


@given(st.integers(1, 10_000), st.booleans())
def test_whatever_was_forgotten_is_found(made, too_many):
    sign = -1 if too_many else 1

    found = ask(wax=-sign * Decimal(made) / 5, wick=-sign * made, jar=-sign * made, candle=sign * made)

    assert found.quantity == sign * made
