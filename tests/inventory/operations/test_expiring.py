import io
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from inventory.errors import LotExpired
from inventory.models import Posting, Reservation, ReservationChange, StockBalance
from inventory.operations.expiring import end_negative_leave, expire_due_lots, expire_lot
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.reserving import reserve_stock
from inventory.operations.returning import SupplierReturnLine, return_to_supplier
from inventory.operations.transferring import change_status, transfer_stock
from inventory.operations.transit import Arrival, DispatchLine, dispatch_transfer, receive_transfer
from inventory.tasks import expire_lots
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]

TODAY_IS_ITS_LAST_DAY, PAST = 0, -1


@pytest.fixture
def site(db):
    return make_location(code="SITE")


@pytest.fixture
def wax(site):
    return make_item(sku="WAX", tracking="lot")


def put(item, place, quantity, lot, days, **rest):
    return put_on_hand(item, place, quantity, lot=lot, expires_on=timezone.localdate() + timedelta(days=days), **rest)


def test_moves_what_is_available_past_its_last_day_wherever_it_stands(site, wax):
    shelf = make_location(parent=make_location(kind="3pl"))
    put(wax, site, "5", "A", PAST, value="5.00")
    put(wax, shelf, "2", "A", PAST)
    put(wax, site, "3", "A", PAST, status="qc_hold")
    put(wax, site, "4", "B", TODAY_IS_ITS_LAST_DAY)

    (done,) = expire_due_lots()

    assert (done.lot.code, done.quantity, done.posting.kind, done.posting.reason) == (
        "A",
        7,
        "status_change",
        "Expired",
    )
    assert done.posting.actor_id is None
    assert (on_hand(wax, status="expired"), on_hand(wax, status="qc_hold"), on_hand(wax, status="available")) == (
        7,
        3,
        4,
    )


def test_again_does_nothing(site, wax):
    put(wax, site, "5", "A", PAST)
    expire_due_lots()
    postings = Posting.objects.count()

    assert expire_due_lots() == []
    assert Posting.objects.count() == postings
    put(wax, site, "1", "A", PAST)
    assert expire_due_lots() == []  # once for each lot and day
    assert len(expire_due_lots(on=timezone.localdate() + timedelta(days=1))) == 1


def test_pins_are_freed_logged_and_reported(site, wax):
    put(wax, site, "5", "A", TODAY_IS_ITS_LAST_DAY)
    put(wax, site, "5", "B", 30)
    for ref, quantity in (("1", 2), ("2", 1), ("3", 4)):
        reserve_stock(
            item=wax,
            location=site,
            quantity=Decimal(quantity),
            demand_kind="order",
            demand_ref=ref,
            actor=None,
            pinned=True,
        )

    (done,) = expire_due_lots(on=timezone.localdate() + timedelta(days=1))

    assert [(pin.demand_ref, pin.quantity) for pin in done.freed] == [("1", 2), ("2", 1), ("3", 2)]
    assert [r.quantity for r in Reservation.objects.order_by("id")] == [0, 0, 0, 2]
    assert ReservationChange.objects.filter(reason=f"expired by posting {done.posting.pk}").count() == 3


def test_a_good_lot_stays(site, wax):
    put(wax, site, "5", "A", TODAY_IS_ITS_LAST_DAY)

    assert expire_lot(lot=lot_of(wax, "A"), on=timezone.localdate()) is None
    assert on_hand(wax, status="available") == 5


def test_goods_on_the_road_wait_until_they_arrive(site, wax):
    shop = make_location()
    put(wax, site, "5", "A", PAST)
    transfer = dispatch_transfer(
        key=uuid4(), source=site, target=shop, lines=[DispatchLine(wax, Decimal(5))], actor=None
    ).transfer

    assert expire_due_lots() == []
    receive_transfer(key=uuid4(), transfer=transfer, arrivals=[Arrival(transfer.lines.get(), Decimal(5))], actor=None)
    expire_due_lots()

    assert on_hand(wax, location=shop, status="expired") == 5


def test_expired_stock_can_be_scrapped_moved_and_sent_back_and_not_released(site, wax):
    put(wax, site, "9", "A", PAST, value="9.00")
    expire_due_lots()
    lots, shelf = [(lot_of(wax, "A"), Decimal(2))], make_location()

    scrap_stock(
        key=uuid4(),
        item=wax,
        location=site,
        quantity=Decimal(2),
        lots=lots,
        status="expired",
        reason="Expired",
        actor=None,
    )
    transfer_stock(key=uuid4(), item=wax, source=site, target=shelf, quantity=Decimal(2), status="expired", actor=None)
    return_to_supplier(
        key=uuid4(), lines=[SupplierReturnLine(wax, site, Decimal(2), status="expired", lots=lots)], actor=None
    )
    with pytest.raises(LotExpired):
        change_status(
            key=uuid4(),
            item=wax,
            location=site,
            quantity=Decimal(2),
            from_status="expired",
            to_status="available",
            lots=lots,
            actor=None,
        )

    assert (on_hand(wax, location=site), on_hand(wax, location=shelf)) == (3, 2)


def test_the_command_tells_first_and_then_does_it(site, wax):
    put(wax, site, "5", "A", PAST)

    def say(*words):
        out = io.StringIO()
        call_command("expire_lots", *words, stdout=out)
        return out.getvalue()

    assert "1 lots would be set to expired" in say("--dry-run")
    assert on_hand(wax, status="expired") == 0
    tomorrow = (timezone.localdate() + timedelta(days=1)).isoformat()
    with pytest.raises(CommandError, match="still to come"):
        say("--on", tomorrow)
    assert "WAX  lot A" in say()
    assert on_hand(wax, status="expired") == 5


def test_the_nightly_task_ends_leave_to_be_below_zero(site, wax):
    glue = make_item(negative_allowed=True)
    for place in (site, make_location()):
        issue_stock(
            key=uuid4(), item=glue, location=place, quantity=Decimal(2), actor=None, reason="late", may_go_below=True
        )
    put_on_hand(glue, site, "3")

    assert expire_lots() == 0

    leaves = {cell.quantity: cell.negative_allowed for cell in StockBalance.objects.filter(item=glue)}
    assert leaves == {Decimal(1): False, Decimal(-2): True}
    assert end_negative_leave() == 0


def test_queries_do_not_grow_with_the_cells_of_a_lot(site, wax, django_assert_max_num_queries):
    for _ in range(20):
        put(wax, make_location(parent=site), "1", "A", PAST)

    with django_assert_max_num_queries(12):
        expire_lot(lot=lot_of(wax, "A"), on=timezone.localdate())

    assert on_hand(wax, status="expired") == 20
