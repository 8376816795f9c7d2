"""Exposure: what all channels show of some items for each unit there is. The same unit shown on three channels counts thrice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from channels_sync.allocation.formula import supply_of
from channels_sync.models import SENDING
from channels_sync.reads.figures import Facts, FigureChange
from inventory.quantities import ZERO
from inventory.reads.availability import availability


@dataclass(frozen=True, slots=True)
class Exposure:
    """Of some items, in their stock units: what there is, once, and what all channels show before and after a plan."""

    supply: Decimal
    before: Decimal
    after: Decimal


def exposure_of(
    items: Mapping[int, set[int]], *, facts: Sequence[Facts], found: Sequence[FigureChange], now: datetime
) -> dict[int, Exposure]:
    """The exposure of the items that change on each channel; `items` are ids by channel id.

    What there is of an item is what is free at every site, and what any rule counts beside it. `facts` are all published
    listings of the items as they stand, `found` what was worked out of them. One statement; none without items.
    """
    wanted = set().union(*items.values()) if items else set()
    if not wanted:
        return {}
    supply = {item_id: one.available for item_id, one in availability(items=wanted, at=now).items()}
    beside: dict[int, Decimal] = {}
    after: dict[int, int] = {}
    for change in found:
        after[change.facts.listing_id] = change.quantity
        item_id = change.facts.item_id
        if item_id in wanted:
            derivation = change.derivation
            counted = supply_of(derivation.snapshot, derivation.terms, derivation.at)
            beside[item_id] = max(beside.get(item_id, ZERO), counted.total - counted.available)
    return {
        channel_id: Exposure(
            sum((supply[item_id] + beside.get(item_id, ZERO) for item_id in of_channel), ZERO),
            _shown(of_channel, channel_id, facts, {}),
            _shown(of_channel, channel_id, facts, after),
        )
        for channel_id, of_channel in items.items()
    }


def _shown(items: set[int], channel_id: int, facts: Sequence[Facts], after: Mapping[int, int]) -> Decimal:
    """Stock units that channels which send show of items, and this one, which may only watch."""
    return sum(
        (
            after.get(one.listing_id, one.wanted or 0) * one.offer.pack_size
            for one in facts
            if one.item_id in items and (one.mode in SENDING or one.channel_id == channel_id)
        ),
        ZERO,
    )
