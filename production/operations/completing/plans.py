"""Working out what a completion will do: the same code for the preview and for the posting."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.conf import settings

from inventory.errors import DomainError, WrongState
from inventory.locks import StockRows, lock_for_posting, read_last_costs
from inventory.models import Item, StockStatus
from inventory.operations.checking import check_item, check_location, check_source
from inventory.operations.lots import LotSpec, ensure_lots, lots_statement
from inventory.operations.posting import Actor
from inventory.operations.taking import check_negative
from inventory.quantities import ZERO, as_text
from inventory.trips import Question, Rows, rows_of
from production.errors import InvalidSubstitute, OrderClosed
from production.facts import ComponentFact, Recipe, bom_question, recipe_of_bom, recipe_of_work_order
from production.issued import IssuedStock, stand_ins
from production.models import DEMAND_KIND, ConsumptionBasis, WorkOrder, WorkOrderState
from production.operations.completing.lots_made import usual_lot, with_lots_there
from production.operations.completing.outputs import (
    expected_by_products,
    operations_of,
    output_lot_code,
    plan_outputs,
)
from production.operations.completing.refusing import (
    expired_lots,
    refuse_deviation,
    refuse_lots,
    refuse_over_completion,
    refuse_unusual,
)
from production.operations.completing.requests import CompletionPlan, CompletionRequest, item_of
from production.planned import Substitution, Usage
from production.planning import LinePlan, PlanInput, largest_completable, plan_lines, standards_of
from production.ran import Event, Ran, ran_through


def recipe_question(request: CompletionRequest, *, on: date) -> Question:
    """What `recipe_for` needs to know of a request without a work order."""
    return bom_question(item=item_of(request), on=on, bom_id=None if request.bom is None else request.bom.pk)


def recipe_for(request: CompletionRequest, order: WorkOrder | None, *, on: date, answer: Rows | None = None) -> Recipe:
    """What the run goes by: the order's frozen lines, or the BOM in force. `answer`: of `recipe_question`, when asked."""
    if order is not None:
        return recipe_of_work_order(order)
    bom_id = None if request.bom is None else request.bom.pk
    return recipe_of_bom(item=item_of(request), on=on, bom_id=bom_id, answer=answer)


def order_of(request: CompletionRequest, *, lock: bool) -> WorkOrder | None:
    """The work order as it is now, locked when posting: orders come first in the lock order."""
    if request.work_order is None:
        return None
    orders = WorkOrder.objects.select_related("item", "output_location", "source_location", "floor_location")
    if lock:
        orders = orders.select_for_update(of=("self",), no_key=True)
    order = orders.get(pk=request.work_order.pk)
    if not order.takes_completions:
        advice = {WorkOrderState.PLANNED: "Release it", WorkOrderState.DONE: "Reopen it by raising its plan"}
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()}. "
            f"{advice.get(WorkOrderState(order.state), 'Reopen it')}, or complete {order.item.sku} without it.",
            work_order=order.number,
            state=order.state,
        )
    return order


def plan_completion(
    request: CompletionRequest,
    order: WorkOrder | None,
    recipe: Recipe,
    *,
    actor: Actor,
    on: date,
    lock: bool,
    posting_id: int | None = None,
) -> tuple[CompletionPlan, LinePlan, Sequence[LotSpec]]:
    """The whole plan from rows that are locked, or only read for a preview; and the lot that was made in the same trip."""
    item = item_of(request)
    target = request.output_location or (order.output_location if order else None)
    if target is None:
        raise WrongState(f"Where does the finished {item.sku} go? Choose a location for the output.", item=item.sku)
    check_location(target)
    source = request.source_location or (order.source_location if order else None)
    if order is not None and order.basis == ConsumptionBasis.ISSUED:
        source = order.floor_location or source
    if source is not None:
        check_source(source)
    floor = order.floor_location_id if order else None
    problems: list[DomainError] = []
    usages, substitutions, extras = _entered(request, recipe, problems)
    status = StockStatus.QC_HOLD if item.inspection_required else StockStatus.AVAILABLE
    stocked = _taken_from(recipe, extras, substitutions, order)
    usual = usual_lot(request, recipe, on=on, posting_id=posting_id) if lock else []
    expired = expired_lots(request, on=on)
    started_before = order.good + order.scrapped if order else ZERO
    started = request.good + request.scrapped
    standards = standards_of(recipe, started_after=started_before + started)
    by_products = [] if recipe.extras is None else [output.item_id for output in recipe.extras.outputs]
    rows = lock_for_posting(
        items=stocked if lock else [*stocked, item.pk],  # the cells of the output are only shown, never taken from
        pools_of=[item.pk, *by_products],
        within=source.path if source else "/",
        locations=[target.pk] if floor is None else [target.pk, floor],
        statuses=sorted({StockStatus.AVAILABLE, status, *([StockStatus.EXPIRED] if expired else [])}),
        demand=(DEMAND_KIND, order.number) if order else None,
        then=lots_statement(usual) if usual else None,
        lock=lock,
    )
    given = PlanInput(
        recipe=recipe,
        started_before=started_before,
        started=started,
        standards=standards,
        usages=usages,
        extras=extras,
        rows=rows,
        source_path=source.path if source else None,
        source_name=source.code if source else "Stock",
        on=on,
        step=settings.CURRENCY_STEP,
        substitutions=substitutions,
        issued_at=floor,
        expired_lots=expired,
    )
    if order is not None and order.basis == ConsumptionBasis.ISSUED:
        given.issued = IssuedStock(
            _issued(rows, order.floor_location_id), started, max(order.planned - started_before, ZERO)
        )
        _use_stand_ins(request, given, given.issued)
    if request.may_go_below:
        _allow_below(request, given, recipe, actor=actor, lock=lock)
    lines = plan_lines(given)
    refuse_over_completion(request, order, problems)
    refuse_unusual(request, item, problems)
    refuse_deviation(request, recipe, lines.lines, actor, problems)
    refuse_lots(request, actor, on, problems)
    completable = None
    if lines.shortage is not None:
        problems.append(lines.shortage)
        limit = largest_completable(given, lines, output_step=item.step)
        completable = None if limit is None else max(limit - request.scrapped, ZERO)
    ran = _ran_before(order, recipe)
    operations, work = operations_of(request, recipe, ran=ran, started=given.started, problems=problems)
    consumed = lines.consumed_value
    total = None if consumed is None else consumed + sum(operations.values(), ZERO)
    outputs, carried, wrong = plan_outputs(
        request,
        recipe,
        target=target,
        total=total,
        ran=ran,
        on=on,
        posting_id=posting_id,
    )
    problems.extend(wrong)
    if not lock:
        outputs = with_lots_there(outputs, item=item, on=on, problems=problems)
    main = None if total is None or carried is None else total - carried
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
        consumed_value=consumed,
        output_value=main if request.good else (None if consumed is None else ZERO),
        source_location=source,
        output_location=target,
        output_lot_code=output_lot_code(request, item, on=on, posting_id=posting_id),
        output_expires_on=next((output.expires_on for output in outputs if output.is_main), None),
        output_status=str(status),
        output_on_hand=sum((cell.quantity for cell in held), ZERO),
        completable=completable,
        scrap_location=request.scrap_location if request.scrapped else None,
        outputs=outputs,
        operation_costs=operations,
        work=work,
        by_product_value=carried,
        by_products=expected_by_products(recipe, ran=ran, started=given.started),
        substitutes={} if recipe.extras is None else recipe.extras.substitutes,
        deviation_policy=recipe.deviation_policy,
        deviation_tolerance_percent=recipe.deviation_tolerance_percent,
    )
    return plan, lines, usual


def _taken_from(
    recipe: Recipe,
    extras: Mapping[int, ComponentFact],
    substitutions: Mapping[int, Sequence[Substitution]],
    order: WorkOrder | None,
) -> set[int]:
    """Items whose stock the completion may take. What stands issued may have been issued as an approved substitute."""
    stocked = {rate.component_id for rate in recipe.rates if not rate.is_consumable} | set(extras)
    stocked |= {other.component.id for others in substitutions.values() for other in others}
    if order is not None and order.basis == ConsumptionBasis.ISSUED and recipe.extras is not None:
        stocked.update(item_id for others in recipe.extras.substitutes.values() for item_id in others)
    return stocked


_RUN = """
SELECT e.completion_id, e.is_reversal, e.good, e.scrapped FROM (
  SELECT posting_id AS id, posting_id AS completion_id, false AS is_reversal, good, scrapped
  FROM production_completion WHERE work_order_id = %(order)s
  UNION ALL
  SELECT r.posting_id, r.completion_id, true, r.good, r.scrapped
  FROM production_completionreversal r JOIN production_completion c ON c.posting_id = r.completion_id
  WHERE c.work_order_id = %(order)s
) e WHERE EXISTS (
  SELECT 1 FROM production_completionreversal r JOIN production_completion c ON c.posting_id = r.completion_id
  WHERE c.work_order_id = %(order)s
) ORDER BY e.id
"""


def _ran_before(order: WorkOrder | None, recipe: Recipe) -> Ran:
    """What the order's standing completions carry; its history is read only where something was taken back."""
    started = order.good + order.scrapped if order is not None else ZERO
    if order is None or not started:
        return Ran()
    extras = recipe.extras
    if extras is None or not (extras.outputs or extras.operations):
        return Ran(started, Fraction(1))
    steps = {item_id: item.step for item_id, item in extras.output_items.items()}
    history = rows_of(_RUN, {"order": order.pk})
    if history:
        return ran_through(map(Event._make, history), extras.outputs, steps)
    booked = {output.item_id: output.yielded(started, step=steps[output.item_id]) for output in extras.outputs}
    return Ran(started, Fraction(1), booked)


def _entered(
    request: CompletionRequest, recipe: Recipe, problems: list[DomainError]
) -> tuple[dict[int, Usage], dict[int, list[Substitution]], dict[int, ComponentFact]]:
    """What was entered: usage of the BOM's components, what was used instead of them, and what is in no BOM.

    An item that is named for a line must be approved for it in every mode (rule S6).
    """
    usages: dict[int, Usage] = {}
    substitutions: dict[int, list[Substitution]] = {}
    extras: dict[int, ComponentFact] = {}
    approved = {} if recipe.extras is None else recipe.extras.substitutes
    for actual in request.actuals:
        component = actual.component
        usage = Usage(
            quantity=actual.quantity,
            reason=actual.reason.strip(),
            lots=[(lot.pk, quantity) for lot, quantity in actual.lots],
            scrapped=actual.scrapped,
            cause=actual.cause or ("scrap" if actual.scrapped else ""),
        )
        if actual.replaces is None:
            usages[component.pk] = usage
            if component.pk not in recipe.components:
                check_item(component)
                extras[component.pk] = ComponentFact.of(component)
            continue
        ratio = approved.get(actual.replaces.pk, {}).get(component.pk)
        if ratio is None:
            allowed = ", ".join(_skus(approved.get(actual.replaces.pk, {}))) or "none"
            problems.append(
                InvalidSubstitute(
                    f"{component.sku} is not approved instead of {actual.replaces.sku}; approved: {allowed}. Choose one of "
                    "these, or enter it as an extra component.",
                    item=component.sku,
                    replaces=actual.replaces.sku,
                )
            )
            continue
        check_item(component)
        substitutions.setdefault(actual.replaces.pk, []).append(Substitution(ComponentFact.of(component), usage, ratio))
    return usages, substitutions, extras


def _skus(ratios: dict[int, Decimal]) -> Sequence[str]:
    return list(Item.objects.filter(pk__in=ratios).order_by("sku").values_list("sku", flat=True)) if ratios else []


def _issued(rows: StockRows, floor_id: int | None) -> dict[int, Decimal]:
    """What was issued to the order and is left: its own stock on the floor, by item (rule S4). Nothing without a floor."""
    left: dict[int, Decimal] = {}
    for cell in rows.cells.values():
        own = rows.own_quantity(cell.id)
        if own and cell.location_id == floor_id:
            left[cell.item_id] = left.get(cell.item_id, ZERO) + own
    return left


def _use_stand_ins(request: CompletionRequest, given: PlanInput, issued: IssuedStock) -> None:
    """Approved substitutes that were issued are used for their component, unless somebody entered what became of them."""
    extras = given.recipe.extras
    if extras is None:
        return
    found = stand_ins(given.recipe.rates, extras.substitutes, issued.left)
    entered = {actual.component.pk for actual in request.actuals}
    items = Item.objects.in_bulk(item_id for item_id in found if item_id not in entered) if found else {}
    for item_id, item in sorted(items.items()):
        quantity = issued.share(item_id, step=item.step)
        if quantity:
            component_id = found[item_id]
            ratio = extras.substitutes[component_id][item_id]
            instead = Substitution(ComponentFact.of(item), Usage(quantity), ratio, is_issued=True)
            given.substitutions.setdefault(component_id, []).append(instead)


def _allow_below(request: CompletionRequest, given: PlanInput, recipe: Recipe, *, actor: Actor, lock: bool) -> None:
    """Components that allow it may go below zero at the place of the source, with privilege and reason (S16, S22)."""
    place = request.source_location or (request.work_order.source_location if request.work_order else None)
    if place is None:
        place = request.output_location or (request.work_order.output_location if request.work_order else None)
    if place is None:
        return
    wanted = [component_id for component_id in recipe.components if component_id in given.rows.pools]
    items = list(Item.objects.filter(pk__in=wanted, negative_allowed=True).order_by("pk"))
    if not items:
        return
    for item in items:
        check_negative(item, actor=actor, reason=request.reason)
    if lock:
        lots = ensure_lots([LotSpec(item, "", given.on) for item in items])
        given.implicit_lots = {item.pk: lots[(item.pk, "")] for item in items}
    else:
        given.implicit_lots = {item.pk: 0 for item in items}
    promised = {c.item_id for c in given.rows.cells.values() if c.location_id == place.pk and c.reserved > ZERO}
    given.implicit_lots = {item_id: lot for item_id, lot in given.implicit_lots.items() if item_id not in promised}
    given.floor_location_id = place.pk
    read_last_costs(given.rows, items=[item.pk for item in items])


def describe(plan: CompletionPlan) -> str:
    """`40 pcs of CANDLE`, for messages."""
    return f"{as_text(plan.good)} {plan.item.stock_unit} of {plan.item.sku}"
