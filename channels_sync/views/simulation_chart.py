"""The weeks of a simulation as bars, two beside each other: under the present rules and under the proposed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from channels_sync.views.bars import HEIGHT, SIDES, Bar, paired_bars
from inventory.quantities import ZERO
from inventory.templatetags.figures import grouped

TOP = 4
"""Room above the highest bar."""
GAP = Decimal("0.2")
"""Part of a week's room that stays empty."""
NAMES = ("Sold", "Lost", "Oversold")


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure over all weeks, in a box of WIDTH x HEIGHT. `words` says what can be seen."""

    name: str
    bars: Sequence[Bar]
    most: Decimal
    words: str


def panels_of(present: Sequence[Sequence[Any]], proposed: Sequence[Sequence[Any]]) -> list[Panel]:
    """A panel each for sold, lost and oversold; the arguments are weeks of three quantities as stored."""
    return [
        _panel(name, [Decimal(week[place]) for week in present], [Decimal(week[place]) for week in proposed])
        for place, name in enumerate(NAMES)
    ]


def _panel(name: str, present: Sequence[Decimal], proposed: Sequence[Decimal]) -> Panel:
    most = max([*present, *proposed], default=ZERO)
    scale = (HEIGHT - TOP) / (most or Decimal(1))
    pairs = [
        [
            (value * scale, f"Week {week}, {side} rules: {grouped(value)}")
            for side, value in zip(SIDES, pair, strict=True)
        ]
        for week, pair in enumerate(zip(present, proposed, strict=True), start=1)
    ]
    words = (
        f"{name} by week: {grouped(sum(present, ZERO))} in all under the present rules, "
        f"{grouped(sum(proposed, ZERO))} under the proposed ones; the most in a week is {grouped(most)}"
    )
    return Panel(name, paired_bars(pairs, gap=GAP), most, words)
