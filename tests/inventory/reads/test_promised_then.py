"""Who held what at a moment, by the log of reservations."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import ReservationChange
from inventory.operations.reserving import release_reservations, reserve_stock
from inventory.reads import promises
from inventory.reads.availability import availability
from inventory.reads.promises import promised_then
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return make_location(code="SITE")


@pytest.fixture
def item(site):
    item = make_item(tracking="lot")
    put_on_hand(item, site, "100", lot="L1", expires_on=timezone.localdate() + timedelta(days=10))
    return item


def promise(item, place, reference, quantity, **fields):
    return reserve_stock(
        item=item, location=place, quantity=Decimal(quantity), demand_kind="order", demand_ref=reference, actor=None,
        **fields,
    )  # fmt: skip


def held(item, site, at, **asked):
    return {
        row.demand_ref: row.quantity for row in promised_then(item_id=item.pk, places=[site.pk], at=at, **asked).rows
    }


def test_what_was_made_and_let_go_since_is_told_apart(item, site):
    promise(item, site, "A", "5")
    promise(item, site, "B", "7", pinned=True)
    then = timezone.now()
    release_reservations(demand_kind="order", demand_ref="A", reason="cancelled", actor=None)
    promise(item, site, "C", "1")

    found = promised_then(item_id=item.pk, places=[site.pk], at=then)

    assert held(item, site, then) == {"A": 5, "B": 7}
    assert held(item, site, timezone.now()) == {"B": 7, "C": 1}
    assert (found.soft, found.pinned, found.count) == ({site.pk: 5}, {site.pk: 7}, 2)


def test_it_counts_what_availability_counts(item, site):
    inside = make_location(parent=site)
    promise(item, inside, "SOFT", "2")
    promise(item, site, "PINNED", "3", pinned=True)
    promise(item, site, "LAPSED", "4", expires_at=timezone.now() + timedelta(seconds=-1))
    promise(item, make_location(), "ELSEWHERE", "6")
    now = timezone.now()

    for days in (0, 30):
        (source,) = [
            one for one in availability(items=[item.pk], good_for_days=days)[item.pk].sources if one.code == "SITE"
        ]
        found = promised_then(item_id=item.pk, places=[site.pk], at=now, good_for_days=days)
        assert found.soft.get(site.pk, 0) == source.reserved_soft == 2
        assert found.pinned.get(site.pk, 0) == source.reserved_pinned == (0 if days else 3)


def test_a_promise_from_a_whole_site_lowers_a_place_inside_it(item, site):
    inside = make_location(parent=site)
    promise(item, site, "SITE", "2")

    assert held(item, inside, timezone.now()) == {"SITE": 2}


def test_only_the_largest_are_listed_and_all_are_counted(item, site, monkeypatch):
    for number in range(1, promises.ROWS_MAX + 3):
        promise(item, site, f"{number}", "1" if number < 3 else "2")

    found = promised_then(item_id=item.pk, places=[site.pk], at=timezone.now())

    assert (len(found.rows), found.count) == (promises.ROWS_MAX, promises.ROWS_MAX + 2)
    assert found.soft == {site.pk: 2 * promises.ROWS_MAX + 2}
    assert {row.quantity for row in found.rows} == {2}


def test_it_is_one_statement_for_1_and_20_promises(item, site):
    promise(item, site, "0", "1")
    costs = []
    for count in (0, 19):
        for number in range(count):
            promise(item, site, f"more-{number}", "1")
        with CaptureQueriesContext(connection) as queries:
            promised_then(item_id=item.pk, places=[site.pk], at=timezone.now())
        costs.append(len(queries))

    assert costs == [1, 1]
    assert ReservationChange.objects.count() == 20
