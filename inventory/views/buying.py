"""Purchase orders: the list, writing one, and its page."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.filters import Chip, find_item, without
from inventory.forms.buying import (
    OrderForm,
    OrderLineForm,
    order_lines,
)
from inventory.models import Location, LocationKind, PurchaseOrder, PurchaseOrderLine, PurchaseOrderState, Supplier
from inventory.operations.purchasing import (
    EDITABLE,
    cancel_order,
    change_order,
    close_order,
    close_order_line,
    draft_order,
    place_order,
    reopen_order,
)
from inventory.operations.receiving_orders import RECEIVABLE
from inventory.quantities import ZERO
from inventory.reads.purchases import late_orders, orders_with_progress, receipts_of, shares_of_postings
from inventory.web import Crumb, add_refusal, export_table, go_to, render_page
from inventory.whole_numbers import whole_number

ROWS_PER_PAGE = 50
CHARGES_SHOWN = 2
WRITTEN_IN_SESSION = "written_purchase_orders"
KEYS_KEPT_MAX = 20
TONES = {
    PurchaseOrderState.DRAFT: ("quiet", "edit_note"),
    PurchaseOrderState.ORDERED: ("info", "local_shipping"),
    PurchaseOrderState.RECEIVED: ("good", "check_circle"),
    PurchaseOrderState.CLOSED: ("quiet", "block"),
    PurchaseOrderState.CANCELLED: ("quiet", "cancel"),
}


# --- The list ---------------------------------------------------------------------------------------------------------


@require_GET
@permission_required("inventory.view_purchaseorder", raise_exception=True)
def orders(request: HttpRequest) -> HttpResponseBase:
    """Orders, newest first; what is open unless a state is chosen."""
    suppliers = list(Supplier.objects.order_by("code"))
    state = request.GET.get("state", "")
    state = state if state in (*PurchaseOrderState.values, "all") else ""
    supplier = next((one for one in suppliers if str(one.pk) == request.GET.get("supplier", "")), None)
    text = request.GET.get("q", "").strip()[:100]
    is_late = request.GET.get("late") == "1"
    found = _filtered(state, supplier, text, is_late=is_late)
    table = export_table(
        request.GET.get("export", ""),
        name="Purchase orders",
        header=[
            "Order",
            "Supplier",
            "State",
            "Ordered",
            "Expected",
            "Lines",
            "Open lines",
            "Price",
            "Supplier's number",
        ],
        rows=(
            [
                order.number,
                order.supplier.code,
                order.get_state_display(),
                str(order.ordered_on or ""),
                str(order.expected_on or ""),
                getattr(order, "line_count", 0),
                getattr(order, "open_lines", 0),
                None if getattr(order, "unpriced", 0) else getattr(order, "worth", None),
                order.reference,
            ]
            for order in found
        ),
    )
    if table is not None:
        return table
    query = request.GET
    chips = [
        Chip(label, without(query, name))
        for name, label in (
            ("q", f"“{text}”" if text else ""),
            ("supplier", f"Supplier: {supplier.code}" if supplier else ""),
            ("state", f"State: {PurchaseOrderState(state).label if state != 'all' else 'all'}" if state else ""),
            ("late", "Late" if is_late else ""),
        )
        if label
    ]
    return render_page(
        request,
        "inventory/buying/orders.html",
        part={"orders": "inventory/buying/_orders.html"},
        title="Purchase orders",
        page_object=Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page")),
        has_any=PurchaseOrder.objects.exists(),
        chips=chips,
        clear_url=reverse("buying:orders"),
        suppliers=suppliers,
        states=PurchaseOrderState.choices,
        state=state,
        supplier=supplier,
        text=text,
        is_late=is_late,
        today=timezone.localdate(),
    )


def _filtered(state: str, supplier: Supplier | None, text: str, *, is_late: bool) -> QuerySet[PurchaseOrder]:
    found: QuerySet[PurchaseOrder] = PurchaseOrder.objects.select_related("supplier", "location")
    if text:
        lines = PurchaseOrderLine.objects.filter(order=OuterRef("pk"))
        of_item = lines.filter(Q(item__sku__icontains=text) | Q(item__name__icontains=text) | Q(item__barcode=text))
        found = found.filter(
            Q(number__icontains=text)
            | Q(reference__icontains=text)
            | Q(supplier__name__icontains=text)
            | Exists(of_item)
        )
    if supplier is not None:
        found = found.filter(supplier=supplier)
    if is_late:
        found = late_orders(found)
    if state and state != "all":
        found = found.filter(state=state)
    elif not state and not text:
        found = found.filter(state__in=EDITABLE)
    soonest = (F("expected_on").asc(nulls_last=True), "-id") if not state and not text else ("-id",)
    return orders_with_progress(found).order_by(*soonest)


# --- Writing ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@permission_required("inventory.add_purchaseorder", raise_exception=True)
def new_order(request: HttpRequest) -> HttpResponse:
    """Write an order. A form that is sent twice writes one."""
    known = request.session.get(WRITTEN_IN_SESSION, {}).get(request.POST.get("key", ""))
    if known and "refresh" not in request.POST:
        return redirect("buying:order", known)

    def write(form: OrderForm, lines: Sequence[OrderLineForm]) -> HttpResponse:
        order = draft_order(**_head(form), lines=[line.spec() for line in lines], actor=request.user)
        written = request.session.get(WRITTEN_IN_SESSION, {})
        written[str(form.cleaned_data["key"])] = order.number
        request.session[WRITTEN_IN_SESSION] = dict(list(written.items())[-KEYS_KEPT_MAX:])
        message = f"Wrote {order.number}. It is a draft until you place it."
        return go_to(request, reverse("buying:order", args=[order.number]), message=message)

    places = list(Location.objects.filter(kind=LocationKind.OWN, is_active=True, parent=None)[:2])
    initial: dict[str, Any] = {"supplier": request.GET.get("supplier"), "add": ""}
    if len(places) == 1:
        initial["location"] = places[0].code
    return _write_page(request, None, initial, write, title="Write a purchase order")


@require_http_methods(["GET", "POST"])
@permission_required("inventory.change_purchaseorder", raise_exception=True)
def edit_order(request: HttpRequest, number: str) -> HttpResponse:
    """Change a draft, or an order of which lines are still outstanding."""
    order = order_named(number)
    if order.state not in EDITABLE:
        return order_response(
            request, order, refusal=f"{order.number} is {order.get_state_display().lower()} and cannot be changed."
        )

    def write(form: OrderForm, lines: Sequence[OrderLineForm]) -> HttpResponse:
        change_order(order=order, **_head(form), lines=[line.spec() for line in lines], actor=request.user)
        return go_to(request, reverse("buying:order", args=[order.number]), message=f"Changed {order.number}.")

    initial = {
        "supplier": order.supplier_id,
        "location": order.location.code,
        "expected_on": order.expected_on,
        "reference": order.reference,
        "note": order.note,
    }
    return _write_page(request, order, initial, write, title=f"Change {order.number}")


def _head(form: OrderForm) -> dict[str, Any]:
    data = form.cleaned_data
    return {name: data[name] for name in ("supplier", "location", "expected_on", "reference", "note")}


def _write_page(
    request: HttpRequest,
    order: PurchaseOrder | None,
    initial: dict[str, Any],
    write: Callable[[OrderForm, Sequence[OrderLineForm]], HttpResponse],
    *,
    title: str,
) -> HttpResponse:
    """Show the form, add or take away a line, or write what it says."""
    status = 200
    if request.method == "POST":
        data = without_row(request.POST, "line", request.POST.get("remove", ""))
        is_refresh = bool({"refresh", "remove"} & set(request.POST)) or bool(data.get("add", "").strip())
        added = find_item(data.get("add", "")) if is_refresh else None
        supplier_id = number_in(data, "supplier") or None
        lines = order_lines(data, order=order, supplier_id=supplier_id, added=added, is_refresh=is_refresh)
        if is_refresh:
            form = OrderForm(initial={**data.dict(), "add": "" if added else data.get("add", "")})
            if data.get("add", "").strip() and added is None:
                form = OrderForm(data)
                status = 422
        else:
            form = OrderForm(data)
            if form.is_valid() and all(line.is_valid() for line in lines):
                try:
                    return write(form, lines)
                except DomainError as error:
                    add_refusal(form, error, field="location" if error.code == "LOCATION_BLOCKED" else None)
            status = 422
    else:
        form = OrderForm(initial=initial)
        lines = order_lines(None, order=order, supplier_id=order.supplier_id if order else None)
    crumbs = [Crumb("Purchase orders", reverse("buying:orders"))]
    if order is not None:
        crumbs.append(Crumb(order.number, reverse("buying:order", args=[order.number])))
    return render_page(
        request,
        "inventory/buying/order_form.html",
        part={"order-form": "inventory/buying/_order_form.html"},
        title=title,
        crumbs=crumbs,
        form=form,
        status=status,
        lines=lines,
        order=order,
        total=sum((line.total or ZERO for line in lines), ZERO),
        is_unpriced=any(line.total is None for line in lines),
        action_url=request.path,
        has_suppliers=Supplier.objects.active().exists(),
    )


def number_in(data: QueryDict, name: str) -> int:
    """A whole number that was posted; 0 when there is none."""
    return whole_number(data.get(name)) or 0


def without_row(posted: QueryDict, prefix: str, number: str) -> QueryDict:
    """The posted fields less those of a row whose button says to take it away."""
    data = posted.copy()
    if whole_number(number) is not None:
        for name in [name for name in data if name.startswith(f"{prefix}-{number}-")]:
            del data[name]
    return data


# --- One order --------------------------------------------------------------------------------------------------------


@require_GET
@permission_required("inventory.view_purchaseorder", raise_exception=True)
def order_page(request: HttpRequest, number: str) -> HttpResponse:
    return order_response(request, order_named(number))


def order_named(number: str) -> PurchaseOrder:
    found = PurchaseOrder.objects.select_related("supplier", "location", "created_by")
    return get_object_or_404(found, number__iexact=number)


def order_response(request: HttpRequest, order: PurchaseOrder, *, refusal: str = "") -> HttpResponse:
    lines = list(order.lines.select_related("item").order_by("id"))
    receipts = receipts_of(order)
    today = timezone.localdate()
    tone, icon = TONES[PurchaseOrderState(order.state)]
    values = [line.value for line in lines]
    return render_page(
        request,
        "inventory/buying/order.html",
        title=order.number,
        crumbs=[Crumb("Purchase orders", reverse("buying:orders"))],
        status=409 if refusal else None,
        order=order,
        tone=tone,
        state_icon=icon,
        lines=[
            {
                "line": line,
                "due_on": (line.expected_on or order.expected_on) if line.outstanding else None,
                "is_late": bool(
                    order.state == PurchaseOrderState.ORDERED
                    and line.outstanding
                    and (line.expected_on or order.expected_on or today) < today
                ),
                "over": max(line.received - line.quantity, ZERO),
            }
            for line in lines
        ],
        receipts=receipts,
        shares=shares_of_postings([receipt.posting.pk for receipt in receipts]),
        total=None if None in values else sum((v for v in values if v is not None), ZERO),
        open_lines=sum(1 for line in lines if line.outstanding),
        started=any(line.received for line in lines),
        can_reopen=order.state in (PurchaseOrderState.CLOSED, PurchaseOrderState.CANCELLED)
        or (order.state == PurchaseOrderState.RECEIVED and any(line.is_closed for line in lines)),
        can_edit=order.state in EDITABLE,
        can_receive=order.state in RECEIVABLE and any(line.outstanding for line in lines),
        refusal=refusal,
    )


@require_POST
@permission_required("inventory.place_purchaseorder", raise_exception=True)
def place(request: HttpRequest, number: str) -> HttpResponse:
    return _do(request, number, lambda order: place_order(order=order, actor=request.user), "Placed {}.")


@require_POST
@permission_required("inventory.place_purchaseorder", raise_exception=True)
def close(request: HttpRequest, number: str) -> HttpResponse:
    reason = request.POST.get("reason", "")[:100]
    return _do(
        request,
        number,
        lambda order: close_order(order=order, actor=request.user, reason=reason),
        "Closed {} short.",
        undo="buying:reopen_order",
    )


@require_POST
@permission_required("inventory.place_purchaseorder", raise_exception=True)
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    reason = request.POST.get("reason", "")[:100]
    return _do(
        request,
        number,
        lambda order: cancel_order(order=order, actor=request.user, reason=reason),
        "Cancelled {}.",
        undo="buying:reopen_order",
    )


@require_POST
@permission_required("inventory.place_purchaseorder", raise_exception=True)
def reopen(request: HttpRequest, number: str) -> HttpResponse:
    return _do(request, number, lambda order: reopen_order(order=order, actor=request.user), "Opened {} again.")


@require_POST
@permission_required("inventory.place_purchaseorder", raise_exception=True)
def close_line(request: HttpRequest, number: str, line: int) -> HttpResponse:
    return _do(
        request,
        number,
        lambda order: close_order_line(order=order, line=line, actor=request.user),
        "The rest of that line of {} is no longer expected.",
        undo="buying:reopen_order",
    )


def _do(
    request: HttpRequest,
    number: str,
    work: Callable[[PurchaseOrder], PurchaseOrder],
    message: str,
    *,
    undo: str = "",
) -> HttpResponse:
    order = order_named(number)
    try:
        work(order)
    except DomainError as error:
        return order_response(request, order_named(number), refusal=error.message)
    return go_to(
        request,
        reverse("buying:order", args=[number]),
        message=message.format(order.number),
        undo=reverse(undo, args=[number]) if undo else "",
    )
