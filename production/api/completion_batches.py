"""Many completions in one request: tried, posted all or none, or each that can be."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import Body, Choice, DecimalOut, FlagOut, IdOut, TextOut, lines_of
from inventory.api.idempotency import Reply
from inventory.api.resources import Endpoint, Resource
from inventory.api.serializers import quantity_text
from inventory.errors import DomainError
from inventory.operations.posting import Actor
from inventory.quantities import as_text
from production.api.completion_answers import (
    DETAILS,
    body_of_result,
    location_codes,
    planned_line,
    posted_of,
    problem_of,
    unit_cost_text,
)
from production.api.completion_requests import completion_request
from production.api.completion_serializers import (
    CompletionInputSerializer,
    CompletionLineSerializer,
    CompletionSerializer,
    ProblemSerializer,
)
from production.errors import BatchRefused
from production.operations.completing import CompletionPlan, CompletionRequest, CompletionResult
from production.operations.completing_batches import BatchMode, BatchResult, complete_batch

ROWS_MAX = 100
MODES = (("all", "All of them, or none"), ("each", "Each that can be posted"))
Problem = Mapping[str, object]


class BatchPreviewInputSerializer(Body):
    rows = lines_of(CompletionInputSerializer, allow_empty=False, length_max=ROWS_MAX)


class BatchInputSerializer(BatchPreviewInputSerializer):
    mode = Choice(
        MODES,
        required=False,
        default="all",
        help_text="`all`: one refusal keeps all from being posted. `each`: those that can be posted are.",
    )


class BatchPlannedSerializer(serializers.Serializer[Any]):
    """One completion as it would be, after those before it."""

    item = TextOut()
    item_id = IdOut()
    unit = TextOut()
    work_order = TextOut(allow_null=True)
    good = DecimalOut()
    scrapped = DecimalOut()
    output_location = TextOut()
    consumed_value = DecimalOut(allow_null=True)
    output_value = DecimalOut(allow_null=True)
    unit_cost = DecimalOut(allow_null=True)
    lines = CompletionLineSerializer(many=True, read_only=True)


class BatchPreviewRowSerializer(serializers.Serializer[Any]):
    """One row: what it would be, or why it is refused; one of the two is null."""

    index = IdOut(help_text="Place of the row in the request, from 0.")
    planned = BatchPlannedSerializer(allow_null=True, read_only=True)
    problem = ProblemSerializer(allow_null=True, read_only=True)


class BatchPreviewSerializer(serializers.Serializer[Any]):
    is_postable = FlagOut(help_text="Whether all of them could be posted now.")
    rows = BatchPreviewRowSerializer(many=True, read_only=True)


class BatchRowSerializer(serializers.Serializer[Any]):
    """One row: the completion that was posted, or why it was refused; one of the two is null."""

    index = IdOut(help_text="Place of the row in the request, from 0.")
    completion = CompletionSerializer(allow_null=True, read_only=True)
    problem = ProblemSerializer(allow_null=True, read_only=True)


class BatchSerializer(serializers.Serializer[Any]):
    posted = IdOut(help_text="How many rows were posted.")
    refused = IdOut(help_text="How many were not.")
    rows = BatchRowSerializer(many=True, read_only=True)


BATCH_ENDPOINTS = {
    "batch": Endpoint("production.record_completion", BatchSerializer, BatchInputSerializer, status=201, is_keyed=True),
    "batch_preview": Endpoint("production.record_completion", BatchPreviewSerializer, BatchPreviewInputSerializer),
}


class BatchCompletions(Resource):
    """Many completions at once; a part of the resource of completions."""

    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> HttpResponse:
        """Post many completions in the given order, by the operation behind the grid and the file.

        With `all` nothing is posted when one of them is refused; with `each` the others stand. When nothing was posted the
        answer is BATCH_REFUSED with the refused rows by their index.
        """

        def work(key: UUID) -> Reply:
            values = self.values()
            mode = BatchMode(values["mode"])
            readings = [_reading(row) for row in values["rows"]]
            wrong = {index: found for index, found in enumerate(readings) if not isinstance(found, CompletionRequest)}
            if wrong and mode == BatchMode.ALL:
                mode = BatchMode.CHECK
            keys = [uuid5(key, f"row {index}") for index in range(len(readings))]
            rows = _run(readings, keys, mode, request.user)
            if not rows.is_kept or not rows.results:
                raise _refusal(rows.problems, of=len(readings))
            body = _posted(rows, len(readings), actor=request.user.get_username())
            return Reply(body, self.endpoint.status, replayed=all(r.plan is None for r in rows.results.values()))

        return self.answer_once(request, work)

    @action(detail=False, methods=["post"], url_path="batch/preview")
    def batch_preview(self, request: Request) -> Response:
        """What posting the same rows one after the other would do now; nothing is written."""
        readings = [_reading(row) for row in self.values()["rows"]]
        rows = _run(readings, [uuid4() for _ in readings], BatchMode.CHECK, request.user)
        body = [
            {
                "index": index,
                "planned": _planned(rows.results[index]) if index in rows.results else None,
                "problem": rows.problems.get(index),
            }
            for index in range(len(readings))
        ]
        return Response({"is_postable": not rows.problems, "rows": body})


class _Rows:
    """What became of the rows, by their index."""

    def __init__(self, is_kept: bool) -> None:
        self.is_kept = is_kept
        self.results: dict[int, CompletionResult] = {}
        self.problems: dict[int, Problem] = {}


def _reading(values: Mapping[str, Any]) -> CompletionRequest | Problem:
    """The row with its objects, or what in it names nothing."""
    try:
        return completion_request(values)
    except DomainError as error:
        return _problem(error)
    except ValidationError as error:
        return {"code": "INVALID", "detail": " ".join(_messages(error.detail)), "context": _plain(error.detail)}


def _problem(error: DomainError) -> Problem:
    found = problem_of(error)
    return {**found, "context": _plain(found["context"])}


def _plain(value: Any) -> Any:
    """As JSON carries it: decimals and everything unusual as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return as_text(value)
    return value if value is None or isinstance(value, bool | int) else str(value)


def _messages(detail: Any) -> list[str]:
    if isinstance(detail, Mapping):
        return [message for inner in detail.values() for message in _messages(inner)]
    if isinstance(detail, list | tuple):
        return [message for inner in detail for message in _messages(inner)]
    return [str(detail)]


def _run(readings: Sequence[CompletionRequest | Problem], keys: Sequence[UUID], mode: BatchMode, actor: Actor) -> _Rows:
    entries = {index: found for index, found in enumerate(readings) if isinstance(found, CompletionRequest)}
    result: BatchResult = complete_batch(
        entries=[(keys[index], wanted) for index, wanted in entries.items()], mode=mode, actor=actor
    )
    rows = _Rows(result.is_kept)
    rows.problems = {i: found for i, found in enumerate(readings) if not isinstance(found, CompletionRequest)}
    for index, outcome in zip(entries, result.outcomes, strict=True):
        if outcome.problem is not None:
            rows.problems[index] = _problem(outcome.problem)
        elif outcome.result is not None:
            rows.results[index] = outcome.result
    return rows


def _refusal(problems: Mapping[int, Problem], *, of: int) -> BatchRefused:
    first = min(problems)
    more = f" And {len(problems) - 1} more." if len(problems) > 1 else ""
    return BatchRefused(
        f"{len(problems)} of {of} completions cannot be posted, so none was. Row {first}: {problems[first]['detail']}{more}",
        rows=[{"index": index, **problems[index]} for index in sorted(problems)],
    )


def _posted(rows: _Rows, count: int, *, actor: str) -> dict[str, object]:
    return {
        "posted": len(rows.results),
        "refused": len(rows.problems),
        "rows": [
            {
                "index": index,
                "completion": _body(rows.results[index], actor) if index in rows.results else None,
                "problem": rows.problems.get(index),
            }
            for index in range(count)
        ],
    }


def _body(result: CompletionResult, actor: str) -> dict[str, object]:
    if result.plan is None:
        return posted_of(DETAILS.get(pk=result.completion.pk))
    return body_of_result(result, result.plan, actor=actor)


def _planned(result: CompletionResult) -> dict[str, object]:
    plan: CompletionPlan | None = result.plan
    assert plan is not None, "a row that is only tried has a new key"
    codes = location_codes(plan)
    return {
        "item": plan.item.sku,
        "item_id": plan.item.pk,
        "unit": plan.item.stock_unit,
        "work_order": None if plan.work_order is None else plan.work_order.number,
        "good": as_text(plan.good),
        "scrapped": as_text(plan.scrapped),
        "output_location": plan.output_location.code,
        "consumed_value": quantity_text(plan.consumed_value),
        "output_value": quantity_text(plan.output_value),
        "unit_cost": unit_cost_text(plan.output_value, plan.good),
        "lines": [planned_line(line, codes) for line in plan.lines],
    }
