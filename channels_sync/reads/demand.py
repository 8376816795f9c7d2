"""What was sold, as buffers, shares and scarcity see it: by item and channel over the last days, and where nothing is recorded.

A day nothing is recorded of counts as nothing sold, so what is missing makes demand look smaller than it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

from django.db import connection
from django.db.models import TextChoices

from channels_sync.models import ChannelDemand, ChannelMode
from channels_sync.reads.layers import DEMAND_DAYS
from inventory.quantities import PLACES, as_text, round_half_up

WINDOWS = (DEMAND_DAYS, 90, 365)
"""Days that are looked at: those of the rules, those of buffer advice, a year."""
ROWS_AT_ONCE = 1_000


class Coverage(TextChoices):
    """How many days of the window are recorded."""

    MISSING = "missing", "No day recorded"
    PARTLY = "partly", "Some days recorded"
    WHOLE = "whole", "Every day recorded"


@dataclass(frozen=True, slots=True)
class DemandRow:
    """One item on one channel over the window. Quantities in stock units."""

    item_id: int
    sku: str
    name: str
    unit: str
    channel_code: str
    channel_name: str
    is_offered: bool
    """Whether it has a listing there that is worked out."""
    days: int
    """Days of the window something is recorded of, be it that nothing was sold."""
    units: Decimal
    source: str
    """Where the newest of these days came from."""
    last_on: date | None
    """The newest day recorded at all, in the window or before; None: none ever."""
    window: int

    @property
    def missing(self) -> int:
        return self.window - self.days

    @property
    def coverage(self) -> Coverage:
        return Coverage.MISSING if not self.days else Coverage.PARTLY if self.missing else Coverage.WHOLE

    @property
    def per_day(self) -> Decimal:
        """What rules take for a day, to six places: all that was sold, over every day of the window."""
        return round_half_up(Fraction(self.units) / self.window, PLACES)

    @property
    def shown_a_day(self) -> Decimal:
        """The same to three places, for people."""
        return round_half_up(Fraction(self.units) / self.window, Decimal("0.001"))

    @property
    def in_words(self) -> str:
        return f"{as_text(self.per_day)} {self.unit} a day"


@dataclass(frozen=True, slots=True)
class DemandQuestion:
    """Which rows: of the `window` days before `today`; empty text and codes are no filters."""

    today: date
    window: int = DEMAND_DAYS
    text: str = ""
    channel_id: int | None = None
    item_id: int | None = None
    coverage: str = ""

    @property
    def first(self) -> date:
        return self.today - timedelta(days=self.window)


_PAIRS = """
WITH sold AS (
  SELECT item_id, channel_id, count(*) AS days, sum(quantity) AS units, (array_agg(source ORDER BY day DESC))[1] AS source
  FROM channels_sync_channeldemand
  WHERE day >= %(first)s AND day < %(today)s AND (%(channel)s::bigint IS NULL OR channel_id = %(channel)s)
    AND (%(item)s::bigint IS NULL OR item_id = %(item)s)
  GROUP BY item_id, channel_id
), offered AS (
  SELECT DISTINCT l.item_id, l.channel_id FROM channels_sync_listing l JOIN channels_sync_channel c ON c.id = l.channel_id
  WHERE l.is_active AND c.mode <> %(off)s AND (%(channel)s::bigint IS NULL OR l.channel_id = %(channel)s)
    AND (%(item)s::bigint IS NULL OR l.item_id = %(item)s)
), pair AS (
  SELECT item_id, channel_id, coalesce(s.days, 0) AS days, coalesce(s.units, 0) AS units, coalesce(s.source, '') AS source,
    o.item_id IS NOT NULL AS is_offered
  FROM sold s FULL JOIN offered o USING (item_id, channel_id)
), found AS (
  SELECT pair.*, i.sku, i.name, i.stock_unit, c.code, c.name AS channel_name
  FROM pair JOIN inventory_item i ON i.id = pair.item_id JOIN channels_sync_channel c ON c.id = pair.channel_id
  WHERE (%(text)s = '' OR i.sku ILIKE %(like)s OR i.name ILIKE %(like)s)
    AND CASE %(coverage)s WHEN 'missing' THEN days = 0 WHEN 'partly' THEN days BETWEEN 1 AND %(window)s - 1
      WHEN 'whole' THEN days = %(window)s ELSE true END
)
"""
_COUNT = _PAIRS + "SELECT count(*), count(*) FILTER (WHERE days = 0) FROM found"
_ROWS = (
    _PAIRS
    + """, part AS (SELECT * FROM found ORDER BY sku, channel_name, item_id, channel_id LIMIT %(limit)s OFFSET %(offset)s)
SELECT part.item_id, sku, name, stock_unit, code, channel_name, is_offered, days, units, source, (
  SELECT max(d.day) FROM channels_sync_channeldemand d
  WHERE d.item_id = part.item_id AND d.channel_id = part.channel_id AND d.day < %(today)s), %(window)s::int
FROM part ORDER BY sku, channel_name, part.item_id, channel_id
"""
)


class DemandTable:
    """Rows as a paginator takes them, by SKU and channel: one statement to count them, one for each part."""

    def __init__(self, question: DemandQuestion) -> None:
        self.question = question
        self._counts: tuple[int, int] | None = None

    def count(self) -> int:
        return self._counted()[0]

    @property
    def without(self) -> int:
        """Rows of which no day is recorded."""
        return self._counted()[1]

    def __getitem__(self, part: slice) -> list[DemandRow]:
        start = part.start or 0
        return self._read(start, part.stop - start)

    def __iter__(self) -> Iterator[DemandRow]:
        start = 0
        while rows := self._read(start, ROWS_AT_ONCE):
            yield from rows
            start += len(rows)

    def _counted(self) -> tuple[int, int]:
        if self._counts is None:
            with connection.cursor() as cursor:
                cursor.execute(_COUNT, self._asked())
                self._counts = cast(tuple[int, int], cursor.fetchone())
        return self._counts

    def _read(self, offset: int, limit: int) -> list[DemandRow]:
        with connection.cursor() as cursor:
            cursor.execute(_ROWS, {**self._asked(), "limit": limit, "offset": offset})
            return [DemandRow(*row) for row in cursor.fetchall()]

    def _asked(self) -> dict[str, Any]:
        asked = self.question
        text = asked.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return {
            "first": asked.first,
            "today": asked.today,
            "window": asked.window,
            "channel": asked.channel_id,
            "item": asked.item_id,
            "off": ChannelMode.OFF.value,
            "text": asked.text,
            "like": f"%{text}%",
            "coverage": asked.coverage,
        }


@dataclass(frozen=True, slots=True)
class DemandDay:
    """One day of the window; `sold` is None where nothing is recorded."""

    day: date
    sold: ChannelDemand | None


def demand_days(*, item_id: int, channel_id: int, today: date, window: int) -> Sequence[DemandDay]:
    """Every day of the window, newest first. One statement."""
    first = today - timedelta(days=window)
    rows = ChannelDemand.objects.filter(item=item_id, channel=channel_id, day__gte=first, day__lt=today)
    known = {row.day: row for row in rows}
    days = [today - timedelta(days=back) for back in range(1, window + 1)]
    return [DemandDay(day, known.get(day)) for day in days]
