"""On hand of one item day by day, as the movements of the last weeks tell it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from inventory.quantities import ZERO

DAYS = 90
MOVEMENTS_MAX = 20_000
"""Newest movements that are read; an item with more of them is shown for fewer days."""


@dataclass(frozen=True, slots=True)
class Trend:
    """What was on hand at the end of each day from `since` to today; stock unit."""

    since: date
    values: Sequence[Decimal]

    @property
    def lowest(self) -> Decimal:
        return min(self.values)

    @property
    def highest(self) -> Decimal:
        return max(self.values)

    @property
    def days(self) -> Sequence[tuple[date, Decimal]]:
        return [(self.since + timedelta(days=number), value) for number, value in enumerate(self.values)]


_BY_DAY = """
WITH newest AS MATERIALIZED (
  SELECT id, quantity, (effective_at AT TIME ZONE %s)::date AS day FROM inventory_movement
  WHERE item_id = %s ORDER BY id DESC LIMIT %s
)
SELECT day, sum(quantity), (SELECT count(*) FROM newest), (SELECT min(day) FROM newest),
       (SELECT coalesce(sum(quantity), 0) FROM inventory_stockbalance WHERE item_id = %s)
FROM newest WHERE day > %s GROUP BY day
UNION ALL
SELECT NULL, 0, (SELECT count(*) FROM newest), (SELECT min(day) FROM newest),
       (SELECT coalesce(sum(quantity), 0) FROM inventory_stockbalance WHERE item_id = %s)
"""


def on_hand_trend(*, item_id: int, days: int = DAYS, movements_max: int = MOVEMENTS_MAX) -> Trend | None:
    """On hand of the last `days` days, back from what is there now; None when the item never moved. One statement.

    Goods on the road count. Where more than `movements_max` movements would have to be read it begins later.
    """
    today = timezone.localdate()
    since = today - timedelta(days=days)
    zone = timezone.get_current_timezone_name()
    with connection.cursor() as cursor:
        cursor.execute(_BY_DAY, [zone, item_id, movements_max, item_id, since, item_id])
        rows = cursor.fetchall()
    _, _, count, oldest, now = rows[-1]
    if not count:
        return None
    if count == movements_max and oldest > since:
        since = min(oldest, today)
    changes = {day: quantity for day, quantity, *_ in rows if day is not None}
    day, balance = today, now
    values = [balance]
    while day > since:
        balance -= changes.get(day, ZERO)
        day -= timedelta(days=1)
        values.append(balance)
    values.reverse()
    return Trend(since, values)
