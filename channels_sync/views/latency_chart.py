"""How long each stage of publishing takes, as bars: the median beside the 99 % figure, on a scale of tens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from channels_sync.reads.latency import StageLatency
from channels_sync.templatetags.latency import seconds_in_words

WIDTH, HEIGHT = 720, 96
GAP = Decimal("0.3")
"""Part of a stage's room that stays empty."""
LEAST = Decimal("0.01")
"""Seconds at which a bar has no height; one that took longer is seen."""
LABELS = {
    "absorbing": "Worked out",
    "queueing": "Waited",
    "sending": "Sent",
    "confirming": "Read back",
    "whole": "In all",
}


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    side: str
    """present for the median, proposed for 99 %: the two colours that charts of pairs have."""
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of every measured stage in a box of WIDTH x HEIGHT. `words` says what can be seen."""

    bars: Sequence[Bar]
    labels: Sequence[str]
    words: str


def chart_of(stages: Sequence[StageLatency]) -> Chart:
    """Two bars a stage. Each line of ten times the seconds is as high as the one before, since stages differ so much."""
    shown = [stage for stage in stages if stage.median is not None and stage.ninety_nine is not None]
    most = max((stage.ninety_nine or LEAST for stage in shown), default=LEAST)
    tens = max((most / LEAST).log10(), Decimal(1))
    room = Decimal(WIDTH) / max(len(shown), 1)
    width = room * (1 - GAP) / 2
    bars = []
    for place, stage in enumerate(shown):
        pair = (("present", "median", stage.median), ("proposed", "99 %", stage.ninety_nine))
        for number, (side, name, seconds) in enumerate(pair):
            height = (max(seconds or LEAST, LEAST) / LEAST).log10() / tens * HEIGHT
            bars.append(
                Bar(
                    x=f"{place * room + room * GAP / 2 + number * width:.2f}",
                    y=f"{HEIGHT - height:.2f}",
                    width=f"{width:.2f}",
                    height=f"{height:.2f}",
                    side=side,
                    title=f"{LABELS[stage.stage]}, {name}: {seconds_in_words(seconds)}",
                )
            )
    said = "; ".join(
        f"{LABELS[stage.stage]}: median {seconds_in_words(stage.median)}, 99 % within {seconds_in_words(stage.ninety_nine)}"
        for stage in shown
    )
    return Chart(bars, [LABELS[stage.stage] for stage in shown], f"Time by stage. {said}.")
