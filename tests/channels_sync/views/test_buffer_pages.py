"""Buffer advice: the read behind it, exact, and its page."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from channels_sync.models import ChannelDemand, PublicationLine, PublishRun
from channels_sync.operations.allocating import set_policy
from channels_sync.reads.buffers import buffer_book
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db
RISK = Decimal("0.01")


def sold(item, channel, *, each_day, days=30):
    today = timezone.localdate()
    ChannelDemand.objects.bulk_create(
        ChannelDemand(item=item, channel=channel, day=today - timedelta(days=number), quantity=each_day)
        for number in range(1, days + 1)
    )


def measured(listing, *, seconds, times=20):
    changed = timezone.now() - timedelta(hours=2)
    for version in range(1, times + 1):
        run = PublishRun.objects.create(cause="stock", channel=listing.channel, changed_at=changed)
        PublicationLine.objects.create(
            run=run,
            listing=listing,
            version=version,
            after=1,
            derivation={},
            sent_at=changed,
            accepted_at=changed,
            confirmed_at=changed + timedelta(seconds=seconds),
        )


def make_pair(*, stock="100", sku="CANDLE"):
    """An item on the shop that is advised about, and on a market that sells 24 a day; news takes an hour."""
    shop, market = make_channel(), make_channel()
    item = make_item(is_sellable=True)
    put_on_hand(item, make_location(), stock)
    listing = make_listing(channel=shop, item=item, external_sku=sku)
    make_listing(channel=market, item=item)
    sold(item, market, each_day=24)
    measured(listing, seconds=3600)
    return listing


def row_of(listing, **asked):
    (row,) = buffer_book(risk=asked.get("risk", RISK), channel_id=listing.channel_id).rows
    return row


def test_one_sale_an_hour_and_news_an_hour_late_needs_four_for_one_percent():
    # Poisson with mean 1: more than 3 has 1.899 %, more than 4 has 0.366 %.
    row = row_of(make_pair())

    assert (row.present, row.advised, row.shown) == (0, 4, 100)
    assert row.advice.chance.quantize(Decimal("0.00001")) == Decimal("0.00366")
    assert (row.cost.hidden, row.cost.percent, row.cost.lost_a_day) == (4, 4, 0)
    assert row.late_a_day == 24


def test_the_largest_pack_of_others_counts_whichever_listings_are_asked_about():
    listing = make_pair()
    other = listing.item.listings.exclude(pk=listing.pk).get()
    make_listing(channel=other.channel, item=listing.item, external_sku="SIX", pack_size=Decimal(6))

    alone = row_of(listing)
    among_all = next(row for row in buffer_book(risk=RISK).rows if row.listing_id == listing.pk)
    named = buffer_book(risk=RISK, listing_ids=[listing.pk]).rows[0]

    assert alone.advice.demand.unit == 6
    assert alone.advice == among_all.advice == named.advice


def test_a_greater_chance_needs_less():
    assert row_of(make_pair(), risk=Decimal("0.1")).advised == 2


def test_what_the_channel_sells_itself_needs_no_buffer():
    listing = make_listing(channel=make_channel(), item=make_item(is_sellable=True))
    sold(listing.item, listing.channel, each_day=24)
    measured(listing, seconds=3600)

    assert row_of(listing).advised == 0


def test_channels_with_sites_of_their_own_do_not_disturb_each_other():
    listing = make_pair()
    ours, theirs = make_location(), make_location()
    listing.channel.source_locations.add(ours)
    other = listing.item.listings.exclude(pk=listing.pk).get()
    other.channel.source_locations.add(theirs)

    assert row_of(listing).advised == 0

    other.channel.source_locations.add(ours)

    assert row_of(listing).advised == 4


def test_too_little_known_is_said_in_words():
    listing = make_listing(channel=make_channel())
    assert row_of(listing).advice.refusal == "0 days of demand are known; 14 are needed."

    sold(listing.item, make_channel(), each_day=3)
    measured(listing, seconds=5, times=6)
    row = row_of(listing)

    assert (row.advised, row.cost) == (None, None)
    assert row.advice.refusal == "6 publishes are measured; 20 are needed."


def test_the_largest_difference_comes_first(client):
    far = make_pair(sku="FAR")
    near = make_pair(sku="NEAR")
    set_policy(actor=None, listing=near, buffer=Decimal(3))

    rows = [row for row in buffer_book(risk=RISK).rows if row.external_sku in ("FAR", "NEAR")]

    assert [(row.external_sku, row.present, row.difference) for row in rows] == [("FAR", 0, 4), ("NEAR", 3, 1)]
    assert far.pk == rows[0].listing_id


@pytest.mark.parametrize("known", ["a rule of its own", "none"])
def test_the_way_to_the_rule_keeps_what_it_says_already(client, known):
    listing = make_pair()
    if known != "none":
        set_policy(actor=None, listing=listing, percent=Decimal(50), buffer_percent=Decimal(20))
    client.force_login(make_user(role="planner"))

    page = client.get(reverse("channels_sync:buffers"), {"channel": listing.channel.code})
    (one,) = page.context["rows"]
    fields = {name: values[0] for name, values in parse_qs(urlsplit(one.edit_url).query).items()}

    assert fields["buffer"] == "4"
    assert fields["listing_sku"] == "CANDLE"
    assert fields.get("percent") == (None if known == "none" else "50")
    assert fields.get("buffer_percent") == (None if known == "none" else "0")
    editor = client.get(one.edit_url)
    assert editor.status_code == 200
    assert editor.context["form"]["buffer"].value() == "4"


def test_an_impossible_chance_is_refused_in_words(client):
    client.force_login(make_user(role="planner"))

    page = client.get(reverse("channels_sync:buffers"), {"chance": "0"})

    assert page.status_code == 422
    assert "greater than or equal to 0.01" in page.content.decode()


def test_nothing_published_teaches_what_a_buffer_is(client):
    client.force_login(make_user(role="planner"))

    assert "No published listing here" in client.get(reverse("channels_sync:buffers")).content.decode()


def test_the_page_asks_the_same_number_of_questions_for_one_and_for_twenty(client):
    client.force_login(make_user(role="planner"))

    def asked():
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("channels_sync:buffers")).status_code == 200
        return len(queries)

    make_pair()
    asked()
    one = asked()
    for number in range(10):
        make_pair(sku=f"SKU-{number}")

    assert asked() == one


def test_the_page_wants_the_right_to_see_rules(client):
    client.force_login(make_user())

    assert client.get(reverse("channels_sync:buffers")).status_code == 403
