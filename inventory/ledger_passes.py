"""Passes over the whole ledger that several facts share: a look at every movement is dear, and one answers for all.

What they say is yes or no for the whole; `invariants` names what is wrong where they say no.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import connection


@contextmanager
def one_look() -> Iterator[None]:
    """Facts checked within it share their passes over the ledger: who is asked first judges for the others too.

    Within another look it is that one.
    """
    if _passes.get() is not None:
        yield
        return
    token = _passes.set({})
    try:
        yield
    finally:
        _passes.reset(token)


_passes: ContextVar[dict[str, tuple[Any, ...]] | None] = ContextVar("passes", default=None)


_SORTING = "SELECT set_config('enable_sort', %s, true)"
"""Off, movements are summed up by closed period as they come. The planner takes every moment for a group of its own, and may
sort them all."""


def _in_one_pass(name: str, sql: str) -> tuple[Any, ...]:
    """What one statement says of several facts.

    WEIGHT(id, ...) in it is a number of 64 bits for the values named, drawn anew for every check. Where any group differs the
    weighed sums differ too, but for one chance in some 10^18, and no sum has to be kept for each of a million groups.
    """
    known = _passes.get()
    if known is not None and name in known:
        return known[name]
    with connection.cursor() as cursor:
        cursor.execute(_SORTING, ["off"])
        cursor.execute(_weighed(sql))
        found: tuple[Any, ...] = cursor.fetchone()
        cursor.execute(_SORTING, ["on"])
    if known is not None:
        known[name] = found
    return found


def _weighed(sql: str) -> str:
    """The statement with its weights: hashes of the values named, each with the hash of those before it as its seed."""
    seed = secrets.randbits(62)

    def weight(match: re.Match[str]) -> str:
        weighed = str(seed)
        for value in match[1].split(","):
            function = "hashtextextended" if value.strip().endswith("status") else "hashint8extended"
            weighed = f"{function}({value.strip()}, {weighed})"
        return f"{weighed}::numeric"

    return re.sub(r"WEIGHT\(([\w., ]+)\)", weight, sql)


_ON_THE_LEDGER = """
WITH closed AS MATERIALIZED (
  SELECT id, ends_at, row_number() OVER (ORDER BY ends_at) - 1 AS place FROM inventory_periodclose WHERE reopened_at IS NULL
), dated AS (
  SELECT p.id, p.kind, p.effective_at, p.recorded_at, width_bucket(p.effective_at,
           (SELECT array_agg(ends_at + interval '1 microsecond' ORDER BY ends_at) FROM closed)) AS place
  FROM inventory_posting p
), part AS MATERIALIZED (
  SELECT p.place, sum(m.quantity) AS quantity, coalesce(sum(m.value), 0) AS value,
         coalesce(sum(m.quantity * WEIGHT(m.item_id, m.location_id, m.lot_id, m.status)), 0) AS cells,
         coalesce(sum(m.value * WEIGHT(m.item_id)), 0) AS worth_of_items,
         count(m.id) AS movements,
         count(*) FILTER (WHERE m.effective_at <> p.effective_at OR m.recorded_at <> p.recorded_at) AS untimely,
         array_agg(p.id) FILTER (WHERE m.id IS NULL AND p.kind NOT IN ('cost_correction', 'landed_cost', 'completion')) AS empty
  FROM inventory_movement m FULL JOIN dated p ON p.id = m.posting_id GROUP BY 1
), moved AS (
  SELECT coalesce(sum(cells), 0) AS cells, coalesce(sum(worth_of_items), 0) AS value, coalesce(sum(untimely), 0) AS untimely,
         coalesce(sum(movements), 0)::bigint AS number
  FROM part
), kept AS (
  SELECT coalesce(sum(b.quantity * WEIGHT(b.item_id, b.location_id, b.lot_id, b.status)), 0) AS cells,
         coalesce(sum(b.quantity * WEIGHT(b.item_id)), 0) AS quantity
  FROM inventory_stockbalance b
), pooled AS (
  SELECT coalesce(sum(p.quantity * WEIGHT(p.item_id)), 0) AS quantity, coalesce(sum(p.value * WEIGHT(p.item_id)), 0) AS value
  FROM inventory_costpool p WHERE p.lot_id IS NULL
), periods AS (
  SELECT count(*) FILTER (WHERE (quantity, value) <> (expected, worth)) = 0 AS agree FROM (
    SELECT coalesce(s.quantity, 0) AS quantity, coalesce(s.value, 0) AS value,
           coalesce(sum(part.quantity) OVER so_far, 0) AS expected, coalesce(sum(part.value) OVER so_far, 0) AS worth
    FROM closed c LEFT JOIN part USING (place)
    LEFT JOIN (SELECT period_id, sum(quantity) AS quantity, sum(value) AS value FROM inventory_periodsnapshot GROUP BY 1) s
      ON s.period_id = c.id
    WINDOW so_far AS (ORDER BY c.ends_at)
  ) c
)
SELECT moved.cells = kept.cells, (kept.quantity, moved.value) = (pooled.quantity, pooled.value), periods.agree,
       moved.untimely = 0, ARRAY(SELECT unnest(empty) FROM part), moved.number
FROM moved, kept, pooled, periods
"""
"""A full join, though no movement is without its posting: so the period is worked out once a posting, not once a movement."""


@dataclass(frozen=True, slots=True)
class OnTheLedger:
    """What one pass over all movements, each beside its posting, says."""

    balances_agree: bool
    pools_agree: bool
    """In quantity with the balances, which agree with the movements, and in value with the movements."""
    periods_agree: bool
    """As sums over all items, period by period; by the times of the postings, which those of the movements have to equal."""
    times_agree: bool
    """Of each movement with its posting."""
    without_movements: Sequence[int]
    """Ids of postings of kinds that usually move something, and did not."""
    movements: int
    """How many there are."""


def on_the_ledger() -> OnTheLedger:
    """What one look at every movement says of balances, pools, closed periods and postings."""
    return OnTheLedger(*_in_one_pass("the ledger", _ON_THE_LEDGER))


_NEWEST_PERIOD = """
WITH newest AS MATERIALIZED (
  SELECT id, ends_at FROM inventory_periodclose WHERE reopened_at IS NULL ORDER BY ends_at DESC LIMIT 1
), pooled AS (
  SELECT coalesce(sum(p.quantity * WEIGHT(p.item_id)), 0) AS quantity, coalesce(sum(p.value * WEIGHT(p.item_id)), 0) AS value
  FROM inventory_costpool p WHERE p.lot_id IS NULL
), since AS (
  SELECT coalesce(sum(m.quantity * WEIGHT(m.item_id)), 0) AS quantity, coalesce(sum(m.value * WEIGHT(m.item_id)), 0) AS value
  FROM inventory_movement m
  WHERE m.effective_at > (SELECT ends_at FROM newest) AND m.recorded_at > (SELECT ends_at FROM newest)
), kept AS (
  SELECT coalesce(sum(s.quantity * WEIGHT(s.item_id)), 0) AS quantity, coalesce(sum(s.value * WEIGHT(s.item_id)), 0) AS value
  FROM inventory_periodsnapshot s WHERE s.period_id = (SELECT id FROM newest)
)
SELECT NOT EXISTS (SELECT 1 FROM newest)
       OR (kept.quantity, kept.value) = (pooled.quantity - since.quantity, pooled.value - since.value)
FROM pooled, since, kept
"""


def newest_period_agrees() -> bool:
    """Whether what the newest closed period kept is, item by item, the pools less what moved since."""
    (agrees,) = _in_one_pass("newest period", _NEWEST_PERIOD)
    return bool(agrees)
