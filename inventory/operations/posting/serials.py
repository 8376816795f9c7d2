"""A serial number is one piece: whatever a posting does, no more than one of it may be on hand afterwards."""

from decimal import Decimal

from django.db import connection

from inventory.errors import DuplicateSerial
from inventory.operations.posting.drafts import Draft
from inventory.quantities import ZERO, as_text

DUPLICATED_SERIAL = """(
  SELECT min(t.id) FROM unnest(%s::bigint[], %s::numeric[]) AS r(lot_id, delta)
  JOIN inventory_lot t ON t.id = r.lot_id AND t.code <> ''
  JOIN inventory_item i ON i.id = t.item_id AND i.tracking = 'serial'
  WHERE r.delta + coalesce((SELECT sum(b.quantity) FROM inventory_stockbalance b WHERE b.lot_id = r.lot_id), 0) > 1
)"""
"""A part of the statement that writes: the id of a serial of which more than one piece would be on hand, else NULL. It sees
the balances as they were before. Its parameters are the lots of which more will be there, and by how much."""


def rising_lots(draft: Draft) -> dict[int, Decimal]:
    """By lot, by how much a finished draft raises what is on hand of it in all cells; lots that only move are left out."""
    deltas: dict[int, Decimal] = {}
    for line in draft.lines:
        deltas[line.lot_id] = deltas.get(line.lot_id, ZERO) + line.quantity
    return {lot_id: delta for lot_id, delta in deltas.items() if delta > ZERO}


def duplicate_serial(lot_id: int) -> DuplicateSerial:
    """The refusal of a posting that is written and about to be rolled back, naming where the pieces would be."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.sku, t.code, l.code, b.quantity FROM inventory_stockbalance b"
            " JOIN inventory_item i ON i.id = b.item_id JOIN inventory_lot t ON t.id = b.lot_id"
            " JOIN inventory_location l ON l.id = b.location_id"
            " WHERE b.lot_id = %s AND b.quantity > 0 ORDER BY l.code, b.status",
            [lot_id],
        )
        held = cursor.fetchall()
    sku, code = held[0][:2]
    places = list(dict.fromkeys(place for _, _, place, _ in held))
    total = sum((quantity for *_, quantity in held), ZERO)
    return DuplicateSerial(
        f"Serial number {code} of {sku} is one piece, and {as_text(total)} would be on hand, at {' and '.join(places)}. "
        "Check the number; where the piece is not, take it out first.",
        item=sku,
        lot=code,
        locations=places,
        on_hand=as_text(total),
    )
