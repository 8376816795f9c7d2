"""Two workers with news of two components of one product, and real commits."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from channels_sync.allocation.terms import BUILDABLE
from channels_sync.operations import recomputing
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from tests.channels_sync.conftest import broken
from tests.channels_sync.factories import let_all_flow, make_channel, make_listing, push_of
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.race
PATIENCE_SECONDS = 30


def in_thread(pool, call):
    def run():
        try:
            return call()
        finally:
            connection.close()

    return pool.submit(run)


def test_a_component_that_rises_while_the_other_one_is_taken_in_is_not_missed(committed_db, monkeypatch):
    """Fails without `_lock()` in `touched_by`: the second worker then sees the number noted before, of which its component
    was not the bottleneck, and leaves the product alone.
    """
    wax, tin = make_item(sku="WAX"), make_item(sku="TIN")
    product, site = make_item(is_sellable=True), make_location()
    make_bom(item=product, lines=[(wax, "1"), (tin, "1")])
    listing = make_listing(channel=let_all_flow(make_channel()), item=product)
    set_policy(basis=BUILDABLE, actor=None)
    put_on_hand(wax, site, "5")
    put_on_hand(tin, site, "9")
    while absorb_changes():
        pass
    assert push_of(listing).wanted == 5
    has_worked_out, may_write = threading.Event(), threading.Event()
    write = recomputing.write_plans

    def wait_and_write(*args, **named):
        if not has_worked_out.is_set():
            has_worked_out.set()
            assert may_write.wait(PATIENCE_SECONDS)
        return write(*args, **named)

    monkeypatch.setattr(recomputing, "write_plans", wait_and_write)

    put_on_hand(wax, site, "15")
    with ThreadPoolExecutor(2) as pool:
        first = in_thread(pool, absorb_changes)
        assert has_worked_out.wait(PATIENCE_SECONDS)
        put_on_hand(tin, site, "21")
        second = in_thread(pool, absorb_changes)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)  # it waits for the lock
        may_write.set()
        taken = [first.result(PATIENCE_SECONDS), second.result(PATIENCE_SECONDS)]

    assert taken == [1, 1]
    assert push_of(listing).wanted == 20
    assert broken() == []
