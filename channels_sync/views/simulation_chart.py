"""The weeks of a simulation as bars, two beside each other: under the present rules and under the proposed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from inventory.quantities import ZERO
from inventory.templatetags.figures import grouped

WIDTH, HEIGHT, TOP = 720, 96, 4
GAP = Decimal("0.2")
"""Part of a week's room that stays empty."""
NAMES = ("Sold", "Lost", "Oversold")


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    side: str
    """present or proposed."""
    title: str


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
    room = Decimal(WIDTH) / max(len(present), 1)
    width = room * (1 - GAP) / 2
    bars = []
    for week, pair in enumerate(zip(present, proposed, strict=True)):
        for number, (side, value) in enumerate(zip(("present", "proposed"), pair, strict=True)):
            height = value * scale
            bars.append(
                Bar(
                    x=f"{week * room + room * GAP / 2 + number * width:.2f}",
                    y=f"{HEIGHT - height:.2f}",
                    width=f"{width:.2f}",
                    height=f"{height:.2f}",
                    side=side,
                    title=f"Week {week + 1}, {side} rules: {grouped(value)}",
                )
            )
    words = (
        f"{name} by week: {grouped(sum(present, ZERO))} in all under the present rules, "
        f"{grouped(sum(proposed, ZERO))} under the proposed ones; the most in a week is {grouped(most)}"
    )
    return Panel(name, bars, most, words)
