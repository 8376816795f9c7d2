"""What can be promised of items, and from where: one statement for any number of items and places."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from inventory.arrays import numbers
from inventory.models import LocationKind, StockStatus
from inventory.quantities import ZERO
from inventory.records import record
from inventory.trips import Rows, Statement, rows_of


@record(frozen=True, slots=True)
class SourceAvailability:
    """One item at one source: a location with everything below it. Quantities are in the item's stock unit."""

    location_id: int
    code: str
    path: str
    is_site: bool
    """Whether this source counts when no sources are named: a root of the tree that no sales channel keeps for itself."""
    on_hand: Decimal
    """In sellable cells: status available, place sellable, active and not blocked, lot good on the day asked about. A cell
    below zero counts as empty: what one place lacks is not taken from another."""
    reserved_pinned: Decimal
    """Of `on_hand`, pinned to demands."""
    reserved_soft: Decimal
    """Promised from here without naming a cell."""
    expired: Decimal
    """Not in `on_hand`: would be sellable, but the lot's last day has passed."""
    withheld: Decimal
    """Not in `on_hand`: held, quarantined, damaged, or at a place that is not sellable now."""

    @property
    def available(self) -> Decimal:
        """Free to promise. Below zero where more is promised than is there."""
        return self.on_hand - self.reserved_pinned - self.reserved_soft

    @property
    def is_empty(self) -> bool:
        return not (self.on_hand or self.reserved_pinned or self.reserved_soft or self.expired or self.withheld)


@record(frozen=True, slots=True)
class ItemAvailability:
    """One item over the sources that were asked for; sources that hold and owe nothing are left out."""

    item_id: int
    cutoff: int | None
    """The newest movement of the item these figures contain; None when it never moved."""
    sources: tuple[SourceAvailability, ...]

    @property
    def available(self) -> Decimal:
        """Free to promise over all sources; what one lacks is not taken from another."""
        return sum((max(ZERO, source.available) for source in self.sources), ZERO)

    @property
    def shortage(self) -> Decimal:
        """What is promised and not there, summed over the sources that lack it; zero or less, and not part of `available`."""
        return sum((min(ZERO, source.available) for source in self.sources), ZERO)

    def from_sources(self, location_ids: Collection[int]) -> "ItemAvailability":
        """Only the named sources, or every site when none is named. A source inside another named one counts once."""
        if location_ids:
            chosen = [source for source in self.sources if source.location_id in location_ids]
        else:
            chosen = [source for source in self.sources if source.is_site]
        outermost = tuple(
            source
            for source in chosen
            if not any(source.path != other.path and source.path.startswith(other.path) for other in chosen)
        )
        return ItemAvailability(self.item_id, self.cutoff, outermost)


_AVAILABILITY = """
WITH wanted AS (
  SELECT DISTINCT unnest(%(items)s::bigint[]) AS item_id
), source AS MATERIALIZED (
  SELECT id, code, path, path || '%%' AS below, parent_id IS NULL AND kind <> %(channel_owned)s AS is_site
  FROM inventory_location WHERE parent_id IS NULL OR id = ANY(%(sources)s::bigint[])
), cell AS MATERIALIZED (
  SELECT b.item_id, b.quantity, b.reserved, l.path,
         b.status = %(available)s AND l.is_sellable AND l.is_active AND NOT l.is_blocked AS is_sellable,
         coalesce(t.expires_on < %(day)s::date + %(good_for)s::int, false) AS is_expired
  FROM inventory_stockbalance b
  JOIN inventory_location l ON l.id = b.location_id JOIN inventory_lot t ON t.id = b.lot_id
  WHERE b.item_id = ANY(%(items)s::bigint[]) AND b.quantity <> 0
), held AS (
  SELECT c.item_id, s.id AS source_id,
         sum(greatest(c.quantity, 0)) FILTER (WHERE c.is_sellable AND NOT c.is_expired) AS on_hand,
         sum(c.reserved) FILTER (WHERE c.is_sellable AND NOT c.is_expired) AS pinned,
         sum(c.quantity) FILTER (WHERE c.is_sellable AND c.is_expired) AS expired,
         sum(c.quantity) FILTER (WHERE NOT c.is_sellable) AS withheld
  FROM cell c JOIN source s ON c.path LIKE s.below GROUP BY c.item_id, s.id
), soft AS (
  SELECT r.item_id, s.id AS source_id, sum(r.quantity) AS quantity
  FROM inventory_reservation r JOIN inventory_location l ON l.id = r.location_id
  JOIN source s ON l.path LIKE s.below OR s.path LIKE l.path || '%%'
  WHERE r.item_id = ANY(%(items)s::bigint[]) AND r.lot_id IS NULL AND r.quantity > 0
    AND (r.expires_at IS NULL OR r.expires_at > %(at)s)
  GROUP BY r.item_id, s.id
), promised AS (
  SELECT item_id, source_id, coalesce(h.on_hand, 0) AS on_hand, coalesce(h.pinned, 0) AS pinned,
         coalesce(f.quantity, 0) AS soft, coalesce(h.expired, 0) AS expired, coalesce(h.withheld, 0) AS withheld
  FROM held h FULL JOIN soft f USING (item_id, source_id)
)
SELECT w.item_id, (SELECT max(m.id) FROM inventory_movement m WHERE m.item_id = w.item_id) AS cutoff,
       s.id, s.code, s.path, s.is_site, p.on_hand, p.pinned, p.soft, p.expired, p.withheld
FROM wanted w LEFT JOIN promised p ON p.item_id = w.item_id LEFT JOIN source s ON s.id = p.source_id
ORDER BY w.item_id, s.path
"""


def availability(
    *, items: Collection[int], sources: Collection[int] = (), at: datetime | None = None, good_for_days: int = 0
) -> dict[int, ItemAvailability]:
    """What every item of `items` (ids) has at each site and at each of `sources` (location ids), by item id.

    `at` (default now) decides which lots and reservations have expired; the figures are those of now. A soft reservation
    lowers its place, everything that contains it and everything inside it, since its cell is not chosen yet. Lots that are
    not good `good_for_days` days from now count as expired.
    """
    if not items:
        return {}
    return availability_from(
        rows_of(*availability_statement(items=items, sources=sources, at=at, good_for_days=good_for_days))
    )


def availability_statement(
    *, items: Collection[int], sources: Collection[int] = (), at: datetime | None = None, good_for_days: int = 0
) -> Statement:
    """What `availability` asks, for who has something else to do meanwhile; `availability_from` reads the answer."""
    at = at or timezone.now()
    return _AVAILABILITY, {
        "items": numbers(items),
        "sources": numbers(sources),
        "available": StockStatus.AVAILABLE.value,
        "channel_owned": LocationKind.CHANNEL_OWNED.value,
        "day": timezone.localdate(at),
        "good_for": good_for_days,
        "at": at,
    }


def availability_from(rows: Rows) -> dict[int, ItemAvailability]:
    found: dict[int, tuple[int | None, list[SourceAvailability]]] = {}
    for item_id, cutoff, *source in rows:
        _, places = found.setdefault(item_id, (cutoff, []))
        if source[0] is not None:
            places.append(SourceAvailability(*source))
    return {
        item_id: ItemAvailability(item_id, cutoff, tuple(place for place in places if not place.is_empty))
        for item_id, (cutoff, places) in found.items()
    }
