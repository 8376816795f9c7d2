"""Costs that come after the goods: posting them with their effect shown before, and the goods whose price is not known."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_http_methods

from inventory.errors import DomainError
from inventory.forms.late_costs import LandedCostForm, PricesForm
from inventory.models import LandedBasis, LandedCost, LandedCostKind, Movement, Posting, PostingKind
from inventory.operations.landed_decisions import LandedPlan
from inventory.operations.landing_costs import (
    PRICED,
    ReceiptPrice,
    add_landed_cost,
    correct_prices,
    preview_landed_cost,
    preview_prices,
)
from inventory.panels import PostingPanel, register_posting_panel
from inventory.quantities import ZERO
from inventory.reads.purchases import find_received, received_goods, shares_of_postings, unknown_costs
from inventory.reads.tracking import posted_shares, prices_of
from inventory.templatetags.figures import money
from inventory.web import Cell, Crumb, add_refusal, export_table, go_to, render_page
from inventory.whole_numbers import whole_numbers

ROWS_PER_PAGE = 50
LINES_MAX = 1_000
EXPORT_HEADER = ["When", "Posting", "Kind", "Paid to", "Reference", "Lines", "Amount", "Into stock", "Expensed"]


# --- Landed cost ------------------------------------------------------------------------------------------------------


@require_GET
@permission_required("inventory.view_landedcost", raise_exception=True)
def landed_costs(request: HttpRequest) -> HttpResponseBase:
    """What came late, newest first."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in LandedCostKind.values else ""
    found = LandedCost.objects.select_related("posting", "supplier").prefetch_related("shares").order_by("-id")
    if kind:
        found = found.filter(kind=kind)
    download = export_table(
        request.GET.get("export", ""),
        name="Late costs",
        header=EXPORT_HEADER,
        rows=map(_export_row, found.iterator(500)),
    )
    if download is not None:
        return download
    page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    rows = [_row(cost) for cost in page.object_list]
    return render_page(
        request,
        "inventory/buying/landed_costs.html",
        title="Late costs",
        page_object=page,
        rows=rows,
        kinds=LandedCostKind.choices,
        kind=kind,
    )


def _row(cost: LandedCost) -> dict[str, Any]:
    shares = cost.shares.all()
    return {
        "cost": cost,
        "lines": len(shares),
        "capitalised": sum((share.capitalised for share in shares), ZERO),
        "expensed": sum((share.expensed for share in shares), ZERO),
    }


def _export_row(cost: LandedCost) -> list[Cell]:
    row = _row(cost)
    return [
        f"{timezone.localtime(cost.posting.recorded_at):%Y-%m-%d %H:%M}",
        str(cost.posting),
        cost.get_kind_display(),
        cost.supplier.code if cost.supplier else "",
        cost.posting.reference,
        row["lines"],
        cost.amount,
        row["capitalised"],
        row["expensed"],
    ]


@require_http_methods(["GET", "POST"])
@permission_required("inventory.add_landed_cost", raise_exception=True)
def new_landed_cost(request: HttpRequest) -> HttpResponse:
    """Spread an amount over received goods. What it does is shown before, by the code that posts it."""
    source = request.POST if request.method == "POST" else request.GET
    chosen = set(whole_numbers(source.getlist("target")[:LINES_MAX]))
    goods = list(received_goods().filter(pk__in=chosen)) if chosen else []
    text = source.get("find", "").strip()[:100]
    found = [movement for movement in find_received(text) if movement.pk not in chosen]
    if request.method == "GET" and source.get("all") and found:  # a link from an order or a receipt means all of it
        goods, found, chosen, text = found, [], {movement.pk for movement in found}, ""
    goods.sort(key=lambda movement: movement.pk)
    form = LandedCostForm(request.POST or None, initial={"find": text})
    plan: LandedPlan | None = None
    status = 200
    if request.method == "POST":
        is_refresh = "refresh" in request.POST
        plan, refusal = _landed_plan(form, goods)
        if not is_refresh and form.is_valid():
            try:
                return _post_landed(request, form, goods)
            except DomainError as error:
                refusal = error
        if is_refresh:
            form = LandedCostForm(initial={**request.POST.dict()})
        if not is_refresh:
            if refusal is not None and form.is_valid():
                add_refusal(form, refusal)
            status = 422
    else:
        refusal = None
    return render_page(
        request,
        "inventory/buying/landed_cost_form.html",
        part={"late-cost": "inventory/buying/_landed_cost_form.html"},
        title="Add a late cost",
        crumbs=[Crumb("Late costs", reverse("buying:landed_costs"))],
        form=form,
        status=status,
        goods=goods,
        found=found,
        text=text,
        plan=plan,
        refusal=refusal if not form.is_bound else None,
        action_url=request.path,
    )


def _landed_plan(form: LandedCostForm, goods: Sequence[Movement]) -> tuple[LandedPlan | None, DomainError | None]:
    """What posting would do; nothing while the form is not complete."""
    form.full_clean()
    data = form.cleaned_data
    amount = data.get("amount")
    if amount is None or not goods or not data.get("kind") or not data.get("basis"):
        return None, None
    try:
        plan = preview_landed_cost(
            targets=goods, amount=amount, kind=LandedCostKind(data["kind"]), basis=LandedBasis(data["basis"])
        )
    except DomainError as error:
        return None, error
    return plan, None


def _post_landed(request: HttpRequest, form: LandedCostForm, goods: Sequence[Movement]) -> HttpResponse:
    assert request.user.is_authenticated
    data = form.cleaned_data
    result = add_landed_cost(
        key=data["key"],
        targets=goods,
        amount=data["amount"],
        kind=LandedCostKind(data["kind"]),
        basis=LandedBasis(data["basis"]),
        supplier=data["supplier"],
        reference=data["reference"],
        note=data["note"],
        actor=request.user,
    )
    return go_to(request, reverse("inventory:posting", args=[result.posting.pk]), message=_done(result.landed_cost))


def _done(cost: LandedCost) -> SafeString:
    shares = list(cost.shares.all())
    return format_html(
        "{} {} · {} into stock · {} expensed.",
        cost.get_kind_display(),
        money(cost.amount),
        money(sum((share.capitalised for share in shares), ZERO)),
        money(sum((share.expensed for share in shares), ZERO)),
    )


# --- Prices -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A received quantity with what it cost so far and the field for another price."""

    movement: Movement
    value: Decimal | None
    field: Any


@require_http_methods(["GET", "POST"])
@permission_required("inventory.add_landed_cost", raise_exception=True)
def correct_receipt_prices(request: HttpRequest, pk: int) -> HttpResponse:
    """What the goods of one receipt cost after all, line by line."""
    posting = get_object_or_404(Posting.objects.filter(kind__in=PRICED), pk=pk)
    movements = list(
        posting.movements.filter(quantity__gt=0).select_related("item", "posting", "location", "lot").order_by("id")
    )[:LINES_MAX]
    form = PricesForm(request.POST or None, movements=movements)
    plan: LandedPlan | None = None
    refusal: DomainError | None = None
    status = 200
    if request.method == "POST":
        form.full_clean()
        prices = [
            ReceiptPrice(movement, value)
            for movement in movements
            if (value := form.cleaned_data.get(f"price-{movement.pk}")) is not None
        ]
        is_refresh = "refresh" in request.POST
        if prices:
            try:
                plan = preview_prices(prices=prices)
                if not is_refresh and form.is_valid():
                    return _post_prices(request, form, prices)
            except DomainError as error:
                refusal = error
        if is_refresh:
            form = PricesForm(initial=request.POST.dict(), movements=movements)
        else:
            if form.is_valid():
                form.add_error(None, refusal.message if refusal else "Type the price of at least one line.")
            status = 422
    earlier = prices_of([movement.pk for movement in movements])
    rows = [PriceRow(movement, _worth(movement, earlier), form[f"price-{movement.pk}"]) for movement in movements]
    return render_page(
        request,
        "inventory/buying/prices_form.html",
        part={"late-cost": "inventory/buying/_prices_form.html"},
        title=f"Price of {posting}",
        crumbs=[
            Crumb("Unknown costs", reverse("buying:unknown_costs")),
            Crumb(str(posting), reverse("inventory:posting", args=[posting.pk])),
        ],
        form=form,
        status=status,
        posting=posting,
        rows=rows,
        plan=plan,
        refusal=refusal if not form.is_bound else None,
        action_url=request.path,
    )


def _worth(movement: Movement, earlier: dict[int, Decimal]) -> Decimal | None:
    """What received goods cost by now; None while it is not known."""
    if movement.value is None and movement.pk not in earlier:
        return None
    return (movement.value or ZERO) + earlier.get(movement.pk, ZERO)


def _post_prices(request: HttpRequest, form: PricesForm, prices: Sequence[ReceiptPrice]) -> HttpResponse:
    assert request.user.is_authenticated
    data = form.cleaned_data
    result = correct_prices(
        key=data["key"],
        prices=prices,
        supplier=data["supplier"],
        reference=data["reference"],
        note=data["note"],
        actor=request.user,
    )
    return go_to(request, reverse("inventory:posting", args=[result.posting.pk]), message=_done(result.landed_cost))


@require_GET
@permission_required("inventory.view_costpool", raise_exception=True)
def unknown(request: HttpRequest) -> HttpResponseBase:
    """Items that hold units of unknown cost, with the receipts behind them and the way to give their price."""
    rows = unknown_costs()
    table = export_table(
        request.GET.get("export", ""),
        name="Unknown costs",
        header=["SKU", "Item", "On hand", "Unit", "Receipt", "Reference", "Received", "Lot"],
        rows=(
            [
                row.item.sku,
                row.item.name,
                row.quantity,
                row.item.stock_unit,
                str(receipt.posting),
                receipt.posting.reference,
                receipt.quantity,
                receipt.lot.code,
            ]
            for row in rows
            for receipt in row.receipts
        ),
    )
    if table is not None:
        return table
    return render_page(
        request,
        "inventory/buying/unknown_costs.html",
        title="Unknown costs",
        rows=rows,
        completion=PostingKind.COMPLETION,
    )


# --- On the page of a posting -----------------------------------------------------------------------------------------


def _landed_panel(_request: HttpRequest, posting: Posting) -> dict[str, Any] | None:
    """The shares of a late cost with what had used the goods and what that would have cost."""
    if posting.kind != PostingKind.LANDED_COST:
        return None
    cost = LandedCost.objects.select_related("supplier").filter(posting=posting).first()
    return None if cost is None else {"cost": cost, "lines": posted_shares(posting)}


def _receipt_panel(_request: HttpRequest, posting: Posting) -> dict[str, Any] | None:
    """Late costs of a receipt or a completion, and the way to add one."""
    if posting.kind not in PRICED:
        return None
    shares = shares_of_postings([posting.pk])
    if posting.kind not in (PostingKind.RECEIPT, PostingKind.COMPLETION) and not shares:
        return None
    order = posting.purchase_lines.select_related("line__order").first()
    return {"shares": shares, "posting": posting, "order": None if order is None else order.line.order}


register_posting_panel("landed cost", PostingPanel("inventory/buying/_posting_landed_cost.html", _landed_panel))
register_posting_panel("late costs", PostingPanel("inventory/buying/_posting_receipt.html", _receipt_panel))
