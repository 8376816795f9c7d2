from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from inventory.errors import LotExpired, LotMismatch, OverReservation
from inventory.models import Reservation, ReservationChange, StockBalance, StockChange
from inventory.operations.pinning import pin_stock, unpin_stock
from inventory.operations.reserving import release_reservations, reserve_stock
from tests.factories import lot_of, make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def reserve(item, place, quantity, **fields):
    return reserve_stock(
        item=item,
        location=place,
        quantity=Decimal(quantity),
        demand_kind="order",
        demand_ref=fields.pop("demand_ref", "1"),
        actor=None,
        **fields,
    )


def reserved(item):
    return sum(row.reserved for row in StockBalance.objects.filter(item=item))


def test_pins_cells_and_counts_them_on_the_balance():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "5")

    result = reserve(item, place, "3", pinned=True)

    assert (result.quantity, result.missing) == (3, 0)
    assert reserved(item) == 3


def test_refuses_more_than_is_free_unless_a_part_will_do():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "5")
    reserve(item, place, "3", pinned=True)

    with pytest.raises(OverReservation):
        reserve(item, place, "3", pinned=True, demand_ref="2")
    part = reserve(item, place, "3", pinned=True, demand_ref="2", partial=True)

    assert (part.quantity, part.missing) == (2, 1)
    assert reserved(item) == 5


def test_a_soft_promise_is_not_on_the_balance():
    item, place = make_item(), make_location()

    reserve(item, place, "3")

    assert reserved(item) == 0
    assert Reservation.objects.get().is_pinned is False


def test_release_lets_go_of_everything_and_keeps_the_log():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "5")
    reserve(item, place, "3", pinned=True)
    reserve(item, place, "1")

    released = release_reservations(demand_kind="order", demand_ref="1", reason="cancelled", actor=None)

    assert released == 4
    assert reserved(item) == 0
    assert sorted(ReservationChange.objects.values_list("quantity", flat=True)) == [-3, -1, 1, 3]


def test_releasing_nothing_is_no_error(db):
    assert release_reservations(demand_kind="order", demand_ref="none", reason="cancelled", actor=None) == 0


def test_the_apps_above_are_told():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "5")

    reserve(item, place, "3", pinned=True)

    assert StockChange.objects.filter(cause="reservation", items=[item.pk]).count() == 1


def test_named_lots_add_up_to_the_quantity():
    item, place = make_item(tracking="lot"), make_location()
    put_on_hand(item, place, "9", lot="A")

    for partial in (False, True):
        with pytest.raises(LotMismatch, match="add up to 3 pcs"):
            reserve(item, place, "9", lots=[(lot_of(item, "A"), Decimal(3))], partial=partial)

    assert (reserved(item), Reservation.objects.count()) == (0, 0)


def test_expired_lots_are_not_promised_by_name_either():
    item, place = make_item(tracking="lot"), make_location()
    put_on_hand(item, place, "5", lot="A", expires_on=timezone.localdate() - timedelta(days=1))
    put_on_hand(item, place, "5", lot="B")
    lots = [(lot_of(item, "A"), Decimal(2)), (lot_of(item, "B"), Decimal(4))]

    with pytest.raises(LotExpired):
        reserve(item, place, "6", lots=lots)
    assert (reserved(item), Reservation.objects.count()) == (0, 0)
    part = reserve(item, place, "6", lots=lots, partial=True)

    assert (part.quantity, part.missing) == (4, 2)
    assert reserved(item) == 4


def test_the_news_of_promises_names_who_made_and_who_freed_them():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "5")
    StockChange.objects.all().delete()
    seller, packer = make_user(), make_user()
    demand = {"demand_kind": "order", "demand_ref": "1"}

    reserve_stock(item=item, location=place, quantity=Decimal(2), actor=seller, **demand)
    pin_stock(wanted=[(item, Decimal(1))], within=place, actor=seller, **demand)
    unpin_stock(reason="cancelled", actor=packer, **demand)
    release_reservations(reason="cancelled", actor=packer, **demand)

    told = StockChange.objects.order_by("pk").values_list("items", "actor_id")
    assert list(told) == [([item.pk], one.pk) for one in (seller, seller, packer, packer)]
