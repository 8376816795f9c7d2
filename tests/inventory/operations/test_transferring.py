from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import InsufficientStock, LotExpired, NegativeInFuture, WrongState
from inventory.models import CostPool, Tracking
from inventory.operations.issuing import issue_stock
from inventory.operations.transferring import change_status, transfer_stock
from tests.factories import make_item, make_location, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def transfer(item, source, target, quantity, **fields):
    return transfer_stock(
        key=uuid4(), item=item, source=source, target=target, quantity=Decimal(quantity), actor=None, **fields
    )


def change(item, place, quantity, one, other, **fields):
    return change_status(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(quantity),
        from_status=one,
        to_status=other,
        actor=None,
        **{"reason": "looked at it", **fields},
    )


def test_carries_quantity_and_value_and_leaves_the_pool_alone():
    item, here, there = make_item(), make_location(), make_location()
    put_on_hand(item, here, "3", value="10.00")

    result = transfer(item, here, there, "2")

    assert (on_hand(item, location=here), on_hand(item, location=there)) == (1, 2)
    assert sorted(m.value for m in result.posting.movements.all()) == [Decimal("-6.67"), Decimal("6.67")]
    assert CostPool.objects.get(item=item).value == Decimal("10.00")


def test_into_a_bin_of_the_same_site():
    site = make_location()
    item, here, there = make_item(), make_location(parent=site), make_location(parent=site)
    put_on_hand(item, here, "3", value="10.00")

    transfer(item, site, there, "3")

    assert on_hand(item, location=there) == 3


def test_what_is_already_there_does_not_count_as_source():
    site = make_location()
    item, there = make_item(), make_location(parent=site)
    put_on_hand(item, there, "3")

    with pytest.raises(InsufficientStock):
        transfer(item, site, there, "1")


def test_refuses_the_same_place_twice():
    item, here = make_item(), make_location()

    with pytest.raises(WrongState, match="both source and target"):
        transfer(item, here, here, "1")


def test_release_from_qc_hold_makes_stock_available():
    item, place = make_item(inspection_required=True), make_location()
    put_on_hand(item, place, "5", value="5.00")

    change(item, place, "4", "qc_hold", "available", reason="")

    assert (on_hand(item, status="qc_hold"), on_hand(item, status="available")) == (1, 4)


def test_taking_stock_out_of_available_needs_a_reason():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "5")

    with pytest.raises(WrongState, match="needs a reason"):
        change(item, place, "1", "available", "quarantine", reason="")


def test_expired_stock_never_becomes_available():
    item, place = make_item(tracking=Tracking.LOT), make_location()
    put_on_hand(item, place, "5", lot="A", expires_on=timezone.localdate() - timedelta(1), status="quarantine")

    with pytest.raises(InsufficientStock, match="expired"):
        change(item, place, "1", "quarantine", "available")
    with pytest.raises(LotExpired):
        change(item, place, "1", "quarantine", "available", lots=[(item.lots.get(code="A"), Decimal(1))])


def test_a_backdated_issue_may_not_take_what_a_later_day_needed():
    item, place = make_item(), make_location(code="BENCH")
    now = timezone.now()
    put_on_hand(item, place, "5", effective_at=now - timedelta(days=10))
    issue_stock(
        key=uuid4(), item=item, location=place, quantity=Decimal(5), actor=None, effective_at=now - timedelta(days=5)
    )
    put_on_hand(item, place, "5")

    with pytest.raises(NegativeInFuture, match="BENCH held 0 pcs"):
        issue_stock(
            key=uuid4(),
            item=item,
            location=place,
            quantity=Decimal(2),
            actor=None,
            effective_at=now - timedelta(days=7),
        )

    assert on_hand(item) == 5


def test_a_backdated_issue_before_the_first_receipt_is_refused():
    item, place = make_item(), make_location()
    put_on_hand(item, place, "5")

    with pytest.raises(NegativeInFuture):
        issue_stock(
            key=uuid4(),
            item=item,
            location=place,
            quantity=Decimal(2),
            actor=None,
            effective_at=timezone.now() - timedelta(days=7),
        )
