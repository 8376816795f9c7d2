"""What happens at the shop of the demo company behind its back, as it is found when the shop is read back.

One candle's figure was raised there by hand, one listing was lowered without an order, and a pack was sold whose order
nobody has told us of. Three causes, three cases; a person decides.
"""

from uuid import uuid4

from channels_sync.adapters.base import QuantityPublisher, QuantityPush
from channels_sync.models import Channel, DriftSetting, Listing
from channels_sync.operations.deciding_differences import set_drift
from channels_sync.operations.metering import enter
from channels_sync.operations.opening import open_channel
from channels_sync.operations.reading_back import read_everything
from config.demo.shop import staff_of_shop
from config.demo.stalling import follow
from inventory.operations.posting import Actor

EDITED = (("CANDLE-CEDAR", 6), ("GARDEN-ROBOT", -1))  # the shop's SKU, and by how much somebody changed it there
SOLD = "CANDLE-LAVENDER-3"


def ensure_drift(channel: Channel | None, actor: Actor) -> None:
    """Once: the shop is read back without a time to settle, for it shows every figure at once, and three listings differ."""
    if channel is None or DriftSetting.objects.filter(channel=channel).exists():
        return
    follow(channel)
    set_drift(channel=channel, values={"settle_minutes": 0}, actor=actor)
    for sku, change in EDITED:
        _edit(channel, sku, change)
    _sell(channel)
    read_everything(channel_id=channel.pk)


def _shown(channel: Channel, sku: str) -> tuple[Listing, int] | None:
    """The listing and what the shop was seen to show of it; None where it was not seen to show our newest figure."""
    listing = Listing.objects.select_related("push").get(channel=channel, external_sku=sku)
    push = listing.push
    if push.wanted is None or push.confirmed_version < push.version:
        return None
    return listing, push.wanted


def _edit(channel: Channel, sku: str, change: int) -> None:
    found = _shown(channel, sku)
    if found is None or found[1] + change < 0:
        return
    listing, shown = found
    by_hand = QuantityPush(
        listing_ref=str(listing.pk),
        sku=sku,
        external_item_id=listing.external_item_id,
        external_location_id=channel.external_location_id,
        quantity=shown + change,
        expected_quantity=shown,
        version=0,
        idempotency_key=str(uuid4()),
        reference_uri="gid://staff-of-the-shop/Correction/1",
    )
    with open_channel(channel, enter(channel)) as adapter:
        if isinstance(adapter, QuantityPublisher):
            adapter.publish_quantities([by_hand])


def _sell(channel: Channel) -> None:
    found, control = _shown(channel, SOLD), staff_of_shop()
    if control is None:
        return
    with control as shop:
        if found is not None and found[1] > 0:
            shop.sell(sku=SOLD, quantity=1)
