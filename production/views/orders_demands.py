"""Demands that are only a reference and a quantity: met from stock, by planned orders, or by both."""

from collections.abc import Iterator
from itertools import islice

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.web import Cell, Crumb, add_refusal, export_table, go_to, render_page
from production.forms import own_places
from production.models import Demand
from production.operations.demands import WINDOW_HOURS, in_words, make_for_demand, withdraw_demand
from production.order_forms import DemandForm
from production.reads.demands import standings

ROWS_PER_PAGE = 50
EXPORTED_AT_ONCE = 500
EXPORT_HEADER = [
    "Kind", "Reference", "SKU", "Name", "Unit", "Asked for", "Needed on", "Place", "Reserved", "Taken", "Coming", "Missing",
    "Made by",
]  # fmt: skip
TYPED_KIND = "order"
"""The demand kind of what is typed on the page."""


@require_http_methods(["GET", "POST"])
@permission_required("production.view_workorder", raise_exception=True)
def demands(request: HttpRequest) -> HttpResponseBase:
    """What was asked for and what is done about it; and, for those who may plan orders, asking for more."""
    may_ask = request.user.has_perm("production.add_workorder")
    if request.method == "POST" and not may_ask:
        raise PermissionDenied
    found = Demand.objects.select_related("item", "location")
    download = export_table(
        request.GET.get("export", ""), name="Demands", header=EXPORT_HEADER, rows=_export_rows(found)
    )
    if download is not None:
        return download
    places = own_places()
    initial = {"window_hours": WINDOW_HOURS}
    form = DemandForm(request.POST if request.method == "POST" else None, initial=initial, places=places)
    if form.is_valid():
        given = form.cleaned_data
        hours = given["window_hours"]
        try:
            result = make_for_demand(
                demand_kind=TYPED_KIND,
                demand_ref=given["reference"].strip(),
                item=given["item"],
                quantity=given["quantity"],
                location=given["location"],
                source_location=given["source"],
                needed_on=given["needed_on"],
                mode=given["mode"],
                window_hours=WINDOW_HOURS if hours is None else hours,
                actor=request.user,
            )
        except DomainError as error:
            add_refusal(form, error, field=_field_of(error))
        else:
            again = "Nothing new: " if result.replayed else ""
            return go_to(request, "production:demands", message=f"{again}{in_words(result)}")
    page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "production/order_demands.html",
        title="Made for demand",
        crumbs=[Crumb("Work orders", reverse("production:work_orders"))],
        form=form,
        page_object=page,
        rows=standings(list(page.object_list)),
        may_ask=may_ask,
    )


def _export_rows(found: QuerySet[Demand]) -> Iterator[list[Cell]]:
    rows = found.iterator(chunk_size=EXPORTED_AT_ONCE)
    while batch := list(islice(rows, EXPORTED_AT_ONCE)):
        for standing in standings(batch):
            demand = standing.demand
            yield [
                demand.demand_kind,
                demand.demand_ref,
                demand.item.sku,
                demand.item.name,
                demand.item.stock_unit,
                demand.quantity,
                "" if demand.needed_on is None else demand.needed_on.isoformat(),
                demand.location.code,
                standing.promised,
                standing.taken,
                standing.coming,
                standing.missing,
                ", ".join(peg.work_order.number for peg in standing.pegs),
            ]


@require_POST
@permission_required("production.add_workorder", raise_exception=True)
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Nobody asks for it any more."""
    demand = Demand.objects.select_related("item").filter(pk=pk).first()
    if demand is None:
        return go_to(request, "production:demands", message="That demand is gone already.")
    result = withdraw_demand(
        demand_kind=demand.demand_kind, demand_ref=demand.demand_ref, item=demand.item, actor=request.user
    )
    return go_to(request, "production:demands", message=f"Withdrawn: {in_words(result)}")


def _field_of(error: DomainError) -> str | None:
    if error.code in ("INVALID_QUANTITY", "INVALID_QUANTITY_STEP"):
        return "quantity"
    if error.code in ("INVALID_BOM", "BOM_CYCLE", "PHANTOM_NOT_STOCKED", "ITEM_INACTIVE"):
        return "item"
    return "location" if error.code == "LOCATION_BLOCKED" else None
