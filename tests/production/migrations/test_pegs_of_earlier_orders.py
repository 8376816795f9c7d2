from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from inventory.models import Reservation, StockChange
from inventory.operations.reserving import reserve_stock
from production.models import WorkOrderPeg
from tests.factories import put_on_hand
from tests.production.factories import complete
from tests.production.operations.ordering import make_bench, order_for

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

MIGRATION = import_module("production.migrations.0013_pegs_of_earlier_orders")


@pytest.fixture
def bench(db):
    return make_bench()


def migrate():
    MIGRATION.note_what_was_handed_out(apps, SimpleNamespace(connection=connection))


def test_orders_for_a_demand_are_pegged_and_what_they_made_was_handed_over(bench):
    named = order_for(bench, "4", demand_kind="order", demand_ref="A")
    batch = order_for(bench, "10")
    complete(order=named, good="3")
    complete(order=batch, good="7")
    WorkOrderPeg.objects.all().delete()
    for reference, quantity in (("B", 5), ("C", 5)):
        WorkOrderPeg.objects.create(
            work_order=batch, demand_kind="order", demand_ref=reference, quantity=Decimal(quantity)
        )

    migrate()

    pegs = WorkOrderPeg.objects.order_by("demand_ref").values_list("demand_ref", "quantity", "served")
    assert list(pegs) == [("A", 4, 3), ("B", 5, 5), ("C", 5, 2)]


def test_what_was_made_up_to_the_reorder_point_is_free(bench):
    put_on_hand(bench.candle, bench.finished, "20", value="60.00")
    for kind, quantity in (("replenishment", 12), ("order", 5)):
        reserve_stock(
            item=bench.candle,
            location=bench.finished,
            quantity=Decimal(quantity),
            demand_kind=kind,
            demand_ref="CANDLE",
            actor=None,
            pinned=True,
        )
    StockChange.objects.all().delete()

    migrate()

    assert dict(Reservation.objects.values_list("demand_kind", "quantity")) == {"replenishment": 0, "order": 5}
    assert StockChange.objects.get().items == [bench.candle.pk]
