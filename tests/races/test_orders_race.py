"""Rivals over work orders, with real commits. Each test names the line whose removal makes it fail; that was tried."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.db.utils import IntegrityError

from inventory.errors import DomainError
from inventory.models import Reservation
from inventory.operations import pinning
from production.models import WorkOrder
from production.operations import demands, pegs, reshaping, work_orders
from production.operations.demands import make_for_demand, withdraw_demand
from production.operations.issuing_components import IssueLine, issue_components
from production.operations.releasing import release_work_order
from production.operations.reshaping import split_into_parts
from production.operations.sub_orders import make_sub_orders
from production.operations.work_orders import cancel_work_order, close_work_order
from tests.conftest import broken_invariants
from tests.factories import make_item, on_hand
from tests.production.factories import complete, make_bom
from tests.production.operations.ordering import make_bench, order_for, pinned

pytestmark = pytest.mark.race
PAUSE_SECONDS = 0.4


def together(*works):
    """Run the callables at the same moment, each in a thread with a connection of its own; results or refusals."""
    barrier = threading.Barrier(len(works))

    def run(work):
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return work()
        except (DomainError, IntegrityError) as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def slow_down(monkeypatch, module, name):
    """Let time pass before a step, so that a rival that is not kept out comes between."""
    real = getattr(module, name)

    def slow(*arguments, **named):
        time.sleep(PAUSE_SECONDS)
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, slow)


def test_an_order_parted_twice_at_once_keeps_its_plan(committed_db, monkeypatch):
    """Fails when `split_into_parts` reads the order without `locked_order`: both part the same ten, and more is planned."""
    bench = make_bench()
    order = order_for(bench, "10")
    slow_down(monkeypatch, reshaping, "copy_lines")

    found = together(
        lambda: split_into_parts(work_order=order, parts=2, actor=None),
        lambda: split_into_parts(work_order=order, parts=2, actor=None),
    )

    assert [len(parts) for parts in found] == [2, 2]
    assert sorted(WorkOrder.objects.values_list("planned", flat=True)) == [2, 3, 5]
    assert broken_invariants() == []


def test_two_orders_released_at_once_share_the_stock(committed_db, monkeypatch):
    """Fails when the pools are only read in `pin_stock` (`lock=False`): both pin the same wax."""
    bench = make_bench()
    slow_down(monkeypatch, pinning, "pin_cells")
    orders = [order_for(bench, is_planned=True) for _ in "12"]

    results = together(*(lambda order=order: release_work_order(work_order=order, actor=None) for order in orders))

    assert sorted(len(result.missing) for result in results) == [0, 1]
    assert sorted(pinned(order, bench.wax) for order in orders) == [10, 20]
    assert broken_invariants() == []


def test_a_demand_that_is_sent_twice_at_once_is_met_once(committed_db, monkeypatch):
    """Fails without `one_at_a_time`: both find nothing and plan an order."""
    bench = make_bench()
    slow_down(monkeypatch, demands, "open_work_order")

    def ask():
        return make_for_demand(
            demand_kind="order",
            demand_ref="SO-1",
            item=bench.candle,
            quantity=Decimal(5),
            location=bench.finished,
            mode="always",
            actor=None,
        )

    results = together(ask, ask)

    assert sorted(result.replayed for result in results) == [False, True]
    assert [order.planned for order in WorkOrder.objects.all()] == [5]


def test_demands_that_come_at_once_join_one_batch(committed_db, monkeypatch):
    """Fails without `one_at_a_time`: each plans an order of its own."""
    bench = make_bench()
    slow_down(monkeypatch, demands, "open_work_order")

    def ask(reference):
        return make_for_demand(
            demand_kind="order",
            demand_ref=reference,
            item=bench.candle,
            quantity=Decimal(5),
            location=bench.finished,
            mode="always",
            actor=None,
        )

    together(lambda: ask("SO-1"), lambda: ask("SO-2"))

    assert [order.planned for order in WorkOrder.objects.all()] == [10]


def test_an_order_is_not_cancelled_under_the_hands_that_issue_to_it(committed_db, monkeypatch):
    """Fails when `locked_order` does not lock: components stand on the floor of a cancelled order."""
    bench = make_bench()
    order = order_for(bench)
    slow_down(monkeypatch, work_orders, "release_reservations")

    def issue_more():
        return issue_components(
            key=uuid4(), work_order=order, lines=[IssueLine(bench.wax, Decimal(4))], floor=bench.floor, actor=None
        )

    together(lambda: cancel_work_order(work_order=order, actor=None), issue_more)

    order.refresh_from_db()
    assert (order.state, on_hand(bench.wax, location=bench.floor)) in (("cancelled", 0), ("open", 4))
    assert broken_invariants() == []


def asked(bench, quantity="5"):
    return make_for_demand(
        demand_kind="order",
        demand_ref="SO-1",
        item=bench.candle,
        quantity=Decimal(quantity),
        location=bench.finished,
        source_location=bench.shelf,
        mode="always",
        actor=None,
    )


def after(seconds, work):
    time.sleep(seconds)
    return work()


def test_a_demand_withdrawn_while_its_order_is_completed_holds_nothing(committed_db, monkeypatch):
    """Fails without `_lock_orders` in `withdraw_demand`: it frees nothing yet, and the completion then promises five."""
    bench = make_bench()
    order = asked(bench).pegs[0].work_order
    release_work_order(work_order=order, actor=None)
    slow_down(monkeypatch, pegs, "pin_for_demands")

    done, withdrawn = together(
        lambda: complete(order=order, good="5"),
        lambda: after(
            PAUSE_SECONDS / 2,
            lambda: withdraw_demand(demand_kind="order", demand_ref="SO-1", item=bench.candle, actor=None),
        ),
    )

    assert (done.completion.good, withdrawn.replayed) == (5, False)
    assert not Reservation.objects.filter(demand_ref="SO-1", quantity__gt=0).exists()
    assert broken_invariants() == []


def test_an_order_closed_while_a_part_of_it_is_completed_holds_nothing(committed_db, monkeypatch):
    """Fails without `lock_makers` in `close_work_order`: it frees nothing yet, and the completion then promises four."""
    bench = make_bench()
    lamp = make_item()
    make_bom(item=lamp, lines=[(bench.candle, "2")])
    order = order_for(bench, "2", item=lamp)
    (candles,) = make_sub_orders(work_order=order, actor=None)
    release_work_order(work_order=candles, actor=None)
    slow_down(monkeypatch, pegs, "pin_for_demands")

    together(
        lambda: complete(order=candles, good="4"),
        lambda: after(PAUSE_SECONDS / 2, lambda: close_work_order(work_order=order, actor=None)),
    )

    assert pinned(order, bench.candle) == 0
    assert on_hand(bench.candle) == 4
    assert broken_invariants() == []
