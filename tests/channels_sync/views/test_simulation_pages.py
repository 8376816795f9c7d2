"""The simulator's pages: ask with the editor's own fields, wait, read, and go on to the editor."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from channels_sync.models import AllocationPolicy, Simulation
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.campaigns import CampaignRule, plan_campaign
from channels_sync.operations.simulating import ask_simulation
from channels_sync.simulation import ProposedRule, Question, SupplyKind
from channels_sync.tasks import run_simulations
from tests.channels_sync.simulation.selling import question, sold, two_channels, yesterday

pytestmark = pytest.mark.django_db
LIST, NEW = "/channels/policies/simulator/", "/channels/policies/simulator/new/"


@pytest.fixture
def as_planner(client, planner):
    client.force_login(planner)
    return client


@pytest.fixture
def listings():
    shop, stall = two_channels(on_hand="20")
    sold(shop, "8", days_ago=3)
    sold(stall, "8", days_ago=3)
    return shop, stall


def form(**fields):
    values = {
        "key": uuid4(), "weeks": 1, "last_day": yesterday().isoformat(), "demand_percent": 100, "supply": "none", "lead_days": 7,
        "cover_days": 14, "start": "now", "late_minutes": 10, "seed": 1,
    }  # fmt: skip
    return values | fields


def asked(*rules, **fields):
    return ask_simulation(key=uuid4(), question=question(*rules, **fields), actor=None, title="Less").simulation


def page(pk):
    return f"/channels/policies/simulator/{pk}/"


def test_an_empty_list_teaches_and_offers_to_begin(as_planner):
    response = as_planner.get(LIST)

    assert response.status_code == 200
    assert "Nothing is changed by it" in response.content.decode()
    assert NEW in response.content.decode()


def test_asking_keeps_what_was_typed_and_wakes_a_worker(as_planner, listings, monkeypatch):
    shop, stall = listings

    response = as_planner.post(
        NEW,
        form(
            title="Keep five", channel=stall.channel_id, buffer="5", of_channels=[shop.channel_id], demand_percent=400,
            **{f"late_{stall.channel_id}": 45},
        ),
    )  # fmt: skip

    simulation = Simulation.objects.get()
    assert response.headers["Location"] == page(simulation.pk)
    assert Question.from_json(simulation.question) == Question(
        last_day=yesterday(),
        rules=(ProposedRule({"buffer": Decimal(5)}, channel_id=stall.channel_id),),
        weeks=1, percent=400, channel_ids=(shop.channel_id,), supply=SupplyKind.NONE, late={stall.channel_id: 45},
    )  # fmt: skip
    assert (simulation.title, simulation.state) == ("Keep five", "waiting")


def test_a_double_click_asks_once(as_planner, listings):
    values = form(buffer="5")

    assert [as_planner.post(NEW, values).status_code for _ in range(2)] == [302, 302]
    assert Simulation.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Nothing is proposed"),
        ({"buffer": "5", "last_day": lambda: timezone.localdate().isoformat()}, "Choose a day that is over"),
        ({"buffer": "5", "weeks": 500}, "less than or equal to 104"),
        ({"demand_percent": "x", "buffer": "5"}, "whole number"),
    ],
)
def test_what_is_missing_is_said_at_its_field_and_nothing_typed_is_lost(as_planner, listings, fields, words):
    values = {name: value() if callable(value) else value for name, value in fields.items()}

    response = as_planner.post(NEW, form(title="My title", **values))

    assert response.status_code == 422
    assert words in response.content.decode()
    assert "My title" in response.content.decode()
    assert not Simulation.objects.exists()


def test_a_planned_rule_or_a_campaign_can_be_tried_as_it_is(as_planner, listings):
    shop, _ = listings
    later = timezone.now() + timedelta(days=3)
    planned = set_policy(channel=shop.channel, percent=Decimal(70), starts_at=later, actor=None)
    campaign = plan_campaign(
        name="Market", starts_at=later, ends_at=later + timedelta(days=1), actor=None,
        rules=[CampaignRule({"percent": Decimal(10)}, channel=shop.channel), CampaignRule({"buffer": Decimal(3)})],
    )  # fmt: skip

    for against in (f"policy-{planned.pk}", f"campaign-{campaign.pk}"):
        assert as_planner.post(NEW, form(against=against)).status_code == 302

    of_campaign, of_planned = (Question.from_json(one.question).rules for one in Simulation.objects.all())
    assert of_planned == (ProposedRule({"percent": Decimal(70)}, channel_id=shop.channel_id),)
    assert of_campaign == (
        ProposedRule({"percent": Decimal(10)}, channel_id=shop.channel_id, campaign="Market"),
        ProposedRule({"buffer": Decimal(3)}, campaign="Market"),
    )
    newest = as_planner.get(page(Simulation.objects.first().pk)).context
    assert newest["planned_url"] == f"/channels/policies/campaigns/{campaign.pk}/"


def test_while_it_waits_the_page_looks_again_and_then_shows_the_answer(as_planner, listings):
    simulation = asked()
    waiting = as_planner.get(page(simulation.pk))
    part = as_planner.get(
        page(simulation.pk), headers={"HX-Request": "true", "HX-Target": "simulation-progress"}
    )  # fmt: skip

    run_simulations()

    assert "Waiting for a worker" in waiting.content.decode()
    assert part.content.decode().lstrip().startswith("<div")
    done = as_planner.get(page(simulation.pk))
    assert done.context["state"][0] == "Done"
    assert "Waiting for a worker" not in done.content.decode()


def test_the_answer_stands_side_by_side_with_a_chart_and_its_table(as_planner, listings):
    _, stall = listings
    simulation = asked(ProposedRule({"buffer": Decimal(5)}, channel_id=stall.channel_id), late_minutes=5_000)
    run_simulations()

    response = as_planner.get(page(simulation.pk))

    answer = response.context["answer"]
    assert [(pair.label, pair.present, pair.proposed) for pair in answer.headlines[:3]] == [
        ("Sold", 16, 16), ("Lost", 0, 0), ("Oversold", 0, 0),
    ]  # fmt: skip
    assert [channel.name for channel in answer.channels] == ["Shop", "Stall", "All channels"]
    text = response.content.decode()
    assert text.count('bf-rehearsal"><figcaption>') == 3
    assert "Sold by week: 16 in all under the present rules, 16 under the proposed ones" in text
    assert answer.weeks[0].begins == yesterday() - timedelta(days=6)


def test_the_button_leads_to_the_editor_filled_with_the_rule_and_changes_nothing(as_planner, listings):
    _, stall = listings
    simulation = asked(ProposedRule({"percent": Decimal("62.5"), "priority": 4}, listing_id=stall.pk))
    run_simulations()

    address = as_planner.get(page(simulation.pk)).context["edit_url"]

    assert urlsplit(address).path == reverse("channels_sync:edit_policy")
    assert parse_qs(urlsplit(address).query) == {
        "percent": ["62.5"], "priority": ["4"], "channel": [str(stall.channel_id)], "listing_sku": [stall.external_sku],
    }  # fmt: skip
    editor = as_planner.get(address)
    assert editor.status_code == 200
    assert (editor.context["form"]["percent"].value(), editor.context["form"]["listing_sku"].value()) == (
        "62.5", stall.external_sku,
    )  # fmt: skip
    campaign = as_planner.get(as_planner.get(page(simulation.pk)).context["campaign_url"])
    assert campaign.context["form"]["percent"].value() == "62.5"
    assert not AllocationPolicy.objects.exists()


def test_a_repetition_says_whether_the_data_are_the_same(as_planner, listings):
    simulation = asked()
    run_simulations()

    def repeat():
        response = as_planner.post(f"{page(simulation.pk)}repeat/", {"key": uuid4()})
        run_simulations()
        return as_planner.get(response.headers["Location"])

    assert (repeat().context["same_inputs"], repeat().context["same_answer"]) == (True, True)
    sold(listings[0], "9", days_ago=2)
    assert repeat().context["same_inputs"] is False


def test_pages_cost_the_same_with_one_and_with_twenty_simulations_and_rules(as_planner, listings):
    def statements(address):
        with CaptureQueriesContext(connection) as captured:
            assert as_planner.get(address).status_code == 200
        return len(captured)

    rule = ProposedRule({"percent": Decimal(50)}, channel_id=listings[0].channel_id)
    one = asked(rule)
    run_simulations()
    as_planner.get(LIST)
    few = (statements(LIST), statements(page(one.pk)))
    many_rules = [ProposedRule({"percent": Decimal(50)}, channel_id=listings[0].channel_id, campaign="M")] * 20
    for _ in range(19):
        many = asked(*many_rules)
        run_simulations()

    found = (statements(LIST), statements(page(many.pk)))

    assert found[0] == few[0]
    assert found[1] <= few[1] + 1  # the campaign is looked up by its name


def test_viewers_read_and_do_not_ask(client, listings):
    from tests.factories import make_user

    client.force_login(make_user(role="viewer"))
    simulation = asked()

    assert client.get(page(simulation.pk)).status_code == 200
    assert "Try out rules" not in client.get(LIST).content.decode()
    assert client.get(NEW).status_code == 403
    assert client.post(NEW, form(buffer="5")).status_code == 403
    assert client.post(f"{page(simulation.pk)}repeat/").status_code == 403
    assert Simulation.objects.count() == 1
