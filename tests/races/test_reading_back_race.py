"""A channel that is read back while figures change, and two people who decide about one difference."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from channels_sync.drift import Response
from channels_sync.models import Difference, Done, DriftSetting
from channels_sync.operations import deciding_differences, opening, reading_back
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.deciding_differences import decide_difference
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.reading_back import read_everything
from inventory.errors import WrongState
from tests.channels_sync.conftest import broken
from tests.channels_sync.factories import FakeShop, let_all_flow, make_channel, make_listing, push_of
from tests.channels_sync.test_publishing_races import PATIENCE_SECONDS, in_thread
from tests.factories import make_location, put_on_hand

pytestmark = pytest.mark.race


class ReadShop(FakeShop):
    """One whose readings name the SKU of what was read."""

    def _reading(self, ref, item):
        return replace(super()._reading(ref, item), sku=item.removeprefix("item-"))


@pytest.fixture
def edited(committed_db, monkeypatch):
    """A shop, and a listing it was seen to show at 5, where somebody put 9 since; and the place of its stock."""
    shop = ReadShop()
    monkeypatch.setattr(opening, "adapter_for", lambda *, name, account: shop)
    channel, place = let_all_flow(make_channel()), make_location()
    listing = make_listing(channel=channel, shop=shop)
    put_on_hand(listing.item, place, "5")
    absorb_changes()
    publish_due(channel_id=channel.pk)
    confirm_sent(channel_id=channel.pk)
    shop.figures[f"item-{listing.external_sku}"] = 9
    return shop, listing, place


class Turnstile:
    """Stops the first caller of a function until it is let through; all others pass."""

    def __init__(self, monkeypatch, module, name):
        self.is_reached, self.is_open = threading.Event(), threading.Event()
        self._call = getattr(module, name)
        monkeypatch.setattr(module, name, self._pass)

    def _pass(self, *given, **named):
        if not self.is_reached.is_set():
            self.is_reached.set()
            assert self.is_open.wait(PATIENCE_SECONDS)
        return self._call(*given, **named)


def test_a_page_that_is_written_down_is_not_overtaken_by_a_newer_figure(edited, monkeypatch):
    """Fails without FOR NO KEY UPDATE in `_facts`: the newer figure is then worked out and sent in between, and what was
    read of the older one is kept as a difference from a figure that is no longer on the channel, and sent over it.
    """
    shop, listing, place = edited
    DriftSetting.objects.create(channel=listing.channel, settle_minutes=0, edited=Response.OVERWRITE.value)
    gate = Turnstile(monkeypatch, reading_back, "remember_readings")

    def change():
        absorb_changes()
        return publish_due(channel_id=listing.channel_id).accepted

    with ThreadPoolExecutor(2) as pool:
        reading = in_thread(pool, read_everything, channel_id=listing.channel_id)
        assert gate.is_reached.wait(PATIENCE_SECONDS)
        put_on_hand(listing.item, place, "3")
        changing = in_thread(pool, change)
        with pytest.raises(TimeoutError):
            changing.result(timeout=0.5)  # it waits for the lock
        gate.is_open.set()
        read = reading.result(PATIENCE_SECONDS)
        accepted = changing.result(PATIENCE_SECONDS)

    assert (read.read, read.differing, read.acted, accepted) == (1, 1, 1, 1)
    found = Difference.objects.get()
    assert (found.version, found.ours, found.theirs, found.done) == (1, 5, 9, Done.OVERWRITTEN)
    assert (push_of(listing).version, push_of(listing).sent_version, shop.shows(listing)) == (2, 2, 8)
    assert broken() == []


def test_two_people_do_not_both_decide_about_one_difference(edited, monkeypatch):
    """Fails without `select_for_update` in `decide_difference`: both then see the same version, and both send it again."""
    shop, listing, _ = edited
    DriftSetting.objects.create(channel=listing.channel, settle_minutes=0)
    read_everything(channel_id=listing.channel_id)
    difference = Difference.objects.get()
    gate = Turnstile(monkeypatch, deciding_differences, "carry_out")
    asked = {"difference": difference, "response": Response.OVERWRITE, "actor": None}

    with ThreadPoolExecutor(2) as pool:
        first = in_thread(pool, decide_difference, **asked)
        assert gate.is_reached.wait(PATIENCE_SECONDS)
        second = in_thread(pool, decide_difference, **asked)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)  # it waits for the lock
        gate.is_open.set()
        assert first.result(PATIENCE_SECONDS).done == Done.OVERWRITTEN
        with pytest.raises(WrongState, match="A newer figure of this listing is on its way"):
            second.result(PATIENCE_SECONDS)

    assert push_of(listing).version == 2
    publish_due(channel_id=listing.channel_id)
    assert (shop.shows(listing), len(shop.applied)) == (5, 2)
    assert broken() == []
