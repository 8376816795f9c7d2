"""Where lots came from outside and where they went to outside: receipts with suppliers, shipments with their orders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection

from inventory.arrays import numbers
from inventory.models import Lot, PostingKind


@dataclass(frozen=True, slots=True)
class LotEnd:
    """What one posting brought of a lot from outside (positive) or took of it for good (negative), net of reversals."""

    lot_id: int
    posting_id: int
    kind: str
    reference: str
    reason: str
    effective_at: datetime
    quantity: Decimal  # signed, stock unit
    demands: tuple[str, ...]
    """Whom it went to: "order 1042". What its posting names, else what the log of reservations says of it."""
    supplier: str
    """Name of the supplier whose purchase order it came from; empty when there was none."""

    @property
    def kind_label(self) -> str:
        return PostingKind(self.kind).label


_ENDS = """
WITH moved AS (
  SELECT coalesce(p.reverses_id, p.id) AS origin, m.lot_id, sum(m.quantity) AS quantity
  FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id
  WHERE m.item_id = ANY(%s::bigint[]) AND m.lot_id = ANY(%s::bigint[]) AND m.quantity <> 0
  GROUP BY 1, 2 HAVING sum(m.quantity) <> 0
)
SELECT m.lot_id, o.id, o.kind, o.reference, o.reason, o.effective_at, m.quantity,
  CASE WHEN o.demand_ref <> '' THEN ARRAY[o.demand_kind || ' ' || o.demand_ref]
  ELSE ARRAY(SELECT DISTINCT r.demand_kind || ' ' || r.demand_ref FROM inventory_reservation r
        JOIN inventory_reservationchange c ON c.reservation_id = r.id
        WHERE r.lot_id = m.lot_id AND c.reason = 'fulfilled by posting ' || o.id) END,
  coalesce((SELECT max(s.name) FROM inventory_purchasereceiptline l JOIN inventory_purchaseorderline pl ON pl.id = l.line_id
            JOIN inventory_purchaseorder po ON po.id = pl.order_id JOIN inventory_supplier s ON s.id = po.supplier_id
            WHERE l.posting_id = o.id), '')
FROM moved m JOIN inventory_posting o ON o.id = m.origin
WHERE o.kind NOT IN ('completion', 'lot_change', 'transfer', 'status_change')
  AND NOT (o.kind IN ('disassembly', 'rework') AND EXISTS (
  SELECT 1 FROM inventory_movement back WHERE back.posting_id = o.id AND back.quantity > 0))
ORDER BY o.id, m.lot_id
"""


def lot_ends(*, lots: Iterable[Lot]) -> list[LotEnd]:
    """Every posting by which lots came in from outside or left for good, oldest first. One statement.

    Goods taken apart or reworked left for good only where nothing came back of them; else they became what did.
    """
    wanted: Sequence[Lot] = list(lots)
    if not wanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_ENDS, [numbers(sorted({lot.item_id for lot in wanted})), numbers(lot.pk for lot in wanted)])
        return [
            LotEnd(lot, posting, kind, reference, reason, at, quantity, tuple(demands), supplier)
            for lot, posting, kind, reference, reason, at, quantity, demands, supplier in cursor.fetchall()
        ]
