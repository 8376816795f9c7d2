"""What the listings of an item show for any stock: the formula of publishing itself, each answer worked out once.

Items whose listings stand alike (same rules, packs, limits, trust) share their answers, so that a year of thousands of items
asks the formula some thousand times and not some million times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from channels_sync.allocation import Demand, Incoming, SourceStock, Terms
from channels_sync.allocation.sisters import Sister, quantities_of
from channels_sync.simulation.case import to_quantity

POOL_ID = 0
"""The one place all simulated stock of an item lies at."""
Sold = tuple[tuple[int, ...], int]
"""Recent demand in parts: of each listing's channel, and everywhere."""
NOTHING: tuple[tuple[int, int], ...] = ()


class Exposure:
    """The listings of one item, or of several that stand alike."""

    def __init__(self, sisters: Sequence[Sister], *, now: datetime, demand_days: int) -> None:
        self._sisters = [_bare(one) for one in sisters]
        self._now = now
        self._demand_days = demand_days
        self._known: dict[int, tuple[int, ...]] = {}
        self._known_daily: dict[object, tuple[int, ...]] = {}
        self.needs_demand = any(one.terms.needs_demand for one in sisters)
        self.counts_incoming = any(one.terms.counts_incoming for one in sisters)
        self._is_steady = not self.needs_demand and not self.counts_incoming
        shares = len(sisters) > 1 and any(one.terms.takes_a_share for one in sisters)
        self._apart = [] if shares or len(sisters) == 1 else [self._alone(one) for one in sisters]

    def _alone(self, one: Sister) -> Exposure:
        return Exposure([one], now=self._now, demand_days=self._demand_days)

    def shown(
        self, stock: int, *, incoming: tuple[tuple[int, int], ...] = NOTHING, sold: Sold | None = None
    ) -> tuple[int, ...]:
        """Sold units each listing shows with `stock` parts there.

        `incoming` is what is on its way: days from now and parts. `sold` is heeded where a rule looks at recent demand.
        """
        if self._is_steady:
            found = self._known.get(stock)
            if found is None:
                found = self._known[stock] = self.work_out(stock)
            return found
        if self._apart:  # each listing's figure hangs on less than all of them together
            return tuple(
                one.shown(
                    stock, incoming=incoming, sold=None if sold is None else (sold[0][place : place + 1], sold[1])
                )[0]
                for place, one in enumerate(self._apart)
            )
        key = (stock, incoming if self.counts_incoming else NOTHING, self._part_of(sold))
        found = self._known_daily.get(key)
        if found is None:
            found = self._known_daily[key] = self.work_out(stock, incoming=incoming, sold=sold)
        return found

    def _part_of(self, sold: Sold | None) -> object:
        """Of recent demand, what can matter: everywhere only where shares and scarcity look at it."""
        if sold is None or not self.needs_demand:
            return None
        return sold if any(one.terms.takes_a_share for one in self._sisters) else sold[0]

    def work_out(
        self, stock: int, *, incoming: tuple[tuple[int, int], ...] = NOTHING, sold: Sold | None = None
    ) -> tuple[int, ...]:
        """The same, asked of the formula anew."""
        source = SourceStock(location_id=POOL_ID, code="", on_hand=to_quantity(stock))
        today = self._now.date()
        arrivals = tuple(Incoming(0, "", to_quantity(parts), today + timedelta(days=days)) for days, parts in incoming)
        asked = []
        for place, one in enumerate(self._sisters):
            snapshot = replace(one.snapshot, sources=(source,))
            if one.terms.counts_incoming:
                snapshot = replace(snapshot, incoming=arrivals)
            if one.terms.needs_demand and sold is not None:
                demand = Demand(self._demand_days, to_quantity(sold[0][place]), to_quantity(sold[1]))
                snapshot = replace(snapshot, demand=demand)
            asked.append(replace(one, snapshot=snapshot))
        return tuple(quantities_of(asked, now=self._now))


class Exposures:
    """Hands out one `Exposure` for all items whose listings stand alike."""

    def __init__(self, *, now: datetime, demand_days: int) -> None:
        self._now = now
        self._demand_days = demand_days
        self._terms: dict[Terms, int] = {}
        self._known: dict[object, Exposure] = {}

    def of(self, sisters: Sequence[Sister]) -> Exposure:
        """For the listings of one item, in order of their ids."""
        key = tuple(self._shape(one) for one in sisters)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Exposure(sisters, now=self._now, demand_days=self._demand_days)
        return found

    def _shape(self, one: Sister) -> tuple[object, ...]:
        offer = one.offer
        terms = self._terms.setdefault(one.terms, len(self._terms))
        held = (offer.step, offer.pack_size, offer.quantity_max, bool(offer.withdrawn))
        return (one.channel_id, terms, *held, one.snapshot.confidence)


def _bare(one: Sister) -> Sister:
    """A listing without the stock and layers of today, and without a freeze, which is of today too."""
    bare = replace(one.snapshot, sources=(), incoming=(), suppliers=(), makeable=None, demand=None, allotment=None)
    return replace(one, snapshot=bare, offer=replace(one.offer, lid=None, frozen=""), pools={POOL_ID: str(POOL_ID)})
