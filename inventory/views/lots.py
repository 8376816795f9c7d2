"""Lots: the list, the page of one, what it became and was made from, and stopping it everywhere."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_http_methods

from inventory.errors import DomainError
from inventory.filters import Chip, LocationChoices, find_item, without
from inventory.forms import STATUS_REASONS
from inventory.models import Item, Lot, Movement, StockBalance, StockStatus
from inventory.operations.quarantining import quarantine_lots
from inventory.quantities import ZERO
from inventory.reads.freshness import freshness_of_places
from inventory.reads.genealogy import Direction, as_tree, genealogy, postings_of
from inventory.reads.item_ledger import ledger_rows
from inventory.reads.lot_ends import lot_ends
from inventory.reads.lots import LotQuestion, lot_page, lots_matching
from inventory.reads.recall import RECALL_HEADER, RECALL_LOTS_MAX, Recall, recall, recall_rows
from inventory.web import Cell, Crumb, export_table, go_to, key_from, render_page
from inventory.whole_numbers import whole_number

MOVEMENTS_SHOWN_MAX = 30
TREE_ROWS_MAX = 400
TABS = (
    ("where", "Where it is"),
    ("became", "What it became"),
    ("from", "What it was made from"),
    ("moved", "Movements"),
)


class _LotValues(forms.Form):
    q = forms.CharField(required=False, max_length=64)
    item = forms.CharField(required=False, max_length=200)
    expires_before = forms.DateField(required=False)
    status = forms.ChoiceField(required=False, choices=[("", ""), *StockStatus.choices])
    stocked = forms.BooleanField(required=False)


class LotFilter:
    """The filters of the list of lots, with their chips."""

    def __init__(self, request: HttpRequest) -> None:
        form = _LotValues(request.GET)
        form.full_clean()
        values = form.cleaned_data
        self.query = request.GET
        self.text: str = (values.get("q") or "").strip()
        self.item_text: str = (values.get("item") or "").strip()
        self.item: Item | None = find_item(self.item_text) if self.item_text else None
        self.expires_before: date | None = values.get("expires_before")
        self.status: str = values.get("status") or ""
        self.stocked: bool = bool(values.get("stocked"))

    def question(self) -> LotQuestion:
        item_id = None if not self.item_text else self.item.pk if self.item else 0
        return LotQuestion(
            item_id=item_id,
            text=self.text,
            expires_before=self.expires_before,
            status=self.status,
            stocked=self.stocked,
        )

    def chips(self) -> list[Chip]:
        return [Chip(label, without(self.query, name)) for name, label in self._set()]

    def _set(self) -> Iterator[tuple[str, str]]:
        if self.text:
            yield "q", f"Code: {self.text}…"
        if self.item_text:
            yield "item", f"Item: {self.item.sku}" if self.item else f"Item: “{self.item_text}” (not found)"
        if self.expires_before:
            yield "expires_before", f"Expires before {self.expires_before:%Y-%m-%d}"
        if self.status:
            yield "status", f"Status: {StockStatus(self.status).label}"
        if self.stocked:
            yield "stocked", "On hand"

    @property
    def clear_url(self) -> str:
        return without(self.query, "q", "item", "expires_before", "status", "stocked")


@require_GET
@permission_required("inventory.view_lot", raise_exception=True)
def lots(request: HttpRequest) -> HttpResponseBase:
    """Lots, newest first: searched, filtered, exported."""
    chosen = LotFilter(request)
    question = chosen.question()
    download = export_table(
        request.GET.get("export", ""),
        name="Lots",
        header=["SKU", "Item", "Lot", "Supplier lot", "Received", "Expires", "Owner", "Note"],
        rows=_export_rows(question),
    )
    if download is not None:
        return download
    page = lot_page(question, before=_number(request.GET.get("before")))
    return render_page(
        request,
        "inventory/lots.html",
        part={"lots": "inventory/_lots.html"},
        title="Lots",
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        chosen=chosen,
        chips=chosen.chips(),
        clear_url=chosen.clear_url,
        rows=page.rows,
        next_before=page.next_before,
        is_first_page="before" not in request.GET,
        statuses=StockStatus.choices,
    )


def _export_rows(question: LotQuestion) -> Iterator[list[Cell]]:
    for lot in lots_matching(question).iterator(chunk_size=1000):
        expires = lot.expires_on.isoformat() if lot.expires_on else ""
        received = lot.received_on.isoformat()
        yield [lot.item.sku, lot.item.name, lot.code, lot.supplier_lot, received, expires, lot.owner, lot.note]


@require_GET
@permission_required("inventory.view_lot", raise_exception=True)
def lot_page_of(request: HttpRequest, pk: int) -> HttpResponse:
    """One tab of a lot's page."""
    lot = get_object_or_404(Lot.objects.select_related("item"), pk=pk)
    wanted = request.GET.get("tab", "where")
    tab = wanted if wanted in dict(TABS) else "where"
    cells = list(
        StockBalance.objects.on_hand().filter(lot=lot).select_related("location").order_by("location__path", "status")
    )
    return render_page(
        request,
        "inventory/lot.html",
        part={"tab": "inventory/_lot_tab.html"},
        title=f"Lot {lot.code}" if lot.code else f"{lot.item.sku} without lots",
        crumbs=[
            Crumb("Lots", reverse("inventory:lots")),
            Crumb(lot.item.sku, reverse("inventory:item", args=[lot.item_id])),
        ],
        lot=lot,
        item=lot.item,
        total=sum((cell.quantity for cell in cells), ZERO),
        reserved=sum((cell.reserved for cell in cells), ZERO),
        cells=cells,
        tab=tab,
        tabs=TABS,
        **_tab(tab, lot),
    )


def _tab(tab: str, lot: Lot) -> dict[str, Any]:
    if tab == "moved":
        movements = (
            Movement.objects.filter(item=lot.item_id, lot=lot)
            .select_related("posting", "posting__reverses", "item", "location", "lot")
            .order_by("-pk")[:MOVEMENTS_SHOWN_MAX]
        )
        return {"movements": ledger_rows(list(movements)), "movements_max": MOVEMENTS_SHOWN_MAX}
    if tab == "where":
        places = LocationChoices()
        return {
            "fresh": freshness_of_places(places.locations),
            "owners": {place.pk: places.owner_of(place.pk) for place in places.locations},
            "is_where": True,
        }
    return _family("forward" if tab == "became" else "backward", lot)


def _family(direction: Direction, lot: Lot) -> dict[str, Any]:
    found = genealogy(lots=[lot.pk], direction=direction)
    rows, left_out = as_tree(found, rows_max=TREE_ROWS_MAX)
    ends = lot_ends(lots=[node.lot for node in found.nodes.values()])
    shown = [end for end in ends if (end.quantity < ZERO) == (direction == "forward")]
    return {
        "found": found,
        "direction": direction,
        "tree": rows,
        "tree_more": left_out,
        "steps": postings_of(found),
        "ends": [(end, found.nodes[end.lot_id].lot) for end in shown[:TREE_ROWS_MAX]],
        "ends_more": max(0, len(shown) - TREE_ROWS_MAX),
    }


# --- Recall -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@permission_required("inventory.view_lot", raise_exception=True)
def recall_page(request: HttpRequest) -> HttpResponseBase:
    """Everything that lots went into: shown, exported, and with POST stopped."""
    named = request.POST.getlist("root") if request.method == "POST" else request.GET.getlist("lot")
    roots = [number for number in map(_number, named) if number is not None][:RECALL_LOTS_MAX]
    answer = recall(lots=roots)
    if request.method == "POST":
        return _stop(request, answer)
    if roots:
        download = export_table(
            request.GET.get("export", ""), name="Recall", header=RECALL_HEADER, rows=recall_rows(answer)
        )
        if download is not None:
            return download
    return _recall(request, answer)


def _stop(request: HttpRequest, answer: Recall) -> HttpResponse:
    """Put the chosen lots among the affected ones into quarantine."""
    if not request.user.has_perm("inventory.change_stock_status"):
        raise PermissionDenied
    chosen = {number for number in map(_number, request.POST.getlist("lot")) if number is not None}
    lots_chosen = [node.lot for node in answer.nodes if node.lot.pk in chosen]
    release = request.POST.get("release_reserved") == "1"
    if release and not request.user.has_perm("inventory.change_reservation"):
        raise PermissionDenied
    assert request.user.is_authenticated
    try:
        result = quarantine_lots(
            key=key_from(request),
            lots=lots_chosen,
            reason=request.POST.get("reason", "")[:100],
            actor=request.user,
            release_reserved=release,
        )
    except DomainError as error:
        return _recall(request, answer, refusal=error, chosen=chosen, reason=request.POST.get("reason", ""))
    link = format_html(
        '<a href="{}">{}</a>', reverse("inventory:posting", args=[result.posting.pk]), str(result.posting)
    )
    road = f" {len(result.on_the_road)} still on the road: hold them on arrival." if result.on_the_road else ""
    count = len(lots_chosen)
    message = format_html("Stopped {} lot{} · {}.{}", count, "" if count == 1 else "s", link, road)
    back = "&".join(f"lot={root}" for root in answer.found.roots)
    undo = (
        reverse("inventory:undo_posting", args=[result.posting.pk])
        if request.user.has_perm("inventory.reverse_posting")
        else ""
    )
    return go_to(request, f"{reverse('inventory:recall')}?{back}", message=message, undo=undo)


def _recall(
    request: HttpRequest,
    answer: Recall,
    *,
    refusal: DomainError | None = None,
    chosen: set[int] | None = None,
    reason: str = "",
) -> HttpResponse:
    on_hand: dict[int, Decimal] = {}
    for cell in answer.cells:
        on_hand[cell.lot_id] = on_hand.get(cell.lot_id, ZERO) + cell.quantity
    roots, nodes = set(answer.found.roots), answer.found.nodes
    return render_page(
        request,
        "inventory/recall.html",
        title="Recall",
        crumbs=[Crumb("Lots", reverse("inventory:lots"))],
        status=409 if refusal else 200,
        answer=answer,
        roots=[node.lot for node in answer.nodes if node.lot.pk in roots],
        affected=[
            (
                node,
                on_hand.get(node.lot.pk, ZERO),
                node.is_certain or node.lot.pk in roots if chosen is None else node.lot.pk in chosen,
            )
            for node in answer.nodes
        ],
        completions=[
            (
                edge,
                answer.found.nodes[edge.source_id].lot,
                answer.found.nodes[edge.target_id].lot,
                answer.postings[edge.posting_id],
            )
            for edge in answer.completions
        ],
        shipments=[(end, nodes[end.lot_id].lot, -end.quantity) for end in answer.shipments],
        others=[(end, nodes[end.lot_id].lot, -end.quantity) for end in answer.other_ends],
        refusal=refusal,
        reasons=STATUS_REASONS,
        reason=reason,
    )


def _number(text: str | None) -> int | None:
    return whole_number(text)
