"""What suppliers have and what is on its way is news, so that whoever counts it follows at once."""

from decimal import Decimal

import pytest

from inventory.models import StockChange
from inventory.operations.purchasing import (
    OrderLineSpec,
    cancel_order,
    change_order,
    close_order,
    close_order_line,
    place_order,
    reopen_order,
)
from tests.factories import make_item, make_order

pytestmark = pytest.mark.django_db


def news():
    """The items told of since last asked, by cause."""
    found = [(row.cause, row.items) for row in StockChange.objects.order_by("pk")]
    StockChange.objects.all().delete()
    return found


@pytest.fixture
def item():
    return make_item()


def test_a_draft_is_no_news_and_placing_it_is(item):
    order = make_order([(item, "5", None)], placed=False)
    assert news() == []

    place_order(order=order, actor=None)

    assert news() == [("purchase order", [item.pk])]


def test_a_changed_order_is_news_of_what_was_on_it_and_what_is(item):
    other = make_item()
    order = make_order([(item, "5", None)])
    news()

    change_order(
        order=order, supplier=order.supplier, location=order.location,
        lines=[OrderLineSpec(item=other, quantity=Decimal(3))], actor=None,
    )  # fmt: skip

    assert news() == [("purchase order", sorted([item.pk, other.pk]))]


@pytest.mark.parametrize("end", [close_order, cancel_order])
def test_an_order_that_ends_is_news_and_so_is_one_opened_again(item, end):
    order = make_order([(item, "5", None)])
    news()

    end(order=order, actor=None)
    assert news() == [("purchase order", [item.pk])]

    reopen_order(order=order, actor=None)
    assert news() == [("purchase order", [item.pk])]


def test_a_line_closed_short_is_news_of_its_item_alone(item):
    order = make_order([(item, "5", None), (make_item(), "6", None)])
    news()

    close_order_line(order=order, line=order.lines.get(item=item).pk, actor=None)

    assert news() == [("purchase order", [item.pk])]


def test_a_cancelled_draft_is_no_news(item):
    order = make_order([(item, "5", None)], placed=False)

    cancel_order(order=order, actor=None)

    assert news() == []
