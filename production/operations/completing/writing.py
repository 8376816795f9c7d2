"""Writing a completion beside its posting: one statement, and one more where it has several outputs."""

from collections.abc import Sequence
from typing import Any

from inventory.arrays import flags, numbers, texts
from inventory.models import Posting
from inventory.operations.posting import Along
from inventory.operations.telling import tell_changed
from production.models import Completion, CompletionOutput, CompletionWork, WorkOrderState
from production.operations.completing.requests import CompletionPlan

_WRITE = """
head AS (
  INSERT INTO production_completion
    (posting_id, item_id, bom_id, work_order_id, scrap_location_id, source_location_id, output_location_id, output_lot_id,
     parent_id, good, scrapped, consumed_value, output_value, operation_value, by_product_value, scrap_reason, output_status,
     reversed_good, reversed_scrap)
  SELECT posted.id, i[1], i[2], i[3], i[4], i[5], i[6], i[7], i[8], n[1], n[2], n[3], n[4], n[5], n[6], t[1], t[2], 0, 0
  FROM posted, (SELECT %s::bigint[] AS i, %s::numeric[] AS n, %s::text[] AS t) given
  RETURNING posting_id, work_order_id, good, scrapped
), used AS (
  SELECT * FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::text[], %s::numeric[], %s::boolean[], %s::bigint[],
    %s::numeric[], %s::text[], %s::bigint[])
    AS u(component_id, expected, actual, reason, value, is_consumable, order_line_id, scrapped, cause, substitute_for_id)
), lines AS (
  INSERT INTO production_completionline (completion_id, component_id, expected, actual, reason, value, is_consumable,
    work_order_line_id, scrapped, cause, substitute_for_id)
  SELECT head.posting_id, u.component_id, u.expected, u.actual, u.reason, u.value, u.is_consumable, u.order_line_id,
    u.scrapped, u.cause, u.substitute_for_id
  FROM head, used u
)"""
"""Ids, numbers and texts of the completion come as one array each: the driver remembers how to send a statement only as
long as it has at most 50 parameters."""

_BOOK = """, counted AS (
  UPDATE production_workorder o SET good = o.good + h.good, scrapped = o.scrapped + h.scrapped,
    state = CASE WHEN o.good + o.scrapped + h.good + h.scrapped >= planned THEN 'done' ELSE state END,
    closed_at = CASE WHEN state = 'open' AND o.good + o.scrapped + h.good + h.scrapped >= planned
      THEN (SELECT recorded_at FROM posted) ELSE closed_at END
  FROM head h WHERE o.id = h.work_order_id
), booked AS (
  UPDATE production_workorderline l SET booked = l.booked + u.expected, used = l.used + u.actual
  FROM used u WHERE l.id = u.order_line_id
)"""

_WRITE_BOOKED = _WRITE + _BOOK


def completion_of(
    posting: Posting, plan: CompletionPlan, lot_ids: Sequence[int], *, parent: Posting | None = None
) -> tuple[Completion, Along]:
    """The completion, and what writes it along with its posting: itself, its lines and the counters of its order."""
    order = plan.work_order
    lot_id = lot_ids[0] if plan.good else None
    completion = Completion(
        posting=posting,
        item=plan.item,
        bom_id=plan.bom_id,
        work_order=order,
        good=plan.good,
        scrapped=plan.scrapped,
        scrap_reason=plan.scrap_reason,
        scrap_location=plan.scrap_location,
        source_location=plan.source_location,
        output_location=plan.output_location,
        output_lot_id=lot_id,
        output_status=plan.output_status,
        consumed_value=plan.consumed_value,
        output_value=plan.output_value,
        operation_value=plan.operation_value,
        by_product_value=plan.by_product_value,
        parent_id=None if parent is None else parent.pk,
    )
    lines = plan.lines
    parameters: list[Any] = [
        numbers(
            (
                plan.item.pk,
                completion.bom_id,
                completion.work_order_id,
                completion.scrap_location_id,
                completion.source_location_id,
                completion.output_location_id,
                lot_id,
                completion.parent_id,
            )
        ),
        numbers(
            (
                plan.good,
                plan.scrapped,
                plan.consumed_value,
                plan.output_value,
                completion.operation_value,
                completion.by_product_value,
            )
        ),
        texts((completion.scrap_reason, str(plan.output_status))),
        numbers(line.component.id for line in lines),
        numbers(line.expected for line in lines),
        numbers(line.actual for line in lines),
        texts(line.reason for line in lines),
        numbers(line.value for line in lines),
        flags(line.is_consumable for line in lines),
        numbers(line.work_order_line_id for line in lines),
        numbers(line.scrapped for line in lines),
        texts(line.cause for line in lines),
        numbers(line.substitute_for.id if line.substitute_for else None for line in lines),
    ]
    return completion, Along(_WRITE if order is None else _WRITE_BOOKED, parameters)


def note_written(completion: Completion, plan: CompletionPlan, lot_ids: Sequence[int]) -> None:
    """What follows when the completion is written: its outputs where they are not the usual single lot, the order as it is."""
    order = plan.work_order
    if len(plan.outputs) > 1 or any(not output.is_main for output in plan.outputs):
        CompletionOutput.objects.bulk_create(
            CompletionOutput(
                completion=completion,
                item_id=output.item_id,
                lot_id=lot,
                location=output.location,
                status=output.status,
                quantity=output.quantity,
                value=output.value,
                is_main=output.is_main,
                expected=output.expected,
            )
            for output, lot in zip(plan.outputs, lot_ids, strict=True)
        )
    entered = [one for one in plan.work if one.is_entered]
    if entered:
        CompletionWork.objects.bulk_create(
            CompletionWork(
                completion=completion,
                kind=one.kind,
                planned_minutes=one.planned_minutes,
                minutes=one.minutes,
                planned_value=one.planned_value,
                value=one.value,
            )
            for one in entered
        )
    if order is not None:
        order.good += plan.good
        order.scrapped += plan.scrapped
        if not plan.good:  # nothing of it moves, and less of it is on its way
            tell_changed(items=[plan.item.pk], cause="work order")
        if order.good + order.scrapped >= order.planned:
            order.state = WorkOrderState.DONE
