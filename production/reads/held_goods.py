"""What waits for inspection: goods in QC hold by what brought them there, read from the ledger itself.

A posting that puts goods into QC hold is an *arrival*; its handle is the id of its first movement into the cell. What a cell
holds belongs to its newest arrivals first, after what was decided about each or taken back of it. So goods that left hold
in another way are taken to be the oldest, and the parts of a cell always sum to what it holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from inventory.models import PostingKind
from production.models import InspectionOf, InspectionPlan

ROWS_MAX = 5000
"""Arrivals that one answer lists at most."""
KPI_DAYS = 30

RECEIPT_KINDS = frozenset({PostingKind.RECEIPT.value, PostingKind.CUSTOMER_RETURN.value})
OUTPUT_KINDS = frozenset({PostingKind.COMPLETION.value})

_HELD = """
WITH cell AS (
  SELECT b.item_id, b.location_id, b.lot_id, b.quantity FROM inventory_stockbalance b
  WHERE b.status = 'qc_hold' AND b.quantity > 0 {cells}
), arrived AS (
  SELECT m.item_id, m.location_id, m.lot_id, m.posting_id, p.kind, p.reference, p.related_id, min(m.id) AS id,
         sum(m.quantity) AS quantity, min(m.effective_at) AS since
  FROM cell c
  JOIN inventory_movement m ON (m.item_id, m.location_id, m.lot_id) = (c.item_id, c.location_id, c.lot_id)
   AND m.status = 'qc_hold' AND m.quantity > 0
  JOIN inventory_posting p ON p.id = m.posting_id AND p.kind <> 'reversal'
  GROUP BY 1, 2, 3, 4, 5, 6, 7
), gone AS (
  SELECT a.id, -sum(m.quantity) AS quantity FROM arrived a
  JOIN inventory_posting r ON r.reverses_id = a.posting_id
  JOIN inventory_movement m ON m.posting_id = r.id AND m.status = 'qc_hold'
   AND (m.item_id, m.location_id, m.lot_id) = (a.item_id, a.location_id, a.lot_id)
  GROUP BY 1
), decided AS (
  SELECT a.id, sum(d.quantity) AS quantity FROM arrived a
  JOIN production_inspection i
    ON (i.posting_id, i.item_id, i.location_id, i.lot_id) = (a.posting_id, a.item_id, a.location_id, a.lot_id)
  JOIN production_inspectionverdict v ON v.inspection_id = i.id
  JOIN production_inspectiondecision d ON d.verdict_id = v.id
  WHERE NOT EXISTS (SELECT 1 FROM inventory_posting r WHERE r.reverses_id = d.posting_id)
  GROUP BY 1
), room AS (
  SELECT a.*, greatest(a.quantity - coalesce(g.quantity, 0) - coalesce(d.quantity, 0), 0) AS room
  FROM arrived a LEFT JOIN gone g USING (id) LEFT JOIN decided d USING (id)
), held AS (
  SELECT r.*, least(r.room, greatest(c.quantity - (sum(r.room) OVER newest - r.room), 0)) AS held
  FROM room r JOIN cell c USING (item_id, location_id, lot_id)
  WINDOW newest AS (PARTITION BY r.item_id, r.location_id, r.lot_id ORDER BY r.id DESC)
)
SELECT h.id, h.posting_id, h.kind, h.reference, h.related_id, h.quantity, h.held, h.since,
       i.id, i.sku, i.name, i.stock_unit, i.step, l.id, l.code, l.expires_on, o.id, o.code, o.name,
       q.id, w.number
FROM held h
JOIN inventory_item i ON i.id = h.item_id
JOIN inventory_lot l ON l.id = h.lot_id
JOIN inventory_location o ON o.id = h.location_id
LEFT JOIN production_inspection q
  ON (q.posting_id, q.item_id, q.location_id, q.lot_id) = (h.posting_id, h.item_id, h.location_id, h.lot_id)
LEFT JOIN production_completion n ON n.posting_id = h.posting_id
LEFT JOIN production_workorder w ON w.id = n.work_order_id
WHERE h.held > 0 {rows}
ORDER BY h.since, h.id LIMIT %(rows_max)s
"""

_NUMBERS = """
SELECT w.id, count(DISTINCT m.posting_id)
FROM unnest(%(ids)s::bigint[], %(items)s::bigint[], %(postings)s::bigint[], %(outputs)s::boolean[])
  AS w (id, item_id, posting_id, is_output)
JOIN inventory_movement m ON m.item_id = w.item_id AND m.status = 'qc_hold' AND m.quantity > 0
 AND m.posting_id <= w.posting_id
JOIN inventory_posting p ON p.id = m.posting_id
 AND p.kind = ANY (CASE WHEN w.is_output THEN %(output_kinds)s::text[] ELSE %(receipt_kinds)s::text[] END)
GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class HeldItem:
    """What a page shows of an item."""

    pk: int
    sku: str
    name: str
    stock_unit: str
    step: Decimal


@dataclass(frozen=True, slots=True)
class HeldGoods:
    """What is still held of one arrival in one cell. Quantities are in the item's stock unit."""

    pk: int
    """The handle: id of the first movement of the arrival into the cell."""
    posting_id: int
    kind: str
    reference: str
    related_id: int | None
    arrived: Decimal
    held: Decimal
    since: datetime
    item: HeldItem
    lot_id: int
    lot_code: str
    """Empty for an item that is not tracked."""
    expires_on: Any
    location_id: int
    location_code: str
    location_name: str
    inspection_id: int | None
    work_order: str
    plan: InspectionPlan | None = None
    number: int = 1
    """Which arrival of the item it is, counted from the first; only with a plan that skips some."""
    applies_to: str = InspectionOf.OUTPUT.value

    @property
    def is_due(self) -> bool:
        """Whether the plan wants this one inspected, the first and each n-th after it; without a plan it does."""
        return self.plan is None or (self.number - 1) % self.plan.every_nth == 0

    @property
    def kind_label(self) -> str:
        return str(PostingKind(self.kind).label)

    @property
    def is_completion(self) -> bool:
        return self.kind == PostingKind.COMPLETION.value

    @property
    def sample(self) -> Decimal:
        """How many of it are to be looked at."""
        if self.plan is None or self.plan.sample_quantity is None:
            return self.held
        return min(self.plan.sample_quantity, self.held)


@dataclass(frozen=True, slots=True)
class HeldQuestion:
    """Which held goods are asked for; empty means all."""

    text: str = ""
    item_ids: Sequence[int] = ()
    location_ids: Sequence[int] = ()
    lot_ids: Sequence[int] = ()
    source: str = ""
    """output, receipt or other."""
    handle: int | None = None


def held_goods(question: HeldQuestion = HeldQuestion(), *, rows_max: int = ROWS_MAX) -> list[HeldGoods]:
    """Everything that waits for inspection, the longest first. Three queries at most, whatever the number of rows."""
    cells, rows, values = _conditions(question)
    with connection.cursor() as cursor:
        cursor.execute(_HELD.format(cells=cells, rows=rows), {**values, "rows_max": rows_max})
        found = [_goods(row) for row in cursor.fetchall()]
    return _with_plans(found)


def held_arrival(handle: int) -> HeldGoods | None:
    """One arrival by its handle; None when nothing of it is held."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT item_id, location_id, lot_id FROM inventory_movement WHERE id = %s", [handle])
        row = cursor.fetchone()
    if row is None:
        return None
    item_id, location_id, lot_id = row
    found = held_goods(HeldQuestion(item_ids=[item_id], location_ids=[location_id], lot_ids=[lot_id]))
    return next((goods for goods in found if goods.pk == handle), None)


def _conditions(question: HeldQuestion) -> tuple[str, str, dict[str, Any]]:
    cells = rows = ""
    values: dict[str, Any] = {}
    for name in ("item", "location", "lot"):
        ids = getattr(question, f"{name}_ids")
        if ids:
            cells += f" AND b.{name}_id = ANY (%({name}s)s)"
            values[f"{name}s"] = list(ids)
    if question.handle is not None:
        rows += " AND h.id = %(handle)s"
        values["handle"] = question.handle
    if question.text:
        rows += (
            " AND (i.sku ILIKE %(like)s OR i.name ILIKE %(like)s OR i.barcode = %(text)s OR l.code ILIKE %(like)s"
            " OR h.reference ILIKE %(like)s OR w.number ILIKE %(like)s OR o.code ILIKE %(like)s)"
        )
        escaped = question.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values.update(text=question.text, like=f"%{escaped}%")
    if question.source:
        known = {"output": sorted(OUTPUT_KINDS), "receipt": sorted(RECEIPT_KINDS)}
        if question.source in known:
            rows += " AND h.kind = ANY (%(kinds)s)"
            values["kinds"] = known[question.source]
        else:
            rows += " AND NOT h.kind = ANY (%(kinds)s)"
            values["kinds"] = sorted(OUTPUT_KINDS | RECEIPT_KINDS)
    return cells, rows, values


def _goods(row: Sequence[Any]) -> HeldGoods:
    (handle, posting_id, kind, reference, related_id, arrived, held, since, *rest) = row
    (item_id, sku, name, unit, step, lot_id, lot, expires_on, *rest) = rest
    place_id, place, place_name, inspection_id, order = rest
    return HeldGoods(
        pk=handle,
        posting_id=posting_id,
        kind=kind,
        reference=reference,
        related_id=related_id,
        arrived=arrived,
        held=held,
        since=since,
        item=HeldItem(item_id, sku, name, unit, step),
        lot_id=lot_id,
        lot_code=lot,
        expires_on=expires_on,
        location_id=place_id,
        location_code=place,
        location_name=place_name,
        inspection_id=inspection_id,
        work_order=order or "",
    )


def _with_plans(found: Sequence[HeldGoods]) -> list[HeldGoods]:
    """Each with the plan that counts for it and, where the plan skips some, its number."""
    if not found:
        return []
    plans = {
        (plan.item_id, plan.applies_to): plan
        for plan in InspectionPlan.objects.filter(is_active=True, item_id__in={goods.item.pk for goods in found})
    }
    chosen = [_plan_of(goods, plans) for goods in found]
    counted = [
        goods
        for goods, (plan, _) in zip(found, chosen, strict=True)
        if plan is not None and plan.every_nth > 1 and goods.kind in OUTPUT_KINDS | RECEIPT_KINDS
    ]
    numbers = _numbers(counted)
    return [
        replace(goods, plan=plan, applies_to=applies_to, number=numbers.get(goods.pk, 1))
        for goods, (plan, applies_to) in zip(found, chosen, strict=True)
    ]


def _plan_of(goods: HeldGoods, plans: Mapping[tuple[int, str], InspectionPlan]) -> tuple[InspectionPlan | None, str]:
    """The active plan for what was made or received; for goods that came in another way whichever there is."""
    output, receipt = InspectionOf.OUTPUT.value, InspectionOf.RECEIPT.value
    if goods.kind in OUTPUT_KINDS:
        return plans.get((goods.item.pk, output)), output
    if goods.kind in RECEIPT_KINDS:
        return plans.get((goods.item.pk, receipt)), receipt
    for applies_to in (output, receipt):
        if (goods.item.pk, applies_to) in plans:
            return plans[goods.item.pk, applies_to], applies_to
    return None, output


def _numbers(counted: Sequence[HeldGoods]) -> dict[int, int]:
    """By handle, which completion or receipt of the item in hold it is, counted from 1; those taken back count too."""
    if not counted:
        return {}
    values: dict[str, Any] = {
        "ids": [goods.pk for goods in counted],
        "items": [goods.item.pk for goods in counted],
        "postings": [goods.posting_id for goods in counted],
        "outputs": [goods.kind in OUTPUT_KINDS for goods in counted],
        "output_kinds": sorted(OUTPUT_KINDS),
        "receipt_kinds": sorted(RECEIPT_KINDS),
    }
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS, values)
        return dict(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class HoldFigures:
    """How long goods were held: those decided in the last days, weighted by decision."""

    decided: int
    hours_average: Decimal | None
    failed: int
    days: int = KPI_DAYS


def hold_figures(*, at: datetime | None = None) -> HoldFigures:
    """Decisions of the last thirty days: how many, how long their goods were held, how many failed something."""
    now = at or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), avg(extract(epoch FROM v.decided_at - i.opened_at)),
                   count(*) FILTER (WHERE d.disposition <> 'release')
            FROM production_inspectionverdict v
            JOIN production_inspection i ON i.id = v.inspection_id
            JOIN production_inspectiondecision d ON d.verdict_id = v.id
            WHERE v.decided_at >= %(from)s - make_interval(days => %(days)s)
              AND NOT EXISTS (SELECT 1 FROM inventory_posting r WHERE r.reverses_id = d.posting_id)
            """,
            {"from": now, "days": KPI_DAYS},
        )
        decided, seconds, failed = cursor.fetchone()
    hours = None if seconds is None else max(Decimal(0), round(Decimal(seconds) / 3600, 1))
    return HoldFigures(decided=decided, hours_average=hours, failed=failed)
