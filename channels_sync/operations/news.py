"""News of stock that nobody has taken in yet. Figures contain it all the same, since they are read as things stand."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from channels_sync.causes import APPROVED_CAMPAIGN, BY_DATE
from inventory.arrays import numbers
from inventory.trips import Rows, Statement

ACTOR = "coalesce(n.actor_id, (SELECT p.actor_id FROM inventory_posting p WHERE p.id = n.posting_id))"
"""SQL: who is behind a row `n` of news."""


_WAITING = f"""
SELECT n.cause, {ACTOR} FROM inventory_stockchange n WHERE n.items && %(items)s::bigint[]
UNION
SELECT CASE WHEN c.approved_at IS NULL THEN '{BY_DATE}' ELSE '{APPROVED_CAMPAIGN}' END, person.id
FROM channels_sync_allocationpolicy r
LEFT JOIN channels_sync_listing l ON l.id = r.listing_id
LEFT JOIN channels_sync_campaign c ON c.id = r.campaign_id
CROSS JOIN LATERAL unnest(ARRAY[r.created_by_id, c.created_by_id] || c.actors) AS person(id)
WHERE (NOT r.start_told AND r.effective_from <= %(at)s OR NOT r.end_told AND r.effective_to <= %(at)s)
  AND coalesce(r.item_id, l.item_id) = ANY(%(items)s::bigint[]) IS NOT FALSE
"""
"""A rule is in force from its moment on, and told of a little later. Until then one for more than an item is taken to be of
every item: a figure too many waits, none goes out unseen."""


def waiting_statement(items: Collection[int], *, at: datetime) -> Statement:
    """Asks for causes of what waits to be taken in of items (ids), and who is behind it; `waiting_from` reads the answer.

    Rules that began or ended by `at`, and of which nobody was told yet, wait to be taken in as well.
    Rows that somebody takes in at this moment are among it until that is committed: a bulk edit is seen whoever comes first.
    """
    return _WAITING, {"items": numbers(items), "at": at}


def waiting_from(rows: Rows) -> tuple[set[str], set[int]]:
    return {cause for cause, _ in rows}, {actor_id for _, actor_id in rows if actor_id is not None}
