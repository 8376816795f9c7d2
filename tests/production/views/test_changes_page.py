"""Stock in time where completions take part: causes of a change, and closed periods."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from inventory.errors import PeriodLocked
from inventory.operations.closing import close_period
from inventory.operations.issuing import issue_stock
from inventory.operations.reversing import reverse_posting
from production.models import Completion
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]
NOW = timezone.make_aware(datetime(2026, 5, 20, 12))


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def as_viewer(client, viewer):
    client.force_login(viewer)
    return client


def days_ago(days):
    return NOW - timedelta(days=days)


def test_changes_lead_from_the_first_sum_to_the_second_and_open_their_rows(as_viewer):
    shelf, part, made = make_location(), make_item(sku="PART"), make_item(sku="MADE")
    make_bom(item=made, lines=[(part, "2")])
    put_on_hand(part, shelf, "20", value="40.00", effective_at=days_ago(9))
    wrong = put_on_hand(part, shelf, "5", value="9.00", effective_at=days_ago(3))
    reverse_posting(key=uuid4(), posting=wrong, actor=None)
    complete(made, "3", into=shelf, effective_at=days_ago(2))
    issue_stock(key=uuid4(), item=part, location=shelf, quantity=Decimal(1), actor=None, effective_at=days_ago(1))

    response = as_viewer.get(reverse("inventory:causes_of_change"), {"first": "2026-05-15T12:00"})
    found = response.context["found"]

    assert found.opening.known_value == 40
    assert [(cause.label, cause.value) for cause in found.causes] == [
        ("Receipts", 9),
        ("Issues", -2),
        ("Completions, made", 12),
        ("Completions, used", -12),
        ("Reversals of receipts", -9),
    ]
    assert found.closing.known_value == 38
    for cause, url in response.context["causes"]:
        rows = [row.movement for row in as_viewer.get(url).context["rows"]]
        assert len(rows) == cause.movements
        assert sum(movement.value for movement in rows) == cause.value


def test_nothing_is_completed_in_a_closed_period():
    shelf, part, made = make_location(), make_item(), make_item()
    make_bom(item=made, lines=[(part, "2")])
    put_on_hand(part, shelf, "20", value="40.00", effective_at=days_ago(9))
    close_period(through=timezone.localdate(days_ago(5)), actor=None)

    with pytest.raises(PeriodLocked):
        complete(made, "3", into=shelf, effective_at=days_ago(5))

    assert not Completion.objects.exists()
