"""Pages on which stock is moved by hand: one form each, one operation each."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError
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
from inventory.models import Item, Movement, Posting, PostingKind, StockBalance, StockStatus
from inventory.operations.adjusting import adjust_stock, correct_cost
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.posting import Actor
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.transferring import change_status, transfer_stock
from inventory.reads.item_ledger import fully_reversed
from inventory.templatetags.figures import grouped, money
from inventory.web import Crumb, add_refusal, go_to, render_page

RECENT_MAX = 8
PLACES = ("location", "target")
"""Fields that are scanned right after the item."""
CELLS_MAX = 30


@dataclass(frozen=True, slots=True)
class Done:
    posting: Posting
    message: str


@dataclass(frozen=True, slots=True)
class Action:
    """A verb of stock as a page. `submit` runs the one operation behind it; `keep` stays in the form for the next one."""

    name: str
    title: str
    verb: str
    icon: str
    help: str
    kind: PostingKind
    form: type[StockForm]
    submit: Callable[[StockForm, Actor], Done]
    keep: tuple[str, ...] = ("location",)
    more: tuple[str, ...] = ("effective_at", "note", "supplier_lot")


def _moved(verb: str, item: Item, quantity: Decimal, where: str) -> SafeString:
    return format_html("{} {} {} of {} {}", verb, grouped(quantity), item.stock_unit, item.sku, where)


def _link(posting: Posting) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("inventory:posting", args=[posting.pk]), str(posting))


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
    moved = _moved("Received", line.item, line.quantity, f"into {line.location.code}")
    return Done(posting, format_html("{} · {} · {}.{}", moved, cost, _link(posting), held))


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
    )
    moved = _moved("Issued", data["item"], data["quantity"], f"from {data['location'].code}")
    return Done(result.posting, format_html("{} · cost {} · {}.", moved, money(result.value), _link(result.posting)))


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
        posting, format_html("{} · {}.", _moved("Moved", data["item"], data["quantity"], where), _link(posting))
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
    moved = _moved(verb, data["item"], quantity, f"at {data['location'].code}")
    return Done(result.posting, format_html("{} · value {} · {}.", moved, money(result.value), _link(result.posting)))


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
    moved = _moved("Scrapped", data["item"], data["quantity"], f"at {data['location'].code}")
    return Done(result.posting, format_html("{} · cost {} · {}.", moved, money(result.value), _link(result.posting)))


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
    moved = _moved(verb, data["item"], data["quantity"], f"at {data['location'].code}")
    return Done(posting, format_html("{} · {}.", moved, _link(posting)))


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
    message = format_html("Corrected the cost of {} · {} · {}.", data["item"].sku, value, _link(result.posting))
    return Done(result.posting, message)


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
)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.receive_stock", raise_exception=True)
def receive(request: HttpRequest) -> HttpResponse:
    return _page(request, RECEIVE)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.issue_stock", raise_exception=True)
def issue(request: HttpRequest) -> HttpResponse:
    return _page(request, ISSUE)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.transfer_stock", raise_exception=True)
def transfer(request: HttpRequest) -> HttpResponse:
    return _page(request, TRANSFER)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.adjust_stock", raise_exception=True)
def adjust(request: HttpRequest) -> HttpResponse:
    return _page(request, ADJUST)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.scrap_stock", raise_exception=True)
def scrap(request: HttpRequest) -> HttpResponse:
    return _page(request, SCRAP)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.change_stock_status", raise_exception=True)
def change_stock_status(request: HttpRequest) -> HttpResponse:
    return _page(request, CHANGE_STATUS)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.correct_cost", raise_exception=True)
def correct_item_cost(request: HttpRequest) -> HttpResponse:
    return _page(request, CORRECT_COST)


def _page(request: HttpRequest, action: Action) -> HttpResponse:
    """Show the form, refresh it when its item or place changed, or do what it says and start the next one."""
    assert request.user.is_authenticated
    if request.method == "POST" and "refresh" not in request.POST:
        form = action.form(request.POST, user=request.user)
        if form.is_valid():
            try:
                done = action.submit(form, request.user)
            except DomainError as error:
                add_refusal(form, error)
                form._focus()
            else:
                undo = ""
                if request.user.has_perm("inventory.reverse_posting") and action is not CORRECT_COST:
                    undo = reverse("inventory:undo_posting", args=[done.posting.pk])
                return go_to(request, _next(form, action), message=done.message, undo=undo)
    else:
        source = request.POST if request.method == "POST" else request.GET
        form = action.form(initial={name: source[name] for name in source if source[name]}, user=request.user)
    return render_page(
        request,
        "inventory/move.html",
        part="inventory/_move.html",
        title=action.title,
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        form=form,
        action=action,
        action_url=reverse(f"inventory:{action.name}"),
        place_fields=[form[name] for name in PLACES if name in form.fields],
        main_fields=[
            form[n] for n in form.fields if n not in (*action.more, *PLACES, "key", "item", "quantity", "unit")
        ],
        more_fields=[form[name] for name in action.more if name in form.fields],
        cells=_cells(form.known_item),
        recent=[] if "HX-Request" in request.headers else _recent(action.kind),
    )


def _next(form: StockForm, action: Action) -> str:
    """The address of the same form for the next goods, with what usually stays the same."""
    kept = {name: form.typed(name) for name in action.keep if form.typed(name)}
    url = reverse(f"inventory:{action.name}")
    return f"{url}?{urlencode(kept)}" if kept else url


def _cells(item: Item | None) -> list[StockBalance]:
    """What there is of the item now, to look at while filling in the form."""
    if item is None:
        return []
    cells = StockBalance.objects.on_hand().filter(item=item).select_related("location", "lot")
    return list(cells.order_by("location__path", "lot__expires_on", "lot_id", "status")[:CELLS_MAX])


def _recent(kind: PostingKind) -> list[dict[str, Any]]:
    """The last postings of a kind with their first movement, newest first."""
    postings = list(Posting.objects.filter(kind=kind).order_by("-pk")[:RECENT_MAX])
    first: dict[int, Movement] = {}
    for movement in (
        Movement.objects.filter(posting__in=postings).select_related("item", "location").order_by("-quantity", "pk")
    ):
        first.setdefault(movement.posting_id, movement)
    gone = fully_reversed([posting.pk for posting in postings])
    return [
        {"posting": posting, "movement": first.get(posting.pk), "is_reversed": posting.pk in gone}
        for posting in postings
    ]
