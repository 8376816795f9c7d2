"""Rules and campaigns by two people, or two workers, at once: real commits."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from channels_sync.models import AllocationPolicy, Campaign
from channels_sync.operations.allocating import set_policy, tell_dated_rules
from channels_sync.operations.campaigns import CampaignRule, end_campaign, plan_campaign
from inventory.errors import WrongState
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import StockChange
from tests.channels_sync.factories import make_channel, make_listing

pytestmark = pytest.mark.race
PATIENCE_SECONDS = 30


def both(call):
    """What `call` gives in two threads that begin together; a refusal is given, not raised."""
    start = threading.Barrier(2)

    def run(number):
        try:
            start.wait(PATIENCE_SECONDS)
            return call(number)
        except WrongState as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        return [one.result(PATIENCE_SECONDS) for one in [pool.submit(run, number) for number in range(2)]]


def test_two_changes_of_one_rule_become_two_versions_in_a_row(committed_db):
    """Fails without the advisory lock of `lock_scope`: both find no version yet, and the second insert breaks a constraint."""
    listing = make_listing(channel=make_channel())

    both(lambda number: set_policy(channel=listing.channel, percent=Decimal(50 + number), actor=None))

    first, second = AllocationPolicy.objects.order_by("version")
    assert (first.version, second.version) == (1, 2)
    assert first.effective_to == second.effective_from
    assert second.effective_to is None


def test_a_campaign_is_ended_by_one_of_two_and_the_other_is_told(committed_db):
    """Fails without the row lock of `_locked`: both end it, and the lasting rules are told of twice."""
    listing = make_listing(channel=make_channel())
    now = timezone.now()
    campaign = plan_campaign(
        name="Market", starts_at=now, ends_at=now + timedelta(hours=1), actor=None,
        rules=[CampaignRule({"percent": Decimal(50)}, channel=listing.channel)],
    )  # fmt: skip
    StockChange.objects.all().delete()

    found = both(lambda number: end_campaign(campaign=campaign, actor=None))

    assert sorted(type(one).__name__ for one in found) == ["Campaign", "WrongState"]
    assert StockChange.objects.filter(cause="campaign ends").count() == 1
    assert Campaign.objects.get().ended_at is not None


def test_two_workers_tell_of_each_rule_that_begins_once(committed_db):
    """Fails without the row locks of `tell_dated_rules`: both find all rules untold and tell of each."""
    channel = make_channel()
    listings = [make_listing(channel=channel) for _ in range(6)]
    for listing in listings:
        set_policy(listing=listing, percent=Decimal(50), actor=None)
    AllocationPolicy.objects.update(start_told=False)
    StockChange.objects.all().delete()

    told = both(lambda number: tell_dated_rules())

    assert sum(told) == 6
    items = sorted(item for change in StockChange.objects.all() for item in change.items)
    assert items == sorted(listing.item_id for listing in listings)
    assert not AllocationPolicy.objects.filter(start_told=False).exists()


def test_a_file_of_campaigns_that_two_bring_at_once_plans_them_once(committed_db):
    """Fails without the advisory lock of campaign imports: both find the campaign new."""
    make_channel(code="shop")
    content = b"Campaign,Starts,Ends,Channel,Percent\nSale,2099-12-01 08:00,2099-12-10,shop,50\n"
    kind = kind_named("campaigns")

    reports = both(lambda number: run_import(kind=kind, content=content, file_name="c.csv", actor=None, mode=Mode.ALL))

    assert sorted(report.results[0].outcome for report in reports) == ["new", "unchanged"]
    assert Campaign.objects.get().rules.count() == 1
