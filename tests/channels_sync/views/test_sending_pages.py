"""The pages of sending."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from channels_sync.models import Channel, ListingPush, SendingAccount, SendingWindow
from channels_sync.models.pushes import SEND_ATTEMPTS_MAX
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.metering import ensure_account
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db
HOURS = {
    "kind": "quiet",
    "scope": "raises",
    "weekdays": ["0", "5"],
    "starts_at": "22:00",
    "ends_at": "06:00",
    "reason": "people sleep",
}


@pytest.fixture
def channel():
    return make_channel(code="shop", name="Candle shop")


@pytest.fixture
def as_role(client):
    def log_in(role):
        client.force_login(make_user(role=role))
        return client

    return log_in


def given_up(channel, sku="CANDLE"):
    listing = make_listing(channel=channel, external_sku=sku)
    put_on_hand(listing.item, make_location(), "4")
    absorb_changes()
    ListingPush.objects.filter(listing=listing).update(attempts=SEND_ATTEMPTS_MAX, last_error="It is a bundle.")
    return listing


def test_the_page_says_what_each_channel_does_and_why(as_role, channel):
    ensure_account(channel)
    SendingAccount.objects.update(points=500)
    client = as_role("planner")
    client.post(reverse("channels_sync:pause", args=["shop"]), {"reason": "stock count", "from": "sending"})

    page = client.get(reverse("channels_sync:publishing")).content.decode()

    assert "Paused" in page
    assert "stock count" in page
    assert "of 2,000, 100/s" in page


def test_a_page_without_channels_teaches(as_role):
    assert "No channel yet" in as_role("viewer").get(reverse("channels_sync:publishing")).content.decode()


def test_all_channels_are_paused_with_a_reason_and_resumed(as_role, channel):
    client = as_role("planner")

    client.post(reverse("channels_sync:switch_all"), {"reason": "fire alarm"})
    paused = client.get(reverse("channels_sync:publishing")).content.decode()
    client.post(reverse("channels_sync:switch_all"), {"to": "resume"})

    assert "Nothing is sent anywhere: fire alarm." in paused
    assert Channel.objects.get().is_paused is False


def test_an_administrator_adds_hours_and_removes_them(as_role, channel):
    client = as_role("administrator")
    address = reverse("channels_sync:sending", args=["shop"])

    client.post(address, HOURS)
    page = client.get(address).content.decode()
    window = SendingWindow.objects.get()
    client.post(reverse("channels_sync:remove_hours", args=[window.pk]))

    assert (window.weekdays, window.scope, str(window.ends_at)) == ("05", "raises", "06:00:00")
    assert "Mon, Sat" in page
    assert "people sleep" in page
    assert SendingWindow.objects.count() == 0


def test_hours_without_a_length_are_refused_at_their_field(as_role, channel):
    answer = as_role("administrator").post(
        reverse("channels_sync:sending", args=["shop"]), {**HOURS, "ends_at": "22:00"}
    )

    assert answer.status_code == 422
    assert "begins and ends at the same time" in answer.content.decode()
    assert SendingWindow.objects.count() == 0


def test_a_planner_sets_no_hours(as_role, channel):
    answer = as_role("planner").post(reverse("channels_sync:sending", args=["shop"]), HOURS)

    assert answer.status_code == 403
    assert SendingWindow.objects.count() == 0


def test_clock_and_share_are_set_and_refused_in_words(as_role, channel):
    client = as_role("administrator")
    address = reverse("channels_sync:change_pace", args=["shop"])

    client.post(address, {"time_zone": "Europe/Berlin", "share_percent": "40"})
    refused = client.post(address, {"time_zone": "Mars/Base", "share_percent": "50"})

    channel.refresh_from_db()
    assert (channel.time_zone, SendingAccount.objects.get().share_percent) == ("Europe/Berlin", 40)
    assert refused.status_code == 422
    assert "No time zone is called “Mars/Base”" in refused.content.decode()


def test_what_was_given_up_is_shown_with_its_words_and_tried_again(as_role, channel):
    first, second = given_up(channel, "A"), given_up(channel, "B")
    client = as_role("planner")
    page = client.get(reverse("channels_sync:sending", args=["shop"])).content.decode()

    client.post(reverse("channels_sync:retry_given_up", args=["shop"]), {"listing": [first.pk]})
    after_one = (push_of(first).attempts, push_of(second).attempts)
    client.post(reverse("channels_sync:retry_given_up", args=["shop"]), {"which": "all"})

    assert "It is a bundle." in page
    assert after_one == (0, SEND_ATTEMPTS_MAX)
    assert push_of(second).attempts == 0


def test_channels_of_one_account_are_named(as_role, channel):
    make_channel(name="Second shop", base_url=channel.base_url)
    ensure_account(channel)

    page = as_role("viewer").get(reverse("channels_sync:sending", args=["shop"])).content.decode()

    assert "Second shop" in page


def queries(client, address):
    with CaptureQueriesContext(connection) as found:
        assert client.get(address).status_code == 200
    return len(found)


def test_pages_cost_the_same_queries_with_20_times_the_rows(as_role, channel):
    client = as_role("administrator")
    ensure_account(channel)
    addresses = [reverse("channels_sync:publishing"), reverse("channels_sync:sending", args=["shop"])]
    given_up(channel, "S")
    SendingWindow.objects.create(channel=channel, starts_at="01:00", ends_at="02:00")
    few = [[queries(client, address) for address in addresses] for _ in range(2)][1]
    for number in range(19):
        given_up(channel, f"S{number}")
        SendingWindow.objects.create(channel=channel, starts_at=f"{number:02}:00", ends_at=f"{number:02}:30")
        make_channel()

    assert [queries(client, address) for address in addresses] == few
