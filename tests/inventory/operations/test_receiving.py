from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import (
    BackdatingNotAllowed,
    DuplicateSerial,
    IdempotencyMismatch,
    InvalidQuantity,
    InvalidQuantityStep,
    ItemInactive,
    LocationBlocked,
    LotMismatch,
    LotRequired,
    PhantomNotStocked,
)
from inventory.models import CostPool, ItemKind, Lot, Movement, Posting, StockChange, Tracking
from inventory.operations.receiving import ReceiptLine, receive_stock
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def receive(*lines, key=None, **fields):
    return receive_stock(key=key or uuid4(), lines=lines, actor=fields.pop("actor", None), **fields)


def test_puts_all_lines_in_and_tells_the_apps_above_once():
    wax, wick, place = make_item(unit="kg", step="0.001"), make_item(), make_location()

    result = receive(
        ReceiptLine(wax, place, Decimal("2.5"), value=Decimal("11.25")),
        ReceiptLine(wick, place, Decimal(100), value=Decimal("10.00")),
        reference="PO-7",
    )

    assert (on_hand(wax), on_hand(wick)) == (Decimal("2.5"), 100)
    assert CostPool.objects.get(item=wax).value == Decimal("11.25")
    assert result.posting.reference == "PO-7"
    news = StockChange.objects.get(posting_id=result.posting.pk)
    assert sorted(news.items) == sorted([wax.pk, wick.pk])


def test_a_repeated_request_is_posted_once():
    item, place, key = make_item(), make_location(), uuid4()
    first = receive(ReceiptLine(item, place, Decimal(5)), key=key)

    again = receive(ReceiptLine(item, place, Decimal(5)), key=key)

    assert (first.replayed, again.replayed) == (False, True)
    assert again.posting == first.posting
    assert on_hand(item) == 5


def test_a_key_with_another_request_is_refused():
    item, place, key = make_item(), make_location(), uuid4()
    receive(ReceiptLine(item, place, Decimal(5)), key=key)

    with pytest.raises(IdempotencyMismatch):
        receive(ReceiptLine(item, place, Decimal(6)), key=key)

    assert on_hand(item) == 5


def test_an_unknown_cost_stays_unknown():
    item, place = make_item(), make_location()

    result = receive(ReceiptLine(item, place, Decimal(5), value=None))

    assert result.posting.movements.get().value is None
    assert CostPool.objects.get(item=item).unknown_quantity == 5


def test_goods_that_need_inspection_arrive_in_qc_hold():
    item, place = make_item(inspection_required=True), make_location()

    receive(ReceiptLine(item, place, Decimal(5)))

    assert on_hand(item, status="qc_hold") == 5


@pytest.mark.parametrize(
    ("quantity", "refusal"),
    [
        ("0", InvalidQuantity),
        ("-1", InvalidQuantity),
        ("NaN", InvalidQuantity),
        ("1E15", InvalidQuantity),
        ("1.5", InvalidQuantityStep),
    ],
)
def test_refuses_impossible_quantities_and_writes_nothing(quantity, refusal):
    item, place = make_item(), make_location()

    with pytest.raises(refusal):
        receive(ReceiptLine(item, place, Decimal(quantity)))

    assert Posting.objects.count() == Movement.objects.count() == 0


@pytest.mark.parametrize("value", ["-0.01", "NaN", "0.001"])
def test_refuses_impossible_costs(value):
    item, place = make_item(), make_location()

    with pytest.raises(InvalidQuantity):
        receive(ReceiptLine(item, place, Decimal(1), value=Decimal(value)))


def test_refuses_an_empty_receipt(db):
    with pytest.raises(InvalidQuantity, match="at least one line"):
        receive()


def test_refuses_phantoms_inactive_items_and_inactive_places():
    place = make_location()

    with pytest.raises(PhantomNotStocked):
        receive(ReceiptLine(make_item(kind=ItemKind.PHANTOM), place, Decimal(1)))
    with pytest.raises(ItemInactive):
        receive(ReceiptLine(make_item(is_active=False), place, Decimal(1)))
    with pytest.raises(LocationBlocked):
        receive(ReceiptLine(make_item(), make_location(is_active=False), Decimal(1)))


def test_a_tracked_item_needs_its_lot_and_an_untracked_one_has_none():
    tracked, plain, place = make_item(tracking=Tracking.LOT), make_item(), make_location()

    with pytest.raises(LotRequired, match="name the one"):
        receive(ReceiptLine(tracked, place, Decimal(1)))
    with pytest.raises(LotRequired, match="not tracked"):
        receive(ReceiptLine(plain, place, Decimal(1), lot_code="L1"))


def test_more_of_a_lot_joins_it_without_regard_to_case():
    item, place = make_item(tracking=Tracking.LOT), make_location()
    receive(ReceiptLine(item, place, Decimal(1), lot_code="l-1", expires_on=date(2030, 1, 1)))

    receive(ReceiptLine(item, place, Decimal(2), lot_code="L-1"))

    assert Lot.objects.get(item=item).code == "l-1"
    assert on_hand(item) == 3


def test_a_lot_keeps_its_expiry():
    item, place = make_item(tracking=Tracking.LOT), make_location()
    receive(ReceiptLine(item, place, Decimal(1), lot_code="L-1", expires_on=date(2030, 1, 1)))

    with pytest.raises(LotMismatch, match="expires on 2030-01-01, not 2031-01-01"):
        receive(ReceiptLine(item, place, Decimal(1), lot_code="L-1", expires_on=date(2031, 1, 1)))


def test_a_serial_number_is_one_piece_in_one_place():
    item, place = make_item(tracking=Tracking.SERIAL), make_location()
    receive(ReceiptLine(item, place, Decimal(1), lot_code="SN-1"))

    with pytest.raises(DuplicateSerial, match="is on hand at"):
        receive(ReceiptLine(item, place, Decimal(1), lot_code="sn-1"))
    with pytest.raises(DuplicateSerial, match="one piece"):
        receive(ReceiptLine(item, place, Decimal(2), lot_code="SN-2"))


def test_backdating_needs_the_privilege_and_the_future_is_refused():
    item, place = make_item(), make_location()
    yesterday = timezone.now() - timedelta(days=1)

    with pytest.raises(BackdatingNotAllowed, match="before today"):
        receive(ReceiptLine(item, place, Decimal(1)), actor=make_user(), effective_at=yesterday)
    with pytest.raises(BackdatingNotAllowed, match="future"):
        receive(ReceiptLine(item, place, Decimal(1)), effective_at=timezone.now() + timedelta(hours=1))
    posted = receive(ReceiptLine(item, place, Decimal(1)), actor=make_user(superuser=True), effective_at=yesterday)

    assert posted.posting.effective_at == yesterday
    assert posted.posting.movements.get().effective_at == yesterday


@pytest.mark.parametrize("lines", [1, 20])
def test_the_number_of_statements_does_not_depend_on_the_lines(lines, django_assert_num_queries):
    place = make_location()
    items = [make_item() for _ in range(lines)]
    for item in items:
        put_on_hand(item, place, "1", value="1.00")

    with django_assert_num_queries(7):  # savepoint, claim, lots, pools, cells, write, release
        receive(*(ReceiptLine(item, place, Decimal(3), value=Decimal("1.00")) for item in items))


def test_the_last_day_of_a_new_lot_may_be_typed_in_one_of_its_lines():
    item, shelf, rack = make_item(tracking="lot"), make_location(), make_location()
    day = date(2030, 1, 31)

    receive(
        ReceiptLine(item, shelf, Decimal(3), lot_code="L7", expires_on=day, supplier_lot="S-1"),
        ReceiptLine(item, rack, Decimal(2), lot_code="l7"),
    )

    lot = Lot.objects.get(item=item)
    assert (lot.expires_on, lot.supplier_lot) == (day, "S-1")
    assert on_hand(item) == 5


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({"expires_on": date(2030, 1, 31)}, {"expires_on": date(2030, 2, 28)}, "2030-01-31 and on 2030-02-28"),
        ({"supplier_lot": "S-1"}, {"supplier_lot": "S-2"}, "as S-1 and as S-2 of the supplier"),
    ],
)
def test_two_lines_that_contradict_each_other_about_a_lot_are_refused(one, other, said):
    item, place = make_item(tracking="lot"), make_location()

    with pytest.raises(LotMismatch, match=said):
        receive(*[ReceiptLine(item, place, Decimal(1), lot_code="L7", **rest) for rest in (one, other)])

    assert (Lot.objects.count(), Posting.objects.count()) == (0, 0)
