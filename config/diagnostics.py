"""All that concerns one item, order, push or listing in one file, for somebody who helps and has no account here.

It holds rows as they stand in the tables, with exact figures as text, and no credentials: accounts of channels, tokens and
passwords are in none of these tables.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core import serializers
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from channels_sync.models import AllocationPolicy, Listing, ListingPush, PublicationLine
from inventory.models import (
    CostEntry,
    CostLayer,
    CostPool,
    CountLine,
    CountRank,
    ExceptionCase,
    Item,
    ItemUnit,
    LandedCostShare,
    Location,
    Lot,
    Movement,
    Posting,
    PurchaseOrderLine,
    Reservation,
    ReservationChange,
    StockBalance,
    StockTransferLine,
    SupplierItem,
    SupplierStock,
)
from production.models import Bom, BomLine, Completion, CompletionLine, WorkOrder, WorkOrderLine

ROWS_MAX = 1000
"""Rows of one table, the newest; each table says whether there are more."""

SHOWN = {
    "people": ("username",),
    "channels": (
        "code",
        "name",
        "adapter",
        "mode",
        "is_paused",
        "pause_reason",
        "paused_at",
        "last_error",
        "last_error_at",
    ),
}
"""Tables of which only these fields are written."""

Section = tuple[str, QuerySet[Any]]


def sections_of(item: Item) -> Iterator[Section]:
    """The tables that say something about `item`, each with its rows, newest first where a table is long."""
    yield "item", Item.objects.filter(pk=item.pk)
    yield "item_history", Item.history.filter(id=item.pk).order_by("-history_id")
    yield "item_units", ItemUnit.objects.filter(item=item)
    yield "balances", StockBalance.objects.filter(item=item).order_by("pk")
    yield "lots", Lot.objects.filter(item=item).order_by("-pk")
    yield "cost_pools", CostPool.objects.filter(item=item).order_by("pk")
    yield "cost_layers", CostLayer.objects.filter(item=item).order_by("-pk")
    movements = Movement.objects.filter(item=item).order_by("-pk")
    yield "movements", movements
    postings = list(movements.values_list("posting_id", flat=True)[:ROWS_MAX])
    yield "postings", Posting.objects.filter(pk__in=postings).order_by("-pk")
    yield "cost_entries", CostEntry.objects.filter(posting__in=postings, item=item).order_by("-pk")
    yield "landed_cost_shares", LandedCostShare.objects.filter(movement__item=item).order_by("-pk")
    yield "reservations", Reservation.objects.filter(item=item).order_by("-pk")
    yield "reservation_changes", ReservationChange.objects.filter(reservation__item=item).order_by("-pk")
    yield "count_lines", CountLine.objects.filter(item=item).order_by("-pk")
    yield "count_rank", CountRank.objects.filter(item=item)
    yield "transfer_lines", StockTransferLine.objects.filter(item=item).order_by("-pk")
    yield "supplier_items", SupplierItem.objects.filter(item=item).order_by("pk")
    yield "supplier_stock", SupplierStock.objects.filter(supplier_item__item=item).order_by("pk")
    yield "purchase_order_lines", PurchaseOrderLine.objects.filter(item=item).order_by("-pk")
    yield "exceptions", ExceptionCase.objects.filter(Q(subject=item.sku) | Q(subject__startswith=f"{item.sku} "))
    boms = Bom.objects.filter(Q(item=item) | Q(lines__component=item)).distinct().order_by("-pk")
    yield "boms", boms
    yield "bom_lines", BomLine.objects.filter(bom__in=boms.values("pk")).order_by("-pk")
    yield "work_orders", WorkOrder.objects.filter(item=item).order_by("-pk")
    yield "work_order_lines", WorkOrderLine.objects.filter(component=item).order_by("-pk")
    yield "completions", Completion.objects.filter(item=item).order_by("-pk")
    yield "completion_lines", CompletionLine.objects.filter(completion__in=postings, component=item).order_by("-pk")
    listings = Listing.objects.filter(item=item).order_by("pk")
    yield "listings", listings
    yield "listing_pushes", ListingPush.objects.filter(listing__in=listings.values("pk")).order_by("pk")
    yield "publications", PublicationLine.objects.filter(listing__in=listings.values("pk")).order_by("-pk")
    yield "allocation_policies", AllocationPolicy.objects.filter(Q(item=item) | Q(listing__item=item)).order_by("-pk")
    places = StockBalance.objects.filter(item=item).values("location_id")
    yield "locations", Location.objects.filter(pk__in=places).order_by("path")
    actors = Posting.objects.filter(pk__in=postings).values("actor_id")
    yield "people", User.objects.filter(pk__in=actors).only("username").order_by("pk")


def tables(sections: Iterable[Section]) -> dict[str, dict[str, Any]]:
    """Each section as plain rows; `has_more` where only the newest ROWS_MAX are given."""
    found = {}
    for name, rows in sections:
        read = list(rows[: ROWS_MAX + 1])
        written = [_plain(row, SHOWN.get(name)) for row in read[:ROWS_MAX]]
        found[name] = {"rows": written, "has_more": len(read) > ROWS_MAX}
    return found


def _plain(row: Model, fields: tuple[str, ...] | None) -> dict[str, Any]:
    (written,) = serializers.serialize("python", [row], fields=fields)
    return {"id": written["pk"], **written["fields"]}


def file_of(request: HttpRequest, *, what: str, name: str, sections: Iterable[Section]) -> HttpResponse:
    """A JSON file of the tables that concern one thing: `what` it is, as `item`, and its name."""
    now = timezone.localtime()
    content = {
        "made_at": now.isoformat(),
        "made_by": request.user.get_username(),
        what.replace(" ", "_"): name,
        "tables": tables(sections),
    }
    safe = "".join(c if (c.isascii() and c.isalnum()) or c in "-_." else "-" for c in name)
    return HttpResponse(
        json.dumps(content, cls=DjangoJSONEncoder, indent=1),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{what.capitalize()} {safe} {now:%Y-%m-%d %H%M}.json"'},
    )


@require_GET
@permission_required("inventory.read_audit", raise_exception=True)
def item_file(request: HttpRequest, pk: int) -> HttpResponse:
    """A JSON file of everything about one item; a fixed number of statements."""
    item = get_object_or_404(Item, pk=pk)
    return file_of(request, what="item", name=item.sku, sections=sections_of(item))
