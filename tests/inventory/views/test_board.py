import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from inventory.operations.reserving import reserve_stock
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db
URL = "/stock/"


def rows_of(response):
    return {line.row.item.sku: line.row for line in response.context["lines"]}


def queries_of(client, url, **query):
    client.get(url, query)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(url, query).status_code == 200
    return len(seen)


def test_shows_what_is_on_hand_reserved_available_and_worth(as_viewer, operator):
    item, site = make_item(sku="WAX"), make_location(code="SITE")
    put_on_hand(item, site, "10", value="25.00")
    reserve_stock(item=item, location=site, quantity=Decimal(4), demand_kind="order", demand_ref="1", actor=operator)

    row = rows_of(as_viewer.get(URL))["WAX"]

    assert (row.on_hand, row.reserved, row.available, row.value) == (10, 4, 6, Decimal("25.00"))
    assert [(place.location_code, place.status, place.on_hand) for place in row.places] == [("SITE", "available", 10)]


def test_an_unknown_cost_is_shown_as_unknown(as_viewer):
    item = make_item(sku="WAX")
    put_on_hand(item, make_location(), "10")

    response = as_viewer.get(URL)

    assert rows_of(response)["WAX"].value is None
    assert "unknown" in response.content.decode()


def test_parts_of_a_pool_are_worth_their_share(as_viewer):
    item, one, other = make_item(sku="WAX"), make_location(code="A"), make_location(code="B")
    put_on_hand(item, one, "1", value="1.00")
    put_on_hand(item, other, "3", value="7.00")

    row = rows_of(as_viewer.get(URL))["WAX"]

    assert [(place.location_code, place.value) for place in row.places] == [
        ("A", Decimal("2.00")),
        ("B", Decimal("6.00")),
    ]


@pytest.mark.parametrize("text", ["wAx", "4006381333931", "soy"])
def test_search_takes_a_sku_a_barcode_or_a_name(as_viewer, text):
    make_item(sku="WAX", name="Soy wax", barcode="4006381333931")
    make_item(sku="WICK", name="Cotton wick")

    assert list(rows_of(as_viewer.get(URL, {"q": text}))) == ["WAX"]


def test_a_place_narrows_to_itself_and_below(as_viewer):
    item, site = make_item(sku="WAX"), make_location(code="SITE")
    shelf, elsewhere = make_location(code="BIN", parent=site), make_location(code="ELSEWHERE")
    put_on_hand(item, shelf, "5")
    put_on_hand(item, elsewhere, "2")
    make_item(sku="WICK")

    rows = rows_of(as_viewer.get(URL, {"site": site.pk}))

    assert list(rows) == ["WAX"]
    assert (rows["WAX"].on_hand, rows["WAX"].available) == (5, 5)


def test_low_means_below_the_reorder_point_after_promises(as_viewer, operator):
    site = make_location()
    low = make_item(sku="LOW", reorder_point=Decimal(10))
    enough = make_item(sku="ENOUGH", reorder_point=Decimal(10))
    make_item(sku="NEVER-HAD", reorder_point=Decimal(1))
    put_on_hand(low, site, "12")
    put_on_hand(enough, site, "10")
    reserve_stock(item=low, location=site, quantity=Decimal(3), demand_kind="order", demand_ref="1", actor=operator)

    assert set(rows_of(as_viewer.get(URL, {"flag": "low"}))) == {"LOW", "NEVER-HAD"}


def test_expired_and_soon_to_expire_lots_are_found(as_viewer):
    site, today = make_location(), timezone.localdate()
    for sku, days in (("GONE", -1), ("LAST-DAY", 0), ("SOON", 30), ("LATER", 31)):
        put_on_hand(make_item(sku=sku, tracking="lot"), site, "1", lot="L", expires_on=today + timedelta(days=days))

    assert set(rows_of(as_viewer.get(URL, {"flag": "expired"}))) == {"GONE"}
    assert set(rows_of(as_viewer.get(URL, {"flag": "soon"}))) == {"LAST-DAY", "SOON"}


def test_each_filter_is_a_chip_that_takes_only_itself_away(as_viewer):
    response = as_viewer.get(URL, {"q": "wax", "status": "qc_hold", "stocked": "1", "page": "3"})

    chips = {chip.label: chip.url for chip in response.context["chips"]}
    assert chips["Status: QC hold"] == "?q=wax&stocked=1"
    assert chips["“wax”"] == "?status=qc_hold&stocked=1"


def test_sorts_by_quantity(as_viewer):
    site = make_location()
    for sku, quantity in (("A", "5"), ("B", "50"), ("C", "7")):
        put_on_hand(make_item(sku=sku), site, quantity)

    assert list(rows_of(as_viewer.get(URL, {"sort": "-on_hand"}))) == ["B", "C", "A"]


def test_htmx_gets_the_results_alone(as_viewer):
    make_item(sku="WAX")

    whole = as_viewer.get(URL)
    part = as_viewer.get(URL, headers={"HX-Request": "true", "HX-Target": "board"})

    assert "<html" in whole.content.decode()
    assert "<html" not in part.content.decode()
    assert "WAX" in part.content.decode()
    assert "HX-Request" in part.headers["Vary"]


def test_costs_the_same_number_of_queries_with_one_and_with_many_items(as_viewer):
    site = make_location()
    put_on_hand(make_item(), site, "5", value="5")
    few = queries_of(as_viewer, URL)

    for number in range(24):
        item = make_item(tracking="lot")
        put_on_hand(item, make_location(parent=site), "5", value="5", lot=f"L{number}")
        put_on_hand(item, site, "5", lot=f"M{number}", status="qc_hold")

    assert queries_of(as_viewer, URL) == few


def test_the_csv_has_exactly_the_filtered_rows(as_viewer):
    site = make_location(code="SITE")
    item = make_item(sku="WAX", name="=cmd|calc", unit="kg", step="0.1")
    put_on_hand(item, site, "12.5", value="25")
    put_on_hand(item, site, "1", value="2", status="damaged")
    make_item(sku="WICK")

    text = b"".join(as_viewer.get(URL, {"q": "wax", "export": "csv"}).streaming_content).decode("utf-8-sig")

    lines = text.splitlines()
    assert lines[0].startswith("SKU,Name,Unit,Location,Status,On hand,Reserved,Value")
    assert lines[1].startswith("WAX,'=cmd|calc,kg,SITE,Available,12.5,0,25")
    assert lines[2].startswith("WAX,'=cmd|calc,kg,SITE,Damaged,1,0,2")
    assert len(lines) == 3


def test_the_workbook_has_figures_as_numbers(as_viewer):
    put_on_hand(make_item(sku="WAX"), make_location(), "12", value="25.00")

    response = as_viewer.get(URL, {"rows": "items", "export": "xlsx"})

    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    header, row = list(sheet.iter_rows(values_only=True))
    figures = dict(zip(header, row, strict=True))
    assert (figures["SKU"], figures["On hand"], figures["Available"], figures["Value"]) == ("WAX", 12, 12, 25)


def test_an_empty_board_says_what_to_do(client, administrator):
    client.force_login(administrator)

    page = client.get(URL).content.decode()

    assert "No items yet" in page
    assert reverse("admin:inventory_item_add") in page


def test_a_filter_without_result_offers_to_clear_it(as_viewer):
    make_item(sku="WAX")

    assert "Nothing matches these filters" in as_viewer.get(URL, {"q": "zzz"}).content.decode()
