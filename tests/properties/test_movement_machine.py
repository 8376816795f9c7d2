"""Random histories of shipments, returns, lot changes, transfers by road and reversals, against a plain model.

Three items, one for each way of valuing. The model knows their stock by cell, and their cost as an average, as a queue and as
an average of each lot, in ordinary Python; it shares no code with the product. After every step cells, pools, queues and pools
of lots are those of the model, every cent that came in is on hand, has left or is a cost entry, and every invariant holds at
the end. Steps: BACKFLUSH_MACHINE_STEPS. Mutations that were tried and are found: a customer return at the present average, a
return that does not look at earlier ones, a supplier return that takes the oldest layer first, a lot change that leaves the
value behind, a reversed arrival that does not reach its transfer.
"""

import os
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from inventory.errors import DomainError
from inventory.models import CostEntry, CostLayer, CostPool, Lot, Reservation, StockBalance
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.relabelling import NewLot, change_lots
from inventory.operations.reserving import reserve_stock
from inventory.operations.returning import (
    CustomerReturnLine,
    SupplierReturnLine,
    return_from_customer,
    return_to_supplier,
)
from inventory.operations.reversing import reverse_posting
from inventory.operations.shipping import ShipmentLine, ship_stock
from inventory.operations.transit import (
    Arrival,
    DispatchLine,
    dispatch_transfer,
    receive_transfer,
    return_transfer,
)
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location

STEPS = int(os.environ.get("BACKFLUSH_MACHINE_STEPS", "1200"))
STEPS_PER_HISTORY = 50
CENT = Decimal("0.01")
ZERO = Decimal(0)


def part_of(value, quantity, whole):
    """The part of a value that a quantity of the whole stands for, to the cent; all of it for the whole."""
    if quantity == whole:
        return value
    exact = Fraction(value) * Fraction(quantity) / Fraction(whole) / Fraction(CENT)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal(1), ROUND_HALF_UP) * CENT


@dataclass
class Average:
    quantity: Decimal = ZERO
    value: Decimal = ZERO

    def take(self, quantity):
        value = part_of(self.value, quantity, self.quantity)
        self.quantity, self.value = self.quantity - quantity, self.value - value
        return value

    def put(self, quantity, value):
        self.quantity, self.value = self.quantity + quantity, self.value + value


@dataclass
class Queue:
    """Layers as [posting, quantity, value], oldest first."""

    layers: list = field(default_factory=list)

    def take(self, quantity, first=None):
        total = ZERO
        for layer in sorted(self.layers, key=lambda layer: layer[0] != first):
            part = min(quantity, layer[1])
            if part:
                value = part_of(layer[2], part, layer[1])
                layer[1], layer[2] = layer[1] - part, layer[2] - value
                total, quantity = total + value, quantity - part
        assert quantity == 0
        self.layers = [layer for layer in self.layers if layer[1]]
        return total

    def put(self, quantity, value, posting):
        self.layers.append([posting, quantity, value])


SKUS = ("AVERAGE", "FIFO", "LOTS")
SKU = st.sampled_from(SKUS)
PLACE = st.sampled_from(["A", "B"])
NUMBER = st.integers(1, 6)
CENTS = st.integers(0, 3_000)


class MovementMachine(RuleBasedStateMachine):
    """Refusals are part of life and must change nothing."""

    @initialize()
    def start(self):
        self.open = transaction.atomic()
        self.open.__enter__()
        self.places = {code: make_location(code=code) for code in ("A", "B")}
        self.places["ROAD"] = make_location(code="ROAD", kind="in_transit", is_sellable=False)
        self.items = {
            "AVERAGE": make_item(sku="AVERAGE"),
            "FIFO": make_item(sku="FIFO", cost_method="fifo", tracking="lot"),
            "LOTS": make_item(sku="LOTS", cost_method="lot", tracking="lot"),
        }
        self.cells = {}
        self.average, self.queue, self.lots = Average(), Queue(), {}
        self.flow = dict.fromkeys(SKUS, ZERO)
        self.postings, self.transfers, self.arrivals, self.demands = [], [], [], 0
        self.receipts, self.shipments, self.returns = {}, {}, {}
        for number, sku in enumerate(SKUS):  # something of everything, at different costs, so that most rules can do it
            for place, lot in (("A", 1), ("B", 2)):
                self.take_in(sku, place, 10 + number, Decimal("33.33") * lot, lot)
                self.take_in(sku, place, 7, Decimal("9.99") + number, 3)
            self.send_out(sku, "A", 5)

    def teardown(self):
        if hasattr(self, "open"):
            try:
                assert broken_invariants() == []
            finally:
                transaction.set_rollback(True)
                self.open.__exit__(None, None, None)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def try_it(self, work):
        try:
            return work()
        except DomainError:
            return None

    def moved(self, posting):
        """Bring the cells up to date; what each lot gained, and lost, in the order it was written."""
        places = {place.pk: code for code, place in self.places.items()}
        gained, lost = {}, {}
        for row in posting.movements.select_related("item", "lot").order_by("id"):
            key = (row.item.sku, places[row.location_id], row.lot.code, row.status)
            self.cells[key] = self.cells.get(key, ZERO) + row.quantity
            for side, sign in ((gained, 1), (lost, -1)):
                if row.quantity * sign > 0:
                    quantity, value = side.get(row.lot.code, (ZERO, ZERO))
                    side[row.lot.code] = (quantity + abs(row.quantity), value + abs(row.value))
        return gained, lost

    def put(self, sku, lot, quantity, value, posting):
        if sku == "AVERAGE":
            self.average.put(quantity, value)
        elif sku == "FIFO":
            self.queue.put(quantity, value, posting.pk)
        else:
            self.lots.setdefault(lot, Average()).put(quantity, value)
        self.flow[sku] += value

    def take(self, sku, lost, first=None):
        """What the model says these lots leave at."""
        whole = sum((quantity for quantity, _ in lost.values()), ZERO)
        if sku == "AVERAGE":
            value = self.average.take(whole)
        elif sku == "FIFO":
            value = self.queue.take(whole, first)
        else:
            value = sum((self.lots[lot].take(quantity) for lot, (quantity, _) in lost.items()), ZERO)
        self.flow[sku] -= value
        return value

    def free(self, sku, place, status="available"):
        rows = StockBalance.objects.filter(item=self.items[sku], location=self.places[place], status=status)
        return [row for row in rows.select_related("lot").order_by("id") if row.quantity > row.reserved]

    # --- rules ---------------------------------------------------------------------------------------------------------

    @rule(sku=SKU, place=PLACE, number=NUMBER, cents=CENTS, lot=st.integers(1, 3))
    def receive(self, sku, place, number, cents, lot):
        self.take_in(sku, place, number, Decimal(cents) / 100, lot)

    def take_in(self, sku, place, number, value, lot):
        line = ReceiptLine(
            item=self.items[sku],
            location=self.places[place],
            quantity=Decimal(number),
            value=value,
            lot_code="" if sku == "AVERAGE" else f"L{lot}",
        )
        posting = receive_stock(key=uuid4(), lines=[line], actor=None).posting
        self.moved(posting)
        self.put(sku, line.lot_code, line.quantity, line.value, posting)
        self.receipts[posting.pk] = (posting, sku, line.quantity)
        self.postings.append(posting)

    @rule(sku=SKU, place=PLACE, number=NUMBER, demand=st.booleans())
    def ship(self, sku, place, number, demand):
        self.send_out(sku, place, number, demand=demand)

    def send_out(self, sku, place, number, *, demand=False):
        line = ShipmentLine(item=self.items[sku], location=self.places[place], quantity=Decimal(number))
        named = ("order", str(self.demands)) if demand else None
        others = self.promised_to_others(named)
        result = self.try_it(lambda: ship_stock(key=uuid4(), lines=[line], actor=None, demand=named))
        assert self.promised_to_others(named) == others
        if result:
            _, lost = self.moved(result.posting)
            assert result.value == self.take(sku, lost)
            self.shipments[result.posting.pk] = (result.posting, sku, {lot: list(both) for lot, both in lost.items()})
            self.postings.append(result.posting)

    def promised_to_others(self, demand):
        rows = Reservation.objects.all()
        if demand:
            rows = rows.exclude(demand_kind=demand[0], demand_ref=demand[1])
        return list(rows.order_by("id").values_list("id", "quantity"))

    @precondition(lambda self: self.shipments)
    @rule(data=st.data(), place=PLACE)
    def take_back(self, data, place):
        shipment, sku, left = self.shipments[data.draw(st.sampled_from(list(self.shipments)[-6:]))]
        lot = data.draw(st.sampled_from(list(left)))
        number = data.draw(st.integers(1, int(left[lot][0]) + 1))
        line = CustomerReturnLine(
            item=self.items[sku],
            location=self.places[place],
            quantity=Decimal(number),
            lot=Lot.objects.get(item=self.items[sku], code=lot),
            status=data.draw(st.sampled_from(["available", "quarantine"])),
        )
        result = self.try_it(lambda: return_from_customer(key=uuid4(), lines=[line], shipment=shipment, actor=None))
        assert (result is None) == (number > left[lot][0])
        if result:
            expected = part_of(left[lot][1], line.quantity, left[lot][0])
            assert result.value == expected
            left[lot][0], left[lot][1] = left[lot][0] - number, left[lot][1] - expected
            self.moved(result.posting)
            self.put(sku, lot, line.quantity, expected, result.posting)
            self.returns[result.posting.pk] = (shipment.pk, lot, line.quantity, expected)
            self.postings.append(result.posting)

    @precondition(lambda self: self.receipts)
    @rule(data=st.data(), place=PLACE, number=st.integers(1, 4), credit=st.one_of(st.none(), CENTS))
    def send_back(self, data, place, number, credit):
        receipt, sku, _ = self.receipts[data.draw(st.sampled_from(list(self.receipts)[-6:]))]
        lot = receipt.movements.select_related("lot").first().lot
        given = None if credit is None else Decimal(credit) / 100
        lots = [(lot, Decimal(number))] if lot.code else []
        line = SupplierReturnLine(self.items[sku], self.places[place], Decimal(number), lots=lots, credit=given)
        result = self.try_it(lambda: return_to_supplier(key=uuid4(), lines=[line], receipt=receipt, actor=None))
        if result:
            _, lost = self.moved(result.posting)
            assert result.value == self.take(sku, lost, receipt.pk)
            assert result.variance == (ZERO if given is None else result.value - given)
            self.postings.append(result.posting)

    @rule(sku=st.sampled_from(["FIFO", "LOTS"]), place=PLACE, data=st.data(), merge=st.booleans())
    def change(self, sku, place, data, merge):
        rows = self.free(sku, place)
        if not rows:
            return
        chosen = rows[:2] if merge else rows[:1]
        sources = [(row.lot, Decimal(data.draw(st.integers(1, int(row.quantity - row.reserved))))) for row in chosen]
        whole = sum(quantity for _, quantity in sources)
        if merge or whole == 1:
            targets = [NewLot(f"M{data.draw(st.integers(1, 2))}")]
        else:
            targets = [NewLot("S1", Decimal(1)), NewLot("S2", whole - 1)]
        result = self.try_it(
            lambda: change_lots(
                key=uuid4(),
                item=self.items[sku],
                location=self.places[place],
                sources=sources,
                targets=targets,
                reason="repacked",
                actor=None,
            )
        )
        if result:
            gained, lost = self.moved(result.posting)
            assert sum(value for _, value in gained.values()) == sum(value for _, value in lost.values())
            if sku == "LOTS":
                for lot, (quantity, value) in lost.items():
                    pool = self.lots[lot]
                    pool.quantity, pool.value = pool.quantity - quantity, pool.value - value
                    assert pool.quantity > 0 or pool.value == 0
                for lot, (quantity, value) in gained.items():
                    self.lots.setdefault(lot, Average()).put(quantity, value)
            self.postings.append(result.posting)

    @rule(sku=SKU, source=PLACE, number=NUMBER)
    def dispatch(self, sku, source, number):
        target = "B" if source == "A" else "A"
        result = self.try_it(
            lambda: dispatch_transfer(
                key=uuid4(),
                source=self.places[source],
                target=self.places[target],
                lines=[DispatchLine(self.items[sku], Decimal(number))],
                actor=None,
            )
        )
        if result:
            self.moved(result.posting)
            self.transfers.append(result.transfer)
            self.postings.append(result.posting)

    @precondition(lambda self: self.transfers)
    @rule(data=st.data(), lost=st.integers(0, 1))
    def arrive(self, data, lost):
        transfer = data.draw(st.sampled_from(self.transfers[-4:]))
        line = transfer.lines.order_by("id").first()
        received = data.draw(st.integers(0, int(line.quantity - line.received - line.lost)))
        arrival = Arrival(line, Decimal(received), Decimal(lost))
        result = self.try_it(
            lambda: receive_transfer(
                key=uuid4(), transfer=transfer, arrivals=[arrival], actor=None, loss_reason="fell off"
            )
        )
        if result:
            if received:
                self.moved(result.posting)
                self.arrivals.append(result.posting)
            if result.loss:
                _, gone = self.moved(result.loss)
                expected = self.take(line.item.sku, gone)
                assert sum(entry.amount for entry in CostEntry.objects.filter(posting=result.loss)) == expected
                self.arrivals.append(result.loss)

    @precondition(lambda self: self.transfers)
    @rule(data=st.data())
    def come_back(self, data):
        transfer = data.draw(st.sampled_from(self.transfers[-4:]))
        result = self.try_it(lambda: return_transfer(key=uuid4(), transfer=transfer, actor=None))
        if result:
            self.moved(result.posting)
            self.postings.append(result.posting)

    @precondition(lambda self: self.postings)
    @rule(data=st.data())
    def reverse(self, data):
        self.undo(data.draw(st.sampled_from(self.postings[-10:])))

    @precondition(lambda self: self.arrivals)
    @rule(data=st.data())
    def reverse_arrival(self, data):
        self.undo(data.draw(st.sampled_from(self.arrivals[-4:])))

    def undo(self, posting):
        result = self.try_it(lambda: reverse_posting(key=uuid4(), posting=posting, actor=None))
        if not result:
            return
        self.moved(result.posting)
        for row in posting.movements.all():
            self.flow[self.sku_of(row.item_id)] -= row.value
        for entry in CostEntry.objects.filter(posting__in=[posting, result.posting]):
            self.flow[self.sku_of(entry.item_id)] -= entry.amount
        self.shipments.pop(posting.pk, None)
        self.receipts.pop(posting.pk, None)
        if posting.pk in self.returns:
            shipment, lot, quantity, value = self.returns.pop(posting.pk)
            left = self.shipments[shipment][2][lot]
            left[0], left[1] = left[0] + quantity, left[1] + value
        self.resume()

    def sku_of(self, item_id):
        return next(sku for sku, item in self.items.items() if item.pk == item_id)

    def resume(self):
        """Reversals are judged by the invariants (each cancels its original); the model goes on from what they left."""
        pool = CostPool.objects.filter(item=self.items["AVERAGE"]).first()
        self.average = Average(pool.quantity, pool.value) if pool else Average()
        layers = CostLayer.objects.filter(item=self.items["FIFO"], quantity__gt=0).order_by("id")
        self.queue = Queue([[layer.posting_id, layer.quantity, layer.value] for layer in layers])
        pools = CostPool.objects.filter(item=self.items["LOTS"], lot__isnull=False).select_related("lot")
        self.lots = {one.lot.code: Average(one.quantity, one.value) for one in pools}

    @rule(sku=SKU, place=PLACE, number=st.integers(1, 5), pinned=st.booleans(), same=st.booleans())
    def promise(self, sku, place, number, pinned, same):
        self.demands += not same
        self.try_it(
            lambda: reserve_stock(
                item=self.items[sku],
                location=self.places[place],
                quantity=Decimal(number),
                demand_kind="order",
                demand_ref=str(self.demands),
                actor=None,
                pinned=pinned,
            )
        )

    # --- what always holds -----------------------------------------------------------------------------------------------

    @invariant()
    def book_is_model(self):
        if not hasattr(self, "cells"):
            return
        cells = {
            (b.item.sku, b.location.code, b.lot.code, b.status): b.quantity
            for b in StockBalance.objects.select_related("item", "location", "lot")
            if b.quantity
        }
        assert cells == {key: quantity for key, quantity in self.cells.items() if quantity}
        pools = {p.item.sku: (p.quantity, p.value) for p in CostPool.objects.filter(lot=None).select_related("item")}
        assert pools.get("AVERAGE", (0, 0)) == (self.average.quantity, self.average.value)
        layers = CostLayer.objects.filter(quantity__gt=0).order_by("id").values_list("posting_id", "quantity", "value")
        assert [list(layer) for layer in layers] == self.queue.layers
        of_lots = CostPool.objects.filter(lot__isnull=False, quantity__gt=0).select_related("lot")
        assert {p.lot.code: (p.quantity, p.value) for p in of_lots} == {
            lot: (pool.quantity, pool.value) for lot, pool in self.lots.items() if pool.quantity
        }
        for sku in SKUS:  # every cent that came in is on hand, has left, or is a cost entry
            assert pools.get(sku, (0, ZERO))[1] == self.flow[sku]
        assert not [b for b in StockBalance.objects.all() if b.reserved > b.quantity]


@pytest.mark.slow
def test_book_follows_the_model_through_random_histories(db):
    run_state_machine_as_test(
        MovementMachine,
        settings=settings(
            max_examples=max(1, STEPS // STEPS_PER_HISTORY),
            stateful_step_count=STEPS_PER_HISTORY,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
