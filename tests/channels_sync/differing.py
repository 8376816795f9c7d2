"""Listings of which a channel shows something else than it was sent."""

from django.utils import timezone

from channels_sync.models import Difference, Done
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.publishing import publish_due
from tests.channels_sync.factories import make_listing, push_of
from tests.factories import make_item, make_location, put_on_hand


def differing(channel, shop, count=1, *, cause="unexplained", theirs=4, name="CANDLE"):
    """Listings of ten that were sent and confirmed, of which the channel shows less."""
    site, made = make_location(), []
    for number in range(count):
        item = make_item(sku=f"{name}-{number:02}", is_sellable=True)
        listing = make_listing(channel=channel, item=item, shop=shop)
        put_on_hand(item, site, "10")
        made.append(listing)
    absorb_changes()
    publish_due(channel_id=channel.pk)
    confirm_sent(channel_id=channel.pk)
    now = timezone.now()
    return [
        Difference.objects.create(
            listing=listing,
            channel=channel,
            version=push_of(listing).version,
            ours=10,
            theirs=theirs,
            cause=cause,
            evidence="It fell by 6; orders of the channel account for 2 of them.",
            first_seen_at=now,
            last_seen_at=now,
            done=Done.TOLD,
        )
        for listing in made
    ]
