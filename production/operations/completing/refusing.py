"""What stands in the way of a completion: checks before anything is read, and refusals that the preview lists."""

from collections.abc import Sequence
from datetime import date

from inventory.errors import DomainError, InvalidQuantity, LotExpired, LotMismatch
from inventory.models import Item
from inventory.operations.checking import check_effective_at, check_item, check_location, check_quantity
from inventory.operations.lots import check_lot_code
from inventory.operations.posting import Actor
from inventory.operations.taking import may_use_expired
from inventory.quantities import ZERO, as_text, check_step
from production.errors import ConsumptionVariance, OverCompletion, UnusualQuantity
from production.facts import Recipe
from production.models import Completion, DeviationPolicy, WorkOrder
from production.operations.completing.outputs import MINUTES_MAX
from production.operations.completing.requests import CompletionRequest, item_of
from production.planned import PlannedLine


def check_request(request: CompletionRequest, *, actor: Actor) -> Item:
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
    if request.scrapped and request.scrap_location is not None:
        check_location(request.scrap_location)
    for actual in request.actuals:
        if actual.quantity != ZERO:
            check_step(
                quantity=actual.quantity,
                step=actual.component.step,
                sku=actual.component.sku,
                unit=actual.component.stock_unit,
            )
        if actual.scrapped < ZERO or actual.scrapped > actual.quantity:
            raise InvalidQuantity(
                f"{as_text(actual.scrapped)} of {as_text(actual.quantity)} {actual.component.stock_unit} of "
                f"{actual.component.sku} cannot be spoiled. Give a part of what was used.",
                item=actual.component.sku,
            )
    components = [(actual.component.pk, actual.replaces.pk if actual.replaces else None) for actual in request.actuals]
    if len(set(components)) != len(components):
        raise InvalidQuantity("A component has two actual quantities. Give one line for each component.")
    if item.pk in {component for component, _ in components}:
        raise InvalidQuantity(f"{item.sku} cannot be a component of itself.", item=item.sku)
    _check_minutes(request)
    _check_output_lots(request, item)
    check_effective_at(request.effective_at, actor=actor)
    return item


def _check_minutes(request: CompletionRequest) -> None:
    for minutes in (request.labour_minutes, request.machine_minutes):
        if minutes is None:
            continue
        if not (minutes.is_finite() and ZERO <= minutes <= MINUTES_MAX):
            raise InvalidQuantity(f"{minutes} minutes of work cannot be. Give 0 to {as_text(MINUTES_MAX)}.")
        if minutes != round(minutes, 2):
            raise InvalidQuantity(f"{as_text(minutes)} minutes have more than two decimal places. Shorten them.")


def _check_output_lots(request: CompletionRequest, item: Item) -> None:
    """Several lots or serial numbers add up to the good quantity, each named once."""
    if not request.output_lots:
        return
    total = sum((lot.quantity for lot in request.output_lots), ZERO)
    if total != request.good:
        raise LotMismatch(
            f"The lots of the output add up to {as_text(total)} {item.stock_unit} of {item.sku}, {as_text(request.good)} are "
            "good. Change the quantities of the lots.",
            item=item.sku,
            lots=as_text(total),
            good=as_text(request.good),
        )
    codes = [check_lot_code(item, lot.code, lot.quantity).upper() for lot in request.output_lots]
    for lot in request.output_lots:
        check_quantity(item, lot.quantity)
    if len(set(codes)) != len(codes):
        raise LotMismatch(f"A lot of {item.sku} is named twice. Give each lot once.", item=item.sku)


UNUSUAL_FACTOR = 5
"""A quantity above so many times what is usual is asked about again."""
USUAL_OF = 20
"""So many of the last completions say what is usual; fewer than three say nothing."""


def refuse_unusual(request: CompletionRequest, item: Item, problems: list[DomainError]) -> None:
    """A quantity far above the usual one is asked about again before it is posted: the slip of a finger costs stock."""
    if request.is_confirmed:
        return
    recent = Completion.objects.filter(item=item, good__gt=0).order_by("-pk").values_list("good", flat=True)[:USUAL_OF]
    usual = sorted(recent)
    if len(usual) < 3:
        return
    median = usual[len(usual) // 2]
    given = request.good + request.scrapped
    if given > median * UNUSUAL_FACTOR:
        problems.append(
            UnusualQuantity(
                f"{as_text(given)} {item.stock_unit} of {item.sku} is far more than the usual {as_text(median)}. "
                "Check the quantity; if it is right, confirm it.",
                item=item.sku,
                given=as_text(given),
                usual=as_text(median),
            )
        )


def refuse_over_completion(request: CompletionRequest, order: WorkOrder | None, problems: list[DomainError]) -> None:
    """Good and scrapped of an order stay within its plan and allowance (rule S5); above the plan a reason is needed."""
    if order is None:
        return
    before = order.good + order.scrapped
    after = before + request.good + request.scrapped
    left = order.allowance_left
    unit = order.item.stock_unit
    made = f"{order.number} plans {as_text(order.planned)} {unit} of {order.item.sku}, {as_text(before)} are done"
    if after - before > left:
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


def refuse_deviation(
    request: CompletionRequest,
    recipe: Recipe,
    lines: Sequence[PlannedLine],
    actor: Actor,
    problems: list[DomainError],
) -> None:
    """Actual against standard by the BOM's policy (rule S6); extra components are deviations from zero."""
    if recipe.deviation_policy == DeviationPolicy.FREE:
        outside = [line for line in lines if line.is_left_out]
    else:
        tolerance = recipe.deviation_tolerance_percent / 100
        outside = [line for line in lines if line.deviates(tolerance)]
    if not outside:
        return
    blocked = recipe.deviation_policy == DeviationPolicy.BLOCK
    privileged = actor is None or actor.has_perm("production.deviate_from_bom")  # type: ignore[union-attr]
    unexplained = [line for line in outside if not line.reason and not request.reason.strip()]
    if not unexplained and not (blocked and not privileged):
        return
    shown = outside if blocked and not privileged else unexplained
    described = "; ".join(_deviation_text(line) for line in shown)
    advice = (
        "This BOM allows no deviation: use the standard, or ask somebody with the privilege."
        if blocked and not privileged
        else "Give a reason for each, or one for the completion."
    )
    if any(line.needed is not None for line in shown):
        advice = f"Issue what is missing to the order first. {advice}"
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


def _deviation_text(line: PlannedLine) -> str:
    unit = line.component.stock_unit
    if line.needed is not None:
        used = f"{as_text(line.actual)} {unit} of what was issued"
        return f"{line.component.sku}: the BOM needs {as_text(line.needed)} {unit}, this uses {used}"
    return f"{line.component.sku}: standard {as_text(line.expected)}, actual {as_text(line.actual)} {unit}"


def expired_lots(request: CompletionRequest, *, on: date) -> frozenset[int]:
    """The lots that were named and are past their last day."""
    named = (lot for actual in request.actuals for lot, _ in actual.lots)
    return frozenset(lot.pk for lot in named if lot.is_expired(on=on))


def refuse_lots(request: CompletionRequest, actor: Actor, on: date, problems: list[DomainError]) -> None:
    """Hand-picked lots belong to their component and add up to the actual quantity.

    Expired ones need the privilege and a reason, of the line or of the completion (rule S15).
    """
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
        reason = actual.reason.strip() or request.reason
        if expired and not (reason.strip() and may_use_expired(actor)):
            advice = "Say why it is used all the same" if may_use_expired(actor) else "Choose another lot"
            problems.append(
                LotExpired(
                    f"Lot {expired[0]} of {component.sku} expired on {expired[0].expires_on}. {advice}.",
                    item=component.sku,
                    lot=expired[0].code,
                    expires_on=str(expired[0].expires_on),
                )
            )
