"""Goods that come back from customers and goods that go back to suppliers: one form each."""

from decimal import Decimal

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from inventory.forms.returning import CustomerReturnForm, SupplierReturnForm
from inventory.forms.stock import StockForm, effective_at_of
from inventory.models import PostingKind
from inventory.operations.posting import Actor
from inventory.operations.returning import (
    CustomerReturnLine,
    SupplierReturnLine,
    return_from_customer,
    return_to_supplier,
)
from inventory.templatetags.figures import money
from inventory.views.actions import Action, Done, action_page, link_to, moved_words


def _take_back(form: StockForm, actor: Actor) -> Done:
    data = form.cleaned_data
    line = CustomerReturnLine(
        item=data["item"],
        location=data["location"],
        quantity=data["quantity"],
        status=data["status"],
        lot_code=data.get("lot_code") or "",
        expires_on=data.get("expires_on"),
        value=data.get("value"),
    )
    result = return_from_customer(
        key=data["key"],
        lines=[line],
        shipment=data["shipment"],
        actor=actor,
        effective_at=effective_at_of(data),
        reference=data["reference"],
        reason=data["reason"],
        note=data["note"],
    )
    moved = moved_words("Took back", line.item, line.quantity, f"into {line.location.code}")
    return Done(result.posting, format_html("{} · worth {} · {}.", moved, money(result.value), link_to(result.posting)))


def _send_back(form: StockForm, actor: Actor) -> Done:
    data = form.cleaned_data
    line = SupplierReturnLine(
        item=data["item"],
        location=data["location"],
        quantity=data["quantity"],
        status=data["status"],
        lots=form.chosen_lots(),
        credit=data["credit"],
    )
    result = return_to_supplier(
        key=data["key"],
        lines=[line],
        receipt=data["receipt"],
        actor=actor,
        effective_at=effective_at_of(data),
        reference=data["reference"],
        reason=data["reason"],
        note=data["note"],
    )
    moved = moved_words("Sent back", line.item, line.quantity, f"from {line.location.code}")
    variance = ""
    if result.variance != Decimal(0):
        variance = format_html(" · variance {}", money(result.variance, signed=True))
    words = format_html("{} · cost {}{} · {}.", moved, money(result.value), variance, link_to(result.posting))
    return Done(result.posting, words)


TAKE_BACK = Action(
    "take_back",
    "Take back from a customer",
    "Take back",
    "assignment_return",
    "Goods a customer sends back. Of a known shipment they are worth what they left with; they wait in quarantine.",
    PostingKind.CUSTOMER_RETURN,
    CustomerReturnForm,
    _take_back,
    keep=("location", "shipment"),
)
SEND_BACK = Action(
    "send_back",
    "Send back to a supplier",
    "Send back",
    "undo",
    "Goods that go back to where they were bought, whatever their status. Name the receipt they came with if it is known.",
    PostingKind.SUPPLIER_RETURN,
    SupplierReturnForm,
    _send_back,
    keep=("location", "receipt"),
)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.return_stock", raise_exception=True)
def take_back(request: HttpRequest) -> HttpResponse:
    return action_page(request, TAKE_BACK)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.return_stock", raise_exception=True)
def send_back(request: HttpRequest) -> HttpResponse:
    return action_page(request, SEND_BACK)
