"""What is done with a work order: released, reserved for, rescheduled, cancelled, split, merged, given another BOM."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.templatetags.figures import grouped
from inventory.web import Crumb, add_refusal, go_to, render_page, safe_next
from inventory.whole_numbers import whole_number
from production.models import WorkOrder
from production.operations.releasing import Missing, release_work_order, reserve_components
from production.operations.reshaping import (
    UNFINISHED,
    apply_newest_bom,
    bom_change,
    merge_work_orders,
    split_into_parts,
    split_work_order,
)
from production.operations.sub_orders import make_sub_orders
from production.operations.work_orders import cancel_work_order, reschedule_work_order
from production.order_forms import PartsForm, ReleaseForm, ScheduleForm, SplitForm
from production.views.orders_page import find_order, order_page

MERGEABLE_MAX = 50


def _do(request: HttpRequest, number: str, work: Callable[[WorkOrder], str]) -> HttpResponse:
    """Do something with an order and go back to it with a message; a refusal is shown on its page."""
    try:
        message = work(find_order(number))
    except DomainError as error:
        return order_page(request, find_order(number), refusal=error)
    return go_to(request, safe_next(request, reverse("production:work_order", args=[number])), message=message)


def _missing_in_words(missing: list[Missing]) -> str:
    parts = [f"{grouped(m.quantity)} {m.component.stock_unit} of {m.component.sku}" for m in missing]
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    return f"missing {', '.join(parts[:3])}{more}" if parts else "everything is reserved"


@require_POST
@permission_required("production.release_workorder", raise_exception=True)
def release_order(request: HttpRequest, number: str) -> HttpResponse:
    """Release a planned order: freeze its BOM and reserve its components."""
    form = ReleaseForm(request.POST)
    form.is_valid()
    given = form.cleaned_data

    def work(order: WorkOrder) -> str:
        result = release_work_order(
            work_order=order,
            keeps_bom=given["keeps_bom"],
            reserves=given["reserves"],
            needs_everything=given["needs_everything"],
            actor=request.user,
        )
        said = _missing_in_words(list(result.missing)) if given["reserves"] else "nothing was reserved"
        bom = f" · BOM v{result.order.bom.version} frozen" if result.has_new_bom else ""
        return f"Released {number} · {said}{bom}"

    return _do(request, number, work)


@require_POST
@permission_required("production.release_workorder", raise_exception=True)
def reserve_order(request: HttpRequest, number: str) -> HttpResponse:
    """Reserve what an open order still needs."""
    return _do(
        request,
        number,
        lambda order: f"{number}: {_missing_in_words(list(reserve_components(work_order=order, actor=request.user)))}",
    )


@require_POST
@permission_required("production.close_workorder", raise_exception=True)
def cancel_order(request: HttpRequest, number: str) -> HttpResponse:
    """Cancel an order of which nothing was made."""

    def work(order: WorkOrder) -> str:
        reason = request.POST.get("reason", "").strip()[:100]
        cancel_work_order(work_order=order, reason=reason, actor=request.user)
        return f"Cancelled {number}"

    return _do(request, number, work)


@require_POST
@permission_required("production.change_workorder", raise_exception=True)
def reschedule_order(request: HttpRequest, number: str) -> HttpResponse:
    """Other dates or another priority."""
    order = find_order(number)
    form = ScheduleForm(request.POST)
    if form.is_valid():
        try:
            reschedule_work_order(work_order=order, actor=request.user, **form.cleaned_data)
        except DomainError as error:
            add_refusal(form, error, field="due_on")
        else:
            back = safe_next(request, reverse("production:work_order", args=[number]))
            return go_to(request, back, message=f"Changed the dates of {number}")
    return order_page(request, order, schedule_form=form)


@require_http_methods(["GET", "POST"])
@permission_required("production.release_workorder", raise_exception=True)
def split_order(request: HttpRequest, number: str) -> HttpResponse:
    """Make a part of the rest an order of its own, or part the rest evenly into several."""
    order = find_order(number)
    if request.POST.get("way") == "parts":
        return _split_evenly(request, order)
    form = SplitForm(request.POST if request.method == "POST" else None, item=order.item)
    if form.is_valid():
        given = form.cleaned_data
        try:
            new = split_work_order(
                work_order=order, quantity=given["quantity"], due_on=given["due_on"], actor=request.user
            )
        except DomainError as error:
            add_refusal(form, error, field="quantity")
        else:
            return go_to(
                request,
                "production:work_order",
                new.number,
                message=f"Split {grouped(new.planned)} {order.item.stock_unit} off {number}",
            )
    return _split_page(request, order, form=form, parts_form=PartsForm())


def _split_evenly(request: HttpRequest, order: WorkOrder) -> HttpResponse:
    form = PartsForm(request.POST)
    if form.is_valid():
        try:
            found = split_into_parts(work_order=order, parts=form.cleaned_data["parts"], actor=request.user)
        except DomainError as error:
            add_refusal(form, error, field="parts")
        else:
            return go_to(request, "production:work_order", order.number, message=_parted(order, found))
    return _split_page(request, order, form=SplitForm(None, item=order.item), parts_form=form)


def _parted(order: WorkOrder, found: Sequence[WorkOrder]) -> str:
    """`Split WO-000001 into 3 orders: WO-000002 makes 3 pcs, WO-000003 makes 4 pcs`, the first of the new ones."""
    new = [f"{one.number} makes {grouped(one.planned)} {order.item.stock_unit}" for one in found[1:]]
    more = f" and {len(new) - 3} more" if len(new) > 3 else ""
    return f"Split {order.number} into {len(found)} orders: {', '.join(new[:3])}{more}"


def _split_page(request: HttpRequest, order: WorkOrder, *, form: SplitForm, parts_form: PartsForm) -> HttpResponse:
    asked = parts_form if parts_form.is_bound else form
    return _small_page(
        request,
        order,
        "production/order_split.html",
        f"Split {order.number}",
        form=asked,
        split_form=form,
        parts_form=parts_form,
    )


@require_http_methods(["GET", "POST"])
@permission_required("production.release_workorder", raise_exception=True)
def merge_orders(request: HttpRequest, number: str) -> HttpResponse:
    """Put other orders for the same item into this one."""
    order = find_order(number)
    text = request.GET.get("q", "").strip()[:24]
    mergeable = (
        WorkOrder.objects.filter(item=order.item_id, state=order.state, good=0, scrapped=0)
        .exclude(pk=order.pk)
        .select_related("item", "bom", "output_location")
        .order_by("due_on", "id")
    )
    others = list(mergeable.filter(number__icontains=text)[: MERGEABLE_MAX + 1])
    refusal: DomainError | None = None
    chosen = set(request.POST.getlist("order"))
    if request.method == "POST":
        wanted = list(mergeable.filter(number__in=chosen))
        try:
            merged = merge_work_orders(target=order, others=wanted, actor=request.user)
        except DomainError as error:
            refusal = error
        else:
            return go_to(
                request,
                "production:work_order",
                number,
                message=f"{number} now plans {grouped(merged.planned)} {order.item.stock_unit}",
            )
    can_merge = order.state in UNFINISHED
    return _small_page(
        request,
        order,
        "production/order_merge.html",
        f"Merge into {number}",
        others=others[:MERGEABLE_MAX] if can_merge else [],
        has_more=len(others) > MERGEABLE_MAX,
        text=text,
        chosen=chosen,
        refusal=refusal,
        status=422 if refusal else None,
    )


@require_http_methods(["GET", "POST"])
@permission_required("production.release_workorder", raise_exception=True)
def newest_bom(request: HttpRequest, number: str) -> HttpResponse:
    """What the BOM in force would change, and taking it."""
    order = find_order(number)
    refusal: DomainError | None = None
    if request.method == "POST":
        bom_id = request.POST.get("bom", "")
        try:
            apply_newest_bom(work_order=order, bom_id=whole_number(bom_id) or 0, actor=request.user)
        except DomainError as error:
            refusal = error
        else:
            return go_to(request, "production:work_order", number, message=f"{number} goes by the newest BOM now")
    change, problem = None, None
    try:
        change = bom_change(find_order(number))
    except DomainError as error:
        problem = error
    return _small_page(
        request,
        order,
        "production/order_bom.html",
        f"Newest BOM for {number}",
        change=change,
        refusal=refusal or problem,
        status=422 if refusal else None,
    )


@require_POST
@permission_required("production.add_workorder", raise_exception=True)
def plan_sub_orders(request: HttpRequest, number: str) -> HttpResponse:
    """Plan work orders for the sub-assemblies an order is short of."""

    def work(order: WorkOrder) -> str:
        made = make_sub_orders(work_order=order, actor=request.user)
        if not made:
            return f"{number} is short of no sub-assembly that is not on its way"
        said = ", ".join(f"{child.number} ({child.item.sku})" for child in made[:3])
        return f"Planned {said}{f' and {len(made) - 3} more' if len(made) > 3 else ''} for {number}"

    return _do(request, number, work)


def _small_page(
    request: HttpRequest,
    order: WorkOrder,
    template: str,
    title: str,
    *,
    form: forms.Form | None = None,
    status: int | None = None,
    **context: Any,
) -> HttpResponse:
    return render_page(
        request,
        template,
        title=title,
        crumbs=[
            Crumb("Work orders", reverse("production:work_orders")),
            Crumb(order.number, reverse("production:work_order", args=[order.number])),
        ],
        form=form,
        status=status,
        order=order,
        **context,
    )
