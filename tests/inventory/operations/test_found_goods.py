"""What turns up without a price is worth the same whoever finds it: adjusted, reported, counted or sent back."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.models import CostMethod, CostPool, LocationKind, StockStatus, Tracking
from inventory.operations.adjusting import adjust_stock
from inventory.operations.issuing import issue_stock
from inventory.operations.reporting import ReportedQuantity, report_external_stock
from inventory.operations.returning import CustomerReturnLine, return_from_customer
from tests.factories import make_item, make_location, put_on_hand
from tests.inventory.operations.counting_steps import approve, count_for_sure, open_sheet, submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def place():
    return make_location(code="3PL", kind=LocationKind.THIRD_PARTY)


def adjusted(item, place, lot, quantity, held):
    adjust_stock(key=uuid4(), item=item, location=place, quantity=quantity, reason="found", actor=None, lot_code=lot)


def reported(item, place, lot, quantity, held):
    line = ReportedQuantity(item, held + quantity, lot_code=lot)
    report_external_stock(key=uuid4(), location=place, as_of=timezone.now(), lines=[line], actor=None)


def counted(item, place, lot, quantity, held):
    sheet = open_sheet(place, items=[item])
    for line in sheet.lines.select_related("lot"):
        count_for_sure(line, str(held + quantity) if line.lot.code == lot else "10")
    submit(sheet)
    waiting = sheet.lines.exclude(state="posted")
    if waiting:
        approve(sheet, waiting)


def sent_back(item, place, lot, quantity, held):
    line = CustomerReturnLine(item=item, location=place, quantity=quantity, lot_code=lot, status=StockStatus.AVAILABLE)
    return_from_customer(key=uuid4(), lines=[line], actor=None)


WAYS = [adjusted, reported, counted, sent_back]


@pytest.mark.parametrize("find", WAYS)
def test_what_is_found_of_a_lot_that_carries_its_cost_is_worth_what_the_lot_is(place, find):
    item = make_item(tracking=Tracking.LOT, cost_method=CostMethod.LOT)
    put_on_hand(item, place, "10", value="10.00", lot="L1")
    put_on_hand(item, place, "10", value="90.00", lot="L2")

    find(item, place, "L1", Decimal(1), Decimal(10))

    pools = dict(CostPool.objects.filter(item=item, lot__isnull=False).values_list("lot__code", "value"))
    assert pools == {"L1": 11, "L2": 90}
    assert CostPool.objects.get(item=item, lot=None).value == 101


@pytest.mark.parametrize("find", WAYS)
def test_what_is_found_of_an_item_that_is_used_up_is_worth_what_it_last_cost(place, find):
    item = make_item()
    put_on_hand(item, place, "4", value="10.00", effective_at=timezone.now() - timedelta(hours=1))
    issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(4), actor=None)

    find(item, place, "", Decimal(2), Decimal(0))

    pool = CostPool.objects.get(item=item)
    assert (pool.quantity, pool.value, pool.unknown_quantity) == (2, 5, 0)


@pytest.mark.parametrize("find", [adjusted, reported, sent_back])
def test_what_is_found_of_an_item_that_never_had_a_cost_stays_unknown(place, find):
    item = make_item()

    find(item, place, "", Decimal(2), Decimal(0))

    pool = CostPool.objects.get(item=item)
    assert (pool.quantity, pool.value, pool.unknown_quantity) == (2, 0, 2)
