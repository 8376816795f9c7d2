"""What the start page names as the place where work is stuck most."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync.models import Difference, Hold, PublishRun
from config.bottlenecks import bottlenecks
from inventory.operations.exceptions import report_exception
from production.operations.detecting import KIND as MISSED
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_user
from tests.production.operations.ordering import make_bench, order_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(administrator):
    return administrator


def hold(count):
    channel = make_channel()
    run = PublishRun.objects.create(channel=channel, cause="receipt")
    for _ in range(count):
        listing = make_listing(channel=channel)
        Hold.objects.create(run=run, listing=listing, after=9, derivation={}, recorded_at=timezone.now())


def differ(count, *, channel=None):
    channel = channel or make_channel()
    now = timezone.now()
    for _ in range(count):
        Difference.objects.create(
            listing=make_listing(channel=channel),
            channel=channel,
            version=1,
            ours=9,
            theirs=4,
            cause="unexplained",
            first_seen_at=now,
            last_seen_at=now,
        )
    return channel


def forget(count):
    for number in range(count):
        report_exception(
            kind=MISSED,
            area="production",
            fingerprint=f"{MISSED}:{number}",
            title=f"Completion {number} is missing",
            reason="Counts show it.",
            actor=None,
        )


def test_nothing_is_stuck_in_an_empty_company(manager):
    assert bottlenecks(manager) == []


def test_what_stops_the_most_comes_first_and_names_what_stands_out(manager):
    bench = make_bench()
    for _ in range(4):
        order_for(bench, "10")
    hold(4)
    most = differ(2)
    differ(1)
    forget(2)

    found = bottlenecks(manager)

    assert [(one.stops, one.icon) for one in found] == [
        (4, "pan_tool"),
        (3, "inventory_2"),
        (3, "difference"),
        (2, "assignment_late"),
    ]
    words = {one.icon: f"{one.text}. {one.detail}" for one in found}
    assert "WAX" in words["inventory_2"]
    assert "short in 3 of them; for 3 orders not everything missing is on its way" in words["inventory_2"]
    assert f"Most of them on {most.name}: 2." in words["difference"]
    assert words["assignment_late"].endswith("The oldest: Completion 0 is missing")


def test_somebody_sees_only_what_they_may_see():
    hold(2)
    differ(1)

    assert bottlenecks(make_user()) == []


def test_the_number_of_statements_is_that_of_one(manager):
    bench = make_bench()
    order_for(bench, "30")
    bottlenecks(manager)  # warms what a process keeps
    counts = []
    for many in (1, 6):
        for _ in range(many):
            order_for(bench, "30")
        hold(many)
        differ(many)
        forget(many)
        with CaptureQueriesContext(connection) as queries:
            assert len(bottlenecks(manager)) == 4
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 20


def test_the_start_page_names_it(client, manager):
    hold(3)
    client.force_login(manager)

    page = client.get("/").content.decode()

    assert "Biggest bottleneck now" in page
    assert "3 listings wait for a decision before the channel is told" in page
