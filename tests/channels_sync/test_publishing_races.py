"""Two connections and real commits."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.publishing import publish_due
from channels_sync.reads import figures
from inventory.models import StockChange
from tests.channels_sync.conftest import broken
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import make_location, put_on_hand

pytestmark = pytest.mark.race
PATIENCE_SECONDS = 30


def in_thread(pool, call, **arguments):
    def run():
        try:
            return call(**arguments)
        finally:
            connection.close()

    return pool.submit(run)


def test_a_later_recompute_never_writes_an_older_figure(committed_db, monkeypatch):
    """Fails without FOR NO KEY UPDATE in `_LOCK`: the second worker then does not wait for the first one, writes
    the newer figure, and the first one comes to write its older figure under the same version.
    """
    listing, site = make_listing(channel=make_channel()), make_location()
    put_on_hand(listing.item, site, "5")
    absorb_changes()
    put_on_hand(listing.item, site, "1")
    has_read, may_write = threading.Event(), threading.Event()
    read = figures.availability_from

    def read_and_wait(rows):
        found = read(rows)
        if not has_read.is_set():
            has_read.set()
            assert may_write.wait(PATIENCE_SECONDS)
        return found

    monkeypatch.setattr(figures, "availability_from", read_and_wait)

    with ThreadPoolExecutor(2) as pool:
        first = in_thread(pool, absorb_changes)
        assert has_read.wait(PATIENCE_SECONDS)
        put_on_hand(listing.item, site, "3")
        second = in_thread(pool, absorb_changes)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)  # it waits for the lock
        may_write.set()
        taken = [first.result(PATIENCE_SECONDS), second.result(PATIENCE_SECONDS)]

    assert taken == [1, 1]
    assert (push_of(listing).wanted, push_of(listing).version) == (9, 3)
    assert [line.after for line in listing.publications.order_by("version")] == [5, 6, 9]
    assert broken() == []


def test_two_workers_take_in_all_news_and_none_twice(committed_db):
    """Fails when news is read first and deleted by a statement of its own: both workers then take in the same rows."""
    site, channel = make_location(), make_channel()
    listings = [make_listing(channel=channel) for _ in range(4)]
    for listing in listings:
        for _ in range(5):
            put_on_hand(listing.item, site, "1")
    rows = StockChange.objects.count()
    start = threading.Barrier(2)

    def absorb_all():
        start.wait(PATIENCE_SECONDS)
        return sum(iter(lambda: absorb_changes(rows_max=3), 0))

    with ThreadPoolExecutor(2) as pool:
        taken = [in_thread(pool, absorb_all) for _ in range(2)]
        total = sum(one.result(PATIENCE_SECONDS) for one in taken)

    assert total == rows
    assert [push_of(listing).wanted for listing in listings] == [5] * 4
    assert broken() == []


def test_a_second_sender_leaves_alone_what_the_first_one_holds(committed_db, shop):
    """Fails when claims do not look at `lease_until`: the second sender then takes and sends the first one's rows too."""
    site, channel = make_location(), make_channel()
    listings = [make_listing(channel=channel, shop=shop) for _ in range(20)]
    for listing in listings:
        put_on_hand(listing.item, site, "4")
    absorb_changes(rows_max=1_000)
    is_out, may_end = threading.Event(), threading.Event()

    def hold():
        is_out.set()
        assert may_end.wait(PATIENCE_SECONDS)

    shop.during_call = hold

    with ThreadPoolExecutor(1) as pool:
        first = in_thread(pool, publish_due, channel_id=channel.pk, rows_max=7)
        assert is_out.wait(PATIENCE_SECONDS)
        by_second = sum(iter(lambda: publish_due(channel_id=channel.pk, rows_max=5).claimed, 0))
        may_end.set()
        by_first = first.result(PATIENCE_SECONDS).accepted

    assert (by_first, by_second) == (7, 13)
    assert sorted(ref for ref, _, _ in shop.applied) == sorted(str(listing.pk) for listing in listings)
    assert {push_of(listing).sent_version for listing in listings} == {1}
    assert broken() == []


def test_a_version_that_is_written_while_rows_are_claimed_is_not_lost(committed_db, shop):
    """A stress of the moment between the claim's snapshot and its row lock. The moment is too short to be met for certain,
    so no mutation fails this test every time.
    """
    site = make_location()
    listing = make_listing(channel=make_channel(), shop=shop)
    put_on_hand(listing.item, site, "4")
    absorb_changes()
    stop = threading.Event()

    def keep_changing():
        for _ in range(40):
            put_on_hand(listing.item, site, "1")
            absorb_changes()
        stop.set()

    def keep_sending():
        while not stop.is_set():
            publish_due(channel_id=listing.channel_id)

    with ThreadPoolExecutor(2) as pool:
        work = [in_thread(pool, keep_changing), in_thread(pool, keep_sending)]
        for one in work:
            one.result(PATIENCE_SECONDS * 2)
    publish_due(channel_id=listing.channel_id)

    row = push_of(listing)
    assert (row.wanted, row.version, row.sent_version, row.lease_until) == (44, 41, 41, None)
    assert shop.shows(listing) == 44
    assert broken() == []
