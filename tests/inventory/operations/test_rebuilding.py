import io
from datetime import date
from decimal import Decimal
from random import Random
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from inventory.errors import DomainError
from inventory.models import CostLayer, CostMethod, CostPool, StockBalance, StockChange
from inventory.operations.adjusting import adjust_stock, correct_cost
from inventory.operations.issuing import issue_stock
from inventory.operations.rebuilding import LedgerDamaged, rebuild_balances
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import transfer_stock
from inventory.reads.moments import AsOf
from inventory.reads.unknown_costs import unknown_quantities
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


def projections():
    return (
        sorted(
            StockBalance.objects.exclude(quantity=0).values_list(
                "item", "location", "lot", "status", "quantity", "reserved"
            )
        ),
        sorted(CostPool.objects.exclude(quantity=0).values_list("item", "quantity", "value", "unknown_quantity")),
    )


@pytest.fixture
def stocked():
    """Three items with a past: lots, a transfer, an issue, unknown costs, a pinned reservation."""
    shelf, bench = make_location(code="SHELF"), make_location(code="BENCH")
    wax, wick, jar = (
        make_item(sku="WAX", unit="kg", step="0.001", tracking="lot"),
        make_item(sku="WICK"),
        make_item(sku="JAR"),
    )
    put_on_hand(wax, shelf, "10", value="45.00", lot="W1", expires_on=date(2030, 1, 1))
    put_on_hand(wax, shelf, "5.5", value="26.40", lot="W2")
    transfer_stock(key=uuid4(), item=wax, source=shelf, target=bench, quantity=Decimal(3), actor=None)
    put_on_hand(wick, shelf, "100", value="10.00")
    put_on_hand(wick, shelf, "50")
    issue_stock(key=uuid4(), item=wick, location=shelf, quantity=Decimal(20), actor=None, reason="sample")
    put_on_hand(jar, bench, "24", value="12.00")
    reserve_stock(
        item=jar, location=bench, quantity=Decimal(6), demand_kind="order", demand_ref="1", actor=None, pinned=True
    )
    return wax, wick, jar


def test_finds_nothing_where_nothing_is_wrong(stocked):
    before = projections()

    result = rebuild_balances()

    assert (result.items, result.differences) == (3, [])
    assert projections() == before
    assert CostPool.objects.get(item=stocked[1]).unknown_quantity == Decimal(50)


def test_restores_balances_pools_and_reserved_quantities_after_they_were_damaged(stocked):
    wax, wick, jar = stocked
    before = projections()
    StockBalance.objects.filter(item=wax, quantity__gt=5).update(quantity=Decimal(1))
    StockBalance.objects.filter(item=wick).delete()
    StockBalance.objects.filter(item=jar).update(reserved=Decimal(0))
    CostPool.objects.filter(item=wick).update(unknown_quantity=Decimal(0), value=Decimal("7.77"))
    CostPool.objects.filter(item=jar).delete()
    StockChange.objects.all().delete()
    assert broken_invariants()

    shown = rebuild_balances(dry_run=True)
    damaged = projections()
    result = rebuild_balances()

    assert damaged != before, "a dry run writes nothing"
    assert result.differences == shown.differences
    assert projections() == before
    assert broken_invariants() == []
    assert sorted(StockChange.objects.get().items) == sorted(item.pk for item in stocked)
    assert rebuild_balances().differences == []


def test_rebuilds_only_the_items_asked_for(stocked):
    wax, _, jar = stocked
    CostPool.objects.filter(item__in=[wax, jar]).update(value=Decimal(1))

    result = rebuild_balances(items=[wax.pk])

    assert [difference.where for difference in result.differences] == ["cost pool of WAX"]
    assert CostPool.objects.get(item=jar).value == Decimal(1)


def test_refuses_movements_that_no_stock_can_have_made(stocked):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE inventory_movement DISABLE TRIGGER inventory_movement_append_only")
        cursor.execute("UPDATE inventory_movement SET quantity = -100 WHERE item_id = %s", [stocked[2].pk])
        cursor.execute("ALTER TABLE inventory_movement ENABLE TRIGGER inventory_movement_append_only")
    before = projections()

    with pytest.raises(LedgerDamaged, match=r"JAR at BENCH, available: -100"):
        rebuild_balances()

    assert projections() == before


@pytest.mark.parametrize("seed", range(6))
def test_unknown_quantities_replay_to_what_the_operations_kept(seed):
    """The replay takes the steps of valuation; without `min(unknown, left)` or the zero at an empty pool a seed fails."""
    random = Random(seed)
    item, shelf, bench = make_item(sku="THING"), make_location(), make_location()
    postings = []
    for _ in range(60):
        what = random.choice(
            ["known", "unknown", "issue", "issue", "adjust", "transfer", "reverse", "reverse", "correct"]
        )
        quantity = Decimal(random.randint(1, 9))
        try:
            if what in ("known", "unknown"):
                value = f"{random.randint(1, 900) / 100:.2f}" if what == "known" else None
                postings.append(put_on_hand(item, shelf, quantity, value=value))
            elif what == "issue":
                done = issue_stock(key=uuid4(), item=item, location=shelf, quantity=quantity, actor=None, reason="use")
                postings.append(done.posting)
            elif what == "adjust":
                signed = random.choice([quantity, -quantity])
                done = adjust_stock(key=uuid4(), item=item, location=shelf, quantity=signed, reason="count", actor=None)
                postings.append(done.posting)
            elif what == "transfer":
                transfer_stock(key=uuid4(), item=item, source=shelf, target=bench, quantity=quantity, actor=None)
            elif what == "reverse" and postings:
                reverse_posting(key=uuid4(), posting=random.choice(postings), actor=None)
            elif what == "correct":
                cost = Decimal(random.randint(100, 300)) / 100
                correct_cost(key=uuid4(), item=item, unit_cost=cost, reason="invoice", actor=None)
        except DomainError:
            continue
        pool = CostPool.objects.filter(item=item).first()
        result = rebuild_balances(dry_run=True)
        assert result.differences == [], f"after {what} of {quantity}: {pool and pool.unknown_quantity}"
        if pool is not None:
            at_most = min(pool.unknown_quantity, pool.quantity)
            believed = unknown_quantities(items=[item.pk], moment=AsOf.at(timezone.now()))
            assert believed == ({item.pk: at_most} if at_most else {}), f"after {what} of {quantity}"


def test_a_pool_that_was_emptied_begins_anew_without_unknown_units():
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "5")
    issue_stock(key=uuid4(), item=item, location=shelf, quantity=Decimal(5), actor=None, reason="use")
    put_on_hand(item, shelf, "3", value="3.00")

    assert CostPool.objects.get(item=item).unknown_quantity == 0
    assert rebuild_balances(dry_run=True).differences == []


def test_no_more_units_are_unknown_than_a_reversal_leaves():
    item, shelf, bench = make_item(), make_location(), make_location()
    seven = put_on_hand(item, bench, "7", value="7.00")
    put_on_hand(item, bench, "3", value="3.00")
    put_on_hand(item, shelf, "6")
    issue_stock(key=uuid4(), item=item, location=shelf, quantity=Decimal(6), actor=None, reason="use")
    reverse_posting(key=uuid4(), posting=seven, actor=None)

    assert CostPool.objects.get(item=item).unknown_quantity == Decimal(3)
    assert rebuild_balances(dry_run=True).differences == []


def test_the_command_shows_and_corrects(stocked):
    CostPool.objects.filter(item=stocked[0]).update(value=Decimal("1.00"))
    said = io.StringIO()

    call_command("rebuild_balances", "--dry-run", stdout=said)
    call_command("rebuild_balances", "--item", "wax", stdout=said)

    assert said.getvalue().splitlines() == [
        "cost pool of WAX: value 1 -> 71.4",
        "3 items, 1 figures would be corrected",
        "cost pool of WAX: value 1 -> 71.4",
        "1 items, 1 figures corrected",
    ]
    with pytest.raises(CommandError, match="There is no item NOTHING"):
        call_command("rebuild_balances", "--item", "NOTHING", stdout=said)


@pytest.fixture
def below_zero():
    """An item that may go below zero, never received: what it lacks is of unknown cost, then known by a receipt and more."""
    item, shelf = make_item(sku="GLUE", negative_allowed=True), make_location(code="SHELF")
    use(item, shelf, 5)
    return item, shelf


def use(item, place, quantity):
    return issue_stock(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(quantity),
        actor=None,
        reason="used",
        may_go_below=True,
    ).posting


def test_finds_nothing_wrong_with_stock_that_is_below_zero_with_leave(below_zero):
    item, shelf = below_zero
    for step in (
        lambda: None,
        lambda: put_on_hand(item, shelf, "3", value="6.00"),
        lambda: put_on_hand(item, shelf, "4", value="8.00"),
        lambda: use(item, shelf, 7),
        lambda: put_on_hand(item, shelf, "2"),
        lambda: put_on_hand(item, shelf, "6"),
        lambda: use(item, shelf, 9),
        lambda: put_on_hand(item, shelf, "9", value="9.00"),
    ):
        step()
        assert rebuild_balances(dry_run=True).differences == []


def test_restores_what_is_below_zero_with_leave(below_zero):
    item, _ = below_zero
    before = projections()
    StockBalance.objects.filter(item=item).delete()
    CostPool.objects.filter(item=item).update(quantity=Decimal(7), unknown_quantity=Decimal(0))

    rebuild_balances()

    assert projections() == before
    assert StockBalance.objects.get(item=item).negative_allowed
    assert broken_invariants() == []


@pytest.mark.parametrize("seed", range(6))
def test_unknown_quantities_below_zero_replay_to_what_the_operations_kept(seed):
    """The replay takes the very steps of valuation; without what they do below zero a seed fails."""
    random = Random(seed)
    item, shelf, other = make_item(sku="THING", negative_allowed=True), make_location(), make_location()
    postings = []
    for _ in range(60):
        what = random.choice(["known", "unknown", "use", "use", "use", "reverse", "adjust", "transfer"])
        quantity, place = Decimal(random.randint(1, 9)), random.choice([shelf, shelf, other])
        try:
            if what in ("known", "unknown"):
                value = f"{random.randint(1, 900) / 100:.2f}" if what == "known" else None
                postings.append(put_on_hand(item, place, quantity, value=value))
            elif what == "use":
                postings.append(use(item, place, quantity))
            elif what == "adjust":
                adjust_stock(key=uuid4(), item=item, location=place, quantity=quantity, reason="found", actor=None)
            elif what == "transfer":
                transfer_stock(key=uuid4(), item=item, source=shelf, target=other, quantity=quantity, actor=None)
            elif postings:
                reverse_posting(key=uuid4(), posting=random.choice(postings), actor=None)
        except DomainError:
            continue
        found = [str(difference) for difference in rebuild_balances(dry_run=True).differences]
        assert found == [], f"after {what} of {quantity}"
    assert broken_invariants() == []


@pytest.mark.parametrize("method", list(CostMethod))
def test_a_pool_that_was_lost_comes_back_with_its_method(method):
    item, place = make_item(cost_method=method, tracking="lot"), make_location()
    put_on_hand(item, place, "4", value="4.00", lot="A")
    put_on_hand(item, place, "3", lot="B")
    before = projections()
    CostPool.objects.filter(item=item, lot__isnull=True).delete()

    rebuild_balances()

    assert (projections(), broken_invariants()) == (before, [])
    assert CostPool.objects.get(item=item, lot__isnull=True).method == method


def test_says_of_pools_of_lots_and_layers_that_they_are_wrong_and_not_rebuilt():
    place = make_location()
    by_lot, fifo = make_item(sku="BY-LOT", cost_method="lot", tracking="lot"), make_item(sku="FIFO", cost_method="fifo")
    put_on_hand(by_lot, place, "4", value="4.00", lot="A")
    put_on_hand(by_lot, place, "6", value="9.00", lot="B")
    put_on_hand(fifo, place, "5", value="5.00")
    assert rebuild_balances().damaged == []
    CostPool.objects.filter(item=by_lot, lot__code="A").update(quantity=Decimal(1), value=Decimal("1.50"))
    CostLayer.objects.filter(item=fifo).update(value=Decimal("2.00"))
    said = [
        "BY-LOT, its lots: 7 worth 10.5, the ledger 10 worth 13",
        "BY-LOT, lot A: 1, the ledger 4",
        "FIFO, its layers: 5 worth 2, the ledger 5 worth 5",
    ]

    assert rebuild_balances(dry_run=True).damaged == said
    assert (rebuild_balances().damaged, CostPool.objects.get(lot__code="A").quantity) == (said, 1)
    told = io.StringIO()
    with pytest.raises(CommandError, match="3 pools of lots or cost layers do not add up and were not rebuilt"):
        call_command("rebuild_balances", stdout=io.StringIO(), stderr=told)
    assert told.getvalue().splitlines() == said
