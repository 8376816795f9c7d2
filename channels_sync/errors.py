"""What can go wrong outside: the channel's answers as a small family of errors.

Messages are shown to people and written to logs. They never hold a token, a secret or a header.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from channels_sync.adapters.base import PushOutcome


class ChannelError(Exception):
    """Something a channel said or failed to say.

    `settled` are the rows of the same call whose answer had arrived before the error: record them, and
    repeat only the others, in the same order and with the same keys.
    """

    code = "CHANNEL_ERROR"

    def __init__(self, message: str, *, code: str | None = None, settled: Sequence[PushOutcome] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.settled: tuple[PushOutcome, ...] = tuple(settled)


class ChannelUnavailable(ChannelError):
    """The channel did not answer, or asked for patience. Try again later with the same keys.

    `outcome_unknown` is true when the request had left and no answer came: the channel may have done the work.
    `retry_after_seconds` is what the channel asked for, None when it did not say.
    """

    code = "CHANNEL_UNAVAILABLE"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after_seconds: float | None = None,
        outcome_unknown: bool = False,
        settled: Sequence[PushOutcome] = (),
    ) -> None:
        super().__init__(message, code=code, settled=settled)
        self.retry_after_seconds = retry_after_seconds
        self.outcome_unknown = outcome_unknown


class ChannelThrottled(ChannelUnavailable):
    """The channel counts our calls and wants a pause. Nothing of this call was done."""

    code = "CHANNEL_THROTTLED"


class ChannelRejected(ChannelError):
    """The channel understood and refused. Repeating the same call is useless; show it to a person."""

    code = "CHANNEL_REJECTED"


class ChannelAuthFailed(ChannelRejected):
    """The channel does not accept the credentials, or they lack a right. A person has to change them."""

    code = "CHANNEL_AUTH_FAILED"


class WebhookNotGenuine(ChannelRejected):
    """A webhook whose signature is missing or does not fit its body. Answer 401 and keep nothing of it."""

    code = "WEBHOOK_NOT_GENUINE"


class StaleQuantity(ChannelError):
    """The channel's figure is no longer the one the change started from. Read again, then decide again."""

    code = "STALE_QUANTITY"
