"""How often things are counted, and how far a count may be off. Pure.

Record accuracy is the share of counted lines whose book was within tolerance; a surplus never makes up for a shortage.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

from inventory.quantities import ZERO

DAYS_PER_YEAR = 365
SUSPICION_MAX = Fraction(100)
"""Where the score ends: a hundred times the tolerance is as bad as a thousand times."""
SUSPICIOUS_FROM = Fraction(1)
"""A count that left its tolerance is worth another look before its class is due."""
TURNOVERS_MANY = 3
"""A cell that moved so many times what it held since its last count has had many chances to go wrong."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Lines within tolerance of the lines that were counted."""

    within: int
    counted: int

    @property
    def percent(self) -> Fraction | None:
        """0 to 100; None when nothing was counted."""
        return Fraction(100 * self.within, self.counted) if self.counted else None

    def __add__(self, other: "Accuracy") -> "Accuracy":
        return Accuracy(self.within + other.within, self.counted + other.counted)


def abc_classes(usage: Mapping[int, Decimal], *, shares: Sequence[tuple[str, Decimal]]) -> dict[int, str]:
    """The class of each item by the value used in a year (base currency, not negative), the largest first.

    `shares` are the classes in order with the percent of all usage at which each ends. An item belongs to the first class
    that has not ended before it, so the item that crosses a cut-off still belongs above it. What is not used at all, and
    all items of a company that uses nothing, belong to the last class. An item of the same value as the one before it is
    ranked by its id.
    """
    if not shares:
        raise ValueError("there is no class to put items into")
    total = sum(usage.values(), ZERO)
    last = shares[-1][0]
    classes: dict[int, str] = {}
    before = ZERO
    for item_id, value in sorted(usage.items(), key=lambda pair: (-pair[1], pair[0])):
        if value > ZERO:
            classes[item_id] = next((group for group, share in shares if before * 100 < share * total), last)
        else:
            classes[item_id] = last
        before += value
    return classes


def is_within_tolerance(*, counted: Decimal, expected: Decimal, percent: Decimal) -> bool:
    """Whether a count is as near to the book as `percent` of what was expected allows.

    Where nothing was expected, only nothing is within tolerance.
    """
    return abs(counted - expected) * 100 <= abs(expected) * percent


def record_accuracy(lines: Iterable[tuple[Decimal, Decimal, Decimal]]) -> Accuracy:
    """Of (counted, expected, tolerance percent) lines; each stands for itself, nothing is netted."""
    within = counted = 0
    for figure, expected, percent in lines:
        counted += 1
        within += is_within_tolerance(counted=figure, expected=expected, percent=percent)
    return Accuracy(within, counted)


def next_count_on(*, last_counted_on: date | None, counts_per_year: Decimal) -> date | None:
    """The day a cell is due again; None when it never was counted, which is due at once."""
    if last_counted_on is None:
        return None
    try:
        return last_counted_on + timedelta(days=floor(Fraction(DAYS_PER_YEAR) / Fraction(counts_per_year)))
    except OverflowError:  # less than once in some thousand years
        return date.max


def suspicion(*, counted: Decimal, expected: Decimal, percent: Decimal) -> Fraction:
    """How many times its tolerance a count was off: 0 when exact, at most SUSPICION_MAX.

    A variance where nothing was expected, or where no tolerance is given, is as suspicious as can be.
    """
    off = abs(Fraction(counted) - Fraction(expected))
    if not off:
        return Fraction(0)
    allowed = abs(Fraction(expected)) * Fraction(percent) / 100
    return min(off / allowed, SUSPICION_MAX) if allowed else SUSPICION_MAX


def has_moved_much(*, moved: Decimal, on_hand: Decimal, last_counted: Decimal) -> bool:
    """Whether what moved since the last count (in and out added up) is many times what the cell holds or held."""
    held = max(abs(on_hand), abs(last_counted))
    return moved > ZERO and moved >= TURNOVERS_MANY * held
