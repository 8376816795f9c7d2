"""The channels this product can speak to: name, title, what a person has to enter, and how to make the adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from channels_sync.adapters.base import Capability, ChannelAccount, ChannelAdapter, ChannelLimits, QuantityMeaning
from channels_sync.adapters.shopify import ShopifyAdapter


@dataclass(frozen=True, slots=True)
class AccountField:
    """One field of the form where a channel account is entered. `name` is an attribute of ChannelAccount."""

    name: str
    label: str
    help_text: str
    is_required: bool = False
    is_secret: bool = False  # stored encrypted, never shown again
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdapterEntry:
    """A kind of channel. `one_of` lists groups of fields of which one group must be filled in."""

    name: str
    title: str
    make: Callable[[ChannelAccount], ChannelAdapter]
    fields: tuple[AccountField, ...]
    one_of: tuple[tuple[str, ...], ...]
    capabilities: frozenset[Capability]
    limits: ChannelLimits
    quantity_meaning: QuantityMeaning


_SHOPIFY = AdapterEntry(
    name=ShopifyAdapter.name,
    title="Shopify",
    make=ShopifyAdapter,
    fields=(
        AccountField(
            name="base_url",
            label="Shop address",
            help_text="The shop's own address, for example https://your-shop.myshopify.com.",
            is_required=True,
        ),
        AccountField(
            name="api_version",
            label="API version",
            help_text="Shopify serves each version for about a year.",
            is_required=True,
            default=ShopifyAdapter.API_VERSION_DEFAULT,
            choices=ShopifyAdapter.API_VERSIONS,
        ),
        AccountField(
            name="access_token",
            label="Admin API access token",
            help_text="Only for apps that were made in the shop's admin and have a permanent token.",
            is_secret=True,
        ),
        AccountField(
            name="client_id",
            label="Client id",
            help_text="Of the app made in the developer dashboard. Tokens are then fetched and renewed by themselves.",
        ),
        AccountField(
            name="client_secret",
            label="Client secret",
            help_text="Belongs to the client id. It also signs the webhooks.",
            is_secret=True,
        ),
    ),
    one_of=(("access_token",), ("client_id", "client_secret")),
    capabilities=ShopifyAdapter.capabilities,
    limits=ShopifyAdapter.limits,
    quantity_meaning=ShopifyAdapter.quantity_meaning,
)

ADAPTERS: Mapping[str, AdapterEntry] = MappingProxyType({entry.name: entry for entry in (_SHOPIFY,)})


def adapter_for(*, name: str, account: ChannelAccount) -> ChannelAdapter:
    """The adapter for a channel account; close it after use. Raises ValueError for a name nobody registered."""
    entry = ADAPTERS.get(name)
    if entry is None:
        raise ValueError(f"No adapter is called {name!r}. Known are: {', '.join(sorted(ADAPTERS))}.")
    return entry.make(account)
