"""What the resolvers of one request share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from graphql import GraphQLError, GraphQLResolveInfo

from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Shop:
    """Who the shop is."""

    name: str
    domain: str
    currency: str


class KeysInFlight:
    """Idempotency keys that are being worked on right now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[tuple[str, str]] = set()

    def claim(self, key: tuple[str, str]) -> bool:
        with self._lock:
            if key in self._keys:
                return False
            self._keys.add(key)
            return True

    def release(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._keys.discard(key)


@dataclass(frozen=True, slots=True)
class Context:
    """What the resolvers of one request need."""

    store: Store
    shop: Shop
    app: str
    version: str
    faults: Faults
    in_flight: KeysInFlight
    sleep: Callable[[float], None] = time.sleep


def context_of(info: GraphQLResolveInfo) -> Context:
    """The context the request was executed with."""
    context = info.context
    assert isinstance(context, Context)
    return context


def api_error(code: str, message: str) -> GraphQLError:
    """An error that stands beside the data, with Shopify's code."""
    return GraphQLError(message, extensions={"code": code})
