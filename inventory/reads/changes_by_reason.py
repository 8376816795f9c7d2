"""What was adjusted, counted away and scrapped between two moments, by the reason that was given."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection

from inventory.models import Item, PostingKind
from inventory.quantities import ZERO

KINDS = (PostingKind.ADJUSTMENT, PostingKind.COUNT, PostingKind.SCRAP)
"""Kinds whose reason says why stock is not what the books said."""
REASONS_MAX = 200


@dataclass(frozen=True, slots=True)
class ReasonSum:
    """Everything of one kind for one reason. Quantities in the item's stock unit (of one item only), values in base currency."""

    kind: str
    reason: str  # empty: none was given
    postings: int
    quantity: Decimal
    value: Decimal  # known part, signed
    lost: Decimal  # of it, what left stock; zero or less
    unknown_movements: int

    @property
    def label(self) -> str:
        return str(PostingKind(self.kind).label)


_REASONS = """
SELECT p.kind, p.reason, count(DISTINCT p.id), sum(m.quantity), coalesce(sum(m.value), 0),
       coalesce(sum(m.value) FILTER (WHERE m.value < 0), 0), count(*) FILTER (WHERE m.value IS NULL)
FROM inventory_posting p JOIN inventory_movement m ON m.posting_id = p.id
WHERE p.kind = ANY(%(kinds)s::text[]) AND m.recorded_at > %(first)s AND m.effective_at > %(first)s
  AND m.effective_at <= %(second)s AND (%(item)s::bigint IS NULL OR m.item_id = %(item)s)
  AND NOT EXISTS (SELECT 1 FROM inventory_posting r WHERE r.reverses_id = p.id)
GROUP BY 1, 2 ORDER BY coalesce(sum(m.value), 0), p.kind, p.reason LIMIT %(rows_max)s
"""


def changes_by_reason(*, first: datetime, second: datetime, item: Item | None = None) -> list[ReasonSum]:
    """By kind and reason what happened after `first` and up to `second`, the largest loss first; one statement.

    What was taken back is left out, whole. At most REASONS_MAX rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _REASONS,
            {
                "kinds": [kind.value for kind in KINDS],
                "first": first,
                "second": second,
                "item": None if item is None else item.pk,
                "rows_max": REASONS_MAX,
            },
        )
        return [ReasonSum(*row) for row in cursor.fetchall()]


def value_of(reasons: list[ReasonSum]) -> Decimal:
    """Their known values, added up."""
    return sum((one.value for one in reasons), ZERO)
