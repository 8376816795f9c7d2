"""Reading back what channels show, long after it was confirmed, and doing what the rules say where it is not ours.

Each page is read without a transaction and written down in one of its own, so that nothing is half there when a channel goes
away or a worker dies. Stock is never posted: a difference changes at most what is sent, or what is told.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils import timezone

from channels_sync.adapters.base import QuantityReader, QuantityReading, QuantityTarget
from channels_sync.drift import Candidate, DriftRules, Sent, Shown, choose_sample, examine
from channels_sync.errors import ChannelError
from channels_sync.models import SENDING, Channel, Done, DriftSetting
from channels_sync.operations.differing import (
    Differing,
    carry_out,
    end_differences,
    end_unread,
    report,
    write_differences,
)
from channels_sync.operations.metering import account_answered, account_failed, enter, probe_unused
from channels_sync.operations.opening import open_channel
from channels_sync.operations.remembering_readings import Seen, remember_readings
from channels_sync.reads.differences import rules_of
from inventory.arrays import numbers
from inventory.operations.transactions import operation

logger = logging.getLogger(__name__)

ROWS_PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class ReadBackResult:
    """Listings read, and how many of them showed something else; `problem` says why it stopped early, empty: it did not."""

    read: int = 0
    differing: int = 0
    acted: int = 0
    """Differences about which a rule did something this time: told, overwritten or adopted."""
    problem: str = ""

    def __add__(self, other: ReadBackResult) -> ReadBackResult:
        return ReadBackResult(
            self.read + other.read,
            self.differing + other.differing,
            self.acted + other.acted,
            other.problem or self.problem,
        )


def read_sample(*, channel_id: int) -> ReadBackResult:
    """Read back the few listings of one channel where a wrong figure matters soonest, and those unread longest.

    Safe to run twice, or twice at once. Must not be called inside a transaction.
    """
    channel = Channel.objects.get(pk=channel_id)
    if channel.mode not in SENDING:
        return _not_sending(channel)
    setting = DriftSetting.objects.filter(channel=channel).first() or DriftSetting(channel=channel)
    return _read_page(channel, setting, choose_sample(_candidates(channel_id), rows_max=setting.sample_rows))


def read_everything(*, channel_id: int, since: datetime | None = None) -> ReadBackResult:
    """Read back every listing of one channel that was not read after `since` (default: now), page by page.

    It stops where the channel does not answer; called again with the same `since` it goes on with what is left. Safe to run
    twice, or twice at once. Must not be called inside a transaction.
    """
    channel = Channel.objects.get(pk=channel_id)
    if channel.mode not in SENDING:
        return _not_sending(channel)
    setting = DriftSetting.objects.filter(channel=channel).first() or DriftSetting(channel=channel)
    begun = since or timezone.now()
    end_unread(channel=channel)
    left = sorted(
        one.listing_id for one in _candidates(channel_id) if one.verified_at is None or one.verified_at < begun
    )
    total = ReadBackResult()
    for start in range(0, len(left), ROWS_PER_PAGE):
        total += _read_page(channel, setting, left[start : start + ROWS_PER_PAGE])
        if total.problem:
            break
    return total


def _not_sending(channel: Channel) -> ReadBackResult:
    end_unread(channel=channel)
    return ReadBackResult(problem=f"{channel.name} is told nothing in its mode, so there is nothing to compare.")


# What was sent and is the newest; a listing whose newer figure waits or is on its way cannot be compared.
_CANDIDATES = """
SELECT p.listing_id, p.wanted, r.read_at FROM channels_sync_listingpush p
JOIN channels_sync_listing l ON l.id = p.listing_id LEFT JOIN channels_sync_listingreading r ON r.listing_id = p.listing_id
WHERE p.channel_id = %s AND l.is_active AND l.external_item_id <> '' AND p.sent_version > 0
  AND p.version = p.sent_version AND p.lease_until IS NULL
"""


def _candidates(channel_id: int) -> list[Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, [channel_id])
        return [Candidate(*row) for row in cursor.fetchall()]


def _read_page(channel: Channel, setting: DriftSetting, listing_ids: Sequence[int]) -> ReadBackResult:
    """Ask the channel about these listings and write down what it says: all of it, or nothing."""
    if not listing_ids:
        return ReadBackResult()
    entry = enter(channel)
    if not entry.is_open:
        return ReadBackResult(problem=f"The account rests for {entry.wait_seconds:.0f} more seconds.")
    asked = _facts(listing_ids)
    if not asked:
        probe_unused(entry=entry)
        return ReadBackResult()
    targets = [QuantityTarget(str(one.listing_id), one.external_item_id, channel.external_location_id) for one in asked]
    try:
        with open_channel(channel, entry) as adapter:
            if not isinstance(adapter, QuantityReader):
                probe_unused(entry=entry)
                return ReadBackResult(problem=f"{channel.name} cannot be read back.")
            readings = adapter.read_quantities(targets)
        account_answered(entry=entry)
    except ChannelError as error:
        account_failed(entry=entry, error=error)
        Channel.objects.filter(pk=channel.pk).update(last_error=error.message[:500], last_error_at=timezone.now())
        logger.warning("drift.not_read", extra={"channel": channel.code, "code": error.code, "rows": len(asked)})
        return ReadBackResult(problem=error.message)
    result = _write_page(channel, setting, {one.listing_id: one.version for one in asked}, readings)
    logger.info("drift.read", extra={"channel": channel.code, "read": result.read, "differing": result.differing})
    return result


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was last sent of one listing, and what is known of it."""

    listing_id: int
    version: int
    quantity: int
    external_item_id: str
    sku: str
    confirmed_version: int
    sent_at: datetime
    before: int | None
    agreed_version: int
    agreed_committed: int | None
    seen_version: int | None
    first_seen_at: datetime | None


_FACTS = """
SELECT p.listing_id, p.version, p.wanted, l.external_item_id, l.external_sku, p.confirmed_version,
  coalesce(n.accepted_at, n.sent_at, n.recorded_at), n.before, coalesce(r.agreed_version, 0), r.agreed_committed,
  d.version, d.first_seen_at
FROM channels_sync_listingpush p JOIN channels_sync_listing l ON l.id = p.listing_id
JOIN channels_sync_publicationline n ON n.listing_id = p.listing_id AND n.version = p.version
LEFT JOIN channels_sync_listingreading r ON r.listing_id = p.listing_id
LEFT JOIN channels_sync_difference d ON d.listing_id = p.listing_id AND d.ended_at IS NULL
WHERE p.listing_id = ANY(%s::bigint[]) AND p.version = p.sent_version AND p.lease_until IS NULL
  AND l.is_active AND l.external_item_id <> ''
ORDER BY p.listing_id
"""


def _facts(listing_ids: Sequence[int], *, lock: bool = False) -> list[_Facts]:
    with connection.cursor() as cursor:
        cursor.execute(_FACTS + ("FOR NO KEY UPDATE OF p" if lock else ""), [numbers(listing_ids)])
        return [_Facts(*row) for row in cursor.fetchall()]


@operation
def _write_page(
    channel: Channel, setting: DriftSetting, asked: dict[int, int], readings: Sequence[QuantityReading]
) -> ReadBackResult:
    """Write down one page. A reading counts only where nothing newer was wanted or sent since it was asked for."""
    shown = {int(one.listing_ref): one for one in readings}
    facts = [one for one in _facts(list(asked), lock=True) if one.version == asked[one.listing_id]]
    seen, agreeing, differing = [], [], []
    for one in facts:
        reading = shown[one.listing_id]
        found = _examined(one, reading, rules_of(setting, is_raise=one.before is None or one.quantity > one.before))
        if found is None:
            agreeing.append(one.listing_id)
        else:
            differing.append(found)
        seen.append(
            Seen(
                listing_id=one.listing_id,
                quantity=reading.available,
                sku=reading.sku,
                committed=reading.committed,
                read_at=reading.read_at,
                agreed_version=one.version if found is None else None,
            )
        )
    remember_readings(seen=seen)
    now = timezone.now()
    end_differences(agreeing, now=now)
    fresh = write_differences(channel, differing, now=now)
    acted = carry_out(channel, fresh, now=now)
    report(channel, {one.cause.value for one in fresh if one.done == Done.TOLD})
    return ReadBackResult(len(facts), len(differing), acted)


def _examined(one: _Facts, reading: QuantityReading, rules: DriftRules) -> Differing | None:
    was_confirmed = max(one.confirmed_version, one.agreed_version) >= one.version
    drift = examine(
        sent=Sent(
            sku=one.sku,
            quantity=one.quantity,
            # Our clock and the database's are not one: what was asked for after it was sent was read after it.
            sent_at=min(one.sent_at, reading.read_at),
            before=one.before,
            was_confirmed=was_confirmed,
            committed=one.agreed_committed if one.agreed_version == one.version or not was_confirmed else None,
        ),
        shown=Shown(reading.available, reading.sku, reading.read_at, reading.committed),
        rules=rules,
        first_seen_at=one.first_seen_at if one.seen_version == one.version else None,
    )
    if drift is None:
        return None
    return Differing(
        listing_id=one.listing_id,
        version=one.version,
        ours=drift.ours,
        theirs=drift.theirs,
        cause=drift.cause,
        evidence=drift.words,
        response=drift.response,
    )
