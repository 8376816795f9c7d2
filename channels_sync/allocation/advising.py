"""How large a buffer has to be: the smallest one that keeps the chance of overselling under a chosen figure. Pure.

While news of stock is under way to a channel, the channel goes on offering what others have sold meanwhile. Sales the
channel does not know of are counted as independent arrivals during the measured delay:

    chance(buffer) = mean over delays, mean over count errors of P( sales during the delay > buffer - count error )
    advice         = the smallest whole number of sales with chance(advice) <= the wanted risk

Sales are Poisson; where the history varies more between days than that allows (index of dispersion, R. A. Fisher,
Statistical Methods for Research Workers, section 16: chi squared by its normal approximation, one-sided 5 %), the day's
rate itself is gamma distributed, which makes sales negative binomial (Greenwood and Yule, 1920), with the shape
mean² / (variance - mean) of the days. A count error larger than the buffer counts as an oversell, which errs on the safe side.
Nobody buying means nobody can be disappointed: without any demand the advice is 0, whatever counts say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from inventory.quantities import ZERO

ONE = Decimal(1)
HUNDRED = Decimal(100)
DAYS_MIN = 14
"""Days of demand below which nothing is advised."""
DELAYS_MIN = 20
"""Measured publishes below which nothing is advised."""
RISK_DEFAULT = Decimal("0.01")
_SECONDS_OF_DAY = Decimal(86_400)
_DISPERSION_LIMIT = Decimal("1.645")
_NEGLIGIBLE = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Demand:
    """Sales of a day, in sales of `unit` stock units each; `shape` is None for Poisson."""

    mean: Decimal
    unit: Decimal = ONE
    shape: Decimal | None = None

    @property
    def in_words(self) -> str:
        return "Poisson" if self.shape is None else "negative binomial"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a buffer costs; quantities in stock units."""

    hidden: Decimal
    percent: Decimal
    """Of the stock there is, 0 to 100."""
    lost_a_day: Decimal
    """Sales of one day that would have found stock and did not, on average."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The buffer in stock units, with the chance of an oversell that is left; or why there is none."""

    buffer: Decimal | None
    chance: Decimal | None = None
    demand: Demand | None = None
    is_counted: bool = False
    """Whether errors of counts were known; otherwise the books were taken as right."""
    refusal: str = ""


def demand_of(days: Sequence[Decimal], *, unit: Decimal = ONE) -> Demand:
    """The model that fits a history of quantities a day, days without sales among them. Stock units; `unit` is one sale."""
    if not days:
        return Demand(mean=ZERO, unit=unit)
    sales = [day / unit for day in days]
    mean = sum(sales, ZERO) / len(sales)
    freedom = len(sales) - 1
    if not mean or not freedom:
        return Demand(mean=mean, unit=unit)
    squares = sum(((sale - mean) ** 2 for sale in sales), ZERO)
    variance = squares / freedom
    limit = freedom + _DISPERSION_LIMIT * (2 * Decimal(freedom)).sqrt()
    if squares / mean <= limit or variance <= mean:
        return Demand(mean=mean, unit=unit)
    return Demand(mean=mean, unit=unit, shape=mean**2 / (variance - mean))


def advise(
    *,
    days: Sequence[Decimal],
    delays: Sequence[Decimal],
    shortfalls: Sequence[Decimal] = (),
    risk: Decimal = RISK_DEFAULT,
    unit: Decimal = ONE,
) -> Advice:
    """The smallest buffer, in stock units, that leaves a chance of overselling of at most `risk` (between 0 and 1).

    `days` are quantities a day in stock units that the channel learns of only by being told, `delays` seconds from a stock
    change to its confirmation, `shortfalls` what each count found missing in stock units (0 where the books were right).
    Raises ValueError for a risk that is not between 0 and 1, a unit that is not above 0, and figures below 0.
    """
    if not ZERO < risk < ONE or unit <= ZERO:
        raise ValueError(f"Risk {risk} has to lie between 0 and 1, and unit {unit} above 0.")
    if any(figure < ZERO for figures in (days, delays, shortfalls) for figure in figures):
        raise ValueError("Demand, delays and shortfalls cannot be below 0.")
    if len(days) < DAYS_MIN:
        return Advice(None, refusal=f"{len(days)} days of demand are known; {DAYS_MIN} are needed.")
    demand = demand_of(days, unit=unit)
    if not demand.mean:
        return Advice(ZERO, chance=ZERO, demand=demand, is_counted=bool(shortfalls))
    if len(delays) < DELAYS_MIN:
        return Advice(None, demand=demand, refusal=f"{len(delays)} publishes are measured; {DELAYS_MIN} are needed.")
    errors = [int((error / unit).to_integral_value(ROUND_CEILING)) for error in shortfalls] or [0]
    tails = [_Tail(demand, delay / _SECONDS_OF_DAY) for delay in delays]
    buffer = _smallest(lambda buffer: _chance(tails, errors, buffer) <= risk)
    chance = _chance(tails, errors, buffer)
    return Advice(buffer * unit, chance=chance, demand=demand, is_counted=bool(shortfalls))


def cost_of(*, buffer: Decimal, available: Decimal, demand: Demand) -> Cost:
    """What keeping `buffer` back from `available` costs, all in stock units. At most what is there is hidden."""
    there = max(ZERO, available)
    hidden = min(buffer, there)
    if not hidden:
        return Cost(ZERO, ZERO, ZERO)
    first, last = int((there - hidden) // demand.unit), int(there // demand.unit)
    tail, lost = _Tail(demand, ONE), ZERO
    for sales in range(first, last):
        above = tail.above(sales)
        if above < _NEGLIGIBLE:
            break
        lost += above
    return Cost(hidden=hidden, percent=hidden * HUNDRED / there, lost_a_day=lost * demand.unit)


def _smallest(holds: Callable[[int], bool]) -> int:
    """The smallest number from 0 for which it holds, where it holds for all larger ones too: found by halving."""
    fails, fits = -1, 0
    while not holds(fits):
        fails, fits = fits, 2 * fits + 1
    while fits - fails > 1:
        middle = (fails + fits) // 2
        fails, fits = (fails, middle) if holds(middle) else (middle, fits)
    return fits


def _chance(tails: Sequence[_Tail], errors: Sequence[int], buffer: int) -> Decimal:
    total = sum((tail.above(buffer - error) for tail in tails for error in errors), ZERO)
    return total / (len(tails) * len(errors))


class _Tail:
    """P(sales during a part of a day > n) for growing n, each term worked out once."""

    def __init__(self, demand: Demand, part: Decimal) -> None:
        self._chances = _chances(demand, demand.mean * part)
        self._above: list[Decimal] = []

    def above(self, sales: int) -> Decimal:
        if sales < 0:
            return ONE
        while len(self._above) <= sales:
            before = self._above[-1] if self._above else ONE
            if before < _NEGLIGIBLE:
                return ZERO
            self._above.append(max(ZERO, before - next(self._chances)))
        return self._above[sales]


def _chances(demand: Demand, mean: Decimal) -> Iterator[Decimal]:
    """P(0 sales), P(1 sale), ... with `mean` sales expected."""
    shape = demand.shape
    if shape is None:
        chance, sales = (-mean).exp(), 0
        while True:
            yield chance
            sales += 1
            chance = chance * mean / sales
    ratio = mean / (shape + mean)
    chance, sales = (shape / (shape + mean)) ** shape, 0
    while True:
        yield chance
        chance = chance * (shape + sales) / (sales + 1) * ratio
        sales += 1
