"""How long each stage of publishing takes, as bars: the median beside the 99 % figure, on a scale of tens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from channels_sync.reads.latency import StageLatency
from channels_sync.templatetags.latency import seconds_in_words
from channels_sync.views.bars import HEIGHT, Bar, paired_bars

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
    pairs = [
        [
            (_height(seconds, tens), f"{LABELS[stage.stage]}, {name}: {seconds_in_words(seconds)}")
            for name, seconds in (("median", stage.median), ("99 %", stage.ninety_nine))
        ]
        for stage in shown
    ]
    said = "; ".join(
        f"{LABELS[stage.stage]}: median {seconds_in_words(stage.median)}, 99 % within {seconds_in_words(stage.ninety_nine)}"
        for stage in shown
    )
    return Chart(paired_bars(pairs, gap=GAP), [LABELS[stage.stage] for stage in shown], f"Time by stage. {said}.")


def _height(seconds: Decimal | None, tens: Decimal) -> Decimal:
    return (max(seconds or LEAST, LEAST) / LEAST).log10() / tens * HEIGHT
