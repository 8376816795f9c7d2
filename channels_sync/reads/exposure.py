"""Exposure: what all channels show of some items for each unit there is. The same unit shown on three channels counts thrice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from channels_sync.allocation.formula import supply_of
from channels_sync.allocation.terms import Terms
from channels_sync.models import SENDING
from channels_sync.reads.figures import FigureChange
from channels_sync.reads.grounds import Grounds
from channels_sync.reads.listing_facts import Facts
from inventory.quantities import ZERO
from inventory.reads.availability import availability
from inventory.records import record


@record(frozen=True, slots=True)
class Exposure:
    """Of some items, in their stock units: what there is, once, and what all channels show before and after a plan."""

    supply: Decimal
    before: Decimal
    after: Decimal


class Showing:
    """What channels show of items before and after figures change, and what there is of these as far as the figures tell.

    `items` are ids of what changes, by channel id; `grounds` have all published listings of the items as they stand, `found` is
    what was worked out of them. What there is of an item is what is free at every site, and what any rule counts beside it.
    """

    def __init__(self, items: Mapping[int, set[int]], *, grounds: Grounds, found: Sequence[FigureChange]) -> None:
        self._items = items
        self._wanted: set[int] = set().union(*items.values())
        self._supply: dict[int, Decimal] = {}
        self._beside: dict[int, Decimal] = {}
        after: dict[int, int] = {}
        known: set[tuple[object, ...]] = set()
        layers_of: dict[int, tuple[object, ...]] = {}
        for change in found:
            facts, derivation = change.facts, change.derivation
            after[facts.listing_id] = change.quantity
            item_id, terms = facts.item_id, derivation.terms
            if item_id not in self._wanted:
                continue
            sees_all = facts.channel_id not in grounds.sources and not terms.shelf_life_days.value
            layers = layers_of.get(id(terms))
            if layers is None:
                layers = layers_of[id(terms)] = _layers(terms)
            seen = (item_id, sees_all, layers)
            if seen not in known:
                known.add(seen)
                counted = supply_of(derivation.snapshot, terms, derivation.at)
                self._beside[item_id] = max(self._beside.get(item_id, ZERO), counted.total - counted.available)
                if sees_all:
                    self._supply[item_id] = counted.available
        of_wanted = [one for one in grounds.facts if one.item_id in self._wanted]
        self._before, self._after = _Shown.of(of_wanted, {}), _Shown.of(of_wanted, after)

    def exposures(self, *, now: datetime) -> dict[int, Exposure]:
        """By channel id. One statement, for items of which no listing saw every site."""
        supply = dict(self._supply)
        if unseen := self._wanted - supply.keys():
            supply |= {item_id: one.available for item_id, one in availability(items=unseen, at=now).items()}
        return {
            channel_id: Exposure(
                sum((supply[item_id] + self._beside.get(item_id, ZERO) for item_id in of_channel), ZERO),
                self._before.by(channel_id, of_channel),
                self._after.by(channel_id, of_channel),
            )
            for channel_id, of_channel in self._items.items()
        }


def _layers(terms: Terms) -> tuple[object, ...]:
    """Two listings of an item whose rules agree in these count the same beside its stock."""
    return (
        terms.basis.value,
        terms.buildable_percent.value,
        terms.building.value,
        terms.incoming_days.value,
        terms.supplier_percent.value,
        terms.supplier_maximum.value,
        terms.supplier_hours.value,
    )


@record(frozen=True, slots=True)
class _Shown:
    """Stock units that channels show: of each item on all that send, and on each that only watches."""

    sent: Mapping[int, Decimal]
    watched: Mapping[tuple[int, int], Decimal]

    @classmethod
    def of(cls, facts: Sequence[Facts], after: Mapping[int, int]) -> _Shown:
        """`after` is what listings are going to show, the others show what they do."""
        sent: dict[int, Decimal] = {}
        watched: dict[tuple[int, int], Decimal] = {}
        for one in facts:
            units = after.get(one.listing_id, one.wanted or 0) * one.offer.pack_size
            if one.mode in SENDING:
                sent[one.item_id] = sent.get(one.item_id, ZERO) + units
            else:
                key = (one.channel_id, one.item_id)
                watched[key] = watched.get(key, ZERO) + units
        return cls(sent, watched)

    def by(self, channel_id: int, items: set[int]) -> Decimal:
        """Of items, by all that send and this one, which may only watch."""
        return sum(
            (self.sent.get(item_id, ZERO) + self.watched.get((channel_id, item_id), ZERO) for item_id in items), ZERO
        )
