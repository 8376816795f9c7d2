"""Recording a completion: components leave by the BOM, the output comes in, in one transaction (the backflush)."""

from datetime import date
from uuid import UUID, uuid4

from django.utils import timezone

from inventory.errors import DomainError
from inventory.models import Posting, PostingKind
from inventory.operations.exceptions import report_exception
from inventory.operations.posting import Actor, claim_posting, post
from inventory.operations.transactions import operation, try_out
from inventory.quantities import as_text
from production.facts import Recipe
from production.models import DEMAND_KIND, Completion, WorkOrder
from production.operations.completing.lots_made import receive_outputs
from production.operations.completing.nesting import is_short, make_missing, may_nest
from production.operations.completing.plans import order_of, plan_completion, recipe_for, recipe_question
from production.operations.completing.promising import free_the_rest, promise_output
from production.operations.completing.refusing import check_request
from production.operations.completing.requests import (
    Actual,
    ByProduct,
    CompletionPlan,
    CompletionRequest,
    CompletionResult,
    OutputLot,
    PlannedOutput,
    PlannedWork,
    as_request,
    item_of,
)
from production.operations.completing.writing import completion_of, note_written

__all__ = [
    "DEMAND_KIND",
    "Actual",
    "ByProduct",
    "CompletionPlan",
    "CompletionRequest",
    "CompletionResult",
    "OutputLot",
    "PlannedOutput",
    "PlannedWork",
    "complete_production",
    "item_of",
    "preview_completion",
]


def preview_completion(*, request: CompletionRequest, actor: Actor) -> CompletionPlan:
    """What `complete_production` would do with the request now, by the same code; nothing is written.

    Shortages, missing reasons and the like are listed in `problems`. Where missing components would be made, they are made
    and taken back with the transaction. Raises DomainError for a request that cannot be planned at all: no BOM, no place
    for the output, an impossible quantity, a closed order.
    """
    check_request(request, actor=actor)
    day = timezone.localdate(request.effective_at or timezone.now())
    order = order_of(request, lock=False)
    recipe = recipe_for(request, order, on=day)
    if not may_nest(request, recipe):
        return plan_completion(request, order, recipe, actor=actor, on=day, lock=False)[0]
    plan, *_ = plan_completion(request, order, recipe, actor=actor, on=day, lock=False)
    if not is_short(plan):
        return plan
    try:
        return try_out(lambda: _plan_with_nested(request, order, recipe, actor=actor, on=day))
    except DomainError as error:
        plan.problems = [*plan.problems, error]
    return plan


def _plan_with_nested(
    request: CompletionRequest, order: WorkOrder | None, recipe: Recipe, *, actor: Actor, on: date
) -> CompletionPlan:
    claim = claim_posting(
        key=uuid4(), kind=PostingKind.COMPLETION, request={}, actor=actor, effective_at=request.effective_at
    )
    nested = _nested(claim.posting, request, order, recipe, actor=actor, on=on, depth=0)
    plan, *_ = plan_completion(request, order, recipe, actor=actor, on=on, lock=False)
    plan.nested = nested
    return plan


@operation
def complete_production(*, key: UUID, request: CompletionRequest, actor: Actor) -> CompletionResult:
    """Post a completion: issue components, receive the outputs, roll up their cost, book the work order.

    Missing components that may be built are made first, each by a completion of its own in the same transaction. What a
    demand ordered is reserved for it. Raises IdempotencyMismatch, OrderClosed, InvalidBom, InvalidQuantity,
    InvalidQuantityStep, OverCompletion, UnusualQuantity, ConsumptionVariance, InvalidSubstitute, lot refusals,
    InsufficientStock or ReservedByOther (naming every short item), NegativeNotAllowed; nothing is written.
    """
    return _complete(key, request, actor=actor)


def _complete(
    key: UUID, request: CompletionRequest, *, actor: Actor, parent: Posting | None = None, depth: int = 0
) -> CompletionResult:
    item = check_request(request, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.COMPLETION,
        request=as_request(request),
        actor=actor,
        effective_at=request.effective_at,
        reference=request.work_order.number if request.work_order else request.reference,
        reason=request.reason,
        note=request.note,
        related=parent,
        asking=None if request.work_order else lambda at: recipe_question(request, on=timezone.localdate(at)),
    )
    if not claim.is_new:
        known = Completion.objects.select_related("item", "output_lot").get(posting=claim.posting)
        return CompletionResult(claim.posting, known, replayed=True)

    posting = claim.posting
    day = timezone.localdate(posting.effective_at)
    order = order_of(request, lock=True)
    recipe = recipe_for(request, order, on=day, answer=None if order else claim.answer)
    nested: list[CompletionPlan] = []
    if may_nest(request, recipe):
        nested = _nested(posting, request, order, recipe, actor=actor, on=day, depth=depth)
    plan, lines, usual = plan_completion(request, order, recipe, actor=actor, on=day, lock=True, posting_id=posting.pk)
    plan.nested = nested
    if plan.problems:
        raise plan.problems[0]
    lot_ids = receive_outputs(lines.draft, plan, item=item, on=day, usual=usual)
    completion, along = completion_of(posting, plan, lot_ids, parent=parent)
    post(posting=posting, draft=lines.draft, along=along)
    note_written(completion, plan, lot_ids)
    if lines.draft.overdrawn:
        _report_below_zero(posting, plan, actor=actor)
    if order is not None:
        promise_output(order, plan, lot_ids, actor=actor)
        free_the_rest(order, lines.draft, actor=actor)
    return CompletionResult(posting, completion, replayed=False, plan=plan)


def _nested(
    posting: Posting,
    request: CompletionRequest,
    order: WorkOrder | None,
    recipe: Recipe,
    *,
    actor: Actor,
    on: date,
    depth: int,
) -> list[CompletionPlan]:
    def complete(key: UUID, wanted: CompletionRequest, parent: Posting) -> CompletionPlan:
        result = _complete(key, wanted, actor=actor, parent=parent, depth=depth + 1)
        assert result.plan is not None, "a nested completion has a key of its own"
        return result.plan

    return list(
        make_missing(
            posting=posting,
            request=request,
            order=order,
            recipe=recipe,
            actor=actor,
            on=on,
            depth=depth,
            complete=complete,
        )
    )


def _report_below_zero(posting: Posting, plan: CompletionPlan, *, actor: Actor) -> None:
    """Stock below zero is allowed for a reason and never forgotten: it opens an exception for each item."""
    for line in plan.lines:
        if line.overdrawn:
            report_exception(
                kind="negative_stock",
                area="production",
                fingerprint=f"negative_stock:{line.component.id}",
                title=f"{line.component.sku} went below zero",
                reason=f"{posting} used {as_text(line.actual)} {line.component.stock_unit}; "
                f"{as_text(line.actual - line.overdrawn)} were free. Reason given: {posting.reason}.",
                evidence={"posting": posting.pk, "item": line.component.sku, "used": as_text(line.actual)},
                subject=line.component.sku,
                url=f"/stock/items/{line.component.id}/",
                action="Count or receive it",
                action_url=f"/stock/receive/?item={line.component.sku}",
                actor=actor,
            )
