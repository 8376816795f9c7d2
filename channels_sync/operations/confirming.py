"""Reading back what was sent: a channel's yes is not yet a figure a shopper sees."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.utils import timezone

from channels_sync.adapters.base import QuantityReader, QuantityTarget
from channels_sync.errors import ChannelError
from channels_sync.models import Channel
from channels_sync.operations.metering import account_answered, account_failed, enter, probe_unused
from channels_sync.operations.opening import open_channel
from channels_sync.operations.outbox_confirmed import claim_unconfirmed, settle_readings
from channels_sync.operations.remembering_readings import Seen, remember_readings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConfirmResult:
    read: int = 0
    confirmed: int = 0
    differing: int = 0


def confirm_sent(*, channel_id: int, rows_max: int = 200) -> ConfirmResult:
    """Read back up to `rows_max` accepted figures of one channel. Safe to run twice, or twice at once.

    When the channel does not answer, the rows are read again after a minute. Nothing is read while its account is silent.
    Must not be called inside a transaction.
    """
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        return ConfirmResult()
    entry = enter(channel)
    if not entry.is_open:
        return ConfirmResult()
    rows = claim_unconfirmed(channel_id=channel_id, rows_max=rows_max)
    if not rows:
        probe_unused(entry=entry)
        return ConfirmResult()
    targets = [QuantityTarget(str(row.listing_id), row.external_item_id, channel.external_location_id) for row in rows]
    try:
        with open_channel(channel, entry) as adapter:
            if not isinstance(adapter, QuantityReader):
                probe_unused(entry=entry)
                return ConfirmResult()
            readings = adapter.read_quantities(targets)
        account_answered(entry=entry)
    except ChannelError as error:
        account_failed(entry=entry, error=error)
        Channel.objects.filter(pk=channel.pk).update(last_error=error.message[:500], last_error_at=timezone.now())
        logger.warning("push.not_confirmed", extra={"channel": channel.code, "code": error.code, "rows": len(rows)})
        return ConfirmResult()
    confirmed, differing = settle_readings(
        [(row, reading.available) for row, reading in zip(rows, readings, strict=True)]
    )
    remember_readings(
        seen=[
            Seen(
                listing_id=row.listing_id,
                quantity=reading.available,
                sku=reading.sku,
                committed=reading.committed,
                read_at=reading.read_at,
                agreed_version=row.version if reading.available == row.wanted else None,
            )
            for row, reading in zip(rows, readings, strict=True)
        ]
    )
    if confirmed:
        Channel.objects.filter(pk=channel.pk).update(last_confirmed_at=timezone.now())
    logger.info("push.confirmed", extra={"channel": channel.code, "confirmed": confirmed, "differing": differing})
    return ConfirmResult(len(rows), confirmed, differing)
