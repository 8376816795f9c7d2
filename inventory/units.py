"""Units of measurement: standard ones converted exactly, pack units by the item's own table."""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

import pint

from inventory.errors import InvalidUnit

PIECES = frozenset({"", "pcs", "pc", "piece", "pieces", "ea", "each", "unit", "units", "count", "stk", "nos", "no"})
"""Words for one whole thing; they are one unit."""

_STANDARD_WORDS = {
    "ltr": "l",
    "litre": "l",
    "litres": "l",
    "liters": "l",
    "gr": "g",
    "gram": "g",
    "grams": "g",
    "kgs": "kg",
    "kilo": "kg",
    "metre": "m",
    "metres": "m",
    "meters": "m",
    "in": "inch",
    "inches": "inch",
    '"': "inch",
    "feet": "ft",
    "lbs": "lb",
    "fl oz": "floz",
    "cm²": "cm**2",
    "m²": "m**2",
    "mm²": "mm**2",
    "cm2": "cm**2",
    "m2": "m**2",
    "mm2": "mm**2",
    "sqm": "m**2",
    "cm3": "cm**3",
    "m3": "m**3",
    "m³": "m**3",
    "dz": "dozen",
    "hr": "hour",
    "hrs": "hour",
    "h": "hour",
}
LIKELY_UNITS = {"kg": ("g",), "g": ("kg",), "l": ("ml",), "ml": ("l",), "m": ("cm", "mm"), "cm": ("m",), "mm": ("m",)}
"""Units people type for a stock unit beside the item's own packs."""

_STANDARD = re.compile(r"^[A-Za-zµμ]+(\*\*[23])?$")


@lru_cache(maxsize=4096)
def _registry() -> "pint.UnitRegistry[Fraction]":
    return pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)


def normal_unit(unit: str) -> str:
    """The unit in one spelling: words for a piece become `pcs`, `Litre` becomes `l`."""
    word = unit.strip()
    if word.casefold() in PIECES:
        return "pcs"
    return _STANDARD_WORDS.get(word.casefold(), _STANDARD_WORDS.get(word, word))


@lru_cache(maxsize=4096)
def standard_factor(unit: str, into: str) -> Fraction | None:
    """How many `into` one `unit` is, exactly, by the standard units; None when they have no common dimension."""
    one, other = normal_unit(unit), normal_unit(into)
    if one == other:
        return Fraction(1)
    if one == "dozen" and other == "pcs":
        return Fraction(12)
    if "pcs" in (one, other) or not _STANDARD.match(one) or not _STANDARD.match(other):
        return None
    try:
        return Fraction(_registry().Quantity(Fraction(1), one).to(other).magnitude)
    except (pint.PintError, AttributeError, ValueError, OverflowError):  # NaN and inf are numbers to the parser
        return None


def is_standard(unit: str) -> bool:
    """Whether the unit is known without an item's own table."""
    word = normal_unit(unit)
    if word in ("pcs", "dozen"):
        return True
    return standard_factor(word, word) is not None and _is_defined(word)


@lru_cache(maxsize=4096)
def _is_defined(word: str) -> bool:
    if not _STANDARD.match(word):
        return False
    try:
        _registry().Quantity(Fraction(1), word)
    except (pint.PintError, AttributeError, ValueError, OverflowError):
        return False
    return True


def unit_factor(*, unit: str, stock_unit: str, packs: Mapping[str, Fraction], sku: str) -> Fraction:
    """How many stock units of an item one `unit` is, exactly. An empty unit is the stock unit.

    `packs` maps the item's own units, in lower case, to stock units; they win over the standard ones.
    Raises InvalidUnit, naming the units the item understands.
    """
    word = unit.strip()
    if not word or word.casefold() == stock_unit.casefold():
        return Fraction(1)
    own = packs.get(word.casefold())
    if own is not None:
        return own
    factor = standard_factor(word, stock_unit)
    if factor is None:
        known = ", ".join([stock_unit, *sorted(packs)])
        raise InvalidUnit(
            f"{sku} is kept in {stock_unit}; “{word}” cannot be converted to it. Use {known}"
            f" or a unit of the same dimension, or add the pack to the item.",
            item=sku,
            unit=word,
            stock_unit=stock_unit,
        )
    return factor
