"""What the page that records completions shows below its form: the plan, its lines, what stands in the way, what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from inventory.errors import (
    DomainError,
    InsufficientStock,
    InvalidQuantity,
    LotExpired,
    NegativeNotAllowed,
    ReservedByOther,
)
from inventory.models import Item, Location, StockBalance, StockStatus
from inventory.operations.posting import Actor
from inventory.operations.taking import may_use_expired
from inventory.quantities import ZERO
from production.errors import ConsumptionVariance, OverCompletion, UnusualQuantity
from production.forms import CompletionForm, moment_of, shown
from production.models import Bom
from production.operations.completing import CompletionPlan, CompletionRequest, preview_completion
from production.panels import PublishedChange, has_publication_outlook, published_changes
from production.reads.cost_rollup import cost_rollups
from production.views.completion_lines import LineRow, rows_of
from production.views.completion_outputs import NestedRow, OutputRow, TypedOutputs, nested_rows, output_rows
from production.views.completion_typed import TypedLines, carried_fields

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
    by_products: Sequence[OutputRow] = ()
    nested: Sequence[NestedRow] = ()
    unusual: UnusualQuantity | None = None
    can_build: bool = False
    """Whether something that is short can be made in the same step."""
    can_go_below: bool = False
    carried: Sequence[tuple[str, str]] = ()

    def tells(self, error: DomainError) -> bool:
        """Whether it shows already that something of this kind stands in the way."""
        told = [*(self.plan.problems if self.plan else ()), *([self.refusal] if self.refusal else [])]
        return any(problem.code == error.code for problem in told)

    @property
    def given_text(self) -> str:
        """All that would be started, as the confirmation of an unusual quantity carries it."""
        return shown(self.plan.good + self.plan.scrapped) if self.plan else ""

    @property
    def lots_made(self) -> int:
        return sum(1 for output in self.plan.outputs if output.is_main) if self.plan else 0

    @property
    def tolerance(self) -> Decimal:
        return self.plan.deviation_tolerance_percent if self.plan else ZERO

    @property
    def times(self) -> set[str]:
        """Kinds of work that take time by the BOM."""
        return {one.kind for one in self.plan.work} if self.plan else set()

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


def request_of(
    form: CompletionForm,
    typed: TypedLines,
    made: TypedOutputs,
    *,
    good: Decimal | None = None,
    is_preview: bool = False,
) -> CompletionRequest:
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
        scrap_location=data.get("scrap_location"),
        output_lot_code=data.get("output_lot_code", ""),
        expires_on=data.get("expires_on"),
        output_lots=form.lots_to_plan if is_preview else data.get("lots", ()),
        actuals=typed.actuals,
        by_products=made.by_products,
        reason=data.get("reason", ""),
        reference=data.get("reference", ""),
        note=data.get("note", ""),
        effective_at=moment_of(data.get("made_on")),
        labour_minutes=data.get("labour_minutes"),
        machine_minutes=data.get("machine_minutes"),
        build_missing=data.get("build_missing", False),
        may_go_below=data.get("may_go_below", False),
        is_confirmed=form.is_confirmed,
        **where,
    )


def standards_of(request: HttpRequest, form: CompletionForm) -> tuple[Mapping[int, Decimal], Mapping[int, Decimal]]:
    """What the BOM expects of each component and each by-product for the quantities typed, in their stock units.

    Empty when the quantities cannot be planned: what stands in the way is shown by the plan itself.
    """
    bare = request_of(form, TypedLines({}, set(), []), TypedOutputs(), is_preview=True)
    try:
        plan = preview_completion(request=replace(bare, build_missing=False, may_go_below=False), actor=request.user)
    except DomainError:
        return {}, {}
    components: dict[int, Decimal] = {}
    for line in plan.lines:
        components.setdefault(line.component.id, line.expected)
    return components, {item.id: expected for item, expected in plan.by_products}


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
    request: HttpRequest,
    form: CompletionForm,
    typed: TypedLines,
    made: TypedOutputs,
    places: Mapping[str, Location],
) -> Outlook:
    """The plan of what was typed, by the code that posts it, as the page shows it."""
    actor = request.user
    has_quantity = form.is_bound and not form.is_empty
    is_plannable = has_quantity and not {"good", "scrapped", "scrap_reason"} & set(form.errors)
    outlook = Outlook()
    if is_plannable:
        try:
            outlook.plan = _planned(request_of(form, typed, made, is_preview=True), actor, outlook)
        except InvalidQuantity as error:
            if "good" not in form.errors:
                form.add_error("good", error.message)
        except DomainError as error:
            outlook.refusal = error
    elif not has_quantity:
        outlook.is_basis, outlook.basis = True, form.item.step
        try:
            outlook.plan = preview_completion(request=request_of(form, typed, made, good=outlook.basis), actor=actor)
        except DomainError as error:
            outlook.refusal = error
    if outlook.refusal is None and outlook.plan is not None:
        _fill(outlook, form, typed, places, actor=actor)
        if not outlook.is_basis:
            _fill_outputs(outlook, made)
            _offer_ways_out(outlook, request)
            outlook.is_postable = outlook.is_postable and not made.has_errors
    if form.is_bound and (outlook.plan is None or outlook.is_basis):
        outlook.carried = carried_fields(_as_querydict(form.data))
    return outlook


def _planned(wanted: CompletionRequest, actor: Any, outlook: Outlook) -> CompletionPlan:
    """The plan; where stock may not go below zero, the plan without it, and why, so that all that was typed stays in sight."""
    try:
        return preview_completion(request=wanted, actor=actor)
    except NegativeNotAllowed as error:
        plan = preview_completion(request=replace(wanted, may_go_below=False), actor=actor)
        plan.problems = [error, *plan.problems]
        outlook.asks_reason = True
        return plan


def _as_querydict(data: Any) -> QueryDict:
    assert isinstance(data, QueryDict)
    return data


def _fill(
    outlook: Outlook, form: CompletionForm, typed: TypedLines, places: Mapping[str, Location], *, actor: Actor
) -> None:
    plan = outlook.plan
    assert plan is not None
    by_id = {place.pk: place for place in places.values()}
    outlook.rows = rows_of(
        plan, typed, places=by_id, is_editable=not outlook.is_basis, expired_too=may_use_expired(actor)
    )
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
        elif isinstance(problem, UnusualQuantity):
            outlook.unusual = problem
        else:
            outlook.notices.append(problem)
        if isinstance(problem, OverCompletion) and "allowed" in problem.context:
            outlook.allowed = max(Decimal(str(problem.context["allowed"])) - plan.scrapped, ZERO)
        if isinstance(problem, OverCompletion) and problem.context.get("needs") == "reason":
            outlook.asks_reason = True
        if isinstance(problem, ConsumptionVariance | LotExpired):
            outlook.asks_reason = True
    outlook.is_postable = plan.is_postable and not typed.has_errors and not form.errors
    if has_publication_outlook():
        outlook.published = published_changes(_changes_of(plan))


def _fill_outputs(outlook: Outlook, made: TypedOutputs) -> None:
    plan = outlook.plan
    assert plan is not None
    outlook.by_products = output_rows(plan, made)
    outlook.nested = nested_rows(plan.nested)


def _offer_ways_out(outlook: Outlook, request: HttpRequest) -> None:
    """What may be done about a shortage: make it in the same step, or take it below zero where that is allowed."""
    short = [row.component.id for row in outlook.short]
    if not short:
        return
    outlook.can_build = Bom.objects.in_force(on=timezone.localdate()).filter(item_id__in=short).exists()
    outlook.can_go_below = (
        request.user.has_perm("inventory.go_negative")
        and Item.objects.filter(pk__in=short, negative_allowed=True).exists()
    )


def _changes_of(plan: CompletionPlan) -> dict[int, Decimal]:
    """By how much the plan changes what is available of each item."""
    changes: dict[int, Decimal] = {}
    if plan.output_status == StockStatus.AVAILABLE and plan.output_location.is_sellable:
        changes[plan.item.pk] = plan.good
    for line in plan.lines:
        if not line.is_consumable and line.actual:
            changes[line.component.id] = changes.get(line.component.id, ZERO) - line.actual
    return changes
