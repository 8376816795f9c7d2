"""Secrets of channel accounts: encrypted in the database, readable only by those who talk to the channel.

Keys come from the setting FIELD_ENCRYPTION_KEYS, newest first: the first one encrypts, any of them decrypts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from channels_sync.adapters.base import ChannelAccount
from channels_sync.adapters.registry import ADAPTERS
from channels_sync.errors import ChannelAuthFailed
from channels_sync.models import Channel


@dataclass(frozen=True, slots=True)
class Secrets:
    """What gets one into an account: a token, or an id with its secret. Never shown, not even by `repr`."""

    access_token: str = field(default="", repr=False)
    client_id: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)  # newest first

    @property
    def is_complete(self) -> bool:
        return bool(self.access_token or (self.client_id and self.client_secret))


def encrypt(secrets: Secrets) -> str:
    return _keys().encrypt(json.dumps(asdict(secrets)).encode()).decode()


def decrypt(text: str) -> Secrets:
    """Raises ChannelAuthFailed when none of the present keys fits."""
    try:
        stored: Mapping[str, object] = json.loads(_keys().decrypt(text.encode()))
    except InvalidToken:
        raise ChannelAuthFailed(
            "The stored credentials were encrypted with a key that is no longer in FIELD_ENCRYPTION_KEYS. "
            "Add that key again, or enter the credentials anew."
        ) from None
    webhook_secrets = stored.get("webhook_secrets")
    return Secrets(
        access_token=str(stored.get("access_token", "")),
        client_id=str(stored.get("client_id", "")),
        client_secret=str(stored.get("client_secret", "")),
        webhook_secrets=tuple(str(one) for one in webhook_secrets) if isinstance(webhook_secrets, list) else (),
    )


def rotate(text: str) -> str:
    """The same credentials under the newest key. Raises ChannelAuthFailed when none of the present keys fits."""
    return encrypt(decrypt(text))


def account_of(channel: Channel) -> ChannelAccount:
    """Where the channel is and how to get in. Raises ChannelAuthFailed when that is not known."""
    secrets = decrypt(channel.credentials) if channel.credentials else Secrets()
    if not secrets.is_complete:
        raise ChannelAuthFailed(f"{channel.name} has no credentials. Enter an access token, or a client id and secret.")
    try:
        return ChannelAccount(
            base_url=channel.base_url,
            api_version=channel.api_version or _api_version_default(channel.adapter),
            access_token=secrets.access_token or None,
            client_id=secrets.client_id or None,
            client_secret=secrets.client_secret or None,
            webhook_secrets=secrets.webhook_secrets,
        )
    except ValueError as error:
        raise ChannelAuthFailed(f"{channel.name} cannot be reached: {error}") from None


def _api_version_default(adapter: str) -> str:
    entry = ADAPTERS.get(adapter)
    return next((one.default for one in entry.fields if one.name == "api_version"), "") if entry else ""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])
