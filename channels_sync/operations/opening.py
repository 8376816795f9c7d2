"""Opening the line to a channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from channels_sync.adapters.base import ChannelAdapter
from channels_sync.adapters.registry import adapter_for
from channels_sync.credentials import account_of
from channels_sync.errors import ChannelRejected
from channels_sync.models import Channel


@contextmanager
def open_channel(channel: Channel) -> Iterator[ChannelAdapter]:
    """The channel's adapter, closed at the end. Raises ChannelRejected when the account cannot be used at all."""
    account = account_of(channel)
    try:
        adapter = adapter_for(name=channel.adapter, account=account)
    except ValueError as error:
        raise ChannelRejected(str(error)) from None
    try:
        yield adapter
    finally:
        adapter.close()
