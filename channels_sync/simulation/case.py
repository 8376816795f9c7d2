"""What is replayed for one item: its stock at the start, its orders, its supply, and how late its channels hear of it.

Quantities are whole millionths of the stock unit ("parts"), the last place a quantity has: exact, and fast to count with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

PARTS = 1_000_000
"""Parts of one stock unit."""
DAY_MINUTES = 24 * 60


def to_parts(quantity: Decimal) -> int:
    """A quantity of at most six decimal places in parts."""
    parts = quantity.scaleb(6)
    whole = int(parts)
    if whole != parts:
        raise ValueError(f"{quantity} has more than six decimal places")
    return whole


def to_quantity(parts: int) -> Decimal:
    return Decimal(parts).scaleb(-6)


class Order(NamedTuple):
    """A customer asks for `packs` sold units of the listing at `place` in the item's list, `minute` minutes after the start."""

    minute: int
    place: int
    packs: int


class SupplyKind(StrEnum):
    LEVEL = "level"
    GIVEN = "given"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Supply:
    """Where new stock comes from.

    LEVEL: at the start of a day, when stock and what is on order together are at most `reorder_at`, so much is ordered that
    they are `level`; it arrives `lead_days` days later. GIVEN: `arrivals` are day number and parts, in order. All in parts.
    """

    kind: SupplyKind = SupplyKind.NONE
    reorder_at: int = 0
    level: int = 0
    lead_days: int = 0
    arrivals: tuple[tuple[int, int], ...] = ()

    @classmethod
    def by_cover(cls, *, daily: Fraction, lead_days: int, cover_days: int) -> Supply:
        """Order when what is left lasts no longer than the lead time, up to lead time and `cover_days` more; rounded up.

        `daily` is the demand of a day in parts. Whole stock units are ordered.
        """
        return cls(
            SupplyKind.LEVEL,
            reorder_at=_whole_units(daily * lead_days),
            level=_whole_units(daily * (lead_days + cover_days)),
            lead_days=lead_days,
        )


def _whole_units(parts: Fraction) -> int:
    return -(-parts.numerator // (parts.denominator * PARTS)) * PARTS


@dataclass(frozen=True, slots=True)
class ItemCase:
    """One item. `packs` is the parts in one sold unit and `late` the minutes until news is shown, each by place.

    `demand` is what was asked for on each channel by day, in parts, for rules that look at recent demand; day 0 is the first.
    """

    item_id: int
    sku: str
    start: int
    packs: tuple[int, ...]
    channels: tuple[int, ...]
    late: tuple[int, ...]
    orders: Sequence[Order]
    supply: Supply = field(default_factory=Supply)
    demand: Mapping[int, Mapping[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert len(self.packs) == len(self.channels) == len(self.late), "one of each for every listing"
