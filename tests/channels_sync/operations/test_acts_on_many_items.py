"""What one person types, pastes or sends of many items at once is a bulk edit for the guard; usual work is none."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from channels_sync.models import ChannelGuard, Hold, HoldState, PublishRun
from channels_sync.operations.publishing import publish_due
from inventory import bulk
from inventory.models import LocationKind, StockChange
from inventory.operations.receiving import ReceiptLine, receive_stock
from production.operations.completing import CompletionRequest, complete_production
from production.operations.completing_batches import BatchMode, complete_batch
from tests.api.client import ApiClient
from tests.channels_sync.factories import let_all_flow, make_channel, make_listing
from tests.channels_sync.guarded import forget_window, settle, waits
from tests.factories import make_item, make_location, make_user
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db
LINES = 500
AN_HOUR_AGO = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def partner():
    return make_location(code="3PL", kind=LocationKind.THIRD_PARTY)


def offers(shop, place, count, **item):
    """So many listings that show 10, on a channel whose guard looks at nothing but bulk edits."""
    channel = let_all_flow(make_channel())
    goods = [make_item(sku=f"SKU-{n:03}", is_sellable=True, **item) for n in range(count)]
    listings = [make_listing(channel=channel, shop=shop, item=one) for one in goods]
    receive_stock(
        key=uuid4(), lines=[ReceiptLine(item=one, location=place, quantity=Decimal(10)) for one in goods], actor=None,
        effective_at=timezone.now() - AN_HOUR_AGO,
    )  # fmt: skip
    settle(channel)
    for _ in range(count // 100):  # what one call takes is bounded
        publish_due(channel_id=channel.pk, rows_max=500)
    assert {shop.shows(listing) for listing in listings} == {10}
    ChannelGuard.objects.update(after_bulk=True)
    forget_window()
    return channel, listings


def report_by_page(partner, listings, quantity):
    client = Client()
    client.force_login(make_user(role="planner"))
    said = {
        "key": str(uuid4()),
        "location": partner.pk,
        "as_of": f"{timezone.localtime():%Y-%m-%dT%H:%M:%S}",
        "lines": "\n".join(f"{listing.item.sku}\t{quantity}" for listing in listings),
    }
    answer = client.post("/stock/reported/", said)
    if answer.status_code == 200:  # what it changes is shown first
        answer = client.post("/stock/reported/", {**said, "shown": answer.context["outlook"].fingerprint})
    assert answer.status_code == 302, answer.content.decode()


def test_what_a_report_of_many_items_changes_on_channels_is_shown_before_it_is_taken(shop, partner):
    channel, listings = offers(shop, partner, bulk.ITEMS_MIN)
    client = Client()
    client.force_login(make_user(role="planner"))
    said = {
        "key": str(uuid4()),
        "location": partner.pk,
        "as_of": f"{timezone.localtime():%Y-%m-%dT%H:%M:%S}",
        "lines": "\n".join(f"{listing.item.sku} 0" for listing in listings),
    }

    page = client.post("/stock/reported/", said)
    words = " ".join(page.content.decode().split())
    shown = page.context["outlook"].fingerprint
    untouched = not StockChange.objects.exists()
    another = client.post(
        "/stock/reported/", {**said, "lines": said["lines"].replace("SKU-000 0", "SKU-000 1"), "shown": shown}
    )
    taken = client.post("/stock/reported/", {**said, "shown": shown})

    assert (page.status_code, untouched, another.status_code, taken.status_code) == (200, True, 200, 302)
    assert f"{bulk.ITEMS_MIN}</span> differences to the book would be posted" in words
    assert (
        f"{channel.name}: {bulk.ITEMS_MIN} of {bulk.ITEMS_MIN} listings show another figure, 200 → 0 in all; 20 go to zero"
        in words
    )
    assert StockChange.objects.count() == 1


def report_by_rest(partner, listings, quantity):
    answer = ApiClient(make_user(role="administrator")).post(
        "external-stock/",
        {
            "location": partner.code,
            "as_of": timezone.now().isoformat(),
            "lines": [{"item": listing.item.sku, "quantity": str(quantity)} for listing in listings],
        },
    )
    assert answer.status_code == 201, answer.json()


@pytest.mark.parametrize("report", [report_by_page, report_by_rest])
def test_raises_by_hundreds_of_reported_lines_wait(shop, partner, report):
    channel, listings = offers(shop, partner, LINES)

    report(partner, listings, 12)
    settle(channel)

    run = waits(listings[0]).run
    assert (run.cause, run.listings_held) == ("bulk report", LINES)
    assert [trip["words"] for trip in run.trips] == [
        f"{LINES} listings would rise right after reported stock of many items."
    ]
    assert {shop.shows(listing) for listing in listings} == {10}


@pytest.mark.parametrize("report", [report_by_page, report_by_rest])
def test_a_report_that_changes_few_items_flows_however_many_it_names(shop, partner, report):
    channel, listings = offers(shop, partner, 60)
    few = bulk.ITEMS_MIN - 1

    report(partner, listings[few:], 10)
    report(partner, listings[:few], 12)
    settle(channel)

    assert PublishRun.objects.latest("pk").cause == "adjustment"
    assert sorted(shop.shows(listing) for listing in listings) == [10] * (60 - few) + [12] * few


def test_lowering_by_a_report_flows_as_ever(shop, partner):
    channel, listings = offers(shop, partner, 30)

    report_by_rest(partner, listings, 7)
    settle(channel)

    assert {shop.shows(listing) for listing in listings} == {7}
    assert not Hold.objects.exists()


def put_components(site, count):
    """Components for products, a hundred of each; nothing of them is offered."""
    parts = [make_item() for _ in range(count)]
    receive_stock(
        key=uuid4(), lines=[ReceiptLine(item=one, location=site, quantity=Decimal(100)) for one in parts], actor=None
    )
    return parts


def test_a_completion_that_uses_many_components_is_no_bulk_edit(shop):
    """Neither are several of them one by one, though each tells of more items than a bulk edit has."""
    site = make_location(code="SITE")
    channel, listings = offers(shop, site, 8, kind="finished")
    parts = put_components(site, bulk.ITEMS_MIN + 5)
    for listing in listings:
        make_bom(item=listing.item, lines=[(part, "1") for part in parts])
    StockChange.objects.all().delete()

    for listing in listings:
        request = CompletionRequest(good=Decimal(2), item=listing.item, output_location=site)
        complete_production(key=uuid4(), request=request, actor=None)
    assert {(change.cause, len(change.items)) for change in StockChange.objects.all()} == {
        ("completion", len(parts) + 1)
    }
    settle(channel)

    assert {shop.shows(listing) for listing in listings} == {12}


@pytest.mark.parametrize("mode", [BatchMode.ALL, BatchMode.EACH])
@pytest.mark.parametrize(("products", "holds"), [(bulk.ITEMS_MIN, True), (bulk.ITEMS_MIN - 1, False)])
def test_completions_recorded_together_are_one_act(shop, mode, products, holds):
    site = make_location(code="SITE")
    channel, listings = offers(shop, site, products, kind="finished")
    (part,) = put_components(site, 1)
    for listing in listings:
        make_bom(item=listing.item, lines=[(part, "1")])

    entries = [
        (uuid4(), CompletionRequest(good=Decimal(2), item=listing.item, output_location=site)) for listing in listings
    ]
    result = complete_batch(entries=entries, mode=mode, actor=None)
    assert result.is_kept
    assert not [outcome.problem for outcome in result.outcomes if outcome.problem]
    settle(channel)

    words = f"{products} listings would rise right after many completions recorded at once."
    held = Hold.objects.filter(state=HoldState.OPEN)
    assert held.count() == (products if holds else 0)
    assert {trip["words"] for hold in held for trip in hold.run.trips} == ({words} if holds else set())


def test_after_it_what_others_raise_within_a_quarter_of_an_hour_waits_too(shop, partner):
    channel, listings = offers(shop, partner, 30)
    report_by_rest(partner, listings[:25], 8)
    settle(channel)
    assert shop.shows(listings[0]) == 8

    receive_stock(
        key=uuid4(),
        lines=[ReceiptLine(item=one.item, location=partner, quantity=Decimal(1)) for one in listings[20:28]],
        actor=None,
    )
    settle(channel)

    (trip,) = waits(listings[25]).run.trips
    assert trip["words"] == "8 listings would rise right after reported stock of many items."
