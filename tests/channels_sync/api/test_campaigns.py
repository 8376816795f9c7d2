"""Campaigns over the REST API: looked at, approved, moved, and their rules."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from channels_sync.models import Campaign
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.campaigns import CampaignRule, plan_campaign
from tests.api.conftest import ApiClient
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def listing():
    listing = make_listing(channel=make_channel(code="stall"), item=make_item(sku="SOLD", is_sellable=True))
    put_on_hand(listing.item, make_location(), "100")
    absorb_changes()
    return listing


@pytest.fixture
def campaign(listing, planner):
    now = timezone.now()
    rule = CampaignRule({"percent": Decimal(40)}, channel=listing.channel)
    return plan_campaign(
        name="Market", starts_at=now + timedelta(hours=1), ends_at=now + timedelta(hours=3), rules=[rule], actor=planner
    )


@pytest.fixture
def as_approver(db):
    return ApiClient(make_user(role="approver", username="second"))


def sums(effect):
    return (effect["sum_before"], effect["sum_after"])


def test_it_is_looked_at_and_approved_by_a_second_person(as_approver, as_planner, campaign):
    address = f"campaigns/{campaign.pk}/"
    seen = as_approver.get(f"{address}effect/", if_approved="yes").json()
    edition = as_approver.get(address).json()["edition"]

    approved = as_approver.post(f"{address}approve/", {"edition": edition}, key=None)

    assert (sums(seen["start"]), sums(seen["end"]), seen["at_once"], seen["listings"]) == (
        (100, 40),
        (40, 100),
        None,
        1,
    )
    assert (seen["start"]["falling"], seen["end"]["rising"]) == (1, 1)
    assert (approved.status_code, approved.json()["approved_by"]) == (200, "second")
    assert as_planner.post(f"{address}approve/", {"edition": edition}, key=None).status_code == 403

    moved = as_planner.patch(address, {"name": "Fair"}, key=None)
    assert (moved.json()["approved_at"], moved.json()["edition"]) == (None, edition + 1)
    stale = as_approver.post(f"{address}approve/", {"edition": edition}, key=None)
    assert (stale.status_code, stale.json()["code"]) == (409, "WRONG_STATE")
    as_approver.post(f"{address}approve/", {"edition": edition + 1}, key=None)
    assert as_approver.post(f"{address}withdraw-approval/", {}, key=None).json()["approved_by"] is None


def test_whoever_planned_it_is_refused(campaign):
    both = make_user(role="administrator")
    make_user(role="approver")
    Campaign.objects.update(actors=[both.pk])

    refused = ApiClient(both).post(f"campaigns/{campaign.pk}/approve/", {"edition": campaign.edition}, key=None)

    assert refused.json()["code"] == "SECOND_PERSON_REQUIRED"
    assert not Campaign.objects.get().is_approved


def test_dates_are_previewed_and_moved(as_planner, campaign):
    address = f"campaigns/{campaign.pk}/"
    later = (campaign.ends_at + timedelta(days=1)).isoformat()

    seen = as_planner.post(f"{address}preview/", {"ends_at": later}, key=None).json()
    assert Campaign.objects.get().ends_at == campaign.ends_at
    as_planner.patch(address, {"ends_at": later}, key=None)
    refused = as_planner.patch(address, {"ends_at": "2020-01-01T00:00:00Z"}, key=None)

    assert (sums(seen["start"]), sums(seen["end"])) == ((100, 40), (40, 100))
    assert Campaign.objects.get().ends_at == campaign.ends_at + timedelta(days=1)
    assert (refused.status_code, refused.json()["code"]) == (409, "WRONG_STATE")
    assert as_planner.post(f"{address}preview/", {}, key=None).status_code == 400


def test_rules_are_previewed_added_and_taken_out(as_planner, campaign):
    address = f"campaigns/{campaign.pk}/"
    rule = {"item": "SOLD", "buffer": "50"}

    seen = as_planner.post(f"{address}rules/preview/", rule, key=None).json()
    assert campaign.rules.count() == 1
    added = as_planner.post(f"{address}rules/", rule, key=None).json()
    rule_id = next(one["id"] for one in added["rules"] if one["item"] == "SOLD")
    without = as_planner.post(f"{address}preview/", {"rule_id": rule_id}, key=None).json()
    as_planner.post(f"{address}take-out/", {"rule_id": rule_id}, key=None)
    again = as_planner.post(f"{address}take-out/", {"rule_id": rule_id}, key=None)

    assert (sums(seen["start"]), sums(without["start"])) == ((100, 20), (100, 40))
    assert campaign.rules.get(pk=rule_id).effective_to == campaign.starts_at
    assert again.json()["code"] == "WRONG_STATE"
    assert as_planner.post(f"{address}take-out/", {"rule_id": 10**9}, key=None).status_code == 400


def test_its_end_is_previewed(as_planner, campaign):
    seen = as_planner.post(f"campaigns/{campaign.pk}/preview/", {"ends_now": True}, key=None).json()

    assert (sums(seen["instead"]), seen["start"], seen["end"], seen["at_once"]) == ((40, 100), None, None, None)
    assert Campaign.objects.get().ended_at is None
