import pytest

from channels_sync.models import ListingPush, PublicationLine
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.publishing import publish_due
from tests.channels_sync.conftest import broken
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_location, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def listing(shop):
    listing = make_listing(channel=make_channel(), shop=shop)
    put_on_hand(listing.item, make_location(), "10")
    absorb_changes()
    publish_due(channel_id=listing.channel_id)
    assert broken() == []
    return listing


def change_derivation(change):
    line = PublicationLine.objects.get()
    change(line.derivation)
    PublicationLine.objects.update(derivation=line.derivation)


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (lambda: PublicationLine.objects.update(after=9), "derivations_recompute"),
        (lambda: change_derivation(lambda d: d["listing"].update(pack_size="2")), "derivations_recompute"),
        (lambda: change_derivation(lambda d: d["terms"].update(buffer=["3", 0])), "derivations_recompute"),
        (lambda: change_derivation(lambda d: d.pop("terms")), "derivations_recompute"),
        (
            lambda: change_derivation(lambda d: d["stock"]["sources"][0].update(withheld="1")),
            "derivations_agree_with_the_ledger",
        ),
        (lambda: ListingPush.objects.update(wanted=9), "outbox_wants_the_newest_line"),
        (lambda: ListingPush.objects.update(version=2), "outbox_wants_the_newest_line"),
        (lambda: PublicationLine.objects.update(state="queued"), "accepted_lines_were_sent"),
        (lambda: PublicationLine.objects.update(state="sent"), "nothing_sent_is_forgotten"),
        (lambda: PublicationLine.objects.update(run=0), "lines_lead_to_what_exists"),
        (lambda: PublicationLine.objects.update(listing=0), "lines_lead_to_what_exists"),
    ],
)
def test_damage_is_found(listing, damage, name):
    damage()

    assert name in {finding.split(":")[0] for finding in broken()}
