"""Completions: previewed, posted, read, and taken back."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Prefetch
from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import moment_text
from inventory.api.idempotency import Reply
from inventory.api.references import find_items_and_locations, find_one, in_stock_units
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.api.serializers import quantity_text
from inventory.api.stock import MOVEMENTS, picked_lots
from inventory.errors import DomainError
from inventory.models import Item, Movement, Posting
from inventory.quantities import PLACES, ZERO, as_text, round_half_up
from production.api.filters import CompletionFilter
from production.api.serializers import (
    CompletionDetailSerializer,
    CompletionInputSerializer,
    CompletionPreviewSerializer,
    CompletionReversalSerializer,
    CompletionSerializer,
    CompletionSummarySerializer,
    ReverseCompletionSerializer,
)
from production.models import Bom, Completion, CompletionLine, CompletionReversal, WorkOrder
from production.operations.completing import (
    Actual,
    CompletionPlan,
    CompletionRequest,
    CompletionResult,
    complete_production,
    preview_completion,
)
from production.operations.reversing import reverse_completion
from production.planning import PlannedLine, PlannedPick

SUMMARIES = Completion.objects.select_related(
    "posting__actor", "item", "bom", "work_order", "source_location", "output_location", "output_lot"
)
DETAILS = SUMMARIES.prefetch_related(
    Prefetch("lines", CompletionLine.objects.select_related("component").order_by("id")),
    Prefetch("posting__movements", MOVEMENTS.order_by("id")),
    "reversals",
)
REVERSALS = CompletionReversal.objects.prefetch_related(Prefetch("posting__movements", MOVEMENTS.order_by("id")))


class CompletionResource(ListOne, Resource):
    """Recorded production, newest first."""

    queryset = SUMMARIES
    filterset_class = CompletionFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("production.view_completion", CompletionSummarySerializer),
        "retrieve": Endpoint("production.view_completion", CompletionDetailSerializer),
        "create": Endpoint(
            "production.record_completion", CompletionSerializer, CompletionInputSerializer, status=201, is_keyed=True
        ),
        "preview": Endpoint("production.record_completion", CompletionPreviewSerializer, CompletionInputSerializer),
        "reverse": Endpoint(
            "production.reverse_completion",
            CompletionReversalSerializer,
            ReverseCompletionSerializer,
            status=201,
            is_keyed=True,
        ),
    }

    def list(self, request: Request) -> Response:  # noqa: ARG002
        """Page by page; `next` and `previous` are the addresses of the pages around this one."""
        page = self.page()
        answer: Response = self.get_paginated_response([summary_of(completion) for completion in page])
        return answer

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One of them by its id, with lines and movements."""
        found: Completion = self.get_object()
        return Response(detail_of(DETAILS.get(pk=found.pk)))

    def create(self, request: Request) -> HttpResponse:
        """Post a completion: components leave by the BOM, the output comes in, in one step or not at all."""

        def work(key: UUID) -> Reply:
            result = complete_production(key=key, request=self._completion_request(), actor=request.user)
            if result.plan is None:
                found = DETAILS.get(pk=result.completion.pk)
                return Reply(posted_of(found), self.endpoint.status, replayed=True)
            return Reply(body_of_result(result, result.plan, actor=request.user.get_username()), self.endpoint.status)

        return self.answer_once(request, work)

    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """What posting the same body would do now, by the same code; nothing is written."""
        plan = preview_completion(request=self._completion_request(), actor=request.user)
        return Response(preview_of(plan))

    @action(detail=True, methods=["post"])
    def reverse(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Take a completion back, whole or by quantity, exactly: same lots, places and values."""

        def work(key: UUID) -> Reply:
            completion: Completion = self.get_object()
            values = self.values()
            good = values["good"]
            if good is not None:
                (good,) = in_stock_units([(completion.item, good, values["unit"])])
            result = reverse_completion(
                key=key, completion=completion, good=good, reason=values["reason"], actor=request.user
            )
            return self.reply(REVERSALS.get(pk=result.posting.pk), replayed=result.replayed)

        return self.answer_once(request, work)

    def _completion_request(self) -> CompletionRequest:
        """The body with its objects: one statement for items and places, one each where named for lots, order and BOM."""
        values = self.values()
        order = _work_order(values)
        actuals = values.pop("actuals")
        named: list[tuple[tuple[str | int, ...], str | int]] = [] if order else [(("item",), values["item"])]
        named += [(("actuals", number, "component"), line["component"]) for number, line in enumerate(actuals)]
        places = [name for name in ("source_location", "output_location") if values[name] is not None]
        items, locations = find_items_and_locations(named, [((name,), values[name]) for name in places])
        item = order.item if order else items[0]
        components = items if order else items[1:]
        found = dict(zip(places, locations, strict=True))
        bom_id, unit = values["bom_id"], values["unit"]
        good, scrapped = in_stock_units([(item, values["good"], unit), (item, values["scrapped"], unit)])
        return CompletionRequest(
            good=good,
            item=None if order else item,
            work_order=order,
            scrapped=scrapped,
            scrap_reason=values["scrap_reason"],
            source_location=found.get("source_location"),
            output_location=found.get("output_location"),
            output_lot_code=values["output_lot"],
            expires_on=values["expires_on"],
            actuals=_actuals(actuals, components),
            bom=None if bom_id is None else find_one(Bom, "id", where=("bom_id",), name=bom_id, what="BOM version"),
            reason=values["reason"],
            reference=values["reference"],
            note=values["note"],
            effective_at=values["effective_at"],
        )


def _work_order(values: Mapping[str, Any]) -> WorkOrder | None:
    named = values["work_order"]
    if (named is None) == (values["item"] is None):
        raise ValidationError({"item": ["Give either the item that was made, or the work order."]})
    if named is None:
        return None
    order = find_one(WorkOrder, "number", where=("work_order",), name=named, what="work order")
    return WorkOrder.objects.select_related("item").get(pk=order.pk)


def _actuals(lines: Sequence[Mapping[str, Any]], components: Sequence[Item]) -> list[Actual]:
    if not lines:
        return []
    quantities = in_stock_units(
        [(item, line["quantity"], line["unit"]) for line, item in zip(lines, components, strict=True)]
    )
    return [
        Actual(
            component=item,
            quantity=quantity,
            reason=line["reason"],
            lots=picked_lots(item, line["lots"], line["unit"], at=("actuals", number)),
        )
        for number, (line, item, quantity) in enumerate(zip(lines, components, quantities, strict=True))
    ]


# --- Answers. Put together by hand: a posted completion is answered from its plan, without reading it again ------------


def unit_cost_text(value: Decimal | None, good: Decimal) -> str | None:
    """Cost of one good unit, half up to six places; None when unknown or when nothing good was made."""
    if value is None or not good:
        return None
    return as_text(round_half_up(Fraction(value) / Fraction(good), PLACES))


def body_of_result(result: CompletionResult, plan: CompletionPlan, *, actor: str) -> dict[str, object]:
    """A completion just posted, as CompletionSerializer describes it."""
    completion, posting = result.completion, result.posting
    codes = _location_codes(plan)
    lot = plan.output_lot_code if plan.good else None
    return {
        **_head(completion, posting, item=plan.item, bom_version=plan.bom_version, output_lot=lot, actor=actor),
        "lines": [_planned_line(line, codes) for line in plan.lines],
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
    return {**summary_of(completion), "lines": [_stored_line(line, left) for line in completion.lines.all()]}


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
    source, order = completion.source_location, completion.work_order
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
        "source_location": None if source is None else source.code,
        "output_location": completion.output_location.code,
        "output_lot": output_lot,
        "output_status": str(completion.output_status),
        "consumed_value": quantity_text(completion.consumed_value),
        "output_value": quantity_text(completion.output_value),
        "unit_cost": unit_cost_text(completion.output_value, completion.good),
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


def _planned_line(line: PlannedLine, codes: Mapping[int, str]) -> dict[str, object]:
    return {
        "component": line.component.sku,
        "component_id": line.component.id,
        "unit": line.component.stock_unit,
        "expected": as_text(line.expected),
        "actual": as_text(line.actual),
        "reason": line.reason,
        "value": quantity_text(line.value),
        "is_consumable": line.is_consumable,
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
        "picks": picks,
    }


def preview_of(plan: CompletionPlan) -> dict[str, object]:
    """A plan, as CompletionPreviewSerializer describes it."""
    codes = _location_codes(plan)
    return {
        "item": plan.item.sku,
        "item_id": plan.item.pk,
        "unit": plan.item.stock_unit,
        "bom_id": plan.bom_id,
        "bom_version": plan.bom_version,
        "work_order": None if plan.work_order is None else plan.work_order.number,
        "good": as_text(plan.good),
        "scrapped": as_text(plan.scrapped),
        "source_location": None if plan.source_location is None else plan.source_location.code,
        "output_location": plan.output_location.code,
        "output_lot": plan.output_lot_code,
        "output_expires_on": None if plan.output_expires_on is None else plan.output_expires_on.isoformat(),
        "output_status": str(plan.output_status),
        "output_on_hand": as_text(plan.output_on_hand),
        "consumed_value": quantity_text(plan.consumed_value),
        "output_value": quantity_text(plan.output_value),
        "unit_cost": unit_cost_text(plan.output_value, plan.good),
        "is_postable": plan.is_postable,
        "problems": [_problem(problem) for problem in plan.problems],
        "completable": quantity_text(plan.completable),
        "lines": [
            {
                **_planned_line(line, codes),
                "on_hand": as_text(line.on_hand),
                "on_hand_after": as_text(line.on_hand_after),
                "free": as_text(line.free),
                "short": as_text(line.short),
            }
            for line in plan.lines
        ],
    }


def _problem(problem: DomainError) -> dict[str, object]:
    return {"code": problem.code, "detail": problem.message, "context": problem.context}


def _location_codes(plan: CompletionPlan) -> dict[int, str]:
    """The codes of the places components come from; only bins that the request did not name are read."""
    codes = {place.pk: place.code for place in (plan.source_location, plan.output_location) if place is not None}
    wanted = {pick.location_id for line in plan.lines for pick in line.picks} - codes.keys()
    if wanted:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, code FROM inventory_location WHERE id = ANY(%s::bigint[])", [list(wanted)])
            codes.update(cursor.fetchall())
    return codes
