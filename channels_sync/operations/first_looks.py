"""The first look at a channel: what it shows of listings it was never told a figure of.

A first figure replaces something: a shop that sold for years shows stock before it is connected. The guard has to know what, or
a catalogue whose stock is not entered yet would go to zero unseen. Looking changes nothing on the channel.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils import timezone

from channels_sync.adapters.base import QuantityReader, QuantityReading, QuantityTarget
from channels_sync.errors import ChannelError
from channels_sync.models import Channel, ChannelMode
from channels_sync.operations.metering import account_answered, account_failed, enter, probe_unused
from channels_sync.operations.offering import choose_location, find_on_channel
from channels_sync.operations.opening import open_channel
from channels_sync.operations.outbox import Claim
from channels_sync.operations.recomputing import recompute_locked
from channels_sync.operations.remembering_readings import Seen, remember_readings
from channels_sync.operations.run_plans import Cause
from inventory.arrays import numbers, texts
from inventory.operations.transactions import operation

logger = logging.getLogger(__name__)

ROWS_PER_PAGE = 200
CAUSE = "what the channel showed before"


@dataclass(frozen=True, slots=True)
class FirstLook:
    """Listings whose figure was read, those the channel does not have or not stock, and those not looked at for want of time;
    `problem` says why it stopped early, empty: it did not.
    """

    read: int = 0
    missing: int = 0
    left: int = 0
    problem: str = ""


_UNTOLD = """
SELECT p.listing_id, l.external_sku, l.external_item_id FROM channels_sync_listingpush p
JOIN channels_sync_listing l ON l.id = p.listing_id
WHERE p.channel_id = %s AND l.is_active AND p.sent_version = 0 AND p.lease_until IS NULL
  AND (p.channel_quantity_at IS NULL OR p.channel_quantity_at < %s)
ORDER BY p.channel_quantity_at NULLS FIRST, p.listing_id
"""


def take_first_look(*, channel_id: int, before: datetime, seconds_max: float) -> FirstLook:
    """Read what one channel shows of every listing it was never told a figure of and that was not looked at since `before`.

    Listings without the channel's id are looked up by their SKU on the way. It stops where the channel does not answer, and
    begins no new page after `seconds_max`; what was read is kept. Must not be called inside a transaction.
    """
    channel = Channel.objects.get(pk=channel_id)
    if channel.mode == ChannelMode.OFF:
        return FirstLook(problem=f"{channel.name} is off. Switch it to the shadow first.")
    if not channel.credentials:
        return FirstLook(problem=f"{channel.name} has no credentials, so it cannot be read. Enter them first.")
    with connection.cursor() as cursor:
        cursor.execute(_UNTOLD, [channel_id, before])
        rows = cursor.fetchall()
    ends_at = time.monotonic() + seconds_max
    read = missing = 0
    for start in range(0, len(rows), ROWS_PER_PAGE):
        if start and time.monotonic() > ends_at:
            return FirstLook(read, missing, left=len(rows) - start)
        page = rows[start : start + ROWS_PER_PAGE]
        seen, problem = _read_page(channel, page)
        if problem:
            return FirstLook(read, missing, len(rows) - start, problem)
        read += seen
        missing += len(page) - seen
    return FirstLook(read, missing)


def _read_page(channel: Channel, rows: Sequence[tuple[int, str, str]]) -> tuple[int, str]:
    """How many of these listings show a figure, and why they could not be read."""
    entry = enter(channel)
    if not entry.is_open:
        return 0, f"The account rests for {entry.wait_seconds:.0f} more seconds."
    try:
        with open_channel(channel, entry) as adapter:
            if not isinstance(adapter, QuantityReader):
                probe_unused(entry=entry)
                return 0, f"{channel.name} cannot be read."
            channel = choose_location(channel, adapter)
            ids = {listing_id: external_id for listing_id, _, external_id in rows if external_id}
            nameless = {listing_id: sku for listing_id, sku, external_id in rows if not external_id}
            ids |= {
                listing_id: match.listing.external_item_id
                for listing_id, match in find_on_channel(adapter, nameless).items()
                if match.listing is not None
            }
            place = channel.external_location_id
            readings = adapter.read_quantities([QuantityTarget(str(one), ids[one], place) for one in sorted(ids)])
        account_answered(entry=entry)
    except ChannelError as error:
        account_failed(entry=entry, error=error)
        Channel.objects.filter(pk=channel.pk).update(last_error=error.message[:500], last_error_at=timezone.now())
        logger.warning("first_look.not_read", extra={"channel": channel.code, "code": error.code, "rows": len(rows)})
        return 0, error.message
    return _write_page(readings), ""


_SEE = """
WITH u AS MATERIALIZED (SELECT * FROM unnest(%s::bigint[], %s::int[]) AS u(listing_id, quantity)), free AS MATERIALIZED (
  SELECT p.listing_id, u.quantity FROM channels_sync_listingpush p JOIN u ON u.listing_id = p.listing_id
  WHERE p.sent_version = 0 AND p.lease_until IS NULL ORDER BY p.listing_id FOR NO KEY UPDATE OF p
)
UPDATE channels_sync_listingpush p SET channel_quantity = free.quantity, channel_quantity_at = clock_timestamp()
FROM free WHERE p.listing_id = free.listing_id
"""


@operation
def _write_page(readings: Sequence[QuantityReading]) -> int:
    """Write down one page: only of listings that nobody sent a figure of meanwhile. Returns those that show one."""
    shown = [one for one in readings if one.available is not None]
    if shown:
        with connection.cursor() as cursor:
            cursor.execute(
                _SEE, [numbers(int(one.listing_ref) for one in shown), numbers(one.available for one in shown)]
            )
    remember_readings(
        seen=[
            Seen(int(one.listing_ref), one.available, one.sku, one.committed, one.read_at, agreed_version=None)
            for one in readings
        ]
    )
    return len(shown)


_TAKE_BACK = """
WITH u AS MATERIALIZED (
  SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::int[], %s::uuid[])
    AS u(listing_id, version, lease_until, quantity, call_key)
), ours AS MATERIALIZED (
  SELECT p.listing_id, u.quantity, u.call_key FROM channels_sync_listingpush p JOIN u ON u.listing_id = p.listing_id
  WHERE p.lease_until = u.lease_until AND p.version = u.version AND p.sent_version = 0
  ORDER BY p.listing_id FOR NO KEY UPDATE OF p
), planned AS (
  DELETE FROM channels_sync_publicationline l USING ours WHERE l.listing_id = ours.listing_id
)
UPDATE channels_sync_listingpush p SET version = 0, wanted = NULL, recent_max = NULL, lease_until = NULL,
  call_key = ours.call_key, channel_quantity = ours.quantity, channel_quantity_at = clock_timestamp()
FROM ours WHERE p.listing_id = ours.listing_id RETURNING p.listing_id
"""


@operation
def judge_first_figures(*, shown: Mapping[int, int], claims: Sequence[Claim]) -> set[int]:
    """Have the guard look again at first figures that were planned before it was known what the channel shows.

    Only while their lease is still ours. Nothing of them was ever accepted, so they are planned as if for the first time, from
    what is `shown` by listing id; figures they had in the shadow are forgotten. Until this is committed what is shown stays
    unknown, so that whoever comes after a crash reads it and asks again. Returns the listings it is about.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE_BACK,
            [
                numbers(claim.listing_id for claim in claims),
                numbers(claim.version for claim in claims),
                texts(claim.lease_until.isoformat() for claim in claims),
                numbers(shown[claim.listing_id] for claim in claims),
                [claim.key_kept for claim in claims],
            ],
        )
        taken = sorted(listing_id for (listing_id,) in cursor.fetchall())
    recompute_locked(listing_ids=taken, cause=Cause(CAUSE))
    return set(taken)
