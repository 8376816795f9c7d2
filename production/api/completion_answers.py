"""Answers about completions, put together by hand: a posted completion is answered from its plan, without reading it again."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.db.models import Prefetch

from inventory.api.fields import moment_text
from inventory.api.serializers import quantity_text
from inventory.api.stock import MOVEMENTS
from inventory.errors import DomainError
from inventory.models import Item, Movement, Posting
from inventory.quantities import PLACES, ZERO, as_text, round_half_up
from production.api.completion_serializers import CompletionDetailSerializer
from production.models import Completion, CompletionLine, CompletionOutput, CompletionWork
from production.operations.completing import CompletionPlan, CompletionResult, PlannedOutput, PlannedWork
from production.planned import PlannedLine, PlannedPick

SUMMARIES = Completion.objects.select_related(
    "posting__actor", "item", "bom", "work_order", "scrap_location", "source_location", "output_location", "output_lot"
)
DETAILS = SUMMARIES.prefetch_related(
    Prefetch("lines", CompletionLine.objects.select_related("component", "substitute_for").order_by("id")),
    Prefetch("outputs", CompletionOutput.objects.select_related("item", "lot", "location")),
    Prefetch("nested", Completion.objects.only("pk", "parent")),
    Prefetch("posting__movements", MOVEMENTS.order_by("id")),
    "reversals",
    "work",
)


def unit_cost_text(value: Decimal | None, good: Decimal) -> str | None:
    """Cost of one good unit, half up to six places; None when unknown or when nothing good was made."""
    if value is None or not good:
        return None
    return as_text(round_half_up(Fraction(value) / Fraction(good), PLACES))


def body_of_result(result: CompletionResult, plan: CompletionPlan, *, actor: str) -> dict[str, object]:
    """A completion just posted, as CompletionSerializer describes it."""
    completion, posting = result.completion, result.posting
    codes = location_codes(plan)
    lot = plan.output_lot_code if plan.good else None
    return {
        **_head(completion, posting, item=plan.item, bom_version=plan.bom_version, output_lot=lot, actor=actor),
        "lines": [planned_line(line, codes) for line in plan.lines],
        "outputs": [_planned_output(output) for output in plan.outputs],
        "work": [_work(one) for one in plan.work if one.is_entered],
        "nested": _nested_ids(completion) if plan.nested else [],
    }


def _nested_ids(completion: Completion) -> list[int]:
    return sorted(Completion.objects.filter(parent_id=completion.pk).values_list("pk", flat=True))


def _planned_output(output: PlannedOutput) -> dict[str, object]:
    return {
        "item": output.sku,
        "item_id": output.item_id,
        "unit": output.stock_unit,
        "is_main": output.is_main,
        "location": output.location.code,
        "lot": output.lot_code,
        "status": str(output.status),
        "quantity": as_text(output.quantity),
        "expected": as_text(output.expected),
        "value": quantity_text(output.value),
    }


def _stored_outputs(completion: Completion) -> list[dict[str, object]]:
    """As written; the usual single lot is told by the completion itself."""
    written = sorted(completion.outputs.all(), key=lambda output: output.pk)
    if written:
        return [
            {
                "item": output.item.sku,
                "item_id": output.item_id,
                "unit": output.item.stock_unit,
                "is_main": output.is_main,
                "location": output.location.code,
                "lot": output.lot.code,
                "status": output.status,
                "quantity": as_text(output.quantity),
                "expected": as_text(output.expected),
                "value": quantity_text(output.value),
            }
            for output in written
        ]
    if not completion.good:
        return []
    return [
        {
            "item": completion.item.sku,
            "item_id": completion.item_id,
            "unit": completion.item.stock_unit,
            "is_main": True,
            "location": completion.output_location.code,
            "lot": "" if completion.output_lot is None else completion.output_lot.code,
            "status": completion.output_status,
            "quantity": as_text(completion.good),
            "expected": "0",
            "value": quantity_text(completion.output_value),
        }
    ]


def _work(one: CompletionWork | PlannedWork) -> dict[str, object]:
    return {
        "kind": one.kind,
        "planned_minutes": as_text(one.planned_minutes),
        "minutes": as_text(one.minutes),
        "planned_value": as_text(one.planned_value),
        "value": as_text(one.value),
    }


def summary_of(completion: Completion) -> dict[str, object]:
    """A stored completion, as CompletionSummarySerializer describes it."""
    actor = completion.posting.actor
    return _head(
        completion,
        completion.posting,
        item=completion.item,
        bom_version=completion.bom.version,
        output_lot=None if completion.output_lot is None else completion.output_lot.code,
        actor=None if actor is None else actor.get_username(),
    )


def posted_of(completion: Completion) -> dict[str, object]:
    """A stored completion, as CompletionSerializer describes it."""
    left = _takings(completion.posting.movements.all())
    return {
        **summary_of(completion),
        "lines": [_stored_line(line, left) for line in completion.lines.all()],
        "outputs": _stored_outputs(completion),
        "work": [_work(one) for one in completion.work.all()],
        "nested": sorted(nested.pk for nested in completion.nested.all()),
    }


def detail_of(completion: Completion) -> dict[str, object]:
    """A stored completion, as CompletionDetailSerializer describes it."""
    movements = completion.posting.movements.all()
    return {
        **posted_of(completion),
        "movements": CompletionDetailSerializer().fields["movements"].to_representation(movements),
        "reversals": sorted(reversal.pk for reversal in completion.reversals.all()),
    }


def _head(
    completion: Completion,
    posting: Posting,
    *,
    item: Item,
    bom_version: int,
    output_lot: str | None,
    actor: str | None,
) -> dict[str, object]:
    source, order, waste = completion.source_location, completion.work_order, completion.scrap_location
    return {
        "id": completion.pk,
        "item": item.sku,
        "item_id": item.pk,
        "unit": item.stock_unit,
        "bom_id": completion.bom_id,
        "bom_version": bom_version,
        "work_order": None if order is None else order.number,
        "good": as_text(completion.good),
        "scrapped": as_text(completion.scrapped),
        "scrap_reason": completion.scrap_reason,
        "scrap_location": None if waste is None else waste.code,
        "source_location": None if source is None else source.code,
        "output_location": completion.output_location.code,
        "output_lot": output_lot,
        "output_status": str(completion.output_status),
        "consumed_value": quantity_text(completion.consumed_value),
        "output_value": quantity_text(completion.output_value),
        "operation_value": as_text(completion.operation_value),
        "by_product_value": quantity_text(completion.by_product_value),
        "unit_cost": unit_cost_text(completion.output_value, completion.good),
        "made_for": completion.parent_id,
        "reversed_good": as_text(completion.reversed_good),
        "reversed_scrap": as_text(completion.reversed_scrap),
        "is_reversed": completion.is_reversed,
        "reference": posting.reference,
        "reason": posting.reason,
        "note": posting.note,
        "actor": actor,
        "effective_at": moment_text(posting.effective_at),
        "recorded_at": moment_text(posting.recorded_at),
    }


def planned_line(line: PlannedLine, codes: Mapping[int, str]) -> dict[str, object]:
    return {
        "component": line.component.sku,
        "component_id": line.component.id,
        "unit": line.component.stock_unit,
        "expected": as_text(line.expected),
        "actual": as_text(line.actual),
        "reason": line.reason,
        "value": quantity_text(line.value),
        "is_consumable": line.is_consumable,
        "scrapped": as_text(line.scrapped),
        "cause": line.cause or None,
        "replaces": None if line.substitute_for is None else line.substitute_for.sku,
        "picks": [_pick(pick, codes) for pick in line.picks],
    }


def _pick(pick: PlannedPick, codes: Mapping[int, str]) -> dict[str, object]:
    return {
        "location": codes[pick.location_id],
        "location_id": pick.location_id,
        "lot": pick.lot_code,
        "lot_id": pick.lot_id,
        "quantity": as_text(pick.quantity),
    }


def _takings(movements: Iterable[Movement]) -> dict[int, list[Movement]]:
    """What left stock, by item, in the order it was picked: each line of a completion wrote its own movements."""
    by_item: dict[int, list[Movement]] = {}
    for movement in movements:
        if movement.quantity < ZERO:
            by_item.setdefault(movement.item_id, []).append(movement)
    return by_item


def _stored_line(line: CompletionLine, left: Mapping[int, list[Movement]]) -> dict[str, object]:
    picks = []
    open_quantity = ZERO if line.is_consumable else line.actual
    waiting = left.get(line.component_id, [])
    while open_quantity > ZERO and waiting:
        movement = waiting.pop(0)
        open_quantity += movement.quantity
        picks.append(
            {
                "location": movement.location.code,
                "location_id": movement.location_id,
                "lot": movement.lot.code,
                "lot_id": movement.lot_id,
                "quantity": as_text(-movement.quantity),
            }
        )
    return {
        "component": line.component.sku,
        "component_id": line.component_id,
        "unit": line.component.stock_unit,
        "expected": as_text(line.expected),
        "actual": as_text(line.actual),
        "reason": line.reason,
        "value": quantity_text(line.value),
        "is_consumable": line.is_consumable,
        "scrapped": as_text(line.scrapped),
        "cause": line.cause or None,
        "replaces": None if line.substitute_for is None else line.substitute_for.sku,
        "picks": picks,
    }


def preview_of(plan: CompletionPlan) -> dict[str, object]:
    """A plan, as CompletionPreviewSerializer describes it."""
    codes = location_codes(plan)
    return {
        "item": plan.item.sku,
        "item_id": plan.item.pk,
        "unit": plan.item.stock_unit,
        "bom_id": plan.bom_id,
        "bom_version": plan.bom_version,
        "work_order": None if plan.work_order is None else plan.work_order.number,
        "good": as_text(plan.good),
        "scrapped": as_text(plan.scrapped),
        "scrap_location": None if plan.scrap_location is None else plan.scrap_location.code,
        "source_location": None if plan.source_location is None else plan.source_location.code,
        "output_location": plan.output_location.code,
        "output_lot": plan.output_lot_code,
        "output_expires_on": None if plan.output_expires_on is None else plan.output_expires_on.isoformat(),
        "output_status": str(plan.output_status),
        "output_on_hand": as_text(plan.output_on_hand),
        "consumed_value": quantity_text(plan.consumed_value),
        "output_value": quantity_text(plan.output_value),
        "operation_value": as_text(plan.operation_value),
        "work": [_work(one) for one in plan.work],
        "operation_costs": [
            {"kind": kind, "amount": as_text(amount)} for kind, amount in sorted(plan.operation_costs.items())
        ],
        "by_product_value": quantity_text(plan.by_product_value),
        "unit_cost": unit_cost_text(plan.output_value, plan.good),
        "is_postable": plan.is_postable,
        "problems": [problem_of(problem) for problem in plan.problems],
        "completable": quantity_text(plan.completable),
        "lines": [
            {
                **planned_line(line, codes),
                "on_hand": as_text(line.on_hand),
                "on_hand_after": as_text(line.on_hand_after),
                "free": as_text(line.free),
                "short": as_text(line.short),
            }
            for line in plan.lines
        ],
        "outputs": [_planned_output(output) for output in plan.outputs],
        "nested": _nested_previews(plan.nested),
    }


def _nested_previews(plans: Sequence[CompletionPlan], level: int = 1) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for plan in plans:
        codes = location_codes(plan)
        rows.append(
            {
                "level": level,
                "item": plan.item.sku,
                "item_id": plan.item.pk,
                "unit": plan.item.stock_unit,
                "bom_id": plan.bom_id,
                "good": as_text(plan.good),
                "output_location": plan.output_location.code,
                "consumed_value": quantity_text(plan.consumed_value),
                "unit_cost": unit_cost_text(plan.output_value, plan.good),
                "lines": [planned_line(line, codes) for line in plan.lines],
            }
        )
        rows += _nested_previews(plan.nested, level + 1)
    return rows


def problem_of(problem: DomainError) -> dict[str, object]:
    return {"code": problem.code, "detail": problem.message, "context": problem.context}


def location_codes(plan: CompletionPlan) -> dict[int, str]:
    """The codes of the places components come from; only bins that the request did not name are read."""
    codes = {place.pk: place.code for place in (plan.source_location, plan.output_location) if place is not None}
    wanted = {pick.location_id for line in plan.lines for pick in line.picks} - codes.keys()
    if wanted:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, code FROM inventory_location WHERE id = ANY(%s::bigint[])", [list(wanted)])
            codes.update(cursor.fetchall())
    return codes
