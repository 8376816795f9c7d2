"""Days are days where the company is: whether something is recorded late does not depend on the day it is in Greenwich."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from inventory.errors import NegativeInFuture
from inventory.models import Posting
from inventory.operations.issuing import issue_stock
from tests.factories import make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def issue(item, place, at):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(4), actor=None, effective_at=at)


@pytest.mark.parametrize(
    ("zone", "received", "issued", "now"),
    [
        # Tokyo, 27 November 08:00 is 26 November 23:00 in Greenwich; the issue is of yesterday there, of today here.
        ("Asia/Tokyo", (26, 15), (26, 12), (27, 8)),
        ("Europe/Berlin", (26, 15), (26, 12), (27, 0)),
        # Los Angeles, 26 November 00:30 is 08:30 in Greenwich, and 25 November 23:00 is 07:00 of the same day.
        ("America/Los_Angeles", (25, 23, 30), (25, 23), (26, 0, 30)),
    ],
)
@pytest.mark.parametrize("sent_in", ["local", "utc"])
def test_what_is_recorded_for_yesterday_may_not_take_what_came_later_then(
    settings, zone, received, issued, now, sent_in
):
    settings.TIME_ZONE = zone
    here = ZoneInfo(zone)
    moments = [datetime(2026, 11, *day, tzinfo=here) for day in (received, issued, now)]
    came, left, recorded = [moment.astimezone(UTC) if sent_in == "utc" else moment for moment in moments]
    item, place = make_item(), make_location()
    with time_machine.travel(recorded, tick=False), timezone.override(here):
        put_on_hand(item, place, "4", value="4.00", effective_at=came)

        with pytest.raises(NegativeInFuture):
            issue(item, place, left)
    assert (on_hand(item), Posting.objects.filter(kind="issue").count()) == (4, 0)


def test_what_is_recorded_for_this_morning_is_not_late_when_the_day_has_changed_in_greenwich(settings):
    """At 17:00 in Los Angeles it is tomorrow in Greenwich; within a day the order of recording counts."""
    settings.TIME_ZONE = "America/Los_Angeles"
    here = ZoneInfo("America/Los_Angeles")
    item, place = make_item(), make_location()
    with time_machine.travel(datetime(2026, 11, 25, 17, tzinfo=here), tick=False), timezone.override(here):
        put_on_hand(item, place, "4", value="4.00")

        issue(item, place, datetime(2026, 11, 25, 9, tzinfo=here))

    assert on_hand(item) == 0
