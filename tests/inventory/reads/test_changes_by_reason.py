"""What was adjusted, counted away and scrapped, by reason."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from inventory.operations.adjusting import adjust_stock
from inventory.operations.issuing import scrap_stock
from inventory.operations.reversing import reverse_posting
from inventory.reads.changes_by_reason import changes_by_reason, value_of
from tests.factories import make_item, make_location, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def stock():
    """Wax at 2.00 and wicks at 0.10, received a month ago."""
    shelf, wax, wick = make_location(code="SHELF"), make_item(sku="WAX"), make_item(sku="WICK")
    since = timezone.now() - timedelta(days=30)
    put_on_hand(wax, shelf, "100", value="200.00", effective_at=since)
    put_on_hand(wick, shelf, "100", value="10.00", effective_at=since)
    return {"shelf": shelf, "wax": wax, "wick": wick}


def adjust(stock, item, quantity, reason, **more):
    return adjust_stock(
        key=uuid4(),
        item=stock[item],
        location=stock["shelf"],
        quantity=Decimal(quantity),
        reason=reason,
        actor=None,
        **more,
    ).posting


def reasons(**more):
    now = timezone.now()
    found = changes_by_reason(first=now - timedelta(days=7), second=now + timedelta(minutes=1), **more)
    return [(one.kind, one.reason, one.postings, one.value, one.lost) for one in found]


def test_each_reason_is_added_up_the_largest_loss_first_without_what_was_taken_back(stock):
    adjust(stock, "wax", "-5", "Theft")
    adjust(stock, "wick", "-10", "Theft")
    adjust(stock, "wax", "3", "Found")
    reverse_posting(key=uuid4(), posting=adjust(stock, "wax", "-50", "Theft"), actor=None)
    adjust(stock, "wax", "-7", "Theft", effective_at=timezone.now() - timedelta(days=20))
    scrap_stock(
        key=uuid4(), item=stock["wick"], location=stock["shelf"], quantity=Decimal(4), reason="Torn", actor=None
    )

    assert reasons() == [
        ("adjustment", "Theft", 2, Decimal("-11.00"), Decimal("-11.00")),
        ("scrap", "Torn", 1, Decimal("-0.40"), Decimal("-0.40")),
        ("adjustment", "Found", 1, Decimal("6.00"), 0),
    ]
    assert reasons(item=stock["wick"])[0] == ("adjustment", "Theft", 1, Decimal("-1.00"), Decimal("-1.00"))
    now = timezone.now()
    assert value_of(changes_by_reason(first=now - timedelta(days=7), second=now)) == Decimal("-5.40")


def test_the_page_lists_them_and_each_opens_its_rows(stock, client, viewer):
    adjust(stock, "wax", "-5", "Theft")
    adjust(stock, "wick", "-1", "Torn")
    client.force_login(viewer)
    first = f"{timezone.localtime() - timedelta(days=7):%Y-%m-%dT%H:%M}"

    page = client.get(reverse("inventory:causes_of_change"), {"first": first})
    (theft, url), _ = page.context["reasons"]
    ledger = client.get(url)

    assert (theft.reason, theft.value, page.context["reasons_value"]) == ("Theft", Decimal("-10.00"), Decimal("-10.10"))
    assert [row.movement.item.sku for row in ledger.context["rows"]] == ["WAX"]
    assert "Reason: Theft" in ledger.content.decode()


def test_the_ledger_is_narrowed_by_a_part_of_the_reason_or_by_none(stock, client, viewer):
    adjust(stock, "wax", "-5", "Stolen at night")
    client.force_login(viewer)

    def found(reason):
        rows = client.get(reverse("inventory:ledger"), {"reason": reason}).context["rows"]
        return [row.movement.quantity for row in rows]

    assert found("stolen") == [-5]
    assert found("-") == [100, 100]
    assert found("nothing like it") == []
