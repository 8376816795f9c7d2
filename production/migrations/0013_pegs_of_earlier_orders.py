"""Orders from before say what was handed to whom, and what was made for nobody in particular is free."""

from django.db import migrations

_PEGS = """
INSERT INTO production_workorderpeg (work_order_id, demand_kind, demand_ref, quantity, needed_on, created_at, served)
SELECT o.id, o.demand_kind, o.demand_ref, o.planned, o.due_on, o.created_at, 0 FROM production_workorder o
WHERE o.demand_kind <> '' AND o.state <> 'cancelled'
  AND NOT EXISTS (SELECT 1 FROM production_workorderpeg p WHERE p.work_order_id = o.id)
ORDER BY o.id
"""
_SERVED = """
WITH share AS (
  SELECT p.id, p.quantity, o.good, o.item_id, p.demand_kind, p.demand_ref,
         sum(p.quantity) OVER (PARTITION BY o.id ORDER BY p.id) - p.quantity AS before
  FROM production_workorderpeg p JOIN production_workorder o ON o.id = p.work_order_id
  WHERE p.demand_kind <> 'replenishment' AND o.good > 0
), served AS (
  SELECT s.id, least(s.quantity, greatest(s.good - s.before, 0),
    CASE WHEN i.inspection_required THEN (
      SELECT coalesce(sum(r.quantity), 0) FROM inventory_reservation r WHERE r.demand_kind = s.demand_kind
        AND r.demand_ref = s.demand_ref AND r.item_id = s.item_id AND r.lot_id IS NOT NULL
    ) END) AS quantity
  FROM share s JOIN inventory_item i ON i.id = s.item_id
)
UPDATE production_workorderpeg p SET served = s.quantity FROM served s WHERE s.id = p.id AND s.quantity > 0
"""
_FREE = """
WITH freed AS (
  SELECT id, item_id, location_id, lot_id, quantity FROM inventory_reservation
  WHERE demand_kind = 'replenishment' AND lot_id IS NOT NULL AND quantity > 0
), logged AS (
  INSERT INTO inventory_reservationchange (reservation_id, quantity, reason, actor_id, recorded_at)
  SELECT id, -quantity, 'made for nobody, so it is free', NULL, now() FROM freed
), lowered AS (
  UPDATE inventory_reservation r SET quantity = 0 FROM freed f WHERE r.id = f.id
), cells AS (
  UPDATE inventory_stockbalance b SET reserved = b.reserved - f.quantity FROM (
    SELECT item_id, location_id, lot_id, sum(quantity) AS quantity FROM freed GROUP BY 1, 2, 3
  ) f
  WHERE (b.item_id, b.location_id, b.lot_id, b.status) = (f.item_id, f.location_id, f.lot_id, 'available')
)
INSERT INTO inventory_stockchange (items, cause, recorded_at)
SELECT array_agg(DISTINCT item_id), 'reservation', now() FROM freed HAVING count(*) > 0
"""


def note_what_was_handed_out(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for statement in (_PEGS, _SERVED, _FREE):
            cursor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("production", "0012_workorderpeg_served")]

    operations = [migrations.RunPython(note_what_was_handed_out, migrations.RunPython.noop)]
