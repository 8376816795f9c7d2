"""The page on which goods of a purchase order come in, for a tablet and a scanner."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError
from inventory.filters import find_item
from inventory.forms import effective_at_of
from inventory.forms.buying import ArrivalForm, ChargeForm, ReceiveOrderForm, arrival_rows
from inventory.models import PurchaseOrder, PurchaseOrderState
from inventory.operations.receiving_orders import RECEIVABLE, receive_order
from inventory.quantities import ZERO
from inventory.templatetags.figures import grouped, money
from inventory.views.buying import number_in, order_named, order_response, without_row
from inventory.web import Crumb, add_refusal, go_to, render_page

CHARGES_SHOWN = 2


@require_http_methods(["GET", "POST"])
@permission_required("inventory.receive_purchaseorder", raise_exception=True)
def receive(request: HttpRequest, number: str) -> HttpResponse:
    """What came in of an order, line by line, with what is outstanding filled in."""
    assert request.user.is_authenticated
    order = order_named(number)
    lines = list(order.lines.select_related("item").prefetch_related("item__units").order_by("id"))
    if order.state not in RECEIVABLE:
        return order_response(
            request,
            order,
            refusal=f"{order.number} is {order.get_state_display().lower()}; nothing can come in for it.",
        )
    status = 200
    charges = [ChargeForm(prefix=f"charge-{n}") for n in range(CHARGES_SHOWN)]
    if request.method == "POST":
        data = without_row(request.POST, "row", request.POST.get("remove", ""))
        scanned = data.get("scan", "").strip()
        is_refresh = bool({"refresh", "remove", "another"} & set(request.POST)) or bool(scanned)
        another = number_in(data, "another")
        rows = arrival_rows(data, lines=lines, another=another, is_refresh=is_refresh)
        if is_refresh:
            form = ReceiveOrderForm(initial={**data.dict(), "scan": ""}, user=request.user)
            charges = [ChargeForm(prefix=f"charge-{n}", initial=_charge_of(data, n)) for n in range(CHARGES_SHOWN)]
            if scanned and not _focus_scanned(rows, scanned):
                form = ReceiveOrderForm(data, user=request.user)
                form.add_error("scan", f"{scanned} is not among the open lines of {order.number}.")
                status = 422
        else:
            form = ReceiveOrderForm(data, user=request.user)
            charges = [ChargeForm(data, prefix=f"charge-{n}") for n in range(CHARGES_SHOWN)]
            if all(one.is_valid() for one in (form, *rows, *charges)):
                try:
                    return _receive(request, order, form, rows, charges)
                except DomainError as error:
                    _show(form, rows, error)
            status = 422
    else:
        form = ReceiveOrderForm(initial={"location": order.location.code}, user=request.user)
        rows = arrival_rows(None, lines=lines)
    return render_page(
        request,
        "inventory/buying/receive.html",
        part={"receive": "inventory/buying/_receive.html"},
        title=f"Receive {order.number}",
        crumbs=[
            Crumb("Purchase orders", reverse("buying:orders")),
            Crumb(order.number, reverse("buying:order", args=[order.number])),
        ],
        form=form,
        status=status,
        order=order,
        rows=rows,
        charges=charges,
        closed_rows=[line for line in lines if not line.outstanding and line.pk not in {row.row.pk for row in rows}],
        action_url=request.path,
    )


def _receive(
    request: HttpRequest,
    order: PurchaseOrder,
    form: ReceiveOrderForm,
    rows: Sequence[ArrivalForm],
    charges: Sequence[ChargeForm],
) -> HttpResponse:
    assert request.user.is_authenticated
    data = form.cleaned_data
    arrivals = [arrival for row in rows if (arrival := row.arrival(data["location"])) is not None]
    result = receive_order(
        key=data["key"],
        order=order,
        arrivals=arrivals,
        charges=[charge for form_ in charges if (charge := form_.charge()) is not None],
        actor=request.user,
        effective_at=effective_at_of(data),
        reason=data.get("reason") or "",
        note=data["note"],
    )
    link = reverse("inventory:posting", args=[result.posting.pk])
    first = arrivals[0]
    what = (
        format_html("{} {} of {}", grouped(first.quantity), first.line.item.stock_unit, first.line.item.sku)
        if len(arrivals) == 1
        else f"{len(arrivals)} lines"
    )
    landed = (
        format_html(" · {} on top", money(sum((c.amount for c in _charges(charges)), ZERO))) if result.charges else ""
    )
    done = " Everything is here." if result.order.state == PurchaseOrderState.RECEIVED else ""
    message = format_html(
        'Received {} for {}{} · <a href="{}">{}</a>.{}', what, order.number, landed, link, str(result.posting), done
    )
    undo = ""
    if request.user.has_perm("inventory.reverse_posting") and not result.charges:
        undo = reverse("inventory:undo_posting", args=[result.posting.pk])
    return go_to(request, reverse("buying:order", args=[order.number]), message=message, undo=undo)


def _charges(forms: Sequence[ChargeForm]) -> list[Any]:
    return [charge for form in forms if (charge := form.charge()) is not None]


def _charge_of(data: QueryDict, number: int) -> dict[str, Any]:
    return {name: data.get(f"charge-{number}-{name}", "") for name in ChargeForm.base_fields}


def _focus_scanned(rows: Sequence[ArrivalForm], scanned: str) -> bool:
    """Put the cursor into the row of a scanned item; whether there is one."""
    item = find_item(scanned)
    row = next((row for row in rows if item is not None and row.row.item_id == item.pk), None)
    if row is None:
        return False
    row.fields["quantity"].widget.attrs["data-focus"] = ""
    return True


def _show(form: ReceiveOrderForm, rows: Sequence[ArrivalForm], error: DomainError) -> None:
    """A refusal at the row it is about, or above the form."""
    over = error.context.get("over")
    if isinstance(over, list):
        for one in over:
            row = next((row for row in rows if row.row.pk == one.get("line")), None)
            if row is not None:
                row.add_error("quantity", f"{one['outstanding']} are outstanding, {one['quantity']} were typed.")
        form.add_error("reason" if "reason" in form.fields else None, error.message)
        return
    sku = error.context.get("item")
    row = next((row for row in rows if row.row.item.sku == sku), None)
    if row is not None and error.code in ("LOT_REQUIRED", "LOT_MISMATCH", "DUPLICATE_SERIAL", "INVALID_QUANTITY_STEP"):
        add_refusal(row, error)
    add_refusal(form, error)
