"""What completions teach about a BOM: why usage differed from the standard, and which quantity the standard should be. Pure.

Each difference is split, without rest, into what has a cause: rounding, substitutes, spoiled goods, reasons people gave, and
what nobody explained. A quantity is proposed only where enough people measured, most of them agree, and they still do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from inventory.quantities import PLACES, ZERO, round_half_up

_NOTHING = Fraction(0)
_ONE = Fraction(1)
SPOILED = "scrap"
"""The cause under which a completion says that material was spoiled."""
DIGITS = 3
"""Significant digits of a proposed quantity."""


class Part(StrEnum):
    """Why actual usage differs from the exact standard."""

    ROUNDING = "rounding"
    SUBSTITUTE = "substitute"
    SPOILED = "spoiled"
    EXPLAINED = "explained"
    UNEXPLAINED = "unexplained"


class Verdict(StrEnum):
    """What the observations of one line allow to say."""

    PROPOSE = "propose"
    WITHIN = "within"
    FEW = "few"
    SELDOM = "seldom"
    SCATTERED = "scattered"
    DRIFTING = "drifting"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a proposal is made. Shares are of one: a tolerance of 0.02 is two per cent."""

    least: int = 8
    """Measurements that are needed."""
    tolerance: Fraction = Fraction(2, 100)
    """A median this near to the standard is near enough."""
    measured: Fraction = Fraction(1, 3)
    """Of all completions so many must have been measured, or those that were may be the odd ones."""
    drift: Fraction = Fraction(1, 2)
    """Earlier and later half may differ by this share of what the median differs from the standard."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One component in one completion, oldest first; stock unit of the component."""

    completion_id: int
    standard: Fraction
    """By the BOM, exactly, before any rounding."""
    expected: Decimal
    """By the BOM, as it was booked."""
    actual: Decimal
    setup: Fraction = _NOTHING
    """Of the standard, what is used once per run."""
    scrapped: Decimal = ZERO
    replaced: Fraction = _NOTHING
    """What substitutes stood in for."""
    cause: str = ""
    reason: str = ""
    is_asked: bool = False
    """The BOM asks for the actual of this line, so that even the standard was looked at."""
    has_scrap_allowance: bool = False
    """The BOM adds a share for spoiled goods, so that these belong to the usage."""

    @property
    def spoiled(self) -> Fraction:
        """What was spoiled: as counted, else all that was used too much when that is the cause given."""
        if self.scrapped:
            return Fraction(self.scrapped)
        if self.cause == SPOILED:
            return max(Fraction(self.actual) + self.replaced - Fraction(self.expected), _NOTHING)
        return _NOTHING

    @property
    def used(self) -> Fraction:
        """What went into the product, substitutes counted as what they replaced."""
        gross = Fraction(self.actual) + self.replaced
        return gross if self.has_scrap_allowance else gross - self.spoiled

    @property
    def is_measured(self) -> bool:
        """Whether somebody looked: asked, or entered something else than the standard, or said why."""
        return bool(
            self.is_asked or self.reason or self.cause or self.scrapped
            or Fraction(self.actual) + self.replaced != Fraction(self.expected)
        )  # fmt: skip

    @property
    def ratio(self) -> Fraction | None:
        """Usage as a multiple of the standard, set-up aside; None where the standard is nothing."""
        base = self.standard - self.setup
        return None if base <= 0 else max((self.used - self.setup) / base, _NOTHING)


def parts(one: Observation) -> dict[Part, Fraction]:
    """Actual less exact standard, by cause; the parts sum to it exactly."""
    rest = Fraction(one.actual) + one.replaced - one.spoiled - Fraction(one.expected)
    named = Part.EXPLAINED if one.reason or (one.cause and one.cause != SPOILED) else Part.UNEXPLAINED
    found = dict.fromkeys(Part, _NOTHING)
    found[Part.ROUNDING] = Fraction(one.expected) - one.standard
    found[Part.SUBSTITUTE] = -one.replaced
    found[Part.SPOILED] = one.spoiled
    found[named] = rest
    return found


def total_parts(observations: Iterable[Observation]) -> dict[Part, Fraction]:
    """The parts of many, summed."""
    total = dict.fromkeys(Part, _NOTHING)
    for one in observations:
        for part, quantity in parts(one).items():
            total[part] += quantity
    return total


@dataclass(frozen=True, slots=True)
class Finding:
    """What the measurements of one line say; median and quartiles as multiples of the standard, None without any."""

    verdict: Verdict
    measured: int
    completions: int
    median: Fraction | None = None
    lower: Fraction | None = None
    upper: Fraction | None = None
    earlier: Fraction | None = None
    later: Fraction | None = None
    ratios: Sequence[Fraction] = ()
    """Of those measured, oldest first."""

    @property
    def is_proposal(self) -> bool:
        return self.verdict == Verdict.PROPOSE


def judge(observations: Sequence[Observation], rule: Rule | None = None) -> Finding:
    """What the observations of one line, oldest first, allow to say about its standard."""
    wanted = rule or Rule()
    ratios = [ratio for one in observations if one.is_measured and (ratio := one.ratio) is not None]
    if not ratios:
        return Finding(Verdict.FEW, 0, len(observations))
    ordered = sorted(ratios)
    median, lower, upper = quantile(ordered, 1, 2), quantile(ordered, 1, 4), quantile(ordered, 3, 4)
    half = len(ratios) // 2
    earlier = quantile(sorted(ratios[:half] or ratios), 1, 2)
    later = quantile(sorted(ratios[half:]), 1, 2)
    shift = median - _ONE
    if len(ratios) < wanted.least:
        verdict = Verdict.FEW
    elif len(ratios) < wanted.measured * len(observations):
        verdict = Verdict.SELDOM
    elif abs(shift) <= wanted.tolerance:
        verdict = Verdict.WITHIN
    elif lower <= _ONE <= upper:
        verdict = Verdict.SCATTERED
    elif abs(later - earlier) > wanted.drift * abs(shift):
        verdict = Verdict.DRIFTING
    else:
        verdict = Verdict.PROPOSE
    return Finding(verdict, len(ratios), len(observations), median, lower, upper, earlier, later, tuple(ratios))


def quantile(ordered: Sequence[Fraction], numerator: int, denominator: int) -> Fraction:
    """The value below which that share of an ordered list lies, between two neighbours by proportion."""
    place = Fraction(numerator, denominator) * (len(ordered) - 1)
    below = place.numerator // place.denominator
    if below + 1 >= len(ordered):
        return ordered[-1]
    return ordered[below] + (place - below) * (ordered[below + 1] - ordered[below])


def scaled(quantity: Decimal, ratio: Fraction) -> Decimal:
    """A quantity times a ratio as a person would write it: three significant digits, at most six decimal places."""
    exact = Fraction(quantity) * ratio
    if exact <= 0:
        return ZERO
    step = Decimal(1)
    while Fraction(step) * 10**DIGITS <= exact:
        step *= 10
    while Fraction(step) * 10 ** (DIGITS - 1) > exact and step > PLACES:
        step /= 10
    if step > 1:
        step = Decimal(1)  # 12,730 g are 12,730 g: whole units are never taken off
    return round_half_up(exact, step)
