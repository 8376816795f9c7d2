"""All published listings of one item together: what sharing leaves to each, and what each of them shows. Pure.

Publishing and the simulator both ask here, so that there is one formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from channels_sync.allocation.derivation import exposed, published_quantity
from channels_sync.allocation.facts import Allotment, Offer, Snapshot, SourceStock
from channels_sync.allocation.formula import counted_incoming, supply_of
from channels_sync.allocation.sharing import Claim, share_out
from channels_sync.allocation.terms import DEMAND, FIXED, Terms
from inventory.quantities import ZERO, round_down


@dataclass(frozen=True, slots=True)
class Sister:
    """A published listing of an item. `pools` says which site each of its sources (by location id) lies in."""

    listing_id: int
    channel_id: int
    offer: Offer
    terms: Terms
    snapshot: Snapshot
    pools: Mapping[int, str]


def allotments_of(sisters: Sequence[Sister], *, now: datetime) -> dict[int, Allotment]:
    """The allotments by listing id; a listing that sees the whole of what it draws on is left out. At least one sister."""
    by_id = {one.listing_id: one for one in sisters}
    listings_of: dict[int, int] = {}
    for one in sisters:
        listings_of[one.channel_id] = listings_of.get(one.channel_id, 0) + 1
    by_demand = _demand_weights(sisters)
    draws = draws_of(sisters, now=now)
    claims = []
    for one in sisters:
        own = one.terms
        weight = (
            by_demand.get(one.channel_id, Fraction(1)) if own.sharing.value == DEMAND else Fraction(own.weight.value)
        )
        claims.append(
            Claim(
                listing_id=one.listing_id,
                draws=draws[one.listing_id],
                sharing=own.sharing.value,
                weight=weight / listings_of[one.channel_id],
                fence=own.ring_fence.value,
                priority=own.priority.value,
                trial_limit=own.trial_limit.value,
                divided_percent=own.divided_percent.value,
                scarce_below=scarce_below(own, one.snapshot),
                is_fixed=own.basis.value == FIXED,
            )
        )

    def shown(listing_id: int, allotment: Allotment) -> Decimal:
        one = by_id[listing_id]
        return exposed(snapshot=one.snapshot, terms=one.terms, offer=one.offer, now=now, allotment=allotment)

    return share_out(claims, step=sisters[0].offer.step, exposed=shown)


def quantities_of(sisters: Sequence[Sister], *, now: datetime) -> list[int]:
    """What each listing of the item shows, in sold units, in the order given."""
    allotments = allotments_of(sisters, now=now) if any(one.terms.takes_a_share for one in sisters) else {}
    found = []
    for one in sisters:
        allotment = allotments.get(one.listing_id)
        snapshot = one.snapshot if allotment is None else replace(one.snapshot, allotment=allotment)
        quantity, _ = published_quantity(snapshot=snapshot, terms=one.terms, offer=one.offer, now=now)
        found.append(quantity)
    return found


def _demand_weights(sisters: Sequence[Sister]) -> dict[int, Fraction]:
    """Channel id -> its weight by demand; 1 on average, so that it can stand beside weights that people chose.

    Without any demand on record all weigh the same.
    """
    sold: dict[int, Decimal] = {}
    for one in sisters:
        if one.terms.sharing.value == DEMAND and one.snapshot.demand is not None:
            sold[one.channel_id] = one.snapshot.demand.here
    total = sum(sold.values(), ZERO)
    if not total:
        return {}
    return {channel: Fraction(here) * len(sold) / Fraction(total) for channel, here in sold.items()}


def scarce_below(terms: Terms, snapshot: Snapshot) -> Fraction:
    """The quantity below which the listing's rule calls the item scarce; 0 where it never does."""
    units = Fraction(terms.scarce_below.value)
    if not terms.scarce_days.value or snapshot.demand is None:
        return units
    return max(units, snapshot.demand.daily_everywhere * Fraction(terms.scarce_days.value))


# --- pools ---


@dataclass(frozen=True, slots=True)
class _Draw:
    """What a listing may take of one pool. `how` says which part of it the listing counts: who counts it alike sees the same."""

    quantity: Decimal
    how: object


def draws_of(sisters: Sequence[Sister], *, now: datetime) -> dict[int, dict[str, Decimal]]:
    """By listing, what it may draw of each pool, in whole steps. Pools that the same listings count, and count alike, are one.

    So a division is rounded once and not at every site, and what only some count is divided among them alone.
    """
    by_listing = {one.listing_id: _draws(one, now=now) for one in sisters}
    drawing: dict[str, dict[int, object]] = {}
    for one in sisters:
        if one.terms.basis.value != FIXED:
            for name, draw in by_listing[one.listing_id].items():
                drawing.setdefault(name, {})[one.listing_id] = draw.how
    merged: dict[frozenset[int], str] = {}
    names: dict[str, str] = {}
    for name in sorted(drawing):
        hows = drawing[name]
        if len(set(hows.values())) == 1:
            names[name] = merged.setdefault(frozenset(hows), name)
    found: dict[int, dict[str, Decimal]] = {}
    for listing_id, draws in by_listing.items():
        own = found.setdefault(listing_id, {})
        for name, draw in draws.items():
            pool = names.get(name, name)
            own[pool] = own.get(pool, ZERO) + draw.quantity
    step = sisters[0].offer.step
    return {
        listing_id: {pool: round_down(Fraction(quantity), step) for pool, quantity in own.items()}
        for listing_id, own in found.items()
    }


def _draws(one: Sister, *, now: datetime) -> dict[str, _Draw]:
    """Its sites, what is on its way and counts, and the other layers its policy counts, whether or not they hold anything."""
    terms, snapshot = one.terms, one.snapshot
    found: dict[str, _Draw] = {}
    at_sites: dict[str, list[SourceStock]] = {}
    for source in snapshot.sources:
        at_sites.setdefault(one.pools.get(source.location_id, "0"), []).append(source)
    for site, sources in at_sites.items():
        good = _sum(max(ZERO, source.available) for source in sources)
        found[site] = _Draw(good, (terms.shelf_life_days.value, frozenset(source.location_id for source in sources)))
    on_its_way: dict[str, list[Decimal]] = {}
    for order in counted_incoming(snapshot, terms, now):
        name = f"~incoming {order.kind} {order.order_id} {order.expected_on}"
        on_its_way.setdefault(name, []).append(order.quantity)
    for name, quantities in on_its_way.items():
        found[name] = _Draw(_sum(quantities), tuple(quantities))
    layers = supply_of(snapshot, terms, now)
    if terms.counts_buildable and terms.buildable_percent.value and snapshot.makeable is not None:
        degree = None if snapshot.makeable.alone is None else terms.divided_percent.value
        found["~buildable"] = _Draw(layers.buildable, (terms.buildable_percent.value, degree))
    if terms.counts_suppliers and terms.supplier_maximum.value != 0:
        how = (terms.supplier_percent.value, terms.supplier_maximum.value, terms.supplier_hours.value)
        found["~suppliers"] = _Draw(layers.suppliers, how)
    return found


def _sum(quantities: Iterable[Decimal]) -> Decimal:
    return sum(quantities, ZERO)
