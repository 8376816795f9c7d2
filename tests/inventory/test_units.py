from fractions import Fraction

import pytest

from inventory.errors import InvalidUnit
from inventory.units import is_standard, normal_unit, standard_factor, unit_factor


@pytest.mark.parametrize(
    ("unit", "into", "factor"),
    [
        ("g", "kg", Fraction(1, 1000)),
        ("lb", "kg", Fraction(45359237, 100000000)),
        ("inch", "cm", Fraction(127, 50)),
        ("cm2", "m2", Fraction(1, 10000)),
        ("cm²", "m**2", Fraction(1, 10000)),
        ("ea", "pcs", Fraction(1)),
        ("dozen", "pcs", Fraction(12)),
        ("Litre", "ml", Fraction(1000)),
    ],
)
def test_standard_units_convert_exactly(unit, into, factor):
    assert standard_factor(unit, into) == factor


@pytest.mark.parametrize(("unit", "into"), [("kg", "m"), ("pcs", "kg"), ("furlongs per", "m"), ("box", "pcs")])
def test_units_without_a_common_dimension_do_not_convert(unit, into):
    assert standard_factor(unit, into) is None


def test_there_and_back_is_the_same():
    assert standard_factor("kg", "lb") * standard_factor("lb", "kg") == 1


def test_a_pack_of_the_item_wins_over_a_standard_unit():
    assert unit_factor(unit="Box", stock_unit="pcs", packs={"box": Fraction(12)}, sku="JAR") == 12


def test_an_empty_unit_is_the_stock_unit():
    assert unit_factor(unit=" ", stock_unit="kg", packs={}, sku="WAX") == 1


def test_an_unknown_unit_is_refused_with_what_is_known():
    with pytest.raises(InvalidUnit) as refusal:
        unit_factor(unit="pallet", stock_unit="pcs", packs={"box": Fraction(12)}, sku="JAR")

    assert "JAR is kept in pcs; “pallet” cannot be converted to it. Use pcs, box" in refusal.value.message


def test_words_for_a_piece_are_one_unit():
    assert {normal_unit(word) for word in ("", "EA", "each", "Pcs", "piece")} == {"pcs"}


@pytest.mark.parametrize(("unit", "known"), [("kg", True), ("pcs", True), ("wibble", False), ("m2", True)])
def test_knows_which_units_are_standard(unit, known):
    assert is_standard(unit) is known
