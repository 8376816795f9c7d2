"""The ledger, one posting of it, and taking a posting back."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST

from inventory.errors import DomainError
from inventory.filters import LedgerFilter
from inventory.models import CostEntry, Movement, Posting, PostingKind, StockStatus, StockTransfer
from inventory.operations.reversing import REVERSED_ELSEWHERE, reverse_posting
from inventory.panels import registry
from inventory.quantities import total_of
from inventory.reads.item_ledger import actor_names, fully_reversed, ledger_rows, name_of
from inventory.reads.returning import left_to_return
from inventory.views.saved_views import menu_of
from inventory.web import EXPORT_ROWS_MAX, Cell, Crumb, export_table, go_to, key_from, render_page, safe_next
from inventory.whole_numbers import whole_number

ROWS_PER_PAGE = 50
RETURNABLE = (PostingKind.SHIPMENT, PostingKind.RECEIPT)
MOVEMENTS_MAX = 500
UNIT_COST_STEP = Decimal("0.000001")


@require_GET
@permission_required("inventory.view_movement", raise_exception=True)
def ledger(request: HttpRequest) -> HttpResponseBase:
    """Movements, newest first, a page at a time from wherever one is."""
    chosen = LedgerFilter(request)
    movements = _movements(chosen)
    download = export_table(
        request.GET.get("export", ""), name="Ledger", header=EXPORT_HEADER, rows=_export_rows(movements)
    )
    if download is not None:
        return download
    before = whole_number(request.GET.get("before"))
    wanted = movements if before is None else movements.filter(pk__lt=before)
    found = list(wanted[: ROWS_PER_PAGE + 1])
    has_more = len(found) > ROWS_PER_PAGE
    found = found[:ROWS_PER_PAGE]
    return render_page(
        request,
        "inventory/ledger.html",
        part={"ledger": "inventory/_ledger.html"},
        title="Ledger",
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        chosen=chosen,
        chips=chosen.chips(),
        clear_url=chosen.clear_url,
        rows=ledger_rows(found),
        next_before=found[-1].pk if has_more else None,
        is_first_page=not before,
        places=chosen.places.options(),
        kinds=PostingKind.choices,
        people=chosen.people_options(),
        **menu_of(request, "ledger"),
    )


def _movements(chosen: LedgerFilter) -> QuerySet[Movement]:
    movements = Movement.objects.select_related("posting", "posting__reverses", "item", "location", "lot").order_by(
        "-pk"
    )
    if chosen.item_text:
        movements = movements.filter(item=chosen.item) if chosen.item else movements.none()
    if chosen.place:
        movements = movements.filter(location__path__startswith=chosen.place.path)
    if chosen.kind:
        movements = movements.filter(posting__kind=chosen.kind)
    if chosen.reference:
        movements = movements.filter(
            Q(posting__reference__icontains=chosen.reference) | Q(posting__demand_ref__icontains=chosen.reference)
        )
    if chosen.person:
        movements = movements.filter(posting__actor=chosen.person.pk)
    if chosen.since_at:
        movements = movements.filter(effective_at__gte=chosen.since_at)
    if chosen.until_at:
        movements = movements.filter(effective_at__lte=chosen.until_at)
    return chosen.narrow(movements)


EXPORT_HEADER = [
    "Happened",
    "Recorded",
    "Posting",
    "Kind",
    "Reference",
    "For",
    "Reason",
    "SKU",
    "Location",
    "Lot",
    "Status",
    "Quantity",
    "Unit",
    "Value",
    "Unit cost",
    "By",
    "Note",
]


def _export_rows(movements: QuerySet[Movement]) -> Iterator[list[Cell]]:
    wanted = movements.select_related("posting__actor")
    for movement in wanted[: EXPORT_ROWS_MAX + 1].iterator(chunk_size=1000):
        posting = movement.posting
        yield [
            f"{timezone.localtime(movement.effective_at):%Y-%m-%d %H:%M:%S}",
            f"{timezone.localtime(movement.recorded_at):%Y-%m-%d %H:%M:%S}",
            posting.pk,
            posting.get_kind_display(),
            posting.reference,
            posting.demand,
            posting.reason,
            movement.item.sku,
            movement.location.code,
            movement.lot.code,
            StockStatus(movement.status).label,
            movement.quantity,
            movement.item.stock_unit,
            movement.value,
            None if movement.unit_cost is None else movement.unit_cost.quantize(UNIT_COST_STEP),
            "the system" if posting.actor is None else name_of(posting.actor),
            posting.note,
        ]


@require_GET
@permission_required("inventory.view_posting", raise_exception=True)
def posting_page(request: HttpRequest, pk: int) -> HttpResponse:
    return _posting_page(request, _posting(pk))


@require_POST
@permission_required("inventory.reverse_posting", raise_exception=True)
def undo_posting(request: HttpRequest, pk: int) -> HttpResponse:
    """Reverse a posting whole. What stands in the way is shown on its page."""
    posting = _posting(pk)
    assert request.user.is_authenticated
    try:
        result = reverse_posting(
            key=key_from(request), posting=posting, actor=request.user, reason=request.POST.get("reason", "")[:100]
        )
    except DomainError as error:
        return _posting_page(request, posting, refusal=error)
    link = reverse("inventory:posting", args=[result.posting.pk])
    message = format_html('Reversed {} · <a href="{}">{}</a>.', str(posting), link, str(result.posting))
    return go_to(request, safe_next(request, reverse("inventory:posting", args=[posting.pk])), message=message)


def _posting(pk: int) -> Posting:
    return get_object_or_404(Posting.objects.select_related("reverses", "related"), pk=pk)


def _posting_page(request: HttpRequest, posting: Posting, *, refusal: DomainError | None = None) -> HttpResponse:
    movements = list(
        posting.movements.select_related("item", "location", "lot").order_by("quantity", "pk")[: MOVEMENTS_MAX + 1]
    )
    reversals = list(Posting.objects.filter(reverses=posting).order_by("pk")[:50])
    is_reversed = posting.pk in fully_reversed([posting.pk])
    panels = [(panel.template, panel.context(request, posting)) for panel in registry.posting_panels.values()]
    return render_page(
        request,
        "inventory/posting.html",
        title=str(posting),
        crumbs=[Crumb("Ledger", reverse("inventory:ledger"))],
        status=409 if refusal else None,
        posting=posting,
        actor=actor_names([posting]).get(posting.actor_id, "the system"),
        movements=movements[:MOVEMENTS_MAX],
        has_more=len(movements) > MOVEMENTS_MAX,
        net_value=total_of(movement.value for movement in movements),
        known_value=sum((m.value for m in movements if m.value is not None), Decimal(0)),
        entries=list(CostEntry.objects.filter(posting=posting).select_related("item").order_by("pk")[:100]),
        reversals=reversals,
        is_reversed=is_reversed,
        hint=REVERSED_ELSEWHERE.get(PostingKind(posting.kind), ""),
        returnable=left_to_return(posting) if posting.kind in RETURNABLE else [],
        transfer=_transfer_of(posting),
        refusal=refusal,
        blocked=_blocked(refusal),
        panels=[(template, context) for template, context in panels if context is not None],
    )


def _transfer_of(posting: Posting) -> StockTransfer | None:
    """The two-step transfer a posting is a step of."""
    if posting.kind not in (PostingKind.TRANSFER, PostingKind.SCRAP):
        return None
    return StockTransfer.objects.filter(Q(dispatch=posting) | Q(receipts__posting=posting)).first()


def _blocked(refusal: DomainError | None) -> list[dict[str, Any]]:
    """What stands in the way of a reversal, as rows."""
    found = refusal.context.get("blocked_by") if refusal else None
    return found if isinstance(found, list) else []
