from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.operations.issuing import issue_stock
from inventory.reads.trend import on_hand_trend
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def test_tells_what_was_on_hand_at_the_end_of_each_day():
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "10", effective_at=days_ago(100))
    put_on_hand(item, shelf, "5", effective_at=days_ago(3))
    issue_stock(key=uuid4(), item=item, location=shelf, quantity=Decimal(7), effective_at=days_ago(1), actor=None)

    trend = on_hand_trend(item_id=item.pk, days=5)

    assert list(trend.values) == [10, 10, 15, 15, 8, 8]
    assert trend.since == timezone.localdate() - timedelta(days=5)
    assert (trend.lowest, trend.highest) == (8, 15)


def test_an_item_that_never_moved_has_none():
    assert on_hand_trend(item_id=make_item().pk) is None


def test_an_item_with_too_many_movements_is_shown_for_fewer_days():
    item, shelf = make_item(), make_location()
    for days in (9, 6, 4, 2):
        put_on_hand(item, shelf, "1", effective_at=days_ago(days))

    trend = on_hand_trend(item_id=item.pk, days=30, movements_max=2)

    assert trend.since == timezone.localdate() - timedelta(days=4)
    assert list(trend.values) == [3, 3, 4, 4, 4]


def test_costs_one_statement():
    item, shelf = make_item(), make_location()
    for _ in range(20):
        put_on_hand(item, shelf, "1")

    with CaptureQueriesContext(connection) as seen:
        on_hand_trend(item_id=item.pk)

    assert len(seen) == 1
