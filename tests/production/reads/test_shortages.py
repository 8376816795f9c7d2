from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import StockStatus
from inventory.operations.transferring import change_status
from production.operations.issuing_components import IssueLine, issue_components
from production.operations.releasing import release_work_order
from production.operations.sub_orders import make_sub_orders
from production.reads.shortages import shortages, shortages_of
from tests.factories import make_item, make_location, make_order, put_on_hand
from tests.production.factories import make_bom
from tests.production.operations.ordering import make_bench, order_for

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def bench(db):
    """30 kg of wax and 100 wicks; a candle takes 2 kg and 1 wick."""
    return make_bench()


def in_days(days):
    return timezone.localdate() + timedelta(days=days)


def summary(found):
    return {short.order.number: {line.component.sku: line.short for line in short.lines} for short in found}


def test_free_stock_goes_to_the_order_that_is_due_first(bench):
    later = order_for(bench, "10", due_on=in_days(9))
    sooner = order_for(bench, "10", due_on=in_days(2))

    assert summary(shortages()) == {later.number: {"WAX": 10}}
    assert sooner.number not in summary(shortages())


def test_priority_comes_before_the_date(bench):
    sooner = order_for(bench, "10", due_on=in_days(2))
    order_for(bench, "10", due_on=in_days(9), rank=-100)

    assert summary(shortages()) == {sooner.number: {"WAX": 10}}


def test_what_is_reserved_or_issued_is_kept_whatever_is_more_urgent(bench):
    reserved = order_for(bench, "10", is_planned=True, due_on=in_days(9))
    release_work_order(work_order=reserved, actor=None)
    issued = order_for(bench, "2", due_on=in_days(9))
    issue_components(
        key=uuid4(), work_order=issued, lines=[IssueLine(bench.wax, Decimal(4))], floor=bench.floor, actor=None
    )
    urgent = order_for(bench, "10", due_on=in_days(1))

    assert summary(shortages()) == {urgent.number: {"WAX": 14}}


def test_planned_orders_count_too(bench):
    order = order_for(bench, "20", is_planned=True)

    assert summary(shortages()) == {order.number: {"WAX": 10}}


def test_purchases_clear_it_soonest_first_and_each_once(bench):
    first, second = order_for(bench, "20", due_on=in_days(1)), order_for(bench, "5", due_on=in_days(2))
    late = make_order([(bench.wax, "12", "10")], location=bench.shelf, expected_on=in_days(20))
    soon = make_order([(bench.wax, "6", "10")], location=bench.shelf, expected_on=in_days(5))

    (wax_of_first,), wax_of_second = shortages_of(first), shortages_of(second)[0]

    assert [(c.reference, c.quantity, c.expected_on) for c in wax_of_first.clearings] == [
        (soon.number, 6, in_days(5)),
        (late.number, 4, in_days(20)),
    ]
    assert (wax_of_first.uncovered, wax_of_first.clears_on) == (0, in_days(20))
    assert [(c.reference, c.quantity) for c in wax_of_second.clearings] == [(late.number, 8)]
    assert (wax_of_second.short, wax_of_second.uncovered, wax_of_second.clears_on) == (10, 2, None)


def test_work_orders_that_make_it_clear_it(bench):
    made = make_item(sku="BLEND", unit="kg", step="0.1")
    make_bom(item=made, lines=[(bench.wax, "1")])
    lamp = make_item(sku="LAMP")
    make_bom(item=lamp, lines=[(made, "1")])
    blend = order_for(bench, "3", item=made, output_location=bench.shelf, due_on=in_days(3))
    lamps = order_for(bench, "4", item=lamp)

    (line,) = shortages_of(lamps)

    assert [(c.kind, c.reference, c.quantity, c.expected_on) for c in line.clearings] == [
        ("work_order", blend.number, 3, in_days(3))
    ]
    assert (line.short, line.covered, line.uncovered) == (4, 3, 1)


def test_stock_on_hold_and_substitutes_are_offered_and_not_counted(bench):
    other, lamp = make_item(sku="PARAFFIN", unit="kg", step="0.1"), make_item(sku="LAMP")
    make_bom(item=lamp, lines=[(bench.wax, "10", {"substitutes": [(other, "1.5")]})])
    put_on_hand(other, bench.shelf, "3")
    change_status(
        key=uuid4(),
        item=bench.wax,
        location=bench.shelf,
        quantity=Decimal(5),
        from_status=StockStatus.AVAILABLE,
        to_status=StockStatus.QC_HOLD,
        reason="smells",
        actor=None,
    )
    order = order_for(bench, "3", item=lamp)

    (line,) = shortages_of(order)

    assert (line.short, line.covered, line.uncovered) == (5, 0, 5)
    assert [(c.kind, c.reference, c.quantity) for c in line.clearings] == [
        ("hold", "QC hold", 5),
        ("substitute", "PARAFFIN", 2),
    ]


def test_only_stock_the_order_may_take_counts(bench):
    elsewhere = make_location(code="ELSEWHERE")
    put_on_hand(bench.wax, elsewhere, "100", lot="FAR")
    here, anywhere = order_for(bench, "20"), order_for(bench, "20", source_location=None)

    found = summary(shortages())

    assert found[here.number] == {"WAX": 10}
    assert anywhere.number not in found


def test_costs_the_same_number_of_queries_with_1_and_20_orders(bench):
    make_order([(bench.wax, "1", "10")], location=bench.shelf)
    order_for(bench, "20")
    with CaptureQueriesContext(connection) as one:
        assert len(shortages()) == 1
    for _ in range(19):
        order_for(bench, "20")

    with CaptureQueriesContext(connection) as twenty:
        assert len(shortages()) == 20

    assert len(one) == len(twenty)


def test_what_is_pegged_to_one_order_is_not_promised_to_a_more_urgent_one(bench):
    made, lamp = make_item(sku="BLEND", unit="kg", step="0.1"), make_item(sku="LAMP")
    make_bom(item=made, lines=[(bench.wax, "1")])
    make_bom(item=lamp, lines=[(made, "1")])
    later = order_for(bench, "4", item=lamp, due_on=in_days(9))
    (blend,) = make_sub_orders(work_order=later, actor=None)
    urgent = order_for(bench, "4", item=lamp, due_on=in_days(1))

    found = {short.order.number: short.lines[0] for short in shortages() if short.order.item == lamp}

    assert [(c.reference, c.quantity) for c in found[later.number].clearings] == [(blend.number, 4)]
    assert found[urgent.number].clearings == []
