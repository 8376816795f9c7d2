from decimal import Decimal
from fractions import Fraction

import pytest

from inventory.errors import InvalidQuantity, InvalidQuantityStep, InvalidUnit
from production.typed import TypedQuantity, in_stock_unit, read_quantity


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("12", "12", ""),
        (" 12.5 ", "12.5", ""),
        ("500 g", "500", "g"),
        ("500g", "500", "g"),
        ("2 carton of 12", "2", "carton of 12"),
        ("1,250", "1250", ""),
        ("1,250.50 kg", "1250.5", "kg"),
        ("8,6", "8.6", ""),
        ("8,65 kg", "8.65", "kg"),
        ("0,0005", "0.0005", ""),
        ("1 000", "1000", ""),
        ("-3", "-3", ""),
    ],
)
def test_reads_a_number_and_its_unit(text, number, unit):
    assert read_quantity(text) == TypedQuantity(Decimal(number), unit)


@pytest.mark.parametrize("text", ["", "x", "kg", "1.2.3", "--1", "NaN", "1e5x2", "."])
def test_refuses_what_is_no_quantity(text):
    with pytest.raises((InvalidQuantity, InvalidUnit)):
        in_stock_unit(read_quantity(text), sku="WAX", stock_unit="kg", step=Decimal("0.001"), packs={})


def convert(text, *, unit="kg", step="0.001", packs=None):
    return in_stock_unit(read_quantity(text), sku="WAX", stock_unit=unit, step=Decimal(step), packs=packs or {})


def test_converts_exactly():
    assert convert("500 g") == Decimal("0.5")
    assert convert("2 Box", unit="pcs", step="1", packs={"box": Fraction(12)}) == Decimal(24)
    assert convert("0") == Decimal(0)


def test_refuses_what_the_step_does_not_allow():
    with pytest.raises(InvalidQuantityStep):
        convert("0.5 g")
    with pytest.raises(InvalidQuantityStep):
        convert("0.0005")


def test_refuses_a_unit_of_another_dimension():
    with pytest.raises(InvalidUnit):
        convert("3 l")


def test_refuses_a_negative_quantity():
    with pytest.raises(InvalidQuantity):
        convert("-1")
