"""What is known about one sale that could not be delivered: stock, figures and changes around a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q

from channels_sync.allocation import Derivation
from channels_sync.allocation.advising import DELAYS_MIN
from channels_sync.forensics import Case, Change, Verdict, judge
from channels_sync.models import Channel, Hold, Listing, PublicationLine
from channels_sync.reads.latency import channel_latency
from inventory.arrays import numbers
from inventory.models import LocationKind

CHANGES_MAX = 200
"""Postings followed: the newest that the figure on the channel did not contain."""
LINES_MAX = 20
"""Figures shown after the one that was on the channel."""
ORDINARY_DAYS = 30


@dataclass(frozen=True, slots=True)
class Inquiry:
    case: Case
    verdict: Verdict
    on_channel: PublicationLine | None
    lines: Sequence[PublicationLine]
    """From the figure on the channel on, oldest first."""


_PLACES = """
 AND m.location_id IN (SELECT l.id FROM inventory_location l WHERE l.is_sellable AND (
   cardinality(%(sources)s::bigint[]) = 0 AND NOT EXISTS (SELECT 1 FROM inventory_location k
     WHERE k.kind = %(channel_owned)s AND l.path LIKE k.path || '%%') OR EXISTS (SELECT 1 FROM inventory_location s
     WHERE s.id = ANY(%(sources)s::bigint[]) AND l.path LIKE s.path || '%%')))
"""
_STOCK = (
    "SELECT coalesce(sum(m.quantity), 0) FROM inventory_movement m"
    " WHERE m.item_id = %(item)s AND m.status = 'available' AND m.effective_at <= %(at)s" + _PLACES
)
_CHANGES = (
    "SELECT m.posting_id, sum(m.quantity), min(m.effective_at), min(m.recorded_at), max(m.id) FROM inventory_movement m"
    " WHERE m.item_id = %(item)s AND m.status = 'available' AND m.effective_at <= %(at)s AND m.id > %(cutoff)s"
    + _PLACES
    + " GROUP BY m.posting_id HAVING sum(m.quantity) <> 0 ORDER BY m.posting_id DESC LIMIT %(limit)s"
)


def inquire(*, listing: Listing, moment: datetime, quantity: int) -> Inquiry:
    """Follow every change that was not on the channel at `moment`, when it sold `quantity` sold units. Eight statements.

    Stock is what the ledger says today about that moment, at places that are sellable today; promises are not taken off.
    Without named sources, what a sales channel keeps for itself is left out, as it is from every figure.
    """
    lines = PublicationLine.objects.filter(listing=listing).select_related("run")
    on_channel = lines.filter(accepted_at__lte=moment).order_by("-version").first()
    version, cutoff = (on_channel.version, _cutoff(on_channel)) if on_channel else (0, 0)
    after = list(lines.filter(version__gt=version).order_by("version")[:LINES_MAX])
    holds = list(
        Hold.objects.filter(listing=listing, recorded_at__lte=moment)
        .filter(Q(decided_at__isnull=True) | Q(decided_at__gt=moment))
        .order_by("pk")[:LINES_MAX]
    )
    asked: dict[str, Any] = {
        "item": listing.item_id,
        "at": moment,
        "cutoff": cutoff,
        "sources": numbers(listing.channel.source_locations.values_list("pk", flat=True)),
        "limit": CHANGES_MAX,
        "channel_owned": LocationKind.CHANNEL_OWNED.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STOCK, asked)
        ((stock,),) = cursor.fetchall()
        cursor.execute(_CHANGES, asked)
        changes = [_followed(row, after, holds) for row in reversed(cursor.fetchall())]
    case = Case(
        moment=moment,
        quantity=quantity,
        pack_size=listing.pack_size,
        stock=stock,
        shown=on_channel.after if on_channel else None,
        changes=changes,
        paused_since=_paused_since(listing.channel, moment),
        ordinary_seconds=_ordinary(listing.channel_id, moment),
        derivation=Derivation.from_json(on_channel.derivation) if on_channel else None,
    )
    shown = [on_channel, *after] if on_channel else after
    return Inquiry(case, judge(case), on_channel, shown)


def _cutoff(one: PublicationLine | Hold) -> int:
    """Newest movement of the item the figure contains."""
    return one.derivation.get("stock", {}).get("cutoff") or 0


def _followed(
    row: tuple[int, Decimal, datetime, datetime, int], lines: Sequence[PublicationLine], holds: Sequence[Hold]
) -> Change:
    posting_id, quantity, happened_at, recorded_at, movement_id = row
    containing = [one for one in lines if _cutoff(one) >= movement_id]
    hold = next((one for one in holds if _cutoff(one) >= movement_id), None)
    first = containing[0] if containing else None
    accepted = next((one for one in containing if one.accepted_at), None)
    return Change(
        posting_id=posting_id,
        quantity=quantity,
        happened_at=happened_at,
        recorded_at=recorded_at,
        held_at=hold.recorded_at if hold else None,
        decided_at=hold.decided_at if hold else None,
        absorbed_at=first.recorded_at if first else None,
        sent_at=next((one.sent_at for one in containing if one.sent_at), None),
        accepted_at=accepted.accepted_at if accepted else None,
        confirmed_at=next((one.confirmed_at for one in containing if one.confirmed_at), None),
    )


def _paused_since(channel: Channel, moment: datetime) -> datetime | None:
    """Since when sending had been paused at that moment; None when it was not."""
    kept = channel.history.filter(history_date__lte=moment).order_by("-history_date", "-history_id").first()
    if kept is None or not kept.is_paused:
        return None
    since: datetime = kept.paused_at or kept.history_date
    return since


def _ordinary(channel_id: int, moment: datetime) -> Decimal | None:
    """What 99 of 100 publishes took at most; None where too few were measured to say."""
    found = channel_latency(since=moment - timedelta(days=ORDINARY_DAYS), until=moment, channel_id=channel_id)
    whole = (one for one in found.get(channel_id, ()) if one.stage == "whole" and one.measured >= DELAYS_MIN)
    return next((one.ninety_nine for one in whole), None)
