"""Orders out of what is known of demand: days, or single order lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from channels_sync.simulation.case import DAY_MINUTES, Order

CUSTOMERS_MAX = 24
"""A day's demand comes as single sold units up to so many customers; beyond that each takes more."""


@dataclass(frozen=True, slots=True)
class DailySold:
    """`parts` asked for on a day, 0 being the first."""

    day: int
    parts: int


def orders_from_days(
    days: Iterable[DailySold], *, place: int, pack: int, percent: int = 100, seed: int, name: str
) -> list[Order]:
    """The days' demand times `percent` of a hundred as orders at moments drawn by `seed`; in order of time.

    `name` tells one stream of orders from another, so that each draws for itself. What does not fill a pack is carried to
    the next day, so that nothing is lost by rounding.
    """
    draw = Random(f"{seed}:{name}")  # noqa: S311  moments of customers, not a secret
    orders: list[Order] = []
    scaled = given = 0
    for one in sorted(days, key=lambda sold: sold.day):
        scaled += one.parts * percent
        packs = scaled // (100 * pack) - given
        given += packs
        if packs <= 0:
            continue
        customers = min(packs, CUSTOMERS_MAX)
        moments = sorted(draw.randrange(DAY_MINUTES) for _ in range(customers))
        each, more = divmod(packs, customers)
        begins = one.day * DAY_MINUTES
        orders += [Order(begins + moment, place, each + (number < more)) for number, moment in enumerate(moments)]
    return orders


def orders_from_lines(lines: Sequence[tuple[int, int]], *, place: int, pack: int, percent: int = 100) -> list[Order]:
    """Order lines (minute, parts) times `percent` of a hundred, at the moments they came; in order of time."""
    orders: list[Order] = []
    scaled = given = 0
    for minute, parts in sorted(lines):
        scaled += parts * percent
        packs = scaled // (100 * pack) - given
        given += packs
        if packs > 0:
            orders.append(Order(minute, place, packs))
    return orders
