from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import DuplicateSerial, InsufficientStock, InvalidQuantity, LotMismatch, LotRequired, WrongState
from inventory.models import CostEntry, CostLayer, CostPool, Lot, Movement, Posting
from inventory.operations.issuing import issue_stock
from inventory.operations.rebuilding import rebuild_balances
from inventory.operations.relabelling import NewLot, change_lots
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def site(db):
    return make_location(code="SITE")


def change(item, place, sources, targets, **rest):
    given = {"key": uuid4(), "reason": "label torn", "actor": None, **rest}
    return change_lots(
        item=item,
        location=place,
        sources=[(lot_of(item, code), Decimal(quantity)) for code, quantity in sources],
        targets=[
            NewLot(code, None if quantity is None else Decimal(quantity), *more) for code, quantity, *more in targets
        ],
        **given,
    ).posting


def held(item):
    return {
        code: quantity for code in item.lots.values_list("code", flat=True) if (quantity := on_hand(item, lot=code))
    }


def lot_pools(item):
    pools = CostPool.objects.filter(item=item, lot__isnull=False, quantity__gt=0).order_by("lot__code")
    return {pool.lot.code: (pool.quantity, pool.value, pool.unknown_quantity) for pool in pools}


def test_splits_a_lot_which_keeps_its_age_and_last_day(site):
    today = timezone.localdate()
    item = make_item(sku="WAX", tracking="lot")
    bins = [make_location(parent=site) for _ in range(2)]
    for place in bins:
        put_on_hand(item, place, "5", lot="A", value="5.00", expires_on=today + timedelta(days=9))
    Lot.objects.filter(code="A").update(received_on=today - timedelta(days=40))

    change(item, site, [("A", 8)], [("A-1", 6), ("A-2", 2)])

    assert held(item) == {"A": 2, "A-1": 6, "A-2": 2}
    assert on_hand(item, location=bins[0]) == 5
    new = lot_of(item, "A-1")
    assert (new.received_on, new.expires_on) == (today - timedelta(days=40), today + timedelta(days=9))
    assert CostPool.objects.get(item=item).value == 10


def test_merges_lots_into_one_with_the_earliest_last_day(site):
    today = timezone.localdate()
    item = make_item(tracking="lot")
    put_on_hand(item, site, "3", lot="A", expires_on=today + timedelta(days=30))
    put_on_hand(item, site, "4", lot="B", expires_on=today + timedelta(days=20))
    put_on_hand(item, site, "5", lot="C")

    change(item, site, [("A", 3), ("B", 4), ("C", 1)], [("ALL", None)])

    assert held(item) == {"ALL": 8, "C": 4}
    assert lot_of(item, "ALL").expires_on == today + timedelta(days=20)


def test_goods_get_no_later_last_day_by_joining_a_lot_unless_it_is_said(site):
    today = timezone.localdate()
    item = make_item(sku="WAX", tracking="lot")
    put_on_hand(item, site, "3", lot="A", expires_on=today + timedelta(days=5))
    put_on_hand(item, site, "3", lot="B", expires_on=today + timedelta(days=50))
    put_on_hand(item, site, "3", lot="C")

    for code in ("B", "c"):
        with pytest.raises(LotMismatch, match="what would join it"):
            change(item, site, [("A", 1)], [(code, None)])
    assert held(item) == {"A": 3, "B": 3, "C": 3}
    change(item, site, [("A", 1)], [("b", None, today + timedelta(days=50))])
    change(item, site, [("B", 4)], [("A", None)])

    assert held(item) == {"A": 6, "C": 3}


def test_a_lot_that_carries_its_cost_hands_it_on_and_gets_it_back(site):
    item = make_item(tracking="lot", cost_method="lot")
    put_on_hand(item, site, "3", lot="A", value="10.00")
    put_on_hand(item, site, "2", lot="B", value="1.00")

    posting = change(item, site, [("A", 2), ("B", 2)], [("M", None)])
    assert lot_pools(item) == {"A": (1, Decimal("3.33"), 0), "M": (4, Decimal("7.67"), 0)}
    reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert lot_pools(item) == {"A": (3, 10, 0), "B": (2, 1, 0)}
    assert not CostEntry.objects.exists()


def test_units_of_unknown_cost_go_along_and_none_becomes_known_or_unknown(site):
    item = make_item(tracking="lot", cost_method="lot")
    put_on_hand(item, site, "5", lot="A")
    put_on_hand(item, site, "5", lot="A", value="10.00")
    put_on_hand(item, site, "5", lot="B", value="5.00")

    posting = change(item, site, [("A", 7)], [("M", None)])

    assert lot_pools(item) == {"A": (3, 6, 0), "B": (5, 5, 0), "M": (7, 4, 5)}
    whole = CostPool.objects.get(item=item, lot=None)
    assert (whole.quantity, whole.value, whole.unknown_quantity) == (15, 15, 5)
    assert list(rebuild_balances().differences) == []
    reverse_posting(key=uuid4(), posting=posting, actor=None)
    assert {code: figures[:2] for code, figures in lot_pools(item).items()} == {"A": (10, 10), "B": (5, 5)}
    assert not CostEntry.objects.exists()


def test_undo_after_the_new_lot_was_mixed_books_the_difference(site):
    item = make_item(tracking="lot", cost_method="lot")
    put_on_hand(item, site, "5", lot="A", value="10.00")
    posting = change(item, site, [("A", 5)], [("M", None)])
    put_on_hand(item, site, "5", lot="M", value="0.00")
    issue_stock(key=uuid4(), item=item, location=site, quantity=Decimal(5), actor=None)

    reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert lot_pools(item) == {"A": (5, 10, 0)}
    entry = CostEntry.objects.get()
    assert (entry.kind, entry.amount) == ("reversal_variance", Decimal("-5.00"))


@pytest.mark.parametrize("method", ["average", "fifo"])
def test_cost_stays_where_it_is_for_other_methods_and_undo_is_exact(site, method):
    item = make_item(tracking="lot", cost_method=method)
    put_on_hand(item, site, "2", lot="A", value="2.00")
    put_on_hand(item, site, "2", lot="B", value="8.00")

    posting = change(item, site, [("A", 2), ("B", 1)], [("M", None)])
    queue = list(CostLayer.objects.order_by("id").values_list("quantity", "value"))
    reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert queue == ([(2, 2), (2, 8)] if method == "fifo" else [])
    assert held(item) == {"A": 2, "B": 2}
    assert CostPool.objects.get(item=item).value == 10


def test_reserved_stock_stays_in_its_lot(site):
    item = make_item(sku="WAX", tracking="lot")
    put_on_hand(item, site, "5", lot="A")
    reserve_stock(
        item=item, location=site, quantity=Decimal(4), demand_kind="order", demand_ref="1", actor=None, pinned=True
    )

    with pytest.raises(Exception, match="of which 4 are reserved"):
        change(item, site, [("A", 2)], [("B", None)])
    change(item, site, [("A", 1)], [("B", None)])

    assert held(item) == {"A": 4, "B": 1}


def test_a_serial_number_is_one_piece(site):
    item = make_item(sku="PUMP", tracking="serial")
    for code in ("S1", "S2"):
        put_on_hand(item, site, "1", lot=code)

    change(item, site, [("S1", 1)], [("S9", None)])
    with pytest.raises(DuplicateSerial, match="one piece, not 2"):
        change(item, site, [("S9", 1), ("S2", 1)], [("S3", None)])
    with pytest.raises(DuplicateSerial, match="on hand at SITE"):
        change(item, site, [("S9", 1)], [("S2", None)])

    assert held(item) == {"S2": 1, "S9": 1}


@pytest.mark.parametrize(
    ("sources", "targets", "refusal", "words"),
    [
        ([("A", 2), ("B", 2)], [("C", 2), ("D", 2)], WrongState, "Several lots"),
        ([("A", 2)], [("a", None)], WrongState, "would become itself"),
        ([("A", 2)], [("C", 1), ("D", 2)], LotMismatch, "2 pcs of WAX are taken and 3 given"),
        ([("A", 2)], [("C", 1), ("D", None)], InvalidQuantity, "how much"),
        ([("A", 2)], [("C", 1), ("c", 1)], LotMismatch, "named twice"),
        ([("A", 2)], [("", None)], LotRequired, "name the one"),
        ([("A", 9)], [("C", None)], InsufficientStock, "9 are needed"),
        ([("A", 2)], [], InvalidQuantity, "at least one line"),
    ],
)
def test_refuses_what_cannot_be_and_writes_nothing(site, sources, targets, refusal, words):
    item = make_item(sku="WAX", tracking="lot")
    put_on_hand(item, site, "3", lot="A")
    put_on_hand(item, site, "3", lot="B")

    with pytest.raises(refusal, match=words):
        change(item, site, sources, targets)

    assert held(item) == {"A": 3, "B": 3}
    assert Posting.objects.count() == 2
    assert set(item.lots.values_list("code", flat=True)) == {"A", "B"}


def test_needs_tracking_and_a_reason(site):
    item, tracked = make_item(sku="JAR"), make_item(sku="WAX", tracking="lot")
    put_on_hand(item, site, "3")
    put_on_hand(tracked, site, "3", lot="A")

    with pytest.raises(LotRequired, match="not tracked by lot"):
        change(item, site, [("", 1)], [("A", None)])
    with pytest.raises(WrongState, match="needs a reason"):
        change(tracked, site, [("A", 1)], [("B", None)], reason=" ")


def test_the_same_request_again_changes_once(site):
    item, key = make_item(tracking="lot"), uuid4()
    put_on_hand(item, site, "3", lot="A")

    first = change(item, site, [("A", 2)], [("B", None)], key=key)
    again = change(item, site, [("A", 2)], [("B", None)], key=key)

    assert first == again
    assert held(item) == {"A": 1, "B": 2}


def test_tracking_switched_on_later_loses_no_history(site):
    """Untracked goods are received and used; tracking is switched on; what is left gets a lot and is picked by its age."""
    today = timezone.localdate()
    item = make_item(sku="OIL", cost_method="fifo")
    put_on_hand(item, site, "4", value="4.00")
    put_on_hand(item, site, "6", value="12.00")
    issue_stock(key=uuid4(), item=item, location=site, quantity=Decimal(1), actor=None)
    before = list(Movement.objects.order_by("id").values_list("id", "quantity", "value", "lot__code"))

    item.tracking = "lot"
    item.save()
    put_on_hand(item, site, "5", lot="NEW", value="15.00", expires_on=today + timedelta(days=90))
    posting = change(item, site, [("", 9)], [("OLD", None, today + timedelta(days=10))], reason="tracked from now on")
    result = issue_stock(key=uuid4(), item=item, location=site, quantity=Decimal(4), actor=None)

    assert held(item) == {"OLD": 5, "NEW": 5}  # the earlier last day went first
    assert result.value == Decimal("5.00")  # 3 at 1.00, 1 at 2.00: layers stayed in their order
    assert list(Movement.objects.order_by("id").values_list("id", "quantity", "value", "lot__code"))[:3] == before
    assert posting.movements.filter(lot__code="", quantity=-9).exists()
