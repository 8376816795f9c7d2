"""Making what is missing of a made component in the same transaction: completions within a completion (rule S12).

Each level is a posting of its own with its own cost, linked to the one that needed it; all of them stand or fall together.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from uuid import UUID, uuid5

from inventory.errors import DomainError, WrongState
from inventory.locks import lock_for_posting
from inventory.models import Item, Posting
from inventory.operations.posting import Actor
from inventory.quantities import ZERO, as_text, round_up
from production.facts import Recipe
from production.models import DEMAND_KIND, WorkOrder
from production.operations.completing.plans import plan_completion
from production.operations.completing.requests import CompletionPlan, CompletionRequest, item_of
from production.reads.structures import Structures, load_structures

LEVELS_MAX = 20

Complete = Callable[[UUID, CompletionRequest, Posting], CompletionPlan]
"""Posts a nested completion under a key, for a parent; returns what it did."""


def may_nest(request: CompletionRequest, recipe: Recipe) -> bool:
    """Whether missing components could be made: some line says so, or the request does."""
    return request.build_missing or bool(recipe.builds)


def is_short(plan: CompletionPlan) -> bool:
    """Whether something is missing that could be made, by a plan from present stock."""
    return any(line.short or line.overdrawn for line in plan.lines)


def make_missing(
    *,
    posting: Posting,
    request: CompletionRequest,
    order: WorkOrder | None,
    recipe: Recipe,
    actor: Actor,
    on: date,
    depth: int,
    complete: Complete,
) -> Sequence[CompletionPlan]:
    """Complete what is missing of every component that may be built, and return what was done, in order.

    What is missing is what the plan of the completion is short of, substitutes and entered quantities included. It is planned
    anew after each build, since that may have used what another component needs: those that use others are built first. All
    pools and cells of all levels are locked before the first is decided, in key order. Raises what a completion raises,
    naming the component it was needed for.
    """
    if depth > LEVELS_MAX:
        raise WrongState(f"{item_of(request).sku} would be made through more than {LEVELS_MAX} levels.")
    structures = load_structures(items=list(recipe.components), on=on)
    built = {
        rate.component_id
        for rate in recipe.rates
        if not rate.is_consumable
        and rate.component_id in structures.in_force
        and (request.build_missing or rate.component_id in recipe.builds)
    }
    if not built:
        return ()
    source = request.source_location or (order.source_location if order else None)
    lock_for_posting(
        items=_all_below(structures, list(recipe.components)),
        pools_of=[item_of(request).pk],
        within=source.path if source else "/",
        locations=[order.floor_location_id] if order and order.floor_location_id else [],
        demand=(DEMAND_KIND, order.number) if order else None,
        lock=True,
    )
    strict = replace(request, may_go_below=False)  # what can be made is made before stock goes below zero
    done: list[CompletionPlan] = []
    plan: CompletionPlan | None = None
    for component_id in _users_first(structures, built):
        if plan is None:
            plan, *_ = plan_completion(strict, order, recipe, actor=actor, on=on, lock=False)
        missing = sum((line.short for line in plan.lines if line.component.id == component_id), ZERO)
        if missing > ZERO:
            done.append(_make(posting, request, order, plan, component_id, missing, complete=complete))
            plan = None
    return done


def _make(
    posting: Posting,
    request: CompletionRequest,
    order: WorkOrder | None,
    plan: CompletionPlan,
    component_id: int,
    missing: Decimal,
    *,
    complete: Complete,
) -> CompletionPlan:
    component = Item.objects.get(pk=component_id)
    if component.inspection_required:
        raise WrongState(
            f"{as_text(missing)} {component.stock_unit} of {component.sku} are missing, and what is made of it must be "
            "inspected first. Complete and release it, then complete this.",
            item=component.sku,
            missing=as_text(missing),
        )
    source = request.source_location or (order.source_location if order else None)
    nested = CompletionRequest(
        item=component,
        good=round_up(Fraction(missing), component.step),
        source_location=source,
        output_location=plan.source_location or plan.output_location,
        reference=order.number if order else request.reference,
        reason=request.reason,
        note=f"Made for {posting}",
        effective_at=request.effective_at,
        build_missing=request.build_missing,
        may_go_below=request.may_go_below,
    )
    try:
        return complete(uuid5(posting.key, f"nested {component_id}"), nested, posting)
    except DomainError as error:
        what = f"{as_text(missing)} {component.stock_unit} of {component.sku}"
        error.reword(f"To make the missing {what}: {error.message}")
        raise


def _all_below(structures: Structures, items: Sequence[int]) -> list[int]:
    """The items and everything below them that a nested completion could touch."""
    return sorted(set(items) | {line.component_id for bom in structures.boms.values() for line in bom.lines})


def _users_first(structures: Structures, items: Collection[int]) -> list[int]:
    """The items in an order in which each comes before what it is made of, at any level."""
    finished: dict[int, None] = {}  # each after everything below it
    waiting = [(item_id, False) for item_id in sorted(items)]
    while waiting:
        item_id, is_below_done = waiting.pop()
        if item_id in finished:
            continue
        bom_id = structures.in_force.get(item_id)
        if is_below_done or bom_id is None:
            finished[item_id] = None
            continue
        waiting.append((item_id, True))
        waiting += [(line.component_id, False) for line in structures.boms[bom_id].lines]
    return [item_id for item_id in reversed(finished) if item_id in items]
