"""What channels sold, as the rules see it: by item and channel, and day by day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, cast

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Max
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from channels_sync.models import Channel, ChannelDemand, Listing
from channels_sync.reads.demand import WINDOWS, Coverage, DemandDay, DemandQuestion, DemandRow, DemandTable, demand_days
from inventory.filters import Chip, without
from inventory.models import Item
from inventory.web import Cell, Crumb, export_table, render_page
from inventory.whole_numbers import whole_number

ROWS_PER_PAGE = 50
DAYS_PER_PAGE = 100
SEE = "channels_sync.view_allocationpolicy"
HEADER = ["Item", "Name", "Channel", "Window days", "Days recorded", "Days missing", "Sold", "A day", "Unit"]
HEADER += ["Source", "Last day", "Offered"]


@require_GET
@permission_required(SEE, raise_exception=True)
def demand(request: HttpRequest) -> HttpResponseBase:
    """Every item on every channel that sells or offers it."""
    window = _window(request)
    text = request.GET.get("q", "").strip()[:200].replace("\x00", "")
    channels = list(Channel.objects.order_by("name"))
    chosen = next((one for one in channels if one.code == request.GET.get("channel")), None)
    item_id = whole_number(request.GET.get("item", ""))
    item = None if item_id is None else Item.objects.filter(pk=item_id).first()
    coverage = request.GET.get("coverage", "")
    coverage = coverage if coverage in Coverage.values else ""
    table = DemandTable(
        DemandQuestion(
            today=timezone.localdate(),
            window=window,
            text=text,
            channel_id=None if chosen is None else chosen.pk,
            item_id=None if item is None else item.pk,
            coverage=coverage,
        )
    )
    download = export_table(request.GET.get("export", ""), name="Demand", header=HEADER, rows=_export_rows(table))
    if download is not None:
        return download
    chips = [Chip(f"“{text}”", without(request.GET, "q"))] if text else []
    if item is not None:
        chips.append(Chip(item.sku, without(request.GET, "item")))
    if chosen is not None:
        chips.append(Chip(chosen.name, without(request.GET, "channel")))
    if coverage:
        chips.append(Chip(str(Coverage(coverage).label), without(request.GET, "coverage")))
    page: Any = Paginator(cast(Any, table), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "channels_sync/demand.html",
        title="Demand",
        part={"demand": "channels_sync/_demand.html"},
        crumbs=[Crumb("Allocation rules", reverse("channels_sync:policies"))],
        page_object=page,
        rows=page.object_list,
        missing=table.without,
        channels=channels,
        chosen=chosen,
        item=item,
        text=text,
        coverage=coverage,
        coverages=Coverage.choices,
        window=window,
        windows=WINDOWS,
        chips=chips,
        clear_url=without(request.GET, "q", "item", "channel", "coverage"),
        known_until=ChannelDemand.objects.aggregate(last=Max("day"))["last"],
    )


def _export_rows(rows: Iterable[DemandRow]) -> Iterator[list[Cell]]:
    for row in rows:
        yield [
            row.sku,
            row.name,
            row.channel_name,
            row.window,
            row.days,
            row.missing,
            row.units,
            row.per_day,
            row.unit,
            row.source,
            "" if row.last_on is None else row.last_on.isoformat(),
            "yes" if row.is_offered else "no",
        ]


@require_GET
@permission_required(SEE, raise_exception=True)
def days_of_listing(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The days of a listing's item on its channel."""
    listing = get_object_or_404(Listing.objects.select_related("item", "channel"), pk=pk)
    return _days_page(request, listing.item, listing.channel)


@require_GET
@permission_required(SEE, raise_exception=True)
def days_of_item(request: HttpRequest, pk: int, code: str) -> HttpResponseBase:
    """The days of an item on a channel, whether or not it is offered there."""
    return _days_page(request, get_object_or_404(Item, pk=pk), get_object_or_404(Channel, code=code))


def _days_page(request: HttpRequest, item: Item, channel: Channel) -> HttpResponseBase:
    window, today = _window(request), timezone.localdate()
    days = demand_days(item_id=item.pk, channel_id=channel.pk, today=today, window=window)
    download = export_table(
        request.GET.get("export", ""),
        name=f"Demand {item.sku} {channel.code}",
        header=["Item", "Channel", "Day", "Sold", "Unit", "Price", "Source", "Recorded"],
        rows=_day_rows(days, item, channel),
    )
    if download is not None:
        return download
    sold = [one.sold for one in days if one.sold is not None]
    units = sum((one.quantity for one in sold), Decimal(0))
    row = DemandRow(
        item.pk, item.sku, item.name, item.stock_unit, channel.code, channel.name,
        True, len(sold), units, sold[0].source if sold else "", sold[0].day if sold else None, window,
    )  # fmt: skip
    return render_page(
        request,
        "channels_sync/demand_days.html",
        title=f"Demand of {item.sku} on {channel.name}",
        crumbs=[Crumb("Demand", reverse("channels_sync:demand"))],
        item=item,
        channel=channel,
        row=row,
        page_object=Paginator(days, DAYS_PER_PAGE).get_page(request.GET.get("page")),
        listings=list(Listing.objects.filter(item=item, channel=channel).order_by("external_sku")[:20]),
        window=window,
        windows=WINDOWS,
    )


def _day_rows(days: Iterable[DemandDay], item: Item, channel: Channel) -> Iterator[list[Cell]]:
    for one in days:
        sold = one.sold
        told: list[Cell] = [None, item.stock_unit, None, "", "not recorded"]
        if sold is not None:
            recorded = timezone.localtime(sold.recorded_at).isoformat(timespec="seconds")
            told = [sold.quantity, item.stock_unit, sold.unit_price, sold.source, recorded]
        yield [item.sku, channel.name, one.day.isoformat(), *told]


def _window(request: HttpRequest) -> int:
    asked = whole_number(request.GET.get("window", ""), digits_max=4)
    return asked if asked in WINDOWS else WINDOWS[0]
