"""Quantities as people type them on the floor: `12.5`, `500 g`, `2 box`. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inventory.errors import InvalidQuantity, InvalidQuantityStep
from inventory.quantities import ZERO, as_text, check_step, from_text, to_decimal
from inventory.units import unit_factor

_NUMBER_THEN_UNIT = re.compile(r"^\s*([+-]?[\d.,'\s\u00a0\u202f]+?)\s*([^\d\s.,'+-].*)?$")
_DECIMAL_COMMA = re.compile(r"^[+-]?\d+,(\d{1,2}|\d{4,6})$")


@dataclass(frozen=True, slots=True)
class TypedQuantity:
    """A number and the unit behind it, empty when none was typed."""

    number: Decimal
    unit: str = ""


def read_quantity(text: str) -> TypedQuantity:
    """Read what was typed. A single comma that cannot part thousands is a decimal comma: many number pads have no point.

    Raises InvalidQuantity for anything else than one number with a unit.
    """
    match = _NUMBER_THEN_UNIT.match(text)
    if match is None:
        raise InvalidQuantity(
            f"“{text.strip()}” is not a quantity. Type digits, and a unit if you like: 12.5 or 500 g."
        )
    number, unit = match.group(1).strip(), (match.group(2) or "").strip()
    if _DECIMAL_COMMA.match(number):
        number = number.replace(",", ".")
    return TypedQuantity(from_text(number.replace(" ", "").replace("'", "")), unit)


def in_stock_unit(
    typed: TypedQuantity, *, sku: str, stock_unit: str, step: Decimal, packs: Mapping[str, Fraction]
) -> Decimal:
    """The quantity in the stock unit, exactly; zero is allowed.

    `packs` are the item's own units in lower case. Raises InvalidUnit, InvalidQuantity or InvalidQuantityStep.
    """
    factor = unit_factor(unit=typed.unit, stock_unit=stock_unit, packs=packs, sku=sku)
    exact = Fraction(typed.number) * factor
    if exact == 0:
        return ZERO
    if factor == 1:
        return check_step(quantity=typed.number, step=step, sku=sku, unit=stock_unit)
    if (exact / Fraction(step)).denominator != 1:
        raise InvalidQuantityStep(
            f"{as_text(typed.number)} {typed.unit} of {sku} is {float(exact):.6g} {stock_unit}, which is not a multiple of "
            f"its step {as_text(step)} {stock_unit}. Give another quantity.",
            item=sku,
            step=as_text(step),
        )
    return check_step(quantity=to_decimal(exact), step=step, sku=sku, unit=stock_unit)
