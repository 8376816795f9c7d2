"""What every channel adapter offers, in the words of this product.

An adapter is a plain HTTP client: it knows no database and keeps no state but a connection and a token. It satisfies
as many of the small protocols below as its channel can do, and names them in `capabilities`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit
from uuid import UUID, uuid5

_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Capability(StrEnum):
    """What an adapter can be asked for. One protocol each."""

    CHECK_CONNECTION = "check_connection"
    PUBLISH_QUANTITIES = "publish_quantities"
    READ_QUANTITIES = "read_quantities"
    DISCOVER_LISTINGS = "discover_listings"
    CONNECT_LISTINGS = "connect_listings"
    VERIFY_WEBHOOKS = "verify_webhooks"


class QuantityMeaning(StrEnum):
    """Which number the channel wants to be told."""

    AVAILABLE = "available"  # free to promise; the channel already took its open orders off
    ON_HAND = "on_hand"  # physically there; the channel takes its unshipped orders off by itself


class PushState(StrEnum):
    """How the channel answered one row."""

    ACCEPTED = "accepted"  # the channel shows the figure, or answered a repeat of a call it had already done
    STALE = "stale"  # the channel's figure was not the expected one: import orders, read, compute again, new key
    REJECTED = "rejected"  # useless to repeat: show it
    RETRY_LATER = "retry_later"  # not done now: repeat the same row with the same key


class ListingMatchState(StrEnum):
    """What the channel has under a SKU."""

    FOUND = "found"
    MISSING = "missing"
    AMBIGUOUS = "ambiguous"  # several items carry this SKU: a person has to choose


class Meter(Protocol):
    """The allowance of an account, which everybody who calls it shares. An adapter pays before each call it makes."""

    def pay(self, points: float) -> None:
        """Take `points` out of the allowance, waiting a bounded time for them.

        Raises ChannelThrottled, with the seconds that are still missing, when the wait would be longer.
        """
        ...

    def heed(self, *, available: float, points_max: float | None = None, refill: float | None = None) -> None:
        """What the channel says is left of the allowance, the most it holds, and its refill each second."""
        ...

    def rest(self, seconds: float) -> None:
        """The channel wants to hear nothing from this account for so long."""
        ...


class CallKeys(Protocol):
    """Where the idempotency keys of further calls come from. Whoever gives them out keeps them before the call leaves, so
    that a call whose answer got lost can be closed by its key, by anybody, before anything newer goes out.
    """

    def next_key(self, used: str, listing_refs: Sequence[str], *, is_spent: bool) -> str | None:
        """The key for a further call with some rows of a call that carried `used` and was answered.

        `is_spent`: the channel said that nothing can be done under `used` any more. None: these rows may not be sent any
        more, for somebody else took them over.
        """
        ...


_DERIVED_KEYS = UUID("6d1c2d8e-61f0-5d0e-9d0c-6f4b0e8a3f21")


class DerivedKeys:
    """Keys for a caller that keeps nothing: each follows from the one before and the rows, and repeats as they repeat."""

    def next_key(self, used: str, listing_refs: Sequence[str], *, is_spent: bool) -> str | None:
        return str(uuid5(_DERIVED_KEYS, "\x1f".join((used, str(is_spent), *sorted(listing_refs)))))


DERIVED_KEYS = DerivedKeys()


class Unmetered:
    """For calls nobody counts: a first try of an account that is not stored yet, tests of an adapter."""

    def pay(self, points: float) -> None:
        pass

    def heed(self, *, available: float, points_max: float | None = None, refill: float | None = None) -> None:
        pass

    def rest(self, seconds: float) -> None:
        pass


@dataclass(frozen=True, slots=True)
class ChannelAccount:
    """Where a channel account is and how to get in. Secrets stay out of `repr`.

    Either `access_token`, or `client_id` and `client_secret` from which the adapter fetches tokens. Plain http is
    refused except on this machine, unless `allow_plain_http` says that the way there is private.
    """

    base_url: str
    api_version: str
    access_token: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)  # newest first; old ones while they rotate
    timeout_seconds: float = 20.0
    throttle_wait_seconds_max: float = 5.0  # how long one call may wait for the channel's allowance before it gives up
    allow_plain_http: bool = False
    meter: Meter = field(default=Unmetered(), repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError(
                "base_url must be an http(s) address without user name and query, such as https://shop.example"
            )
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK_HOSTS and not self.allow_plain_http:
            raise ValueError(f"{parts.hostname} is asked for over plain http, which would show the token. Use https.")
        if not self.access_token and not (self.client_id and self.client_secret):
            raise ValueError("The account needs an access token, or a client id with its secret.")
        if self.timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds must be positive, not {self.timeout_seconds}")


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """What one call may carry and what it costs.

    The allowance is a bucket of `bucket_points` that refills by `refill_points_per_second`, for all channels of an account
    together. Adapters pay for each call through `ChannelAccount.meter`.
    """

    publish_rows_max: int
    read_rows_max: int
    quantity_max: int
    bucket_points: int
    refill_points_per_second: int
    publish_points: int  # per call, whatever its number of rows


@dataclass(frozen=True, slots=True)
class QuantityPush:
    """One figure for one listing at one location of the channel.

    `expected_quantity` is the channel's figure as last read; the change is refused as stale when it is another by now.
    None sends without that check and may overwrite a sale nobody has seen yet.
    `idempotency_key` is the key of the call the row goes in: rows with one key share a call and a reference, and are at most
    `publish_rows_max`. Under one key the channel does at most one call, whatever it carries: a call whose answer got lost is
    repeated, or sent with what is wanted by now, under its own key, and only what is answered makes room for a new one.
    `reference_uri` is kept by the channel beside the change.
    """

    listing_ref: str
    sku: str
    external_item_id: str
    external_location_id: str
    quantity: int
    expected_quantity: int | None
    version: int
    idempotency_key: str
    reference_uri: str


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What the channel said about one pushed row.

    `code` is the channel's own word (empty when accepted), `message` is for people, `channel_quantity` is the figure
    right after the change where the channel told it. `request_key` is the key the call carried. `is_key_spent` says that no
    earlier call under that key can change anything any more; true of everything accepted.
    """

    listing_ref: str
    state: PushState
    code: str = ""
    message: str = ""
    channel_quantity: int | None = None
    request_key: str = ""
    is_key_spent: bool = False


@dataclass(frozen=True, slots=True)
class QuantityTarget:
    """One listing at one location whose figure is asked for."""

    listing_ref: str
    external_item_id: str
    external_location_id: str


@dataclass(frozen=True, slots=True)
class QuantityReading:
    """The channel's own figures. All None when the channel does not stock the item at that location.

    `listing_ref` is empty when a whole location was read. `read_at` is our clock when the answer arrived.
    """

    listing_ref: str
    external_item_id: str
    external_location_id: str
    sku: str
    available: int | None
    on_hand: int | None
    committed: int | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class DiscoveredListing:
    """One item of the channel that carries the SKU exactly as we write it."""

    sku: str
    title: str
    external_item_id: str
    external_variant_id: str
    external_product_id: str
    is_tracked: bool  # an untracked item sells without limit, whatever figure it gets


@dataclass(frozen=True, slots=True)
class ListingMatch:
    """What the channel has under `sku`: one candidate when found, none when missing, one or more when ambiguous."""

    sku: str
    state: ListingMatchState
    candidates: tuple[DiscoveredListing, ...] = ()

    @property
    def listing(self) -> DiscoveredListing | None:
        """The one listing found, None when there is none or a choice to make."""
        return self.candidates[0] if self.state is ListingMatchState.FOUND else None


@dataclass(frozen=True, slots=True)
class ChannelLocation:
    """A place the channel keeps stock for."""

    external_id: str
    name: str
    is_active: bool
    fulfills_online_orders: bool
    is_fulfillment_service: bool
    country_code: str
    postal_code: str


@dataclass(frozen=True, slots=True)
class ShopIdentity:
    """Who answers: for the page where an account is entered."""

    name: str
    domain: str
    currency: str


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """The verified envelope of a webhook. Its body is a hint: fetch the object before acting on it."""

    topic: str
    delivery_id: str
    event_id: str
    shop_domain: str
    triggered_at: datetime | None


class ChannelAdapter(Protocol):
    """What every adapter has."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    @property
    def limits(self) -> ChannelLimits: ...

    @property
    def quantity_meaning(self) -> QuantityMeaning: ...

    def close(self) -> None: ...


@runtime_checkable
class ConnectionChecker(Protocol):
    """`Capability.CHECK_CONNECTION`"""

    def check_connection(self) -> ShopIdentity:
        """Prove the address and the credentials with the cheapest call there is. Raises ChannelError."""
        ...


@runtime_checkable
class QuantityPublisher(Protocol):
    """`Capability.PUBLISH_QUANTITIES`"""

    def publish_quantities(self, pushes: Sequence[QuantityPush], *, keys: CallKeys = DERIVED_KEYS) -> list[PushOutcome]:
        """Set each row's figure; one outcome per row, in the order given. A bad row does not hold up the others.

        One call per `idempotency_key`; each further call, such as one without a bad row, takes its key from `keys`.
        Raises ChannelUnavailable or ChannelRejected when the channel as a whole did not play along; rows that had
        their answer by then are in `settled`.
        """
        ...


@runtime_checkable
class QuantityReader(Protocol):
    """`Capability.READ_QUANTITIES`"""

    def read_quantities(self, targets: Sequence[QuantityTarget]) -> list[QuantityReading]:
        """The channel's present figures, one per target, in the order given. Raises ChannelError."""
        ...

    def read_location(self, external_location_id: str) -> Iterator[QuantityReading]:
        """Everything the channel stocks at one location, page by page. Raises ChannelError."""
        ...


@runtime_checkable
class ListingDirectory(Protocol):
    """`Capability.DISCOVER_LISTINGS`"""

    def locations(self) -> list[ChannelLocation]:
        """The places the channel keeps stock for. Raises ChannelError."""
        ...

    def discover_listings(self, skus: Sequence[str]) -> list[ListingMatch]:
        """What the channel has under each SKU, in the order given; compared exactly. Raises ChannelError."""
        ...


@runtime_checkable
class ListingConnector(Protocol):
    """`Capability.CONNECT_LISTINGS`"""

    def connect_listing(
        self, *, external_item_id: str, external_location_id: str, available: int | None, idempotency_key: str
    ) -> QuantityReading:
        """Have the channel stock the item at the location, with `available` units where it was not stocked before.

        Harmless when it already is. Raises ChannelRejected when the channel refuses.
        """
        ...


@runtime_checkable
class WebhookVerifier(Protocol):
    """`Capability.VERIFY_WEBHOOKS`"""

    def verify_webhook(self, *, headers: Mapping[str, str], body: bytes) -> WebhookDelivery:
        """Check the signature over the raw body, before it is parsed. Raises WebhookNotGenuine."""
        ...
