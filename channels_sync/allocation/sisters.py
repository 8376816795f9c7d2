"""All published listings of one item together: what sharing leaves to each, and what each of them shows. Pure.

Publishing and the simulator both ask here, so that there is one formula.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from channels_sync.allocation.derivation import exposed, published_quantity
from channels_sync.allocation.facts import Allotment, Offer, Snapshot
from channels_sync.allocation.formula import supply_of
from channels_sync.allocation.sharing import Claim, share_out
from channels_sync.allocation.terms import DEMAND, FIXED, Terms
from inventory.quantities import ZERO


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
    claims = []
    for one in sisters:
        own = one.terms
        weight = (
            by_demand.get(one.channel_id, Fraction(1)) if own.sharing.value == DEMAND else Fraction(own.weight.value)
        )
        draws = _draws(one, now=now)
        claims.append(
            Claim(
                listing_id=one.listing_id,
                draws=draws,
                sharing=own.sharing.value,
                weight=weight / listings_of[one.channel_id],
                fence=own.ring_fence.value,
                priority=own.priority.value,
                trial_limit=own.trial_limit.value,
                divided_percent=own.divided_percent.value,
                is_served_by_priority=is_scarce(own, one.snapshot, sum(draws.values(), ZERO)),
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


def _draws(one: Sister, *, now: datetime) -> dict[str, Decimal]:
    """What a listing may draw of each pool: its sites, and the layers its policy counts."""
    layers = supply_of(one.snapshot, one.terms, now)
    draws = {"incoming": layers.incoming, "buildable": layers.buildable, "suppliers": layers.suppliers}
    draws = {f"~{name}": quantity for name, quantity in draws.items() if quantity}
    for source in one.snapshot.sources:
        pool = one.pools.get(source.location_id, "0")
        draws[pool] = draws.get(pool, ZERO) + max(ZERO, source.available)
    return draws


def is_scarce(terms: Terms, snapshot: Snapshot, total: Decimal) -> bool:
    """Whether a listing with these terms makes the item go by priority when it may draw on `total`."""
    if total < terms.scarce_below.value:
        return True
    if not terms.scarce_days.value or snapshot.demand is None:
        return False
    return Fraction(total) < snapshot.demand.daily_everywhere * Fraction(terms.scarce_days.value)
