"""Bars in pairs, two a place side by side: what charts of two measures draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH, HEIGHT = 720, 96
SIDES = ("present", "proposed")
"""The two colours of a pair, first and second."""


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    side: str
    """One of SIDES."""
    title: str


def paired_bars(places: Sequence[Sequence[tuple[Decimal, str]]], *, gap: Decimal) -> list[Bar]:
    """The bars of all places in a box of WIDTH x HEIGHT; each place has two heights with their titles.

    `gap` is the part of a place's room that stays empty.
    """
    room = Decimal(WIDTH) / max(len(places), 1)
    width = room * (1 - gap) / 2
    return [
        Bar(
            x=f"{place * room + room * gap / 2 + number * width:.2f}",
            y=f"{HEIGHT - height:.2f}",
            width=f"{width:.2f}",
            height=f"{height:.2f}",
            side=side,
            title=title,
        )
        for place, pair in enumerate(places)
        for number, (side, (height, title)) in enumerate(zip(SIDES, pair, strict=True))
    ]
