"""What the stock is worth, now or at any moment: a page of items, the sums beside it, the same as a table to take away."""

from collections.abc import Iterator

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from inventory.forms.moments import ValuationFilter
from inventory.models import ItemKind
from inventory.quantities import PLACES
from inventory.reads.moments import Basis
from inventory.reads.stock_totals import totals_as_of
from inventory.reads.valuation_report import (
    UNKNOWN_MAX,
    ValuationQuestion,
    tie_out,
    unknown_rows,
    valuation_page,
    valuation_rows,
)
from inventory.web import Cell, Crumb, export_table, render_page

BREAKDOWNS = {"category": "By category", "kind": "By kind", "place": "By place"}
EXPORT_HEADER = [
    "SKU",
    "Name",
    "Category",
    "Cost method",
    "Quantity",
    "Unit",
    "Unit cost",
    "Value",
    "Known part of the value",
    "Came in without a cost",
    "As of",
]


@require_GET
@permission_required("inventory.view_costpool", raise_exception=True)
def valuation(request: HttpRequest) -> HttpResponseBase:
    """Items with what they are worth, by SKU, a page at a time; sums and unknown costs come by themselves afterwards."""
    chosen = ValuationFilter(request)
    question = chosen.question()
    download = export_table(
        request.GET.get("export", ""), name="Valuation", header=EXPORT_HEADER, rows=_export_rows(chosen, question)
    )
    if download is not None:
        return download
    page = valuation_page(question, after=chosen.after)
    return render_page(
        request,
        "inventory/valuation.html",
        part={"valuation": "inventory/_valuation.html"},
        title="Valuation",
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        chosen=chosen,
        chips=chosen.chips(),
        clear_url=chosen.clear_url,
        page=page,
        bases=Basis.choices,
        kinds=[choice for choice in ItemKind.choices if choice[0] not in ("phantom", "service")],
        places=chosen.places.options(),
        totals_url=f"{reverse('inventory:valuation_totals')}?{request.GET.urlencode()}",
        unknown_url=f"{reverse('inventory:valuation_unknown')}?{request.GET.urlencode()}",
    )


@require_GET
@permission_required("inventory.view_costpool", raise_exception=True)
def valuation_totals(request: HttpRequest) -> HttpResponse:
    """The sum and its parts, and whether pools and ledger agree."""
    chosen = ValuationFilter(request)
    question = chosen.question()
    return render_page(
        request,
        "inventory/valuation_totals.html",
        part="inventory/_valuation_totals.html",
        title="What all of it is worth",
        crumbs=[Crumb("Valuation", f"{reverse('inventory:valuation')}?{request.GET.urlencode()}")],
        chosen=chosen,
        totals=totals_as_of(moment=question.moment, by=chosen.by, narrowing=question.narrowing()),
        tie_out=tie_out() if question.moment.is_now else None,
        breakdowns=BREAKDOWNS.items(),
        report_url=reverse("inventory:valuation"),
        totals_url=reverse("inventory:valuation_totals"),
    )


@require_GET
@permission_required("inventory.view_costpool", raise_exception=True)
def valuation_unknown(request: HttpRequest) -> HttpResponse:
    """Items of which a part came in without a cost: whether it is used up needs all of their movements."""
    chosen = ValuationFilter(request)
    unknown = unknown_rows(chosen.question())
    return render_page(
        request,
        "inventory/valuation_unknown.html",
        part="inventory/_valuation_unknown.html",
        title="Not all costs are known",
        crumbs=[Crumb("Valuation", f"{reverse('inventory:valuation')}?{request.GET.urlencode()}")],
        chosen=chosen,
        unknown=unknown[:UNKNOWN_MAX],
        has_more_unknown=len(unknown) > UNKNOWN_MAX,
    )


def _export_rows(chosen: ValuationFilter, question: ValuationQuestion) -> Iterator[list[Cell]]:
    at = timezone.localtime(chosen.moment.at)
    believed = " (as then believed)" if chosen.moment.is_believed else ""
    for row in valuation_rows(question):
        item, worth = row.item, row.worth
        yield [
            item.sku,
            item.name,
            item.category.name if item.category else "",
            item.get_cost_method_display(),
            worth.held,
            item.stock_unit,
            None if worth.unit_cost is None else worth.unit_cost.quantize(PLACES),
            worth.held_value,
            worth.known_held_value,
            worth.unknown_quantity,
            f"{at:%Y-%m-%d %H:%M}{believed}",
        ]
