from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.models import ListingPush, PublicationLine
from channels_sync.operations import remembering
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.remembering import forget_old_maxima
from channels_sync.tasks import forget_old_maxima as task
from tests.channels_sync.factories import let_all_flow, make_channel, make_listing, push_of
from tests.factories import make_location, put_on_hand

pytestmark = pytest.mark.django_db


def shown(*quantities):
    """A listing that showed each of these in turn, the first so many days ago: (quantity, days)."""
    listing = make_listing(channel=let_all_flow(make_channel()))
    site, have = make_location(), 0
    absorb_changes()
    for quantity, _ in quantities:
        if quantity > have:
            put_on_hand(listing.item, site, str(quantity - have))
            absorb_changes()
            have = quantity
    lines = PublicationLine.objects.filter(listing=listing).order_by("version")
    for line, (quantity, days) in zip(lines[1:], quantities, strict=True):
        assert line.after == quantity
        PublicationLine.objects.filter(pk=line.pk).update(recorded_at=timezone.now() - timedelta(days=days))
    lines.filter(version=1).update(recorded_at=timezone.now() - timedelta(days=100))
    return listing


def lower_to(listing, quantity):
    """As if it had fallen since: what is wanted is less than what was shown."""
    ListingPush.objects.filter(listing=listing).update(wanted=quantity)


def test_what_was_shown_more_than_thirty_days_ago_is_forgotten():
    listing = shown((40, 60), (50, 45), (60, 20))
    PublicationLine.objects.filter(listing=listing, after=60).update(after=7)
    lower_to(listing, 7)

    assert forget_old_maxima() == 1

    assert push_of(listing).recent_max == 50  # it still showed that when the thirty days began


def test_what_was_shown_lately_is_kept():
    listing = shown((40, 20), (60, 10))
    lower_to(listing, 3)

    assert forget_old_maxima() == 0
    assert push_of(listing).recent_max == 60


def test_it_is_never_less_than_what_is_wanted_now():
    listing = shown(
        (40, 90),
    )
    PublicationLine.objects.filter(listing=listing).update(after=1)
    ListingPush.objects.filter(listing=listing).update(recent_max=500, wanted=40)

    task()

    assert push_of(listing).recent_max == 40


def test_goes_through_all_in_steps(monkeypatch):
    monkeypatch.setattr(remembering, "LISTINGS_PER_STEP", 1)
    listings = [shown((40, 90)) for _ in range(3)]
    ListingPush.objects.update(recent_max=500)

    assert forget_old_maxima() == 3
    assert {push_of(listing).recent_max for listing in listings} == {40}
