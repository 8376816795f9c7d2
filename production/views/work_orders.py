"""Work orders: the board, opening one, and its page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods

from inventory.errors import DomainError
from inventory.models import Item, StockBalance
from inventory.quantities import ZERO
from inventory.templatetags.figures import grouped
from inventory.web import Crumb, add_refusal, go_to, key_from, render_page
from production.explosion import Rate, expected_usage
from production.facts import recipe_of_work_order
from production.forms import PlanForm, WorkOrderForm, new_key, own_places, shown
from production.models import Completion, WorkOrder, WorkOrderLine, WorkOrderState
from production.operations.completing import CompletionPlan, CompletionRequest, preview_completion
from production.operations.work_orders import change_planned, close_work_order, open_work_order, reopen_work_order
from production.planning import PlannedLine

CARDS_MAX = 30
"""Cards of one column of the board."""
ROWS_PER_PAGE = 50
COMPLETIONS_SHOWN_MAX = 50
OPENED_IN_SESSION = "opened_work_orders"
KEYS_KEPT_MAX = 20

DUE = (("overdue", "Overdue"), ("week", "Due within 7 days"), ("none", "Without a date"))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the board."""

    key: str
    title: str
    tone: str
    icon: str
    orders: Sequence[WorkOrder]
    has_more: bool
    empty: str


@require_GET
@permission_required("production.view_workorder", raise_exception=True)
def work_orders(request: HttpRequest) -> HttpResponse:
    """Open orders as a board by how far they are, or every order of one state as a list."""
    text = request.GET.get("q", "").strip()[:100]
    due = request.GET.get("due", "") if request.GET.get("due") in dict(DUE) else ""
    state = request.GET.get("state", "") if request.GET.get("state") in WorkOrderState.values else ""
    found = _filtered(text, due)
    columns, page = [], None
    if state:
        page = Paginator(found.filter(state=state).order_by(*_order_of(state)), ROWS_PER_PAGE).get_page(
            request.GET.get("page")
        )
    else:
        columns = _columns(found)
    return render_page(
        request,
        "production/work_orders.html",
        part={"orders": "production/_work_orders.html"},
        title="Work orders",
        columns=columns,
        page_object=page,
        has_any=bool(page) or any(column.orders for column in columns) or WorkOrder.objects.exists(),
        text=text,
        due=due,
        state=state,
        dues=DUE,
        states=WorkOrderState.choices,
        chips=_chips(request, text, due, state),
        clear_url=reverse("production:work_orders"),
        today=timezone.localdate(),
    )


def _filtered(text: str, due: str) -> QuerySet[WorkOrder]:
    found = WorkOrder.objects.select_related("item", "output_location")
    if text:
        found = found.filter(
            Q(number__icontains=text)
            | Q(item__sku__icontains=text)
            | Q(item__name__icontains=text)
            | Q(item__barcode=text)
            | Q(demand_ref__iexact=text)
        )
    today = timezone.localdate()
    if due == "overdue":
        found = found.filter(due_on__lt=today, state=WorkOrderState.OPEN)
    elif due == "week":
        found = found.filter(due_on__range=(today, date.fromordinal(today.toordinal() + 7)))
    elif due == "none":
        found = found.filter(due_on__isnull=True)
    return found


def _order_of(state: str) -> tuple[Any, ...]:
    return (F("due_on").asc(nulls_last=True), "id") if state == WorkOrderState.OPEN else ("-closed_at", "-id")


def _columns(found: QuerySet[WorkOrder]) -> list[Column]:
    soonest = found.filter(state=WorkOrderState.OPEN).order_by(*_order_of(WorkOrderState.OPEN))
    started = Q(good__gt=0) | Q(scrapped__gt=0)
    return [
        _column("open", "To do", "info", "pending_actions", soonest.exclude(started), "Nothing waits to be started."),
        _column("started", "In progress", "look", "construction", soonest.filter(started), "Nothing is under way."),
        _column(
            "done",
            "Done",
            "good",
            "check_circle",
            found.filter(state=WorkOrderState.DONE).order_by("-closed_at", "-id"),
            "Nothing was finished yet.",
        ),
        _column(
            "closed",
            "Closed short",
            "quiet",
            "block",
            found.filter(state=WorkOrderState.CLOSED).order_by("-closed_at", "-id"),
            "No order was closed before its plan was met.",
        ),
    ]


def _column(key: str, title: str, tone: str, icon: str, orders: QuerySet[WorkOrder], empty: str) -> Column:
    limit = CARDS_MAX if key in ("open", "started") else CARDS_MAX // 3
    cards = list(orders[: limit + 1])
    return Column(key, title, tone, icon, cards[:limit], len(cards) > limit, empty)


def _chips(request: HttpRequest, text: str, due: str, state: str) -> list[dict[str, str]]:
    chips = []
    for name, label in (
        ("q", f"“{text}”" if text else ""),
        ("due", dict(DUE).get(due, "")),
        ("state", str(dict(WorkOrderState.choices).get(state, ""))),
    ):
        if label:
            rest = request.GET.copy()
            rest.pop(name, None)
            rest.pop("page", None)
            chips.append({"label": label, "url": f"?{rest.urlencode()}"})
    return chips


@require_http_methods(["GET", "POST"])
@permission_required("production.add_workorder", raise_exception=True)
def new_work_order(request: HttpRequest) -> HttpResponse:
    """Open a work order. A form that is sent twice opens one."""
    places = own_places()
    initial = {"key": new_key(), "item": request.GET.get("item", ""), "planned": request.GET.get("planned", "")}
    if len(places) == 1:
        initial["output_location"] = next(iter(places.values())).code
    data = None
    if request.method == "POST":
        data = request.POST.copy()
        data["key"] = str(key_from(request))
        known = request.session.get(OPENED_IN_SESSION, {}).get(request.POST.get("key", ""))
        if known:
            return redirect("production:work_order", known)
    form = WorkOrderForm(data, initial=initial, places=places)
    if form.is_valid():
        cleaned = form.cleaned_data
        try:
            order = open_work_order(
                item=cleaned["item"],
                planned=cleaned["planned"],
                output_location=cleaned["output_location"],
                source_location=cleaned["source_location"],
                due_on=cleaned["due_on"],
                over_completion_percent=cleaned["over_completion_percent"],
                note=cleaned["note"],
                actor=request.user,
            )
        except DomainError as error:
            add_refusal(form, error, field=_field_of(error))
        else:
            opened = request.session.get(OPENED_IN_SESSION, {})
            opened[str(cleaned["key"])] = order.number
            request.session[OPENED_IN_SESSION] = dict(list(opened.items())[-KEYS_KEPT_MAX:])
            return go_to(
                request,
                "production:work_order",
                order.number,
                message=f"Opened {order.number} · {grouped(order.planned)} × {order.item.sku}",
            )
    return render_page(
        request,
        "production/work_order_form.html",
        part={"work-order-form": "production/_work_order_form.html"},
        title="Open a work order",
        crumbs=[Crumb("Work orders", reverse("production:work_orders"))],
        form=form,
    )


def _field_of(error: DomainError) -> str | None:
    if error.code in ("INVALID_QUANTITY", "INVALID_QUANTITY_STEP"):
        return "planned"
    if error.code in ("INVALID_BOM", "BOM_CYCLE", "PHANTOM_NOT_STOCKED", "ITEM_INACTIVE"):
        return "item"
    return "output_location" if error.code == "LOCATION_BLOCKED" else None


# --- One order --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One component of an order. `need` is for the whole plan, `open` what is still to be taken for the rest of it."""

    line: WorkOrderLine
    need: Decimal
    open: Decimal
    planned: PlannedLine | None

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
    return _order_page(request, _order(number))


@require_http_methods(["POST"])
@permission_required("production.close_workorder", raise_exception=True)
def close_order(request: HttpRequest, number: str) -> HttpResponse:
    order = _order(number)
    try:
        close_work_order(work_order=order, reason=request.POST.get("reason", "").strip()[:100], actor=request.user)
    except DomainError as error:
        return _order_page(request, _order(number), refusal=error)
    return go_to(
        request,
        "production:work_order",
        number,
        message=f"Closed {number} with {grouped(order.remaining)} {order.item.stock_unit} not made",
        undo=reverse("production:reopen_order", args=[number]),
    )


@require_http_methods(["POST"])
@permission_required("production.close_workorder", raise_exception=True)
def reopen_order(request: HttpRequest, number: str) -> HttpResponse:
    order = _order(number)
    try:
        reopen_work_order(work_order=order, actor=request.user)
    except DomainError as error:
        return _order_page(request, _order(number), refusal=error)
    return go_to(request, "production:work_order", number, message=f"Opened {number} again")


@require_http_methods(["POST"])
@permission_required("production.change_workorder", raise_exception=True)
def change_plan(request: HttpRequest, number: str) -> HttpResponse:
    """Raise or lower the plan of an order."""
    order = _order(number)
    form = PlanForm(request.POST, item=order.item)
    if form.is_valid():
        try:
            change_planned(work_order=order, planned=form.cleaned_data["planned"], actor=request.user)
        except DomainError as error:
            add_refusal(form, error, field="planned")
        else:
            return go_to(
                request,
                "production:work_order",
                number,
                message=f"{number} now plans {grouped(form.cleaned_data['planned'])} {order.item.stock_unit}",
            )
    return _order_page(request, _order(number), plan_form=form)


@permission_required("production.record_completion", raise_exception=True)
def complete_order(_request: HttpRequest, number: str) -> HttpResponseRedirect:
    """Where the code on a traveller leads: the page that records completions, with the order filled in."""
    return redirect(f"{reverse('production:record_completion')}?{urlencode({'what': number})}")


def _order(number: str) -> WorkOrder:
    orders = WorkOrder.objects.select_related("item", "bom", "output_location", "source_location", "created_by")
    return get_object_or_404(orders, number__iexact=number)


def _order_page(
    request: HttpRequest,
    order: WorkOrder,
    *,
    refusal: DomainError | None = None,
    plan_form: PlanForm | None = None,
) -> HttpResponse:
    rest, problem = _plan_of_rest(request, order)
    completions = (
        Completion.objects.filter(work_order=order)
        .select_related("posting", "posting__actor", "output_lot", "output_location", "item")
        .order_by("-posting_id")[:COMPLETIONS_SHOWN_MAX]
    )
    lines = _order_lines(order, rest)
    short = [line for line in lines if line.short > ZERO]
    return render_page(
        request,
        "production/work_order.html",
        title=order.number,
        crumbs=[Crumb("Work orders", reverse("production:work_orders"))],
        form=None,
        status=422 if refusal is not None or plan_form is not None else 200,
        order=order,
        lines=lines,
        short=short,
        short_badge=f"{len(short)} short",
        rest=rest,
        problem=problem,
        completable=rest.completable if rest is not None else None,
        completions=list(completions),
        plan_form=plan_form or PlanForm(initial={"planned": shown(order.planned)}, item=order.item),
        refusal=refusal,
        on_hand=_on_hand(order.item),
        bars=_bars(order),
        today=timezone.localdate(),
        can_undo=request.user.has_perm("production.reverse_completion"),
    )


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
    recipe = recipe_of_work_order(order)
    rates: dict[int, Rate] = {recipe.line_ids[rate.key]: rate for rate in recipe.rates}
    planned = {line.work_order_line_id: line for line in rest.lines} if rest else {}
    lines = []
    for line in order.lines.select_related("component").order_by("id"):
        rate = rates[line.pk]
        is_counted = not rate.is_optional and rate.issue_method != "manual"
        need = expected_usage(rate, started_after=order.planned, booked=ZERO, step=line.component.step)
        left = planned[line.pk].expected if line.pk in planned else ZERO
        lines.append(OrderLine(line, need if is_counted else ZERO, left, planned.get(line.pk)))
    return lines
