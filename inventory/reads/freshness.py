"""How old figures are that others report to us, and how old the goods are that lie here."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from inventory.models import Location, LocationKind
from inventory.quantities import ZERO

OWN_KINDS = frozenset({LocationKind.OWN, LocationKind.IN_TRANSIT})
"""Places whose figures are our own records; they are never old."""
AGE_BUCKETS_DAYS = (30, 90, 180, 365)


@dataclass(frozen=True, slots=True)
class Freshness:
    """The age of figures. `as_of` is None for our own records, and for figures nobody ever confirmed."""

    as_of: datetime | None
    is_own: bool
    is_stale: bool
    words: str
    """"fresh, 2 h ago", "stale, 3 days", "never reported", "own records"."""

    @property
    def tone(self) -> str:
        if self.is_own or (self.as_of is None and not self.is_stale):
            return "quiet"
        return "look" if self.is_stale else "good"


OWN_RECORDS = Freshness(None, is_own=True, is_stale=False, words="own records")


def age_in_words(age: timedelta) -> str:
    """`now`, `5 min`, `2 h`, `3 days`."""
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"


def freshness(*, as_of: datetime | None, hours: int | None, at: datetime | None = None) -> Freshness:
    """How fresh figures reported by somebody else are; `hours` is how long they count as fresh, None: for ever.

    Figures that were never confirmed are stale as soon as there is a limit for them.
    """
    at = at or timezone.now()
    if as_of is None:
        return Freshness(None, is_own=False, is_stale=hours is not None, words="never reported")
    age = at - as_of
    is_stale = hours is not None and age > timedelta(hours=hours)
    words = age_in_words(age)
    if words == "now":
        return Freshness(as_of, is_own=False, is_stale=is_stale, words="stale" if is_stale else "fresh, just now")
    return Freshness(
        as_of, is_own=False, is_stale=is_stale, words=f"stale, {words}" if is_stale else f"fresh, {words} ago"
    )


def freshness_of_places(places: Iterable[Location], *, at: datetime | None = None) -> dict[int, Freshness]:
    """The freshness of each place, by id. A bin of a place we do not run is as fresh as what it stands in.

    `places` are all locations, or at least whole branches from their site on.
    """
    at = at or timezone.now()
    by_id = {place.pk: place for place in places}
    return {pk: _of_place(place, by_id, at) for pk, place in by_id.items()}


def _of_place(place: Location, by_id: Mapping[int, Location], at: datetime) -> Freshness:
    if place.kind in OWN_KINDS:
        return OWN_RECORDS
    as_of, hours = place.stock_as_of, place.freshness_hours
    above = by_id.get(place.parent_id or 0)
    while above is not None:
        if above.stock_as_of is not None and (as_of is None or above.stock_as_of > as_of):
            as_of = above.stock_as_of
        hours = above.freshness_hours if hours is None else hours
        above = by_id.get(above.parent_id or 0)
    return freshness(as_of=as_of, hours=hours, at=at)


def stale_places(places: Iterable[Location], *, at: datetime | None = None) -> list[int]:
    """Ids of the places whose figures are stale."""
    return [pk for pk, found in freshness_of_places(places, at=at).items() if found.is_stale]


def supplier_freshness(confirmed_at: datetime, *, at: datetime | None = None) -> Freshness:
    """How fresh a supplier's figure is; it counts as fresh for settings.SUPPLIER_STOCK_FRESH_HOURS."""
    return freshness(as_of=confirmed_at, hours=settings.SUPPLIER_STOCK_FRESH_HOURS, at=at)


def supplier_stale_before(*, at: datetime) -> datetime:
    """Suppliers' figures confirmed before this moment are stale."""
    return at - timedelta(hours=settings.SUPPLIER_STOCK_FRESH_HOURS)


def oldest(found: Collection[Freshness]) -> Freshness | None:
    """The worst of several: never reported, then the oldest; our own records only when there is nothing else."""
    others = [one for one in found if not one.is_own]
    if not others:
        return next(iter(found), None)
    never = [one for one in others if one.as_of is None]
    if never:
        return max(never, key=lambda one: one.is_stale)
    stale = [one for one in others if one.is_stale]
    return min(
        stale or others, key=lambda one: one.as_of or datetime.max.replace(tzinfo=timezone.get_default_timezone())
    )


@dataclass(frozen=True, slots=True)
class AgeBucket:
    """How much of an item came in so many days ago; stock unit. `until_days` is None for what is older than all others."""

    from_days: int
    until_days: int | None
    quantity: Decimal

    @property
    def words(self) -> str:
        if self.until_days is None:
            return f"over {self.from_days - 1} days"
        return f"{self.from_days}–{self.until_days} days" if self.from_days else f"up to {self.until_days} days"


def stock_ageing(*, item_id: int, on: date | None = None) -> tuple[AgeBucket, ...]:
    """On hand by how long ago its lot came in first, youngest first; cells below zero are left out. One statement."""
    on = on or timezone.localdate()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT width_bucket(%s::date - t.received_on, %s::int[]), sum(b.quantity) FROM inventory_stockbalance b"
            " JOIN inventory_lot t ON t.id = b.lot_id WHERE b.item_id = %s AND b.quantity > 0 GROUP BY 1",
            [on, numbers([days + 1 for days in AGE_BUCKETS_DAYS]), item_id],
        )
        sums = dict(cursor.fetchall())
    starts = (0, *(days + 1 for days in AGE_BUCKETS_DAYS))
    ends: tuple[int | None, ...] = (*AGE_BUCKETS_DAYS, None)
    return tuple(
        AgeBucket(start if number else 0, end, sums.get(number, ZERO))
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    )
