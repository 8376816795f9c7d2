"""What the page that records completions shows below its form: the plan, its lines, what stands in the way, what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest, QueryDict

from inventory.errors import DomainError, InsufficientStock, InvalidQuantity, ReservedByOther
from inventory.models import Location, StockBalance, StockStatus
from inventory.quantities import ZERO
from production.errors import ConsumptionVariance, OverCompletion
from production.forms import CompletionForm, moment_of
from production.operations.completing import CompletionPlan, CompletionRequest, preview_completion
from production.panels import PublishedChange, has_publication_outlook, published_changes
from production.reads.cost_rollup import cost_rollups
from production.views.completion_lines import LineRow, TypedLines, carried_fields, rows_of

SHORT_NAMED_MAX = 4


@dataclass(slots=True)
class Outlook:
    """What is shown below the form. Without a quantity the plan is that of one step, to show the components."""

    plan: CompletionPlan | None = None
    rows: Sequence[LineRow] = ()
    is_basis: bool = False
    basis: Decimal = ZERO
    refusal: DomainError | None = None
    """Why nothing can be planned at all."""
    notices: list[DomainError] = field(default_factory=list)
    """Problems of the plan other than shortages."""
    short: Sequence[LineRow] = ()
    shortage: DomainError | None = None
    is_postable: bool = False
    asks_reason: bool = False
    allowed: Decimal | None = None
    """The largest quantity the work order still takes, when more was typed."""
    on_hand: Decimal = ZERO
    usual_cost: Decimal | None = None
    """What the BOM adds up to per unit by present costs, else the standard cost."""
    usual_cost_name: str = ""
    published: Sequence[PublishedChange] = ()
    carried: Sequence[tuple[str, str]] = ()

    @property
    def short_named(self) -> Sequence[LineRow]:
        return self.short[:SHORT_NAMED_MAX]

    @property
    def short_more(self) -> int:
        return max(0, len(self.short) - SHORT_NAMED_MAX)

    @property
    def on_hand_after(self) -> Decimal:
        return self.on_hand + (self.plan.good if self.plan and not self.is_basis else ZERO)

    @property
    def place_after(self) -> Decimal:
        return self.plan.output_on_hand + self.plan.good if self.plan else ZERO

    @property
    def order_done_after(self) -> Decimal:
        if self.plan is None or self.plan.work_order is None:
            return ZERO
        order = self.plan.work_order
        return order.good + order.scrapped + self.plan.good + self.plan.scrapped


def request_of(form: CompletionForm, typed: TypedLines, *, good: Decimal | None = None) -> CompletionRequest:
    """The request as typed; with `good`, a bare one for that quantity, to show the components."""
    data: dict[str, Any] = getattr(form, "cleaned_data", {})
    where: dict[str, Any] = {
        "item": None if form.work_order else form.item,
        "work_order": form.work_order,
        "source_location": data.get("source_location"),
        "output_location": data.get("output_location") or next(iter(_fallback_places(form)), None),
    }
    if good is not None:
        return CompletionRequest(good=good, **where)
    return CompletionRequest(
        good=data.get("good", ZERO),
        scrapped=data.get("scrapped", ZERO),
        scrap_reason=data.get("scrap_reason", ""),
        output_lot_code=data.get("output_lot_code", ""),
        expires_on=data.get("expires_on"),
        actuals=typed.actuals,
        reason=data.get("reason", ""),
        reference=data.get("reference", ""),
        note=data.get("note", ""),
        effective_at=moment_of(data.get("made_on")),
        **where,
    )


def _fallback_places(form: CompletionForm) -> Sequence[Location]:
    """A place to plan with while none is chosen; a work order has its own."""
    if form.work_order is not None:
        return ()
    field = form.fields["output_location"]
    code = "" if form.is_bound else str(form.initial.get("output_location", ""))
    places: Mapping[str, Location] = field.places  # type: ignore[attr-defined]
    chosen = places.get(code.casefold())
    return [chosen] if chosen else list(places.values())[:1]


def outlook_of(
    request: HttpRequest, form: CompletionForm, typed: TypedLines, places: Mapping[str, Location]
) -> Outlook:
    actor = request.user
    has_quantity = form.is_bound and not form.is_empty
    is_plannable = has_quantity and not {"good", "scrapped", "scrap_reason"} & set(form.errors)
    outlook = Outlook()
    if is_plannable:
        try:
            outlook.plan = preview_completion(request=request_of(form, typed), actor=actor)
        except InvalidQuantity as error:
            if "good" not in form.errors:
                form.add_error("good", error.message)
        except DomainError as error:
            outlook.refusal = error
    elif not has_quantity:
        outlook.is_basis, outlook.basis = True, form.item.step
        try:
            outlook.plan = preview_completion(request=request_of(form, typed, good=outlook.basis), actor=actor)
        except DomainError as error:
            outlook.refusal = error
    if outlook.refusal is None and outlook.plan is not None:
        _fill(outlook, form, typed, places)
    if form.is_bound and (outlook.plan is None or outlook.is_basis):
        outlook.carried = carried_fields(_as_querydict(form.data))
    return outlook


def _as_querydict(data: Any) -> QueryDict:
    assert isinstance(data, QueryDict)
    return data


def _fill(outlook: Outlook, form: CompletionForm, typed: TypedLines, places: Mapping[str, Location]) -> None:
    plan = outlook.plan
    assert plan is not None
    by_id = {place.pk: place for place in places.values()}
    outlook.rows = rows_of(plan, typed, places=by_id, is_editable=not outlook.is_basis)
    outlook.short = [] if outlook.is_basis else [row for row in outlook.rows if row.is_short]
    outlook.on_hand = StockBalance.objects.filter(item=plan.item).aggregate(sum=Sum("quantity"))["sum"] or ZERO
    rollup = cost_rollups(boms=[plan.bom_id]).get(plan.bom_id)
    outlook.usual_cost = rollup.unit_cost if rollup else None
    outlook.usual_cost_name = "by the BOM"
    if outlook.usual_cost is None:
        outlook.usual_cost, outlook.usual_cost_name = plan.item.standard_cost, "standard"
    if outlook.is_basis:
        return
    for problem in plan.problems:
        if isinstance(problem, InsufficientStock | ReservedByOther):
            outlook.shortage = problem
        else:
            outlook.notices.append(problem)
        if isinstance(problem, OverCompletion) and "allowed" in problem.context:
            outlook.allowed = max(Decimal(str(problem.context["allowed"])) - plan.scrapped, ZERO)
        if isinstance(problem, OverCompletion) and problem.context.get("needs") == "reason":
            outlook.asks_reason = True
        if isinstance(problem, ConsumptionVariance):
            outlook.asks_reason = True
    outlook.is_postable = plan.is_postable and not typed.has_errors and not form.errors
    if has_publication_outlook():
        outlook.published = published_changes(_changes_of(plan))


def _changes_of(plan: CompletionPlan) -> dict[int, Decimal]:
    """By how much the plan changes what is available of each item."""
    changes: dict[int, Decimal] = {}
    if plan.output_status == StockStatus.AVAILABLE and plan.output_location.is_sellable:
        changes[plan.item.pk] = plan.good
    for line in plan.lines:
        if not line.is_consumable and line.actual:
            changes[line.component.id] = changes.get(line.component.id, ZERO) - line.actual
    return changes
