"""What a channel shows before it is told anything, and what the guard makes of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.models import ChannelMode, Hold, HoldState, PublicationLine, PublishRun
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.controlling import set_channel_mode
from channels_sync.operations.deciding import undo_run
from channels_sync.operations.first_looks import take_first_look
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.recomputing import recompute_listings
from tests.channels_sync.factories import WorkerKilled, line_of, make_channel, make_listing, push_of, time_passes
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


def make_live(shop, channel, count, *, shows=5, stock=None):
    """Listings a shop has been selling for years; of those without `stock` nothing is entered here yet."""
    site = make_location()
    listings = [
        make_listing(channel=channel, shop=shop, shows=shows, item=make_item(is_sellable=True)) for _ in range(count)
    ]
    for listing in listings if stock else []:
        put_on_hand(listing.item, site, stock)
    recompute_listings(cause="test", listings=listings)
    return listings


def look(channel, **fields):
    return take_first_look(channel_id=channel.pk, before=timezone.now(), **{"seconds_max": 20.0, **fields})


def publish_everything(channel):
    while publish_due(channel_id=channel.pk).claimed:
        pass


def test_looking_reads_what_is_shown_and_tells_the_channel_nothing(shop):
    channel = make_channel(mode=ChannelMode.SHADOW)
    listings = make_live(shop, channel, 3, shows=5, stock="9")

    found = look(channel)

    assert (found.read, found.missing, found.left, found.problem) == (3, 0, 0, "")
    assert {push_of(one).channel_quantity for one in listings} == {5}
    assert shop.calls == []
    listings[0].refresh_from_db()
    assert listings[0].external_item_id == f"item-{listings[0].external_sku}"


def test_a_second_look_reads_only_what_was_not_looked_at_since(shop):
    channel = make_channel(mode=ChannelMode.SHADOW)
    make_live(shop, channel, 3)
    look(channel)

    again = take_first_look(channel_id=channel.pk, before=timezone.now() - timedelta(hours=1), seconds_max=20.0)

    assert (again.read, shop.reads) == (0, 1)


def test_what_the_channel_does_not_have_or_not_stock_is_counted(shop):
    channel = make_channel(mode=ChannelMode.SHADOW)
    listings = make_live(shop, channel, 2)
    make_live(None, channel, 1)
    shop.unstocked.add(f"item-{listings[0].external_sku}")

    found = look(channel)

    assert (found.read, found.missing) == (1, 2)
    assert push_of(listings[0]).channel_quantity is None


def test_it_stops_in_words_where_the_channel_is_silent(shop):
    channel = make_channel(mode=ChannelMode.SHADOW)
    make_live(shop, channel, 2)
    shop.read_faults.append("unavailable")

    found = look(channel)

    assert (found.read, found.left) == (0, 2)
    assert "does not answer" in found.problem


@pytest.mark.parametrize(
    ("fields", "words"), [({"mode": ChannelMode.OFF}, "is off"), ({"credentials": ""}, "has no credentials")]
)
def test_a_channel_that_cannot_be_read_says_why(shop, fields, words):
    channel = make_channel(**{"mode": ChannelMode.SHADOW, **fields})

    assert words in look(channel).problem
    assert shop.reads == 0


def test_a_live_catalogue_does_not_go_to_zero_by_the_switch_once_it_was_looked_at(shop):
    channel = make_channel(mode=ChannelMode.SHADOW)
    listings = make_live(shop, channel, 12, shows=5)
    look(channel)

    set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=None)
    absorb_changes()
    publish_everything(channel)

    assert {shop.shows(one) for one in listings} == {5}
    holds = Hold.objects.filter(state=HoldState.OPEN)
    assert {(hold.before, hold.after) for hold in holds} == {(5, 0)}
    assert holds.count() == 12
    assert any(
        "12 listings would fall to zero" in trip["words"] for run in PublishRun.objects.all() for trip in run.trips
    )


def test_nor_where_nobody_looked_before(shop):
    channel = make_channel()
    listings = make_live(shop, channel, 12, shows=5)

    publish_everything(channel)

    assert {shop.shows(one) for one in listings} == {5}
    assert Hold.objects.filter(state=HoldState.OPEN, before=5, after=0).count() == 12
    assert not PublicationLine.objects.exists()


def test_nor_where_it_was_in_the_shadow_and_nobody_looked(shop):
    channel = make_channel(mode=ChannelMode.SHADOW)
    listings = make_live(shop, channel, 12, shows=5)

    set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=None)
    absorb_changes()
    publish_everything(channel)

    assert {shop.shows(one) for one in listings} == {5}
    assert Hold.objects.filter(state=HoldState.OPEN, before=5, after=0).count() == 12


def test_a_few_falls_flow_and_say_what_was_shown(shop):
    channel = make_channel()
    listings = make_live(shop, channel, 2, shows=5)

    publish_everything(channel)

    assert {shop.shows(one) for one in listings} == {0}
    assert {(line_of(one).before, line_of(one).after) for one in listings} == {(5, 0)}


def test_a_fall_is_judged_also_when_the_worker_died_over_it(shop, monkeypatch):
    channel = make_channel()
    listings = make_live(shop, channel, 12, shows=5)

    def die(**_):
        raise WorkerKilled

    with monkeypatch.context() as dying:
        dying.setattr("channels_sync.operations.publishing.judge_first_figures", die)
        with pytest.raises(WorkerKilled):
            publish_everything(channel)
    time_passes()
    publish_everything(channel)

    assert {shop.shows(one) for one in listings} == {5}
    assert Hold.objects.filter(state=HoldState.OPEN).count() == 12


def test_the_first_run_taken_back_goes_back_to_what_the_shop_showed(shop):
    channel = make_channel()
    raised, equal = make_live(shop, channel, 1, shows=3, stock="10") + make_live(shop, channel, 1, shows=10, stock="10")
    publish_everything(channel)
    assert (line_of(raised).before, line_of(equal).before) == (3, 10)

    for run in PublishRun.objects.filter(lines__listing__in=[raised, equal]).distinct():
        undo_run(run=run, reason="too early", actor=make_user(), typed="")
    publish_everything(channel)

    assert (shop.shows(raised), shop.shows(equal)) == (3, 10)
