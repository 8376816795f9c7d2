"""What production used beyond or below its standards over a period, in money: by product, component and cause; yield and scrap.

What was taken back does not count, in part or whole. A component costs what it was really used with, so what differs is usage and
not price: variance = (actual - standard) x cost, and in percent of the standard at that cost. Yield = good / (good + scrapped).
What scrapped units cost is their part of all a completion took. Each answer is one statement for any number of completions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from inventory.quantities import ZERO
from inventory.trips import rows_of
from production.models import VarianceCause

NOT_SAID = "none"
"""The cause of what differs without one, as it stands in addresses."""
CAUSE_WORDS = {**{cause.value: str(cause.label) for cause in VarianceCause}, NOT_SAID: "No cause given"}


class By(StrEnum):
    PRODUCT = "product"
    COMPONENT = "component"
    CAUSE = "cause"


@dataclass(frozen=True, slots=True)
class Usage:
    """Component lines that belong together. Base currency; quantities in the component's stock unit, None where several are
    summed.

    `over` is what more was used, `under` what less was used, below zero. `unknown` lines differ and have no cost: they are in
    none of the sums.
    """

    key: str
    """Id of the item, or the cause."""
    lines: int
    differing: int
    unknown: int
    standard: Decimal
    over: Decimal
    under: Decimal
    spoiled: Decimal
    expected: Decimal | None
    actual: Decimal | None

    @property
    def variance(self) -> Decimal:
        return self.over + self.under

    @property
    def percent(self) -> Fraction | None:
        """Of the standard; None where there is none."""
        return Fraction(self.variance) / Fraction(self.standard) * 100 if self.standard else None


@dataclass(frozen=True, slots=True)
class Yield:
    """Units made, and what the scrapped ones cost; None where a cost of them is unknown. Of one item, one reason, or all."""

    key: str
    completions: int
    good: Decimal
    scrapped: Decimal
    scrap_cost: Decimal
    unknown: int
    """Completions with scrap whose cost is not known: it is not in `scrap_cost`."""

    @property
    def percent(self) -> Fraction | None:
        started = self.good + self.scrapped
        return Fraction(self.good) / Fraction(started) * 100 if started else None


# Standing parts of the completions of the period, and their lines.
_CHOSEN = """
WITH chosen AS MATERIALIZED (
  SELECT c.posting_id, c.item_id, c.good - c.reversed_good AS good, c.scrapped - c.reversed_scrap AS scrapped,
         c.good + c.scrapped AS started, c.scrap_reason, c.consumed_value + c.operation_value AS took
  FROM production_completion c JOIN inventory_posting p ON p.id = c.posting_id
  WHERE p.effective_at >= %(since)s AND p.effective_at < %(until)s
    AND (c.good > c.reversed_good OR c.scrapped > c.reversed_scrap)
)
"""
_LINES = (
    _CHOSEN
    + """
, back AS (
  SELECT r.line_id, sum(r.expected) AS expected, sum(r.actual) AS actual
  FROM chosen c JOIN production_completionline l ON l.completion_id = c.posting_id
  JOIN production_completionreversalline r ON r.line_id = l.id GROUP BY r.line_id
), line AS MATERIALIZED (
  SELECT c.item_id AS made_id, l.component_id, l.completion_id,
         CASE WHEN l.expected = l.actual THEN '' WHEN l.cause <> '' THEN l.cause
           WHEN l.substitute_for_id IS NOT NULL OR EXISTS (
             SELECT FROM production_completionline s
             WHERE s.completion_id = l.completion_id AND s.substitute_for_id = l.component_id) THEN 'substitute'
           ELSE 'none' END AS cause,
         l.expected - coalesce(b.expected, 0) AS expected, l.actual - coalesce(b.actual, 0) AS actual,
         CASE WHEN l.actual > 0 THEN l.value / l.actual END AS each,
         CASE WHEN l.actual > 0 THEN l.value * l.scrapped / l.actual * (1 - coalesce(b.actual, 0) / l.actual) END AS spoiled
  FROM chosen c JOIN production_completionline l ON l.completion_id = c.posting_id LEFT JOIN back b ON b.line_id = l.id
)
"""
)
_SUMS = """
  count(*), count(*) FILTER (WHERE actual <> expected), count(*) FILTER (WHERE actual <> expected AND each IS NULL),
  coalesce(sum(expected * each), 0), coalesce(sum((actual - expected) * each) FILTER (WHERE actual > expected), 0),
  coalesce(sum((actual - expected) * each) FILTER (WHERE actual < expected), 0), coalesce(sum(spoiled), 0)
"""
_USAGE = {
    By.PRODUCT: ("made_id", "NULL, NULL", "made_id"),
    By.COMPONENT: ("component_id", "sum(expected), sum(actual)", "component_id"),
    By.CAUSE: ("cause", "NULL, NULL", "cause"),
}


def usage(
    *, by: By, since: datetime, until: datetime, cause: str = "", items: Sequence[int] | None = None
) -> list[Usage]:
    """The component lines of completions that happened from `since` to before `until`, summed; the largest variance first.

    `cause` leaves only lines of one (see CAUSE_WORDS); `items` (ids) leaves only these products or components. By cause, what
    was used as planned is left out.
    """
    key, quantities, group = _USAGE[by]
    where = ["true"]
    if by is By.CAUSE:
        where.append("cause <> ''")
    if cause:
        where.append("cause = %(cause)s")
    if items is not None:
        where.append(f"{'component_id' if by is By.COMPONENT else 'made_id'} = ANY(%(items)s::bigint[])")
    rows = rows_of(
        f"{_LINES} SELECT {key}::text, {_SUMS}, {quantities} FROM line WHERE {' AND '.join(where)} GROUP BY {group}",
        {"since": since, "until": until, "cause": cause, "items": list(items or ())},
    )
    found = [_usage(row) for row in rows]
    return sorted(found, key=lambda one: (-abs(one.variance), -one.unknown, one.key))


def usage_in_all(*, since: datetime, until: datetime) -> Usage:
    """All of it together."""
    (row,) = rows_of(f"{_LINES} SELECT '', {_SUMS}, NULL, NULL FROM line", {"since": since, "until": until})
    return _usage(row)


def _usage(row: Sequence[Any]) -> Usage:
    key, lines, differing, unknown, standard, over, under, spoiled, expected, actual = row
    return Usage(key, lines, differing, unknown, standard, over, under, spoiled, expected, actual)


_YIELDS = (
    _CHOSEN
    + """
SELECT {key}, count(*), coalesce(sum(good), 0), coalesce(sum(scrapped), 0), coalesce(sum(took * scrapped / started), 0),
  count(*) FILTER (WHERE took IS NULL AND scrapped > 0)
FROM chosen WHERE {where} {group}
"""
)


def yields_of(*, since: datetime, until: datetime, items: Sequence[int] | None = None) -> dict[int, Yield]:
    """Yield and scrap of each product (id), or of these."""
    rows = rows_of(
        _YIELDS.format(
            key="item_id::text",
            where="true" if items is None else "item_id = ANY(%(items)s::bigint[])",
            group="GROUP BY item_id",
        ),
        {"since": since, "until": until, "items": list(items or ())},
    )
    return {int(row[0]): Yield(*row) for row in rows}


def scrap_by_reason(*, since: datetime, until: datetime) -> list[Yield]:
    """Scrapped output by what was said about it, the dearest first. Good units are those of the same completions."""
    rows = rows_of(
        _YIELDS.format(key="trim(scrap_reason)", where="scrapped > 0", group="GROUP BY trim(scrap_reason)"),
        {"since": since, "until": until},
    )
    return sorted((Yield(*row) for row in rows), key=lambda one: (-one.scrap_cost, -one.scrapped, one.key))


def yield_in_all(*, since: datetime, until: datetime) -> Yield:
    (row,) = rows_of(_YIELDS.format(key="''", where="true", group=""), {"since": since, "until": until})
    return Yield(*row)


NOTHING_USED = Usage("", 0, 0, 0, ZERO, ZERO, ZERO, ZERO, None, None)
"""Of a product whose completions used nothing that differs."""
