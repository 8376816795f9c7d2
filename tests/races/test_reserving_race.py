"""Rivals around a promise, with real commits. Each test names the line whose removal makes it fail; that was tried."""

import threading
import time
from decimal import Decimal

import pytest
from django.db import transaction

from inventory.models import Reservation, StockBalance
from inventory.operations.reserving import release_reservations, reserve_stock
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, put_on_hand
from tests.races.test_completions_race import together

pytestmark = pytest.mark.race


def pin(item, place):
    reserve_stock(
        item=item, location=place, quantity=Decimal(3), demand_kind="order", demand_ref="1", actor=None, pinned=True
    )


@pytest.mark.parametrize("is_same_item", [True, False])
def test_what_is_pinned_elsewhere_while_a_demand_lets_go_is_let_go_too(committed_db, is_same_item):
    """Fails when release_reservations locks only the places, or only the items, that it saw before it had the locks."""
    here, there = make_location(), make_location()
    item = make_item()
    other = item if is_same_item else make_item()
    put_on_hand(item, here, "5", value="5.00")
    put_on_hand(other, there, "5", value="5.00")
    pin(item, here)
    is_pinned = threading.Event()

    def pin_slowly():
        with transaction.atomic():
            StockBalance.objects.select_for_update().get(item=item, location=here)
            pin(other, there)
            is_pinned.set()
            time.sleep(0.5)

    def let_go():
        assert is_pinned.wait(timeout=20)
        return release_reservations(demand_kind="order", demand_ref="1", reason="cancelled", actor=None)

    results = together([pin_slowly, let_go])

    assert results[1] == 6
    assert not Reservation.objects.filter(quantity__gt=0).exists()
    assert not StockBalance.objects.filter(reserved__gt=0).exists()
    assert broken_invariants() == []
