"""How an oversold order came about, from the real records of a listing."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from channels_sync.forensics import Gap, Stage
from channels_sync.models import PublicationLine
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.controlling import pause_channel
from channels_sync.reads.oversell import inquire
from inventory.operations.issuing import issue_stock
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def listing():
    """Shows 5, accepted; the next figures are worked out and wait."""
    found = make_listing(channel=make_channel(code="shop"), external_sku="CANDLE")
    put_on_hand(found.item, make_location(), "5")
    absorb_changes()
    now = timezone.now()
    PublicationLine.objects.filter(listing=found).update(sent_at=now, accepted_at=now, confirmed_at=now)
    return found


def place_of(listing):
    return listing.item.balances.get().location


def taken(listing, quantity="5"):
    issue_stock(key=uuid4(), item=listing.item, location=place_of(listing), quantity=Decimal(quantity), actor=None)


def asked(listing, *, quantity=2):
    return inquire(listing=listing, moment=timezone.now(), quantity=quantity)


def test_nothing_changed_so_the_sale_could_be_delivered(listing):
    found = asked(listing)

    assert (found.case.stock, found.case.shown, list(found.case.changes)) == (5, 5, [])
    assert found.verdict.gap == Gap.NONE


def test_a_change_nobody_worked_out_is_found(listing):
    taken(listing)

    found = asked(listing)

    assert (found.case.stock, found.case.shown) == (0, 5)
    assert [one.quantity for one in found.case.changes] == [-5]
    assert (found.verdict.gap, found.verdict.late) == (Gap.RECOMPUTE, 5)


def test_a_figure_that_waits_is_the_channels_delay_or_the_pause(listing):
    taken(listing)
    absorb_changes()
    assert asked(listing).verdict.gap == Gap.CHANNEL

    pause_channel(channel=listing.channel, actor=None, reason="stock count")

    assert asked(listing).verdict.gap == Gap.PAUSE


def test_more_sold_than_told_differed(listing):
    assert asked(listing, quantity=6).verdict.gap == Gap.DIFFERED


def test_before_the_first_figure_nothing_was_told(listing):
    found = inquire(listing=listing, moment=timezone.now() - timedelta(days=1), quantity=1)

    assert (found.case.shown, found.case.stock, found.verdict.gap) == (None, 0, Gap.NOTHING_TOLD)


def test_what_a_sales_channel_keeps_for_itself_is_not_there_to_deliver(listing):
    taken(listing)
    put_on_hand(listing.item, make_location(kind="channel_owned"), "7")

    assert asked(listing).case.stock == 0


def test_times_that_are_compared_have_seconds(client, listing):
    taken(listing, "4")
    client.force_login(make_user(role="planner"))
    moment = timezone.localtime()

    page = client.get(
        reverse("channels_sync:oversell", args=[listing.pk]),
        {"moment": moment.strftime("%Y-%m-%dT%H:%M:%S.%f"), "quantity": "2"},
    )

    assert f">{moment:%H:%M:%S}.{moment.microsecond // 100_000}</time>" in page.content.decode()


def test_the_page_puts_verdict_changes_and_figures_beside_each_other(client, listing):
    taken(listing, "4")
    client.force_login(make_user(role="planner"))
    address = reverse("channels_sync:oversell", args=[listing.pk])
    moment = timezone.localtime().strftime("%Y-%m-%dT%H:%M:%S.%f")

    page = client.get(address, {"moment": moment, "quantity": "2", "reference": "#1001"})

    text = page.content.decode()
    assert page.status_code == 200
    assert "Not worked out yet" in text
    assert "#1001" in text
    assert page.context["rows"][0].change.quantity == Decimal(-4)
    assert "Which sale could not be delivered?" in client.get(address).content.decode()
    assert address in client.get(reverse("channels_sync:listing", args=[listing.pk])).content.decode()


def test_the_page_says_how_long_the_gap_lasted_and_which_buffer_prevents_it(client, listing):
    taken(listing, "4")
    client.force_login(make_user(role="planner"))
    moment = timezone.localtime()

    found = inquire(listing=listing, moment=timezone.now(), quantity=2)
    page = client.get(
        reverse("channels_sync:oversell", args=[listing.pk]),
        {"moment": moment.strftime("%Y-%m-%dT%H:%M:%S.%f"), "quantity": "2"},
    )

    assert (found.verdict.buffer.units, found.verdict.buffer.deliverable) == (4, 1)
    assert found.verdict.delay.guilty.stage == Stage.WORKING_OUT
    text = page.content.decode()
    assert "With a buffer of 4 pcs, and everything else as it was, it would have shown 1." in text
    assert "Recorded to worked out" in text
    assert (
        f"{reverse('channels_sync:edit_policy')}?channel={listing.channel_id}&amp;listing_sku=CANDLE&amp;buffer=4"
        in text
    )


def test_a_moment_to_come_and_no_quantity_are_refused_in_words(client, listing):
    client.force_login(make_user(role="planner"))

    page = client.get(
        reverse("channels_sync:oversell", args=[listing.pk]), {"moment": "2999-01-01T00:00", "quantity": "0"}
    )

    assert page.status_code == 422
    assert "still to come" in page.content.decode()
    assert page.context["inquiry"] is None


def test_the_page_asks_the_same_number_of_questions_for_one_and_for_twenty_changes(client, listing):
    client.force_login(make_user(role="planner"))

    def questions():
        moment = timezone.localtime().strftime("%Y-%m-%dT%H:%M:%S.%f")
        with CaptureQueriesContext(connection) as queries:
            page = client.get(reverse("channels_sync:oversell", args=[listing.pk]), {"moment": moment, "quantity": "1"})
        return len(queries), len(page.context["rows"])

    put_on_hand(listing.item, place_of(listing), "1")
    questions()
    one = questions()
    for _ in range(19):
        put_on_hand(listing.item, place_of(listing), "1")

    assert questions() == (one[0], 20)


def test_the_page_wants_the_right_to_see_listings(client, listing):
    client.force_login(make_user())

    assert client.get(reverse("channels_sync:oversell", args=[listing.pk])).status_code == 403
