"""What waits for the disk: senders do, taking in news does not. With real commits."""

import pytest
from django.db import connection

from channels_sync.operations import absorbing
from channels_sync.operations.absorbing import absorb_changes
from tests.channels_sync.factories import make_channel, make_listing, push_of

pytestmark = pytest.mark.race


def waits_for_the_disk():
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone()[0]


def test_only_the_transaction_that_takes_in_news_does_not_wait(committed_db, monkeypatch):
    listing = make_listing(channel=make_channel())
    seen, real = [], absorbing.recompute_locked

    def look(**given):
        seen.append(waits_for_the_disk())
        return real(**given)

    monkeypatch.setattr(absorbing, "recompute_locked", look)
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO on")  # as the product has it; a test database need not wait
        assert absorb_changes() == 1
        assert (seen, waits_for_the_disk()) == (["off"], "on")
        cursor.execute("RESET synchronous_commit")
    assert push_of(listing).version == 1
