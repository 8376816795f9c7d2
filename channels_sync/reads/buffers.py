"""How large the buffer of each listing has to be, beside the one it has: measured delays, demand, counts and rules put together.

A channel lowers its own figure when it sells, so what it learns of late is what the *other* channels sell from stock they share
with it: that is the demand a buffer guards against. Its own demand tells what a buffer costs it. Channels share stock unless
each names its sources and none of them lies in another. Demand is that of WINDOW_DAYS days up to the last day any is known of,
from the first day an item sold anywhere; delays are those of DELAY_DAYS, counts those of a year.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from channels_sync.allocation import Derivation
from channels_sync.allocation.advising import Advice, Cost, advise, cost_of, demand_of
from channels_sync.allocation.terms import FIXED
from channels_sync.models import Channel, ChannelDemand, ChannelMode, Listing
from channels_sync.reads.figures import figures
from channels_sync.reads.latency import Delays, channel_delays
from channels_sync.reads.listing_facts import Facts, read_facts
from inventory.arrays import numbers
from inventory.quantities import ZERO, round_up

WINDOW_DAYS = 90
DELAY_DAYS = 30
COUNT_DAYS = 365
LISTINGS_MAX = 200
"""Listings looked at: those whose other channels sell most."""


@dataclass(frozen=True, slots=True)
class BufferRow:
    """One listing. Quantities in stock units but `shown`, which is in sold units; `advised` is rounded up to the item's step."""

    listing_id: int
    channel_id: int
    item_id: int
    external_sku: str
    unit: str
    present: Decimal
    deciding: str
    """The term that makes the present buffer; empty when there is none."""
    shown: int
    advised: Decimal | None
    advice: Advice
    cost: Cost | None
    late_a_day: Decimal | None
    derivation: Derivation

    @property
    def difference(self) -> Decimal:
        """What is advised more than there is; 0 where nothing is advised."""
        return ZERO if self.advised is None else self.advised - self.present


@dataclass(frozen=True, slots=True)
class BufferBook:
    """Rows with the largest difference first, those without advice last. `known_until` is the last day of known demand."""

    rows: Sequence[BufferRow]
    delays: Mapping[int, Delays]
    known_until: date | None
    is_cut: bool


_CANDIDATES = """
SELECT l.id FROM channels_sync_listing l JOIN channels_sync_channel c ON c.id = l.channel_id
LEFT JOIN (
  SELECT item_id, channel_id, sum(quantity) AS here FROM channels_sync_channeldemand
  WHERE day BETWEEN %(first)s AND %(last)s GROUP BY item_id, channel_id
) d ON d.item_id = l.item_id AND d.channel_id = l.channel_id
LEFT JOIN (
  SELECT item_id, sum(quantity) AS everywhere FROM channels_sync_channeldemand
  WHERE day BETWEEN %(first)s AND %(last)s GROUP BY item_id
) e ON e.item_id = l.item_id
WHERE l.is_active AND c.mode <> %(off)s AND (%(channel)s::bigint IS NULL OR l.channel_id = %(channel)s)
ORDER BY coalesce(e.everywhere, 0) - coalesce(d.here, 0) DESC, l.id LIMIT %(limit)s
"""

_SHORTFALLS = """
SELECT item_id, greatest(sum(expected - counted), 0) FROM inventory_countline
WHERE item_id = ANY(%s::bigint[]) AND state = 'posted' AND status = 'available' AND scanned_at >= %s
GROUP BY item_id, sheet_id ORDER BY item_id, sheet_id
"""


def buffer_book(
    *,
    risk: Decimal,
    channel_id: int | None = None,
    listing_ids: Collection[int] | None = None,
    now: datetime | None = None,
) -> BufferBook:
    """Advice for a wanted chance of overselling between 0 and 1. A fixed number of statements.

    About all the listings named, or about those of the channel or of all, LISTINGS_MAX of them, whose other channels sell most.
    """
    now = timezone.localtime(now)
    yesterday = timezone.localdate(now) - timedelta(days=1)
    last = ChannelDemand.objects.filter(day__lte=yesterday).aggregate(last=Max("day"))["last"]
    until = last or yesterday
    first = until - timedelta(days=WINDOW_DAYS - 1)
    ids = _candidates(channel_id, first, until) if listing_ids is None else sorted(listing_ids)
    is_cut = listing_ids is None and len(ids) > LISTINGS_MAX
    facts = read_facts(ids[:LISTINGS_MAX] if is_cut else ids)
    items = {one.item_id for one in facts}
    books = _Books(
        demand=_demand(items, first, until),
        shortfalls=_shortfalls(items, now),
        delays=channel_delays(since=now - timedelta(days=DELAY_DAYS), until=now),
        sources=_sources(),
        packs=_packs(items),
        last=until,
    )
    rows = [_row(change.facts, change.derivation, books, risk) for change in figures(facts, now=now)]
    rows.sort(key=lambda row: (row.advised is None, -abs(row.difference), row.external_sku, row.listing_id))
    return BufferBook(rows, books.delays, last, is_cut)


def _candidates(channel_id: int | None, first: date, until: date) -> list[int]:
    """One more than LISTINGS_MAX where there are more."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CANDIDATES,
            {
                "first": first,
                "last": until,
                "off": ChannelMode.OFF.value,
                "channel": channel_id,
                "limit": LISTINGS_MAX + 1,
            },
        )
        return [listing_id for (listing_id,) in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class _Books:
    demand: Mapping[int, Mapping[int, Mapping[date, Decimal]]]
    """Stock units by item, channel and day."""
    shortfalls: Mapping[int, Sequence[Decimal]]
    delays: Mapping[int, Delays]
    sources: Mapping[int, Collection[str]]
    packs: Mapping[int, Mapping[int, Decimal]]
    """The largest pack an item is offered in, by item and channel; whichever listings are asked about."""
    last: date

    def shares_stock(self, one: int, other: int) -> bool:
        ours, theirs = self.sources.get(one, ()), self.sources.get(other, ())
        if not ours or not theirs:
            return True
        return any(a.startswith(b) or b.startswith(a) for a in ours for b in theirs)

    def days(self, item_id: int, channels: Collection[int]) -> list[Decimal]:
        """What these channels sold each day since the item sold first, days without sales among them."""
        sold = self.demand.get(item_id, {})
        first = min((day for days in sold.values() for day in days), default=None)
        if first is None:
            return []
        span = [first + timedelta(days=number) for number in range((self.last - first).days + 1)]
        return [sum((sold[channel].get(day, ZERO) for channel in channels), ZERO) for day in span]


def _row(one: Facts, derivation: Derivation, books: _Books, risk: Decimal) -> BufferRow:
    steps, offer = derivation.steps, derivation.offer
    sold = books.demand.get(one.item_id, {})
    others = [channel for channel in sold if channel != one.channel_id and books.shares_stock(one.channel_id, channel)]
    offered = books.packs.get(one.item_id, {})
    packs = [offered[channel] for channel in others if channel in offered]
    days = books.days(one.item_id, others)
    delays = books.delays.get(one.channel_id)
    if derivation.terms.basis.value == FIXED:
        advice = Advice(None, refusal="It shows a fixed figure, which no buffer lowers.")
    else:
        advice = advise(
            days=days,
            delays=_points_of(delays) if delays else (),
            shortfalls=books.shortfalls.get(one.item_id, ()),
            risk=risk,
            unit=max(packs, default=Decimal(1)),
        )
    advised = None if advice.buffer is None else round_up(Fraction(advice.buffer), offer.step)
    here = [channel for channel in sold if channel == one.channel_id]
    own = demand_of(books.days(one.item_id, here), unit=offer.pack_size)
    return BufferRow(
        listing_id=one.listing_id,
        channel_id=one.channel_id,
        item_id=one.item_id,
        external_sku=offer.sku,
        unit=offer.unit,
        present=steps.buffer.quantity,
        deciding=steps.buffer.name,
        shown=derivation.quantity,
        advised=advised,
        advice=advice,
        cost=None if advised is None else cost_of(buffer=advised, available=steps.allotted, demand=own),
        late_a_day=sum(days, ZERO) / len(days) if days else None,
        derivation=derivation,
    )


def _points_of(delays: Delays) -> Sequence[Decimal]:
    """The points of a distribution; of fewer measured publishes only as many as were measured, so that they count as few."""
    return delays.points[: delays.measured]


def _demand(items: Collection[int], first: date, last: date) -> dict[int, dict[int, dict[date, Decimal]]]:
    found: dict[int, dict[int, dict[date, Decimal]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item_id, channel_id, day, quantity FROM channels_sync_channeldemand"
            " WHERE item_id = ANY(%s::bigint[]) AND day BETWEEN %s AND %s AND quantity > 0",
            [numbers(items), first, last],
        )
        for item_id, channel_id, day, quantity in cursor.fetchall():
            found.setdefault(item_id, {}).setdefault(channel_id, {})[day] = quantity
    return found


def _shortfalls(items: Collection[int], now: datetime) -> dict[int, list[Decimal]]:
    found: dict[int, list[Decimal]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SHORTFALLS, [numbers(items), now - timedelta(days=COUNT_DAYS)])
        for item_id, missing in cursor.fetchall():
            found.setdefault(item_id, []).append(missing)
    return found


def _packs(items: Collection[int]) -> dict[int, dict[int, Decimal]]:
    found: dict[int, dict[int, Decimal]] = {}
    offers = Listing.objects.filter(item__in=items, is_active=True).order_by()
    for item_id, channel_id, pack in offers.values_list("item_id", "channel_id").annotate(pack=Max("pack_size")):
        found.setdefault(item_id, {})[channel_id] = pack
    return found


def _sources() -> dict[int, list[str]]:
    """Paths of the locations each channel sells from; a channel without any sells from everywhere."""
    links = Channel.source_locations.through.objects.values_list("channel_id", "location__path")
    found: dict[int, list[str]] = {}
    for channel_id, path in links:
        found.setdefault(channel_id, []).append(path)
    return found
