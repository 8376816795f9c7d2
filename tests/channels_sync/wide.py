"""Companies whose rules touch more listings than one transaction takes, with small transactions."""

from django.db.models import F

from channels_sync.models import ListingPush
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.deciding_wide import carry_out_decision
from tests.channels_sync.factories import let_all_flow, make_channel, make_listing
from tests.channels_sync.guarded import forget_window
from tests.factories import make_item, make_location, put_on_hand

ITEMS = 24


def make_company(*, guarded=False, **channel):
    """Two channels that offer ITEMS items, ten of each on hand, every figure worked out."""
    shop, market = (make_channel(**channel) for _ in range(2))
    if not guarded:
        for one in (shop, market):
            let_all_flow(one)
    site = make_location()
    items = [make_item(is_sellable=True) for _ in range(ITEMS)]
    for item in items:
        put_on_hand(item, site, "10")
        for offered_on in (shop, market):
            make_listing(channel=offered_on, item=item)
    absorb_all()
    return shop, market, items


def absorb_all():
    """Take in all news, work through all pieces, and carry out all decisions."""
    while absorb_changes() or carry_out_decision():
        pass


def as_sent():
    """As if everything wanted had been sent, long ago."""
    ListingPush.objects.update(sent_version=F("version"))
    forget_window()


def wanted(channel):
    return sorted(ListingPush.objects.filter(channel=channel).values_list("wanted", flat=True))
