import pytest
from django.apps import apps
from django_celery_beat.models import PeriodicTask

from channels_sync import tasks
from channels_sync.operations.absorbing import absorb_changes
from inventory.models import StockChange
from tests.channels_sync.factories import make_channel, make_listing, push_of, time_passes
from tests.factories import make_location, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch):
    """Messages instead of a broker: (task name, arguments)."""
    messages = []
    monkeypatch.setattr(tasks, "send_message", lambda task, **arguments: messages.append((task, arguments)))
    return messages


def make_offer(shop):
    listing = make_listing(channel=make_channel(), shop=shop)
    put_on_hand(listing.item, make_location(), "10")
    return listing


def test_a_stock_change_travels_to_the_shop_and_back(shop, sent):
    listing = make_offer(shop)

    taken = tasks.absorb_stock_changes()
    (publish,) = sent
    accepted = publish[0](**publish[1])
    confirm = sent[-1]
    confirmed = confirm[0](**confirm[1])

    assert (taken, accepted, confirmed) == (2, 1, 1)
    assert publish == (tasks.publish_channel, {"channel_id": listing.channel_id})
    assert shop.shows(listing) == 10
    assert push_of(listing).confirmed_version == 1


def test_every_task_may_run_again_without_effect(shop, sent):
    listing = make_offer(shop)
    for _ in range(2):
        tasks.absorb_stock_changes()
        tasks.publish_channel(channel_id=listing.channel_id)
        tasks.confirm_channel(channel_id=listing.channel_id)

    assert [quantity for _, _, quantity in shop.applied] == [10]
    assert push_of(listing).confirmed_version == 1


def test_the_sweep_finds_every_kind_of_forgotten_work(shop, sent):
    listing = make_offer(shop)
    tasks.sweep_publishing()
    assert sent == [(tasks.absorb_stock_changes, {}), (tasks.publish_channel, {"channel_id": listing.channel_id})]

    sent.clear()
    absorb_changes()
    tasks.sweep_publishing()
    assert sent == [(tasks.publish_channel, {"channel_id": listing.channel_id})]

    tasks.publish_channel(channel_id=listing.channel_id)
    sent.clear()
    tasks.sweep_publishing()
    assert sent == [(tasks.confirm_channel, {"channel_id": listing.channel_id})]

    tasks.confirm_channel(channel_id=listing.channel_id)
    sent.clear()
    tasks.sweep_publishing()
    assert sent == []


def test_the_sweep_works_out_listings_made_elsewhere(shop, sent):
    listing = make_offer(shop)
    StockChange.objects.all().delete()

    tasks.sweep_publishing()

    assert push_of(listing).wanted == 10


def test_a_resumed_channel_is_sent_though_no_stock_changed(shop, sent):
    listing = make_offer(shop)
    absorb_changes()

    tasks.absorb_stock_changes()

    assert sent == [(tasks.publish_channel, {"channel_id": listing.channel_id})]


def test_a_shop_that_fails_is_not_asked_again_in_the_same_task(shop, sent):
    listing = make_offer(shop)
    absorb_changes()
    shop.faults.extend(["unavailable"] * 3)

    assert tasks.publish_channel(channel_id=listing.channel_id) == 0
    assert len(shop.calls) == 1
    time_passes()
    shop.faults.clear()
    assert tasks.publish_channel(channel_id=listing.channel_id) == 1


def test_a_broker_that_is_away_does_not_stop_the_work(shop, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no broker")

    monkeypatch.setattr(tasks.publish_channel, "apply_async", refuse)
    listing = make_offer(shop)

    assert tasks.absorb_stock_changes() == 2
    assert push_of(listing).version == 1


def test_the_clock_alone_can_change_figures(shop, sent):
    listing = make_offer(shop)
    StockChange.objects.all().delete()

    assert tasks.recompute_everything() == 1
    assert push_of(listing).wanted == 10


def test_schedules_name_tasks_that_exist():
    from celery import current_app

    apps.get_app_config("channels_sync")
    scheduled = PeriodicTask.objects.filter(name__startswith="Publishing:")

    assert scheduled.count() == 5
    assert {one.task for one in scheduled} <= set(current_app.tasks)
