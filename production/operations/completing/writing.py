"""Writing a completion beside its posting: one statement, and one more where it has several outputs."""

from collections.abc import Sequence
from typing import Any

from inventory.arrays import flags, numbers, texts
from inventory.models import Posting
from inventory.trips import Statement
from production.models import Completion, CompletionOutput, WorkOrderState
from production.operations.completing.requests import CompletionPlan

_WRITE = """
WITH head AS (
  INSERT INTO production_completion
    (posting_id, item_id, bom_id, work_order_id, good, scrapped, scrap_reason, scrap_location_id, source_location_id,
     output_location_id, output_lot_id, output_status, consumed_value, output_value, operation_value, by_product_value, parent_id,
     reversed_good, reversed_scrap)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0) RETURNING posting_id
), used AS (
  SELECT * FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::text[], %s::numeric[], %s::boolean[], %s::bigint[],
    %s::numeric[], %s::text[], %s::bigint[])
    AS u(component_id, expected, actual, reason, value, is_consumable, order_line_id, scrapped, cause, substitute_for_id)
){booked}
INSERT INTO production_completionline (completion_id, component_id, expected, actual, reason, value, is_consumable,
  work_order_line_id, scrapped, cause, substitute_for_id)
SELECT head.posting_id, u.component_id, u.expected, u.actual, u.reason, u.value, u.is_consumable, u.order_line_id,
  u.scrapped, u.cause, u.substitute_for_id
FROM head, used u RETURNING 1
"""

_BOOKED = """, counted AS (
  UPDATE production_workorder SET good = good + %s, scrapped = scrapped + %s,
    state = CASE WHEN good + scrapped + %s >= planned THEN 'done' ELSE state END,
    closed_at = CASE WHEN state = 'open' AND good + scrapped + %s >= planned THEN %s ELSE closed_at END
  WHERE id = %s
), booked AS (
  UPDATE production_workorderline l SET booked = l.booked + u.expected, used = l.used + u.actual
  FROM used u WHERE l.id = u.order_line_id
)"""

_WRITE_ALONE = _WRITE.format(booked="")
_WRITE_BOOKED = _WRITE.format(booked=_BOOKED)


def completion_of(
    posting: Posting, plan: CompletionPlan, lot_ids: Sequence[int], *, parent: Posting | None = None
) -> tuple[Completion, Statement]:
    """The completion, and the statement that writes it with its lines and the counters of its order."""
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
    head: list[Any] = [
        posting.pk,
        plan.item.pk,
        completion.bom_id,
        completion.work_order_id,
        plan.good,
        plan.scrapped,
        completion.scrap_reason,
        completion.scrap_location_id,
        completion.source_location_id,
        completion.output_location_id,
        lot_id,
        plan.output_status,
        plan.consumed_value,
        plan.output_value,
        completion.operation_value,
        completion.by_product_value,
        completion.parent_id,
    ]
    used: list[Any] = [
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
    if order is None:
        return completion, (_WRITE_ALONE, [*head, *used])
    started = plan.good + plan.scrapped
    counters: list[Any] = [plan.good, plan.scrapped, started, started, posting.recorded_at, order.pk]
    return completion, (_WRITE_BOOKED, [*head, *used, *counters])


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
    if order is not None:
        order.good += plan.good
        order.scrapped += plan.scrapped
        if order.good + order.scrapped >= order.planned:
            order.state = WorkOrderState.DONE
