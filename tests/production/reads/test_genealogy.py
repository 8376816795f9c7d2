from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.locks import ANYWHERE, lock_for_posting
from inventory.models import Lot, PostingKind
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.posting import Draft, claim_posting, post
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transactions import run_in_transaction
from inventory.operations.transferring import transfer_stock
from inventory.reads.genealogy import as_tree, genealogy
from inventory.reads.lot_ends import lot_ends
from inventory.reads.recall import RECALL_HEADER, recall, recall_rows
from production.operations.reversing import reverse_completion
from tests.factories import lot_of, make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def shelf():
    return make_location(code="SHELF")


@pytest.fixture
def goods(shelf):
    """Two lots of wax; candles of 2 wax each; boxes of 3 candles. Candles and boxes have lots."""
    wax, candle, box = (make_item(sku=sku, tracking="lot") for sku in ("WAX", "CANDLE", "BOX"))
    make_bom(item=candle, lines=[(wax, "2")])
    make_bom(item=box, lines=[(candle, "3")])
    put_on_hand(wax, shelf, "8", lot="W1", value="8.00")
    put_on_hand(wax, shelf, "100", lot="W2", value="100.00")
    return wax, candle, box


def make(item, good, shelf, lot):
    return complete(item, good, into=shelf, output_lot_code=lot).completion


def reached(lot, direction="forward"):
    found = genealogy(lots=[lot.pk], direction=direction)
    return {(node.lot.item.sku, node.lot.code): node.level for node in found.nodes.values()}


def edges(lot, direction="forward"):
    found = genealogy(lots=[lot.pk], direction=direction)
    codes = {pk: node.lot.code for pk, node in found.nodes.items()}
    return [(codes[e.source_id], e.taken, codes[e.target_id], e.made) for e in found.edges]


def change_lot(item, shelf, source, target, quantity):
    """Carry a quantity from one lot to another of the item, as relabelling and merging do."""

    def work():
        posting = claim_posting(
            key=uuid4(), kind=PostingKind.LOT_CHANGE, request={}, actor=None, effective_at=None
        ).posting
        draft = Draft(lock_for_posting(items=[item.pk], within=ANYWHERE))
        place = (item.pk, shelf.pk)
        draft.move((*place, source.pk, "available"), (*place, target.pk, "available"), Decimal(quantity))
        post(posting=posting, draft=draft)
        return posting

    return run_in_transaction(work)


def test_follows_a_raw_lot_through_every_level_with_quantities(goods, shelf):
    wax, candle, box = goods
    make(candle, "5", shelf, "C1")
    make(box, "1", shelf, "B1")

    assert reached(lot_of(wax, "W1")) == {("WAX", "W1"): 0, ("CANDLE", "C1"): 1, ("BOX", "B1"): 2}
    assert edges(lot_of(wax, "W1")) == [("W1", 8, "C1", 5), ("C1", 3, "B1", 1)]


def test_finds_what_went_into_a_finished_lot(goods, shelf):
    _, candle, box = goods
    make(candle, "5", shelf, "C1")
    make(box, "1", shelf, "B1")

    assert reached(lot_of(box, "B1"), "backward") == {
        ("BOX", "B1"): 0,
        ("CANDLE", "C1"): 1,
        ("WAX", "W1"): 2,
        ("WAX", "W2"): 2,
    }
    assert edges(lot_of(box, "B1"), "backward") == [("W1", 8, "C1", 5), ("W2", 2, "C1", 5), ("C1", 3, "B1", 1)]


def test_a_completion_that_was_taken_back_leaves_no_trace(goods, shelf):
    wax, candle, _ = goods
    reverse_completion(key=uuid4(), completion=make(candle, "3", shelf, "C1"), actor=None)

    assert reached(lot_of(wax, "W1")) == {("WAX", "W1"): 0}
    assert reached(lot_of(candle, "C1"), "backward") == {("CANDLE", "C1"): 0}


def test_a_part_that_was_taken_back_is_taken_off(goods, shelf):
    wax, candle, _ = goods
    reverse_completion(key=uuid4(), completion=make(candle, "4", shelf, "C1"), good=Decimal(1), actor=None)

    assert edges(lot_of(wax, "W1")) == [("W1", 6, "C1", 3)]


def test_a_lot_that_came_back_whole_from_a_partial_reversal_is_not_affected(goods, shelf):
    wax, candle, _ = goods
    made = make(candle, "5", shelf, "C1")  # 8 of W1 and 2 of W2; the last picked goes back first
    reverse_completion(key=uuid4(), completion=made, good=Decimal(1), actor=None)

    assert reached(lot_of(wax, "W2")) == {("WAX", "W2"): 0}
    assert edges(lot_of(wax, "W1")) == [("W1", 8, "C1", 4)]


def test_transfers_change_nothing(goods, shelf):
    wax, candle, _ = goods
    make(candle, "2", shelf, "C1")
    before = reached(lot_of(wax, "W1"))
    transfer_stock(
        key=uuid4(), item=candle, source=shelf, target=make_location(), quantity=Decimal(1), actor=None, lots=()
    )

    assert reached(lot_of(wax, "W1")) == before


def test_follows_changes_of_lot_and_their_reversal(goods, shelf):
    wax, candle, _ = goods
    make(candle, "4", shelf, "C1")
    other = Lot.objects.create(item=candle, code="C9", received_on="2026-01-01")
    moved = change_lot(candle, shelf, lot_of(candle, "C1"), other, "3")

    assert ("CANDLE", "C9") in reached(lot_of(wax, "W1"))
    assert edges(lot_of(candle, "C9"), "backward") == [("W1", 8, "C1", 4), ("C1", 3, "C9", 3)]

    reverse_posting(key=uuid4(), posting=moved, actor=None)

    assert ("CANDLE", "C9") not in reached(lot_of(wax, "W1"))


def test_goods_without_lots_between_make_what_follows_possible_only(shelf):
    wax, candle, box = (
        make_item(sku="WAX", tracking="lot"),
        make_item(sku="CANDLE"),
        make_item(sku="BOX", tracking="lot"),
    )
    make_bom(item=candle, lines=[(wax, "1")])
    make_bom(item=box, lines=[(candle, "1")])
    put_on_hand(wax, shelf, "5", lot="OLD")
    complete(candle, "5", into=shelf)
    make(box, "2", shelf, "BEFORE")
    put_on_hand(wax, shelf, "5", lot="BAD")
    complete(candle, "5", into=shelf)
    make(box, "2", shelf, "AFTER")

    found = genealogy(lots=[lot_of(wax, "BAD").pk], direction="forward")

    assert {node.lot.code: node.is_certain for node in found.nodes.values()} == {"BAD": True, "": False, "AFTER": False}
    assert set(reached(lot_of(box, "BEFORE"), "backward")) == {("BOX", "BEFORE"), ("CANDLE", ""), ("WAX", "OLD")}
    assert set(reached(lot_of(box, "AFTER"), "backward")) == {
        ("BOX", "AFTER"),
        ("CANDLE", ""),
        ("WAX", "OLD"),
        ("WAX", "BAD"),
    }


def test_each_level_costs_one_statement_whatever_its_width(goods, shelf):
    wax, candle, _ = goods

    def statements():
        with CaptureQueriesContext(connection) as seen:
            genealogy(lots=[lot_of(wax, "W2").pk], direction="forward")
        return len(seen)

    make(candle, "5", shelf, "C0")
    few = statements()
    for number in range(1, 20):
        make(candle, "1", shelf, f"C{number}")

    assert statements() == few


def test_the_tree_opens_each_lot_once(goods, shelf):
    wax, candle, box = goods
    make(candle, "6", shelf, "C1")
    make(candle, "6", shelf, "C2")
    make(box, "3", shelf, "B1")  # from C1 and C2

    rows, left_out = as_tree(genealogy(lots=[lot_of(wax, "W2").pk], direction="forward"))

    assert [(row.depth, row.node.lot.code) for row in rows] == [(0, "W2"), (1, "C1"), (2, "B1"), (1, "C2"), (2, "B1")]
    assert left_out == 0
    assert len(as_tree(genealogy(lots=[lot_of(wax, "W2").pk], direction="forward"), rows_max=2)[0]) == 2


def test_the_ends_name_orders_and_suppliers(goods, shelf):
    wax, candle, _ = goods
    make(candle, "4", shelf, "C1")
    lot = lot_of(candle, "C1")
    reserve_stock(
        item=candle,
        location=shelf,
        quantity=Decimal(3),
        demand_kind="order",
        demand_ref="1042",
        actor=None,
        pinned=True,
    )
    issue_stock(
        key=uuid4(),
        item=candle,
        location=shelf,
        quantity=Decimal(3),
        demand=("order", "1042"),
        reference="S-7",
        actor=None,
    )
    scrapped = scrap_stock(
        key=uuid4(),
        item=candle,
        location=shelf,
        quantity=Decimal(1),
        lots=[(lot, Decimal(1))],
        reason="cracked",
        actor=None,
    )
    reverse_posting(key=uuid4(), posting=scrapped.posting, actor=None)

    ends = lot_ends(lots=[lot])

    assert [(end.kind, end.reference, end.demands, end.quantity) for end in ends] == [
        ("issue", "S-7", ("order 1042",), Decimal(-3))
    ]
    assert [(end.kind, end.quantity) for end in lot_ends(lots=[lot_of(wax, "W1")])] == [("receipt", Decimal(8))]


def test_a_recall_has_lots_stock_completions_and_orders_in_one_table(goods, shelf):
    wax, candle, _ = goods
    make(candle, "4", shelf, "C1")
    issue_stock(key=uuid4(), item=candle, location=shelf, quantity=Decimal(3), reference="S-7", actor=None)

    answer = recall(lots=[lot_of(wax, "W1").pk])
    rows = [dict(zip(RECALL_HEADER, row, strict=True)) for row in recall_rows(answer)]

    assert [(row["What"], row["SKU"], row["Lot"], row["Place"], row["Quantity"], row["Reference"]) for row in rows] == [
        ("Affected lot", "WAX", "W1", "", 0, ""),
        ("Affected lot", "CANDLE", "C1", "", 1, ""),
        ("On hand", "CANDLE", "C1", "SHELF", 1, ""),
        ("Made", "CANDLE", "C1", "", 4, ""),
        ("Shipped or issued", "CANDLE", "C1", "", 3, "S-7"),
    ]
    made = rows[3]
    assert (made["From SKU"], made["From lot"], made["From quantity"]) == ("WAX", "W1", 8)
