from decimal import Decimal

import pytest

from channels_sync.models import AllocationPolicy
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from inventory.errors import InvalidQuantity
from inventory.models import StockChange
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


def make_offer(quantity="10"):
    listing = make_listing(channel=make_channel())
    put_on_hand(listing.item, make_location(), quantity)
    absorb_changes()
    return listing


def test_a_new_version_ends_the_one_before():
    channel, author = make_channel(), make_user()
    first = set_policy(channel=channel, percent=Decimal(50), actor=None)

    second = set_policy(channel=channel, percent=Decimal(60), note="Season", actor=author)

    first.refresh_from_db()
    assert (first.version, second.version) == (1, 2)
    assert first.effective_to == second.effective_from
    assert (second.effective_to, second.created_by, second.note) == (None, author, "Season")


def test_the_same_terms_again_change_nothing():
    first = set_policy(percent=Decimal(50), actor=None)
    StockChange.objects.all().delete()

    again = set_policy(percent=Decimal("50.000"), actor=None)

    assert again == first
    assert not StockChange.objects.exists()


@pytest.mark.parametrize("scope", ["everything", "channel", "item", "item on channel", "listing"])
def test_every_scope_reaches_the_listing(scope):
    listing = make_offer("10")
    where = {
        "everything": {},
        "channel": {"channel": listing.channel},
        "item": {"item": listing.item},
        "item on channel": {"item": listing.item, "channel": listing.channel},
        "listing": {"listing": listing},
    }[scope]

    set_policy(**where, buffer=Decimal(3), actor=None)
    absorb_changes()

    assert push_of(listing).wanted == 7


def test_the_narrower_scope_wins_whatever_came_first():
    listing = make_offer("10")
    set_policy(listing=listing, buffer=Decimal(1), actor=None)
    set_policy(channel=listing.channel, buffer=Decimal(5), percent=Decimal(50), actor=None)

    absorb_changes()

    assert push_of(listing).wanted == 4  # (10 - 1) x 50 %


def test_another_channel_is_not_touched():
    listing = make_offer("10")
    set_policy(channel=make_channel(), buffer=Decimal(5), actor=None)

    absorb_changes()

    assert push_of(listing).wanted == 10


def test_empty_terms_give_the_wider_scope_its_say_again():
    listing = make_offer("10")
    set_policy(channel=listing.channel, buffer=Decimal(5), actor=None)
    set_policy(channel=listing.channel, actor=None)

    absorb_changes()

    assert push_of(listing).wanted == 10


@pytest.mark.parametrize(
    "terms",
    [
        {"percent": Decimal("100.001")},
        {"percent": Decimal(-1)},
        {"percent": Decimal("1.0001")},
        {"buffer": Decimal("-0.5")},
        {"buffer": Decimal("NaN")},
        {"minimum_to_list": Decimal("0.0000001")},
        {"maximum_to_list": Decimal("Infinity")},
    ],
)
def test_refuses_a_term_out_of_its_range_and_writes_nothing(terms):
    with pytest.raises(InvalidQuantity):
        set_policy(**terms, actor=None)

    assert not AllocationPolicy.objects.exists()
    assert not StockChange.objects.exists()
