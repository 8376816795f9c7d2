"""Completions: previewed, posted, read, and taken back."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.idempotency import Reply
from inventory.api.references import Named, Where, find_items_and_locations, find_one, in_stock_units
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.api.stock import MOVEMENTS, picked_lots
from inventory.models import Item, Location
from production.api.completion_answers import body_of_result, detail_of, posted_of, preview_of, summary_of
from production.api.completion_serializers import (
    CompletionDetailSerializer,
    CompletionInputSerializer,
    CompletionPreviewSerializer,
    CompletionReversalSerializer,
    CompletionSerializer,
    CompletionSummarySerializer,
    ReversalPreviewSerializer,
    ReversalQuerySerializer,
    ReverseCompletionSerializer,
)
from production.api.filters import CompletionFilter
from production.api.true_cost_serializers import TrueCostSerializer, true_cost_of
from production.models import Bom, Completion, CompletionLine, CompletionOutput, CompletionReversal, WorkOrder
from production.operations.completing import (
    Actual,
    ByProduct,
    CompletionRequest,
    OutputLot,
    complete_production,
    preview_completion,
)
from production.operations.reversal_preview import preview_reversal
from production.operations.reversing import reverse_completion

SUMMARIES = Completion.objects.select_related(
    "posting__actor", "item", "bom", "work_order", "source_location", "output_location", "output_lot"
)
DETAILS = SUMMARIES.prefetch_related(
    Prefetch("lines", CompletionLine.objects.select_related("component", "substitute_for").order_by("id")),
    Prefetch("outputs", CompletionOutput.objects.select_related("item", "lot", "location")),
    Prefetch("nested", Completion.objects.only("pk", "parent")),
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
        "reversal": Endpoint("production.reverse_completion", ReversalPreviewSerializer, query=ReversalQuerySerializer),
        "true_cost": Endpoint("production.view_completion", TrueCostSerializer),
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

    @action(detail=True, methods=["get"], url_path="true-cost")
    def true_cost(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What it truly cost, part by part, planned and actual, and why it differs."""
        completion: Completion = self.get_object()
        return Response(self.shape(true_cost_of(completion)))

    @action(detail=True, methods=["get"])
    def reversal(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What taking it back would do now, whole or by quantity, and everything that stands in the way."""
        completion: Completion = self.get_object()
        return self.answer(preview_reversal(completion=completion, good=self.parameters()["good"], actor=request.user))

    def _completion_request(self) -> CompletionRequest:
        """The body with its objects: one statement for items and places, one each where named for lots, order and BOM."""
        values = self.values()
        order = _work_order(values)
        actuals, by_products = values.pop("actuals"), values.pop("by_products")
        named: list[tuple[Where, Named]] = [] if order else [(("item",), values["item"])]
        for number, line in enumerate(actuals):
            named.append((("actuals", number, "component"), line["component"]))
            if line["replaces"] is not None:
                named.append((("actuals", number, "replaces"), line["replaces"]))
        named += [(("by_products", number, "item"), by["item"]) for number, by in enumerate(by_products)]
        places: list[tuple[Where, Named]] = [
            ((name,), values[name]) for name in ("source_location", "output_location") if values[name] is not None
        ]
        places += [
            (("by_products", number, "location"), by["location"])
            for number, by in enumerate(by_products)
            if by["location"] is not None
        ]
        those, locations = find_items_and_locations(named, places)
        items = dict(zip([where for where, _ in named], those, strict=True))
        item = order.item if order else items[("item",)]
        found = dict(zip([where for where, _ in places], locations, strict=True))
        bom_id, unit = values["bom_id"], values["unit"]
        good, scrapped = in_stock_units([(item, values["good"], unit), (item, values["scrapped"], unit)])
        return CompletionRequest(
            good=good,
            item=None if order else item,
            work_order=order,
            scrapped=scrapped,
            scrap_reason=values["scrap_reason"],
            source_location=found.get(("source_location",)),
            output_location=found.get(("output_location",)),
            output_lot_code=values["output_lot"],
            expires_on=values["expires_on"],
            output_lots=_output_lots(item, values),
            actuals=_actuals(actuals, items),
            by_products=_by_products(by_products, items, found),
            bom=None if bom_id is None else find_one(Bom, "id", where=("bom_id",), name=bom_id, what="BOM version"),
            reason=values["reason"],
            reference=values["reference"],
            note=values["note"],
            effective_at=values["effective_at"],
            build_missing=values["build_missing"],
            may_go_below=values["may_go_below"],
            is_confirmed=values["is_confirmed"],
        )


def _work_order(values: Mapping[str, Any]) -> WorkOrder | None:
    named = values["work_order"]
    if (named is None) == (values["item"] is None):
        raise ValidationError({"item": ["Give either the item that was made, or the work order."]})
    if named is None:
        return None
    order = find_one(WorkOrder, "number", where=("work_order",), name=named, what="work order")
    return WorkOrder.objects.select_related("item").get(pk=order.pk)


def _output_lots(item: Item, values: Mapping[str, Any]) -> list[OutputLot]:
    if values["serials"]:
        return [OutputLot(serial, Decimal(1), values["expires_on"]) for serial in values["serials"]]
    lots = values["output_lots"]
    quantities = in_stock_units([(item, lot["quantity"], values["unit"]) for lot in lots])
    return [
        OutputLot(lot["lot"], quantity, lot["expires_on"] or values["expires_on"])
        for lot, quantity in zip(lots, quantities, strict=True)
    ]


def _actuals(lines: Sequence[Mapping[str, Any]], items: Mapping[Where, Item]) -> list[Actual]:
    if not lines:
        return []
    components = [items[("actuals", number, "component")] for number in range(len(lines))]
    both = [
        (item, line[name], line["unit"])
        for name in ("quantity", "scrapped")
        for item, line in zip(components, lines, strict=True)
    ]
    quantities = in_stock_units(both)
    return [
        Actual(
            component=item,
            quantity=quantities[number],
            reason=line["reason"],
            lots=picked_lots(item, line["lots"], line["unit"], at=("actuals", number)),
            replaces=items.get(("actuals", number, "replaces")),
            scrapped=quantities[len(lines) + number],
            cause=line["cause"] or "",
        )
        for number, (line, item) in enumerate(zip(lines, components, strict=True))
    ]


def _by_products(
    lines: Sequence[Mapping[str, Any]], items: Mapping[Where, Item], places: Mapping[Where, Location]
) -> list[ByProduct]:
    made = [items[("by_products", number, "item")] for number in range(len(lines))]
    quantities = in_stock_units(
        [(item, line["quantity"], line["unit"]) for item, line in zip(made, lines, strict=True)]
    )
    return [
        ByProduct(item, quantity, location=places.get(("by_products", number, "location")), lot_code=line["lot"])
        for number, (line, item, quantity) in enumerate(zip(lines, made, quantities, strict=True))
    ]
