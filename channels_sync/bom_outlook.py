"""What a change of a BOM means for listings: how many of what each one sells could be made, before and after."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from django.urls import reverse

from channels_sync.models import Listing
from production.panels import BuildableChange, ListingChange


def buildable_by_listing(changes: Sequence[BuildableChange]) -> list[ListingChange]:
    """Each active listing of the items, in whole packs of what it sells. One query."""
    by_item = {change.item_id: change for change in changes}
    found = Listing.objects.filter(item__in=list(by_item), is_active=True).select_related("channel", "item")
    return [
        ListingChange(
            item_id=listing.item_id,
            channel=listing.channel.name,
            label=listing.external_sku,
            before=_packs(by_item[listing.item_id].before, listing.pack_size),
            after=_packs(by_item[listing.item_id].after, listing.pack_size),
            unit=listing.item.stock_unit if listing.pack_size == 1 else "packs",
            url=reverse("channels_sync:listing", args=[listing.pk]),
        )
        for listing in found.order_by("channel__name", "external_sku")
    ]


def _packs(quantity: Decimal | None, pack_size: Decimal | int) -> Decimal | None:
    """Whole packs; None: nothing limits it."""
    if quantity is None:
        return None
    return (quantity / Decimal(pack_size)).to_integral_value(rounding=ROUND_FLOOR)
