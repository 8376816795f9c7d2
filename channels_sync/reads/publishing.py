"""Questions about published quantities: what is due, how a channel is doing, and why a listing shows its figure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection

from channels_sync.allocation import Derivation
from channels_sync.models import Channel, Listing, ListingPush, PublicationLine
from channels_sync.models.pushes import SEND_ATTEMPTS_MAX
from inventory.arrays import numbers

MAY_GO = """(NOT p.is_held OR c.mode = 'auto' AND (p.wanted = 0 OR p.wanted <= p.channel_quantity
                                              OR p.call_key IS NOT NULL)
    AND NOT EXISTS (SELECT FROM channels_sync_hold h
                    WHERE h.listing_id = p.listing_id AND h.state = 'open' AND h.after = p.wanted)
    AND EXISTS (SELECT FROM channels_sync_publicationline g WHERE g.listing_id = p.listing_id AND g.version = p.version
                AND g.state <> 'shadow'))
    AND NOT EXISTS (SELECT FROM channels_sync_freeze z
                    WHERE z.listing_id = p.listing_id AND z.ended_at IS NULL AND z.is_exact AND z.quantity IS NULL)"""
"""SQL: whether the figure of a row `p` of a channel `c` may be sent as far as people are concerned.

While a change of a listing waits, an older figure that is still in the outbox may lower what the channel shows, but not raise
it or what nobody knows; a listing whose last call got no answer is read before. The very figure that waits, and what was only
worked out in the shadow, stay where they are. What was refused before the channel was ever told anything is not sent at all.
"""
CONFIRM_ATTEMPTS_MAX = 5
"""Read-backs of one version that may differ before it is left to a person."""


def due_channel_ids() -> tuple[int, ...]:
    """Channels that send and have rows due now, those whose sender died among them."""
    return _channel_ids(
        f"p.version > p.sent_version AND p.attempts < {SEND_ATTEMPTS_MAX}"
        " AND (p.lease_until IS NULL OR p.lease_until <= clock_timestamp())"
        f" AND NOT c.is_paused AND {MAY_GO}"
    )


def unconfirmed_channel_ids() -> tuple[int, ...]:
    """Channels with accepted figures to be read back now."""
    return _channel_ids(
        f"p.sent_version > p.confirmed_version AND p.version = p.sent_version AND p.attempts < {CONFIRM_ATTEMPTS_MAX}"
    )


def _channel_ids(condition: str) -> tuple[int, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id FROM channels_sync_channel c WHERE c.mode IN ('approve', 'auto') AND EXISTS ("
            "SELECT FROM channels_sync_listingpush p JOIN channels_sync_listing l ON l.id = p.listing_id"
            f" WHERE p.channel_id = c.id AND l.is_active AND {condition}"
            " AND (p.next_at IS NULL OR p.next_at <= clock_timestamp())) ORDER BY c.id"
        )
        return tuple(channel_id for (channel_id,) in cursor.fetchall())


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """Listings of one channel by where their newest figure is."""

    channel_id: int
    listings: int
    due: int  # newest figure not accepted yet
    failing: int  # of those, with an error
    unconfirmed: int  # accepted, not read back yet
    oldest_due_at: datetime | None  # when the oldest figure that waits was worked out


def channel_health(*, channels: Collection[Channel]) -> dict[int, ChannelHealth]:
    """The state of each channel's outbox, by channel id. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, count(p.listing_id), count(*) FILTER (WHERE p.version > p.sent_version),"
            " count(*) FILTER (WHERE p.version > p.sent_version AND p.last_error <> ''),"
            " count(*) FILTER (WHERE p.version = p.sent_version AND p.sent_version > p.confirmed_version),"
            " min(line.recorded_at) FILTER (WHERE p.version > p.sent_version)"
            " FROM channels_sync_channel c LEFT JOIN channels_sync_listingpush p ON p.channel_id = c.id"
            " LEFT JOIN channels_sync_publicationline line"
            " ON line.listing_id = p.listing_id AND line.version = p.version AND p.version > p.sent_version"
            " WHERE c.id = ANY(%s::bigint[]) GROUP BY c.id",
            [[channel.pk for channel in channels]],
        )
        return {row[0]: ChannelHealth(*row) for row in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """What one listing should show, what it does show as far as is known, and why."""

    listing: Listing
    wanted: int | None  # None until first worked out
    channel_quantity: int | None
    channel_quantity_at: datetime | None
    line: PublicationLine | None
    derivation: Derivation | None
    last_error: str

    @property
    def in_words(self) -> str:
        return self.derivation.in_words() if self.derivation else "not worked out yet"


def published_figures(*, listings: Collection[Listing]) -> list[PublishedFigure]:
    """The newest figure of each listing, in the order given. Two queries for any number of them."""
    ids = [listing.pk for listing in listings]
    pushes = ListingPush.objects.in_bulk(ids)
    lines = {
        line.listing_id: line
        for line in PublicationLine.objects.filter(listing__in=ids)
        .select_related("run")
        .order_by("listing_id", "-version")
        .distinct("listing_id")
    }
    figures = []
    for listing in listings:
        push, line = pushes.get(listing.pk), lines.get(listing.pk)
        figures.append(
            PublishedFigure(
                listing=listing,
                wanted=push.wanted if push else None,
                channel_quantity=push.channel_quantity if push else None,
                channel_quantity_at=push.channel_quantity_at if push else None,
                line=line,
                derivation=Derivation.from_json(line.derivation) if line else None,
                last_error=push.last_error if push else "",
            )
        )
    return figures


def explanation(*, listing: Listing, at: datetime | None = None) -> Derivation | None:
    """Why the listing shows its figure, now or at an earlier time; None when none had been worked out."""
    lines = PublicationLine.objects.filter(listing=listing)
    if at is not None:
        lines = lines.filter(recorded_at__lte=at)
    line = lines.order_by("-version").first()
    return Derivation.from_json(line.derivation) if line else None


_COUNTED = """
SELECT s.id, sum(m.quantity) FROM inventory_location s
JOIN inventory_location l ON l.path LIKE s.path || '%%'
JOIN inventory_movement m ON m.location_id = l.id AND m.item_id = %s AND m.id <= %s
WHERE s.id = ANY(%s::bigint[]) GROUP BY s.id
"""


def counted_in_ledger(derivation: Derivation) -> dict[int, Decimal]:
    """What the ledger up to a derivation's cut-off sums to at each of its sources, any status, by location id."""
    snapshot = derivation.snapshot
    if snapshot.cutoff is None:
        return {}
    places = numbers(source.location_id for source in snapshot.sources)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, [snapshot.item_id, snapshot.cutoff, places])
        return dict(cursor.fetchall())
