"""What listings should show now and why, from the data as it stands: read only, a fixed number of statements a batch.

Who plans, checks or previews a publication asks here: `figures` gives for any listings the figure the channel should show
at present, the new one with its derivation, and takes proposed rules or supposed stock into account.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from channels_sync.adapters.registry import ADAPTERS
from channels_sync.allocation import (
    Allotment,
    Derivation,
    Incoming,
    Makeable,
    Offer,
    Snapshot,
    SourceStock,
    Terms,
    published_quantity,
)
from channels_sync.allocation.sisters import Sister, allotments_of
from channels_sync.models import ChannelMode
from channels_sync.reads.division import Part, parts_of_building
from channels_sync.reads.layers import (
    Arrival,
    DemandBook,
    TrustBook,
    arrivals_of,
    demand_of,
    makeable_of,
    supplier_figures_of,
    trust_of,
)
from channels_sync.reads.rulebook import Proposal, rules_in_force
from inventory.arrays import numbers
from inventory.quantities import ZERO
from inventory.reads.availability import ItemAvailability, SourceAvailability, availability
from inventory.trips import Rows, Statement, rows_of
from production.reads.structures import Structures, load_structures

_NO_SOURCES: frozenset[int] = frozenset()
QUANTITY_MAX = 1_000_000_000
"""For a channel whose adapter is not known."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A published listing as it stands. `wanted` is the figure its channel should show at present; None: none yet."""

    listing_id: int
    channel_id: int
    mode: str
    item_id: int
    category_id: int | None
    wanted: int | None
    is_asked: bool  # else only a sister of one that is, or one that is told nothing
    is_stopped: bool  # its lid is somebody's freeze, not a run taken back or refused
    offer: Offer


@dataclass(frozen=True, slots=True)
class FigureChange:
    """One listing: the figure it was last given, the one it should have, and why."""

    facts: Facts
    quantity: int
    derivation: Derivation

    @property
    def before(self) -> int | None:
        return self.facts.wanted

    @property
    def is_change(self) -> bool:
        return self.facts.wanted != self.quantity


_FACTS = """
SELECT l.id, l.channel_id, c.mode, l.item_id, i.category_id, p.wanted,
       l.id = ANY(%(ids)s::bigint[]) AND {is_told}, {is_stopped},
       c.adapter, l.external_sku, l.pack_size, i.stock_unit, i.step, i.is_active, i.is_sellable, i.sku, {frozen}
FROM channels_sync_listing l
JOIN channels_sync_channel c ON c.id = l.channel_id JOIN inventory_item i ON i.id = l.item_id
LEFT JOIN channels_sync_listingpush p ON p.listing_id = l.id {freezes}
WHERE l.item_id = ANY(ARRAY(SELECT a.item_id FROM channels_sync_listing a WHERE a.id = ANY(%(ids)s::bigint[])))
  AND l.is_active AND c.mode <> %(off)s
ORDER BY l.id
"""
_FREEZES = """
LEFT JOIN LATERAL (
  SELECT v.lid, z.reason, z.run_id IS NULL AS is_stopped FROM channels_sync_freeze z
  CROSS JOIN LATERAL (SELECT coalesce(z.quantity, CASE WHEN z.as_of IS NOT NULL THEN (
    SELECT s.after FROM channels_sync_publicationline s WHERE s.listing_id = l.id AND s.recorded_at <= z.as_of
    ORDER BY s.version DESC LIMIT 1
  ) END, p.wanted, 0) AS lid) v
  WHERE z.ended_at IS NULL AND NOT z.is_exact
    AND (z.listing_id = l.id OR z.item_id = l.item_id OR z.channel_id = l.channel_id)
  ORDER BY v.lid, z.run_id IS NULL DESC, z.id LIMIT 1
) f ON true
LEFT JOIN LATERAL (
  SELECT z.id, z.quantity, z.reason FROM channels_sync_freeze z
  WHERE z.ended_at IS NULL AND z.is_exact AND z.listing_id = l.id ORDER BY z.quantity, z.id LIMIT 1
) k ON true
"""
_FACTS_WITH_FREEZES = _FACTS.format(
    is_told="(k.id IS NULL OR k.quantity IS NOT NULL)",
    is_stopped="coalesce(f.is_stopped, false)",
    frozen="f.lid, f.reason, k.quantity, k.reason",
    freezes=_FREEZES,
)
_FACTS_UNFROZEN = _FACTS.format(
    is_told="true", is_stopped="false", frozen="NULL::int, NULL::text, NULL::int, NULL::text", freezes=""
)
ANY_FREEZE: Statement = ("SELECT EXISTS (SELECT FROM channels_sync_freeze WHERE ended_at IS NULL)", [])
"""Whether anything is frozen. Most of the time nothing is, and then nobody has to look for it listing by listing."""


def read_facts(listing_ids: Iterable[int]) -> list[Facts]:
    """The published ones of these listings and their sisters: other published listings of the same items. Two statements."""
    ((any_frozen,),) = rows_of(*ANY_FREEZE)
    return facts_from(rows_of(*facts_statement(listing_ids, any_frozen=any_frozen)))


def facts_statement(listing_ids: Iterable[int], *, any_frozen: bool) -> Statement:
    """What `read_facts` asks, for who has something else to do meanwhile; `facts_from` reads the answer."""
    statement = _FACTS_WITH_FREEZES if any_frozen else _FACTS_UNFROZEN
    return statement, {"ids": numbers(listing_ids), "off": ChannelMode.OFF.value}


def facts_from(rows: Rows) -> list[Facts]:
    return [
        Facts(
            listing_id, channel_id, mode, item_id, category_id, wanted, is_asked, is_stopped, _offer(listing_id, *rest)
        )
        for listing_id, channel_id, mode, item_id, category_id, wanted, is_asked, is_stopped, *rest in rows
    ]


def _offer(
    listing_id: int,
    adapter: str,
    external_sku: str,
    pack_size: Decimal,
    unit: str,
    step: Decimal,
    is_active: bool,
    is_sellable: bool,
    item_sku: str,
    lid: int | None,
    frozen: str | None,
    kept: int | None,
    kept_for: str | None,
) -> Offer:
    withdrawn = "" if is_active and is_sellable else f"{item_sku} is {'not sellable' if is_active else 'inactive'}"
    entry = ADAPTERS.get(adapter)
    return Offer(
        listing_id=listing_id,
        sku=external_sku,
        unit=unit,
        step=step,
        pack_size=pack_size,
        quantity_max=entry.limits.quantity_max if entry else QUANTITY_MAX,
        withdrawn=withdrawn,
        lid=lid,
        frozen=frozen or "",
        kept=kept,
        kept_for=kept_for if kept is not None and kept_for else "",
    )


def figures(
    facts: Sequence[Facts],
    *,
    now: datetime | None = None,
    supposing: Mapping[int, Decimal] | None = None,
    proposals: Collection[Proposal] = (),
    sources: Mapping[int, frozenset[int]] | None = None,
) -> Iterator[FigureChange]:
    """Each listing that was asked for with its figure; `facts` are those of `read_facts`, `sources` those of their channels.

    `supposing` (item id to stock units) supposes that much more were on hand; `proposals` suppose other rules. The number
    of statements depends on what the rules count, never on the number of listings.
    """
    if not facts:
        return
    now = timezone.localtime(now)  # days of the formula are days here
    rules = rules_in_force(at=now, listings=facts, proposals=proposals)
    terms = {one.listing_id: rules.terms_of(one) for one in facts}
    sharing = _items_where(lambda of: of.takes_a_share, _by_terms(facts, terms))
    involved = [one for one in facts if one.is_asked or one.item_id in sharing]
    divides = any(of.divides_building for of, _ in _by_terms(involved, terms))
    parts = parts_of_building(at=now, proposals=proposals) if divides else {}
    if sources is None:
        sources = sources_of({one.channel_id for one in involved})
    supply = _Supply(involved, terms, parts, sources, now=now, supposing=supposing)
    by_item: dict[int, list[Facts]] = {}
    for one in involved:
        if one.item_id in sharing:
            by_item.setdefault(one.item_id, []).append(one)
    allotments: dict[int, Allotment] = {}
    for sisters in by_item.values():
        allotments |= _shared(sisters, terms, supply, now=now)
    for one in involved:
        if not one.is_asked:
            continue
        snapshot = supply.snapshot(one)
        allotment = allotments.get(one.listing_id)
        if allotment is not None:
            snapshot = replace(snapshot, allotment=allotment)
        quantity, derivation = published_quantity(
            snapshot=snapshot, terms=terms[one.listing_id], offer=one.offer, now=now
        )
        yield FigureChange(one, quantity, derivation)


def figures_of(
    *, listing_ids: Iterable[int], now: datetime | None = None, proposals: Collection[Proposal] = ()
) -> list[FigureChange]:
    """For the published ones of these listings: the present figure, the one the rules give now, and its derivation."""
    return list(figures(read_facts(listing_ids), now=now, proposals=proposals))


def _by_terms(facts: Iterable[Facts], terms: Mapping[int, Terms]) -> list[tuple[Terms, set[int]]]:
    """All terms that are in force for any of these listings, with the items (ids) of those listings."""
    found: dict[int, tuple[Terms, set[int]]] = {}
    for one in facts:
        of = terms[one.listing_id]
        known = found.get(id(of))
        if known is None:
            known = found[id(of)] = (of, set())
        known[1].add(one.item_id)
    return list(found.values())


def _items_where(holds: Callable[[Terms], object], by_terms: Iterable[tuple[Terms, set[int]]]) -> set[int]:
    return set().union(*(items for of, items in by_terms if holds(of)))


# --- supply ---


class _Supply:
    """All supply of the items of some listings, read at once; snapshots as each channel sees them."""

    def __init__(
        self,
        facts: Sequence[Facts],
        terms: Mapping[int, Terms],
        parts: Mapping[int, Part],
        sources: Mapping[int, frozenset[int]],
        *,
        now: datetime,
        supposing: Mapping[int, Decimal] | None,
    ) -> None:
        self._terms = terms
        self._parts = parts
        self._supposing = supposing
        self._sources = sources
        self._snapshots: dict[tuple[frozenset[int], int, int], tuple[Snapshot, tuple[SourceAvailability, ...]]] = {}
        self._with_building: dict[tuple[frozenset[int], int, int, bool], Snapshot] = {}
        places = {place for one in {one.channel_id for one in facts} for place in sources.get(one, ())}
        by_terms = _by_terms(facts, terms)
        self._is_shared = {id(of): _is_shared(of) for of, _ in by_terms}
        made = _items_where(lambda of: of.counts_buildable, by_terms)
        self._structures: Structures | None = load_structures(items=made, whole=False) if made else None
        self._made: dict[int, Makeable] = {}
        self._stock: dict[int, dict[int, ItemAvailability]] = {}
        by_life: dict[int, set[int]] = {}
        for of, items in by_terms:
            by_life.setdefault(_life(of), set()).update(items)
        if self._structures is not None:
            by_life.setdefault(0, set()).update(self._structures.items)
        for life, having in sorted(by_life.items()):
            self._stock[life] = availability(items=having, sources=places, at=now, good_for_days=life)
        self._arrivals: dict[int, list[Arrival]] = {}
        self._suppliers = {}
        if items := _items_where(lambda of: of.counts_incoming, by_terms):
            self._arrivals = arrivals_of(items)
        if items := _items_where(lambda of: of.counts_suppliers, by_terms):
            self._suppliers = supplier_figures_of(items)
        self._demand: DemandBook | None = None
        self._trust: TrustBook | None = None
        if items := _items_where(lambda of: of.needs_demand, by_terms):
            self._demand = demand_of(items, today=timezone.localdate(now))
        if items := _items_where(lambda of: of.doubt_percent.value, by_terms):
            self._trust = trust_of(items, now=now)

    def places(self, one: Facts) -> tuple[SourceAvailability, ...]:
        """The sources of a listing's channel that hold or owe something."""
        return self._base(one)[1]

    def snapshot(self, one: Facts) -> Snapshot:
        terms = self._terms[one.listing_id]
        if not self._is_shared[id(terms)]:
            return self._worked_out(one, terms)
        sources = self._sources.get(one.channel_id, _NO_SOURCES)
        key = (sources, one.item_id, _life(terms), terms.divides_building)
        found = self._with_building.get(key)
        if found is None:
            found = self._with_building[key] = self._worked_out(one, terms)
        return found

    def _worked_out(self, one: Facts, terms: Terms) -> Snapshot:
        snapshot, places = self._base(one)
        if terms.counts_incoming:
            snapshot = replace(snapshot, incoming=self._incoming(one))
        if terms.counts_suppliers:
            snapshot = replace(snapshot, suppliers=self._suppliers.get(one.item_id, ()))
        if terms.counts_buildable:
            made = self._makeable(one.item_id)
            part = self._parts.get(one.item_id) if terms.divides_building else None
            if part is not None:
                quantity = min(made.quantity, part.quantity)
                made = replace(made, quantity=quantity, alone=made.quantity, divided=part.reason)
            snapshot = replace(snapshot, makeable=made)
        if terms.needs_demand:
            assert self._demand is not None
            snapshot = replace(snapshot, demand=self._demand.of(one.item_id, one.channel_id))
        if terms.doubt_percent.value:
            assert self._trust is not None
            snapshot = replace(snapshot, confidence=self._trust.of(one.item_id, [place.path for place in places]))
        return snapshot

    def _base(self, one: Facts) -> tuple[Snapshot, tuple[SourceAvailability, ...]]:
        life = _life(self._terms[one.listing_id])
        sources = self._sources.get(one.channel_id, _NO_SOURCES)
        key = (sources, one.item_id, life)
        found = self._snapshots.get(key)
        if found is None:
            stock = self._stock[life][one.item_id].from_sources(sources)
            snapshot = _snapshot(stock)
            if self._supposing is not None:
                snapshot = _supposing(snapshot, self._supposing.get(one.item_id, ZERO))
            found = self._snapshots[key] = (snapshot, stock.sources)
        return found

    def _makeable(self, item_id: int) -> Makeable:
        made = self._made.get(item_id)
        if made is None:
            assert self._structures is not None
            made = self._made[item_id] = makeable_of(item_id, self._structures, self._stock[0])
        return made

    def _incoming(self, one: Facts) -> tuple[Incoming, ...]:
        """What will arrive at the channel's sources, or anywhere when it has none of its own."""
        sources = self._sources.get(one.channel_id, _NO_SOURCES)
        return tuple(
            arrival.supply
            for arrival in self._arrivals.get(one.item_id, ())
            if not sources or any(f"/{source}/" in arrival.path for source in sources)
        )


def _is_shared(terms: Terms) -> bool:
    """Whether what could be built is counted and nothing that differs from listing to listing: then all channels with the same
    sources see the same."""
    return terms.counts_buildable and not (terms.needs_demand or terms.doubt_percent.value or terms.counts_suppliers)


def _life(terms: Terms) -> int:
    return int(terms.shelf_life_days.value)


ALL_SOURCES: Statement = ("SELECT channel_id, location_id FROM channels_sync_channel_source_locations", [])


def sources_of(channels: Collection[int]) -> dict[int, frozenset[int]]:
    """Channel id -> its source locations; a channel without any is not in it."""
    rows = rows_of(f"{ALL_SOURCES[0]} WHERE channel_id = ANY(%s::bigint[])", [numbers(channels)])
    return sources_from(rows)


def sources_from(rows: Rows) -> dict[int, frozenset[int]]:
    """The same from what ALL_SOURCES answered."""
    sources: dict[int, set[int]] = {}
    for channel_id, location_id in rows:
        sources.setdefault(channel_id, set()).add(location_id)
    return {channel_id: frozenset(places) for channel_id, places in sources.items()}


def _snapshot(stock: ItemAvailability) -> Snapshot:
    return Snapshot(
        item_id=stock.item_id,
        cutoff=stock.cutoff,
        sources=tuple(
            SourceStock(
                location_id=source.location_id,
                code=source.code,
                on_hand=source.on_hand,
                reserved_pinned=source.reserved_pinned,
                reserved_soft=source.reserved_soft,
                expired=source.expired,
                withheld=source.withheld,
            )
            for source in stock.sources
        ),
    )


def _supposing(snapshot: Snapshot, change: Decimal) -> Snapshot:
    """The snapshot with `change` more on hand at the source that has most."""
    if not snapshot.sources:
        return replace(snapshot, sources=(SourceStock(location_id=0, code="", on_hand=max(change, ZERO)),))
    most = max(snapshot.sources, key=lambda source: source.on_hand)
    sources = tuple(
        replace(source, on_hand=max(source.on_hand + change, ZERO)) if source is most else source
        for source in snapshot.sources
    )
    return replace(snapshot, sources=sources)


# --- sharing ---


def _shared(
    sisters: Sequence[Facts], terms: Mapping[int, Terms], supply: _Supply, *, now: datetime
) -> dict[int, Allotment]:
    """The allotments of the published listings of one item."""
    return allotments_of([_sister(one, terms[one.listing_id], supply) for one in sisters], now=now)


def _sister(one: Facts, terms: Terms, supply: _Supply) -> Sister:
    return Sister(
        listing_id=one.listing_id,
        channel_id=one.channel_id,
        offer=one.offer,
        terms=terms,
        snapshot=supply.snapshot(one),
        pools={place.location_id: place.path.split("/")[1] for place in supply.places(one)},
    )
