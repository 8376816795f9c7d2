"""Several workers and one account, with real commits."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.utils import timezone

from channels_sync.models import SendingAccount
from channels_sync.operations import opening
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.metering import account_silent, ensure_account, enter, meter_of
from channels_sync.operations.outbox import Accepted, claim_due, settle
from channels_sync.operations.publishing import publish_due
from tests.channels_sync.conftest import broken
from tests.channels_sync.factories import FakeShop, let_all_flow, make_channel, make_listing, push_of, time_passes
from tests.channels_sync.test_publishing_races import PATIENCE_SECONDS, in_thread
from tests.factories import make_location, put_on_hand

pytestmark = pytest.mark.race
WORKERS = 4


def test_workers_of_two_channels_never_spend_more_than_their_account_has(committed_db):
    """Fails when `_TAKE` does not ask in its own statement whether enough is left (its last condition of points taken out):
    workers that looked at the same moment then all pay, and the bucket is overdrawn.
    """
    channels = [make_channel(base_url="https://one.example") for _ in range(2)]
    ensure_account(channels[0])
    SendingAccount.objects.update(
        points=100, refill_points_per_second=Decimal("0.001"), bucket_points=100, filled_at=timezone.now()
    )
    start = threading.Barrier(WORKERS)

    def spend(channel):
        meter = meter_of(channel)
        start.wait(PATIENCE_SECONDS)
        paid = 0
        try:
            while True:
                meter.pay(3)
                paid += 3
        except Exception as error:
            return paid, getattr(error, "code", repr(error))

    with ThreadPoolExecutor(WORKERS) as pool:
        work = [in_thread(pool, spend, channel=channels[number % 2]) for number in range(WORKERS)]
        found = [one.result(PATIENCE_SECONDS) for one in work]

    assert sum(paid for paid, _ in found) == 99
    assert {code for _, code in found} == {"ALLOWANCE_USED_UP"}
    assert 0 < SendingAccount.objects.get().points < 3


def test_of_many_workers_one_alone_tries_a_silent_account(committed_db):
    """Fails when `_claim_probe` does not ask for `quiet_until` in its own statement: several then call a channel that is down."""
    channel = make_channel()
    account_silent(entry=enter(channel))
    time_passes()
    start = threading.Barrier(WORKERS)

    def knock():
        start.wait(PATIENCE_SECONDS)
        return enter(channel)

    with ThreadPoolExecutor(WORKERS) as pool:
        work = [in_thread(pool, knock) for _ in range(WORKERS)]
        found = [one.result(PATIENCE_SECONDS) for one in work]

    assert sorted(entry.is_open for entry in found) == [False] * (WORKERS - 1) + [True]


def test_workers_of_one_channel_share_its_rows_and_none_is_sent_twice(committed_db, monkeypatch):
    """Fails when claims do not look at `lease_until`."""
    shop = FakeShop()
    monkeypatch.setattr(opening, "adapter_for", lambda *, name, account: shop)
    channel, site = let_all_flow(make_channel()), make_location()
    item = make_listing(channel=channel, shop=shop).item
    listings = [make_listing(channel=channel, item=item, shop=shop, external_sku=f"S{number}") for number in range(40)]
    put_on_hand(item, site, "4")
    absorb_changes(rows_max=1_000)
    start = threading.Barrier(WORKERS)

    def drain():
        start.wait(PATIENCE_SECONDS)
        return sum(iter(lambda: publish_due(channel_id=channel.pk, rows_max=3).claimed, 0))

    with ThreadPoolExecutor(WORKERS) as pool:
        work = [in_thread(pool, drain) for _ in range(WORKERS)]
        total = sum(one.result(PATIENCE_SECONDS) for one in work)

    assert total == 41
    assert len(shop.applied) == 41
    assert {push_of(listing).sent_version for listing in listings} == {1}
    assert broken() == []


def test_answers_and_newer_figures_meet_without_losing_either(committed_db):
    """The answer waits for a recompute that has the row, and then sees that it is not the newest any more.

    Fails when `_ACCEPT` takes the row's version for the version that was sent: a figure that came meanwhile counts as sent.
    The moment was met in one of two runs, so that mutation does not fail it every time.
    """
    channel, site = let_all_flow(make_channel()), make_location()
    listing = make_listing(channel=channel)
    put_on_hand(listing.item, site, "4")
    absorb_changes()
    start = threading.Barrier(2)
    for number in range(15):
        time_passes()
        put_on_hand(listing.item, site, "1")
        (claim,) = claim_due(channel_id=channel.pk, rows_max=5)

        def answer(claim=claim):
            start.wait(PATIENCE_SECONDS)
            settle([Accepted(claim, claim.wanted)])

        def change():
            start.wait(PATIENCE_SECONDS)
            absorb_changes()

        with ThreadPoolExecutor(2) as pool:
            for one in [in_thread(pool, answer), in_thread(pool, change)]:
                one.result(PATIENCE_SECONDS)

        row = push_of(listing)
        assert (row.version, row.sent_version, row.lease_until) == (number + 2, number + 1, None)
        assert broken() == []
