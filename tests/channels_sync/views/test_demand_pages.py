"""What channels sold, by item and channel and day by day."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from channels_sync.models import ChannelMode, Listing
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.demand import DaySold, record_demand
from channels_sync.reads.layers import DEMAND_DAYS, demand_of
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db
PAGE = "channels_sync:demand"


@pytest.fixture
def channel():
    return make_channel(code="shop", name="Candle shop")


@pytest.fixture
def as_planner(client):
    client.force_login(make_user(role="planner"))
    return client


def candle(number=0):
    return make_item(sku=f"CANDLE-{number:02}", is_sellable=True)


def sold(channel, item, *, days, quantity="2", skip=0, source="orders.csv"):
    today = timezone.localdate()
    rows = [
        DaySold(channel, item, today - timedelta(days=back), Decimal(quantity), Decimal("4.5"))
        for back in range(1 + skip, 1 + skip + days)
    ]
    record_demand(rows=rows, source=source)


def words_of(page):
    return " ".join(unescape(strip_tags(page.content.decode().replace("<", " <"))).split())


def rows_of(page):
    return [(row.sku, row.channel_code, row.days, row.units, row.missing) for row in page.context["rows"]]


def table_of(answer):
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))


def test_an_empty_page_says_how_to_import(as_planner, client):
    page = as_planner.get(reverse(PAGE))

    assert "No demand is recorded yet Import a table with channel, item, day and quantity" in words_of(page)
    assert reverse("import_table", args=["demand"]) in page.content.decode()
    client.force_login(make_user(role="viewer"))
    assert reverse("import_table", args=["demand"]) not in client.get(reverse(PAGE)).content.decode()


def test_days_units_and_what_it_gives_a_day_stand_there_as_rules_take_them(as_planner, channel):
    item = candle()
    sold(channel, item, days=14, quantity="3")

    page = as_planner.get(reverse(PAGE))

    assert rows_of(page) == [("CANDLE-00", "shop", 14, 42, 14)]
    (row,) = page.context["rows"]
    assert row.per_day == Decimal("1.5")
    assert row.per_day == demand_of([item.pk], today=timezone.localdate()).of(item.pk, channel.pk).daily
    assert (row.window, row.source, row.last_on) == (
        DEMAND_DAYS,
        "orders.csv",
        timezone.localdate() - timedelta(days=1),
    )
    assert "CANDLE-00" in words_of(page)
    assert "Candle shop block Not offered 14 of 28 14 42 pcs 1.5 pcs orders.csv yesterday" in words_of(page)


def test_today_and_what_is_older_than_the_window_do_not_count(as_planner, channel):
    item = candle()
    record_demand(rows=[DaySold(channel, item, timezone.localdate(), Decimal(9))])
    sold(channel, item, days=1, skip=DEMAND_DAYS - 1)
    sold(channel, item, days=1, skip=DEMAND_DAYS, quantity="7")

    assert rows_of(as_planner.get(reverse(PAGE))) == [("CANDLE-00", "shop", 1, 2, 27)]
    assert rows_of(as_planner.get(reverse(PAGE), {"window": "90"})) == [("CANDLE-00", "shop", 2, 9, 88)]
    assert rows_of(as_planner.get(reverse(PAGE), {"window": "7"}))[0][-1] == 27


def test_what_is_offered_and_has_no_day_is_missing(as_planner, channel):
    listing = make_listing(channel=channel, item=candle())
    old = make_listing(channel=channel, item=candle(1))
    sold(channel, old.item, days=1, skip=40)
    make_listing(channel=make_channel(code="off", mode=ChannelMode.OFF), item=listing.item)
    gone = make_listing(channel=channel, item=candle(2))
    Listing.objects.filter(pk=gone.pk).update(is_active=False)

    page = as_planner.get(reverse(PAGE), {"coverage": "missing"})

    assert rows_of(page) == [("CANDLE-00", "shop", 0, 0, 28), ("CANDLE-01", "shop", 0, 0, 28)]
    assert [row.last_on for row in page.context["rows"]] == [None, timezone.localdate() - timedelta(days=41)]
    assert "2 with no day recorded" in words_of(as_planner.get(reverse(PAGE)))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "candle-01"}, ["CANDLE-01"]),
        ({"q": "%"}, []),
        ({"channel": "market"}, ["CANDLE-02"]),
        ({"channel": "nowhere"}, ["CANDLE-00", "CANDLE-01", "CANDLE-02"]),
        ({"coverage": "whole"}, ["CANDLE-00"]),
        ({"coverage": "partly"}, ["CANDLE-01", "CANDLE-02"]),
    ],
)
def test_it_is_narrowed_and_taken_away_as_narrowed(as_planner, channel, asked, found):
    for number, days in enumerate((28, 3)):
        sold(channel, candle(number), days=days)
    sold(make_channel(code="market", name="Market"), candle(2), days=5)

    page = as_planner.get(reverse(PAGE), asked)
    lines = table_of(as_planner.get(reverse(PAGE), {**asked, "export": "csv"}))

    assert [row.sku for row in page.context["rows"]] == found
    assert [line[0] for line in lines[1:]] == found
    if asked == {"channel": "market"}:
        assert lines[1][2:9] == ["Market", "28", "5", "23", "10", "0.357143", "pcs"]


def test_one_item_is_looked_at_on_every_channel(as_planner, channel):
    item = candle()
    sold(channel, item, days=2)
    sold(make_channel(code="market", name="Market"), item, days=3)
    sold(channel, candle(1), days=2)

    page = as_planner.get(reverse(PAGE), {"item": item.pk})

    assert [(row[1], row[2]) for row in rows_of(page)] == [("shop", 2), ("market", 3)]
    assert [chip.label for chip in page.context["chips"]] == ["CANDLE-00"]


def test_pages_are_turned(as_planner, channel):
    for number in range(51):
        sold(channel, candle(number), days=1)

    page = as_planner.get(reverse(PAGE), {"page": "2"})

    assert (page.context["page_object"].paginator.count, [row[0] for row in rows_of(page)]) == (51, ["CANDLE-50"])


def test_each_day_stands_there_and_so_do_those_that_are_missing(as_planner, channel):
    item = candle()
    sold(channel, item, days=1)
    sold(channel, item, days=1, skip=2, quantity="0", source="")
    address = reverse("channels_sync:demand_days", args=[item.pk, "shop"])

    page = as_planner.get(address)
    lines = table_of(as_planner.get(address, {"export": "csv"}))

    days = page.context["page_object"].object_list
    assert [None if one.sold is None else one.sold.quantity for one in days[:4]] == [2, None, 0, None]
    assert len(days) == 28
    assert "26 missing, which count as nothing sold" in words_of(page)
    assert "Not recorded" in words_of(page)
    assert [line[3:7] for line in lines[1:4]] == [
        ["2", "pcs", "4.5", "orders.csv"],
        ["", "pcs", "", ""],
        ["0", "pcs", "4.5", ""],
    ]


def test_a_window_without_a_day_says_how_to_import(as_planner, channel):
    listing = make_listing(channel=channel, item=candle())

    page = as_planner.get(reverse("channels_sync:listing_demand", args=[listing.pk]))

    assert "No day of this window is recorded Rules take it that nothing was sold." in words_of(page)
    assert reverse("import_table", args=["demand"]) in page.content.decode()


def test_listing_item_rules_and_why_lead_to_it(as_planner, channel):
    listing = make_listing(channel=channel, item=candle())
    put_on_hand(listing.item, make_location(), "50")
    sold(channel, listing.item, days=14, quantity="4")
    set_policy(actor=None, listing=listing, buffer_days=Decimal(2))
    absorb_changes()
    of_listing = reverse("channels_sync:listing_demand", args=[listing.pk])

    def at(name, *args, **asked):
        return as_planner.get(reverse(name, args=args), asked).content.decode()

    assert f'href="{of_listing}"' in at("channels_sync:listing", listing.pk)
    assert f'href="{of_listing}">Sold here in 28 days' in at("channels_sync:why", listing.pk)
    assert f"{reverse(PAGE)}?item={listing.item_id}" in at("inventory:item", listing.item_id, tab="channels")
    for name in ("policies", "edit_policy", "buffers"):
        assert f'href="{reverse(PAGE)}' in at(f"channels_sync:{name}")


def test_one_row_and_many_take_the_same_statements(as_planner, channel):
    def statements(address, **asked):
        with CaptureQueriesContext(connection) as captured:
            as_planner.get(address, asked)
        return len(captured)

    item = candle()
    sold(channel, item, days=1)
    days = reverse("channels_sync:demand_days", args=[item.pk, "shop"])
    statements(reverse(PAGE))
    few = statements(reverse(PAGE)), statements(days)
    for number in range(1, 21):
        sold(channel, candle(number), days=20)
        make_listing(channel=channel, item=candle(number + 50))
    sold(channel, item, days=27, skip=1)

    assert (statements(reverse(PAGE)), statements(days)) == few


def test_who_may_not_see_rules_does_not_see_it(client, channel):
    client.force_login(make_user(role="counter"))

    assert client.get(reverse(PAGE)).status_code == 403
    assert client.get(reverse("channels_sync:demand_days", args=[candle().pk, "shop"])).status_code == 403
