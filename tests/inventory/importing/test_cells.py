from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.importing.cells import (
    NumberStyle,
    TypedQuantity,
    read_choice,
    read_date,
    read_number,
    read_percent,
    read_price,
    read_quantity,
    read_yes,
    style_of,
    usual_spelling,
)
from inventory.importing.errors import CellError
from inventory.quantities import as_text

COMMA, POINT = NumberStyle(uses_decimal_comma=True), NumberStyle(uses_decimal_point=True)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4", "4"),
        ("12.5", "12.5"),
        ("7,10", "7.10"),
        ("1,250.00", "1250.00"),
        ("1.250,5", "1250.5"),
        ("1'250", "1250"),
        ("1'250.75", "1250.75"),
        ("1,250,000", "1250000"),
        ("-3", "-3"),
        (" 1 000 ", "1000"),
        ("0.000001", "0.000001"),
        ("1.250", "1.250"),
    ],
)
def test_reads_numbers_as_they_are_written(text, number):
    assert read_number(text) == Decimal(number)


def test_a_thousand_and_one_and_a_quarter_are_told_apart_by_the_column_or_refused():
    assert read_number("1,250", style=POINT) == Decimal(1250)
    assert read_number("1,250", style=COMMA) == Decimal("1.250")
    assert read_number("1.250", style=COMMA) == Decimal(1250)
    assert read_number("1.250", style=POINT) == Decimal("1.250")
    for style in (NumberStyle(), NumberStyle(True, True)):
        with pytest.raises(CellError, match=r"may mean 1250 or 1\.250"):
            read_number("1,250", style=style)


def test_the_style_of_a_column_comes_from_its_undoubted_cells():
    assert style_of(["1,250", "7,10", "text"]) == COMMA
    assert style_of(["1,250", "20.235", "75.15"]) == POINT
    assert style_of(["1.250,00"]) == COMMA
    assert style_of(["1,250.5"]) == POINT
    assert style_of(["1,250", "3", "1.250"]) == NumberStyle()


@pytest.mark.parametrize(
    "text", ["", "four", "1,2,3", "1.2.3", "12-14", "NaN", "Infinity", "1e400", "0.0000001", "1,25.0,0", "--3", "1'25"]
)
def test_refuses_what_is_not_one_number(text):
    with pytest.raises(CellError):
        read_number(text)


@given(st.decimals(min_value=0, max_value=Decimal("999999"), places=2, allow_nan=False, allow_infinity=False))
def test_every_money_amount_reads_back_in_each_way_of_writing_it(amount):
    with_point = f"{amount:,.2f}"
    with_comma = with_point.replace(",", "_").replace(".", ",").replace("_", ".")

    assert read_number(with_point) == amount
    assert read_number(with_comma) == amount
    assert read_number(as_text(amount), style=POINT) == amount


@pytest.mark.parametrize(
    ("text", "number", "unit", "doubt"),
    [
        ("4", "4", "", ""),
        ("4.0", "4.0", "", ""),
        ("0.75 m", "0.75", "m", ""),
        ("3.6m", "3.6", "m", ""),
        ("50m", "50", "m", ""),
        ("~1m", "1", "m", "approximate"),
        ("(~250cm²)", "250", "cm²", "in brackets and approximate"),
        ("(1)", "1", "", "in brackets"),
        ("ca. 2 kg", "2", "kg", "approximate"),
        ("1/2 inch", "0.5", "inch", "a fraction"),
        ("1 1/2 inch", "1.5", "inch", "a fraction"),
        ("½ m", "0.5", "m", "a fraction"),
        ("2 pcs.", "2", "pcs", ""),
        ("12x", "12", "", ""),
        ('6"', "6", '"', ""),
        ("1,5 l", "1.5", "l", ""),
    ],
)
def test_reads_quantities_with_their_units_and_doubts(text, number, unit, doubt):
    assert read_quantity(text) == TypedQuantity(Decimal(number), unit, doubt)


@pytest.mark.parametrize("text", ["as needed", "m", "2-3", "1/0 m", "1/3 m", "4 (+1 spare)", "2 + 2", ""])
def test_refuses_quantities_that_are_not_one_number_with_one_unit(text):
    with pytest.raises(CellError):
        read_quantity(text)


def test_prices_may_carry_a_currency_and_a_unit():
    assert read_price("7.10", currency="USD") == (Decimal("7.10"), "")
    assert read_price("€ 7,10", currency="EUR") == (Decimal("7.10"), "")
    assert read_price("15.09 / m", currency="USD") == (Decimal("15.09"), "m")
    assert read_price("12 per kg", currency="USD") == (Decimal(12), "kg")
    assert read_price("12.50 USD", currency="USD") == (Decimal("12.50"), "")


@pytest.mark.parametrize("text", ["(?)150.00", "€ 7,10", "on request", "-3", "12 EUR"])
def test_refuses_prices_that_are_doubted_or_in_another_currency(text):
    with pytest.raises(CellError):
        read_price(text, currency="USD")


def test_percentages_yes_and_no_dates_and_choices():
    assert read_percent("2,5 %") == Decimal("2.5")
    assert [read_yes(text) for text in ("Yes", "x", "TRUE", "No", "0", "false")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert read_date("2026-11-23") == read_date("23.11.2026") == read_date("2026-11-23 10:15:00") == date(2026, 11, 23)
    assert read_choice("By_Lot", {"by lot": "lot"}, what="way") == "lot"
    for refused in (lambda: read_yes("maybe"), lambda: read_date("11/12/2026"), lambda: read_percent("-1")):
        with pytest.raises(CellError):
            refused()


def test_trade_units_in_capitals_are_read_as_meant():
    assert [usual_spelling(unit) for unit in ("OZ", "IN", "EA", "KG", "M", "L", "Box", "")] == [
        "oz",
        "in",
        "pcs",
        "kg",
        "m",
        "l",
        "Box",
        "",
    ]
