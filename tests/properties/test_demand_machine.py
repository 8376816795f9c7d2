"""Random histories of demands, work orders, completions, inspections and shipments: every promise has somebody who wants it.

After every step: what a demand holds it still asks for, and what it holds, has taken, gets and lacks is what it asked for; an
order promises no more than it makes, a work order holds no more of a component than it still needs, and one that ended holds
nothing. Asking again leaves nothing missing. Steps: BACKFLUSH_MACHINE_STEPS. Mutations that were tried and are found:
promising to what nobody asked for, promising what is pegged and no longer wanted, counting whole pegs as coming, freeing too
much when less is asked for, leaving the pegs of a merged order's makers alone, forgetting what stays served when output that
was given away goes back.
"""

import os
from decimal import Decimal
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
from inventory.models import Posting, PostingKind, Reservation
from inventory.operations.pinning import unpin_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.shipping import ShipmentLine, ship_stock
from production.models import Completion, Demand, Disposition, InspectionVerdict, WorkOrder, WorkOrderPeg
from production.operations.completing import CompletionRequest, OutputLot, complete_production
from production.operations.demands import make_for_demand, withdraw_demand
from production.operations.inspecting import Outcome, decide_inspection, undo_verdict
from production.operations.releasing import release_work_order
from production.operations.reshaping import merge_work_orders, split_into_parts, split_work_order
from production.operations.reversing import reverse_completion
from production.operations.sub_orders import make_sub_orders
from production.operations.work_orders import (
    cancel_work_order,
    change_planned,
    close_work_order,
    open_work_order,
    reopen_work_order,
)
from production.reads.demands import UNFINISHED, coming_by_peg, held_by_order, standings
from production.reads.held_goods import held_goods
from production.reads.order_needs import needs_of_orders
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom

STEPS = int(os.environ.get("BACKFLUSH_MACHINE_STEPS", "250"))
STEPS_PER_HISTORY = 40
ZERO = Decimal(0)

SMALL = st.integers(1, 9).map(Decimal)
WHICH = st.integers(0, 99)
REFERENCES = st.sampled_from(["A", "B", "C"])


class DemandMachine(RuleBasedStateMachine):
    """Lamps are asked for, and robots take two of them; a lamp takes one part."""

    @initialize(tracking=st.sampled_from(["none", "lot"]), is_inspected=st.booleans(), point=st.sampled_from([None, 3]))
    def start(self, tracking, is_inspected, point):
        self.open = transaction.atomic()
        self.open.__enter__()
        self.site = make_location()
        self.part = make_item()
        self.lamp = make_item(tracking=tracking, inspection_required=is_inspected)
        self.lamp.reorder_point, self.lamp.reorder_quantity = point, None if point is None else Decimal(5)
        self.lamp.save()
        self.robot = make_item()
        make_bom(item=self.lamp, lines=[(self.part, "1")])
        make_bom(item=self.robot, lines=[(self.lamp, "2")])
        put_on_hand(self.part, self.site, "100000")
        self.lots = 0
        self.ask("A", Decimal(6), "shortage", 4)
        self.ask("B", Decimal(4), "reorder" if point else "shortage", 4)
        self.plans_robots(Decimal(2))

    def teardown(self):
        if hasattr(self, "open"):
            try:
                assert broken_invariants() == []
            finally:
                transaction.set_rollback(True)
                self.open.__exit__(None, None, None)

    def tried(self, work):
        """What a refusal leaves behind is nothing."""
        try:
            return work()
        except DomainError:
            return None

    @property
    def is_promised(self):
        return Reservation.objects.filter(demand_kind="order", quantity__gt=0).exists()

    @property
    def is_made(self):
        return Completion.objects.exists()

    def chosen(self, rows, which):
        found = list(rows.order_by("pk"))
        return found[which % len(found)] if found else None

    def lot(self):
        self.lots += 1
        return f"L{self.lots}" if self.lamp.tracking == "lot" else ""

    # --- demands ---------------------------------------------------------------------------------------------------------

    def ask(self, reference, quantity, mode, hours):
        return make_for_demand(
            demand_kind="order",
            demand_ref=reference,
            item=self.lamp,
            quantity=quantity,
            location=self.site,
            source_location=self.site,
            mode=mode,
            window_hours=hours,
            actor=None,
        )

    @rule(
        reference=REFERENCES,
        quantity=SMALL,
        mode=st.sampled_from(["shortage", "shortage", "always", "reorder", "never"]),
        hours=st.sampled_from([0, 4, 4]),
    )
    def asks(self, reference, quantity, mode, hours):
        result = self.ask(reference, quantity, mode, hours)
        assert mode == "never" or result.missing == ZERO
        assert self.ask(reference, quantity, mode, hours).replayed

    @precondition(lambda self: self.is_promised)
    @rule(less=SMALL)
    def asks_for_less(self, less):
        holding = Reservation.objects.filter(demand_kind="order", quantity__gt=0).order_by("-quantity")[0].demand_ref
        demand = Demand.objects.filter(demand_ref=holding).first()
        if demand is not None and demand.quantity > less:
            result = self.ask(holding, demand.quantity - less, "", 4)
            assert demand.mode == "never" or result.missing == ZERO

    @precondition(lambda self: self.is_made)
    @rule(reference=REFERENCES)
    def withdraws(self, reference):
        demand = Demand.objects.filter(demand_ref=reference).first()
        if demand is not None:
            withdraw_demand(demand_kind="order", demand_ref=reference, item=self.lamp, actor=None)
            assert not Reservation.objects.filter(demand_kind="order", demand_ref=reference, quantity__gt=0).exists()

    @precondition(lambda self: self.is_promised)
    @rule(reference=REFERENCES, quantity=SMALL)
    def ships(self, reference, quantity):
        held = Reservation.objects.filter(demand_kind="order", demand_ref=reference, item=self.lamp, quantity__gt=0)
        quantity = min(quantity, sum((row.quantity for row in held), ZERO) or quantity)
        lines = [ShipmentLine(self.lamp, self.site, quantity)]
        self.tried(lambda: ship_stock(key=uuid4(), lines=lines, demand=("order", reference), actor=None))

    @precondition(lambda self: Posting.objects.filter(kind=PostingKind.SHIPMENT).exists())
    @rule(which=WHICH)
    def takes_a_shipment_back(self, which):
        shipment = self.chosen(Posting.objects.filter(kind=PostingKind.SHIPMENT), which)
        if shipment is not None:
            self.tried(lambda: reverse_posting(key=uuid4(), posting=shipment, actor=None))

    @precondition(lambda self: self.is_promised)
    @rule(reference=REFERENCES)
    def lets_go(self, reference):
        unpin_stock(demand_kind="order", demand_ref=reference, reason="given away", actor=None)

    @rule(quantity=SMALL)
    def receives(self, quantity):
        put_on_hand(self.lamp, self.site, str(quantity), lot=self.lot(), status="available")

    # --- orders ----------------------------------------------------------------------------------------------------------

    @rule(planned=SMALL)
    def plans_more_robots(self, planned):
        self.plans_robots(planned)

    def plans_robots(self, planned):
        order = open_work_order(
            item=self.robot, planned=planned, output_location=self.site, source_location=self.site, actor=None
        )
        make_sub_orders(work_order=order, actor=None)

    @rule(which=WHICH, end=st.sampled_from([close_work_order, cancel_work_order, reopen_work_order]))
    def ends(self, which, end):
        order = self.chosen(WorkOrder.objects.all(), which)
        if order is not None:
            self.tried(lambda: end(work_order=order, actor=None))

    @rule(which=WHICH, planned=SMALL)
    def plans_otherwise(self, which, planned):
        order = self.chosen(WorkOrder.objects.filter(state__in=UNFINISHED), which)
        if order is not None:
            self.tried(lambda: change_planned(work_order=order, planned=planned, actor=None))

    @rule(which=WHICH, quantity=SMALL, is_even=st.booleans())
    def splits(self, which, quantity, is_even):
        order = self.chosen(WorkOrder.objects.filter(state__in=UNFINISHED), which)
        if order is not None and is_even:
            self.tried(lambda: split_into_parts(work_order=order, parts=int(quantity), actor=None))
        elif order is not None:
            self.tried(lambda: split_work_order(work_order=order, quantity=quantity, actor=None))

    @rule(which=WHICH, other=WHICH)
    def merges(self, which, other):
        target = self.chosen(WorkOrder.objects.filter(state__in=UNFINISHED), which)
        if target is not None:
            same = WorkOrder.objects.filter(item=target.item_id, state=target.state).exclude(pk=target.pk)
            one = self.chosen(same, other)
            if one is not None:
                self.tried(lambda: merge_work_orders(target=target, others=[one], actor=None))

    # --- completions and inspections -------------------------------------------------------------------------------------

    def made(self, order, good, scrapped=ZERO):
        if order.state == "planned":
            release_work_order(work_order=order, actor=None)
        good = min(good, order.remaining)
        is_lot = order.item_id == self.lamp.pk and self.lamp.tracking == "lot"
        request = CompletionRequest(
            work_order=order,
            good=good,
            scrapped=min(scrapped, order.remaining - good),
            scrap_reason="bent" if min(scrapped, order.remaining - good) else "",
            output_lots=[OutputLot(self.lot(), good)] if is_lot else (),
        )
        complete_production(key=uuid4(), request=request, actor=None)

    @rule(which=WHICH, good=SMALL, scrapped=st.sampled_from([ZERO, ZERO, Decimal(1), Decimal(3)]))
    def makes_lamps(self, which, good, scrapped):
        order = self.chosen(WorkOrder.objects.filter(item=self.lamp, state__in=UNFINISHED), which)
        if order is not None:
            self.made(order, good, scrapped)

    @rule(which=WHICH, references=st.permutations(["A", "B", "C"]))
    def asks_again(self, which, references):
        for reference in references[: 1 + which % 2]:
            demand = Demand.objects.filter(demand_ref=reference).first()
            if demand is not None and demand.quantity and demand.mode != "never":
                assert self.ask(reference, demand.quantity, "", 4).missing == ZERO

    @rule(which=WHICH)
    def makes_all_lamps_of_an_order(self, which):
        order = self.chosen(WorkOrder.objects.filter(item=self.lamp, state__in=UNFINISHED), which)
        if order is not None:
            self.made(order, order.remaining)

    @rule(which=WHICH, good=SMALL)
    def makes_robots(self, which, good):
        order = self.chosen(WorkOrder.objects.filter(item=self.robot, state__in=UNFINISHED), which)
        if order is not None:
            self.tried(lambda: self.made(order, good))

    @precondition(lambda self: self.is_made)
    @rule(which=WHICH, good=st.one_of(st.none(), SMALL))
    def takes_back(self, which, good):
        completion = self.chosen(Completion.objects.all(), which)
        if completion is not None:
            self.tried(lambda: reverse_completion(key=uuid4(), completion=completion, good=good, actor=None))

    @precondition(lambda self: self.lamp.inspection_required and self.is_made)
    @rule(which=WHICH, quantity=SMALL, disposition=st.sampled_from([Disposition.RELEASE, "release", Disposition.SCRAP]))
    def inspects(self, which, quantity, disposition):
        goods = held_goods()
        if goods:
            arrival = goods[which % len(goods)]
            outcome = Outcome(Disposition(disposition), min(quantity, arrival.held), "seen")
            self.tried(
                lambda: decide_inspection(key=uuid4(), handle=arrival.pk, outcomes=[outcome], note="seen", actor=None)
            )

    @precondition(lambda self: InspectionVerdict.objects.exists())
    @rule(which=WHICH)
    def takes_a_verdict_back(self, which):
        verdict = self.chosen(InspectionVerdict.objects.all(), which)
        if verdict is not None:
            self.tried(lambda: undo_verdict(key=uuid4(), verdict=verdict, actor=None))

    # --- what always holds -----------------------------------------------------------------------------------------------

    @invariant()
    def every_promise_is_wanted(self):
        if not hasattr(self, "lots"):
            return
        pins = {}
        for row in Reservation.objects.filter(item=self.lamp, quantity__gt=0):
            key = (row.demand_kind, row.demand_ref)
            pins[key] = pins.get(key, ZERO) + row.quantity
        found = standings(list(Demand.objects.select_related("item")))
        for one in found:
            held = pins.pop(("order", one.demand.demand_ref), ZERO)
            assert held == one.promised
            assert held <= max(one.demand.quantity - one.taken, ZERO)
            asked = max(one.demand.quantity, one.taken)
            assert one.promised + one.taken + one.coming + one.missing == asked + one.surplus
        parents = list(WorkOrder.objects.filter(item=self.robot, state__in=UNFINISHED))
        needs = needs_of_orders(parents)
        for parent in parents:
            (need,) = needs[parent.pk]
            assert pins.pop(("work_order", parent.number), ZERO) <= need.open
        assert pins == {}

    @invariant()
    def nobody_is_given_what_is_not_made(self):
        if not hasattr(self, "lots"):
            return
        held = held_by_order([self.lamp.pk])
        for order in WorkOrder.objects.filter(item=self.lamp).prefetch_related("pegs"):
            pegs = list(order.pegs.all())
            waiting = held.get(order.number, ZERO)
            assert sum((peg.served for peg in pegs), ZERO) <= order.good
            comes = coming_by_peg(order, pegs, held=waiting)
            still = order.remaining if order.state in UNFINISHED else ZERO
            assert sum(comes.values(), ZERO) <= still + waiting
            assert order.state != "cancelled" or sum(comes.values(), ZERO) == ZERO

    @invariant()
    def makers_are_pegged_to_orders_that_are_there(self):
        if not hasattr(self, "lots"):
            return
        merged = WorkOrder.objects.filter(merged_into__isnull=False).values("number")
        assert not WorkOrderPeg.objects.filter(demand_kind="work_order", demand_ref__in=merged).exists()


@pytest.mark.slow
def test_every_promise_has_somebody_who_wants_it(db):
    run_state_machine_as_test(
        DemandMachine,
        settings=settings(
            max_examples=max(1, STEPS // STEPS_PER_HISTORY),
            stateful_step_count=STEPS_PER_HISTORY,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
