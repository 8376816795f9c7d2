"""Exact arithmetic of stock and money. Nothing here rounds unless its name says so; nothing is a binary float."""

import re
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction

from inventory.errors import InvalidQuantity, InvalidQuantityStep

ZERO = Decimal(0)
PLACES = Decimal("0.000001")
QUANTITY_MAX = Decimal("999999999999.999999")
"""Largest quantity a column holds: 18 digits, 6 of them decimal places."""
MONEY_MAX = Decimal("99999999999999.999999")

_EXACT = Context(prec=60)
_multiply = _EXACT.multiply
_TWO = Decimal(2)


_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


def is_exact(quantity: Decimal) -> bool:
    """Whether a quantity fits a column without rounding: finite, at most six decimal places, at most 18 digits."""
    if not quantity.is_finite() or abs(quantity) > QUANTITY_MAX:
        return False
    exponent = quantity.as_tuple().exponent
    return isinstance(exponent, int) and (exponent >= -6 or quantity == quantity.quantize(PLACES, context=_EXACT))


def as_text(quantity: Decimal) -> str:
    """A quantity without exponent and without trailing zeros: `12.5`, `0`, `-3`."""
    text = f"{quantity:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def from_text(text: str) -> Decimal:
    """Read a decimal as people type it: `12.5`, `1,250.00`, ` 3 `, and `8,6` with a decimal comma.

    A comma before exactly three digits groups thousands: `8,600` is 8600.

    Raises InvalidQuantity for anything that is not one finite number.
    """
    plain = text.strip().replace("\u202f", "").replace("\u00a0", "")
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    elif _DECIMAL_COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        raise InvalidQuantity(
            f"“{text}” is not a number. Type digits with a point, such as 12.5.", given=text
        ) from None
    if not number.is_finite():
        raise InvalidQuantity(f"“{text}” is not a number. Type digits with a point, such as 12.5.", given=text)
    return number


def check_step(*, quantity: Decimal, step: Decimal, sku: str, unit: str) -> Decimal:
    """`quantity` (stock unit) when it is positive and a multiple of `step`.

    Raises InvalidQuantity or InvalidQuantityStep.
    """
    if not quantity.is_finite() or quantity <= ZERO or quantity > QUANTITY_MAX:
        raise InvalidQuantity(
            f"{_shown(quantity)} {unit} of {sku} is not a quantity that can be moved. "
            f"Give a positive number up to {as_text(QUANTITY_MAX)}.",
            item=sku,
            quantity=str(quantity),
        )
    if _EXACT.remainder(quantity, step) != ZERO:
        raise InvalidQuantityStep(
            f"{as_text(quantity)} {unit} of {sku} is not a multiple of its step {as_text(step)} {unit}. "
            f"Give a multiple, or change the item's step.",
            item=sku,
            quantity=as_text(quantity),
            step=as_text(step),
        )
    return quantity


def _shown(quantity: Decimal) -> str:
    return as_text(quantity) if quantity.is_finite() and abs(quantity) <= QUANTITY_MAX * 1000 else str(quantity)[:24]


def to_decimal(value: Fraction) -> Decimal:
    """The exact decimal of a fraction that has one in six places; ValueError otherwise."""
    scaled = value * 1_000_000
    if scaled.denominator != 1:
        raise ValueError(f"{value} has more than six decimal places")
    return Decimal(scaled.numerator).scaleb(-6, context=_EXACT)


def round_half_up(value: Fraction, step: Decimal) -> Decimal:
    """To the nearest multiple of `step`, halves away from zero."""
    return round_ratio_half_up(value.numerator, value.denominator, step)


def round_up(value: Fraction, step: Decimal) -> Decimal:
    """To the next multiple of `step` at or above `value`."""
    return round_ratio_up(value.numerator, value.denominator, step)


def round_down(value: Fraction, step: Decimal) -> Decimal:
    """To the next multiple of `step` at or below `value`."""
    numerator, denominator = step.as_integer_ratio()
    return _EXACT.multiply(Decimal(value.numerator * denominator // (value.denominator * numerator)), step)


def round_ratio_half_up(numerator: int, denominator: int, step: Decimal) -> Decimal:
    """`numerator / denominator` (denominator positive, not reduced) to the nearest `step`, halves away from zero."""
    step_numerator, step_denominator = step.as_integer_ratio()
    units, whole = numerator * step_denominator, denominator * step_numerator
    count = (2 * abs(units) + whole) // (2 * whole)
    return _EXACT.multiply(Decimal(count if units >= 0 else -count), step)


def round_ratio_up(numerator: int, denominator: int, step: Decimal) -> Decimal:
    """`numerator / denominator` (denominator positive, not reduced) to the next `step` at or above."""
    step_numerator, step_denominator = step.as_integer_ratio()
    return _EXACT.multiply(Decimal(-(-numerator * step_denominator // (denominator * step_numerator))), step)


def proportion(total: Decimal, part: Decimal, whole: Decimal, *, step: Decimal) -> Decimal:
    """`total × part / whole` (`whole` positive) to the nearest `step`, halves away from zero; all when `part` is `whole`."""
    return total if part == whole else _proportion(total, part, whole, step)


def _proportion(total: Decimal, part: Decimal, whole: Decimal, step: Decimal) -> Decimal:
    """Exact: products of two columns have at most 40 digits, and the division is one of integers."""
    product = _multiply(total, part)
    units = _multiply(whole, step)
    if product < ZERO:
        return _EXACT.minus(_multiply(_halves_up(_EXACT.minus(product), units), step))
    return _multiply(_halves_up(product, units), step)


def _halves_up(product: Decimal, units: Decimal) -> Decimal:
    """`product / units`, neither negative, to the nearest whole number, halves up."""
    return _EXACT.divide_int(_EXACT.fma(product, _TWO, units), _multiply(units, _TWO))


def share_out(total: Decimal, weights: Sequence[Decimal], *, step: Decimal) -> list[Decimal]:
    """Split `total` by `weights` so that the parts sum to it exactly; each running total is rounded to `step`.

    All weights zero: everything to the last. An empty list of weights is a bug (ValueError).
    """
    if not weights:
        raise ValueError("nothing to share out to")
    whole = sum(weights, ZERO)
    parts: list[Decimal] = []
    given = ZERO
    running = ZERO
    for position, weight in enumerate(weights, start=1):
        running += weight
        if position == len(weights):
            until = total
        elif whole == ZERO:
            until = ZERO
        else:
            until = _proportion(total, running, whole, step)
        parts.append(until - given)
        given = until
    return parts


def total_of(numbers: Iterable[Decimal | None]) -> Decimal | None:
    """The sum; None as soon as one is unknown."""
    total = ZERO
    for number in numbers:
        if number is None:
            return None
        total += number
    return total
