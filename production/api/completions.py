"""Completions: previewed, posted, read, and taken back."""

from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.idempotency import Reply, key_of
from inventory.api.references import in_stock_units
from inventory.api.resources import Endpoint, ListOne
from inventory.api.stock import MOVEMENTS
from production.api.completion_answers import (
    DETAILS,
    SUMMARIES,
    body_of_result,
    detail_of,
    posted_of,
    preview_of,
    summary_of,
)
from production.api.completion_batches import BATCH_ENDPOINTS, BatchCompletions
from production.api.completion_requests import CompletionBody, completion_request
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
from production.api.variances import VARIANCE_ENDPOINTS, VariancesOfPeriod
from production.models import Completion, CompletionReversal
from production.operations.completing import complete_production, preview_completion
from production.operations.reversal_preview import preview_reversal
from production.operations.reversing import reverse_completion

REVERSALS = CompletionReversal.objects.prefetch_related(Prefetch("posting__movements", MOVEMENTS.order_by("id")))


class CompletionResource(VariancesOfPeriod, BatchCompletions, ListOne):
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
        **BATCH_ENDPOINTS,
        **VARIANCE_ENDPOINTS,
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
        key_of(request)  # a body is only looked at when there is a key
        asked = CompletionBody(self.values())

        def work(key: UUID) -> Reply:
            result = complete_production(key=key, request=asked.request(), actor=request.user)
            if result.plan is None:
                found = DETAILS.get(pk=result.completion.pk)
                return Reply(posted_of(found), self.endpoint.status, replayed=True)
            return Reply(body_of_result(result, result.plan, actor=request.user.get_username()), self.endpoint.status)

        return self.answer_once(request, work, reading=asked.reading)

    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """What posting the same body would do now, by the same code; nothing is written."""
        plan = preview_completion(request=completion_request(self.values()), actor=request.user)
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
