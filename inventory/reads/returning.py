"""What of a shipment can still come back, and what of a receipt can still go back."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from inventory.errors import WrongState
from inventory.models import Posting, PostingKind
from inventory.quantities import proportion
from inventory.whole_numbers import whole_number


@dataclass(slots=True)
class LeftToReturn:
    """One lot of a posting: what it moved, what was not returned yet, and what that is worth (None: not known)."""

    item_id: int
    sku: str
    unit: str
    lot_id: int
    code: str
    total: Decimal
    quantity: Decimal
    value: Decimal | None

    def take(self, quantity: Decimal, *, step: Decimal) -> Decimal | None:
        """Take a part off what is left; its value, of which the last part gets the rest."""
        value = None if self.value is None else proportion(self.value, quantity, self.quantity, step=step)
        self.quantity -= quantity
        self.value = None if self.value is None or value is None else self.value - value
        return value


_LEFT = """
WITH returned AS (
  SELECT r.id FROM inventory_posting r WHERE r.related_id = %(posting)s AND r.kind IN ('customer_return', 'supplier_return')
    AND NOT EXISTS (SELECT 1 FROM inventory_posting u WHERE u.reverses_id = r.id)
)
SELECT m.item_id, i.sku, i.stock_unit, m.lot_id, l.code,
       abs(sum(m.quantity) FILTER (WHERE m.posting_id = %(posting)s)) AS total, abs(sum(m.quantity)) AS quantity,
       CASE WHEN bool_or(m.value IS NULL) THEN NULL ELSE abs(sum(m.value)) END AS value
FROM inventory_movement m JOIN inventory_item i ON i.id = m.item_id JOIN inventory_lot l ON l.id = m.lot_id
WHERE m.quantity <> 0 AND (m.posting_id = %(posting)s OR m.posting_id IN (SELECT id FROM returned))
GROUP BY m.item_id, i.sku, i.stock_unit, m.lot_id, l.code
HAVING sum(m.quantity) FILTER (WHERE m.posting_id = %(posting)s) <> 0
ORDER BY i.sku, l.code, m.lot_id
"""


def left_to_return(posting: Posting) -> list[LeftToReturn]:
    """Each item and lot the posting moved with what standing returns have left of it, by SKU and lot.

    Exact while the pools of the items are locked.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"posting": posting.pk})
        return [LeftToReturn(*row) for row in cursor.fetchall()]


def find_origin(*, kind: PostingKind, text: str) -> Posting:
    """The posting of a kind that a person names by its number, or by its reference when only one has it.

    Raises WrongState when there is none, or several.
    """
    postings, number = Posting.objects.filter(kind=kind), whole_number(text)
    found = list(postings.filter(pk=number)) if number is not None else []
    if not found:
        found = list(postings.filter(reference__iexact=text).order_by("-pk")[:6])
    if len(found) == 1:
        return found[0]
    word = kind.label.lower()
    if not found:
        raise WrongState(f"There is no {word} with number or reference “{text}”. Look it up in the ledger.")
    numbers = ", ".join(str(one.pk) for one in found)
    raise WrongState(f"Several {word}s have the reference “{text}”: {numbers}. Type the number of one.")
