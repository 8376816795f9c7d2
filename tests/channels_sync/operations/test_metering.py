"""The allowance of an account."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F
from django.utils import timezone

from channels_sync.adapters.base import ChannelAccount
from channels_sync.errors import ChannelThrottled
from channels_sync.models import SendingAccount
from channels_sync.operations import metering
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.metering import (
    AccountMeter,
    account_answered,
    account_failed,
    account_name,
    account_rests,
    account_silent,
    ensure_account,
    enter,
    meter_of,
    probe_unused,
)
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.scheduling import set_sending
from channels_sync.reads.sending import allowances
from inventory.errors import WrongState
from tests.channels_sync.factories import make_channel

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel():
    made = make_channel(base_url="https://candles.example")
    ensure_account(made)
    return made


def bucket(points, *, size=2_000, refill=0.001, **fields):
    """The only bucket, as it is now; it fills so slowly that the test does not see it."""
    SendingAccount.objects.update(
        points=points,
        bucket_points=size,
        refill_points_per_second=Decimal(str(refill)),
        filled_at=timezone.now(),
        **fields,
    )


def left():
    return int(SendingAccount.objects.get().points)


def sleepless(channel):
    def sleep(seconds):
        raise AssertionError(f"slept {seconds} s")

    return AccountMeter(enter(channel), None, sleep=sleep)


def test_a_new_account_has_the_full_bucket_its_adapter_declares(channel):
    found = SendingAccount.objects.get()

    assert (found.account, found.bucket_points, found.points) == ("shopify:candles.example", 2_000, 2_000)


def test_calls_are_paid_until_the_bucket_is_empty_and_then_refused(channel):
    bucket(25)
    meter = sleepless(channel)
    meter.pay(10)
    meter.pay(10)

    with pytest.raises(ChannelThrottled) as refusal:
        meter.pay(10)

    assert left() == 5
    assert refusal.value.code == metering.ALLOWANCE_USED_UP
    assert refusal.value.retry_after_seconds == pytest.approx(5_000, rel=0.01)


def test_a_short_wait_is_waited_for(channel):
    bucket(5, refill=10)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        SendingAccount.objects.update(filled_at=F("filled_at") - timedelta(seconds=seconds))

    AccountMeter(enter(channel, points=0), None, sleep=sleep).pay(10)

    assert waits == [pytest.approx(0.5, abs=0.1)]


def test_it_fills_with_time_and_never_over_its_size(channel):
    bucket(0, size=100, refill=10)
    SendingAccount.objects.update(filled_at=timezone.now() - timedelta(seconds=5))
    half = allowances(accounts=["shopify:candles.example"])["shopify:candles.example"].points
    SendingAccount.objects.update(filled_at=timezone.now() - timedelta(days=1))
    full = allowances(accounts=["shopify:candles.example"])["shopify:candles.example"].points

    assert (int(half), full) == (50, 100)


def test_a_clock_that_went_back_fills_nothing(channel):
    bucket(10, refill=1_000)
    SendingAccount.objects.update(filled_at=timezone.now() + timedelta(hours=1))

    sleepless(channel).pay(4)

    assert left() == 6
    assert SendingAccount.objects.get().filled_at > timezone.now()


def test_two_channels_of_one_account_share_one_bucket(channel):
    other = make_channel(base_url="https://CANDLES.example/")
    bucket(15)
    sleepless(channel).pay(10)

    assert enter(other, points=10).is_open is False
    assert SendingAccount.objects.count() == 1


def test_channels_of_two_accounts_do_not(channel):
    other = make_channel(base_url="https://soap.example")
    bucket(0)

    assert enter(other, points=10).is_open
    assert account_name(adapter="shopify", base_url="https://soap.example") == "shopify:soap.example"


def test_what_the_channel_says_is_left_is_believed_when_it_is_less(channel):
    bucket(1_000)
    meter = sleepless(channel)
    meter.heed(available=1_500)
    more = left()
    meter.heed(available=40)

    assert (more, left()) == (1_000, 40)


def test_the_size_and_refill_of_the_channel_are_learned(channel):
    bucket(1_000)

    sleepless(channel).heed(available=3_900, points_max=4_000, refill=200)

    found = SendingAccount.objects.get()
    assert (found.bucket_points, found.refill_points_per_second, int(found.points)) == (4_000, 200, 1_000)


def test_a_pause_that_was_asked_for_keeps_everybody_out_and_ends(channel):
    account_rests(account="shopify:candles.example", seconds=30)

    entry = enter(channel)

    assert entry.wait_seconds == pytest.approx(30, abs=1)
    SendingAccount.objects.update(quiet_until=timezone.now() - timedelta(seconds=1))
    assert enter(channel).is_open


def test_a_silent_account_is_tried_by_one_caller_alone(channel):
    account_silent(entry=enter(channel))
    SendingAccount.objects.update(quiet_until=timezone.now() - timedelta(seconds=1))

    first, second = enter(channel), enter(channel)

    assert (first.is_open, first.is_probe) == (True, True)
    assert second.is_open is False
    account_answered(entry=first)
    assert enter(channel).is_open
    assert SendingAccount.objects.get().failures == 0


def test_who_had_nothing_to_ask_gives_the_turn_back(channel):
    account_silent(entry=enter(channel))
    SendingAccount.objects.update(quiet_until=timezone.now() - timedelta(seconds=1))
    first = enter(channel)

    probe_unused(entry=first)

    assert enter(channel).is_probe
    assert SendingAccount.objects.get().failures == 1


def test_a_turn_given_back_ends_no_pause_that_was_asked_for_meanwhile(channel):
    account_silent(entry=enter(channel))
    SendingAccount.objects.update(quiet_until=timezone.now() - timedelta(seconds=1))
    first = enter(channel)
    account_rests(account="shopify:candles.example", seconds=290)

    probe_unused(entry=first)

    assert enter(channel).wait_seconds == pytest.approx(290, abs=2)


@pytest.mark.parametrize("work", [publish_due, confirm_sent])
def test_with_nothing_to_send_or_read_a_silent_account_is_left_to_others(channel, work):
    account_silent(entry=enter(channel))
    SendingAccount.objects.update(quiet_until=timezone.now() - timedelta(seconds=1))

    work(channel_id=channel.pk)

    assert enter(channel).is_probe


def test_an_allowance_used_up_by_a_first_try_says_nothing_about_silence(channel):
    account_silent(entry=enter(channel))
    SendingAccount.objects.update(quiet_until=timezone.now() - timedelta(seconds=1))
    first = enter(channel)

    wait = account_failed(
        entry=first, error=ChannelThrottled("Used up.", code=metering.ALLOWANCE_USED_UP, retry_after_seconds=7)
    )

    assert wait == 7
    assert SendingAccount.objects.get().failures == 1
    assert enter(channel).is_probe


def test_pauses_of_a_silent_account_double_up_to_five_minutes(channel, monkeypatch):
    monkeypatch.setattr(metering.backoff_seconds, "__kwdefaults__", {"chance": lambda: 1.0})
    waits = []
    for _ in range(10):
        SendingAccount.objects.update(quiet_until=None)
        waits.append(round(account_silent(entry=enter(channel))))

    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_senders_that_find_out_together_count_once(channel):
    entries = [enter(channel) for _ in range(4)]
    for entry in entries:
        account_silent(entry=entry)

    assert SendingAccount.objects.get().failures == 1


def test_a_longer_pause_the_channel_asked_for_is_kept(channel):
    assert account_silent(entry=enter(channel), asked_seconds=90) == pytest.approx(90, abs=1)


def test_only_our_share_of_the_allowance_is_used(channel):
    set_sending(channel=channel, time_zone="", share_percent=10, actor=None)
    bucket(2_000)

    entry = enter(channel, points=201)
    sleepless(channel).pay(150)

    assert entry.is_open  # a call dearer than the share takes all of it
    assert left() == 50


@pytest.mark.parametrize(("zone", "share"), [("Europe/Nowhere", 100), ("", 0), ("", 101)])
def test_a_clock_nobody_knows_and_shares_out_of_range_are_refused(channel, zone, share):
    with pytest.raises(WrongState):
        set_sending(channel=channel, time_zone=zone, share_percent=share, actor=None)

    channel.refresh_from_db()
    assert (channel.time_zone, SendingAccount.objects.get().share_percent) == ("", 100)


def test_the_meter_of_an_account_is_not_shown_and_not_compared(channel):
    account = ChannelAccount("https://a.example", "1", access_token="t")

    assert "meter" not in repr(account)
    assert account == ChannelAccount("https://a.example", "1", access_token="t", meter=meter_of(channel))
