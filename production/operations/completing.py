"""Recording a completion: components leave by the BOM, the output comes in, in one transaction (the backflush)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from inventory.arrays import flags, numbers, texts
from inventory.errors import DomainError, InvalidQuantity, LotExpired, LotMismatch, WrongState
from inventory.locks import lock_for_posting
from inventory.models import CostEntryKind, Item, Location, Lot, Posting, PostingKind, StockStatus, Tracking
from inventory.operations.checking import check_effective_at, check_item, check_location, check_quantity
from inventory.operations.lots import LotSpec, check_lot_code, lots_answered, lots_statement, refuse_serials_on_hand
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, check_step
from inventory.trips import Statement
from production.errors import ConsumptionVariance, OrderClosed, OverCompletion
from production.facts import ComponentFact, Recipe, recipe_of_bom, recipe_of_work_order
from production.models import Bom, Completion, DeviationPolicy, WorkOrder, WorkOrderState
from production.planning import (
    LinePlan,
    PlanInput,
    PlannedLine,
    Usage,
    largest_completable,
    plan_lines,
)

DEMAND_KIND = "work_order"
"""The demand kind of stock that is reserved for a work order; the reference is its number."""


@dataclass(frozen=True, slots=True)
class Actual:
    """What was really used of a component, in its stock unit. Lots are optional; without them the picking order decides."""

    component: Item
    quantity: Decimal
    reason: str = ""
    lots: Sequence[tuple[Lot, Decimal]] = ()


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What a person reports. Either an item or a work order is given; quantities are in the item's stock unit.

    `reason` explains over-completion and deviations that have none of their own. Without `source_location` components come
    from the work order's source, or from any own, unblocked place.
    """

    good: Decimal
    item: Item | None = None
    work_order: WorkOrder | None = None
    scrapped: Decimal = ZERO
    scrap_reason: str = ""
    source_location: Location | None = None
    output_location: Location | None = None
    output_lot_code: str = ""
    expires_on: date | None = None
    actuals: Sequence[Actual] = ()
    bom: Bom | None = None
    reason: str = ""
    reference: str = ""
    note: str = ""
    effective_at: datetime | None = None


@dataclass(slots=True)
class CompletionPlan:
    """What posting the request would do, and what stands in its way (`problems`, in the order they are refused).

    Values in base currency, None when a cost is unknown. `completable` is the largest good quantity that present stock
    allows with the same scrap; None when nothing limits it or nothing is short.
    """

    item: Item
    work_order: WorkOrder | None
    bom_id: int
    bom_version: int
    good: Decimal
    scrapped: Decimal
    scrap_reason: str
    lines: Sequence[PlannedLine]
    problems: Sequence[DomainError]
    consumed_value: Decimal | None
    output_value: Decimal | None
    source_location: Location | None
    output_location: Location
    output_lot_code: str
    output_expires_on: date | None
    output_status: str
    output_on_hand: Decimal
    completable: Decimal | None

    @property
    def is_postable(self) -> bool:
        return not self.problems

    @property
    def unit_cost(self) -> Decimal | None:
        """Base currency per good unit, exact; None when unknown or when nothing good is made."""
        return None if self.output_value is None or not self.good else self.output_value / self.good


@dataclass(frozen=True, slots=True)
class CompletionResult:
    posting: Posting
    completion: Completion
    replayed: bool  # the key had already been used for this very request
    plan: CompletionPlan | None = None  # what was posted; None when replayed


@dataclass(slots=True)
class _Planned:
    plan: CompletionPlan
    lines: LinePlan
    recipe: Recipe
    output_lots: Sequence[LotSpec]
    """The lot of the output, made when the rows were locked; none for a preview, or when nothing good is made."""


def preview_completion(*, request: CompletionRequest, actor: Actor) -> CompletionPlan:
    """What `complete_production` would do with the request now, by the same code; nothing is locked or written.

    Shortages, missing reasons and the like are listed in `problems`. Raises DomainError for a request that cannot be
    planned at all: no BOM, no place for the output, an impossible quantity, a closed order.
    """
    _check(request, actor=actor)
    day = timezone.localdate(request.effective_at or timezone.now())
    return _plan(request, actor=actor, on=day, lock=False).plan


@operation
def complete_production(*, key: UUID, request: CompletionRequest, actor: Actor) -> CompletionResult:
    """Post a completion: issue components, receive the output, roll up its cost, book the work order.

    Raises IdempotencyMismatch, OrderClosed, InvalidBom, InvalidQuantity, InvalidQuantityStep, OverCompletion,
    ConsumptionVariance, lot refusals, InsufficientStock or ReservedByOther (naming every short item); nothing is written.
    """
    item = _check(request, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.COMPLETION,
        request=_as_request(request),
        actor=actor,
        effective_at=request.effective_at,
        reference=request.work_order.number if request.work_order else request.reference,
        reason=request.reason,
        note=request.note,
    )
    if not claim.is_new:
        known = Completion.objects.select_related("item", "output_lot").get(posting=claim.posting)
        return CompletionResult(claim.posting, known, replayed=True)

    posting = claim.posting
    day = timezone.localdate(posting.effective_at)
    planned = _plan(request, actor=actor, on=day, lock=True, posting_id=posting.pk)
    if planned.plan.problems:
        raise planned.plan.problems[0]
    draft, plan = planned.lines.draft, planned.plan
    lot_id = _receive_output(draft, planned, item=item)
    completion = _completion(posting, planned, lot_id)
    post(posting=posting, draft=draft, along=[_writing(completion, plan)])
    _count(plan)
    return CompletionResult(posting, completion, replayed=False, plan=plan)


def item_of(request: CompletionRequest) -> Item:
    """The item that is made; ValueError when neither an item nor a work order is given."""
    if request.work_order is not None:
        return request.work_order.item
    if request.item is None:
        raise ValueError("a completion needs an item or a work order")
    return request.item


def _check(request: CompletionRequest, *, actor: Actor) -> Item:
    """Checks that need no lock; order state and quantity validity come before everything else."""
    item = item_of(request)
    check_item(item)
    if request.good == ZERO and request.scrapped == ZERO:
        raise InvalidQuantity(f"Nothing of {item.sku} was made. Give a good or a scrapped quantity.", item=item.sku)
    for quantity in (request.good, request.scrapped):
        if quantity != ZERO:
            check_quantity(item, quantity)
    if request.scrapped and not request.scrap_reason.strip():
        raise InvalidQuantity(
            f"{as_text(request.scrapped)} {item.stock_unit} of {item.sku} scrapped need a reason. Choose or type one.",
            item=item.sku,
        )
    for actual in request.actuals:
        if actual.quantity != ZERO:
            check_step(
                quantity=actual.quantity,
                step=actual.component.step,
                sku=actual.component.sku,
                unit=actual.component.stock_unit,
            )
    components = [actual.component.pk for actual in request.actuals]
    if len(set(components)) != len(components):
        raise InvalidQuantity("A component has two actual quantities. Give one line for each component.")
    if item.pk in components:
        raise InvalidQuantity(f"{item.sku} cannot be a component of itself.", item=item.sku)
    check_effective_at(request.effective_at, actor=actor)
    return item


def _plan(request: CompletionRequest, *, actor: Actor, on: date, lock: bool, posting_id: int | None = None) -> _Planned:
    item = item_of(request)
    order = _order(request, lock=lock)
    recipe = (
        recipe_of_work_order(order)
        if order is not None
        else recipe_of_bom(item=item, on=on, bom_id=None if request.bom is None else request.bom.pk)
    )
    target = request.output_location or (order.output_location if order else None)
    if target is None:
        raise WrongState(f"Where does the finished {item.sku} go? Choose a location for the output.", item=item.sku)
    check_location(target)
    source = request.source_location or (order.source_location if order else None)
    status = StockStatus.QC_HOLD if item.inspection_required else StockStatus.AVAILABLE
    extras = _extras(request, recipe)
    stocked = {r.component_id for r in recipe.rates if not r.is_consumable} | set(extras)
    lot_code = _output_lot_code(request, item, on=on, posting_id=posting_id)
    output_lots = _output_lots(request, item, lot_code, on=on) if lock else []
    rows = lock_for_posting(
        items=stocked if lock else [*stocked, item.pk],  # the cells of the output are only shown, never taken from
        pools_of=[item.pk],
        within=source.path if source else "/",
        locations=[target.pk],
        statuses=[StockStatus.AVAILABLE, status] if status != StockStatus.AVAILABLE else [status],
        demand=(DEMAND_KIND, order.number) if order else None,
        then=lots_statement(output_lots) if output_lots else None,
        lock=lock,
    )
    given = PlanInput(
        recipe=recipe,
        started_before=order.good + order.scrapped if order else ZERO,
        started=request.good + request.scrapped,
        usages={
            a.component.pk: Usage(a.quantity, a.reason.strip(), [(lot.pk, q) for lot, q in a.lots])
            for a in request.actuals
        },
        extras=extras,
        rows=rows,
        source_path=source.path if source else None,
        source_name=source.code if source else "Stock",
        on=on,
        step=settings.CURRENCY_STEP,
    )
    lines = plan_lines(given)
    problems: list[DomainError] = []
    _refuse_over_completion(request, order, problems)
    _refuse_deviation(request, recipe, lines.lines, actor, problems)
    _refuse_lots(request, on, problems)
    if lines.shortage is not None:
        problems.append(lines.shortage)
    completable = None
    if lines.shortage is not None:
        limit = largest_completable(given, lines, output_step=item.step)
        completable = None if limit is None else max(limit - request.scrapped, ZERO)
    held = [c for c in rows.of_item(item.pk, status=str(status)) if c.location_id == target.pk]
    plan = CompletionPlan(
        item=item,
        work_order=order,
        bom_id=recipe.bom_id,
        bom_version=recipe.bom_version,
        good=request.good,
        scrapped=request.scrapped,
        scrap_reason=request.scrap_reason.strip() if request.scrapped else "",
        lines=lines.lines,
        problems=problems,
        consumed_value=lines.consumed_value,
        output_value=lines.consumed_value if request.good else (None if lines.consumed_value is None else ZERO),
        source_location=source,
        output_location=target,
        output_lot_code=lot_code,
        output_expires_on=_output_expiry(request, item, on=on),
        output_status=str(status),
        output_on_hand=sum((cell.quantity for cell in held), ZERO),
        completable=completable,
    )
    return _Planned(plan, lines, recipe, output_lots)


def _order(request: CompletionRequest, *, lock: bool) -> WorkOrder | None:
    """The work order as it is now, locked when posting: orders come first in the lock order."""
    if request.work_order is None:
        return None
    orders = WorkOrder.objects.select_related("item", "output_location", "source_location")
    if lock:
        orders = orders.select_for_update(of=("self",), no_key=True)
    order = orders.get(pk=request.work_order.pk)
    if not order.is_open:
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()}. Reopen it, or complete {order.item.sku} without it.",
            work_order=order.number,
            state=order.state,
        )
    return order


def _extras(request: CompletionRequest, recipe: Recipe) -> dict[int, ComponentFact]:
    extras = {}
    for actual in request.actuals:
        if actual.component.pk not in recipe.components:
            check_item(actual.component)
            extras[actual.component.pk] = ComponentFact.of(actual.component)
    return extras


def _refuse_over_completion(request: CompletionRequest, order: WorkOrder | None, problems: list[DomainError]) -> None:
    """Good and scrapped of an order stay within its plan and allowance (rule S5); above the plan a reason is needed."""
    if order is None:
        return
    before = order.good + order.scrapped
    after = before + request.good + request.scrapped
    limit = order.planned * (100 + order.over_completion_percent) / 100
    unit = order.item.stock_unit
    made = f"{order.number} plans {as_text(order.planned)} {unit} of {order.item.sku}, {as_text(before)} are done"
    if after > limit:
        left = max(limit - before, ZERO)
        left -= left % order.item.step
        problems.append(
            OverCompletion(
                f"{made}; at most {as_text(left)} more may be completed. Complete fewer, or raise the plan of the order.",
                work_order=order.number,
                planned=as_text(order.planned),
                done=as_text(before),
                allowed=as_text(left),
                given=as_text(request.good + request.scrapped),
            )
        )
    elif after > order.planned and not request.reason.strip():
        problems.append(
            OverCompletion(
                f"{made}; {as_text(after)} is above the plan. That is allowed, but needs a reason.",
                work_order=order.number,
                planned=as_text(order.planned),
                done=as_text(before),
                needs="reason",
            )
        )


def _refuse_deviation(
    request: CompletionRequest,
    recipe: Recipe,
    lines: Sequence[PlannedLine],
    actor: Actor,
    problems: list[DomainError],
) -> None:
    """Actual against standard by the BOM's policy (rule S6); extra components are deviations from zero."""
    if recipe.deviation_policy == DeviationPolicy.FREE:
        return
    tolerance = recipe.deviation_tolerance_percent / 100
    outside = [line for line in lines if abs(line.variance) > line.expected * tolerance]
    if not outside:
        return
    blocked = recipe.deviation_policy == DeviationPolicy.BLOCK
    privileged = actor is None or actor.has_perm("production.deviate_from_bom")  # type: ignore[union-attr]
    unexplained = [line for line in outside if not line.reason and not request.reason.strip()]
    if not unexplained and not (blocked and not privileged):
        return
    described = "; ".join(
        f"{line.component.sku}: standard {as_text(line.expected)}, actual {as_text(line.actual)} {line.component.stock_unit}"
        for line in (outside if blocked and not privileged else unexplained)
    )
    advice = (
        "This BOM allows no deviation: use the standard, or ask somebody with the privilege."
        if blocked and not privileged
        else "Give a reason for each, or one for the completion."
    )
    problems.append(
        ConsumptionVariance(
            f"{described}. {advice}",
            policy=recipe.deviation_policy,
            lines=[
                {
                    "item": line.component.sku,
                    "expected": as_text(line.expected),
                    "actual": as_text(line.actual),
                    "unit": line.component.stock_unit,
                }
                for line in outside
            ],
        )
    )


def _refuse_lots(request: CompletionRequest, on: date, problems: list[DomainError]) -> None:
    """Hand-picked lots belong to their component, are in date, and add up to the actual quantity."""
    for actual in request.actuals:
        if not actual.lots:
            continue
        component = actual.component
        total = sum((quantity for _, quantity in actual.lots), ZERO)
        if total != actual.quantity or any(lot.item_id != component.pk or q <= ZERO for lot, q in actual.lots):
            problems.append(
                LotMismatch(
                    f"The chosen lots give {as_text(total)} {component.stock_unit} of {component.sku}, "
                    f"{as_text(actual.quantity)} are used. Change the lots or the quantity.",
                    item=component.sku,
                    chosen=as_text(total),
                    needed=as_text(actual.quantity),
                )
            )
        expired = [lot for lot, _ in actual.lots if lot.is_expired(on=on)]
        if expired:
            problems.append(
                LotExpired(
                    f"Lot {expired[0]} of {component.sku} expired on {expired[0].expires_on}. Choose another lot.",
                    item=component.sku,
                    lot=expired[0].code,
                    expires_on=str(expired[0].expires_on),
                )
            )


def _output_lot_code(request: CompletionRequest, item: Item, *, on: date, posting_id: int | None) -> str:
    """The lot the output goes into: as given, or the day and the number of the posting; empty for untracked items."""
    if item.tracking == Tracking.NONE or not request.good:
        return check_lot_code(item, request.output_lot_code, request.good) if request.output_lot_code else ""
    automatic = f"{on:%y%m%d}-{posting_id if posting_id is not None else 'new'}"
    return check_lot_code(item, request.output_lot_code or automatic, request.good)


def _output_expiry(request: CompletionRequest, item: Item, *, on: date) -> date | None:
    if item.tracking == Tracking.NONE:
        return None
    if request.expires_on is not None or item.shelf_life_days is None:
        return request.expires_on
    return on + timedelta(days=item.shelf_life_days)


def _output_lots(request: CompletionRequest, item: Item, code: str, *, on: date) -> Sequence[LotSpec]:
    """The lot the good units go into, implicit for an untracked item; none when there are no good units."""
    return [LotSpec(item, code, on, _output_expiry(request, item, on=on))] if request.good else []


def _receive_output(draft: Draft, planned: _Planned, *, item: Item) -> int | None:
    """Put the good units into stock with the whole cost; with none, the cost is scrap expense (rule S8)."""
    plan = planned.plan
    if not plan.good:
        draft.expense(item.pk, CostEntryKind.SCRAP, plan.consumed_value)
        return None
    lots = lots_answered(planned.output_lots, draft.rows.answer)
    refuse_serials_on_hand(planned.output_lots, lots)
    (lot_id,) = lots.values()
    draft.receive((item.pk, plan.output_location.pk, lot_id, plan.output_status), plan.good, plan.output_value)
    return lot_id


_WRITE = """
WITH head AS (
  INSERT INTO production_completion
    (posting_id, item_id, bom_id, work_order_id, good, scrapped, scrap_reason, source_location_id, output_location_id,
     output_lot_id, output_status, consumed_value, output_value, reversed_good, reversed_scrap)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0) RETURNING posting_id
), used AS (
  SELECT * FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::text[], %s::numeric[], %s::boolean[], %s::bigint[])
    AS u(component_id, expected, actual, reason, value, is_consumable, order_line_id)
){booked}, lines AS (
  INSERT INTO production_completionline
    (completion_id, component_id, expected, actual, reason, value, is_consumable, work_order_line_id)
  SELECT head.posting_id, u.component_id, u.expected, u.actual, u.reason, u.value, u.is_consumable, u.order_line_id
  FROM head, used u
)
SELECT posting_id FROM head
"""

_BOOKED = """, counted AS (
  UPDATE production_workorder SET good = good + %s, scrapped = scrapped + %s,
    state = CASE WHEN good + scrapped + %s >= planned THEN 'done' ELSE state END,
    closed_at = CASE WHEN good + scrapped + %s >= planned THEN %s ELSE closed_at END
  WHERE id = %s
), booked AS (
  UPDATE production_workorderline l SET booked = l.booked + u.expected, used = l.used + u.actual
  FROM used u WHERE l.id = u.order_line_id
)"""

_WRITE_ALONE = _WRITE.format(booked="")
_WRITE_BOOKED = _WRITE.format(booked=_BOOKED)


def _completion(posting: Posting, planned: _Planned, lot_id: int | None) -> Completion:
    plan = planned.plan
    return Completion(
        posting=posting,
        item=plan.item,
        bom_id=planned.recipe.bom_id,
        work_order=plan.work_order,
        good=plan.good,
        scrapped=plan.scrapped,
        scrap_reason=plan.scrap_reason,
        source_location=plan.source_location,
        output_location=plan.output_location,
        output_lot_id=lot_id,
        output_status=plan.output_status,
        consumed_value=plan.consumed_value,
        output_value=plan.output_value,
    )


def _writing(completion: Completion, plan: CompletionPlan) -> Statement:
    """The completion with its lines, and what they book on the work order."""
    lines, order = plan.lines, plan.work_order
    parameters: list[Any] = [
        completion.posting_id,
        completion.item_id,
        completion.bom_id,
        completion.work_order_id,
        plan.good,
        plan.scrapped,
        completion.scrap_reason,
        completion.source_location_id,
        completion.output_location_id,
        completion.output_lot_id,
        plan.output_status,
        plan.consumed_value,
        plan.output_value,
        numbers(line.component.id for line in lines),
        numbers(line.expected for line in lines),
        numbers(line.actual for line in lines),
        texts(line.reason for line in lines),
        numbers(line.value for line in lines),
        flags(line.is_consumable for line in lines),
        numbers(line.work_order_line_id for line in lines),
    ]
    if order is None:
        return _WRITE_ALONE, parameters
    started = plan.good + plan.scrapped
    counters = [plan.good, plan.scrapped, started, started, completion.posting.recorded_at, order.pk]
    return _WRITE_BOOKED, [*parameters, *counters]


def _count(plan: CompletionPlan) -> None:
    """Show on the work order in hand what was written about it."""
    order = plan.work_order
    if order is None:
        return
    order.good += plan.good
    order.scrapped += plan.scrapped
    if order.good + order.scrapped >= order.planned:
        order.state = WorkOrderState.DONE


def _as_request(request: CompletionRequest) -> dict[str, object]:
    return {
        "item": item_of(request).pk,
        "work_order": request.work_order.pk if request.work_order else None,
        "good": request.good,
        "scrapped": request.scrapped,
        "scrap_reason": request.scrap_reason,
        "source": request.source_location.pk if request.source_location else None,
        "output": request.output_location.pk if request.output_location else None,
        "lot": request.output_lot_code,
        "expires_on": request.expires_on,
        "actuals": [
            [a.component.pk, a.quantity, a.reason, [[lot.pk, q] for lot, q in a.lots]] for a in request.actuals
        ],
        "bom": request.bom.pk if request.bom else None,
        "reason": request.reason,
        "reference": request.reference,
        "effective_at": request.effective_at,
    }
