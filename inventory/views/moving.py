"""Pages on which stock is moved by hand: one form each, one operation each."""

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from inventory.forms import (
    AdjustForm,
    ChangeStatusForm,
    CorrectCostForm,
    IssueForm,
    ReceiveForm,
    ScrapForm,
    StockForm,
    TransferForm,
    effective_at_of,
)
from inventory.models import PostingKind, StockStatus
from inventory.operations.adjusting import adjust_stock, correct_cost
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.posting import Actor
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.transferring import change_status, transfer_stock
from inventory.reads.cost_effect import CostEffect, cost_effect
from inventory.templatetags.figures import money
from inventory.views.actions import Action, Done, action_page, link_to, moved_words


def _receive(form: StockForm, actor: Actor) -> Done:
    data = form.cleaned_data
    line = ReceiptLine(
        item=data["item"],
        location=data["location"],
        quantity=data["quantity"],
        value=data["value"],
        lot_code=data.get("lot_code") or "",
        expires_on=data.get("expires_on"),
        supplier_lot=data.get("supplier_lot") or "",
    )
    posting = receive_stock(
        key=data["key"],
        lines=[line],
        actor=actor,
        effective_at=effective_at_of(data),
        reference=data["reference"],
        note=data["note"],
    ).posting
    cost = format_html("cost {}", money(line.value)) if line.value is not None else "cost not known yet"
    held = " It is on QC hold." if line.item.inspection_required else ""
    moved = moved_words("Received", line.item, line.quantity, f"into {line.location.code}")
    return Done(posting, format_html("{} · {} · {}.{}", moved, cost, link_to(posting), held))


def _issue(form: StockForm, actor: Actor) -> Done:
    data = form.cleaned_data
    result = issue_stock(
        key=data["key"],
        item=data["item"],
        location=data["location"],
        quantity=data["quantity"],
        lots=form.chosen_lots(),
        actor=actor,
        effective_at=effective_at_of(data),
        reference=data["reference"],
        reason=data["reason"],
        note=data["note"],
        may_go_below=bool(data.get("may_go_below")),
        use_expired=form.uses_expired(),
    )
    moved = moved_words("Issued", data["item"], data["quantity"], f"from {data['location'].code}")
    return Done(result.posting, format_html("{} · cost {} · {}.", moved, money(result.value), link_to(result.posting)))


def _transfer(form: StockForm, actor: Actor) -> Done:
    data = form.cleaned_data
    posting = transfer_stock(
        key=data["key"],
        item=data["item"],
        source=data["location"],
        target=data["target"],
        quantity=data["quantity"],
        status=data["status"],
        lots=form.chosen_lots(),
        actor=actor,
        effective_at=effective_at_of(data),
        reference=data["reference"],
        note=data["note"],
    ).posting
    where = f"from {data['location'].code} to {data['target'].code}"
    return Done(
        posting, format_html("{} · {}.", moved_words("Moved", data["item"], data["quantity"], where), link_to(posting))
    )


def _adjust(form: StockForm, actor: Actor) -> Done:
    data = form.cleaned_data
    is_found = data["direction"] == "found"
    quantity = data["quantity"]
    result = adjust_stock(
        key=data["key"],
        item=data["item"],
        location=data["location"],
        quantity=quantity if is_found else -quantity,
        reason=data["reason"],
        status=data["status"],
        lot_code=data.get("lot_code") or "",
        expires_on=data.get("expires_on"),
        lots=form.chosen_lots(),
        value=data.get("value"),
        actor=actor,
        effective_at=effective_at_of(data),
        note=data["note"],
    )
    verb = "Added to the book:" if is_found else "Taken off the book:"
    moved = moved_words(verb, data["item"], quantity, f"at {data['location'].code}")
    return Done(result.posting, format_html("{} · value {} · {}.", moved, money(result.value), link_to(result.posting)))


def _scrap(form: StockForm, actor: Actor) -> Done:
    data = form.cleaned_data
    result = scrap_stock(
        key=data["key"],
        item=data["item"],
        location=data["location"],
        quantity=data["quantity"],
        reason=data["reason"],
        status=data["status"],
        lots=form.chosen_lots(),
        actor=actor,
        effective_at=effective_at_of(data),
        note=data["note"],
    )
    moved = moved_words("Scrapped", data["item"], data["quantity"], f"at {data['location'].code}")
    return Done(result.posting, format_html("{} · cost {} · {}.", moved, money(result.value), link_to(result.posting)))


def _change_status(form: StockForm, actor: Actor) -> Done:
    data = form.cleaned_data
    posting = change_status(
        key=data["key"],
        item=data["item"],
        location=data["location"],
        quantity=data["quantity"],
        from_status=data["from_status"],
        to_status=data["to_status"],
        reason=data["reason"],
        lots=form.chosen_lots(),
        actor=actor,
        effective_at=effective_at_of(data),
        note=data["note"],
    ).posting
    label = StockStatus(data["to_status"]).label.lower()
    verb = "Released" if data["to_status"] == StockStatus.AVAILABLE else f"Set to {label}:"
    moved = moved_words(verb, data["item"], data["quantity"], f"at {data['location'].code}")
    return Done(posting, format_html("{} · {}.", moved, link_to(posting)))


def _correct_cost(form: StockForm, actor: Actor) -> Done:
    data = form.cleaned_data
    result = correct_cost(
        key=data["key"],
        item=data["item"],
        unit_cost=data["unit_cost"],
        reason=data["reason"],
        actor=actor,
        note=data["note"],
    )
    value = money(result.value, signed=True)
    message = format_html("Corrected the cost of {} · {} · {}.", data["item"].sku, value, link_to(result.posting))
    return Done(result.posting, message)


def _effect_of_cost(form: StockForm) -> CostEffect | None:
    """What the typed cost would change; the present figures alone while it is not a figure."""
    if form.known_item is None:
        return None
    try:
        unit_cost = form.fields["unit_cost"].clean(form.typed("unit_cost"))
    except ValidationError:
        unit_cost = None
    return cost_effect(form.known_item, unit_cost)


RECEIVE = Action(
    "receive",
    "Receive stock",
    "Receive",
    "input",
    "Goods that came in. Items that need inspection go to QC hold first.",
    PostingKind.RECEIPT,
    ReceiveForm,
    _receive,
    keep=("location", "reference"),
)
ISSUE = Action(
    "issue",
    "Issue stock",
    "Issue",
    "output",
    "Goods that leave for a use that is no completion and no shipment.",
    PostingKind.ISSUE,
    IssueForm,
    _issue,
)
TRANSFER = Action(
    "transfer",
    "Transfer stock",
    "Transfer",
    "swap_horiz",
    "Goods that change their place. Lots, status and value go with them.",
    PostingKind.TRANSFER,
    TransferForm,
    _transfer,
    keep=("location", "target"),
)
ADJUST = Action(
    "adjust",
    "Adjust stock",
    "Adjust",
    "tune",
    "Put the book right where it differs from what is there.",
    PostingKind.ADJUSTMENT,
    AdjustForm,
    _adjust,
    keep=("location", "direction"),
)
SCRAP = Action(
    "scrap",
    "Scrap stock",
    "Scrap",
    "delete_sweep",
    "Goods that are lost to use. Their cost becomes scrap expense.",
    PostingKind.SCRAP,
    ScrapForm,
    _scrap,
)
CHANGE_STATUS = Action(
    "change_status",
    "Hold and release",
    "Change status",
    "verified",
    "Release goods from QC hold, or take them out of sale: hold, quarantine, damaged, expired.",
    PostingKind.STATUS_CHANGE,
    ChangeStatusForm,
    _change_status,
    keep=("location", "from_status", "to_status"),
)
CORRECT_COST = Action(
    "correct_cost",
    "Correct a cost",
    "Correct cost",
    "price_change",
    "Set what one unit of the stock on hand is worth. What was used before keeps its value.",
    PostingKind.COST_CORRECTION,
    CorrectCostForm,
    _correct_cost,
    keep=(),
    can_undo=False,
    effect=_effect_of_cost,
)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.receive_stock", raise_exception=True)
def receive(request: HttpRequest) -> HttpResponse:
    return action_page(request, RECEIVE)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.issue_stock", raise_exception=True)
def issue(request: HttpRequest) -> HttpResponse:
    return action_page(request, ISSUE)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.transfer_stock", raise_exception=True)
def transfer(request: HttpRequest) -> HttpResponse:
    return action_page(request, TRANSFER)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.adjust_stock", raise_exception=True)
def adjust(request: HttpRequest) -> HttpResponse:
    return action_page(request, ADJUST)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.scrap_stock", raise_exception=True)
def scrap(request: HttpRequest) -> HttpResponse:
    return action_page(request, SCRAP)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.change_stock_status", raise_exception=True)
def change_stock_status(request: HttpRequest) -> HttpResponse:
    return action_page(request, CHANGE_STATUS)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.correct_cost", raise_exception=True)
def correct_item_cost(request: HttpRequest) -> HttpResponse:
    return action_page(request, CORRECT_COST)
