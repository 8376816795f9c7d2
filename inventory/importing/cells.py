"""Reading single cells as people fill them: numbers with either comma, quantities with a unit, dates, yes and no. Pure.

Nothing is guessed that could be wrong by a factor: what may mean two things raises CellError and is reported.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from inventory.errors import InvalidQuantity
from inventory.importing.errors import CellError
from inventory.quantities import QUANTITY_MAX, as_text, from_text, is_exact, to_decimal
from inventory.units import PIECES, is_standard

_PLAIN = re.compile(r"^[+-]?\d+$")
_FRACTION = re.compile(r"^(?:(\d+)[ \-])?\s*(\d+)\s*/\s*(\d+)")
_NUMBER = re.compile(r"^[+-]?\d[\d.,'’]*")
_VULGAR = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8"}
_ABOUT = re.compile(r"^(?:~|≈|ca\.?|approx\.?|about|circa)\s*", re.IGNORECASE)
_BRACKETED = re.compile(r"^\((.*)\)$")
_UNIT = re.compile(r"^[A-Za-zµμ\"'][\w²³\"'. ]{0,30}$")
_SYMBOLS = {"€": ("EUR",), "£": ("GBP",), "$": ("USD", "AUD", "CAD", "NZD", "SGD", "HKD", "MXN")}

_TRADE_UNITS = frozenset(
    [
        "m",
        "mm",
        "cm",
        "km",
        "kg",
        "g",
        "mg",
        "t",
        "l",
        "ml",
        "cl",
        "dl",
        "lb",
        "oz",
        "ft",
        "in",
        "yd",
        "m2",
        "cm2",
        "mm2",
        "m3",
        "cm3",
        "gal",
    ]
)

YES = frozenset({"yes", "y", "true", "t", "1", "x", "✓", "on", "ja", "oui", "si"})
NO = frozenset({"no", "n", "false", "f", "0", "-", "off", "nein", "non"})


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a column writes numbers, by those of its cells that leave no doubt."""

    uses_decimal_comma: bool = False
    uses_decimal_point: bool = False


@dataclass(frozen=True, slots=True)
class TypedQuantity:
    """A quantity with the unit that stood beside it (empty: none). `doubt` says what made it less than plain."""

    number: Decimal
    unit: str = ""
    doubt: str = ""


def style_of(texts: Iterable[str]) -> NumberStyle:
    """What the cells of a column tell about its numbers: `7,10` has a decimal comma, `12.5` a decimal point."""
    comma = point = False
    for text in texts:
        found = re.search(r"\d[\d.,]*", text)
        if found is None:
            continue
        number = found[0].rstrip(".,")
        commas, points = number.count(","), number.count(".")
        last = max(number.rfind(","), number.rfind("."))
        decimals = len(number) - last - 1 if last >= 0 else 0
        if commas and points:
            comma, point = comma or number[last] == ",", point or number[last] == "."
        elif commas == 1 and decimals != 3:
            comma = True
        elif points == 1 and decimals != 3:
            point = True
    return NumberStyle(comma, point)


def read_number(text: str, *, style: NumberStyle = NumberStyle()) -> Decimal:
    """One number as typed: `12.5`, `7,10`, `1,250.00`, `1.250,00`, `1'250`.

    Raises CellError for anything else, and for `1,250` where nothing in the column tells a thousand from one and a quarter.
    """
    number = text.strip().replace(" ", "").replace("’", "'")
    commas, points = number.count(","), number.count(".")
    if "'" in number:
        if not re.match(r"^[+-]?\d{1,3}('\d{3})+(\.\d+)?$", number):
            raise CellError(f"“{text}” is not a number. Type digits with a point, such as 12.5.")
        number = number.replace("'", "")
    elif commas and points:
        decimal = "," if number.rfind(",") > number.rfind(".") else "."
        number = _grouped(number, decimal=decimal, typed=text)
    elif commas == 1:
        number = _one_comma(number, style=style, typed=text)
    elif commas > 1:
        number = _grouped(number, decimal=".", typed=text)
    elif points > 1 or (points == 1 and style.uses_decimal_comma and not style.uses_decimal_point):
        number = _grouped(number, decimal=",", typed=text) if _is_grouped(number, ".") else number
    try:
        found = from_text(number)
    except InvalidQuantity as error:
        raise CellError(error.message) from None
    if not is_exact(found):
        raise CellError(
            f"“{text}” has more than six decimal places or is above {as_text(QUANTITY_MAX)}. Round it in the file."
        )
    return found


def _one_comma(number: str, *, style: NumberStyle, typed: str) -> str:
    if _is_grouped(number, ","):
        if style.uses_decimal_comma and not style.uses_decimal_point:
            return number.replace(",", ".")
        if style.uses_decimal_point and not style.uses_decimal_comma:
            return number.replace(",", "")
        plain = number.replace(",", "")
        raise CellError(f"“{typed}” may mean {plain} or {number.replace(',', '.')}. Write one of these.")
    return number.replace(",", ".")


def _is_grouped(number: str, mark: str) -> bool:
    return re.match(rf"^[+-]?\d{{1,3}}({re.escape(mark)}\d{{3}})+$", number) is not None


def _grouped(number: str, *, decimal: str, typed: str) -> str:
    thousands = "." if decimal == "," else ","
    whole, _, decimals = number.partition(decimal)
    if not (_is_grouped(whole, thousands) or (thousands not in whole)) or thousands in decimals:
        raise CellError(f"“{typed}” is not a number. Type digits with a point, such as 12.5.")
    return whole.replace(thousands, "") + (f".{decimals}" if decimals else "")


def read_quantity(text: str, *, style: NumberStyle = NumberStyle()) -> TypedQuantity:
    """A quantity and its unit: `4`, `0.75 m`, `3.6m`, `~1m`, `(~250cm²)`, `1/2 inch`, `1 1/2"`, `4x`.

    Raises CellError when it is not one number with at most one unit, or a fraction without an exact decimal.
    """
    rest = text.strip()
    doubts = []
    bracketed = _BRACKETED.match(rest)
    if bracketed:
        rest = bracketed[1].strip()
        doubts.append("in brackets")
    about = _ABOUT.match(rest)
    if about:
        rest = rest[about.end() :]
        doubts.append("approximate")
    for sign, words in _VULGAR.items():
        if sign in rest:
            rest = rest.replace(sign, f" {words}").strip()
    number, rest, is_fraction = _leading_number(rest, typed=text, style=style)
    if is_fraction:
        doubts.append("a fraction")
    unit = rest.strip().rstrip(".")
    if unit.casefold() in ("x", "×"):
        unit = ""
    if unit and not _UNIT.match(unit):
        raise CellError(f"“{text}” is not a quantity. Type a number and a unit, such as 4 or 0.75 m.")
    return TypedQuantity(number, unit, " and ".join(doubts))


def _leading_number(rest: str, *, typed: str, style: NumberStyle) -> tuple[Decimal, str, bool]:
    fraction = _FRACTION.match(rest)
    if fraction:
        if int(fraction[3]) == 0:
            raise CellError(f"“{typed}” divides by zero. Type a number, such as 0.5.")
        value = Fraction(int(fraction[1] or 0)) + Fraction(int(fraction[2]), int(fraction[3]))
        try:
            return to_decimal(value), rest[fraction.end() :], True
        except ValueError:
            raise CellError(
                f"“{typed}” has no exact decimal in six places. Type it as one, such as {float(value):.6f}."
            ) from None
    number = _NUMBER.match(rest)
    if number is None:
        raise CellError(f"“{typed}” is not a quantity. Type a number and a unit, such as 4 or 0.75 m.")
    return read_number(number[0], style=style), rest[number.end() :], False


def read_price(text: str, *, currency: str, style: NumberStyle = NumberStyle()) -> tuple[Decimal, str]:
    """A price and the unit it is for (empty: none named): `7.10`, `€ 7,10`, `15.09 / m`, `~12`.

    Raises CellError for what is not a price of zero or more in `currency`, and for `(?)150.00`, which its writer doubted.
    """
    rest = text.strip()
    for symbol, currencies in _SYMBOLS.items():
        if symbol in rest:
            if currency not in currencies:
                raise CellError(f"“{text}” is in {symbol}, prices are kept in {currency}. Convert it in the file.")
            rest = rest.replace(symbol, "").strip()
    rest = re.sub(rf"^{re.escape(currency)}\s*|\s*{re.escape(currency)}$", "", rest, flags=re.IGNORECASE)
    found = re.match(r"^([\d.,'’ ]+?)\s*(?:(?:/|per)\s*([A-Za-zµμ][\w²³]*))?$", rest)
    if found is None:
        raise CellError(f"“{text}” is not a price. Type a number of {currency}, such as 7.10, or 15.09 / m.")
    return read_number(found[1], style=style), found[2] or ""


def read_percent(text: str, *, style: NumberStyle = NumberStyle()) -> Decimal:
    """Percent of zero or more: `5`, `5 %`, `2,5%`."""
    percent = read_number(text.strip().removesuffix("%"), style=style)
    if percent < 0:
        raise CellError(f"“{text}” is below zero. Type a percentage from 0, such as 2.5.")
    return percent


def read_yes(text: str) -> bool:
    """Yes or no in the words people and spreadsheets use for it."""
    word = text.strip().casefold()
    if word in YES:
        return True
    if word in NO:
        return False
    raise CellError(f"“{text}” is neither yes nor no. Type yes or no.")


def read_date(text: str) -> date:
    """A day: `2026-11-23`, `2026-11-23 10:15`, `23.11.2026`. Others may swap day and month and are refused."""
    word = text.strip()
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"):
        try:
            return datetime.strptime(word, form).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
    raise CellError(f"“{text}” is not a date without doubt. Type it as year-month-day, such as 2026-11-23.")


def read_choice(text: str, words: Mapping[str, str], *, what: str) -> str:
    """The value that a word stands for. `words` maps lower-case words to values."""
    word = " ".join(text.strip().casefold().replace("_", " ").replace("-", " ").split())
    if word in words:
        return words[word]
    known = ", ".join(dict.fromkeys(words.values()))
    raise CellError(f"“{text}” is no {what}. Use one of: {known}.")


def usual_spelling(unit: str) -> str:
    """A unit as it is usually written: trade units in capitals become small (`KG`, `OZ`), words for one thing `pcs`.

    Capitals are not only a matter of taste elsewhere: in physics `M` is molar and `G` gauss, in a parts list they never are.
    """
    word = unit.strip()
    if word.casefold() in PIECES:
        return "pcs" if word else ""
    if word.casefold() in _TRADE_UNITS:
        return word.casefold()
    return word.lower() if not is_standard(word) and is_standard(word.lower()) else word
