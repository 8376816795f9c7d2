"""Opening the line to a channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from channels_sync.adapters.base import ChannelAdapter
from channels_sync.adapters.registry import adapter_for
from channels_sync.credentials import account_of
from channels_sync.errors import ChannelRejected
from channels_sync.models import Channel
from channels_sync.operations.metering import Entry, meter_of


@contextmanager
def open_channel(channel: Channel, entry: Entry | None = None) -> Iterator[ChannelAdapter]:
    """The channel's adapter, closed at the end; its calls are paid from the account's allowance.

    Raises ChannelRejected when the account cannot be used at all.
    """
    account = replace(account_of(channel), meter=meter_of(channel, entry))
    try:
        adapter = adapter_for(name=channel.adapter, account=account)
    except ValueError as error:
        raise ChannelRejected(str(error)) from None
    try:
        yield adapter
    finally:
        adapter.close()
