"""Genealogy on random histories, against a plain model that adds up every movement of every posting.

The model knows no levels and no queries: it nets each posting with its reversals and walks the pairs. Forwards from every lot
and backwards from every lot must both find what it finds, with the same quantities, so the two directions agree.
Mutations that were tried and are found: not taking reversals off, following only one level, dropping changes of lot or
disassemblies, leaving the limit out beyond goods without lots or beyond parts that came back.
"""

from contextlib import suppress
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from inventory.errors import DomainError
from inventory.locks import ANYWHERE, lock_for_posting
from inventory.models import Lot, Movement, Posting, PostingKind, StockBalance
from inventory.operations.issuing import issue_stock
from inventory.operations.posting import Draft, claim_posting, post
from inventory.operations.reversing import reverse_posting
from inventory.operations.transactions import run_in_transaction
from inventory.operations.transferring import transfer_stock
from inventory.reads.genealogy import genealogy
from production.models import Completion, DeviationPolicy, Disassembly
from production.operations.disassembling import disassemble, reverse_disassembly
from production.operations.reversing import reverse_completion
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom
from tests.properties.sizes import histories

HISTORIES = histories("BACKFLUSH_GENEALOGY_HISTORIES", usual=40)

ITEMS = ("RAW", "OTHER", "MIX", "CANDLE", "BOX")
MAKE = st.tuples(st.just("make"), st.sampled_from(ITEMS[2:]), st.integers(1, 3), st.integers(1, 3))
STEP = st.one_of(
    st.tuples(st.just("receive"), st.sampled_from(ITEMS[:2]), st.integers(1, 4), st.integers(1, 3)),
    MAKE,
    MAKE,
    st.tuples(st.just("change lot"), st.sampled_from(ITEMS), st.integers(0, 9), st.integers(1, 3)),
    st.tuples(st.just("transfer"), st.sampled_from(ITEMS), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("issue"), st.sampled_from(ITEMS), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("take apart"), st.sampled_from(ITEMS[2:]), st.integers(0, 3), st.integers(1, 2)),
    st.tuples(st.just("take back"), st.just("RAW"), st.integers(0, 3), st.integers(0, 2)),
)


class Company:
    """MIX of RAW and OTHER, without lots; CANDLE of MIX and RAW; BOX of CANDLE and OTHER."""

    def __init__(self):
        self.places = [make_location(), make_location()]
        self.items = {sku: make_item(tracking="none" if sku == "MIX" else "lot") for sku in ITEMS}
        free = {"deviation_policy": DeviationPolicy.FREE}
        items = self.items
        make_bom(item=items["MIX"], lines=[(items["RAW"], "1"), (items["OTHER"], "1")], **free)
        make_bom(item=items["CANDLE"], lines=[(items["MIX"], "1"), (items["RAW"], "1")], **free)
        make_bom(item=items["BOX"], lines=[(items["CANDLE"], "2"), (items["OTHER"], "1")], **free)
        for sku in ITEMS[:2]:
            for number in (1, 2):
                self.receive(items[sku], number, Decimal(5))

    def do(self, step):
        verb, sku, number, quantity = step
        item = self.items[sku]
        with suppress(DomainError):  # refusals are part of life
            getattr(self, verb.replace(" ", "_"))(item, number, Decimal(quantity))

    def receive(self, item, number, quantity):
        put_on_hand(item, self.places[0], quantity, lot=f"L{number}")

    def make(self, item, number, quantity):
        lot = f"M{number}" if item.tracking == "lot" else ""
        complete(item, quantity, into=self.places[0], output_lot_code=lot)

    def transfer(self, item, number, quantity):
        source, target = self.places[number], self.places[1 - number]
        transfer_stock(key=uuid4(), item=item, source=source, target=target, quantity=quantity, actor=None)

    def issue(self, item, number, quantity):
        issue_stock(key=uuid4(), item=item, location=self.places[number], quantity=quantity, actor=None)

    def change_lot(self, item, number, quantity):
        cells = list(
            StockBalance.objects.filter(item=item, quantity__gte=quantity).exclude(lot__code="").order_by("pk")
        )
        lots = list(Lot.objects.filter(item=item).named().order_by("pk"))
        if not cells or len(lots) < 2:
            return
        cell, target = cells[number % len(cells)], lots[number % len(lots)]
        if target.pk == cell.lot_id:
            return

        def work():
            claim = claim_posting(key=uuid4(), kind=PostingKind.LOT_CHANGE, request={}, actor=None, effective_at=None)
            draft = Draft(lock_for_posting(items=[item.pk], within=ANYWHERE))
            place = (item.pk, cell.location_id)
            draft.move((*place, cell.lot_id, "available"), (*place, target.pk, "available"), quantity)
            post(posting=claim.posting, draft=draft)

        run_in_transaction(work)

    def take_apart(self, item, number, quantity):
        done = list(Completion.objects.filter(item=item).order_by("-pk")[:4])
        if done:
            completion = done[number % len(done)]
            disassemble(key=uuid4(), completion=completion, quantity=quantity, location=self.places[0], actor=None)

    def take_back(self, _item, number, quantity):
        done = list(Posting.objects.exclude(kind="reversal").order_by("-pk")[:10])
        if not done:
            return
        posting = done[number % len(done)]
        completion = Completion.objects.filter(posting=posting).first()
        apart = Disassembly.objects.filter(posting=posting).first()
        if apart is not None:
            reverse_disassembly(key=uuid4(), disassembly=apart, actor=None)
        elif completion is None:
            reverse_posting(key=uuid4(), posting=posting, actor=None)
        else:
            reverse_completion(key=uuid4(), completion=completion, good=quantity or None, actor=None)


def model_edges():
    """(posting, source lot, target lot) -> (taken, made) of every completion, disassembly and change of lot, net of reversals."""
    origin = {posting.pk: posting.reverses_id or posting.pk for posting in Posting.objects.all()}
    kinds = dict(Posting.objects.values_list("pk", "kind"))
    sums = {}
    for posting_id, lot_id, quantity in Movement.objects.values_list("posting_id", "lot_id", "quantity"):
        first = origin[posting_id]
        if kinds[first] in ("completion", "disassembly", "lot_change"):
            cells = sums.setdefault(first, {})
            cells[lot_id] = cells.get(lot_id, Decimal(0)) + quantity
    return {
        (posting, source, target): (-taken, made)
        for posting, cells in sums.items()
        for source, taken in cells.items()
        if taken < 0
        for target, made in cells.items()
        if made > 0
    }


def model_walk(edges, root, implicit, *, forward):
    """Every edge that is reached from a lot. What came into goods without lots, or back of a disassembly, is only in what
    left them later."""
    apart = set(Posting.objects.filter(kind="disassembly").values_list("pk", flat=True))
    found, waiting, seen = {}, [(root, None)], set()
    while waiting:
        lot, last = waiting.pop()
        if (lot, last) in seen:
            continue
        seen.add((lot, last))
        for key, quantities in edges.items():
            posting, source, target = key
            here, there = (source, target) if forward else (target, source)
            if here != lot:
                continue
            came_in, left = (last, posting) if forward else (posting, last)
            if last is not None and (lot in implicit or came_in in apart) and came_in >= left:
                continue
            found[key] = quantities
            waiting.append((there, posting))
    return found


def read(lot_id, direction):
    answer = genealogy(lots=[lot_id], direction=direction)
    assert not answer.is_cut
    return {(e.posting_id, e.source_id, e.target_id): (e.taken, e.made) for e in answer.edges}, set(answer.nodes)


@pytest.mark.slow
@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(steps=st.lists(STEP, min_size=15, max_size=40))
def test_both_directions_find_what_the_movements_say_and_agree(db, steps):
    with transaction.atomic():
        company = Company()
        for step in steps:
            company.do(step)
        edges = model_edges()
        event(f"{min(len(edges), 10)} edges or more" if edges else "no edges")
        lots = list(Lot.objects.values_list("pk", flat=True))
        implicit = set(Lot.objects.filter(code="").values_list("pk", flat=True))
        forward = {lot: read(lot, "forward") for lot in lots}
        backward = {lot: read(lot, "backward") for lot in lots}

        for lot in lots:
            assert forward[lot][0] == model_walk(edges, lot, implicit, forward=True)
            assert backward[lot][0] == model_walk(edges, lot, implicit, forward=False)
        pairs = {(lot, other) for lot in lots for other in forward[lot][1]}
        assert pairs == {(other, lot) for lot in lots for other in backward[lot][1]}
        assert broken_invariants() == []
        transaction.set_rollback(True)
