"""Making what is missing of a made component in the same transaction: completions within a completion (rule S12).

Each level is a posting of its own with its own cost, linked to the one that needed it; all of them stand or fall together.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from uuid import UUID, uuid5

from inventory.errors import DomainError, WrongState
from inventory.locks import lock_for_posting
from inventory.models import Item, Posting, StockStatus
from inventory.quantities import ZERO, as_text, round_up
from production.explosion import MANUAL, expected_usage
from production.facts import Recipe
from production.models import DEMAND_KIND, WorkOrder
from production.operations.completing.requests import CompletionPlan, CompletionRequest, item_of
from production.reads.structures import Structures, load_structures

LEVELS_MAX = 20

Complete = Callable[[UUID, CompletionRequest, Posting], CompletionPlan]
"""Posts a nested completion under a key, for a parent; returns what it did."""


def may_nest(request: CompletionRequest, recipe: Recipe) -> bool:
    """Whether missing components could be made: some line says so, or the request does."""
    return request.build_missing or bool(recipe.builds)


def make_missing(
    *,
    posting: Posting,
    request: CompletionRequest,
    order: WorkOrder | None,
    recipe: Recipe,
    on: date,
    depth: int,
    complete: Complete,
) -> Sequence[CompletionPlan]:
    """Complete what is missing of every component that may be built, and return what was done, in order.

    All pools and cells of all levels are locked before the first is decided, in key order. Raises what a completion raises,
    naming the component it was needed for.
    """
    if depth > LEVELS_MAX:
        raise WrongState(f"{item_of(request).sku} would be made through more than {LEVELS_MAX} levels.")
    structures = load_structures(items=list(recipe.components), on=on)
    built = [
        rate
        for rate in recipe.rates
        if not rate.is_consumable
        and rate.component_id in structures.in_force
        and (request.build_missing or rate.component_id in recipe.builds)
    ]
    if not built:
        return ()
    source = request.source_location or (order.source_location if order else None)
    rows = lock_for_posting(
        items=_all_below(structures, list(recipe.components)),
        pools_of=[item_of(request).pk],
        within=source.path if source else "/",
        locations=[order.floor_location_id] if order and order.floor_location_id else [],
        demand=(DEMAND_KIND, order.number) if order else None,
        lock=True,
    )
    started_before = order.good + order.scrapped if order else ZERO
    entered = {actual.component.pk: actual.quantity for actual in request.actuals if actual.replaces is None}
    done = []
    for rate in built:
        component = recipe.components[rate.component_id]
        if rate.is_optional or rate.issue_method == MANUAL:
            needed = entered.get(component.id, ZERO)
        else:
            needed = entered.get(component.id) or expected_usage(
                rate,
                started_after=started_before + request.good + request.scrapped,
                booked=recipe.booked.get(rate.key, ZERO),
                step=component.step,
            )
        cells = [
            c
            for c in rows.of_item(component.id, status=StockStatus.AVAILABLE)
            if (c.is_pickable and (source is not None or c.is_own)) and (c.expires_on is None or c.expires_on >= on)
        ]
        missing = needed - sum((cell.free + rows.own_quantity(cell.id) for cell in cells), ZERO)
        if missing > ZERO:
            done.append(_make(posting, request, order, component.id, missing, complete=complete))
    return done


def _make(
    posting: Posting,
    request: CompletionRequest,
    order: WorkOrder | None,
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
    target = source or request.output_location or (order.output_location if order else None)
    nested = CompletionRequest(
        item=component,
        good=round_up(Fraction(missing), component.step),
        source_location=source,
        output_location=target,
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


def unnested(request: CompletionRequest) -> CompletionRequest:
    """The request once its missing components have been made."""
    return replace(request, build_missing=False)
