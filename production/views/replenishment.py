"""Items at or below their reorder point: how it comes about, and planning work orders for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError
from inventory.models import Item, Location
from inventory.quantities import as_text, from_text
from inventory.web import Crumb, add_refusal, export_table, go_to, render_page
from inventory.whole_numbers import whole_numbers
from production.forms import own_places
from production.models import REPLENISHMENT, WorkOrder
from production.operations.replenishing import LINES_MAX, ReplenishLine, replenish_items
from production.order_forms import ReplenishForm, stock_quantity
from production.reads.contention import load_shop, outlook
from production.reads.replenishment import ITEMS_MAX, ItemLevel, items_low
from production.typed import read_quantity

NUMBERS_NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class LowRow:
    """An item of the page, what was typed for it and what is wrong with that."""

    level: ItemLevel
    buildable: Decimal | None
    """How many can be made now; None: nothing limits it, or it is bought."""
    limited_by: str
    seen: str
    is_ticked: bool
    typed: str
    problem: str = ""


@require_http_methods(["GET", "POST"])
@permission_required("production.view_workorder", raise_exception=True)
def low_items(request: HttpRequest) -> HttpResponseBase:
    """The items with the arithmetic of each; those that are made can be planned together."""
    may_plan = request.user.has_perm("production.add_workorder")
    if request.method == "POST" and not may_plan:
        raise PermissionDenied
    text = request.GET.get("q", "").strip()[:100]
    found, is_cut = items_low(text=text)
    exported = export_table(
        request.GET.get("export", ""), name="Below reorder point", header=_HEADER, rows=map(_export_row, found)
    )
    if exported is not None:
        return exported
    places = own_places()
    form = ReplenishForm(request.POST if request.method == "POST" else None, initial=_usual(places), places=places)
    problems: dict[int, str] = {}
    if request.method == "POST":
        lines = _lines(request, found, problems)
        if form.is_valid():
            _refuse_gone(request, form, found)
        if form.is_valid() and not problems:
            try:
                orders = replenish_items(
                    lines=lines,
                    location=form.cleaned_data["location"],
                    source_location=form.cleaned_data["source"],
                    actor=request.user,
                )
            except DomainError as error:
                _refuse(form, error, found, problems)
            else:
                return go_to(request, "production:low_items", message=_planned(orders))
    return render_page(
        request,
        "production/low_items.html",
        part={"low": "production/_low_items.html"},
        title="Below the reorder point",
        crumbs=[Crumb("Work orders", reverse("production:work_orders"))],
        form=form,
        status=422 if problems or (form.is_bound and form.errors) else 200,
        rows=_rows(request, found, problems),
        may_plan=may_plan and any(level.is_made for level in found),
        text=text,
        is_cut=is_cut,
        items_max=ITEMS_MAX,
        lines_max=LINES_MAX,
        clear_url=reverse("production:low_items"),
    )


def _rows(request: HttpRequest, found: Sequence[ItemLevel], problems: Mapping[int, str]) -> list[LowRow]:
    made = [level.item.pk for level in found if level.is_made]
    read = load_shop(items=made, make_missing=False)
    ticked = set(request.POST.getlist("row"))
    rows = []
    for level in found:
        pk = level.item.pk
        seen = outlook(read, pk) if level.is_made else None
        first = seen.limits[0] if seen is not None and seen.limits else None
        rows.append(
            LowRow(
                level=level,
                buildable=None if seen is None else seen.quantity,
                limited_by="" if first is None else read.items[first.component_id].sku,
                seen=as_text(level.projected),
                is_ticked=str(pk) in ticked,
                typed=request.POST.get(f"quantity-{pk}", ""),
                problem=problems.get(pk, ""),
            )
        )
    return rows


def _lines(request: HttpRequest, found: Sequence[ItemLevel], problems: dict[int, str]) -> list[ReplenishLine]:
    """The ticked items with what was typed for them."""
    ticked = set(request.POST.getlist("row"))
    lines = []
    for level in found:
        item = level.item
        if str(item.pk) not in ticked:
            continue
        typed = request.POST.get(f"quantity-{item.pk}", "").strip()
        try:
            quantity = stock_quantity(read_quantity(typed[:48]), item) if typed else None
            seen = from_text(request.POST.get(f"seen-{item.pk}", ""))
        except DomainError as error:
            problems[item.pk] = error.message
        except ValidationError as error:
            problems[item.pk] = " ".join(error.messages)
        else:
            lines.append(ReplenishLine(item, quantity, seen))
    return lines


def _refuse_gone(request: HttpRequest, form: ReplenishForm, found: Sequence[ItemLevel]) -> None:
    """Ticked items that are not listed any more: the form was sent twice, or somebody else planned them."""
    gone = set(whole_numbers(request.POST.getlist("row"))) - {level.item.pk for level in found}
    skus = list(Item.objects.filter(pk__in=gone).order_by("sku").values_list("sku", flat=True)[:NUMBERS_NAMED_MAX])
    if skus:
        more = " and others" if len(gone) > len(skus) else ""
        form.add_error(
            None,
            f"{', '.join(skus)}{more}: not below the reorder point any more. Nothing was planned; look at the list again.",
        )


def _refuse(form: ReplenishForm, error: DomainError, found: Sequence[ItemLevel], problems: dict[int, str]) -> None:
    """At its row when the refusal names an item that is listed, else at the place or above the list."""
    named = next((level.item.pk for level in found if level.item.sku == error.context.get("item")), None)
    if named is None:
        add_refusal(form, error, field="location" if error.code == "LOCATION_BLOCKED" else None)
    else:
        problems[named] = error.message


def _usual(places: Mapping[str, Location]) -> dict[str, str]:
    """Where what was planned like this last went, or the only place there is."""
    last = (
        WorkOrder.objects.filter(pegs__demand_kind=REPLENISHMENT)
        .select_related("output_location", "source_location")
        .order_by("-id")
        .first()
    )
    if last is not None:
        source = last.source_location
        return {"location": last.output_location.code, "source": source.code if source else ""}
    return {"location": next(iter(places.values())).code} if len(places) == 1 else {}


def _planned(orders: Sequence[WorkOrder]) -> str:
    named = ", ".join(
        f"{order.number} for {as_text(order.planned)} × {order.item.sku}" for order in orders[:NUMBERS_NAMED_MAX]
    )
    more = len(orders) - NUMBERS_NAMED_MAX
    return f"Planned {named}{f' and {more} more' if more > 0 else ''}"


_HEADER = [
    "SKU",
    "Name",
    "Unit",
    "Reorder point",
    "Available",
    "Being made",
    "Ordered",
    "On the road",
    "Asked for",
    "Needed by orders",
    "Projected",
    "Made or bought",
    "To replenish",
]


def _export_row(level: ItemLevel) -> list[str | Decimal | None]:
    item, figures = level.item, level.projection
    return [
        item.sku,
        item.name,
        item.stock_unit,
        item.reorder_point,
        figures.available,
        figures.making,
        figures.buying,
        figures.moving,
        figures.missing,
        figures.components,
        level.projected,
        "made" if level.is_made else "bought",
        level.to_replenish,
    ]
