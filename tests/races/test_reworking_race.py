"""Rivals who rework the same goods, with real commits."""

import threading
from contextlib import suppress
from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import InsufficientStock, InvalidQuantity
from inventory.models import StockStatus
from production.models import Reworking, ReworkOrder
from production.operations import reworking
from production.operations.reworking import reverse_rework, rework
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand
from tests.production.factories import open_rework_of, quarantined
from tests.races.test_completions_race import together

pytestmark = pytest.mark.race


@pytest.fixture
def goods(committed_db):
    place, item = make_location(code="BENCH"), make_item(sku="CANDLE", tracking="lot")
    return item, quarantined(item, place), place


def meeting(monkeypatch, name):
    """Both rivals have passed a step before either goes on, unless a lock keeps one of them away."""
    barrier, real = threading.Barrier(2), getattr(reworking, name)

    def read_together(*given):
        found = real(*given)
        with suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=2)
        return found

    monkeypatch.setattr(reworking, name, read_together)


def test_two_orders_never_speak_for_the_same_goods(goods, monkeypatch):
    """Without `_one_at_a_time` both see 10 that wait and open an order for 6 of them."""
    item, lot, place = goods
    meeting(monkeypatch, "waiting_for_rework")

    results = together([lambda: open_rework_of(item, lot, place, "6") for _ in range(2)])

    assert sorted(type(one).__name__ for one in results) == ["InsufficientStock", "ReworkOrder"]
    assert isinstance(next(one for one in results if isinstance(one, Exception)), InsufficientStock)
    assert ReworkOrder.objects.count() == 1


def test_two_never_record_more_than_the_order_has(goods, monkeypatch):
    """Without the lock of the order's row both record 6 of its 10."""
    item, lot, place = goods
    order = open_rework_of(item, lot, place)
    meeting(monkeypatch, "expected_use")

    results = together([lambda: rework(key=uuid4(), order=order, good=Decimal(6), actor=None) for _ in range(2)])

    assert sorted(type(one).__name__ for one in results) == ["InvalidQuantity", "ReworkResult"]
    assert isinstance(next(one for one in results if isinstance(one, Exception)), InvalidQuantity)
    assert on_hand(item, status=StockStatus.AVAILABLE) == 6
    assert broken_invariants() == []


def test_the_same_key_and_the_same_undo_at_once_do_one_thing(goods):
    item, lot, place = goods
    order, key = open_rework_of(item, lot, place), uuid4()
    results = together([lambda: rework(key=key, order=order, good=Decimal(4), actor=None) for _ in range(4)])
    assert sorted(one.replayed for one in results) == [False, True, True, True]

    done = Reworking.objects.get()
    undone = together([lambda: reverse_rework(key=uuid4(), reworking=done, actor=None) for _ in range(4)])
    assert sorted(type(one).__name__ for one in undone) == ["AlreadyReversed"] * 3 + ["Posting"]
    assert on_hand(item, status=StockStatus.QUARANTINE) == 10
    assert broken_invariants() == []
