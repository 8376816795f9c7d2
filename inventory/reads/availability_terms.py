"""Why so much of one item can be promised: the terms of what is available at each site, and what is not counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import BooleanField, Case, Sum, Value, When
from django.utils import timezone

from inventory.models import Item, Location, LocationKind, StockBalance, StockStatus
from inventory.quantities import ZERO
from inventory.reads.availability import SourceAvailability, availability


@dataclass(frozen=True, slots=True)
class NotCounted:
    """What stands at a site and is not for sale, of one reason; stock unit. `place_id` and `status` find its ledger rows."""

    why: str
    quantity: Decimal  # below zero where the book is
    place_id: int
    status: str


@dataclass(frozen=True, slots=True)
class SiteTerms:
    """One site: what is good for sale there less what is promised is available; `not_counted` stands beside it."""

    site: Location
    figures: SourceAvailability
    not_counted: tuple[NotCounted, ...]

    @property
    def is_on_the_road(self) -> bool:
        return self.site.kind == LocationKind.IN_TRANSIT

    @property
    def is_kept_by_channel(self) -> bool:
        """Whether it counts for nobody but the channel that holds it."""
        return not self.figures.is_site


def availability_terms(*, item: Item, at: datetime | None = None) -> Sequence[SiteTerms]:
    """Every site that holds or owes something of the item, by its path. Three statements."""
    at = at or timezone.now()
    found = availability(items=[item.pk], at=at)[item.pk].sources
    sites = {site.pk: site for site in Location.objects.filter(pk__in=[source.location_id for source in found])}
    apart = _not_counted(item, at)
    return [SiteTerms(sites[source.location_id], source, tuple(apart.get(source.location_id, []))) for source in found]


def _not_counted(item: Item, at: datetime) -> dict[int, list[NotCounted]]:
    """By site, the cells of an item that are not good for sale, summed by reason."""
    cells = (
        StockBalance.objects.filter(item=item)
        .exclude(quantity=0)
        .annotate(
            is_expired=_flag(lot__expires_on__lt=timezone.localdate(at)),
            is_below=_flag(quantity__lt=0),
            is_open=_flag(location__is_sellable=True, location__is_active=True, location__is_blocked=False),
        )
        .order_by()
        .values_list("location_id", "location__path", "location__kind", "status", "is_open", "is_expired", "is_below")
        .annotate(held=Sum("quantity"))
        .order_by("location__path", "status", "is_expired", "is_below")
    )
    parts: dict[tuple[int, str, str], list[tuple[int, Decimal]]] = {}
    for place_id, path, kind, status, is_open, is_expired, is_below, quantity in cells:
        why = _why(kind, status, is_open=is_open, is_expired=is_expired, is_below=is_below)
        if why:
            site_id = int(path.split("/")[1])
            parts.setdefault((site_id, why, status), []).append((place_id, quantity))
    found: dict[int, list[NotCounted]] = {}
    for (site_id, why, status), held in parts.items():
        places = {place_id for place_id, _ in held}
        place_id = next(iter(places)) if len(places) == 1 else site_id
        total = sum((quantity for _, quantity in held), ZERO)
        found.setdefault(site_id, []).append(NotCounted(why, total, place_id, status))
    return found


def _flag(**conditions: object) -> Case:
    return Case(When(**conditions, then=Value(True)), default=Value(False), output_field=BooleanField())


def _why(kind: str, status: str, *, is_open: bool, is_expired: bool, is_below: bool) -> str:
    """Why a cell is not good for sale; empty when it is."""
    if kind == LocationKind.IN_TRANSIT:
        return "on the road"
    if status != StockStatus.AVAILABLE:
        return StockStatus(status).label
    if not is_open:
        return "at a place not for sale"
    if is_expired:
        return "lots past their day"
    return "below zero" if is_below else ""
