"""What listings should show now and why, from the data as it stands: read only, a fixed number of statements a batch.

Who plans, checks or previews a publication asks here: `figures` gives for any listings the figure the channel should show
at present, the new one with its derivation, and takes proposed rules or supposed stock into account.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from channels_sync.allocation import (
    Allotment,
    Derivation,
    Incoming,
    Makeable,
    Snapshot,
    SourceStock,
    Terms,
    published_quantity,
)
from channels_sync.allocation.sisters import Sister, allotments_of
from channels_sync.reads.division import Part, parts_of_building
from channels_sync.reads.grounds import Grounds, grounds_of
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
from channels_sync.reads.listing_facts import Facts, read_facts
from channels_sync.reads.rulebook import Proposal
from inventory.quantities import ZERO
from inventory.reads.availability import (
    ItemAvailability,
    SourceAvailability,
    availability_from,
    availability_statement,
)
from inventory.records import record
from inventory.trips import rows_of, under_way
from production.reads.structures import items_in, structures_from, structures_statement

_NO_SOURCES: frozenset[int] = frozenset()


@record(frozen=True, slots=True)
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


def figures(
    facts: Sequence[Facts],
    *,
    now: datetime | None = None,
    supposing: Mapping[int, Decimal] | None = None,
    proposals: Collection[Proposal] = (),
) -> Iterator[FigureChange]:
    """Each listing that was asked for with its figure; `facts` are those of `read_facts`.

    `supposing` (item id to stock units) supposes that much more were on hand; `proposals` suppose other rules. The number
    of statements depends on what the rules count, never on the number of listings.
    """
    if facts:
        grounds = grounds_of(facts, at=now, proposals=proposals)
        yield from figures_on(grounds, supposing=supposing, proposals=proposals)


def figures_on(
    grounds: Grounds, *, supposing: Mapping[int, Decimal] | None = None, proposals: Collection[Proposal] = ()
) -> Iterator[FigureChange]:
    """The same on grounds that were read already; the rules of `grounds` contain the proposals."""
    facts, now = grounds.facts, grounds.at
    terms = {one.listing_id: grounds.rules.terms_of(one) for one in facts}
    sharing = _items_where(lambda of: of.takes_a_share, _by_terms(facts, terms))
    involved = [one for one in facts if one.is_asked or one.item_id in sharing]
    divides = any(of.divides_building for of, _ in _by_terms(involved, terms))
    parts = parts_of_building(at=now, proposals=proposals) if divides else {}
    supply = _Supply(involved, terms, parts, grounds, supposing=supposing)
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
        grounds: Grounds,
        *,
        supposing: Mapping[int, Decimal] | None,
    ) -> None:
        self._terms = terms
        self._parts = parts
        self._supposing = supposing
        self._sources = grounds.sources
        now = grounds.at
        self._snapshots: dict[tuple[frozenset[int], int, int], tuple[Snapshot, tuple[SourceAvailability, ...]]] = {}
        self._with_building: dict[tuple[frozenset[int], int, int, bool], Snapshot] = {}
        by_terms = _by_terms(facts, terms)
        self._is_shared = {id(of): _is_shared(of) for of, _ in by_terms}
        made = _items_where(lambda of: of.counts_buildable, by_terms)
        structures = grounds.structures
        if structures is None:
            structures = rows_of(*structures_statement(items=made, on=now.date(), whole=False)) if made else []
        by_life: dict[int, set[int]] = {}
        for of, items in by_terms:
            by_life.setdefault(_life(of), set()).update(items)
        if made:
            by_life.setdefault(0, set()).update(made, items_in(structures))
        places = {place for one in {one.channel_id for one in facts} for place in grounds.sources.get(one, ())}
        with under_way(
            *(
                availability_statement(items=items, sources=places, at=now, good_for_days=life)
                for life, items in by_life.items()
            )
        ) as answers:
            self._structures = structures_from(structures, on=now.date()) if made else None
        self._stock = {life: availability_from(answer.rows) for life, answer in zip(by_life, answers, strict=True)}
        self._made: dict[int, Makeable] = {}
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
