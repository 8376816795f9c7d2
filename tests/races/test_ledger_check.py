"""A check that runs, seen from another connection; and postings made while it runs."""

from decimal import Decimal
from threading import Thread
from uuid import uuid4

import pytest
from django.db import connection

import config.invariants
from config.integrity.checking import progress, run_check
from config.invariants import INVARIANTS
from inventory.invariants import Invariant, balances_equal_movements, pools_equal_movements
from inventory.operations.issuing import issue_stock
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.race


def elsewhere(work):
    """Do something on a connection of its own, and wait for it."""
    found = []

    def run():
        try:
            found.append(work())
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    thread.join(timeout=30)
    return found[0]


def test_a_running_check_tells_others_how_far_it_is(committed_db, monkeypatch):
    seen = []

    def look():
        seen.append(elsewhere(progress))
        return []

    probes = [("inventory", Invariant(f"probe {n}", "Looks how far the check is.", look)) for n in range(3)]
    monkeypatch.setattr(config.invariants, "INVARIANTS", probes)

    run_check(cause="nightly")

    assert [one.checked for one in seen] == [0, 1, 2]
    assert {one.of for one in seen} == {len(INVARIANTS)}
    assert elsewhere(progress) is None


def test_postings_made_during_a_check_break_nothing(committed_db, monkeypatch):
    """It fails when the check does not look at one snapshot: take SET TRANSACTION ISOLATION LEVEL out."""
    item, place = make_item(), make_location()
    put_on_hand(item, place, "10", value="10.00")

    def meanwhile():
        elsewhere(
            lambda: issue_stock(
                key=uuid4(), item=item, location=place, quantity=Decimal(1), effective_at=None, actor=None
            )
        )
        return []

    def changed_since():
        return [] if item.balances.get().quantity == 10 else ["the check sees what came after it began"]

    facts = [
        ("inventory", Invariant("before", "Balances.", balances_equal_movements)),
        ("inventory", Invariant("meanwhile", "Somebody posts.", meanwhile)),
        ("inventory", Invariant("snapshot", "The state is that of the beginning.", changed_since)),
        ("inventory", Invariant("after", "Pools.", pools_equal_movements)),
    ]
    monkeypatch.setattr(config.invariants, "INVARIANTS", facts)

    assert run_check(cause="nightly").is_true
    assert item.balances.get().quantity == 9
