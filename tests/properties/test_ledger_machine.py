"""Random histories against a plain model of the ledger: every balance, every pool and every invariant after every step.

The model knows lots, first-expired-first-out picking, moving averages with the residue rule and reversals, in a few lines of
ordinary Python; it shares no code with the product. Steps: BACKFLUSH_MACHINE_STEPS (5,000 by default; 200,000 for a full
run). Mutations that were tried and are found: rounding a unit cost before multiplying, reversing at the present average
instead of the posting's values, picking without the expiry, forgetting the pool on a partial reversal.
"""

import os
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
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
from inventory.models import CostPool, Item, Lot, StockBalance, StockStatus, Tracking
from inventory.operations.adjusting import adjust_stock, correct_cost
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.rebuilding import rebuild_balances
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.reserving import release_reservations, reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import change_status, transfer_stock
from production.models import DeviationPolicy
from production.operations.completing import Actual, CompletionRequest, complete_production
from production.operations.reversing import reverse_completion
from production.operations.work_orders import open_work_order
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location
from tests.production.factories import make_bom

STEPS = int(os.environ.get("BACKFLUSH_MACHINE_STEPS", "5000"))
STEPS_PER_HISTORY = 50

CENT = Decimal("0.01")


def half_up(value: Fraction, step: Decimal) -> Decimal:
    scaled = Decimal(value.numerator) / Decimal(value.denominator) / step
    exact = value / Fraction(step)
    rounded = scaled.quantize(Decimal(1), ROUND_HALF_UP)
    for candidate in (rounded - 1, rounded, rounded + 1):
        distance = abs(Fraction(candidate) - exact)
        if distance < Fraction(1, 2) or (distance == Fraction(1, 2) and abs(candidate) > abs(exact)):
            return candidate * step
    raise AssertionError(value)


@dataclass
class ModelPool:
    quantity: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    unknown: Decimal = Decimal(0)

    def average(self, quantity):
        if self.unknown:
            return None
        if quantity == self.quantity:
            return self.value
        return half_up(Fraction(self.value) * Fraction(quantity) / Fraction(self.quantity), CENT)

    def take(self, quantity):
        value = self.average(quantity)
        self.quantity -= quantity
        if value is not None:
            self.value -= value
        if self.quantity == 0:
            self.value = self.unknown = Decimal(0)
        return value

    def put(self, quantity, value):
        self.quantity += quantity
        if value is None:
            self.unknown += quantity
        else:
            self.value += value


@dataclass
class Model:
    """Cells by (item, place, lot code, status), pools by item, and what each posting did."""

    cells: dict = field(default_factory=dict)
    pools: dict = field(default_factory=dict)

    def held(self, item, place, lot, status="available"):
        return self.cells.get((item, place, lot, status), Decimal(0))

    def add(self, item, place, lot, status, quantity):
        key = (item, place, lot, status)
        self.cells[key] = self.cells.get(key, Decimal(0)) + quantity

    def pool(self, item):
        return self.pools.setdefault(item, ModelPool())


POSITIVE = st.integers(1, 40)
PLACES = st.sampled_from(["A", "B"])
BOUGHT = st.sampled_from(["WAX", "WICK", "JAR"])
ANY = st.sampled_from(["WAX", "WICK", "JAR", "SET", "CANDLE"])
CENTS = st.one_of(st.none(), st.integers(0, 10_000))


class LedgerMachine(RuleBasedStateMachine):
    """Operations on a small workshop; refusals are part of life and must change nothing."""

    @initialize()
    def start(self):
        self.open = transaction.atomic()
        self.open.__enter__()
        self.today = timezone.localdate()
        self.places = {code: make_location(code=code) for code in ("A", "B")}
        self.items = {
            "WAX": make_item(sku="WAX", unit="kg", step="0.001", tracking=Tracking.LOT),
            "WICK": make_item(sku="WICK"),
            "JAR": make_item(sku="JAR", tracking=Tracking.LOT),
            "SET": make_item(sku="SET", inspection_required=True),
            "CANDLE": make_item(sku="CANDLE", tracking=Tracking.LOT, shelf_life_days=30, over_completion_percent=20),
        }
        free = {"deviation_policy": DeviationPolicy.FREE}
        make_bom(item=self.items["SET"], makes="3", lines=[(self.items["JAR"], "7"), (self.items["WICK"], "4")], **free)
        make_bom(
            item=self.items["CANDLE"],
            lines=[
                (self.items["WAX"], "187.5", {"unit": "g", "scrap_percent": Decimal("2.5")}),
                (self.items["SET"], "1"),
                (self.items["WICK"], "1", {"setup_quantity": Decimal(2), "rounding_multiple": Decimal(3)}),
            ],
            **free,
        )
        self.model = Model()
        self.postings = []
        self.completions = []
        self.orders = []
        self.demands = 0

    def teardown(self):
        if hasattr(self, "open"):
            try:
                assert broken_invariants() == []
            finally:
                transaction.set_rollback(True)
                self.open.__exit__(None, None, None)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def quantity(self, sku, number):
        return Decimal(number) * (Decimal("0.125") if sku == "WAX" else 1)

    def try_it(self, work):
        """The result, or None when the product refused; then nothing may have changed, which the invariant checks."""
        try:
            return work()
        except DomainError:
            return None

    def take_over(self, posting):
        """Bring the model up to date from what the posting says it moved, and check its values against the model's."""
        self.postings.append(posting)

    def replay(self, posting, *, values="pool"):
        """Apply a posting's movements to the model. `values` says how the model values what leaves."""
        lots = {lot.pk: lot.code for lot in Lot.objects.filter(movements__posting=posting)}
        skus = {item.pk: sku for sku, item in self.items.items()}
        places = {place.pk: code for code, place in self.places.items()}
        rows = list(posting.movements.order_by("id"))
        for row in rows:
            self.model.add(skus[row.item_id], places[row.location_id], lots[row.lot_id], row.status, row.quantity)
        if values == "neutral":
            assert sum(row.quantity for row in rows) == 0
            assert sum(row.value or 0 for row in rows) == 0
            return
        leaving = {}
        for row in rows:
            if row.quantity < 0:
                leaving.setdefault(skus[row.item_id], []).append(row)
        total = Decimal(0)
        for sku, out in leaving.items():
            quantity = -sum(row.quantity for row in out)
            expected = self.model.pool(sku).take(quantity)
            if expected is None:
                assert all(row.value is None for row in out)
                total = None
            else:
                assert -sum(row.value for row in out) == expected
                total = None if total is None else total + expected
        for row in rows:
            if row.quantity > 0:
                if values == "completion":
                    assert row.value == total
                self.model.pool(skus[row.item_id]).put(row.quantity, row.value)

    def fefo(self, sku, place, quantity):
        """What the model would pick: (lot, quantity) in order, or None when there is too little."""
        lots = {lot.code: lot for lot in Lot.objects.filter(item=self.items[sku])}
        found = []
        order = sorted(
            lots.values(), key=lambda lot: (lot.expires_on or self.today + timedelta(10_000), lot.received_on, lot.pk)
        )
        for lot in order:
            if lot.expires_on and lot.expires_on < self.today:
                continue
            part = min(quantity, self.model.held(sku, place, lot.code))
            if part > 0:
                found.append((lot.code, part))
                quantity -= part
        return found if quantity == 0 else None

    # --- rules ---------------------------------------------------------------------------------------------------------

    @rule(sku=BOUGHT, place=PLACES, number=POSITIVE, cents=CENTS, lot=st.integers(1, 3), days=st.integers(-2, 5))
    def receive(self, sku, place, number, cents, lot, days):
        tracked = self.items[sku].tracking != Tracking.NONE
        value = None if cents is None else Decimal(cents) / 100
        result = self.try_it(
            lambda: receive_stock(
                key=uuid4(),
                lines=[
                    ReceiptLine(
                        item=self.items[sku],
                        location=self.places[place],
                        quantity=self.quantity(sku, number),
                        value=value,
                        lot_code=f"L{lot}-{days}" if tracked else "",
                        expires_on=self.today + timedelta(days) if sku == "WAX" else None,
                    )
                ],
                actor=None,
            )
        )
        if result:
            self.replay(result.posting)
            self.take_over(result.posting)

    @rule(sku=ANY, place=PLACES, number=POSITIVE)
    def issue(self, sku, place, number):
        quantity = self.quantity(sku, number)
        expected = self.fefo(sku, place, quantity)
        reserved = StockBalance.objects.filter(item=self.items[sku], reserved__gt=0).exists()
        result = self.try_it(
            lambda: issue_stock(
                key=uuid4(), item=self.items[sku], location=self.places[place], quantity=quantity, actor=None
            )
        )
        if not reserved:
            assert (result is None) == (expected is None)
        if result:
            if not reserved:
                lots = {lot.pk: lot.code for lot in Lot.objects.filter(item=self.items[sku])}
                moved = [(lots[m.lot_id], -m.quantity) for m in result.posting.movements.order_by("id") if m.quantity]
                assert moved == expected
            self.replay(result.posting)
            self.take_over(result.posting)

    @rule(sku=ANY, source=PLACES, number=POSITIVE)
    def transfer(self, sku, source, number):
        target = "B" if source == "A" else "A"
        result = self.try_it(
            lambda: transfer_stock(
                key=uuid4(),
                item=self.items[sku],
                source=self.places[source],
                target=self.places[target],
                quantity=self.quantity(sku, number),
                actor=None,
            )
        )
        if result:
            self.replay(result.posting, values="neutral")
            self.take_over(result.posting)

    @rule(sku=ANY, place=PLACES, number=POSITIVE, release=st.booleans())
    def hold_or_release(self, sku, place, number, release):
        held = StockStatus.QC_HOLD if sku == "SET" else StockStatus.QUARANTINE
        one, other = (held, StockStatus.AVAILABLE) if release else (StockStatus.AVAILABLE, held)
        result = self.try_it(
            lambda: change_status(
                key=uuid4(),
                item=self.items[sku],
                location=self.places[place],
                quantity=self.quantity(sku, number),
                from_status=one,
                to_status=other,
                actor=None,
                reason="looked at it",
            )
        )
        if result:
            self.replay(result.posting, values="neutral")
            self.take_over(result.posting)

    @rule(sku=ANY, place=PLACES, number=POSITIVE)
    def scrap(self, sku, place, number):
        lot = Lot.objects.filter(item=self.items[sku], balances__quantity__gt=0).order_by("id").first()
        quantity = self.quantity(sku, number)
        lots = [(lot, quantity)] if lot and self.items[sku].tracking != Tracking.NONE else []
        result = self.try_it(
            lambda: scrap_stock(
                key=uuid4(),
                item=self.items[sku],
                location=self.places[place],
                quantity=quantity,
                lots=lots,
                reason="broken",
                actor=None,
            )
        )
        if result:
            self.replay(result.posting)
            self.take_over(result.posting)

    @rule(sku=ANY, place=PLACES, number=st.integers(-20, 20))
    def adjust(self, sku, place, number):
        tracked = self.items[sku].tracking != Tracking.NONE
        result = self.try_it(
            lambda: adjust_stock(
                key=uuid4(),
                item=self.items[sku],
                location=self.places[place],
                quantity=self.quantity(sku, number),
                lot_code="FOUND" if tracked and number > 0 else "",
                reason="counted",
                actor=None,
            )
        )
        if result:
            pool = self.model.pool(sku)
            if number > 0:
                worth = None if not pool.quantity or pool.unknown else pool.average(self.quantity(sku, number))
                if pool.quantity and not pool.unknown and self.quantity(sku, number) != pool.quantity:
                    assert result.value == worth
            self.replay(result.posting)
            self.take_over(result.posting)

    @rule(sku=ANY, cents=st.integers(0, 500))
    def correct(self, sku, cents):
        unit_cost = Decimal(cents) / 100
        result = self.try_it(
            lambda: correct_cost(key=uuid4(), item=self.items[sku], unit_cost=unit_cost, reason="invoice", actor=None)
        )
        pool = self.model.pool(sku)
        assert (result is None) == (pool.quantity == 0)
        if result:
            pool.value = half_up(Fraction(unit_cost) * Fraction(pool.quantity), CENT)
            pool.unknown = Decimal(0)

    @rule(sku=st.sampled_from(["SET", "CANDLE"]), place=PLACES, good=st.integers(0, 12), scrapped=st.integers(0, 2))
    def complete(self, sku, place, good, scrapped):
        self.record(item=self.items[sku], place=place, good=good, scrapped=scrapped)

    @rule(sku=st.sampled_from(["SET", "CANDLE"]), place=PLACES, good=st.integers(1, 9), used=st.integers(0, 20))
    def complete_with_actual(self, sku, place, good, used):
        wick = Actual(self.items["WICK"], Decimal(used), reason="measured")
        self.record(item=self.items[sku], place=place, good=good, scrapped=0, actuals=[wick])

    @rule(sku=st.sampled_from(["SET", "CANDLE"]), place=PLACES, planned=st.integers(1, 15))
    def open_order(self, sku, place, planned):
        self.orders.append(
            open_work_order(
                item=self.items[sku], planned=Decimal(planned), output_location=self.places[place], actor=None
            )
        )

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), good=st.integers(1, 9), scrapped=st.integers(0, 1))
    def complete_order(self, data, good, scrapped):
        order = data.draw(st.sampled_from(self.orders))
        self.record(order=order, place=None, good=good, scrapped=scrapped)

    def record(self, *, place, good, scrapped, item=None, order=None, actuals=()):
        result = self.try_it(
            lambda: complete_production(
                key=uuid4(),
                request=CompletionRequest(
                    item=item,
                    work_order=order,
                    good=Decimal(good),
                    scrapped=Decimal(scrapped),
                    scrap_reason="cracked" if scrapped else "",
                    output_location=self.places[place] if place else None,
                    actuals=actuals,
                    reason="more was asked for",
                ),
                actor=None,
            )
        )
        if result:
            self.replay(result.posting, values="completion")
            self.completions.append(result.completion)

    @precondition(lambda self: self.postings)
    @rule(data=st.data())
    def reverse(self, data):
        posting = data.draw(st.sampled_from(self.postings[-12:]))
        result = self.try_it(lambda: reverse_posting(key=uuid4(), posting=posting, actor=None))
        if result:
            self.follow_reversal(result.posting)

    @precondition(lambda self: self.completions)
    @rule(data=st.data(), part=st.one_of(st.none(), st.integers(1, 5)))
    def reverse_made(self, data, part):
        completion = data.draw(st.sampled_from(self.completions[-8:]))
        result = self.try_it(
            lambda: reverse_completion(
                key=uuid4(), completion=completion, good=None if part is None else Decimal(part), actor=None
            )
        )
        if result:
            self.follow_reversal(result.posting)

    @precondition(lambda self: self.completions)
    @rule(place=PLACES, good=st.integers(1, 6), sku=st.sampled_from(["SET", "CANDLE"]))
    def complete_and_reverse_is_nothing(self, place, good, sku):
        before = self.state()
        count = len(self.completions)
        self.record(item=self.items[sku], place=place, good=good, scrapped=0)
        if len(self.completions) > count:
            made = self.completions.pop()
            result = reverse_completion(key=uuid4(), completion=made, actor=None)
            self.follow_reversal(result.posting)
        assert self.state() == before

    def follow_reversal(self, posting):
        """A reversal is checked by the invariants (it cancels its original); the model follows its quantities and pools."""
        self.replay_quantities(posting)
        for sku, item in self.items.items():
            pool = CostPool.objects.filter(item=item).first()
            if pool:
                self.model.pools[sku] = ModelPool(pool.quantity, pool.value, pool.unknown_quantity)

    def replay_quantities(self, posting):
        lots = {lot.pk: lot.code for lot in Lot.objects.filter(movements__posting=posting)}
        skus = {item.pk: sku for sku, item in self.items.items()}
        places = {place.pk: code for code, place in self.places.items()}
        for row in posting.movements.all():
            self.model.add(skus[row.item_id], places[row.location_id], lots[row.lot_id], row.status, row.quantity)

    @rule(sku=ANY, place=PLACES, number=st.integers(1, 5))
    def pin(self, sku, place, number):
        self.demands += 1
        self.try_it(
            lambda: reserve_stock(
                item=self.items[sku],
                location=self.places[place],
                quantity=self.quantity(sku, number),
                demand_kind="test",
                demand_ref=str(self.demands),
                actor=None,
                pinned=True,
            )
        )

    @rule()
    def release(self):
        if self.demands:
            release_reservations(demand_kind="test", demand_ref=str(self.demands), reason="no longer", actor=None)
            self.demands -= 1

    @rule()
    def rebuild(self):
        before = self.state()
        assert list(rebuild_balances().differences) == []
        assert self.state() == before

    # --- what always holds -----------------------------------------------------------------------------------------------

    def state(self):
        cells = {
            (b.item.sku, b.location.code, b.lot.code, b.status): b.quantity
            for b in StockBalance.objects.select_related("item", "location", "lot")
            if b.quantity
        }
        pools = {
            p.item.sku: (p.quantity, p.value, p.unknown_quantity > 0) for p in CostPool.objects.select_related("item")
        }
        return cells, {sku: pool for sku, pool in pools.items() if pool != (0, 0, False)}

    @invariant()
    def book_is_model(self):
        if not hasattr(self, "model"):
            return
        cells, pools = self.state()
        assert cells == {key: quantity for key, quantity in self.model.cells.items() if quantity}
        assert pools == {
            sku: (pool.quantity, pool.value, pool.unknown > 0)
            for sku, pool in self.model.pools.items()
            if (pool.quantity, pool.value, pool.unknown > 0) != (0, 0, False)
        }


@pytest.mark.slow
def test_book_follows_the_model_through_random_histories(db):
    Item.objects.all()
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=max(1, STEPS // STEPS_PER_HISTORY),
            stateful_step_count=STEPS_PER_HISTORY,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
