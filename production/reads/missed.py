"""Completions that were probably forgotten, recorded late or recorded twice. Five statements whatever the number of items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from inventory.models import PostingKind
from inventory.quantities import ZERO
from production.missed import estimate
from production.reads.structures import ItemFact, load_structures

DAYS_LOOKED_BACK = 14
"""Counts of so many days speak together; a count sheet of one day may be closed on the next."""
ITEMS_MAX = 2_000


class MissedKind(StrEnum):
    BELOW_ZERO = "below_zero"
    NOT_RECORDED = "not_recorded"
    NOT_MADE = "not_made"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Missed:
    """One item of which a completion of about `quantity` (stock unit, positive) is missing, or is one too many.

    `found` is what shows it: counted less booked by item, or the stock below zero. `before` is the last day before the first of
    those counts: a completion that is recorded for it leaves what was counted as it is (rule S17). Of a late one nothing is
    missing any more: `quantity` had left before it was recorded as made, in `times` completions.
    """

    kind: MissedKind
    item: ItemFact
    quantity: Decimal
    found: Sequence[tuple[ItemFact, Decimal]]
    before: date | None = None
    times: int = 1

    @property
    def fingerprint(self) -> str:
        return f"missed_completion:{self.kind}:{self.item.id}"


_BELOW = """
SELECT b.item_id, -sum(b.quantity) FROM inventory_stockbalance b WHERE b.quantity < 0
  AND EXISTS (SELECT 1 FROM production_bom f WHERE f.item_id = b.item_id AND f.state = 'active'
              AND f.effective_from <= %s)
GROUP BY b.item_id ORDER BY b.item_id LIMIT %s
"""
_LATE = """
WITH made AS (
  SELECT DISTINCT c.item_id FROM production_completion c JOIN inventory_posting p ON p.id = c.posting_id
  JOIN inventory_item i ON i.id = c.item_id AND i.negative_allowed
  WHERE p.recorded_at >= %s
), moved AS (
  SELECT m.item_id, m.location_id, m.lot_id, m.status, m.id, m.posting_id, m.quantity,
         b.quantity - coalesce(sum(m.quantity) OVER (PARTITION BY b.id ORDER BY m.id DESC
           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) - m.quantity AS before
  FROM made JOIN inventory_stockbalance b ON b.item_id = made.item_id
  JOIN inventory_movement m ON (m.item_id, m.location_id, m.lot_id, m.status) = (b.item_id, b.location_id, b.lot_id, b.status)
   AND m.recorded_at >= %s
)
SELECT m.item_id, sum(least(-m.before, m.quantity)), count(DISTINCT m.posting_id)
FROM moved m JOIN production_completion c ON c.posting_id = m.posting_id AND c.item_id = m.item_id
WHERE m.before < 0 AND m.quantity > 0 AND c.reversed_good < c.good
GROUP BY m.item_id ORDER BY m.item_id LIMIT %s
"""
_COUNTED = """
SELECT m.item_id, sum(m.quantity), min(p.effective_at)
FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id
WHERE p.kind = %s AND p.recorded_at >= %s
GROUP BY m.item_id HAVING sum(m.quantity) <> 0 ORDER BY m.item_id LIMIT %s
"""
_MAKERS = """
SELECT DISTINCT b.item_id FROM production_bom b JOIN production_bomline l ON l.bom_id = b.id
WHERE b.state = 'active' AND b.effective_from <= %s AND l.component_id = ANY(%s::bigint[])
  AND NOT l.is_consumable AND NOT l.is_optional
ORDER BY b.item_id LIMIT %s
"""


def missed_completions(*, days: int = DAYS_LOOKED_BACK) -> list[Missed]:
    """What below-zero stock and the counts of the last `days` days say, the largest quantity first within each kind."""
    today = timezone.localdate()
    with connection.cursor() as cursor:
        cursor.execute(_BELOW, [today, ITEMS_MAX])
        below: dict[int, Decimal] = dict(cursor.fetchall())
        since = timezone.now() - timedelta(days=days)
        cursor.execute(_LATE, [since, since, ITEMS_MAX])
        late = {item_id: (quantity, times) for item_id, quantity, times in cursor.fetchall()}
        cursor.execute(_COUNTED, [PostingKind.COUNT.value, since, ITEMS_MAX])
        rows = cursor.fetchall()
        counted: dict[int, Decimal] = {item_id: quantity for item_id, quantity, _ in rows}
        first = {item_id: at for item_id, _, at in rows}
        cursor.execute(_MAKERS, [today, numbers(counted), ITEMS_MAX])
        makers = [row[0] for row in cursor.fetchall()]
    structures = load_structures(items=[*below, *late, *makers], whole=False)
    found = [
        Missed(MissedKind.BELOW_ZERO, structures.items[one], quantity, [(structures.items[one], -quantity)])
        for one, quantity in below.items()
        if one in structures.in_force
    ]
    found += [
        Missed(MissedKind.LATE, structures.items[one], quantity, [(structures.items[one], -quantity)], times=times)
        for one, (quantity, times) in late.items()
        if one in structures.items and one not in below
    ]
    for item_id in makers:
        bom_id = structures.in_force.get(item_id)
        if bom_id is None or item_id in below or structures.unusable_phantoms(bom_id):
            continue
        rates = [rate for rate in structures.rates(bom_id) if not (rate.is_consumable or rate.is_optional)]
        item = structures.items[item_id]
        guess = estimate(item_id=item_id, step=item.step, rates=rates, found=counted)
        if guess is not None:
            kind = MissedKind.NOT_RECORDED if guess.quantity > ZERO else MissedKind.NOT_MADE
            shown = [(structures.items[one], counted[one]) for one in guess.witnesses]
            counted_on = timezone.localdate(min(first[one] for one in guess.witnesses))
            found.append(Missed(kind, item, abs(guess.quantity), shown, counted_on - timedelta(days=1)))
    return sorted(found, key=lambda one: (one.kind, -one.quantity, one.item.sku))


def by_fingerprint(found: Sequence[Missed]) -> Mapping[str, Missed]:
    return {one.fingerprint: one for one in found}
