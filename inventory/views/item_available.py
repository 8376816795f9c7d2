"""The tab of an item that tells why so much of it is available."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from inventory.models import Item, Reservation
from inventory.quantities import ZERO
from inventory.reads.availability_terms import availability_terms

PROMISES_MAX = 100


def open_promises(item: Item) -> list[Reservation]:
    """What is promised of an item, in the order in which it is served."""
    promised = Reservation.objects.filter(item=item).open(at=timezone.now()).select_related("location", "lot")
    return list(promised.order_by("rank", "pk")[:PROMISES_MAX])


def available_context(_request: HttpRequest, item: Item) -> dict[str, Any]:
    """The terms of each site, their sums, and the promises behind them; a fixed number of statements."""
    sites = availability_terms(item=item)
    counted = [site for site in sites if not site.is_kept_by_channel]
    return {
        "terms": sites,
        "terms_good": sum((site.figures.on_hand for site in counted), ZERO),
        "terms_pinned": sum((site.figures.reserved_pinned for site in counted), ZERO),
        "terms_soft": sum((site.figures.reserved_soft for site in counted), ZERO),
        "terms_available": sum((max(ZERO, site.figures.available) for site in counted), ZERO),
        "terms_shortage": sum((min(ZERO, site.figures.available) for site in counted), ZERO),
        "reservations": open_promises(item),
        "promised_tab": "available",
    }
