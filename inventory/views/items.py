"""The page of one item: what there is, where, what moved, what it is worth, and what higher apps know of it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from inventory.filters import LocationChoices, find_item, without
from inventory.models import (
    CostEntry,
    CostLayer,
    CostMethod,
    CostPool,
    Item,
    Location,
    Lot,
    Movement,
    StockBalance,
    StockStatus,
)
from inventory.panels import Figure, ItemTab, expected_of, registry
from inventory.quantities import ZERO
from inventory.reads.availability import availability
from inventory.reads.board import share_of_pool
from inventory.reads.board.supply import held_of, supply_of
from inventory.reads.freshness import Freshness, freshness_of_places, stock_ageing, supplier_freshness
from inventory.reads.item_ledger import item_ledger, recorded_at, worth_of
from inventory.reads.lots import LotQuestion, lot_page
from inventory.reads.purchases import goods_without_a_price
from inventory.reads.trend import on_hand_trend
from inventory.templatetags.figures import day, grouped, money, quantity, unit_cost
from inventory.views.as_of import CELLS_PER_PAGE, moment_context
from inventory.views.board_columns import kind_mark
from inventory.views.item_available import available_context, open_promises
from inventory.views.sparkline import spark_of
from inventory.web import Crumb, render_page
from inventory.whole_numbers import whole_number

UNKNOWN_ROWS_MAX = 50
LAYERS_MAX = 100


@dataclass(frozen=True, slots=True)
class CellRow:
    """A cell as the tab Where shows it."""

    cell: StockBalance
    site: Location
    value: Decimal | None
    owner: str
    fresh: Freshness | None
    mark: SafeString


@require_GET
@permission_required("inventory.view_item", raise_exception=True)
def item_by_code(_request: HttpRequest, code: str) -> HttpResponse:
    """Find an item by SKU or barcode and go to its page."""
    item = find_item(code)
    if item is None:
        raise Http404(f"There is no item with SKU or barcode “{code}”.")
    return redirect(reverse("inventory:item", args=[item.pk]))


@require_GET
@permission_required("inventory.view_item", raise_exception=True)
def item_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One tab of the item's page; the head with its figures is left out when htmx only changes the tab."""
    item = Item.objects.select_related("category").filter(pk=pk).first()
    if item is None:  # SKUs and barcodes may be digits alone
        return item_by_code(request, str(pk))
    tabs = _tabs(request)
    wanted = request.GET.get("tab", "where")
    tab = next((one for one in tabs if one.key == wanted), tabs[0])
    return render_page(
        request,
        "inventory/item.html",
        part={"tab": "inventory/_item_tab.html"},
        title=item.sku,
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        item=item,
        tabs=tabs,
        tab=tab,
        figures=[] if request.headers.get("HX-Target") == "tab" else _figures(request, item),
        units=list(item.units.all()),
        trend=None if request.headers.get("HX-Target") == "tab" else spark_of(on_hand_trend(item_id=item.pk), item),
        **tab.context(request, item),
    )


def _tabs(request: HttpRequest) -> list[ItemTab]:
    own = [
        ItemTab("where", "Where", "inventory/_item_where.html", _where, 10),
        ItemTab("available", "Available", "inventory/_item_available.html", available_context, 15),
        ItemTab("ledger", "Ledger", "inventory/_item_ledger.html", _ledger, 20),
        ItemTab("lots", "Lots", "inventory/_item_lots.html", _lots, 25, "inventory.view_lot"),
        ItemTab("cost", "Cost", "inventory/_item_cost.html", _cost, 40),
    ]
    seen = [
        tab
        for tab in (*own, *registry.item_tabs.values())
        if not tab.permission or request.user.has_perm(tab.permission)
    ]
    return sorted(seen, key=lambda tab: tab.order)


def _figures(request: HttpRequest, item: Item) -> list[Figure]:
    worth = worth_of(item)
    held = held_of(item_id=item.pk)
    free = availability(items=[item.pk]).get(item.pk)
    everywhere = free.from_sources(()) if free else None
    sites = everywhere.sources if everywhere else ()
    reserved = sum((site.reserved_pinned + site.reserved_soft for site in sites), ZERO)
    available = everywhere.available if everywhere else ZERO
    shortage = everywhere.shortage if everywhere else ZERO
    withheld = sum((site.withheld + site.expired for site in sites), ZERO)
    is_low = item.reorder_point is not None and available < item.reorder_point
    hint = ""
    if shortage:
        hint = f"and {grouped(-shortage)} promised where they are not there"
    elif is_low and item.reorder_point is not None:
        hint = f"below the reorder point of {item.reorder_point.normalize():f}"
    figures = [
        Figure(
            "On hand",
            quantity(held.on_hand, item),
            "where",
            f"and {grouped(held.below_zero)} where the book is below zero" if held.below_zero else "",
            "blocked" if held.below_zero else "",
        ),
        Figure(
            "Available",
            quantity(available, item),
            "available",
            hint,
            "blocked" if shortage else "look" if is_low else "",
        ),
        Figure("Reserved", quantity(reserved, item), "available"),
    ]
    if withheld:
        figures.append(
            Figure("Not for sale", quantity(withheld, item), "available", "held, damaged, expired or elsewhere")
        )
    figures += _coming(request, item, available + shortage)
    figures += [
        Figure("Unit cost", unit_cost(worth.unit_cost), "cost") if worth.quantity else Figure("Unit cost", "–", "cost"),
        Figure("Value", money(worth.value), "cost"),
    ]
    for added in registry.item_figures.values():
        figures.extend(added(request, item))
    return figures


def _coming(_request: HttpRequest, item: Item, free: Decimal) -> list[Figure]:
    """What is on its way, and what is left once all that is known has come and gone; nothing when nothing is known.

    `free` is what is available, less what is promised and not there.
    """
    supply = supply_of(items=[item.pk])[item.pk]
    expected = expected_of([item.pk])[item.pk]
    incoming = supply.ordered + supply.arriving + expected.incoming
    found = []
    if incoming:
        found.append(
            Figure("Incoming", quantity(incoming, item), "where", "on purchase orders, work orders and transfers")
        )
    if supply.in_transit:
        note = "between our own places"
        if supply.arriving:
            when = supply.arriving_on
            expected_on = format_html("first expected {}", day(when)) if when else "no day given"
            note = format_html("{} of it incoming, {}", grouped(supply.arriving), expected_on)
        found.append(Figure("In transit", quantity(supply.in_transit, item), "where", note))
    if incoming or expected.demand:
        after = free + incoming - expected.demand
        needed = f"open work orders need {grouped(expected.demand)}" if expected.demand else ""
        found.append(
            Figure("After open demand", quantity(after, item), "where", needed, "blocked" if after < 0 else "")
        )
    if supply.suppliers:
        names = ", ".join(row.supplier_code for row in supply.suppliers[:3])
        found.append(Figure("At suppliers", quantity(supply.with_suppliers, item), "where", f"{names}; not on hand"))
    return found


def _where(request: HttpRequest, item: Item) -> dict[str, Any]:
    held = StockBalance.objects.on_hand().filter(item=item)
    listed = held.select_related("location", "lot").order_by(
        "location__path", "lot__expires_on", "lot__code", "status", "pk"
    )
    page = Paginator(listed, CELLS_PER_PAGE).get_page(request.GET.get("page"))
    cells = list(page.object_list)
    pool = item.cost_pools.filter(lot__isnull=True).first()
    places = LocationChoices()
    fresh = freshness_of_places(places.locations)
    return {
        "cells": [
            CellRow(
                cell=cell,
                site=places.by_id.get(cell.location.site_id, cell.location),
                value=share_of_pool(pool, cell.quantity),
                owner=cell.lot.owner or places.owner_of(cell.location_id),
                fresh=fresh.get(cell.location_id),
                mark=kind_mark(cell.location.kind),
            )
            for cell in cells
        ],
        "cells_page": page,
        "suppliers": [
            (row, supplier_freshness(row.confirmed_at)) for row in supply_of(items=[item.pk])[item.pk].suppliers
        ],
        "total": held.aggregate(total=Sum("quantity"))["total"] or ZERO,
        "reservations": open_promises(item),
        "promised_tab": "where",
        "today": timezone.localdate(),
        "has_moved": bool(cells) or Movement.objects.for_item(item).exists(),
        **moment_context(request, item),
    }


def _lots(request: HttpRequest, item: Item) -> dict[str, Any]:
    stocked = request.GET.get("all") != "1"
    page = lot_page(LotQuestion(item_id=item.pk, stocked=stocked), before=_number(request.GET.get("before")))
    return {
        "lot_rows": page.rows,
        "lots_next_before": page.next_before,
        "lots_is_first_page": "before" not in request.GET,
        "lots_stocked": stocked,
        "ageing": [bucket for bucket in stock_ageing(item_id=item.pk) if bucket.quantity],
    }


def _ledger(request: HttpRequest, item: Item) -> dict[str, Any]:
    places = LocationChoices()
    place = places.by_id.get(_number(request.GET.get("place")) or 0)
    status = request.GET.get("status", "")
    status = status if status in StockStatus.values else ""
    lot = Lot.objects.filter(item=item, pk=_number(request.GET.get("lot")) or 0).first()
    upto = _number(request.GET.get("upto"))
    page = item_ledger(
        item=item,
        place=place,
        status=status,
        lot_id=lot.pk if lot else None,
        upto=upto,
        before=_number(request.GET.get("before")),
    )
    used = set(StockBalance.objects.filter(item=item).values_list("location_id", flat=True))
    around = {pk for location_id in used for pk in _line(places, location_id)}
    return {
        "ledger": page,
        "ledger_place": place,
        "ledger_status": status,
        "ledger_lot": lot,
        "ledger_upto": upto,
        "ledger_upto_at": None if upto is None else recorded_at(item=item, upto=upto),
        "ledger_sum": page.rows[0].balance if page.rows else ZERO,
        "today_url": without(request.GET, "upto"),
        "is_first_page": "before" not in request.GET,
        "places": [option for option in places.options() if int(option.value) in around],
        "statuses": StockStatus.choices,
        "lots": list(Lot.objects.filter(item=item).named().order_by("-pk")[:200]),
        "clear_url": without(request.GET, "place", "status", "lot"),
    }


def _line(places: LocationChoices, location_id: int) -> list[int]:
    """A location and everything it lies in."""
    location = places.by_id.get(location_id)
    return [int(part) for part in location.path.strip("/").split("/")] if location else []


def _cost(_request: HttpRequest, item: Item) -> dict[str, Any]:
    worth = worth_of(item)
    unknown = list(goods_without_a_price(item)[:UNKNOWN_ROWS_MAX]) if worth.unknown_quantity else []
    entries = CostEntry.objects.filter(item=item).select_related("posting").order_by("-pk")[:20]
    return {
        "worth": worth,
        "unknown": unknown,
        "entries": list(entries),
        "layers": _open_layers(item),
        "lot_pools": _lot_pools(item),
    }


def _open_layers(item: Item) -> list[CostLayer]:
    """What is left of each receipt of a first-in-first-out item, the next to be used first."""
    if item.cost_method != CostMethod.FIFO:
        return []
    layers = CostLayer.objects.filter(item=item, quantity__gt=0).select_related("posting", "lot")
    return list(layers.order_by("pk")[:LAYERS_MAX])


def _lot_pools(item: Item) -> list[CostPool]:
    """Lots with a cost of their own, with what each is worth."""
    if item.cost_method != CostMethod.LOT:
        return []
    pools = CostPool.objects.filter(item=item, lot__isnull=False).exclude(quantity=0).select_related("lot")
    return list(pools.order_by("lot__expires_on", "lot_id")[:LAYERS_MAX])


def _number(text: str | None) -> int | None:
    return whole_number(text)
