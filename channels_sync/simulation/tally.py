"""Adding up what became of many items under one set of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from channels_sync.simulation.case import ItemCase, to_quantity
from channels_sync.simulation.replay import WEEK_DAYS, ItemOutcome
from inventory.quantities import as_text


@dataclass(slots=True)
class ChannelTally:
    """One channel, in parts; `zero_days` are days of listings that ended with nothing shown."""

    demanded: int = 0
    sold: int = 0
    oversold: int = 0
    zero_days: int = 0
    steps: dict[int, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        return self.demanded - self.sold


@dataclass(frozen=True, slots=True)
class ItemTally:
    """What is kept of one item, in parts."""

    item_id: int
    sku: str
    sold: int
    lost: int
    oversold: int
    out_days: int

    @property
    def harm(self) -> int:
        return self.lost + self.oversold


@dataclass(slots=True)
class Tally:
    """All items under one set of rules, over `days` days."""

    days: int
    channels: dict[int, ChannelTally] = field(default_factory=dict)
    items: list[ItemTally] = field(default_factory=list)
    weeks: list[list[int]] = field(default_factory=list)
    start: int = 0
    supplied: int = 0
    left: int = 0
    out_days: int = 0
    steps: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.weeks = [[0, 0, 0] for _ in range(-(-self.days // WEEK_DAYS))]

    def add(self, case: ItemCase, outcome: ItemOutcome) -> None:
        for place, channel_id in enumerate(case.channels):
            one = self.channels.setdefault(channel_id, ChannelTally())
            one.demanded += outcome.demanded[place]
            one.sold += outcome.sold[place]
            one.oversold += outcome.oversold[place]
            one.zero_days += outcome.zero_days[place]
            _add_steps(one.steps, outcome.steps_shown[place])
        _add_steps(self.steps, outcome.steps_there)
        self.start += outcome.start
        self.supplied += outcome.supplied
        self.left += outcome.left
        self.out_days += outcome.out_days
        for week, found in zip(self.weeks, outcome.weeks, strict=True):
            for number, parts in enumerate(found):
                week[number] += parts
        sold, oversold = sum(outcome.sold), sum(outcome.oversold)
        lost = sum(outcome.demanded) - sold
        self.items.append(ItemTally(case.item_id, case.sku, sold, lost, oversold, outcome.out_days))

    @property
    def sold(self) -> int:
        return sum(one.sold for one in self.channels.values())

    @property
    def oversold(self) -> int:
        return sum(one.oversold for one in self.channels.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values; quantities are texts in stock units, exposures texts of how many times what is there is shown."""
        there = _levels(self.steps, self.days)
        shown = [0] * self.days
        channels = []
        for channel_id, one in sorted(self.channels.items()):
            own = _levels(one.steps, self.days)
            shown = [all_shown + parts for all_shown, parts in zip(shown, own, strict=True)]
            channels.append({"channel": channel_id, **_figures(one), **_exposure(own, there)})
        whole = ChannelTally(
            demanded=sum(one.demanded for one in self.channels.values()),
            sold=self.sold,
            oversold=self.oversold,
            zero_days=sum(one.zero_days for one in self.channels.values()),
        )
        return {
            "totals": {
                **_figures(whole),
                **_exposure(shown, there),
                "start": _text(self.start),
                "supplied": _text(self.supplied),
                "left": _text(self.left),
                "out_days": self.out_days,
            },
            "channels": channels,
            "weeks": [[_text(parts) for parts in week] for week in self.weeks],
        }


def worst_items(present: Tally, proposed: Tally, *, rows_max: int) -> list[dict[str, Any]]:
    """The items with most lost and oversold under either set of rules, the worst first. Both tallies hold the same items."""
    pairs = list(zip(present.items, proposed.items, strict=True))
    pairs.sort(key=lambda pair: (-max(pair[0].harm, pair[1].harm), pair[0].sku))
    return [
        {"item": before.item_id, "sku": before.sku, "present": _item(before), "proposed": _item(after)}
        for before, after in pairs[:rows_max]
        if before.harm or after.harm
    ]


def _item(one: ItemTally) -> dict[str, Any]:
    return {
        "sold": _text(one.sold),
        "lost": _text(one.lost),
        "oversold": _text(one.oversold),
        "out_days": one.out_days,
    }


def _figures(one: ChannelTally) -> dict[str, Any]:
    return {
        "demanded": _text(one.demanded),
        "sold": _text(one.sold),
        "lost": _text(one.lost),
        "oversold": _text(one.oversold),
        "zero_days": one.zero_days,
    }


def _add_steps(into: dict[int, int], steps: dict[int, int]) -> None:
    for day, change in steps.items():
        into[day] = into.get(day, 0) + change


def _levels(steps: dict[int, int], days: int) -> list[int]:
    found, level = [], 0
    for day in range(days):
        level += steps.get(day, 0)
        found.append(level)
    return found


def _exposure(shown: Sequence[int], there: Sequence[int]) -> dict[str, Any]:
    """Average over all days, and the most on a day: units shown by units there; None when nothing ever was."""
    ratios = [_times(parts, held) for parts, held in zip(shown, there, strict=True) if held]
    average = _times(sum(shown), sum(there))
    return {
        "exposure": None if average is None else as_text(average),
        "exposure_most": as_text(max(ratio for ratio in ratios if ratio is not None)) if ratios else None,
    }


def _times(part: int, whole: int) -> Decimal | None:
    """How many times `whole` is in `part`, to three places, rounded down."""
    return Decimal(part * 1000 // whole).scaleb(-3) if whole else None


def _text(parts: int) -> str:
    return as_text(to_quantity(parts))
