"""Whoever set what begins or ends by its date had a part in what follows, however late and in whatever run it comes."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from channels_sync.models import AllocationPolicy, HoldState, PublishRun
from channels_sync.operations.allocating import set_policy, tell_dated_rules
from channels_sync.operations.campaigns import CampaignRule, add_campaign_rule, plan_campaign
from channels_sync.operations.deciding import approve_run
from inventory.errors import SecondPersonRequired
from tests.channels_sync.guarded import forget_window, offers, receive, settle, waits
from tests.factories import make_location, make_user

pytestmark = pytest.mark.django_db
HALF, MOST = {"percent": Decimal(50)}, {"percent": Decimal(90)}


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def site():
    return make_location(code="SITE")


@pytest.fixture
def author():
    return make_user(role="approver")


@pytest.fixture
def other():
    return make_user(role="approver")


def in_hours(hours):
    return timezone.now() + timedelta(hours=hours)


def let_begin(**scope):
    """As if the moment had come at which planned rules take the place of those before them."""
    now = timezone.now()
    AllocationPolicy.objects.filter(effective_to__gt=now, campaign=None, **scope).update(effective_to=now)
    AllocationPolicy.objects.filter(effective_from__gt=now, **scope).update(effective_from=now)


def let_end(**scope):
    """As if the moment had come at which a campaign that runs is over."""
    AllocationPolicy.objects.filter(campaign__isnull=False, **scope).update(effective_to=timezone.now())


def plan_rule(channel, person):
    set_policy(channel=channel, **HALF, actor=None)
    settle(channel)
    set_policy(channel=channel, **MOST, starts_at=in_hours(1), actor=person)
    let_begin(channel=channel)


def plan_start(channel, person):
    set_policy(channel=channel, **HALF, actor=None)
    settle(channel)
    plan_campaign(
        name="Market", starts_at=in_hours(1), ends_at=in_hours(9), actor=person, rules=[CampaignRule(MOST, channel)]
    )
    let_begin(channel=channel)


def plan_end(channel, person):
    plan_campaign(
        name="Slow", starts_at=in_hours(0), ends_at=in_hours(9), actor=person, rules=[CampaignRule(HALF, channel)]
    )
    settle(channel)
    let_end(channel=channel)


@pytest.mark.parametrize(("plan", "figure"), [(plan_rule, 9), (plan_start, 9), (plan_end, 10)])
def test_what_begins_or_ends_by_its_date_is_not_approved_by_who_set_it(shop, site, author, other, plan, figure):
    channel, listings = offers(shop, site, 6)
    plan(channel, author)
    forget_window()

    assert tell_dated_rules() == 1
    settle(channel)

    run = waits(listings[0]).run
    assert (run.cause, run.actors) == ("rule by date", [author.pk])
    with pytest.raises(SecondPersonRequired):
        approve_run(run=run, actor=author)
    assert (waits(listings[0]).state, shop.shows(listings[0])) == (HoldState.OPEN, 5)
    approve_run(run=run, actor=other)
    settle(channel)
    assert {shop.shows(listing) for listing in listings} == {figure}


def test_of_rules_that_begin_in_one_go_everybody_who_set_one_had_a_part(shop, site, author, other):
    channel, listings = offers(shop, site, 6)
    set_policy(channel=channel, **HALF, actor=None)
    settle(channel)
    forget_window()
    set_policy(channel=channel, **MOST, starts_at=in_hours(1), actor=author)
    set_policy(listing=listings[0], percent=Decimal(80), starts_at=in_hours(1), actor=other)
    let_begin()

    assert tell_dated_rules() == 2
    settle(channel)

    run = waits(listings[1]).run
    third = make_user(role="approver")
    for person in (author, other):
        with pytest.raises(SecondPersonRequired):
            approve_run(run=run, actor=person)
    approve_run(run=run, actor=third)
    settle(channel)
    assert [shop.shows(listing) for listing in listings] == [8, 9, 9, 9, 9, 9]


def test_who_planned_a_campaign_has_a_part_in_what_somebody_else_added_to_it(shop, site, author, other):
    channel, listings = offers(shop, site, 6)
    set_policy(channel=channel, **HALF, actor=None)
    settle(channel)
    forget_window()
    campaign = plan_campaign(
        name="Market", starts_at=in_hours(1), ends_at=in_hours(9), actor=author,
        rules=[CampaignRule(MOST, listing=listings[0])],
    )  # fmt: skip
    add_campaign_rule(campaign=campaign, rule=CampaignRule(MOST, channel), actor=other)
    let_begin()

    tell_dated_rules()
    settle(channel)

    assert waits(listings[1]).run.actors == sorted([author.pk, other.pk])


@pytest.mark.parametrize("plan", [plan_rule, plan_start, plan_end])
def test_news_of_somebody_else_between_the_date_and_its_telling_does_not_hide_it(shop, site, author, other, plan):
    """Figures contain a rule from its moment on, whatever news they are worked out for."""
    channel, listings = offers(shop, site, 6)
    plan(channel, author)
    forget_window()
    for listing in listings:
        receive(listing, site, "2", actor=other)

    settle(channel)

    run = waits(listings[0]).run
    assert (run.cause, run.actors) == ("rule by date, receipt", sorted([author.pk, other.pk]))
    assert [trip["rule"] for trip in run.trips] == ["after_bulk"]


def test_an_untold_rule_of_one_item_is_not_taken_for_one_of_another(shop, site, author, other):
    channel, listings = offers(shop, site, 2)
    set_policy(item=listings[0].item, **MOST, starts_at=in_hours(1), actor=author)
    let_begin()
    receive(listings[1], site, "2", actor=other)

    settle(channel)

    run = PublishRun.objects.latest("pk")
    assert (run.cause, run.actors) == ("receipt", [other.pk])
