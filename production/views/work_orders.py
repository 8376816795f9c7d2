"""Opening work orders, closing and reopening them, and changing what they plan."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError
from inventory.templatetags.figures import grouped
from inventory.web import Crumb, add_refusal, go_to, key_from, render_page
from production.forms import PlanForm, WorkOrderForm, new_key, own_places
from production.models import ConsumptionBasis
from production.operations.work_orders import change_planned, close_work_order, open_work_order, reopen_work_order
from production.sent_twice import note_opened, opened_before
from production.views.orders_page import find_order, order_page


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
        known = opened_before(request)
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
                start_on=cleaned["start_on"],
                rank=cleaned["rank"] or 0,
                basis=cleaned["basis"] or ConsumptionBasis.BOM,
                is_planned=bool(cleaned["is_planned"]),
                actor=request.user,
            )
        except DomainError as error:
            add_refusal(form, error, field=_field_of(error))
        else:
            note_opened(request, cleaned["key"], order.number)
            verb = "Planned" if cleaned["is_planned"] else "Opened"
            return go_to(
                request,
                "production:work_order",
                order.number,
                message=f"{verb} {order.number} · {grouped(order.planned)} × {order.item.sku}",
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


@require_http_methods(["POST"])
@permission_required("production.close_workorder", raise_exception=True)
def close_order(request: HttpRequest, number: str) -> HttpResponse:
    order = find_order(number)
    try:
        close_work_order(work_order=order, reason=request.POST.get("reason", "").strip()[:100], actor=request.user)
    except DomainError as error:
        return order_page(request, find_order(number), refusal=error)
    return go_to(
        request,
        "production:work_order",
        number,
        message=(
            f"Closed {number} with {grouped(order.remaining)} {order.item.stock_unit} not made"
            if order.remaining
            else f"Closed {number}"
        ),
        undo=reverse("production:reopen_order", args=[number]) if order.remaining else "",
    )


@require_http_methods(["POST"])
@permission_required("production.close_workorder", raise_exception=True)
def reopen_order(request: HttpRequest, number: str) -> HttpResponse:
    order = find_order(number)
    try:
        reopen_work_order(work_order=order, actor=request.user)
    except DomainError as error:
        return order_page(request, find_order(number), refusal=error)
    return go_to(request, "production:work_order", number, message=f"Opened {number} again")


@require_http_methods(["POST"])
@permission_required("production.change_workorder", raise_exception=True)
def change_plan(request: HttpRequest, number: str) -> HttpResponse:
    """Raise or lower the plan of an order."""
    order = find_order(number)
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
    return order_page(request, find_order(number), plan_form=form)


@permission_required("production.record_completion", raise_exception=True)
def complete_order(_request: HttpRequest, number: str) -> HttpResponseRedirect:
    """Where the code on a traveller leads: the page that records completions, with the order filled in."""
    return redirect(f"{reverse('production:record_completion')}?{urlencode({'what': number})}")
