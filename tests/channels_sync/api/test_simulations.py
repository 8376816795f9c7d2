"""The simulator over the REST API."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from channels_sync.models import Simulation
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.campaigns import CampaignRule, plan_campaign
from channels_sync.simulation import ProposedRule, Question
from channels_sync.tasks import run_simulations
from tests.channels_sync.simulation.selling import sold, two_channels, yesterday

pytestmark = pytest.mark.django_db


@pytest.fixture
def listings():
    shop, stall = two_channels(on_hand="20")
    sold(shop, "8", days_ago=3)
    sold(stall, "14", days_ago=3)
    return shop, stall


def test_a_question_is_kept_answered_and_read(as_planner, listings):
    shop, stall = listings
    body = {
        "channel": stall.channel.code, "percent": "0", "weeks": 1, "supply": "none", "late_minutes": 0, "seed": 7,
        "of_channels": [shop.channel.code], "of_item": "CANDLE", "title": "Half for the stall",
    }  # fmt: skip

    made = as_planner.post("simulations/", body)
    run_simulations()
    found = as_planner.get(f"simulations/{made.json()['id']}/").json()

    assert (made.status_code, made.json()["state"], made.json()["title"]) == (201, "waiting", "Half for the stall")
    assert (found["state"], found["problem"], found["progress_done"], found["progress_of"]) == ("done", "", 1, 1)
    assert found["result"]["present"]["totals"]["sold"] == "20"
    assert found["result"]["proposed"]["totals"]["sold"] == "8"
    assert found["question"]["rules"] == [{"channel": stall.channel_id, "terms": {"percent": "0"}}]
    assert as_planner.get("simulations/", state="done").json()["results"][0]["id"] == found["id"]


def test_the_same_key_asks_once(as_planner, listings):
    key = uuid4()

    first, again = (as_planner.post("simulations/", {"buffer": "2"}, key=key) for _ in range(2))
    other = as_planner.post("simulations/", {"buffer": "3"}, key=key)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json() == again.json()
    assert Simulation.objects.count() == 1


def test_a_stored_rule_and_a_campaign_can_be_tried(as_planner, listings):
    shop, _ = listings
    later = timezone.now() + timedelta(days=3)
    policy = set_policy(channel=shop.channel, percent=Decimal(70), starts_at=later, actor=None)
    rules = [CampaignRule({"percent": Decimal(10)}, channel=shop.channel)]
    campaign = plan_campaign(name="Market", starts_at=later, ends_at=later + timedelta(1), rules=rules, actor=None)

    for body in ({"policy_id": policy.pk}, {"campaign_id": campaign.pk}):
        assert as_planner.post("simulations/", body).status_code == 201

    newest, first = (Question.from_json(one.question) for one in Simulation.objects.all())
    assert first.rules == (ProposedRule({"percent": Decimal(70)}, channel_id=shop.channel_id),)
    assert newest.rules == (ProposedRule({"percent": Decimal(10)}, channel_id=shop.channel_id, campaign="Market"),)
    assert first.last_day == yesterday()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"buffer": "1", "policy_id": 1}, 400),
        ({"policy_id": 99999}, 400),
        ({"buffer": "1", "weeks": 0}, 400),
        ({"buffer": "1", "last_day": "2999-01-01"}, 400),
        ({"buffer": "1", "of_channels": ["nowhere"]}, 400),
        ({"buffer": "1", "start": "later"}, 400),
        ({"buffer": "1", "listing_id": 1, "item": "CANDLE"}, 400),
        ({"minimum_to_list": "9", "maximum_to_list": "3"}, 400),
    ],
)
def test_what_cannot_be_asked_is_refused(as_planner, listings, body, status):
    response = as_planner.post("simulations/", body)

    assert response.status_code in (status, 404, 422), response.content
    assert not Simulation.objects.exists()


def test_viewers_read_and_do_not_ask(as_viewer, as_planner, listings):
    as_planner.post("simulations/", {"buffer": "1"})

    assert len(as_viewer.get("simulations/").json()["results"]) == 1
    assert as_viewer.post("simulations/", {"buffer": "1"}).status_code == 403
