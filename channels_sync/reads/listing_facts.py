"""Published listings as they stand: what the formula has to know of a listing, its item and its channel, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from channels_sync.adapters.registry import ADAPTERS
from channels_sync.allocation import Offer
from channels_sync.models import ChannelMode
from inventory.arrays import numbers
from inventory.records import record
from inventory.trips import Rows, Statement, in_one_trip, rows_of

QUANTITY_MAX = 1_000_000_000
"""For a channel whose adapter is not known."""


@record(frozen=True, slots=True)
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


_CHANNELS: Statement = (
    "SELECT id, mode, adapter FROM channels_sync_channel WHERE mode <> %s",
    [ChannelMode.OFF.value],
)
_THEIR_ITEMS = "ARRAY(SELECT a.item_id FROM channels_sync_listing a WHERE a.id = ANY(%(ids)s::bigint[]))"
_ITEMS = f"""
SELECT id, category_id, stock_unit, step, sku, is_active, is_sellable FROM inventory_item WHERE id = ANY({_THEIR_ITEMS})
"""
_LISTINGS = f"""
SELECT l.id, l.channel_id, l.item_id, l.external_sku, l.pack_size, p.wanted,
       l.id = ANY(%(ids)s::bigint[]) AND {{is_told}}, {{is_stopped}} {{frozen}}
FROM channels_sync_listing l LEFT JOIN channels_sync_listingpush p ON p.listing_id = l.id {{freezes}}
WHERE l.item_id = ANY({_THEIR_ITEMS}) AND l.is_active
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
_LISTINGS_WITH_FREEZES = _LISTINGS.format(
    is_told="(k.id IS NULL OR k.quantity IS NOT NULL)",
    is_stopped="coalesce(f.is_stopped, false)",
    frozen=", f.lid, f.reason, k.quantity, k.reason",
    freezes=_FREEZES,
)
_LISTINGS_UNFROZEN = _LISTINGS.format(is_told="true", is_stopped="false", frozen="", freezes="")
ANY_FREEZE: Statement = ("SELECT EXISTS (SELECT FROM channels_sync_freeze WHERE ended_at IS NULL)", [])
"""Whether anything is frozen. Most of the time nothing is, and then nobody has to look for it listing by listing."""


def read_facts(listing_ids: Iterable[int]) -> list[Facts]:
    """The published ones of these listings and their sisters: other published listings of the same items. Four statements."""
    ((any_frozen,),) = rows_of(*ANY_FREEZE)
    return facts_from(in_one_trip(*facts_statements(listing_ids, any_frozen=any_frozen)))


def facts_statements(listing_ids: Iterable[int], *, any_frozen: bool) -> tuple[Statement, Statement, Statement]:
    """What `read_facts` asks, for who has something else to do meanwhile; `facts_from` reads the answers.

    Items and channels are asked for by themselves, since many listings have the same.
    """
    ids = {"ids": numbers(listing_ids)}
    return (_LISTINGS_WITH_FREEZES if any_frozen else _LISTINGS_UNFROZEN, ids), (_ITEMS, ids), _CHANNELS


@record(frozen=True, slots=True)
class _Item:
    category_id: int | None
    unit: str
    step: Decimal
    withdrawn: str

    @classmethod
    def of(
        cls, category_id: int | None, unit: str, step: Decimal, sku: str, is_active: bool, is_sellable: bool
    ) -> _Item:
        reason = "" if is_active and is_sellable else f"{sku} is {'not sellable' if is_active else 'inactive'}"
        return cls(category_id, unit, step, reason)


def facts_from(answers: Sequence[Rows]) -> list[Facts]:
    """Listings whose channel is off are left out, and those that were deleted with it between the statements."""
    listings, item_rows, channel_rows = answers
    items = {item_id: _Item.of(*rest) for item_id, *rest in item_rows}
    channels = {channel_id: (mode, _quantity_max(adapter)) for channel_id, mode, adapter in channel_rows}
    found = []
    for listing_id, channel_id, item_id, sku, pack_size, wanted, is_asked, is_stopped, *frozen in listings:
        channel, item = channels.get(channel_id), items.get(item_id)
        if channel is None or item is None:
            continue
        mode, quantity_max = channel
        if frozen:
            lid, why, kept, kept_for = frozen
            offer = Offer(
                listing_id=listing_id,
                sku=sku,
                unit=item.unit,
                step=item.step,
                pack_size=pack_size,
                quantity_max=quantity_max,
                withdrawn=item.withdrawn,
                lid=lid,
                frozen=why or "",
                kept=kept,
                kept_for=kept_for if kept is not None and kept_for else "",
            )
        else:
            offer = Offer(listing_id, sku, item.unit, item.step, pack_size, quantity_max, item.withdrawn)
        found.append(
            Facts(listing_id, channel_id, mode, item_id, item.category_id, wanted, is_asked, is_stopped, offer)
        )
    return found


def _quantity_max(adapter: str) -> int:
    entry = ADAPTERS.get(adapter)
    return entry.limits.quantity_max if entry else QUANTITY_MAX
