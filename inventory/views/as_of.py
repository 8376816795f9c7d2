"""The item page at another moment: every cell as it was, and what happened to it since."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from inventory.filters import LocationChoices
from inventory.forms.moments import DAYS_BACK_MAX, Moment, moment_of
from inventory.models import Item, Movement
from inventory.quantities import ZERO
from inventory.reads.moments import AsOf, Basis
from inventory.reads.stock_as_of import WorthAsOf, cells_as_of, share_of, worth_as_of

DAYS_BACK_MIN = 30
CELLS_PER_PAGE = 100
"""Cells that are listed at once, now or at another moment; an item of many serial numbers has thousands."""


@dataclass(frozen=True, slots=True)
class AsOfRow:
    """A cell then. Quantities in the stock unit; `since` is what it has more now; value in base currency."""

    site_code: str
    location_code: str
    lot_code: str
    expires_on: date | None
    status: str
    quantity: Decimal
    since: Decimal
    value: Decimal | None


def moment_context(request: HttpRequest, item: Item) -> dict[str, Any]:
    """The bar that looks back, and what it found when another moment than now is asked about."""
    moment = moment_of(request.GET)
    first = Movement.objects.for_item(item).order_by("pk").values_list("effective_at", flat=True).first()
    days = 0 if first is None else (timezone.localdate() - timezone.localdate(first)).days + 1
    return {
        "moment": moment,
        "bases": Basis.choices,
        "has_past": first is not None,
        "days_back_max": min(max(days, moment.days_back, DAYS_BACK_MIN), DAYS_BACK_MAX),
        "as_of": None if moment.at is None else _as_of(item, moment, page=request.GET.get("page")),
    }


def _as_of(item: Item, moment: Moment, *, page: str | None) -> dict[str, Any]:
    then = {
        (cell.location_id, cell.lot_id, cell.status): cell for cell in cells_as_of(items=[item.pk], moment=moment.as_of)
    }
    now = {(cell.location_id, cell.lot_id, cell.status): cell for cell in cells_as_of(items=[item.pk], moment=AsOf())}
    worth = worth_as_of(items=[item.pk], moment=moment.as_of).get(item.pk, WorthAsOf(item.pk))
    places = LocationChoices().by_id
    rows = []
    for key, cell in sorted({**now, **then}.items(), key=lambda pair: (pair[1].location_path, pair[1].lot_code)):
        quantity = then[key].quantity if key in then else ZERO
        value = None if worth.unknown_quantity else share_of(worth.known_value, quantity, worth.quantity)
        rows.append(
            AsOfRow(
                site_code=places[places[cell.location_id].site_id].code,
                location_code=cell.location_code,
                lot_code=cell.lot_code,
                expires_on=cell.expires_on,
                status=cell.status,
                quantity=quantity,
                since=(now[key].quantity if key in now else ZERO) - quantity,
                value=value,
            )
        )
    assert moment.at is not None
    query = {"item": item.sku, "first": f"{timezone.localtime(moment.at):%Y-%m-%dT%H:%M:%S}", "basis": moment.basis}
    shown = Paginator(rows, CELLS_PER_PAGE).get_page(page)
    return {
        "moment": moment,
        "rows": shown.object_list,
        "page": shown,
        "worth": worth,
        "since": sum((row.since for row in rows), ZERO),
        "changes_url": f"{reverse('inventory:changes')}?{urlencode(query)}",
    }
