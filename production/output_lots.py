"""The lots or serial numbers of a run as they are typed, pasted or scanned, one to a line. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from inventory.errors import InvalidQuantity
from inventory.quantities import ZERO, as_text, from_text

LINES_MAX = 2_000
_RANGE = re.compile(r"^(\S*?)(\d+)\s*(?:\.\.+|…)\s*(\S*?)(\d+)$")
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class TypedLot:
    """One lot as typed; without a quantity it takes what the others leave."""

    code: str
    quantity: Decimal | None = None
    expires_on: date | None = None


def read_serials(text: str) -> list[str]:
    """Serial numbers parted by line ends, spaces, commas or semicolons; `A-001..A-040` names forty of them.

    Raises InvalidQuantity for a range that cannot be counted, and for more than LINES_MAX.
    """
    found: list[str] = []
    for line in text.splitlines():
        match = _RANGE.match(line.strip())
        if match:
            found += _range(match, line.strip())
        else:
            found += [part for part in re.split(r"[\s,;]+", line) if part]
        if len(found) > LINES_MAX:
            raise InvalidQuantity(f"That is more than {LINES_MAX} serial numbers. Record them in several completions.")
    return found


def _range(match: re.Match[str], line: str) -> Sequence[str]:
    head, first, other, last = match.groups()
    if other not in ("", head) or int(last) < int(first) or int(last) - int(first) >= LINES_MAX:
        raise InvalidQuantity(
            f"“{line}” is no range of at most {LINES_MAX} serial numbers. Write it as A-001..A-040, the lower one first."
        )
    return [f"{head}{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]


def read_lots(text: str) -> list[TypedLot]:
    """Lots, one to a line: its code, its quantity and, if it is known, its last day (2027-01-31).

    Parted by tabs, semicolons or spaces. Raises InvalidQuantity for a line that says something else.
    """
    lots: list[TypedLot] = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = [part.strip() for part in re.split(r"[\t;]+|\s+", line) if part.strip()]
        if not parts:
            continue
        if len(lots) >= LINES_MAX:
            raise InvalidQuantity(f"That is more than {LINES_MAX} lots. Record them in several completions.")
        lots.append(_lot(parts, number))
    return lots


def _lot(parts: Sequence[str], number: int) -> TypedLot:
    code, rest = parts[0], list(parts[1:])
    expires_on = None
    try:
        if rest and _DAY.match(rest[-1]):
            expires_on = date.fromisoformat(rest.pop())
        quantity = from_text(rest.pop(0)) if rest else None
    except (ValueError, InvalidQuantity):
        rest.append("")
        quantity = None
    if rest:
        raise InvalidQuantity(
            f"Line {number} of the lots cannot be read. Give the lot, its quantity and, if known, its last day: L-12 20 "
            "2027-01-31."
        )
    return TypedLot(code, quantity, expires_on)


def fill_rest(lots: Sequence[TypedLot], *, good: Decimal) -> list[tuple[TypedLot, Decimal]]:
    """Each lot with its quantity; one that says none takes what is left of the good quantity.

    Raises InvalidQuantity when two say none, or when nothing is left for the one.
    """
    given = sum((lot.quantity for lot in lots if lot.quantity is not None), ZERO)
    silent = [lot for lot in lots if lot.quantity is None]
    if len(silent) > 1:
        raise InvalidQuantity(
            f"Lots {silent[0].code} and {silent[1].code} have no quantity. Only one may take the rest."
        )
    rest = good - given
    if silent and rest <= ZERO:
        raise InvalidQuantity(f"Nothing is left for lot {silent[0].code}: the others take {as_text(given)} already.")
    return [(lot, rest if lot.quantity is None else lot.quantity) for lot in lots]


def next_serials(last: str, count: int) -> list[str]:
    """The serial numbers that follow one, counted on in its last digits; empty when it has none."""
    match = re.match(r"^(.*?)(\d+)(\D*)$", last)
    if match is None:
        return []
    head, digits, tail = match.groups()
    return [f"{head}{int(digits) + step:0{len(digits)}d}{tail}" for step in range(1, count + 1)]
