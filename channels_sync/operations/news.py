"""News of stock that nobody has taken in yet. Figures contain it all the same, since they are read as things stand."""

from __future__ import annotations

from collections.abc import Collection

from inventory.arrays import numbers
from inventory.trips import Rows, Statement

ACTOR = "coalesce(n.actor_id, (SELECT p.actor_id FROM inventory_posting p WHERE p.id = n.posting_id))"
"""SQL: who is behind a row `n` of news."""


_WAITING = f"SELECT DISTINCT n.cause, {ACTOR} FROM inventory_stockchange n WHERE n.items && %s::bigint[]"


def waiting_statement(items: Collection[int]) -> Statement:
    """Asks for causes of what waits to be taken in of items (ids), and who is behind it; `waiting_from` reads the answer.

    Rows that somebody takes in at this moment are among it until that is committed: a bulk edit is seen whoever comes first.
    """
    return _WAITING, [numbers(items)]


def waiting_from(rows: Rows) -> tuple[set[str], set[int]]:
    return {cause for cause, _ in rows}, {actor_id for _, actor_id in rows if actor_id is not None}
