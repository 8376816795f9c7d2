"""Rules in full, their effect, campaigns and explanations over the REST API."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from channels_sync.models import AllocationPolicy, Campaign
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from inventory.models import ItemCategory
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def listing():
    category = ItemCategory.objects.create(name="Candles")
    item = make_item(sku="SOLD", is_sellable=True, category=category)
    listing = make_listing(channel=make_channel(code="stall"), item=item)
    put_on_hand(item, make_location(), "100")
    absorb_changes()
    return listing


def test_a_rule_of_a_category_with_new_terms_is_set_and_read(as_planner, listing):
    body = {
        "category_id": listing.item.category_id, "channel": "stall", "sharing": "weight", "weight": "2.5", "priority": 3,
        "trial_until": "2090-01-02", "buffer_days": "1.5",
    }  # fmt: skip

    response = as_planner.post("policies/", body, key=None)

    found = response.json()
    assert response.status_code == 201
    assert (found["category"], found["sharing"], found["weight"], found["priority"]) == ("Candles", "weight", "2.5", 3)
    assert (found["trial_until"], found["buffer_days"], found["basis"], found["percent"]) == (
        "2090-01-02",
        "1.5",
        "",
        None,
    )


def test_a_preview_tells_the_effect_and_writes_nothing(as_planner, listing):
    response = as_planner.post("policies/preview/", {"channel": "stall", "percent": "40"}, key=None)

    found = response.json()
    assert (found["touched"], found["changed"], found["sum_before"], found["sum_after"]) == (1, 1, 100, 40)
    assert [(row["listing_id"], row["before"], row["after"]) for row in found["changes"]] == [(listing.pk, 100, 40)]
    assert not AllocationPolicy.objects.exists()


@pytest.mark.parametrize(
    "body", [{"item": "SOLD", "category_id": 1}, {"listing_id": 1, "item": "SOLD"}, {"basis": "guess"}]
)
def test_a_scope_that_says_two_things_or_a_word_nobody_knows_is_refused(as_planner, listing, body):
    assert as_planner.post("policies/", body, key=None).status_code == 400
    assert as_planner.post("policies/preview/", body, key=None).status_code == 400
    assert not AllocationPolicy.objects.exists()


def test_a_campaign_is_planned_read_and_ended(as_planner, listing):
    now = timezone.now()
    body = {
        "name": "Market", "starts_at": now.isoformat(), "ends_at": (now + timedelta(days=1)).isoformat(),
        "channel": "stall", "percent": "50",
    }  # fmt: skip

    made = as_planner.post("campaigns/", body, key=None)
    absorb_changes()
    during = push_of(listing).wanted
    ended = as_planner.post(f"campaigns/{made.json()['id']}/end/", {}, key=None)
    absorb_changes()

    assert made.status_code == 201
    assert [(rule["scope"], rule["percent"]) for rule in made.json()["rules"]] == [(f"Channel {listing.channel}", "50")]
    assert (during, push_of(listing).wanted) == (50, 100)
    assert ended.json()["ended_at"] is not None
    assert len(as_planner.get("campaigns/", search="mark").json()["results"]) == 1


def test_a_campaign_that_is_over_before_it_begins_is_refused(as_planner, listing):
    now = timezone.now().isoformat()

    response = as_planner.post("campaigns/", {"name": "X", "starts_at": now, "ends_at": now, "percent": "5"}, key=None)

    assert (response.status_code, response.json()["code"]) == (409, "WRONG_STATE")
    assert not Campaign.objects.exists()


def test_why_answers_for_now_and_for_every_stored_version(as_planner, listing):
    set_policy(percent=Decimal(80), actor=None)
    absorb_changes()
    put_on_hand(listing.item, make_location(), "50")

    first, second, present = (
        as_planner.get(f"listings/{listing.pk}/why/", **query).json() for query in ({"version": 1}, {"version": 2}, {})
    )

    assert [(one["version"], one["quantity"]) for one in (first, second, present)] == [(1, 100), (2, 80), (None, 120)]
    assert all(one["recomputes"] and one["agrees_with_ledger"] for one in (first, second, present))
    assert second["derivation"]["terms"]["percent"][0] == "80"
    assert as_planner.get(f"listings/{listing.pk}/why/", version=9).status_code == 404
    assert push_of(listing).wanted == 80
