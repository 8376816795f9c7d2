"""What stands behind one figure beside its derivation: settings, rules of the item's other listings, ledger and promises.

All as of the figure's own moment, from what is never changed: versions of rules, the history of listings and channels,
movements up to the cut-off, and the log of reservations. A fixed number of statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from channels_sync.allocation import Derivation
from channels_sync.allocation.shaping import Setting, Shaping, idle_settings, settings_of_another, shaping_of
from channels_sync.models import ChannelMode
from channels_sync.reads.publishing import counted_in_ledger
from channels_sync.reads.rulebook import rules_in_force
from inventory.quantities import ZERO
from inventory.reads.promises import PromisedThen, promised_then
from inventory.trips import rows_of
from production.models import Bom


@dataclass(frozen=True, slots=True)
class OfAnother:
    """Settings of another listing of the item that had a say in the part of the pool."""

    listing_id: int
    listing: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    derivation: Derivation
    shaping: Shaping
    others: Sequence[OfAnother]
    idle: Sequence[Setting]
    """What rules set and the figure did not depend on."""
    counted: dict[int, Decimal]
    """What the ledger up to the cut-off sums to, by source (location id), any status."""
    promised: PromisedThen | None
    """None where the figure took no promises off."""
    bom_version: int | None
    """Of the BOM it was told what could be built by; None where it did not ask, or the BOM is gone."""

    @property
    def agrees_with_ledger(self) -> bool:
        return all(
            self.counted.get(source.location_id, ZERO) == source.on_hand + source.expired + source.withheld
            for source in self.derivation.snapshot.sources
        )

    @property
    def agrees_with_promises(self) -> bool:
        """Whether the log of reservations gives, at every source, what the figure took off."""
        found = self.promised
        return found is None or all(
            (found.pinned.get(source.location_id, ZERO), found.soft.get(source.location_id, ZERO))
            == (source.reserved_pinned, source.reserved_soft)
            for source in self.derivation.snapshot.sources
        )


def explanation_of(derivation: Derivation) -> Explanation:
    """At most six statements."""
    shaping = shaping_of(derivation)
    snapshot = derivation.snapshot
    promised = None
    if any(source.reserved_pinned or source.reserved_soft for source in snapshot.sources):
        promised = promised_then(
            item_id=snapshot.item_id,
            places=[source.location_id for source in snapshot.sources],
            at=derivation.at,
            good_for_days=int(derivation.terms.shelf_life_days.value),
        )
    return Explanation(
        derivation=derivation,
        shaping=shaping,
        others=_others(derivation) if snapshot.allotment is not None else (),
        idle=idle_settings(derivation, shaping),
        counted=counted_in_ledger(derivation),
        promised=promised,
        bom_version=_bom_version(derivation),
    )


def _bom_version(derivation: Derivation) -> int | None:
    made = derivation.snapshot.makeable
    if made is None or made.bom_id is None:
        return None
    return Bom.objects.filter(pk=made.bom_id).values_list("version", flat=True).first()


@dataclass(frozen=True, slots=True)
class _Sister:
    """Another listing of the item as it stood at a moment, and its name as it is now."""

    listing_id: int
    channel_id: int
    item_id: int
    category_id: int | None
    name: str


_SISTERS = """
WITH ours AS (
  SELECT id FROM channels_sync_listing WHERE item_id = %(item)s
  UNION SELECT id FROM channels_sync_historicallisting WHERE item_id = %(item)s
)
SELECT ours.id, past.channel_id, past.item_id, i.category_id, l.external_sku || ' on ' || c.name
FROM ours JOIN channels_sync_listing l ON l.id = ours.id
JOIN LATERAL (
  SELECT h.channel_id, h.item_id, h.is_active FROM channels_sync_historicallisting h
  WHERE h.id = ours.id AND h.history_date <= %(at)s ORDER BY h.history_date DESC, h.history_id DESC LIMIT 1
) past ON true
JOIN channels_sync_channel c ON c.id = past.channel_id
LEFT JOIN LATERAL (
  SELECT h.mode FROM channels_sync_historicalchannel h
  WHERE h.id = c.id AND h.history_date <= %(at)s ORDER BY h.history_date DESC, h.history_id DESC LIMIT 1
) channel_past ON true
JOIN inventory_item i ON i.id = past.item_id
WHERE past.item_id = %(item)s AND past.is_active AND ours.id <> %(listing)s
  AND coalesce(channel_past.mode, c.mode) <> %(off)s
ORDER BY c.name, l.external_sku, ours.id
"""


def _others(derivation: Derivation) -> list[OfAnother]:
    """Rules that were in force then for the other listings that were published then."""
    sisters = _sisters(derivation, at=derivation.at)
    if not sisters:
        return []
    rules = rules_in_force(at=derivation.at, listings=sisters)
    found = []
    for one in sisters:
        settings = settings_of_another(derivation, rules.terms_of(one))
        if settings:
            found.append(OfAnother(one.listing_id, one.name, settings))
    return found


def _sisters(derivation: Derivation, *, at: datetime) -> list[_Sister]:
    asked = {
        "item": derivation.snapshot.item_id,
        "listing": derivation.offer.listing_id,
        "at": at,
        "off": ChannelMode.OFF.value,
    }
    return [_Sister(*row) for row in rows_of(_SISTERS, asked)]
