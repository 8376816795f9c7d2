"""Which listings might show another figure now than the one they were given: one statement for thousands of listings.

The formula of allocation/formula.py in SQL, for what most rules say. What it cannot judge (a share of what several listings
divide, days of demand, doubt, incoming, suppliers' stock) is named too, so that nothing is missed; whoever asks works out what
is named in full. A test holds this against the formula itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL
from django.utils import timezone

from channels_sync.adapters.registry import ADAPTERS
from channels_sync.allocation import Terms
from channels_sync.allocation.terms import AVAILABLE, BUILDABLE, BUILT, FIXED
from channels_sync.models import Channel, ChannelMode, Freeze, Listing
from channels_sync.reads.grounds import sources_of
from channels_sync.reads.listing_facts import QUANTITY_MAX
from channels_sync.reads.pools import EVERY_SITE, FREE, Pool, pool_arguments
from channels_sync.reads.rulebook import every_rule_in_force
from inventory.arrays import flags, numbers, texts
from inventory.models import Item

WORK_MEMORY = "64MB"
"""For joins of hundreds of thousands of listings without going to disk."""
_SETTINGS = {"work_mem": WORK_MEMORY, "jit": "off", "parallel_setup_cost": "0", "parallel_tuple_cost": "0"}
"""Until the transaction ends. Listings are read by several processes, where the server has any to spare."""
_SIMPLE = (AVAILABLE, BUILT, BUILDABLE, FIXED)


@dataclass(frozen=True, slots=True)
class _Place:
    """A listing as far as rules are concerned."""

    listing_id: int
    channel_id: int
    item_id: int
    category_id: int | None


@dataclass(frozen=True, slots=True)
class _Class:
    """Listings with the same terms on the same channel."""

    channel_id: int
    category_id: int
    terms: Terms


@dataclass(frozen=True, slots=True)
class Screened:
    """How many published listings were looked at, and the ids of those that must be worked out, in order."""

    looked_at: int
    suspects: list[int]


_CLASSES = """(
  SELECT number, channel_id, category_id, is_plain, pool, is_over, stays, buildable, percent, buffer, buffer_percent, minimum,
         maximum, percent * 0.01 AS part, buildable * 0.01 AS built_part, least(most, lid) AS lid,
         least(trunc(maximum), most, lid) AS cap, buildable = 100 AS counts_all, percent = 100 AS is_whole,
         buffer > 0 AS has_buffer, buffer_percent > 0 AS is_in_percent, minimum > 0 AS has_minimum,
         basis = 'fixed' AS is_fixed, basis = 'buildable' AS is_buildable, fixed,
         {is_noted} AND pool = 0 AND basis <> 'fixed' AND (basis <> 'buildable' OR buildable = 100) AND buffer_percent = 0
           AND buffer = trunc(buffer) AND buffer < 1000000000 AND minimum = trunc(minimum) AND minimum < 1000000000
           AND percent * 1000 = trunc(percent * 1000) AS is_small,
         least(buffer, 1000000000)::bigint AS whole_buffer, least(minimum, 1000000000)::bigint AS whole_minimum,
         trunc(percent * 1000)::bigint AS thousandths, least(trunc(maximum), most, lid)::bigint AS whole_cap
  FROM unnest(
    %(k_number)s::int[], %(k_channel)s::bigint[], %(k_category)s::bigint[], %(k_is_plain)s::boolean[], %(k_basis)s::text[],
    %(k_pool)s::int[], %(k_fixed)s::numeric[], %(k_buildable)s::numeric[], %(k_percent)s::numeric[], %(k_buffer)s::numeric[],
    %(k_buffer_percent)s::numeric[], %(k_minimum)s::numeric[], %(k_maximum)s::numeric[], %(k_is_over)s::boolean[],
    %(k_most)s::numeric[], %(k_lid)s::numeric[], %(k_stays)s::boolean[]
  ) AS k(number, channel_id, category_id, is_plain, basis, pool, fixed, buildable, percent, buffer, buffer_percent, minimum,
         maximum, is_over, most, lid, stays) OFFSET 0
) k"""
"""Rules as a table, each worked out once. It is no common table expression, for the planner would let no part of a statement that
reads one be shared out: listings are joined with their outbox rows by as many processes as the server gives a query."""
_SUSPECTS = """
{free}
SELECT count(*), array_agg(l.id) FILTER (WHERE {is_suspect})
FROM channels_sync_listing l
JOIN (
  SELECT u.*, u.is_one AND u.free = trunc(u.free) AND u.whole = trunc(u.whole) AND u.whole < 1000000000 AS is_small,
         least(u.free, 1000000000)::bigint AS free_units, least(u.whole, 1000000000)::bigint AS whole_units
  FROM (
    SELECT i.id, i.category_id, i.step, i.step = 1 AS is_one, i.is_active AND i.is_sellable AS is_offered,
           coalesce(n.free, 0) AS free, coalesce(n.makeable, 0) AS makeable,
           coalesce(n.free, 0) + coalesce(n.makeable, 0) AS whole, n.makeable IS NULL AS is_unknown
    FROM inventory_item i LEFT JOIN channels_sync_buildfigure n ON n.item_id = i.id OFFSET 0
  ) u OFFSET 0
) i ON i.id = l.item_id
{joined}
{of_pools}
LEFT JOIN channels_sync_listingpush p ON p.listing_id = l.id AND {of_pushes}
CROSS JOIN LATERAL (
  SELECT CASE WHEN k.is_fixed THEN k.fixed WHEN NOT k.is_buildable THEN {available} WHEN k.counts_all THEN {whole}
    ELSE {available} + trunc(i.makeable * k.built_part, 6) END AS quantity
) g
CROSS JOIN LATERAL (
  SELECT CASE WHEN i.is_one THEN trunc(g.quantity) ELSE div(g.quantity, i.step) * i.step END AS allotted
) a
CROSS JOIN LATERAL (
  SELECT CASE WHEN k.is_fixed THEN a.allotted
    WHEN k.is_in_percent THEN greatest(a.allotted - greatest(k.buffer,
      (div(a.allotted * k.buffer_percent, 100 * i.step) + (mod(a.allotted * k.buffer_percent, 100 * i.step) > 0)::int) * i.step
    ), 0)
    WHEN k.has_buffer THEN greatest(a.allotted - k.buffer, 0) ELSE a.allotted END AS left_over
) b
CROSS JOIN LATERAL (
  SELECT CASE WHEN i.is_one THEN
      CASE WHEN k.is_whole OR k.is_fixed THEN trunc(b.left_over) ELSE trunc(b.left_over * k.part) END
    WHEN k.is_fixed THEN div(b.left_over, i.step) * i.step
    ELSE div(b.left_over * k.percent, 100 * i.step) * i.step END AS share
) c
CROSS JOIN LATERAL (
  SELECT greatest(CASE WHEN k.is_buildable THEN i.whole_units ELSE i.free_units END - k.whole_buffer, 0) * k.thousandths / 100000
    AS share
) s
WHERE {of_listings} AND l.is_active
"""
"""Most figures are whole and small: those are worked out in whole numbers, which is several times quicker (`s`)."""
_IS_SUSPECT = """
  NOT k.is_plain OR p.version IS NULL OR p.version = 0 OR p.is_held OR k.is_buildable AND i.is_unknown
       OR CASE WHEN i.is_small AND k.is_small AND l.pack_size = 1 THEN p.wanted IS DISTINCT FROM CASE
                 WHEN k.is_over OR NOT i.is_offered OR s.share < k.whole_minimum THEN 0
                 ELSE least(s.share, k.whole_cap{stays}) END
          ELSE p.wanted IS DISTINCT FROM CASE
            WHEN k.is_over OR NOT i.is_offered OR k.has_minimum AND c.share < k.minimum THEN 0
            WHEN i.is_one AND l.pack_size = 1 THEN least(c.share, k.cap{stays})
            ELSE least(div(least(c.share, k.maximum), l.pack_size), k.lid{stays}) END
          END
"""
_STAYS = ", CASE WHEN k.stays THEN coalesce(p.wanted, 0) END"

_JOINED_WIDE = "JOIN {classes} ON k.channel_id = l.channel_id{of_category}"
_JOINED_OWN = """JOIN unnest(%(own)s::bigint[], %(own_class)s::int[]) AS o(listing_id, number) ON o.listing_id = l.id
JOIN {classes} ON k.number = o.number"""
_OF_ITEMS = "item_id IN (SELECT l.item_id FROM channels_sync_listing l WHERE {of_listings})"


class Screen:
    """The rules in force at one moment, ready to be held against any listings.

    `has_notes` says that what is free and what could be made of every item was noted just before (see BuildFigure). Without
    that, what counts what could be built must be looked at in full where no number is noted.
    """

    def __init__(self, *, at: datetime, has_notes: bool = False) -> None:
        self._has_notes = has_notes
        self._at = timezone.localtime(at)
        self._adapters = dict(Channel.objects.exclude(mode=ChannelMode.OFF).order_by("pk").values_list("pk", "adapter"))
        self._sources = sources_of(self._adapters)
        self._rules, items = every_rule_in_force(at=at)
        self._own_items = sorted(items)
        self._frozen = _Frozen.now()
        self._pools: dict[Pool, int] = {EVERY_SITE: 0}
        categories = {0}
        if self._rules.knows_categories:
            used = Item.objects.filter(listings__isnull=False).order_by().values_list("category_id", flat=True)
            categories |= {one or 0 for one in used.distinct()}
        self._classes = [
            _Class(channel_id, category_id, self._rules.terms_of(_Place(0, channel_id, 0, category_id or None)))
            for category_id in sorted(categories)
            for channel_id in self._adapters
        ]
        self._sharing = {one.category_id for one in self._classes if one.terms.takes_a_share}
        for one in self._classes:
            self._pool_of(one)

    def look_through(self, *, low: int, high: int) -> Screened:
        """Hold the rules against all published listings with ids above `low` up to `high`."""
        if not self._adapters:
            return Screened(0, [])
        bounds = {"low": low, "high": high}
        own = self._with_rules_of_their_own(low, high)
        of_listings = "l.id > %(low)s AND l.id <= %(high)s"
        found = set(self._frozen.listings_between(low, high))
        looked_at = 0
        of_category = " AND k.category_id = coalesce(i.category_id, 0)" if self._rules.knows_categories else ""
        wide = self._ask(
            self._classes,
            _JOINED_WIDE.replace("{of_category}", of_category),
            f"{of_listings} AND NOT l.id = ANY(%(own)s::bigint[])" if own else of_listings,
            {**bounds, "own": numbers(place.listing_id for place in own)},
        )
        looked_at += wide.looked_at
        found.update(wide.suspects)
        if own:
            classes: dict[tuple[int, int, int], tuple[int, _Class]] = {}
            places = []
            for place in own:
                terms = self._rules.terms_of(place)
                category = (place.category_id or 0) if self._rules.knows_categories else 0
                key = (place.channel_id, category, id(terms))
                number, _ = classes.setdefault(key, (len(classes), _Class(place.channel_id, category, terms)))
                places.append(number)
            sharers = {place.item_id for place in own if self._rules.terms_of(place).takes_a_share}
            narrow = self._ask(
                [one for _, one in classes.values()],
                _JOINED_OWN,
                of_listings,
                {**bounds, "own": numbers(place.listing_id for place in own), "own_class": numbers(places)},
            )
            looked_at += narrow.looked_at
            found.update(narrow.suspects)
            found.update(_published_of(sharers))
        return Screened(looked_at, sorted(found))

    def _with_rules_of_their_own(self, low: int, high: int) -> list[_Place]:
        """All published listings of items of which any has a rule narrower than a category."""
        if not self._own_items:
            return []
        own = RawSQL("item_id = ANY(%s::bigint[])", [numbers(self._own_items)], output_field=BooleanField())
        rows = Listing.objects.published().filter(own, pk__gt=low, pk__lte=high).order_by("pk")
        return [_Place(*row) for row in rows.values_list("pk", "channel_id", "item_id", "item__category_id")]

    def _pool_of(self, one: _Class) -> int:
        pool = Pool(frozenset(self._sources.get(one.channel_id, ())), int(one.terms.shelf_life_days.value))
        return self._pools.setdefault(pool, len(self._pools))

    def _is_plain(self, one: _Class) -> bool:
        terms = one.terms
        return not (
            terms.basis.value not in _SIMPLE
            or one.category_id in self._sharing
            or terms.takes_a_share
            or terms.divides_building
            or terms.needs_demand
            or terms.doubt_percent.value
            or terms.counts_suppliers
            or one.channel_id in self._frozen.differs
        )

    def _is_over(self, one: _Class) -> bool:
        until = one.terms.trial_until.value
        return until is not None and self._at.date() > until

    def _ask(self, classes: Sequence[_Class], joined: str, of_listings: str, more: Mapping[str, object]) -> Screened:
        terms = [one.terms for one in classes]
        pools = [self._pool_of(one) for one in classes]
        if not self._has_notes or any(pools):
            of_items = _OF_ITEMS.format(of_listings=of_listings)
            free = f"WITH {FREE.format(of_balances=f'b.{of_items}', of_reservations=f'r.{of_items}')}"
            of_pools = "LEFT JOIN free f ON f.item_id = l.item_id AND f.pool = k.pool"
            available = "coalesce(f.free, 0)"
            if self._has_notes:
                available = f"CASE WHEN k.pool = 0 THEN i.free ELSE {available} END"
            whole = f"{available} + i.makeable"
        else:
            free, of_pools, available, whole = "", "", "i.free", "i.whole"
        statement = _SUSPECTS.format(
            is_suspect=_IS_SUSPECT.format(stays=_STAYS if self._frozen.stays else ""),
            free=free,
            joined=joined.format(classes=_CLASSES.format(is_noted="true" if self._has_notes else "false")),
            of_pools=of_pools,
            available=available,
            whole=whole,
            of_listings=of_listings,
            of_pushes="p.listing_id > %(low)s AND p.listing_id <= %(high)s",
        )
        arguments = {
            **pool_arguments(list(self._pools), at=self._at),
            "k_number": numbers(range(len(classes))),
            "k_channel": numbers(one.channel_id for one in classes),
            "k_category": numbers(one.category_id for one in classes),
            "k_is_plain": flags(self._is_plain(one) for one in classes),
            "k_basis": texts(one.basis.value for one in terms),
            "k_pool": numbers(pools),
            "k_fixed": numbers(one.fixed_quantity.value for one in terms),
            "k_buildable": numbers(one.buildable_percent.value for one in terms),
            "k_percent": numbers(one.percent.value for one in terms),
            "k_buffer": numbers(one.buffer.value for one in terms),
            "k_buffer_percent": numbers(one.buffer_percent.value for one in terms),
            "k_minimum": numbers(one.minimum.value for one in terms),
            "k_maximum": numbers(one.maximum.value for one in terms),
            "k_is_over": flags(self._is_over(one) for one in classes),
            "k_most": numbers(_quantity_max(self._adapters[one.channel_id]) for one in classes),
            "k_lid": numbers(self._frozen.lids.get(one.channel_id) for one in classes),
            "k_stays": flags(one.channel_id in self._frozen.stays for one in classes),
            **more,
        }
        with transaction.atomic(), connection.cursor() as cursor:
            for name, value in _SETTINGS.items():
                cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
            cursor.execute(statement, arguments)
            looked_at, suspects = cursor.fetchone()
            return Screened(looked_at, suspects or [])


@dataclass(frozen=True, slots=True)
class _Frozen:
    """Freezes in force. Those of whole channels belong to the classes; listings and items are always looked at."""

    lids: Mapping[int, int]
    differs: frozenset[int]
    """Channels each of whose listings has a lid of its own."""
    stays: frozenset[int]
    items: Sequence[int]
    listings: Sequence[int]

    @classmethod
    def now(cls) -> _Frozen:
        lids: dict[int, int] = {}
        stays: set[int] = set()
        differs: set[int] = set()
        items: list[int] = []
        listings: list[int] = []
        for one in Freeze.objects.in_force():
            if one.listing_id is not None:
                listings.append(one.listing_id)
            elif one.item_id is not None:
                items.append(one.item_id)
            elif one.channel_id is not None and one.as_of is not None:
                differs.add(one.channel_id)
            elif one.channel_id is not None and one.quantity is None:
                stays.add(one.channel_id)
            elif one.channel_id is not None and one.quantity is not None:
                lids[one.channel_id] = min(one.quantity, lids.get(one.channel_id, one.quantity))
        return cls(lids, frozenset(differs), frozenset(stays), items, listings)

    def listings_between(self, low: int, high: int) -> list[int]:
        if not self.items and not self.listings:
            return []
        found = Listing.objects.published().filter(pk__gt=low, pk__lte=high)
        return list(found.filter(Q(item__in=self.items) | Q(pk__in=self.listings)).values_list("pk", flat=True))


def _published_of(items: Collection[int]) -> list[int]:
    if not items:
        return []
    return list(Listing.objects.published().filter(item__in=items).values_list("pk", flat=True))


def _quantity_max(adapter: str) -> int:
    entry = ADAPTERS.get(adapter)
    return entry.limits.quantity_max if entry else QUANTITY_MAX
