"""Rework orders: what waits for one, the form that opens it, and its page, where what was done is recorded and undone."""

from collections.abc import Iterator

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError, IdempotencyMismatch
from inventory.filters import Chip, without
from inventory.models import StockStatus
from inventory.quantities import ZERO, as_text, total_of
from inventory.templatetags.figures import grouped
from inventory.web import Cell, Crumb, add_refusal, export_table, go_to, key_from, render_page
from inventory.whole_numbers import whole_number
from production.forms import new_key, own_places
from production.forms_rework import OpenReworkForm, RecordReworkForm
from production.models import InspectionDecision, Reworking, ReworkOrder, ReworkState
from production.operations.reworking import (
    Use,
    close_rework,
    expected_minutes,
    expected_use,
    open_rework,
    reverse_rework,
    rework,
    status_after,
)
from production.reads.rework import CELLS_MAX, Waiting, rework_orders, waiting, waiting_of
from production.sent_twice import note_opened, opened_before
from production.views.inspecting import queue_crumb

ROWS_PER_PAGE = 50
STATES = (("open", "Open"), ("done", "Done"), ("closed", "Closed short"))
EXPORT_HEADER = [
    "Order", "SKU", "Name", "Lot", "Place", "Unit", "Quantity", "Good", "Spoiled", "Left", "State", "Due", "What is to be done",
    "Components", "Work", "Cost of the rework",
]  # fmt: skip


def _crumbs() -> list[Crumb]:
    return [queue_crumb(), Crumb("Rework", reverse("quality:reworks"))]


@require_GET
@permission_required("production.view_inspection", raise_exception=True)
def reworks(request: HttpRequest) -> HttpResponseBase:
    """Rework orders, the open ones first by their day."""
    text = request.GET.get("q", "").strip()[:100]
    state = request.GET.get("state", "open")
    state = state if state in dict(STATES) else "open"
    found = rework_orders().filter(state=state)
    if state != ReworkState.OPEN:
        found = found.order_by("-closed_at", "-pk")
    if text:
        found = found.filter(
            Q(number__iexact=text)
            | Q(item__sku__icontains=text)
            | Q(item__name__icontains=text)
            | Q(lot__code__icontains=text)
        )
    download = export_table(request.GET.get("export", ""), name="Rework", header=EXPORT_HEADER, rows=_exported(found))
    if download is not None:
        return download
    return render_page(
        request,
        "production/quality/reworks.html",
        part={"reworks": "production/quality/_reworks.html"},
        title="Rework",
        crumbs=[queue_crumb()],
        page_object=Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page")),
        text=text,
        state=state,
        states=STATES,
        today=timezone.localdate(),
        chips=[Chip(f"Matches “{text}”", without(request.GET, "q"))] if text else [],
        clear_url=reverse("quality:reworks"),
        waits=len(waiting()),
        waits_max=CELLS_MAX,
        has_any=ReworkOrder.objects.exists(),
    )


def _exported(found: QuerySet[ReworkOrder]) -> Iterator[list[Cell]]:
    for order in found.prefetch_related("reworkings").iterator(chunk_size=500):
        done = [one for one in order.reworkings.all() if not one.is_reversed]
        yield [
            order.number,
            order.item.sku,
            order.item.name,
            order.lot.code,
            order.location.code,
            order.item.stock_unit,
            order.quantity,
            order.good,
            order.scrapped,
            order.remaining,
            order.get_state_display(),
            "" if order.due_on is None else order.due_on.isoformat(),
            order.work,
            total_of(one.component_value for one in done),
            total_of(one.work_value for one in done),
            total_of(one.added_value for one in done),
        ]


@require_http_methods(["GET", "POST"])
@permission_required("production.inspect", raise_exception=True)
def new_rework(request: HttpRequest) -> HttpResponse:
    """Choose what waits, then say what is to be done to it."""
    known = opened_before(request) if request.method == "POST" else ""
    if known:
        return redirect("quality:rework", known)
    query = request.POST if request.method == "POST" else request.GET
    chosen = _chosen(whole_number(query.get("decision")), whole_number(query.get("cell")))
    if chosen is None:
        return _choose(request, is_gone="decision" in query or "cell" in query)
    places = own_places()
    initial = {
        "key": new_key(),
        "quantity": as_text(chosen.suggested),
        "source_location": chosen.location.code if chosen.location.code.casefold() in places else "",
        "work": "" if chosen.decision is None else chosen.decision.reason,
    }
    if request.method == "GET":
        return _open_page(request, chosen, OpenReworkForm(initial=initial, item=chosen.item, places=places))
    data = request.POST.copy()
    data["key"] = str(key_from(request))
    form = OpenReworkForm(data, item=chosen.item, places=places)
    if "more" not in request.POST and form.is_valid():
        cleaned = form.cleaned_data
        try:
            order = open_rework(
                item=chosen.item,
                lot=chosen.lot,
                location=chosen.location,
                status=chosen.status,
                quantity=cleaned["quantity"],
                work=cleaned["work"],
                source_location=cleaned["source_location"],
                components=[(item, quantity) for item, quantity in form.components if quantity],
                minutes=cleaned["minutes"] or ZERO,
                rate_per_hour=cleaned["rate_per_hour"] or ZERO,
                due_on=cleaned["due_on"],
                decision=chosen.decision,
                actor=request.user,
            )
        except DomainError as error:
            add_refusal(form, error)
        else:
            note_opened(request, cleaned["key"], order.number)
            words = f"Opened {order.number} · {grouped(order.quantity)} {order.item.stock_unit} of {order.item.sku}"
            return go_to(request, "quality:rework", order.number, message=words)
    return _open_page(request, chosen, form)


def _chosen(decision_id: int | None, cell_id: int | None) -> Waiting | None:
    """The goods an order is opened for; None when they are not named, or nothing of them waits any more."""
    if decision_id is not None:
        decisions = InspectionDecision.objects.standing().select_related("verdict__inspection")
        decision = decisions.filter(pk=decision_id).first()
        return None if decision is None else waiting_of(decision)
    if cell_id is not None:
        return next(iter(waiting(cell_id=cell_id)), None)
    return None


def _choose(request: HttpRequest, *, is_gone: bool) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:100]
    return render_page(
        request,
        "production/quality/choose_rework.html",
        part={"waiting": "production/quality/_choose_rework.html"},
        title="What is reworked",
        crumbs=_crumbs(),
        rows=waiting(text=text),
        rows_max=CELLS_MAX,
        text=text,
        is_gone=is_gone,
    )


def _open_page(request: HttpRequest, chosen: Waiting, form: OpenReworkForm) -> HttpResponse:
    return render_page(
        request,
        "production/quality/new_rework.html",
        title=f"Rework {chosen.item.sku}",
        crumbs=_crumbs(),
        form=form,
        chosen=chosen,
        status=200 if "more" in request.POST else None,
    )


@require_GET
@permission_required("production.view_inspection", raise_exception=True)
def rework_order(request: HttpRequest, number: str) -> HttpResponse:
    return _order_page(request, _named(number))


@require_POST
@permission_required("production.inspect", raise_exception=True)
def record_rework(request: HttpRequest, number: str) -> HttpResponse:
    """Record what was mended and spoiled."""
    order = _named(number)
    data = request.POST.copy()
    data["key"] = str(key_from(request))
    form = _record_form(order, data)
    if "more" not in request.POST and form.is_valid():
        cleaned = form.cleaned_data
        try:
            result = rework(
                key=cleaned["key"],
                order=order,
                good=cleaned["good"],
                scrapped=cleaned["scrapped"],
                scrap_reason=cleaned["scrap_reason"],
                used=[Use(item, quantity) for item, quantity in form.components],
                minutes=cleaned["minutes"],
                target=cleaned["target"],
                note=cleaned["note"],
                actor=request.user,
            )
        except IdempotencyMismatch:
            data["key"] = new_key()
            form.add_error(
                None, "This form was sent before with other figures. Press the button again to record these."
            )
        except DomainError as error:
            add_refusal(form, error, field="good" if error.code == "INVALID_QUANTITY" else None)
        else:
            done = result.reworking
            parts = [f"{grouped(done.good)} good"] if done.good else []
            parts += [f"{grouped(done.scrapped)} spoiled"] if done.scrapped else []
            words = f"{order.number}: {', '.join(parts)} of {order.item.sku}"
            undo = reverse("quality:undo_rework", args=[done.posting_id])
            return go_to(request, "quality:rework", number, message=words, undo=undo)
    return _order_page(request, order, form=form)


def _record_form(order: ReworkOrder, data: QueryDict | None = None) -> RecordReworkForm:
    """The form with what the plan says the rest takes: as typed in `data`, else for all that is left."""
    places = own_places()
    place = order.location.code if order.location.code.casefold() in places else ""
    return RecordReworkForm(
        data,
        initial={"key": new_key(), "good": as_text(order.remaining), "target": place},
        item=order.item,
        places=places,
        lines=expected_use(order, order.remaining),
        minutes=expected_minutes(order, order.remaining),
    )


@require_POST
@permission_required("production.inspect", raise_exception=True)
def undo_rework(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back what a reworking did; what stands in the way is told on the order's page."""
    done = get_object_or_404(Reworking.objects.select_related("order"), pk=pk)
    number = done.order.number
    try:
        reverse_rework(key=key_from(request), reworking=done, actor=request.user)
    except DomainError as error:
        return _order_page(request, _named(number), refusal=error)
    words = f"Taken back: {grouped(done.good + done.scrapped)} of {number} are to be reworked again"
    return go_to(request, "quality:rework", number, message=words)


@require_POST
@permission_required("production.inspect", raise_exception=True)
def close_order(request: HttpRequest, number: str) -> HttpResponse:
    """Close an order whose rest is not reworked."""
    order = _named(number)
    try:
        closed = close_rework(order=order, actor=request.user)
    except DomainError as error:
        return _order_page(request, _named(number), refusal=error)
    left = f"{grouped(closed.remaining)} {order.item.stock_unit} stay in {closed.get_status_display().lower()}"
    return go_to(request, "quality:reworks", message=f"Closed {number}: {left}")


def _named(number: str) -> ReworkOrder:
    found = rework_orders().select_related("decision__verdict__inspection", "created_by")
    return get_object_or_404(found, number=number)


def _order_page(
    request: HttpRequest,
    order: ReworkOrder,
    *,
    form: RecordReworkForm | None = None,
    refusal: DomainError | None = None,
) -> HttpResponse:
    if form is None and order.is_open and request.user.has_perm("production.inspect"):
        form = _record_form(order)
    done = list(
        order.reworkings.select_related("posting__actor", "output_location").prefetch_related("lines__component")
    )
    standing = [one for one in done if not one.is_reversed]
    status = 409 if refusal is not None else 200 if form is None or "more" in request.POST else None
    return render_page(
        request,
        "production/quality/rework.html",
        title=order.number,
        crumbs=_crumbs(),
        form=form,
        status=status,
        order=order,
        components=list(order.components.select_related("component")),
        done=done,
        refusal=refusal,
        today=timezone.localdate(),
        cost=total_of(one.added_value for one in standing),
        has_done=bool(standing),
        after=StockStatus(status_after(order)).label,
    )
