"""Pages of campaigns: approved beforehand, and changed only after their effect was shown."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from channels_sync.models import AllocationPolicy, Campaign
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.campaigns import CampaignRule, add_campaign_rule, approve_campaign, plan_campaign
from inventory.models import StockChange
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return make_location()


@pytest.fixture
def listing(site):
    listing = make_listing(channel=make_channel(code="stall"), item=make_item(sku="CANDLE", is_sellable=True))
    put_on_hand(listing.item, site, "100")
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
def as_planner(client, planner):
    client.force_login(planner)
    return client


def page(name, *args):
    return reverse(f"channels_sync:{name}", args=args)


def text_of(response):
    return re.sub(r"\s+", " ", strip_tags(response.content.decode()))


def run_now(campaign):
    """As if it had begun an hour ago."""
    began = timezone.now() - timedelta(hours=1)
    Campaign.objects.filter(pk=campaign.pk).update(starts_at=began)
    campaign.rules.update(effective_from=began, start_told=True)


def stamp(moment):
    return f"{timezone.localtime(moment):%Y-%m-%dT%H:%M}"


def test_an_approver_sees_the_effect_and_approves(client, campaign):
    approver = make_user(role="approver")
    client.force_login(approver)

    seen = client.get(page("campaign_outlook", campaign.pk))
    done = client.post(page("approve_campaign", campaign.pk), {"edition": seen.context["campaign"].edition})

    outlook = seen.context["outlook"]
    assert [(one.sum_before, one.sum_after) for one in (outlook.start, outlook.end)] == [(100, 40), (40, 100)]
    assert "Not approved" in text_of(seen)
    assert done.url == page("campaign", campaign.pk)
    shown = text_of(client.get(done.url))
    assert (
        f"Approved: it begins and ends without waiting. The other rules of the guard look as always. By {approver}"
        in shown
    )
    assert "What happened to it" in shown
    assert "Approved" in text_of(client.get(page("campaigns")))

    client.post(page("approve_campaign", campaign.pk), {"withdraw": "1"})
    assert not Campaign.objects.get().is_approved


def test_who_planned_it_is_told_that_somebody_else_has_to(client, campaign, planner):
    both = make_user(role="administrator")
    Campaign.objects.update(created_by=both)
    make_user(role="approver")
    client.force_login(both)

    refused = client.post(page("approve_campaign", campaign.pk), {"edition": campaign.edition})

    assert refused.status_code == 409
    assert "You planned or changed Market. Somebody else who may decide has to look at it." in text_of(refused)
    assert not Campaign.objects.get().is_approved


def test_a_page_of_an_older_edition_approves_nothing(client, campaign, listing):
    client.force_login(make_user(role="approver"))
    edition = client.get(page("campaign_outlook", campaign.pk)).context["campaign"].edition
    add_campaign_rule(campaign=campaign, rule=CampaignRule({"buffer": Decimal(1)}), actor=None)

    refused = client.post(page("approve_campaign", campaign.pk), {"edition": edition})

    assert "was changed since you looked at it" in text_of(refused)
    assert not Campaign.objects.get().is_approved


def test_dates_are_changed_after_their_effect_was_shown(as_planner, campaign):
    url = page("change_campaign", campaign.pk)
    form = {
        "name": "Fair",
        "starts_at": stamp(campaign.starts_at),
        "ends_at": stamp(campaign.ends_at + timedelta(days=1)),
    }

    first = as_planner.post(url, form)
    assert [
        (one.sum_before, one.sum_after) for one in (first.context["outlook"].start, first.context["outlook"].end)
    ] == [
        (100, 40),
        (40, 100),
    ]
    assert Campaign.objects.get().name == "Market"
    again = as_planner.post(url, form | {"seen": first.context["seen"], "name": "Bazaar"})
    assert Campaign.objects.get().name == "Market"
    done = as_planner.post(url, form | {"seen": first.context["seen"]})

    changed = Campaign.objects.get()
    assert again.context["seen"] != first.context["seen"]
    assert done.url == page("campaign", campaign.pk)
    assert (changed.name, changed.starts_at) == ("Fair", campaign.starts_at)
    assert stamp(changed.ends_at) == form["ends_at"]
    assert {rule.effective_to for rule in changed.rules.all()} == {changed.ends_at}


def test_dates_that_make_no_sense_are_refused_in_words(as_planner, campaign):
    form = {"name": "Market", "starts_at": stamp(campaign.starts_at), "ends_at": "2020-01-01T10:00"}

    refused = as_planner.post(page("change_campaign", campaign.pk), form)

    assert refused.status_code == 422
    assert "2020-01-01 10:00 has passed. Give an end that is still to come" in text_of(refused)


def test_a_rule_is_taken_out_after_its_effect_was_shown(as_planner, campaign, listing):
    rule = add_campaign_rule(campaign=campaign, rule=CampaignRule({"buffer": Decimal(50)}, listing=listing), actor=None)
    run_now(campaign)
    absorb_changes()
    url = page("take_rule_out", campaign.pk, rule.pk)
    assert url in as_planner.get(page("campaign", campaign.pk)).content.decode()

    shown = as_planner.get(url).context["outlook"]
    assert AllocationPolicy.objects.get(pk=rule.pk).effective_to == campaign.ends_at
    as_planner.post(url)
    absorb_changes()

    assert shown.at_once.sum_after == 40
    assert push_of(listing).wanted == 40
    assert url not in as_planner.get(page("campaign", campaign.pk)).content.decode()


def test_ending_it_shows_what_follows_first(as_planner, campaign, listing):
    url = page("end_campaign", campaign.pk)
    planned = as_planner.get(url)
    run_now(campaign)
    StockChange.objects.create(items=[listing.item_id], cause="rule by date")
    absorb_changes()
    running = as_planner.get(url)

    assert [(row.before, row.after) for row in planned.context["outlook"].instead.rows] == [(40, 100)]
    assert [(row.before, row.after) for row in running.context["outlook"].at_once.rows] == [(40, 100)]
    assert Campaign.objects.get().ended_at is None
    as_planner.post(url)
    assert Campaign.objects.get().ended_at is not None
    assert as_planner.get(url).url == page("campaign", campaign.pk)
    assert as_planner.get(page("campaign_outlook", campaign.pk)).url == page("campaign", campaign.pk)


def test_withdrawing_a_planned_rule_shows_what_follows_first(as_planner, listing):
    tomorrow = timezone.now() + timedelta(days=1)
    policy = set_policy(channel=listing.channel, percent=Decimal(30), starts_at=tomorrow, actor=None)
    url = page("withdraw_policy", policy.pk)

    shown = as_planner.get(url)

    assert [(row.before, row.after) for row in shown.context["effect"].rows] == [(30, 100)]
    assert AllocationPolicy.objects.get().effective_to is None
    as_planner.post(url)
    assert AllocationPolicy.objects.get().effective_to == policy.effective_from


def test_source_locations_are_changed_after_their_effect_was_shown(client, administrator, listing, site):
    other = make_location(code="OTHER")
    client.force_login(administrator)
    url = page("sources", "stall")

    shown = client.post(url, {"codes": "other"})
    assert [(row.before, row.after) for row in shown.context["effect"].rows] == [(100, 0)]
    assert not listing.channel.source_locations.exists()
    client.post(url, {"codes": "other", "seen": shown.context["seen"]})
    absorb_changes()

    assert list(listing.channel.source_locations.all()) == [other]
    assert push_of(listing).wanted == 0
    assert listing.channel.history.first().history_user == administrator
    wrong = client.post(url, {"places": [site.pk], "codes": "NOWHERE"})
    assert "There is no active location NOWHERE" in text_of(wrong)


@pytest.mark.parametrize("name", ["campaign", "campaign_outlook", "campaigns"])
def test_pages_cost_the_same_number_of_queries_with_many_listings_and_changes(client, campaign, listing, site, name):
    client.force_login(make_user(role="administrator"))
    approver = make_user(role="approver")

    def cost(count):
        for _ in range(count):
            put_on_hand(make_listing(channel=listing.channel, item=make_item(is_sellable=True)).item, site, "10")
            set_policy(item=make_item(), percent=Decimal(80), actor=None)
            edition = Campaign.objects.get().edition
            approve_campaign(campaign=campaign, edition=edition, actor=approver)
        set_policy(listing=listing, buffer=Decimal(count), actor=None)
        while absorb_changes():
            pass
        url = page(name) if name == "campaigns" else page(name, campaign.pk)
        client.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        return len(queries)

    assert cost(6) == cost(12)
