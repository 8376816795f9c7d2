"""Campaigns that a second person approves beforehand, and campaigns that are moved, renamed and lose a rule."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from channels_sync.models import Campaign, ChannelGuard, Hold, HoldState
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy, tell_dated_rules
from channels_sync.operations.campaigns import (
    CampaignRule,
    add_campaign_rule,
    approve_campaign,
    change_campaign,
    end_campaign,
    plan_campaign,
    take_rule_out,
    withdraw_approval,
)
from channels_sync.operations.rehearsing_rules import outlook_after, outlook_of_campaign, outlook_of_end
from channels_sync.operations.second_looks import TypedConfirmationRequired
from channels_sync.reads.campaigns import approval_counts, decisions_about
from inventory.errors import SecondPersonRequired, WrongState
from inventory.models import StockChange
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.channels_sync.guarded import offers, receive, settle, waits
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def site():
    return make_location(code="SITE")


@pytest.fixture
def second():
    return make_user(role="approver")


@pytest.fixture
def at():
    """Go so many hours ahead of now."""
    journeys, started_at = [], timezone.now()

    def go(hours):
        journeys.append(time_machine.travel(started_at + timedelta(hours=hours)))
        journeys[-1].start()

    yield go
    for journey in reversed(journeys):
        journey.stop()


def plan(channel, *, actor=None, starts_in=1, ends_in=3, **terms):
    now = timezone.now()
    return plan_campaign(
        name="Market",
        starts_at=now + timedelta(hours=starts_in),
        ends_at=now + timedelta(hours=ends_in),
        rules=[CampaignRule(terms or {"percent": Decimal(90)}, channel=channel)],
        actor=actor,
    )


def approve(campaign, actor, **kwargs):
    campaign.refresh_from_db()
    return approve_campaign(campaign=campaign, edition=campaign.edition, actor=actor, **kwargs)


def by_the_clock(channel):
    tell_dated_rules()
    settle(channel)


def shown(shop, listings):
    return {shop.shows(listing) for listing in listings}


def halved(shop, site, count=6):
    """Listings of which half of ten is shown."""
    channel, listings = offers(shop, site, count)
    set_policy(channel=channel, percent=Decimal(50), actor=None)
    settle(channel)
    return channel, listings


# --- what an approval does ---


def test_a_campaign_that_was_approved_begins_and_ends_without_waiting(shop, site, second, planner, at):
    channel, listings = halved(shop, site)
    raising = plan(channel, actor=planner)
    approve(raising, second)
    lowering = plan(channel, actor=planner, starts_in=5, ends_in=7, percent=Decimal(10))
    approve(lowering, second)

    found = []
    for hours in (2, 4, 6, 8):
        at(hours)
        by_the_clock(channel)
        found.append(shown(shop, listings))

    assert found == [{9}, {5}, {1}, {5}]
    assert not Hold.objects.exists()


@pytest.mark.parametrize("what", ["begin", "end"])
def test_without_an_approval_its_raises_wait(shop, site, planner, at, what):
    channel, listings = halved(shop, site)
    plan(channel, actor=planner, percent=Decimal(90 if what == "begin" else 10))
    for hours in (2,) if what == "begin" else (2, 4):
        at(hours)
        by_the_clock(channel)

    assert shown(shop, listings) == {5 if what == "begin" else 1}
    assert [trip["rule"] for trip in waits(listings[0]).run.trips] == ["after_bulk"]


def test_a_stock_mistake_made_meanwhile_is_held_and_the_rest_flows(shop, site, second, planner, at):
    channel, listings = halved(shop, site)
    approve(plan(channel, actor=planner), second)
    receive(listings[0], site, "990")

    at(2)
    by_the_clock(channel)

    assert (shop.shows(listings[0]), waits(listings[0]).after) == (5, 900)
    assert [trip["rule"] for trip in waits(listings[0]).run.trips] == ["recent_max"]
    assert shown(shop, listings[1:]) == {9}


def test_the_share_that_changes_is_looked_at_all_the_same(shop, site, second, planner, at):
    channel, listings = halved(shop, site)
    ChannelGuard.objects.create(channel=channel, changed_min=2)
    approve(plan(channel, actor=planner), second)

    at(2)
    by_the_clock(channel)

    assert shown(shop, listings) == {5}
    assert [trip["rule"] for trip in waits(listings[0]).run.trips] == ["share_changed"]


def test_an_import_at_the_same_time_is_looked_at_all_the_same(shop, site, second, planner, at):
    channel, listings = halved(shop, site)
    approve(plan(channel, actor=planner), second)

    at(2)
    StockChange.objects.create(items=[listings[0].item_id], cause="import adjustments")
    by_the_clock(channel)

    assert shown(shop, listings) == {5}
    assert [trip["rule"] for trip in waits(listings[0]).run.trips] == ["after_bulk"]


def test_rules_changed_beneath_it_since_make_its_end_wait(shop, site, second, planner, at):
    """While the campaign stands above them nobody sees what they do; its end would bring it all at once."""
    channel, listings = halved(shop, site)
    campaign = approve(plan(channel, actor=planner, percent=Decimal(10)), second)
    at(2)
    by_the_clock(channel)
    set_policy(channel=channel, percent=Decimal(100), actor=planner)
    settle(channel)

    at(4)
    assert not approval_counts(campaign)
    by_the_clock(channel)

    assert shown(shop, listings) == {1}
    assert waits(listings[0]).after == 10


def test_rules_of_a_few_listings_or_of_others_leave_the_approval(shop, site, second, planner):
    channel, listings = halved(shop, site)
    elsewhere = make_channel()
    campaign = approve(plan(channel, actor=planner), second)

    set_policy(listing=listings[0], buffer=Decimal(1), actor=planner)
    set_policy(channel=elsewhere, percent=Decimal(5), actor=planner)

    assert approval_counts(campaign)


# --- who approves, and until when ---


def test_whoever_planned_or_changed_it_does_not_approve_it(shop, site, second):
    channel, _ = halved(shop, site)
    author, changer, other = (make_user(role="administrator") for _ in range(3))
    campaign = plan(channel, actor=author)
    change_campaign(
        campaign=campaign, name="Fair", starts_at=campaign.starts_at, ends_at=campaign.ends_at, actor=changer
    )
    add_campaign_rule(campaign=campaign, rule=CampaignRule({"buffer": Decimal(1)}), actor=other)

    for person in (author, changer, other):
        with pytest.raises(SecondPersonRequired, match="You planned or changed Fair"):
            approve(campaign, person)
    assert not Campaign.objects.get().is_approved

    approve(campaign, second)
    assert Campaign.objects.get().approved_by == second


CHANGES = {
    "name": lambda c, by: change_campaign(campaign=c, name="Fair", starts_at=c.starts_at, ends_at=c.ends_at, actor=by),
    "end": lambda c, by: change_campaign(
        campaign=c, name=c.name, starts_at=c.starts_at, ends_at=c.ends_at + timedelta(hours=1), actor=by
    ),
    "rule": lambda c, by: add_campaign_rule(campaign=c, rule=CampaignRule({"buffer": Decimal(1)}), actor=by),
    "rule out": lambda c, by: take_rule_out(campaign=c, rule=c.rules.last(), actor=by),
    "withdrawn": lambda c, by: withdraw_approval(campaign=c, actor=by),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_withdraws_the_approval_and_its_raises_wait(shop, site, second, planner, at, change):
    channel, listings = halved(shop, site)
    campaign = plan(channel, actor=planner)
    add_campaign_rule(
        campaign=campaign, rule=CampaignRule({"buffer": Decimal(1)}, channel=make_channel()), actor=planner
    )
    approve(campaign, second)

    CHANGES[change](campaign, planner)
    at(2)
    by_the_clock(channel)

    assert not Campaign.objects.get().is_approved
    assert shown(shop, listings) == {5}
    words = decisions_about(campaign)[0].words
    assert words.endswith("Approval withdrawn." if change == "withdrawn" else "The approval is withdrawn by that.")


def test_the_same_dates_again_leave_the_approval(shop, site, second, planner):
    channel, _ = halved(shop, site)
    campaign = approve(plan(channel, actor=planner), second)

    change_campaign(
        campaign=campaign, name="Market", starts_at=campaign.starts_at, ends_at=campaign.ends_at, actor=planner
    )

    assert Campaign.objects.get().is_approved


def test_an_edition_that_was_not_looked_at_is_not_approved(shop, site, second, planner):
    channel, _ = halved(shop, site)
    campaign = plan(channel, actor=planner)
    seen = Campaign.objects.get().edition
    add_campaign_rule(campaign=campaign, rule=CampaignRule({"buffer": Decimal(1)}), actor=planner)

    with pytest.raises(WrongState, match="was changed since you looked at it"):
        approve_campaign(campaign=campaign, edition=seen, actor=second)


def test_a_large_one_is_typed(site, second, planner):
    channel = make_channel()
    for number in range(50):
        make_listing(channel=channel, item=make_item(sku=f"SKU-{number}", is_sellable=True))
    campaign = plan(channel, actor=planner)

    with pytest.raises(TypedConfirmationRequired, match="Type 50"):
        approve(campaign, second, typed="5")
    approve(campaign, second, typed="50")

    assert Campaign.objects.get().is_approved


def test_one_that_is_over_is_not_approved(shop, site, second, planner, at):
    channel, _ = halved(shop, site)
    campaign = plan(channel, actor=planner)
    at(4)

    with pytest.raises(WrongState, match="Market ended on"):
        approve(campaign, second)


def test_ending_it_early_is_a_change_nobody_approved(shop, site, second, planner, at):
    channel, listings = halved(shop, site)
    campaign = approve(plan(channel, actor=planner, percent=Decimal(10)), second)
    at(2)
    by_the_clock(channel)

    end_campaign(campaign=campaign, actor=planner)
    settle(channel)

    assert shown(shop, listings) == {1}
    assert waits(listings[0]).after == 5


def test_history_says_who_did_what(shop, site, second, planner):
    channel, _ = halved(shop, site)
    campaign = approve(plan(channel, actor=planner), second)
    end_campaign(campaign=campaign, actor=planner)

    found = [(one.by, one.words.split(" from ")[0]) for one in decisions_about(campaign)]

    assert found == [
        (planner, "Ended before its time. The approval is withdrawn by that."),
        (second, "Approved."),
        (planner, "Planned"),
    ]


# --- moving and taking out ---


def moved(campaign, **hours):
    campaign.refresh_from_db()
    later = {name: getattr(campaign, name) + timedelta(hours=more) for name, more in hours.items()}
    dates = {"starts_at": campaign.starts_at, "ends_at": campaign.ends_at} | later
    return change_campaign(campaign=campaign, name=campaign.name, actor=None, **dates)


def test_a_campaign_is_moved_with_its_rules(shop, site, at):
    channel, (listing,) = offers(shop, site, 1)
    campaign = plan(channel, percent=Decimal(50))

    moved(campaign, starts_at=2, ends_at=2)
    found = []
    for hours in (2, 4, 6):
        at(hours)
        by_the_clock(channel)
        found.append(shop.shows(listing))

    assert found == [10, 5, 10]


def test_a_running_one_is_made_longer(shop, site, at):
    channel, (listing,) = offers(shop, site, 1)
    campaign = plan(channel, percent=Decimal(50))
    at(2)
    by_the_clock(channel)

    moved(campaign, ends_at=24)
    at(4)
    by_the_clock(channel)
    during = shop.shows(listing)
    at(28)
    by_the_clock(channel)

    assert (during, shop.shows(listing)) == (5, 10)


def test_a_begin_that_has_passed_is_now(shop, site):
    channel, (listing,) = offers(shop, site, 1)
    campaign = plan(channel, percent=Decimal(50))

    moved(campaign, starts_at=-5)
    settle(channel)

    assert shop.shows(listing) == 5


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ({"ends_at": -3}, "has passed. Give an end that is still to come"),
        ({"starts_at": 5}, "before it begins on"),
    ],
)
def test_dates_that_make_no_sense_are_refused(shop, site, hours, words):
    channel, _ = offers(shop, site, 1)
    campaign = plan(channel)
    before = list(Campaign.objects.values())

    with pytest.raises(WrongState, match=words):
        moved(campaign, **hours)

    assert list(Campaign.objects.values()) == before


def test_the_begin_of_a_running_one_stays(shop, site, at):
    channel, _ = offers(shop, site, 1)
    campaign = plan(channel)
    at(2)

    with pytest.raises(WrongState, match="so its begin cannot be moved"):
        moved(campaign, starts_at=1)


def test_a_rule_is_taken_out_of_a_running_one(shop, site, at):
    channel, (one, other) = offers(shop, site, 2)
    campaign = plan(channel, percent=Decimal(50))
    rule = add_campaign_rule(
        campaign=campaign, rule=CampaignRule({"maximum_to_list": Decimal(2)}, listing=one), actor=None
    )
    at(2)
    by_the_clock(channel)
    assert (shop.shows(one), shop.shows(other)) == (2, 5)

    take_rule_out(campaign=campaign, rule=rule, actor=None)
    settle(channel)

    assert (shop.shows(one), shop.shows(other)) == (5, 5)
    with pytest.raises(WrongState, match="not a rule of Market any more"):
        take_rule_out(campaign=campaign, rule=rule, actor=None)
    with pytest.raises(WrongState, match="is the only rule of Market"):
        take_rule_out(campaign=campaign, rule=campaign.rules.earliest("pk"), actor=None)


# --- what is shown before ---


def test_the_outlook_tells_begin_and_end_and_what_the_guard_would_hold(shop, site, second, planner):
    channel, _ = halved(shop, site)
    campaign = plan(channel, actor=planner)

    found = outlook_of_campaign(campaign=campaign)
    if_approved = outlook_of_campaign(campaign=campaign, supposing_approval=True)

    assert (found.start.rising, found.start.held, found.start.sum_before, found.start.sum_after) == (6, 6, 30, 54)
    assert (found.end.falling, found.end.held, found.end.sum_before, found.end.sum_after) == (6, 0, 54, 30)
    assert (if_approved.start.held, if_approved.listings) == (0, 6)


def test_what_an_act_would_do_is_shown_and_nothing_is_kept(shop, site, at):
    channel, listings = offers(shop, site, 2)
    campaign = plan(channel, percent=Decimal(50))
    cancelled = outlook_of_end(campaign=campaign).instead
    at(2)
    by_the_clock(channel)
    stored = list(Campaign.objects.values()), list(campaign.rules.values())

    ended = outlook_of_end(campaign=campaign).at_once
    longer = outlook_after(campaign=campaign, act=lambda: moved(campaign, ends_at=24))

    assert (cancelled.sum_before, cancelled.sum_after) == (10, 20)
    assert (ended.sum_before, ended.sum_after) == (10, 20)
    assert (longer.at_once.changed, longer.start, longer.end.sum_after) == (0, None, 20)
    assert (list(Campaign.objects.values()), list(campaign.rules.values())) == stored
    assert not StockChange.objects.exists()
    assert {push_of(listing).wanted for listing in listings} == {5}


def test_an_outlook_costs_the_same_number_of_queries_with_many_listings(
    django_assert_max_num_queries, shop, site, second, planner
):
    channel = make_channel()

    def cost(count):
        for _ in range(count):
            put_on_hand(make_listing(channel=channel, item=make_item(is_sellable=True)).item, site, "10")
        while absorb_changes():
            pass
        campaign = Campaign.objects.first() or plan(channel, actor=planner)
        with django_assert_max_num_queries(200) as queries:
            outlook_of_campaign(campaign=campaign)
            approval_counts(campaign)
        return len(queries)

    assert cost(6) == cost(12)


def test_open_holds_are_none_of_its_business(shop, site, second, planner):
    """An approval lets nothing go that waits already."""
    channel, listings = halved(shop, site)
    campaign = plan(channel, actor=planner, starts_in=-1)
    settle(channel)
    assert Hold.objects.filter(state=HoldState.OPEN).count() == 6

    approve(campaign, second)
    settle(channel)

    assert shown(shop, listings) == {5}
