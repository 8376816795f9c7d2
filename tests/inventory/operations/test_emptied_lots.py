"""An item keeps a balance, and where lots carry their cost a pool, of every lot it ever had; nobody has to lock or read them."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.locks import ANYWHERE, lock_for_posting
from inventory.models import CostMethod, CostPool, LocationKind, StockBalance, StockStatus, Tracking
from inventory.operations.issuing import issue_stock
from inventory.operations.reporting import ReportedQuantity, report_external_stock
from tests.factories import make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def used_up(item, place, lots):
    for number in range(lots):
        put_on_hand(item, place, "3", value="3.00", lot=f"OLD-{number}")
        issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(3), actor=None)


@pytest.mark.parametrize("method", list(CostMethod))
def test_rows_that_are_locked_and_read_do_not_grow_with_the_lots_that_are_used_up(method):
    """Fails when lock_for_posting takes every balance of the item, or _read_costs every pool of its lots."""
    item, place = make_item(tracking=Tracking.LOT, cost_method=method), make_location()
    seen = []
    for lots in (1, 12):
        used_up(item, place, lots)
        put_on_hand(item, place, "5", value="5.00", lot=f"NEW-{lots}")
        rows = lock_for_posting(items=[item.pk], within=ANYWHERE, statuses=list(StockStatus))
        seen.append((len(rows.cells), len(rows.lot_pools), sum(map(len, rows.layers.values()))))
        issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(5), actor=None)

    assert seen[0] == seen[1] == (1, int(method == CostMethod.LOT), int(method == CostMethod.FIFO))
    assert StockBalance.objects.filter(item=item).count() == 14, "the lots are still known"
    assert CostPool.objects.filter(item=item, lot__isnull=False).count() == (14 if method == CostMethod.LOT else 0)


@pytest.mark.parametrize("method", list(CostMethod))
def test_a_lot_that_was_used_up_is_filled_and_used_again(method):
    item, place = make_item(tracking=Tracking.LOT, cost_method=method), make_location()
    used_up(item, place, 2)

    put_on_hand(item, place, "4", value="8.00", lot="OLD-0")
    done = issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(1), actor=None)

    assert (done.value, on_hand(item, lot="OLD-0")) == (2, 3)
    assert StockBalance.objects.filter(item=item).count() == 2


def test_what_was_there_when_a_report_was_made_and_is_used_up_since_is_what_it_reports():
    place = make_location(code="3PL", kind=LocationKind.THIRD_PARTY)
    item = make_item(tracking=Tracking.LOT)
    put_on_hand(item, place, "10", value="10.00", lot="L1", effective_at=timezone.now() - timedelta(hours=2))
    as_of = timezone.now()
    issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(10), actor=None)

    for line in (ReportedQuantity(item, Decimal(10)), ReportedQuantity(item, Decimal(10), lot_code="L1")):
        result = report_external_stock(
            key=uuid4(), location=place, as_of=as_of, lines=[line], actor=None, is_complete=True
        )
        assert (result.differences, result.posting) == ([], None)
    assert on_hand(item) == 0
