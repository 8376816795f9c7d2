from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from inventory import tasks
from inventory.models import Reservation, ReservationChange, StockBalance, StockChange
from inventory.operations.issuing import issue_stock
from inventory.operations.lapsing import release_lapsed
from inventory.operations.reserving import reserve_stock
from inventory.reads.availability import availability
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def site(db):
    return make_location(code="SITE")


def reserve(item, place, quantity, *, minutes=None, **fields):
    """Until so many minutes from now."""
    return reserve_stock(
        item=item,
        location=place,
        quantity=Decimal(quantity),
        demand_kind="order",
        demand_ref="7",
        actor=None,
        expires_at=None if minutes is None else timezone.now() + timedelta(minutes=minutes),
        **fields,
    )


def reserved(item):
    return sum(row.reserved for row in StockBalance.objects.filter(item=item))


def test_pins_are_free_again_when_their_time_is_over(site):
    item = make_item(tracking="lot")
    for lot in "AB":
        put_on_hand(item, site, "5", lot=lot)
    reserve(item, site, "8", minutes=30, pinned=True)
    reserve(item, site, "2", minutes=90, pinned=True)
    news = StockChange.objects.count()

    lapsed = release_lapsed(at=timezone.now() + timedelta(minutes=60))

    assert [(one.item, one.demand, one.reservation.quantity) for one in lapsed] == [
        (item, "order 7", 5),
        (item, "order 7", 3),
    ]
    assert reserved(item) == 2
    assert availability(items=[item.pk])[item.pk].available == 8
    assert StockChange.objects.count() == news + 1
    assert list(ReservationChange.objects.order_by("id").values_list("quantity", "reason"))[-2:] == [
        (-5, "time is over"),
        (-3, "time is over"),
    ]


def test_soft_promises_end_in_the_books_too_so_that_the_channels_hear_of_it(site):
    item = make_item()
    reserve(item, site, "4", minutes=30)

    assert len(release_lapsed(at=timezone.now() + timedelta(minutes=31))) == 1

    assert Reservation.objects.get().quantity == 0
    assert StockChange.objects.latest("id").items == [item.pk]


def test_promises_without_an_end_and_those_that_were_used_stay_as_they_are(site):
    item = make_item()
    put_on_hand(item, site, "10")
    reserve(item, site, "4", pinned=True)
    reserve(item, site, "6", minutes=30, pinned=True)
    Reservation.objects.filter(expires_at__isnull=False).update(demand_ref="8")
    issue_stock(key=uuid4(), item=item, location=site, quantity=Decimal(6), demand=("order", "8"), actor=None)

    assert release_lapsed(at=timezone.now() + timedelta(days=1)) == []

    assert reserved(item) == 4


def test_twice_is_as_good_as_once_and_many_items_are_done_in_one_run(site):
    items = [make_item() for _ in range(3)]
    for item in items:
        put_on_hand(item, site, "5")
        reserve(item, site, "5", minutes=-1, pinned=True)

    assert tasks.release_lapsed_reservations() == 3
    assert tasks.release_lapsed_reservations() == 0

    assert [reserved(item) for item in items] == [0, 0, 0]


def test_it_is_done_every_minute(db):
    scheduled = PeriodicTask.objects.get(task=tasks.release_lapsed_reservations.name)

    assert scheduled.enabled
    assert (scheduled.interval.every, scheduled.interval.period) == (60, "seconds")
