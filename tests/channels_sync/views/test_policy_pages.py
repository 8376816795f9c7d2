"""Rules and campaigns on their pages: shown in words, changed with their effect in view, never edited in place."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from channels_sync.models import AllocationPolicy, Campaign, ChannelMode, PublishRun
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.campaigns import CampaignRule, plan_campaign
from inventory.models import StockChange
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.channels_sync.guarded import forget_window
from tests.channels_sync.wide import as_sent
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db
EDIT, EFFECT = "/channels/policies/edit/", "/channels/policies/effect/"


@pytest.fixture
def as_planner(client, planner):
    client.force_login(planner)
    return client


@pytest.fixture
def listing():
    listing = make_listing(channel=make_channel(name="Candle shop"), item=make_item(sku="CANDLE", is_sellable=True))
    put_on_hand(listing.item, make_location(), "100")
    absorb_changes()
    return listing


def stamp(moment):
    return f"{timezone.localtime(moment):%Y-%m-%dT%H:%M}"


def campaign_for(listing, **terms):
    now = timezone.now()
    rule = CampaignRule(terms or {"percent": Decimal(10)}, channel=listing.channel)
    return plan_campaign(name="Market", starts_at=now, ends_at=now + timedelta(days=1), rules=[rule], actor=None)


def test_the_list_says_every_rule_in_words_widest_first(as_planner, listing):
    set_policy(listing=listing, basis="buildable", actor=None)
    set_policy(channel=listing.channel, percent=Decimal(90), buffer=Decimal(2), actor=None)

    rows = as_planner.get("/channels/policies/").context["rows"]

    assert [(row.policy.scope, " ".join(row.words)) for row in rows] == [
        ("Channel Candle shop", "Keeps 2 back. Shows 90 % of what is left."),
        ("Listing CANDLE on Candle shop", "Counts finished stock, then what could be built."),
    ]


def test_the_effect_is_shown_before_anything_is_saved(as_planner, listing):
    other = make_listing(channel=make_channel(), item=listing.item)
    absorb_changes()

    form = {"channel": listing.channel_id, "percent": "40", "minimum_to_list": "50"}
    response = as_planner.get(EFFECT, form, headers={"HX-Request": "true", "HX-Target": "effect"})

    effect = response.context["effect"]
    assert (effect.touched, effect.changed, effect.to_zero) == (2, 1, 1)
    assert (effect.sum_before, effect.sum_after) == (200, 100)
    assert [(row.listing, row.before, row.after) for row in effect.rows] == [(listing, 100, 0)]
    assert "<html" not in response.content.decode()
    assert not AllocationPolicy.objects.exists()
    assert not StockChange.objects.exists()
    assert push_of(other).wanted == 100


@pytest.mark.parametrize(
    ("percent", "word"), [("100", "rise right after a change of rules"), ("0", "would fall to zero")]
)
def test_the_effect_says_what_the_guard_would_hold_and_then_it_does(as_planner, percent, word):
    site = make_location()
    channel, listings = make_channel(), []
    for number in range(12):
        listings.append(make_listing(channel=channel, item=make_item(sku=f"SKU-{number}", is_sellable=True)))
        put_on_hand(listings[-1].item, site, "10")
    absorb_changes()
    as_sent()
    set_policy(percent=Decimal(50), actor=None)
    absorb_changes()
    as_sent()
    form = {"channel": channel.pk, "percent": percent}

    response = as_planner.get(EFFECT, form, headers={"HX-Request": "true", "HX-Target": "effect"})
    set_policy(channel=channel, percent=Decimal(percent), actor=None)
    absorb_changes()

    run = PublishRun.objects.latest("pk")
    assert response.context["effect"].held == run.listings_held == 12
    assert [said.removeprefix(f"{channel.name}: ") for said in response.context["effect"].said] == [
        trip["words"] for trip in run.trips
    ]
    assert any(word in trip["words"] for trip in run.trips)
    assert "The guard would hold 12 of these changes" in strip_tags(response.content.decode())


def test_what_nobody_knows_is_shown_is_no_change_for_the_guard(as_planner):
    """First figures do not count in the share that changes."""
    site, channel = make_location(), make_channel()
    for number in range(30):
        listing = make_listing(channel=channel, item=make_item(sku=f"SKU-{number}", is_sellable=True))
        put_on_hand(listing.item, site, "10")
    absorb_changes()
    forget_window()

    effect = as_planner.get(EFFECT, {"channel": channel.pk, "percent": "50"}).context["effect"]

    assert effect.changed == 30
    assert not any("listings would change" in said for said in effect.said)


def test_what_a_channel_in_the_shadow_shows_is_not_held(as_planner):
    listing = make_listing(channel=make_channel(mode=ChannelMode.SHADOW), item=make_item(is_sellable=True))
    put_on_hand(listing.item, make_location(), "10")
    absorb_changes()

    effect = as_planner.get(EFFECT, {"channel": listing.channel_id, "fixed_quantity": "9000"}).context["effect"]

    assert (effect.held, effect.said) == (0, [])


def test_the_effect_of_a_form_that_is_wrong_says_what_is_wrong(as_planner, listing):
    response = as_planner.get(EFFECT, {"item": "NOWHERE", "percent": "many"})

    text = " ".join(response.context["problems"])
    assert "There is no item" in text
    assert "“many” is not a number" in text


def test_saving_makes_a_new_version_and_keeps_the_old_one(as_planner, listing, planner):
    set_policy(channel=listing.channel, percent=Decimal(90), actor=None)

    form = {"channel": listing.channel_id, "percent": "50", "note": "Season"}
    response = as_planner.post(EDIT, form)

    old, new = AllocationPolicy.objects.order_by("version")
    assert response.url == reverse("channels_sync:policy", args=[new.pk])
    assert (old.percent, new.percent, new.note, new.created_by) == (90, 50, "Season", planner)
    assert old.effective_to == new.effective_from
    absorb_changes()
    assert push_of(listing).wanted == 50
    page = as_planner.get(response.url)
    assert [version.changes for version in page.context["versions"]] == [
        [("Percent", "90", "50")],
        [("Percent", "inherited", "90")],
    ]


def test_the_editor_begins_with_the_present_version_and_names_what_is_inherited(as_planner, listing):
    set_policy(percent=Decimal(80), actor=None)
    policy = set_policy(listing=listing, buffer=Decimal(3), actor=None)

    text = as_planner.get(f"{EDIT}?policy={policy.pk}").content.decode()

    assert 'value="3"' in text
    assert 'placeholder="80, Everywhere"' in text
    assert f'value="{listing.external_sku}"' in text


def test_a_term_out_of_range_is_refused_at_its_field_and_nothing_is_saved(as_planner, listing):
    response = as_planner.post(EDIT, {"percent": "101"})

    assert response.status_code == 422
    assert "Give 0 to 100" in response.content.decode()
    assert not AllocationPolicy.objects.exists()


def test_a_rule_from_a_day_to_come_waits_and_can_be_withdrawn(as_planner, listing):
    tomorrow = timezone.now() + timedelta(days=1)
    made = as_planner.post(EDIT, {"percent": "50", "starts_at": stamp(tomorrow)})
    planned = AllocationPolicy.objects.get()
    assert "Planned" in as_planner.get(made.url).content.decode()
    assert push_of(listing).wanted == 100

    as_planner.post(reverse("channels_sync:withdraw_policy", args=[planned.pk]))

    planned.refresh_from_db()
    assert planned.effective_to == planned.effective_from


def test_a_campaign_is_planned_shown_extended_and_ended(as_planner, listing):
    now = timezone.now()
    form = {
        "name": "Market", "starts_at": stamp(now), "ends_at": stamp(now + timedelta(days=2)),
        "channel": listing.channel_id, "percent": "50",
    }  # fmt: skip
    made = as_planner.post(reverse("channels_sync:new_campaign"), form)
    campaign = Campaign.objects.get()
    absorb_changes()
    assert push_of(listing).wanted == 50

    as_planner.post(made.url, {"item": "CANDLE", "buffer": "10"})
    absorb_changes()
    assert push_of(listing).wanted == 45
    assert len(as_planner.get(made.url).context["rows"]) == 2
    assert "Running" in as_planner.get(reverse("channels_sync:campaigns")).content.decode()

    as_planner.post(reverse("channels_sync:end_campaign", args=[campaign.pk]))
    absorb_changes()

    assert push_of(listing).wanted == 100
    assert "Ended early" in as_planner.get(made.url).content.decode()


def test_the_effect_of_a_campaign_stands_above_narrower_rules(as_planner, listing):
    set_policy(listing=listing, percent=Decimal(90), actor=None)
    absorb_changes()

    form = {"channel": listing.channel_id, "percent": "20"}
    effect = as_planner.get(reverse("channels_sync:campaign_effect"), form).context["effect"]

    assert [(row.before, row.after) for row in effect.rows] == [(90, 20)]


def test_why_names_campaign_version_and_agreement_with_the_ledger(as_planner, listing):
    campaign_for(listing, percent=Decimal(10))
    absorb_changes()
    put_on_hand(listing.item, make_location(), "50")
    url = reverse("channels_sync:why", args=[listing.pk])

    stored, present = as_planner.get(url), as_planner.get(url, {"version": "now"})

    share = next(line for line in stored.context["why"].lines if line.label == "Share for this channel")
    (percent,) = share.settings
    assert (percent.scope, percent.rule[:9]) == ("campaign Market: Channel Candle shop", "version 1")
    assert percent.url == reverse("channels_sync:policy", args=[AllocationPolicy.objects.get().pk])
    assert stored.context["why"].agrees
    assert [page.context["why"].derivation.quantity for page in (stored, present)] == [10, 15]
    assert push_of(listing).wanted == 10


def test_a_viewer_reads_rules_and_changes_none(client, viewer, listing):
    client.force_login(viewer)
    policy = set_policy(percent=Decimal(80), actor=None)
    campaign = campaign_for(listing)
    read = ["/channels/policies/", f"/channels/policies/{policy.pk}/", "/channels/policies/campaigns/",
            f"/channels/policies/campaigns/{campaign.pk}/"]  # fmt: skip
    before = AllocationPolicy.objects.count()

    assert [client.get(url).status_code for url in read] == [200] * 4
    assert [client.get(url).status_code for url in (EDIT, EFFECT, "/channels/policies/campaigns/new/")] == [403] * 3
    posts = [(EDIT, {"percent": "1"}), (read[3], {"percent": "1"}), (f"{read[3]}end/", {}), (f"{read[1]}withdraw/", {})]
    assert [client.post(url, data).status_code for url, data in posts] == [403] * 4
    assert AllocationPolicy.objects.count() == before


@pytest.mark.parametrize("url", ["/channels/policies/", "/channels/policies/campaigns/"])
def test_lists_cost_the_same_number_of_queries_with_many_rows(as_planner, listing, url):
    counts = []
    for number in (1, 19):
        for _ in range(number):
            set_policy(item=make_item(), percent=Decimal(80), actor=None)
            campaign_for(listing)
        as_planner.get(url)
        with CaptureQueriesContext(connection) as queries:
            as_planner.get(url)
        counts.append(len(queries))

    assert counts[0] == counts[1]
