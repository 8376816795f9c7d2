"""The page of one work order: how far it is, its components, what would clear a shortage, what it is for."""

from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from inventory.errors import DomainError
from inventory.models import Item, StockBalance
from inventory.quantities import ZERO
from inventory.web import Crumb, render_page
from production.facts import recipe_of_bom
from production.forms import PlanForm, shown
from production.models import Bom, Completion, WorkOrder, WorkOrderLine, WorkOrderState
from production.operations.completing import CompletionPlan, CompletionRequest, preview_completion
from production.operations.freezing import goes_by
from production.operations.reshaping import UNFINISHED
from production.operations.sub_orders import missing_sub_assemblies, sub_orders_of
from production.order_forms import ScheduleForm, rank_name
from production.planned import PlannedLine
from production.reads.order_needs import LineNeed, needs_of_order
from production.reads.order_stages import stage_of
from production.reads.shortages import shortages_of

COMPLETIONS_SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One component of an order. `need` is for the whole plan, `open` what is still to be taken for the rest of it."""

    line: WorkOrderLine
    need: Decimal
    open: Decimal
    planned: PlannedLine | None
    fact: LineNeed

    @property
    def component(self) -> Item:
        return self.line.component

    @property
    def short(self) -> Decimal:
        return self.planned.short if self.planned else ZERO

    @property
    def free(self) -> Decimal | None:
        return None if self.planned is None or self.line.is_consumable else self.planned.free


@require_GET
@permission_required("production.view_workorder", raise_exception=True)
def work_order(request: HttpRequest, number: str) -> HttpResponse:
    return order_page(request, find_order(number))


def find_order(number: str) -> WorkOrder:
    """The order with this number, without regard to case, or a page that says there is none."""
    orders = WorkOrder.objects.select_related("item", "bom", "output_location", "source_location", "created_by")
    return get_object_or_404(orders, number__iexact=number)


def order_page(
    request: HttpRequest,
    order: WorkOrder,
    *,
    refusal: DomainError | None = None,
    plan_form: PlanForm | None = None,
    schedule_form: ScheduleForm | None = None,
) -> HttpResponse:
    """The page of one order; 422 with what was refused or with a form that has errors."""
    rest, problem = _plan_of_rest(request, order)
    completions = (
        Completion.objects.filter(work_order=order)
        .select_related("posting", "posting__actor", "output_lot", "output_location", "item")
        .order_by("-posting_id")[:COMPLETIONS_SHOWN_MAX]
    )
    lines = _order_lines(order, rest)
    short = [line for line in lines if line.short > ZERO]
    missing = shortages_of(order) if order.state in UNFINISHED else ()
    sub_assemblies = missing_sub_assemblies(order) if missing else []
    in_force = _version_in_force(order)
    return render_page(
        request,
        "production/work_order.html",
        title=order.number,
        crumbs=[Crumb("Work orders", reverse("production:work_orders"))],
        form=None,
        status=422 if refusal is not None or plan_form is not None or schedule_form is not None else 200,
        order=order,
        lines=lines,
        short=short,
        short_badge=f"{len(short)} short",
        rest=rest,
        problem=problem,
        completable=rest.completable if rest is not None else None,
        completions=list(completions),
        plan_form=plan_form or PlanForm(initial={"planned": shown(order.planned)}, item=order.item),
        schedule_form=schedule_form
        or ScheduleForm(initial={"start_on": order.start_on, "due_on": order.due_on, "rank": order.rank}),
        refusal=refusal,
        stage=stage_of(order),
        priority=rank_name(order.rank),
        missing=missing,
        sub_assemblies=sub_assemblies,
        sub_orders=sub_orders_of(order),
        pegs=list(order.pegs.order_by("id")),
        new_version=in_force if in_force is not None and in_force.pk != order.bom_id else None,
        has_new_parts=in_force is not None and in_force.pk == order.bom_id and _has_new_parts(order),
        is_unfinished=order.state in UNFINISHED,
        on_floor=any(line.fact.issued for line in lines),
        is_reserved=bool(lines) and all(not line.fact.to_reserve for line in lines),
        on_hand=_on_hand(order.item),
        bars=_bars(order),
        today=timezone.localdate(),
        can_undo=request.user.has_perm("production.reverse_completion"),
    )


def _version_in_force(order: WorkOrder) -> Bom | None:
    """The BOM a new order would take; only asked where one may be taken."""
    if order.state not in UNFINISHED:
        return None
    return Bom.objects.in_force(on=timezone.localdate()).filter(item=order.item_id).first()


def _has_new_parts(order: WorkOrder) -> bool:
    """Whether a phantom below has another version in force than the one the order froze."""
    if order.good or order.scrapped:
        return False
    try:
        return not goes_by(order, recipe_of_bom(item=order.item, on=timezone.localdate()))
    except DomainError:
        return False


def _on_hand(item: Item) -> Decimal:
    return sum((cell.quantity for cell in StockBalance.objects.filter(item=item)), ZERO)


def _bars(order: WorkOrder) -> dict[str, str]:
    """How much of the bar is good and how much scrap, in percent of the plan or of what was made when that is more."""
    whole = max(order.planned, order.good + order.scrapped)
    return {name: f"{getattr(order, name) / whole * 100:.2f}" for name in ("good", "scrapped")}


def _plan_of_rest(request: HttpRequest, order: WorkOrder) -> tuple[CompletionPlan | None, DomainError | None]:
    """What completing the rest of an open order would do now."""
    if not order.is_open or order.remaining <= ZERO:
        return None, None
    try:
        return preview_completion(
            request=CompletionRequest(work_order=order, good=order.remaining), actor=request.user
        ), None
    except DomainError as error:
        return None, error


def _order_lines(order: WorkOrder, rest: CompletionPlan | None) -> list[OrderLine]:
    planned = {line.work_order_line_id: line for line in rest.lines} if rest else {}
    lines = []
    for fact in needs_of_order(order):
        line = fact.line
        found = planned.get(line.pk)
        is_by_hand = line.is_optional or line.issue_method == "manual"
        left = fact.open if found is None and order.state == WorkOrderState.PLANNED else ZERO
        lines.append(
            OrderLine(line, ZERO if is_by_hand else fact.need, left if found is None else found.expected, found, fact)
        )
    return lines
