"""Two people who plan what is low at the same moment, with real commits."""

from decimal import Decimal

import pytest
from django.db import connection

from inventory.errors import WrongState
from production.models import WorkOrder
from production.operations import replenishing
from production.operations.replenishing import ReplenishLine, replenish_items
from tests.factories import make_item
from tests.production.factories import make_bom
from tests.production.operations.ordering import make_bench
from tests.races.test_orders_race import slow_down, together

pytestmark = pytest.mark.race


def test_what_is_low_is_planned_once(committed_db, monkeypatch):
    """Fails without `one_at_a_time` in `replenish_items`: both find it low and plan an order. That was tried."""
    bench = make_bench()
    bench.candle.reorder_point, bench.candle.reorder_quantity = Decimal(10), Decimal(20)
    bench.candle.save()
    slow_down(monkeypatch, replenishing, "open_work_order")

    def plan():
        return replenish_items(lines=[ReplenishLine(bench.candle)], location=bench.finished, actor=None)

    results = together(plan, plan)

    assert [order.planned for order in WorkOrder.objects.all()] == [20]
    assert sum(isinstance(result, WrongState) for result in results) == 1


def deadlocks():
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def test_those_who_name_the_same_items_in_another_order_do_not_wait_for_each_other_for_ever(committed_db, monkeypatch):
    """Fails when items are locked in the order they are named: the rivals deadlock. That was tried."""
    slow_down(monkeypatch, replenishing, "one_at_a_time")
    before = deadlocks()
    bench = make_bench()
    items = [bench.candle]
    for number in range(2):
        item = make_item(sku=f"LAMP-{number}", kind="product")
        make_bom(item=item, lines=[(bench.wick, "1")])
        items.append(item)
    for item in items:
        item.reorder_point, item.reorder_quantity = Decimal(10), Decimal(20)
        item.save()

    def plan(named):
        lines = [ReplenishLine(item) for item in named]
        return replenish_items(lines=lines, location=bench.finished, actor=None)

    results = together(lambda: plan(items), lambda: plan(items[::-1]))

    assert WorkOrder.objects.count() == len(items)
    assert sum(isinstance(result, WrongState) for result in results) == 1
    assert deadlocks() == before
