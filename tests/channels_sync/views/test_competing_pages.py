"""The page of competing products: its figures, the slider, and the rules it sets."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync.models import AllocationPolicy, ChannelDemand
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.demand import DaySold, record_demand
from channels_sync.reads.competing import competing_groups
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import Location
from tests.api.client import ApiClient
from tests.channels_sync.factories import let_all_flow, make_channel, make_listing, push_of
from tests.factories import make_item, make_location, make_user, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    """Two candles of one jar each, ten jars at 1.50, both on two channels that count what could be built."""
    return make_company()


def make_company(*, jars="10"):
    channels = [let_all_flow(make_channel(name=name)) for name in ("Shop", "Market")]
    set_policy(basis="buildable", actor=None)
    found = make_pair(0, make_location(), channels, jars=jars)
    absorb_all()
    return found


def make_pair(number, site, channels, *, jars="10"):
    """Two candles of the same jar, offered on the channels."""
    jar = make_item(sku=f"JAR{number}")
    put_on_hand(jar, site, jars, value="15")
    found = []
    for name in ("ROSE", "LIME"):
        candle = make_item(sku=f"{name}{number}", is_sellable=True)
        make_bom(item=candle, lines=[(jar, "1")])
        found += [make_listing(channel=channel, item=candle) for channel in channels]
    return found


def absorb_all():
    while absorb_changes():
        pass


def shown(listings):
    absorb_all()
    return [push_of(listing).wanted for listing in listings]


def page(client, percent=None, **headers):
    group = competing_groups()[0]
    answer = client.get(
        f"/channels/competing/{group.key}/", {} if percent is None else {"percent": percent}, headers=headers
    )
    return answer, answer.context["group"] if answer.context else None


@pytest.fixture
def as_planner():
    client = Client()
    client.force_login(make_user(role="planner"))
    return client


@pytest.fixture
def as_viewer():
    client = Client()
    client.force_login(make_user(role="viewer"))
    return client


def test_what_is_shown_what_is_safe_and_the_worst_case_in_units_and_money(company, as_viewer):
    answer = as_viewer.get("/channels/competing/")

    (group,) = answer.context["groups"]
    assert (group.shown, group.safe, group.percent) == (40, 10, 0)
    assert [(one.item.sku, one.alone, one.safe, one.shown) for one in group.members] == [
        ("LIME0", 10, 5, 20),
        ("ROSE0", 10, 5, 20),
    ]
    assert (group.now.units, group.now.money) == (30, Decimal(45))
    assert [(one.item.sku, one.free, one.wanted) for one in group.scarce] == [("JAR0", 10, 20)]
    text = answer.content.decode()
    assert "2 products compete for JAR0" in text
    assert "at cost per unit, since no order line with a price is known" in text


def test_the_slider_shows_the_effect_and_keeps_nothing(company, as_viewer):
    answer, group = page(as_viewer, 100, HX_Request="true")

    assert answer.content.decode().lstrip().startswith('<div class="bf-panel"')
    assert (group.shown, group.shown_then) == (40, 10)
    assert (group.now.units, group.then.units) == (30, 0)
    assert not AllocationPolicy.objects.filter(item__isnull=False).exists()
    assert shown(company) == [10, 10, 10, 10]


def test_what_is_saved_is_a_rule_of_each_product_and_every_channel_follows(company, as_planner):
    answer = as_planner.post(f"/channels/competing/{competing_groups()[0].key}/", {"percent": "100"})

    assert answer.status_code == 302
    rules = AllocationPolicy.objects.standing().filter(item__isnull=False).order_by("item__sku")
    assert [(rule.item.sku, rule.building, rule.sharing, rule.divided_percent) for rule in rules] == [
        ("LIME0", "demand", "demand", 100),
        ("ROSE0", "demand", "demand", 100),
    ]
    assert sum(shown(company)) == 10
    assert competing_groups()[0].percent == 100
    assert competing_groups()[0].now.units == 0


def test_half_of_the_way_lies_between_and_is_explained_by_its_stored_derivation(company, as_planner):
    as_planner.post(f"/channels/competing/{competing_groups()[0].key}/", {"percent": "50"})

    assert all(2 < figure < 10 for figure in shown(company))
    listing = company[0]
    why = as_planner.get(f"/channels/listings/{listing.pk}/why/").content.decode()
    assert "50 % of the way from all to its part" in why
    over_rest = ApiClient(make_user(role="viewer")).get(f"listings/{listing.pk}/why/", version=push_of(listing).version)
    assert over_rest.json()["recomputes"] is True
    assert "50 % of the way" in over_rest.json()["in_words"]


def test_the_rest_of_a_rule_stays_when_it_is_divided(company, as_planner):
    rose = company[0].item
    set_policy(item=rose, building="weight", weight=Decimal(3), buffer=Decimal(1), actor=None)

    as_planner.post(f"/channels/competing/{competing_groups()[0].key}/", {"percent": "100"})

    rule = AllocationPolicy.objects.standing().get(item=rose)
    assert (rule.building, rule.weight, rule.buffer, rule.divided_percent) == ("weight", 3, 1, 100)


@pytest.mark.parametrize("percent", ["101", "-1", "much", ""])
def test_a_percent_that_is_none_is_refused_in_words(company, as_planner, percent):
    answer = as_planner.post(f"/channels/competing/{competing_groups()[0].key}/", {"percent": percent})

    assert answer.status_code == 422
    assert not AllocationPolicy.objects.filter(item__isnull=False).exists()


def test_who_may_only_look_cannot_save(company, as_viewer):
    assert as_viewer.post(f"/channels/competing/{competing_groups()[0].key}/", {"percent": "50"}).status_code == 403


def test_without_anything_that_competes_the_page_says_what_it_is_for(as_viewer):
    assert "Nothing that is offered competes" in as_viewer.get("/channels/competing/").content.decode()
    assert as_viewer.get("/channels/competing/1/").status_code == 302


def test_a_price_of_order_lines_is_used_before_the_cost(company, as_viewer):
    today = timezone.localdate()
    text = "SKU,Date,Quantity,Channel,Price\n" + "".join(
        f"{sku},{today},{quantity},{company[0].channel.code},{price}\n"
        for sku, quantity, price in (("ROSE0", 1, "10"), ("ROSE0", 3, "12"), ("LIME0", 1, "20"))
    )
    report = run_import(
        kind=kind_named("order_lines"), content=text.encode(), file_name="t.csv", actor=None, mode=Mode.ALL
    )
    assert report.is_applied, report.problems
    assert list(ChannelDemand.objects.order_by("unit_price").values_list("unit_price", flat=True)) == [
        Decimal("11.5"),
        Decimal(20),
    ]

    _, group = page(as_viewer)

    assert [(one.item.sku, one.worth.value, one.worth.source) for one in group.members] == [
        ("LIME0", 20, "order lines"),
        ("ROSE0", Decimal("11.5"), "order lines"),
    ]
    assert group.now.money == 10 * Decimal("11.5") + 20 * 20
    assert "average price of the last 90 days" in group.worth_words


def test_a_component_that_is_sold_itself_is_named_as_what_division_does_not_cover(company, as_viewer):
    jar = competing_groups()[0].scarce[0].item
    type(jar).objects.filter(pk=jar.pk).update(is_sellable=True)
    jar.refresh_from_db()
    make_listing(channel=company[0].channel, item=jar)
    absorb_all()

    answer, group = page(as_viewer, 100)

    assert group.then.units == 10
    assert "sold as well as built in" in answer.content.decode()


@pytest.mark.parametrize("seed", range(4))
def test_fully_divided_what_channels_show_can_be_built_in_any_sequence(as_planner, seed):
    """Through rules, recompute and outbox: orders for all that is shown, in a random sequence, are made by completions."""
    chance = random.Random(seed)
    listings = make_company(jars=str(chance.randint(3, 12)))
    record_demand(
        rows=[
            DaySold(one.channel, one.item, timezone.localdate() - timedelta(days=2), Decimal(chance.randint(0, 9)))
            for one in listings
        ]
    )
    as_planner.post(f"/channels/competing/{competing_groups()[0].key}/", {"percent": "100"})
    figures = shown(listings)
    orders = [one.item for one, figure in zip(listings, figures, strict=True) for _ in range(figure)]
    assert orders
    chance.shuffle(orders)
    for candle in orders:
        complete(candle, "1", into=Location.objects.get())

    assert sum(figures) <= 12


def test_the_page_costs_the_same_for_one_group_and_for_ten(as_viewer):
    make_company()
    with CaptureQueriesContext(connection) as one:
        as_viewer.get("/channels/competing/")
    site = make_location()
    for number in range(1, 10):
        make_pair(number, site, [make_channel()])
    absorb_all()

    with CaptureQueriesContext(connection) as ten:
        answer = as_viewer.get("/channels/competing/")

    assert len(answer.context["groups"]) == 10
    assert len(ten) == len(one)
