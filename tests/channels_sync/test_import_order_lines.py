"""Order lines become what was sold on a day, once."""

import csv
import gzip
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from channels_sync.models import ChannelDemand
from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item

pytestmark = pytest.mark.django_db
HEAD = "Invoice,InvoiceDate,StockCode,Quantity,Channel\n"


def take(text, mode=Mode.ALL):
    return run_import(
        kind=kind_named("order_lines"), content=text.encode(), file_name="orders.csv", actor=None, mode=mode,
        options=ImportOptions(),
    )  # fmt: skip


def outcomes(report):
    return {name: number for name, number in report.counts().items() if number}


@pytest.fixture
def shop():
    make_item(sku="22065")
    return make_channel(code="shop")


def test_lines_of_one_day_are_added_up_and_the_second_time_nothing_changes(shop):
    text = HEAD + "1,2009-12-01 09:28,22065,12,shop\n2,2009-12-01 17:01,22065,3,SHOP\n3,2009-12-02 08:00,22065,1,shop\n"

    checked = take(text, Mode.CHECK)
    assert not ChannelDemand.objects.exists()
    first, again = take(text), take(text)

    assert [(row.day, row.quantity) for row in ChannelDemand.objects.order_by("day")] == [
        (date(2009, 12, 1), Decimal(15)),
        (date(2009, 12, 2), Decimal(1)),
    ]
    assert outcomes(checked) == outcomes(first) == {"new": 2, "unchanged": 1}
    assert outcomes(again) == {"unchanged": 3}
    assert [change.new for change in first.results[0].changes] == ["15"]


def test_cancelled_and_returned_lines_are_left_out(shop):
    report = take(
        HEAD + "C4,2009-12-01 09:28,22065,2,shop\n5,2009-12-01 09:28,22065,-2,shop\n6,2009-12-01,22065,4,shop\n"
    )

    assert outcomes(report) == {"new": 1, "skipped": 2}
    assert ChannelDemand.objects.get().quantity == 4


def test_the_channels_own_sku_counts_in_packs(shop):
    make_listing(channel=shop, item=make_item(sku="CANDLE", is_sellable=True), external_sku="C-6", pack_size=Decimal(6))

    take(HEAD + "7,2009-12-01 09:28,c-6,2,shop\n")

    assert [(row.item.sku, row.quantity) for row in ChannelDemand.objects.all()] == [("CANDLE", Decimal(12))]


def test_the_channel_may_be_left_out_only_where_there_is_one(shop):
    text = "order id,purchase date,sku,quantity\nA-1,2009-12-01T09:28:00Z,22065,2\n"
    assert outcomes(take(text)) == {"new": 1}
    make_channel(code="stall")

    report = take(text)

    assert outcomes(report) == {"refused": 1}
    assert "there are several channels" in report.problems[0].message


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("8,2009-12-01 09:28,22065,2,nowhere", "there is no channel “nowhere”"),
        ("8,2009-12-01 09:28,NOTHING,2,shop", "there is no item NOTHING"),
        ("8,01/02/2009,22065,2,shop", "is not a date without doubt"),
        ("8,2999-12-01 09:28,22065,2,shop", "has not come yet"),
        ("8,2009-12-01 09:28,22065,many,shop", "“many” is not a number"),
        ("8,,22065,2,shop", "the date is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_row_and_nothing_is_written(shop, row, words):
    report = take(f"{HEAD}1,2009-12-01 09:28,22065,2,shop\n{row}\n")

    assert words in " ".join(problem.message for problem in report.problems)
    assert report.problems[0].row == 3
    assert not ChannelDemand.objects.exists()


EXCERPT = Path(__file__).parents[2] / "bench" / "excerpts" / "online_retail_ii.csv"
MONTH = Path(__file__).parents[3] / "shared/data/orders/uci_online_retail_2/orders_2010-02.csv.gz"


def test_a_year_of_a_real_shop_is_taken_in_as_it_was_exported():
    rows = list(csv.DictReader(io.StringIO(EXCERPT.read_text(encoding="utf-8"))))
    for sku in sorted({row["StockCode"].upper() for row in rows}):
        make_item(sku=sku)
    make_channel(code="shop")

    report = take(EXCERPT.read_text(encoding="utf-8"))

    asked = sum(int(row["Quantity"]) for row in rows if int(row["Quantity"]) > 0 and row["Invoice"].isdigit())
    assert report.problems == []
    assert sum(row.quantity for row in ChannelDemand.objects.all()) == asked
    assert outcomes(take(EXCERPT.read_text(encoding="utf-8")))["unchanged"] > 4_000


@pytest.mark.skipif(not MONTH.is_file(), reason="the data set is not beside the repository")
def test_a_whole_file_of_the_data_set_is_read_with_all_its_columns():
    text = gzip.decompress(MONTH.read_bytes()).decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))[:2_000]
    for sku in sorted({row["StockCode"].upper() for row in rows}):
        make_item(sku=sku)
    make_channel(code="shop")

    head, *lines = text.splitlines(keepends=True)
    report = take(head + "".join(lines[:2_000]))

    assert report.problems == []
    assert set(report.used_columns.values()) == {"item", "at", "quantity", "price", "order"}
