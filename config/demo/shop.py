"""The sandbox shop of the demo company: its products, the channel, listings and rules."""

import json
import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from django.conf import settings

from channels_sync.credentials import Secrets, account_of
from channels_sync.errors import ChannelAuthFailed
from channels_sync.models import AllocationPolicy, Channel, ChannelMode, Listing
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.controlling import set_channel_mode, set_credentials
from channels_sync.operations.offering import create_listing
from channels_sync.sandbox.control import SandboxControl
from config.demo.steps import item
from inventory.operations.posting import Actor

CODE = "sandbox"


@dataclass(frozen=True, slots=True)
class Offer:
    """One product of the shop. `pack` is how many stock units a shopper gets."""

    sku: str
    item: str
    title: str
    price: str
    pack: str = "1"


OFFERS = (
    Offer("CANDLE-LAVENDER", "CANDLE-LAVENDER", "Soy candle, lavender, 220 ml", "18.00"),
    Offer("CANDLE-LAVENDER-3", "CANDLE-LAVENDER", "Soy candle, lavender, pack of three", "49.00", "3"),
    Offer("CANDLE-CEDAR", "CANDLE-CEDAR", "Soy candle, cedar, 220 ml", "18.00"),
    Offer("GIFT-SET", "GIFT-SET", "Gift set, lavender and cedar", "42.00"),
    Offer("GARDEN-ROBOT", "GARDEN-ROBOT", "Garden robot kit", "1195.00"),
)


def ensure_shop(actor: Actor) -> Channel | None:
    """The channel to the sandbox shop, ready to send; None when no shop runs beside this checkout."""
    url = settings.SANDBOX_SHOP_URL
    access_token, _ = _tokens()
    control = staff_of_shop()
    if not url or not access_token or control is None:
        return None
    products = [{"sku": offer.sku, "title": offer.title, "price": offer.price} for offer in OFFERS]
    with control as shop:
        made = shop.put_products(products)
    channel = _ensure_channel(url, access_token, location_id=str(made[0]["location_id"]), actor=actor)
    _ensure_rules(channel, actor)
    for offer in OFFERS:
        if not Listing.objects.filter(channel=channel, external_sku__iexact=offer.sku).exists():
            create_listing(
                channel=channel,
                item=item(offer.item),
                external_sku=offer.sku,
                title=offer.title,
                pack_size=Decimal(offer.pack),
                actor=actor,
            )
    return channel


def staff_of_shop() -> SandboxControl | None:
    """The staff entrance of the sandbox shop, to be closed by the caller; None when no shop runs beside this checkout."""
    url = settings.SANDBOX_SHOP_URL
    _, control_token = _tokens()
    return SandboxControl(url=url, control_token=control_token) if url and control_token else None


def _tokens() -> tuple[str, str]:
    """The tokens of the shop that the supervisor runs, from its folder or the environment."""
    folder = Path(settings.VAR_DIR) / "sandbox"
    access = os.environ.get("SANDBOX_TOKEN", "") or _text(folder / "access-token")
    control = os.environ.get("SANDBOX_CONTROL_TOKEN", "")
    if not control:
        try:
            control = str(json.loads(_text(folder / "address.json"))["control_token"])
        except (ValueError, KeyError):
            control = ""
    return access, control


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _ensure_channel(url: str, access_token: str, *, location_id: str, actor: Actor) -> Channel:
    channel = Channel.objects.filter(code=CODE).first()
    if channel is None:
        channel = Channel.objects.create(
            code=CODE,
            name="Sandbox shop",
            adapter="shopify",
            mode=ChannelMode.SHADOW,
            base_url=url,
            storefront_url=url,
            external_location_id=location_id,
        )
        channel = set_credentials(channel=channel, secrets=Secrets(access_token=access_token), actor=actor)
        return set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=actor)
    if channel.base_url != url:  # the shop got another port
        channel.base_url = channel.storefront_url = url
        channel.save(update_fields=["base_url", "storefront_url"])
    if not _knows(channel, access_token):
        channel = set_credentials(channel=channel, secrets=Secrets(access_token=access_token), actor=actor)
    return channel


def _knows(channel: Channel, access_token: str) -> bool:
    try:
        return account_of(channel).access_token == access_token
    except ChannelAuthFailed:
        return False


def _ensure_rules(channel: Channel, actor: Actor) -> None:
    if AllocationPolicy.objects.filter(channel=channel).exists():
        return
    set_policy(
        channel=channel, percent=Decimal(90), buffer=Decimal(2), note="A tenth stays for the market stall", actor=actor
    )
    set_policy(
        channel=channel,
        item=item("GARDEN-ROBOT"),
        percent=Decimal(100),
        buffer=Decimal(0),
        maximum_to_list=Decimal(5),
        note="Few, and each one dear",
        actor=actor,
    )
