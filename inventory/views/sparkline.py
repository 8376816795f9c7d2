"""A small line of what was on hand, drawn as SVG, with the figures behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from inventory.models import Item
from inventory.quantities import ZERO
from inventory.reads.trend import Trend
from inventory.templatetags.figures import grouped

WIDTH, HEIGHT, MARGIN = 240, 48, 3


@dataclass(frozen=True, slots=True)
class Spark:
    """`points` for a polyline in a box of WIDTH x HEIGHT; `zero` is the height of the line of zero in it."""

    points: str
    zero: str
    words: str
    since: date
    weeks: Sequence[tuple[date, Decimal]]
    """Every seventh day back from today, oldest first: the table behind the line."""
    has_negative: bool


def spark_of(trend: Trend | None, item: Item) -> Spark | None:
    """None when the item never moved."""
    if trend is None:
        return None
    top, bottom = max(trend.highest, ZERO), min(trend.lowest, ZERO)
    span = top - bottom or Decimal(1)
    room = Decimal(HEIGHT - 2 * MARGIN)

    def height(value: Decimal) -> Decimal:
        return MARGIN + (top - value) / span * room

    step = Decimal(WIDTH) / max(len(trend.values) - 1, 1)
    points = " ".join(f"{number * step:.1f},{height(value):.1f}" for number, value in enumerate(trend.values))
    words = (
        f"On hand since {trend.since:%-d %b}: {grouped(trend.values[0])} then, {grouped(trend.values[-1])} now, "
        f"lowest {grouped(trend.lowest)}, highest {grouped(trend.highest)} {item.stock_unit}"
    )
    days = list(trend.days)
    weeks = days[(len(days) - 1) % 7 :: 7]
    return Spark(points, f"{height(ZERO):.1f}", words, trend.since, weeks, trend.lowest < ZERO)
