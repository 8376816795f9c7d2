"""The pages of latency."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from channels_sync.models import PublicationLine, PublishRun
from channels_sync.templatetags.latency import seconds_in_words
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def published(listing, *, seconds, hours_ago=1, version=1):
    """A version confirmed `seconds` after stock changed: worked out after 1, sent after 2, accepted after 3."""
    changed = timezone.now() - timedelta(hours=hours_ago)
    run = PublishRun.objects.create(cause="stock", channel=listing.channel, changed_at=changed)
    line = PublicationLine.objects.create(
        run=run,
        listing=listing,
        version=version,
        after=1,
        derivation={},
        sent_at=changed + timedelta(seconds=2),
        accepted_at=changed + timedelta(seconds=3),
        confirmed_at=changed + timedelta(seconds=seconds),
    )
    PublicationLine.objects.filter(pk=line.pk).update(recorded_at=changed + timedelta(seconds=1))
    return line


@pytest.fixture
def reader(client):
    client.force_login(make_user(role="planner"))
    return client


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        ("0.04", "40 ms"),
        ("3.24", "3.2 s"),
        ("125", "2 min 5 s"),
        ("120", "2 min"),
        ("12000", "3 h 20 min"),
        ("187200", "2 d 4 h"),
    ],
)
def test_short_times_have_words(seconds, words):
    assert seconds_in_words(None if seconds is None else Decimal(seconds)) == words


def test_a_channel_shows_its_stages_its_chart_and_its_slowest_publishes(reader):
    listing = make_listing(channel=make_channel(code="shop"), external_sku="CANDLE")
    line = published(listing, seconds=125)

    page = reader.get(reverse("channels_sync:latency", args=["shop"])).content.decode()

    assert page.count("2 min 5 s") >= 4
    assert "Read back: median 2 min 2 s, 99 % within 2 min 2 s" in page
    assert reverse("channels_sync:listing", args=[listing.pk]) in page
    assert reverse("channels_sync:run", args=[line.run_id]) in page


def test_the_slowest_come_first_and_other_channels_are_left_out(reader):
    channel = make_channel(code="shop")
    for place, seconds in enumerate((10, 400, 30)):
        published(make_listing(channel=channel, external_sku=f"SKU-{seconds}"), seconds=seconds, version=place + 1)
    published(make_listing(channel=make_channel(code="other"), external_sku="ELSEWHERE"), seconds=999)

    here = reader.get(reverse("channels_sync:latency", args=["shop"]))
    everywhere = reader.get(reverse("channels_sync:latencies"))

    assert [one.external_sku for one in here.context["slowest"]] == ["SKU-400", "SKU-30", "SKU-10"]
    assert everywhere.context["slowest"][0].external_sku == "ELSEWHERE"


def test_a_chosen_time_leaves_out_what_is_older(reader):
    published(make_listing(channel=make_channel(code="shop")), seconds=10, hours_ago=30)

    day = reader.get(reverse("channels_sync:latency", args=["shop"]), {"time": "24h"})
    week = reader.get(reverse("channels_sync:latency", args=["shop"]), {"time": "7d"})

    assert "Nothing measured in this time" in day.content.decode()
    assert week.context["rows"][0][1][-1].latency.measured == 1


def test_an_unknown_time_is_a_week(reader):
    make_channel(code="shop")

    assert reader.get(reverse("channels_sync:latencies"), {"time": "ever"}).context["chosen"] == "7d"


def test_the_page_asks_the_same_number_of_questions_for_one_and_for_twenty(reader):
    def asked(name, *args):
        with CaptureQueriesContext(connection) as queries:
            assert reader.get(reverse(name, args=args)).status_code == 200
        return len(queries)

    published(make_listing(channel=make_channel(code="shop")), seconds=5)
    asked("channels_sync:latencies")
    one = asked("channels_sync:latencies"), asked("channels_sync:latency", "shop")
    for _ in range(19):
        published(make_listing(channel=make_channel()), seconds=5)

    assert (asked("channels_sync:latencies"), asked("channels_sync:latency", "shop")) == one


def test_the_page_wants_the_right_to_see_channels(client):
    make_channel(code="shop")
    client.force_login(make_user())

    assert client.get(reverse("channels_sync:latencies")).status_code == 403
    assert client.get(reverse("channels_sync:latency", args=["shop"])).status_code == 403
