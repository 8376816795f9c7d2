"""Two-step transfers: what is on the road, sending goods, and receiving them."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.form_fields import FigureField
from inventory.forms.shipping import DispatchForm
from inventory.forms.stock import effective_at_of, reason_field
from inventory.models import Posting, PostingKind, StockStatus, StockTransfer, StockTransferLine, TransferState
from inventory.operations.transit import (
    ARRIVAL_STATUSES,
    Arrival,
    DispatchLine,
    TransferResult,
    dispatch_transfer,
    receive_transfer,
    return_transfer,
)
from inventory.quantities import ZERO, as_text
from inventory.reads.item_ledger import name_of
from inventory.reads.transit import UnderWay, ages, in_transit, transfers_with_lines
from inventory.views.actions import link_to, recent_postings
from inventory.views.shipping import is_submitted, lines_page, shown_form
from inventory.web import Cell, Crumb, add_refusal, export_table, go_to, key_from, render_page

ROWS_PER_PAGE = 50
TRANSFERS_EXPORTED_MAX = 10_000
EXPORT_HEADER = [
    "Transfer",
    "Reference",
    "From",
    "To",
    "Left",
    "Expected",
    "State",
    "Days",
    "SKU",
    "Lot",
    "Unit",
    "Sent",
    "Received",
    "Lost",
]
LOSS_REASONS = ("Lost on the way", "Broken on the way", "Fewer were packed")


@require_GET
@permission_required("inventory.view_stocktransfer", raise_exception=True)
def transfers(request: HttpRequest) -> HttpResponseBase:
    """What is on the road, the longest under way first; or every transfer there was, newest first."""
    wants_all = request.GET.get("show") == "all"
    download = export_table(
        request.GET.get("export", ""),
        name="Transfers" if wants_all else "On the road",
        header=EXPORT_HEADER,
        rows=_export_rows(ages(transfers_with_lines()[:TRANSFERS_EXPORTED_MAX]) if wants_all else in_transit()),
    )
    if download is not None:
        return download
    page = Paginator(transfers_with_lines(), ROWS_PER_PAGE).get_page(request.GET.get("page")) if wants_all else None
    rows = ages(page.object_list) if page is not None else in_transit()
    return render_page(
        request,
        "inventory/transfers.html",
        title="On the road",
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        rows=rows,
        page_object=page,
        wants_all=wants_all,
        old=sum(row.is_old for row in rows),
        days_max=settings.TRANSIT_DAYS_MAX,
        late_days_max=settings.TRANSIT_LATE_DAYS_MAX,
    )


@require_http_methods(["GET", "POST"])
@permission_required("inventory.transfer_stock", raise_exception=True)
def new_transfer(request: HttpRequest) -> HttpResponse:
    """Sending goods: several lines, all or none."""
    assert request.user.is_authenticated
    form = shown_form(request, DispatchForm)
    if is_submitted(request) and form.is_valid():
        data = form.cleaned_data
        try:
            result = dispatch_transfer(
                key=data["key"],
                source=data["source"],
                target=data["target"],
                lines=[
                    DispatchLine(
                        item=line.cleaned_data["item"],
                        quantity=line.cleaned_data["quantity"],
                        status=line.cleaned_data["status"],
                        lots=line.chosen_lots(),
                    )
                    for line in form.lines
                ],
                transit=data.get("transit"),
                expected_on=data["expected_on"],
                actor=request.user,
                effective_at=effective_at_of(data),
                reference=data["reference"],
                note=data["note"],
            )
        except DomainError as error:
            add_refusal(form, error)
        else:
            sent = f"Sent {result.transfer.number} from {data['source'].code} to {data['target'].code}."
            return go_to(request, page_of(result.transfer), message=sent, undo=_undo(request, result))
    return lines_page(
        request,
        form,
        title="Send goods to another place",
        verb="Send",
        icon="local_shipping",
        url=reverse("inventory:new_transfer"),
        help_text="Goods that leave today and arrive later. Until they are received they stand on the road and count nowhere "
        "as available.",
        crumbs=[Crumb("On the road", reverse("inventory:transfers"))],
        recent=[] if "HX-Request" in request.headers else recent_postings(PostingKind.TRANSFER),
    )


def _export_rows(found: Iterable[UnderWay]) -> Iterator[list[Cell]]:
    """A row for each line of each transfer."""
    for one in found:
        transfer = one.transfer
        for line in transfer.lines.all():
            yield [
                transfer.number,
                transfer.reference,
                transfer.source.code,
                transfer.target.code,
                f"{timezone.localtime(transfer.dispatched_at):%Y-%m-%d %H:%M}",
                transfer.expected_on.isoformat() if transfer.expected_on else "",
                transfer.get_state_display(),
                one.age_days,
                line.item.sku,
                "" if line.lot.is_implicit else line.lot.code,
                line.item.stock_unit,
                line.quantity,
                line.received,
                line.lost,
            ]


def page_of(transfer: StockTransfer) -> str:
    return reverse("inventory:transfer_page", args=[transfer.number])


def _undo(request: HttpRequest, result: TransferResult) -> str:
    if result.loss is not None or not request.user.has_perm("inventory.reverse_posting"):
        return ""
    return reverse("inventory:undo_posting", args=[result.posting.pk])


class ArrivalForm(forms.Form):
    """What arrived and what was lost of every line that is on the road."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    loss_reason = reason_field(LOSS_REASONS, required=False, help_text="Needed when something was lost.")
    note = forms.CharField(label="Note", required=False, max_length=500)

    def __init__(self, *args: object, lines: list[StockTransferLine], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.rows = []
        for line in lines:
            left = line.quantity - line.received - line.lost
            received, lost = f"received-{line.pk}", f"lost-{line.pk}"
            stopped, status = f"stopped-{line.pk}", f"status-{line.pk}"
            self.fields[received] = FigureField(label=f"Arrived of {line.item.sku}", required=False)
            self.fields[lost] = FigureField(label=f"Lost of {line.item.sku}", required=False)
            if not self.is_bound:
                self.initial[received] = as_text(left)
            held = None
            if line.status == StockStatus.AVAILABLE:
                self.fields[stopped] = FigureField(label=f"Arrived of {line.item.sku}, not available", required=False)
                self.fields[status] = forms.ChoiceField(
                    label=f"Status of {line.item.sku} that is not available",
                    choices=[(one.value, one.label) for one in ARRIVAL_STATUSES],
                    required=False,
                )
                held = (self[stopped], self[status])
            self.rows.append((line, left, self[received], self[lost], held))

    def arrivals(self) -> list[Arrival]:
        def figure(name: str) -> Decimal:
            return self.cleaned_data.get(name) or ZERO

        found = []
        for line, *_ in self.rows:
            found.append(Arrival(line, figure(f"received-{line.pk}"), figure(f"lost-{line.pk}")))
            status = self.cleaned_data.get(f"status-{line.pk}") or StockStatus.QC_HOLD
            found.append(Arrival(line, received=figure(f"stopped-{line.pk}"), status=status))
        return found


@require_GET
@permission_required("inventory.view_stocktransfer", raise_exception=True)
def transfer_page(request: HttpRequest, number: str) -> HttpResponse:
    return _page(request, _transfer(number))


@require_POST
@permission_required("inventory.transfer_stock", raise_exception=True)
def receive(request: HttpRequest, number: str) -> HttpResponse:
    """Book what arrived and what was lost."""
    transfer = _transfer(number)
    form = ArrivalForm({**request.POST.dict(), "key": str(key_from(request))}, lines=_on_road(transfer))
    if not form.is_valid():
        return _page(request, transfer, form=form)
    try:
        result = receive_transfer(
            key=form.cleaned_data["key"],
            transfer=transfer,
            arrivals=form.arrivals(),
            actor=request.user,
            loss_reason=form.cleaned_data["loss_reason"],
            note=form.cleaned_data["note"],
        )
    except DomainError as error:
        add_refusal(form, error)
        return _page(request, transfer, form=form)
    words = "Received" if result.posting.kind == PostingKind.TRANSFER else "Written off"
    lost = format_html(" · lost goods {}", link_to(result.loss)) if result.loss else ""
    message = format_html("{} goods of {} · {}{}.", words, transfer.number, link_to(result.posting), lost)
    return go_to(request, page_of(transfer), message=message, undo=_undo(request, result))


@require_POST
@permission_required("inventory.transfer_stock", raise_exception=True)
def bring_back(request: HttpRequest, number: str) -> HttpResponse:
    """Bring what is still on the road back to where it was sent from."""
    transfer = _transfer(number)
    try:
        result = return_transfer(
            key=key_from(request), transfer=transfer, actor=request.user, reason=request.POST.get("reason", "")[:100]
        )
    except DomainError as error:
        return _page(request, transfer, refusal=error)
    message = format_html(
        "The rest of {} is back at {} · {}.", transfer.number, transfer.source.code, link_to(result.posting)
    )
    return go_to(request, page_of(transfer), message=message, undo=_undo(request, result))


def _transfer(number: str) -> StockTransfer:
    return get_object_or_404(transfers_with_lines().select_related("dispatch"), number__iexact=number)


def _on_road(transfer: StockTransfer) -> list[StockTransferLine]:
    if transfer.state != TransferState.IN_TRANSIT:
        return []
    return [line for line in transfer.lines.all() if line.quantity > line.received + line.lost]


def _page(
    request: HttpRequest,
    transfer: StockTransfer,
    *,
    form: ArrivalForm | None = None,
    refusal: DomainError | None = None,
) -> HttpResponse:
    (age,) = ages([transfer])
    receipts = list(transfer.receipts.select_related("posting").order_by("pk"))
    undone = set(
        Posting.objects.filter(reverses_id__in=[receipt.posting_id for receipt in receipts]).values_list(
            "reverses_id", flat=True
        )
    )
    on_road = _on_road(transfer)
    return render_page(
        request,
        "inventory/transfer.html",
        title=transfer.number,
        crumbs=[Crumb("On the road", reverse("inventory:transfers"))],
        status=422 if form is not None else 409 if refusal else None,
        transfer=transfer,
        age=age,
        sender=name_of(transfer.created_by) if transfer.created_by else "the system",
        lines=list(transfer.lines.all()),
        form=form or (ArrivalForm(lines=on_road) if on_road else None),
        steps=[(receipt.posting, receipt.posting_id in undone) for receipt in receipts],
        refusal=refusal,
    )
