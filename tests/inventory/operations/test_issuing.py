from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import InsufficientStock, InvalidQuantity, LotExpired, LotMismatch, LotRequired, ReservedByOther
from inventory.models import CostEntry, Movement, Posting, Reservation, StockBalance, StockStatus, Tracking
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.reserving import reserve_stock
from inventory.operations.transferring import change_status
from tests.factories import lot_of, make_item, make_location, make_user, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def issue(item, place, quantity, **fields):
    return issue_stock(
        key=fields.pop("key", None) or uuid4(),
        item=item,
        location=place,
        quantity=Decimal(quantity),
        actor=None,
        **fields,
    )


def scrap(item, place, quantity, **fields):
    return scrap_stock(
        key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, **{"reason": "broken", **fields}
    )


def days_from_now(days):
    return timezone.localdate() + timedelta(days)


def test_takes_the_earliest_expiry_first_and_not_what_has_expired():
    item, place = make_item(tracking=Tracking.LOT), make_location()
    put_on_hand(item, place, "5", lot="LATE", expires_on=days_from_now(9), value="5.00")
    put_on_hand(item, place, "3", lot="TODAY", expires_on=days_from_now(0), value="3.00")
    put_on_hand(item, place, "4", lot="GONE", expires_on=days_from_now(-1), value="4.00")

    issue(item, place, "6")

    assert {code: on_hand(item, lot=code) for code in ("TODAY", "LATE", "GONE")} == {"TODAY": 0, "LATE": 2, "GONE": 4}


def test_takes_from_bins_below_the_place():
    site = make_location(code="SITE")
    bins = [make_location(parent=site), make_location(parent=site)]
    item = make_item()
    for place in bins:
        put_on_hand(item, place, "3", value="3.00")

    issue(item, site, "5")

    assert on_hand(item) == 1


def test_a_blocked_bin_is_used_only_by_name():
    site = make_location()
    item, blocked = make_item(), make_location(parent=site, is_blocked=True)
    put_on_hand(item, blocked, "3")

    with pytest.raises(InsufficientStock):
        issue(item, site, "1")
    issue(item, blocked, "1")

    assert on_hand(item) == 2


def test_refuses_more_than_on_hand_and_writes_nothing():
    item, place = make_item(), make_location(code="BENCH")
    put_on_hand(item, place, "2")
    postings, movements = Posting.objects.count(), Movement.objects.count()

    with pytest.raises(InsufficientStock) as refusal:
        issue(item, place, "3")

    assert refusal.value.context["on_hand"] == "2"
    assert "BENCH holds 2 pcs" in refusal.value.message
    assert (Posting.objects.count(), Movement.objects.count()) == (postings, movements)


def test_what_others_have_reserved_is_not_taken():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "10")
    reserve_stock(
        item=item, location=place, quantity=Decimal(8), demand_kind="order", demand_ref="A", actor=None, pinned=True
    )

    with pytest.raises(ReservedByOther) as refusal:
        issue(item, place, "3")

    assert refusal.value.context["reserved"] == "8"
    assert on_hand(item) == 10


def test_own_reservation_is_used_first_and_shrinks():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "10")
    reserve_stock(
        item=item, location=place, quantity=Decimal(8), demand_kind="order", demand_ref="A", actor=None, pinned=True
    )

    issue(item, place, "9", demand=("order", "A"))

    assert on_hand(item) == 1
    assert Reservation.objects.get().quantity == 0


def test_named_lots_override_the_order():
    item, place = make_item(tracking=Tracking.LOT), make_location()
    put_on_hand(item, place, "5", lot="OLD")
    put_on_hand(item, place, "5", lot="NEW")

    issue(item, place, "2", lots=[(lot_of(item, "NEW"), Decimal(2))], reason="customer wants the fresh one")

    assert (on_hand(item, lot="OLD"), on_hand(item, lot="NEW")) == (5, 3)


def test_named_lots_must_add_up_be_of_the_item_and_be_in_date():
    item, other, place = make_item(tracking=Tracking.LOT), make_item(tracking=Tracking.LOT), make_location()
    put_on_hand(item, place, "5", lot="A", expires_on=days_from_now(-1))
    put_on_hand(other, place, "5", lot="B")

    with pytest.raises(LotMismatch, match="add up to 1"):
        issue(item, place, "2", lots=[(lot_of(item, "A"), Decimal(1))])
    with pytest.raises(LotMismatch, match="another item"):
        issue(item, place, "2", lots=[(lot_of(other, "B"), Decimal(2))])
    with pytest.raises(LotExpired):
        issue(item, place, "2", lots=[(lot_of(item, "A"), Decimal(2))])


def test_one_value_is_shared_out_over_the_lots_to_the_cent():
    item, place = make_item(tracking=Tracking.LOT), make_location()
    for code in "ABC":
        put_on_hand(item, place, "1", lot=code, value="3.33" if code == "A" else "3.34")
    put_on_hand(item, place, "1", lot="D", value="0.00")

    result = issue(item, place, "3")

    values = [-m.value for m in result.posting.movements.order_by("id")]
    assert result.value == sum(values) == Decimal("7.51")


def test_scrap_becomes_an_expense():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "4", value="10.00")

    scrap(item, place, "1")

    entry = CostEntry.objects.get()
    assert (entry.kind, entry.amount) == ("scrap", Decimal("2.50"))


def test_scrap_needs_a_reason_and_the_lot_of_a_tracked_item():
    item, place = make_item(tracking=Tracking.LOT), make_location()
    put_on_hand(item, place, "4", lot="A", expires_on=days_from_now(-3))

    with pytest.raises(InvalidQuantity, match="needs a reason"):
        scrap(item, place, "1", reason=" ")
    with pytest.raises(LotRequired):
        scrap(item, place, "1")
    scrap(item, place, "1", lots=[(lot_of(item, "A"), Decimal(1))])

    assert on_hand(item) == 3


def test_a_repeated_issue_is_posted_once_and_says_the_same_value():
    item, place, key = make_item(), make_location(), uuid4()
    put_on_hand(item, place, "4", value="10.00")

    first, again = issue(item, place, "1", key=key), issue(item, place, "1", key=key)

    assert (first.value, again.value) == (Decimal("2.50"), Decimal("2.50"))
    assert again.replayed
    assert on_hand(item) == 3


def expired_lot():
    """5 of a lot past its last day, 3 of them set to expired already, and 9 of a good one."""
    item, place = make_item(tracking=Tracking.LOT), make_location()
    put_on_hand(item, place, "5", lot="GONE", expires_on=days_from_now(-1), value="10.00")
    put_on_hand(item, place, "9", lot="GOOD", expires_on=days_from_now(9), value="18.00")
    change_status(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(3),
        from_status=StockStatus.AVAILABLE,
        to_status=StockStatus.EXPIRED,
        lots=[(lot_of(item, "GONE"), Decimal(3))],
        reason="past its day",
        actor=None,
    )
    return item, place


def test_a_named_expired_lot_is_used_with_a_reason_what_is_set_to_expired_first():
    item, place = expired_lot()
    lots = [(lot_of(item, "GONE"), Decimal(4))]

    result = issue(item, place, "4", lots=lots, reason="trial batch", use_expired=True)

    left = StockBalance.objects.filter(item=item, lot__code="GONE").values_list("status", "quantity")
    assert dict(left) == {"expired": 0, "available": 1}
    assert (result.value, on_hand(item, lot="GOOD")) == (Decimal("8.00"), 9)


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"reason": "trial batch"}, LotRequired),
        ({"named": "GONE", "reason": " "}, LotExpired),
        ({"named": "GONE", "reason": "trial batch", "role": "operator"}, LotExpired),
    ],
    ids=["not named", "no reason", "no privilege"],
)
def test_expired_lots_need_a_name_a_reason_and_a_privilege(more, refusal):
    item, place = expired_lot()
    lots = [(lot_of(item, more["named"]), Decimal(4))] if "named" in more else []
    postings = Posting.objects.count()
    actor = make_user(role=more["role"]) if "role" in more else None

    with pytest.raises(refusal):
        issue_stock(
            key=uuid4(),
            item=item,
            location=place,
            quantity=Decimal(4),
            lots=lots,
            reason=more["reason"],
            use_expired=True,
            actor=actor,
        )

    assert Posting.objects.count() == postings
    assert on_hand(item, lot="GONE") == 5


def test_more_than_there_is_of_an_expired_lot_is_refused():
    item, place = expired_lot()

    with pytest.raises(InsufficientStock):
        issue(item, place, "6", lots=[(lot_of(item, "GONE"), Decimal(6))], reason="trial batch", use_expired=True)

    assert on_hand(item, lot="GONE") == 5


def test_planner_uses_an_expired_lot():
    item, place = expired_lot()

    issue_stock(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(5),
        lots=[(lot_of(item, "GONE"), Decimal(5))],
        reason="trial batch",
        use_expired=True,
        actor=make_user(role="planner"),
    )

    assert on_hand(item, lot="GONE") == 0
