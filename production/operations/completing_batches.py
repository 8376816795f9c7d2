"""Many completions at once: all of them or none, each by itself, or only tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from inventory.bulk import as_one_act
from inventory.errors import DomainError
from inventory.operations.posting import Actor
from inventory.operations.transactions import is_within_operation, run_in_transaction
from production.operations.completing import CompletionRequest, CompletionResult, complete_production


class BatchMode(StrEnum):
    CHECK = "check"  # nothing is kept
    ALL = "all"  # all, or none when one is refused
    EACH = "each"  # those that can be posted


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of one completion, or would: its result, or why it is refused. One of them is None."""

    result: CompletionResult | None
    problem: DomainError | None


@dataclass(frozen=True, slots=True)
class BatchResult:
    outcomes: Sequence[BatchOutcome]
    is_kept: bool
    """Whether what has a result was posted."""


def complete_batch(*, entries: Sequence[tuple[UUID, CompletionRequest]], mode: BatchMode, actor: Actor) -> BatchResult:
    """Post completions in the given order, each under its key; later ones find what earlier ones left and made.

    Nothing is raised for a completion that is refused: its outcome says why. With EACH every completion has a transaction of
    its own, so the others stand; within another operation they share its transaction, and what is refused leaves no trace.
    """
    with as_one_act("completion", items=len({_product_id(request) for _, request in entries})):
        return _complete_all(entries, mode, actor)


def _product_id(request: CompletionRequest) -> int | None:
    if request.item is not None:
        return request.item.pk
    return None if request.work_order is None else request.work_order.item_id


def _complete_all(entries: Sequence[tuple[UUID, CompletionRequest]], mode: BatchMode, actor: Actor) -> BatchResult:
    if mode == BatchMode.EACH and not is_within_operation():
        return BatchResult([_alone(key, request, actor) for key, request in entries], is_kept=True)

    def work() -> BatchResult:
        outcomes = [_within(key, request, actor) for key, request in entries]
        is_kept = mode == BatchMode.EACH
        is_kept |= mode == BatchMode.ALL and all(outcome.problem is None for outcome in outcomes)
        if not is_kept:
            transaction.set_rollback(True)
        return BatchResult(outcomes, is_kept)

    return run_in_transaction(work)


def _alone(key: UUID, request: CompletionRequest, actor: Actor) -> BatchOutcome:
    try:
        return BatchOutcome(complete_production(key=key, request=request, actor=actor), None)
    except DomainError as error:
        return BatchOutcome(None, error)


def _within(key: UUID, request: CompletionRequest, actor: Actor) -> BatchOutcome:
    try:
        with transaction.atomic():
            return BatchOutcome(complete_production(key=key, request=request, actor=actor), None)
    except DomainError as error:
        return BatchOutcome(None, error)
