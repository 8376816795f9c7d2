"""Rehearsal of damage (F14): one balance, one movement, one cost pool, one order's counter. Each must be found."""

import io
import json
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config.invariants import INVARIANTS, verify
from inventory.models import CostPool, StockBalance
from inventory.operations.issuing import issue_stock
from production.models import WorkOrder
from production.operations.work_orders import open_work_order
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def workshop():
    place, wax, candle = make_location(), make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="CANDLE")
    make_bom(item=candle, lines=[(wax, "200", {"unit": "g"})])
    put_on_hand(wax, place, "10", value="45.00")
    order = open_work_order(item=candle, planned=Decimal(20), output_location=place, actor=None)
    complete(good="5", order=order)
    return wax, candle, order


def broken():
    return {result.invariant.name for result in verify() if result.findings}


def alter_movement(sql, parameters):
    """As the owner of the tables who switches the guard off, the only one who can."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE inventory_movement DISABLE TRIGGER inventory_movement_append_only")
        cursor.execute(sql, parameters)
        cursor.execute("ALTER TABLE inventory_movement ENABLE TRIGGER inventory_movement_append_only")


def test_a_sound_ledger_passes_with_a_line_for_every_invariant(workshop):
    said = io.StringIO()

    call_command("verify_ledger", stdout=said, no_color=True)

    lines = said.getvalue().splitlines()
    assert len(lines) == len(INVARIANTS) + 1
    assert lines[0] == "ok  inventory: balances. Every balance is the sum of its movements."
    assert lines[-1] == f"All {len(INVARIANTS)} invariants hold."


def test_a_changed_balance_is_found(workshop):
    StockBalance.objects.filter(item=workshop[0]).update(quantity=Decimal("9.001"))

    assert broken() == {"balances"}


def test_a_changed_movement_is_found(workshop):
    alter_movement(
        "UPDATE inventory_movement SET quantity = quantity - 0.001 WHERE item_id = %s AND quantity < 0",
        [workshop[0].pk],
    )

    assert broken() == {"balances", "pools", "completions consume"}


def test_a_changed_value_of_a_movement_is_found(workshop):
    alter_movement(
        "UPDATE inventory_movement SET value = value + 0.01 WHERE item_id = %s AND quantity < 0", [workshop[0].pk]
    )

    assert broken() == {"pools", "completion value"}


def test_a_changed_cost_pool_is_found(workshop):
    CostPool.objects.filter(item=workshop[1]).update(value=Decimal("4.49"))

    assert broken() == {"pools"}


def test_damages_that_cancel_each_other_in_the_whole_are_found(workshop):
    """Balances, pools and movements are weighed as a whole first: equal weights, or a fixed one, would not see these."""
    wax, candle, _ = workshop
    for item, sign in ((wax, 1), (candle, -1)):
        cell = StockBalance.objects.get(item=item)
        StockBalance.objects.filter(pk=cell.pk).update(quantity=cell.quantity + sign)
    assert broken() == {"balances"}
    for item, sign in ((wax, 1), (candle, -1)):
        cell, pool = StockBalance.objects.get(item=item), CostPool.objects.get(item=item)
        StockBalance.objects.filter(pk=cell.pk).update(quantity=cell.quantity - sign)
        CostPool.objects.filter(pk=pool.pk).update(value=pool.value + sign)
    assert broken() == {"pools"}


def test_a_balance_that_is_missing_is_found_though_its_movements_come_to_nothing(workshop):
    """It weighs nothing either way, so the movements of the last days are looked up in their balances."""
    wax, place = workshop[0], make_location()
    put_on_hand(wax, place, "2", value="9.00")
    issue_stock(key=uuid4(), item=wax, location=place, quantity=Decimal(2), actor=None)
    assert broken() == set()

    StockBalance.objects.filter(item=wax, location=place).delete()

    assert broken() == {"balances"}


def test_facts_that_share_a_pass_are_judged_as_they_are_one_by_one(workshop):
    """Each damage breaks the same facts whether all are checked together or each by itself."""
    wax, candle, _ = workshop
    StockBalance.objects.filter(item=wax).update(quantity=Decimal("9.001"))
    CostPool.objects.filter(item=candle).update(value=Decimal("4.49"))

    alone = {invariant.name for _, invariant in INVARIANTS if invariant.find()}

    assert alone == broken() == {"balances", "pools"}


def test_a_movement_that_was_moved_to_another_cell_is_found(workshop):
    wax, other = workshop[0], make_location()
    put_on_hand(wax, other, "2", value="9.00")
    alter_movement(
        "UPDATE inventory_movement SET location_id = %s WHERE item_id = %s AND quantity < 0", [other.pk, wax.pk]
    )

    assert "balances" in broken()


def test_a_changed_counter_of_an_order_is_found(workshop):
    WorkOrder.objects.filter(pk=workshop[2].pk).update(good=Decimal(6))

    assert broken() == {"work orders"}


def test_a_breach_ends_the_command_with_an_error_and_its_findings(workshop):
    StockBalance.objects.filter(item=workshop[0]).update(quantity=Decimal("8.5"))
    said = io.StringIO()

    with pytest.raises(CommandError, match=r"1 of \d+ invariants are broken \(inventory: balances\)"):
        call_command("verify_ledger", "--json", stdout=said)

    told = json.loads(said.getvalue())
    assert told["holds"] is False
    [wrong] = [one for one in told["invariants"] if not one["holds"]]
    assert wrong["name"] == "balances"
    assert "balance 8.500000, movements 9.000000" in wrong["findings"][0]
