"""Access tokens by the client-credentials grant: fetched once, shared by the process, renewed before they run out."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_RENEW_SECONDS_BEFORE = 300.0


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and when it ends on the monotonic clock."""

    value: str = field(repr=False)
    ends_at: float


class TokenCache:
    """Tokens per shop and app. Safe to use from several threads; one of them fetches while the others wait."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: dict[str, AccessToken] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @staticmethod
    def key_for(*, base_url: str, client_id: str, client_secret: str) -> str:
        """One entry per shop, app and secret, so that a changed secret is used at once. Holds no secret itself."""
        return hashlib.sha256("\0".join((base_url, client_id, client_secret)).encode()).hexdigest()

    def get(self, key: str, *, fetch: Callable[[], tuple[str, float]]) -> str:
        """The cached token, or the one `fetch` brings as (token, lifetime in seconds)."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            known = self._tokens.get(key)
            if known is not None and self._clock() < known.ends_at:
                return known.value
            value, lifetime_seconds = fetch()
            margin = min(_RENEW_SECONDS_BEFORE, lifetime_seconds / 2)
            self._tokens[key] = AccessToken(value, self._clock() + lifetime_seconds - margin)
            return value

    def forget(self, key: str, *, value: str) -> None:
        """Drop `value` because the shop refused it; a newer token another thread brought stays."""
        with self._guard:
            known = self._tokens.get(key)
            if known is not None and known.value == value:
                del self._tokens[key]


SHARED_TOKENS = TokenCache()
