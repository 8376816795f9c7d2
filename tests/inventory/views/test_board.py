import csv
import io
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from inventory.models import (
    CountLine,
    CountLineState,
    CountSheet,
    Location,
    LocationKind,
    Lot,
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseOrderState,
    StockBalance,
    Supplier,
    SupplierItem,
    SupplierStock,
)
from inventory.operations.issuing import issue_stock
from inventory.operations.reserving import reserve_stock
from inventory.operations.transit import Arrival, DispatchLine, dispatch_transfer, receive_transfer
from inventory.panels import Expectation, register_expectation, registry
from inventory.reads.availability import availability
from inventory.reads.board import choosing
from tests.factories import make_item, make_location, make_user, put_on_hand

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


def exported(client, **query):
    """The rows of a CSV export as dicts."""
    text = b"".join(client.get(URL, {"export": "csv", **query}).streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_has_exactly_the_filtered_rows_and_the_chosen_columns(as_viewer):
    site = make_location(code="SITE")
    item = make_item(sku="WAX", name="=cmd|calc", unit="kg", step="0.1")
    put_on_hand(item, site, "12.5", value="25")
    put_on_hand(item, site, "1", value="2", status="damaged")
    make_item(sku="WICK")

    rows = exported(as_viewer, q="wax", cols="on_hand,value")

    assert [list(row.values()) for row in rows] == [
        ["WAX", "'=cmd|calc", "kg", "SITE", "Available", "12.5", "25"],
        ["WAX", "'=cmd|calc", "kg", "SITE", "Damaged", "1", "2"],
    ]
    assert list(rows[0]) == ["SKU", "Name", "Unit", "Location", "Status", "On hand", "Value"]


def test_figures_of_an_item_as_a_whole_stand_in_its_first_row_only(as_viewer):
    item = make_item(sku="WAX")
    for code in ("A", "B"):
        put_on_hand(item, make_location(code=code), "5")

    rows = exported(as_viewer, cols="on_hand,available")

    assert [(row["Location"], row["On hand"], row["Available"]) for row in rows] == [("A", "5", "10"), ("B", "5", "")]


def test_an_export_has_all_rows_in_the_order_of_the_page(as_viewer):
    site = make_location()
    for number in range(60):
        put_on_hand(make_item(sku=f"I{number:02}"), site, str(number + 1))

    rows = exported(as_viewer, rows="items", sort="-on_hand")

    assert [int(row["On hand"]) for row in rows] == list(range(60, 0, -1))


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


# --- Everywhere: third parties, channels, the road, suppliers -----------------------------------------------------


def places_of(row):
    return {place.location_code: place.on_hand for place in row.places}


def at_supplier(item, quantity, *, code="ACME", hours_ago=1):
    supplier = Supplier.objects.create(code=code, name=f"{code} Inc")
    offer = SupplierItem.objects.create(supplier=supplier, item=item)
    confirmed_at = timezone.now() - timedelta(hours=hours_ago)
    return SupplierStock.objects.create(supplier_item=offer, quantity=Decimal(quantity), confirmed_at=confirmed_at)


def below_zero(place, quantity="5"):
    """An item that was used up to `quantity` below zero at a place."""
    item = make_item(negative_allowed=True)
    planner = make_user(superuser=True)
    issue_stock(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(quantity),
        reason="not booked yet",
        actor=planner,
        may_go_below=True,
    )
    return item


def test_shows_own_third_party_and_channel_stock_each_at_its_place(as_viewer):
    item = make_item(sku="WAX")
    put_on_hand(item, make_location(code="OWN"), "5")
    put_on_hand(item, make_location(code="3PL", kind=LocationKind.THIRD_PARTY), "7")
    put_on_hand(item, make_location(code="FBA", kind=LocationKind.CHANNEL_OWNED), "9")

    row = rows_of(as_viewer.get(URL))["WAX"]

    assert (row.on_hand, row.available) == (21, 12)  # what a channel keeps is not promised elsewhere
    assert places_of(row) == {"OWN": 5, "3PL": 7, "FBA": 9}


def test_goods_on_the_road_are_in_transit_and_not_on_hand(as_viewer):
    item, source, target = make_item(sku="WAX"), make_location(code="A"), make_location(code="B")
    road = make_location(code="ROAD", kind=LocationKind.IN_TRANSIT, is_sellable=False)
    put_on_hand(item, source, "11", value="11.00")
    sent = dispatch_transfer(
        key=uuid4(), source=source, target=target, transit=road, lines=[DispatchLine(item, Decimal(6))], actor=None
    )
    arrival = Arrival(sent.transfer.lines.get(), received=Decimal(1), lost=Decimal(1))
    receive_transfer(key=uuid4(), transfer=sent.transfer, arrivals=[arrival], loss_reason="fell off", actor=None)

    response = as_viewer.get(URL)

    row = rows_of(response)["WAX"]
    assert (row.on_hand, row.supply.in_transit, row.available, row.value) == (6, 4, 6, Decimal("10.00"))
    assert (row.incoming, row.after_demand) == (4, 10)
    assert "In transit" in response.content.decode()


def test_what_is_sent_is_left_after_demand_once_and_only_where_it_will_be_available(as_viewer):
    item, source = make_item(sku="WAX"), make_location(code="A")
    shop, locked = make_location(code="B"), make_location(code="C")
    put_on_hand(item, source, "100")
    put_on_hand(item, source, "5", status="damaged")
    put_on_hand(item, shop, "1")

    def send(target, quantity, **line):
        lines = [DispatchLine(item, Decimal(quantity), **line)]
        return dispatch_transfer(key=uuid4(), source=source, target=target, lines=lines, actor=None).transfer

    send(shop, 60, status="available")
    send(shop, 5, status="damaged")
    send(locked, 40)
    Location.objects.filter(pk=locked.pk).update(is_sellable=False)

    row = rows_of(as_viewer.get(URL))["WAX"]
    there = rows_of(as_viewer.get(URL, {"site": shop.pk}))["WAX"]
    page = " ".join(as_viewer.get(f"/stock/items/{item.pk}/").content.decode().split())

    assert (row.available, row.supply.in_transit, row.incoming, row.after_demand) == (1, 105, 60, 61)
    assert (there.available, there.supply.in_transit, there.incoming, there.after_demand) == (1, 65, 60, 61)
    assert "60 of it incoming, no day given" in page


def test_open_purchase_orders_are_incoming(as_viewer):
    item, site = make_item(sku="WAX"), make_location()
    supplier = Supplier.objects.create(code="ACME", name="Acme")
    for number, state in enumerate((PurchaseOrderState.ORDERED, PurchaseOrderState.DRAFT)):
        order = PurchaseOrder.objects.create(number=f"PO-{number}", supplier=supplier, state=state, location=site)
        for quantity, received, is_closed in ((10, 4, False), (10, 12, False), (10, 0, True)):
            PurchaseOrderLine.objects.create(
                order=order,
                item=item,
                typed_quantity=quantity,
                unit="pcs",
                quantity=quantity,
                received=received,
                is_closed=is_closed,
            )

    row = rows_of(as_viewer.get(URL))["WAX"]

    assert (row.incoming, row.after_demand, row.on_hand) == (6, 6, 0)


def test_after_demand_takes_each_promise_once(as_viewer, operator, monkeypatch):
    monkeypatch.setattr(registry, "expectations", {})
    item, site = make_item(sku="WAX"), make_location()
    put_on_hand(item, site, "20")
    reserve_stock(item=item, location=site, quantity=Decimal(4), demand_kind="order", demand_ref="1", actor=operator)
    register_expectation(Expectation("made", "Made", lambda ids, at: dict.fromkeys(ids, Decimal(7))))
    register_expectation(Expectation("used", "Used", lambda ids, at: dict.fromkeys(ids, Decimal(30)), is_demand=True))

    row = rows_of(as_viewer.get(URL))["WAX"]

    assert (row.available, row.incoming, row.demand, row.after_demand) == (16, 7, 34, -7)
    assert "\u22127" in as_viewer.get(URL).content.decode()


def test_supplier_stock_stands_apart_and_is_never_on_hand(as_viewer):
    item = make_item(sku="WAX")
    at_supplier(item, "500")

    response = as_viewer.get(URL)

    row = rows_of(response)["WAX"]
    assert (row.on_hand, row.available, row.value, row.supply.with_suppliers) == (0, 0, 0, 500)
    assert "not on hand" in response.content.decode()
    assert "fresh, 1 h ago" in response.content.decode()
    assert rows_of(as_viewer.get(URL, {"status": "available"})) == {}


def test_what_is_below_zero_somewhere_hides_nothing_elsewhere(as_viewer):
    short, other = make_location(code="SHORT"), make_location(code="OTHER")
    item = below_zero(short)
    put_on_hand(item, other, "8", value="8.00")

    response = as_viewer.get(URL)

    row = rows_of(response)[item.sku]
    assert (row.on_hand, row.below_zero, row.available) == (8, -5, 8)
    assert places_of(row) == {"SHORT": -5, "OTHER": 8}
    assert 'bf-negative">\u22125' in response.content.decode()
    assert [(r["On hand"], r["Below zero"]) for r in exported(as_viewer, rows="items", cols="on_hand")] == [("8", "-5")]


def test_third_party_figures_say_how_old_they_are(as_viewer):
    item = make_item(sku="WAX")
    old = timezone.now() - timedelta(days=3, hours=1)
    partner = make_location(code="3PL", kind=LocationKind.THIRD_PARTY, freshness_hours=24, stock_as_of=old)
    put_on_hand(item, partner, "5")
    put_on_hand(make_item(sku="WICK"), make_location(), "5")

    page = as_viewer.get(URL).content.decode()

    assert page.count("stale, 3 days") == 1
    assert set(rows_of(as_viewer.get(URL, {"flag": "stale"}))) == {"WAX"}


def test_owners_come_from_the_lot_else_from_the_place(as_viewer):
    ours, theirs = make_location(code="OURS"), make_location(code="CONSIGNED", owner="Northwind")
    bin_of = make_location(code="BIN", parent=theirs)
    item = make_item(sku="WAX", tracking="lot")
    put_on_hand(item, ours, "1", lot="A")
    put_on_hand(item, bin_of, "2", lot="B")
    put_on_hand(item, ours, "4", lot="C")
    Lot.objects.filter(code="C").update(owner="Contoso")

    def on_hand(owner):
        row = rows_of(as_viewer.get(URL, {"owner": owner})).get("WAX")
        return None if row is None else row.on_hand

    assert (on_hand("-"), on_hand("Northwind"), on_hand("Contoso"), on_hand("nobody")) == (1, 2, 4, 7)
    text = as_viewer.get(URL, {"cols": "owner,on_hand"}).content.decode()
    assert "Northwind" in text
    assert "ours, Contoso, Northwind" in text


def test_lots_are_rows_of_their_own(as_viewer):
    item, site = make_item(sku="WAX", tracking="lot"), make_location(code="SITE")
    put_on_hand(item, site, "1", lot="A", value="1.00")
    put_on_hand(item, site, "3", lot="B", value="3.00")

    response = as_viewer.get(URL, {"rows": "lots"})

    row = rows_of(response)["WAX"]
    assert [(lot.lot_code, lot.on_hand, lot.value) for lot in row.lots] == [("A", 1, 1), ("B", 3, 3)]
    assert [(r["Lot"], r["On hand"]) for r in exported(as_viewer, rows="lots")] == [("A", "1"), ("B", "3")]


def test_an_item_with_very_many_lots_lists_the_first_and_exports_all(as_viewer):
    item, site = make_item(sku="WAX", tracking="lot"), make_location()
    for number in range(30):
        put_on_hand(item, site, "1", lot=f"L{number:02}")

    response = as_viewer.get(URL, {"rows": "lots"})

    row = rows_of(response)["WAX"]
    assert (len(row.lots), row.lots_more, row.on_hand) == (25, 5, 30)
    assert "first 25 of" in response.content.decode()
    assert len(exported(as_viewer, rows="lots")) == 30


# --- Filters ------------------------------------------------------------------------------------------------------


def test_the_kind_of_place_narrows_the_figures(as_viewer):
    item = make_item(sku="WAX")
    put_on_hand(item, make_location(code="OWN"), "5")
    put_on_hand(item, make_location(code="FBA", kind=LocationKind.CHANNEL_OWNED), "9")
    put_on_hand(make_item(sku="WICK"), make_location(), "1")

    rows = rows_of(as_viewer.get(URL, {"place_kind": "channel_owned"}))

    assert {sku: (row.on_hand, row.available) for sku, row in rows.items()} == {"WAX": (9, 9)}


def test_the_choice_of_suppliers_shows_what_they_have_and_nothing_else(as_viewer):
    item = make_item(sku="WAX")
    put_on_hand(item, make_location(), "5")
    at_supplier(item, "500")
    make_item(sku="WICK")

    rows = rows_of(as_viewer.get(URL, {"place_kind": "supplier"}))

    assert {sku: (row.on_hand, row.supply.with_suppliers) for sku, row in rows.items()} == {"WAX": (0, 500)}


def test_negative_finds_what_is_below_zero(as_viewer):
    item = below_zero(make_location())
    put_on_hand(make_item(), make_location(), "5")

    assert set(rows_of(as_viewer.get(URL, {"flag": "negative"}))) == {item.sku}


def test_uncounted_leaves_out_what_was_counted_lately(as_viewer):
    site = make_location()
    sheet = CountSheet.objects.create(number="CS-1", location=site)
    for sku, days in (("LATELY", 89), ("LONG-AGO", 91), ("NEVER", None)):
        item = make_item(sku=sku)
        put_on_hand(item, site, "5")
        if days is not None:
            cell = StockBalance.objects.get(item=item)
            CountLine.objects.create(
                sheet=sheet,
                item=item,
                location=site,
                lot=cell.lot,
                state=CountLineState.POSTED,
                scanned_at=timezone.now() - timedelta(days=days),
                expected=5,
                counted=5,
            )

    assert set(rows_of(as_viewer.get(URL, {"flag": "uncounted"}))) == {"LONG-AGO", "NEVER"}


def test_stale_supplier_figures_are_stale_figures(as_viewer):
    at_supplier(make_item(sku="OLD"), "5", hours_ago=49)
    at_supplier(make_item(sku="NEW"), "5", code="OTHER", hours_ago=47)

    assert set(rows_of(as_viewer.get(URL, {"flag": "stale"}))) == {"OLD"}


def test_an_inactive_item_is_listed_while_it_has_stock(as_viewer):
    gone, left = make_item(sku="GONE"), make_item(sku="LEFT")
    put_on_hand(left, make_location(), "5")
    for item in (gone, left):
        item.is_active = False
        item.save()

    assert set(rows_of(as_viewer.get(URL))) == {"LEFT"}


@pytest.mark.parametrize("flag", ["low", "negative", "soon", "expired", "unknown", "stale", "uncounted"])
@pytest.mark.parametrize("narrow", [{}, {"status": "available", "owner": "-", "place_kind": "own"}])
def test_every_condition_goes_with_every_other_filter(as_viewer, flag, narrow):
    put_on_hand(make_item(), make_location(), "5")

    for sort in ("sku", "-name", "on_hand", "-value"):
        assert as_viewer.get(URL, {"flag": flag, "sort": sort, **narrow}).status_code == 200


# --- Paging, order, count -----------------------------------------------------------------------------------------


def skus(response):
    return list(rows_of(response))


@pytest.mark.parametrize("sort", ["sku", "-sku", "name", "-on_hand", "on_hand", "-value"])
@pytest.mark.parametrize("narrow", [{}, {"status": "available"}])
def test_pages_go_on_from_each_other_and_back_again(as_viewer, sort, narrow):
    site = make_location()
    for number in range(120):
        item = make_item(sku=f"I{number:03}", name=f"Thing {number % 7}")
        put_on_hand(item, site, str(1 + number % 5), value=str(number % 3))

    first = as_viewer.get(URL, {"sort": sort, **narrow})
    second = as_viewer.get(URL, {"sort": sort, "after": first.context["after"], **narrow})
    third = as_viewer.get(URL, {"sort": sort, "after": second.context["after"], **narrow})

    pages = [skus(one) for one in (first, second, third)]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert len({sku for page in pages for sku in page}) == 120
    assert (first.context["before"], third.context["after"]) == ("", "")
    back = as_viewer.get(URL, {"sort": sort, "before": third.context["before"], **narrow})
    assert skus(back) == pages[1]
    again = as_viewer.get(URL, {"sort": sort, "before": back.context["before"], **narrow})
    assert (skus(again), again.context["before"]) == (pages[0], "")


@pytest.mark.parametrize("mark", ["x", "bm90IGpzb24", "WyJhYmMiLDFd", "W251bGwsMV0", "WyJOYU4iLDFd", "WyIxIiwxZTk5XQ"])
@pytest.mark.parametrize("sort", ["sku", "on_hand"])
def test_an_address_with_a_broken_mark_shows_the_list(as_viewer, mark, sort):
    make_item(sku="WAX")

    assert as_viewer.get(URL, {"after": mark, "sort": sort}).status_code == 200


def test_a_large_book_is_estimated_and_a_small_one_counted(as_viewer, monkeypatch):
    for _ in range(3):
        make_item()
    assert "3</span> items" in as_viewer.get(URL).content.decode()

    monkeypatch.setattr(choosing, "EXACT_BELOW", -2)

    page = as_viewer.get(URL)
    assert page.context["count"].is_exact is False
    assert "about" in page.content.decode()


def test_all_levels_cost_the_same_number_of_queries_with_many_rows(as_viewer):
    def more(count):
        partner = make_location(kind=LocationKind.THIRD_PARTY, freshness_hours=1)
        for number in range(count):
            item = make_item(tracking="lot")
            put_on_hand(item, partner, "5", value="5", lot=f"L{number}")
            put_on_hand(item, partner, "5", lot=f"M{number}", status="qc_hold")
            at_supplier(item, "7", code=f"S{item.pk}")

    more(1)
    few = {level: queries_of(as_viewer, URL, rows=level) for level in ("items", "places", "lots")}
    more(19)

    assert {level: queries_of(as_viewer, URL, rows=level) for level in few} == few


# --- Columns ------------------------------------------------------------------------------------------------------


def titles(response):
    return [column.title for column, *_ in response.context["columns"]]


def test_columns_are_chosen_in_the_address(as_viewer):
    assert titles(as_viewer.get(URL, {"cols": "value,on_hand,nonsense"})) == ["On hand", "Value"]
    assert "Available" in titles(as_viewer.get(URL, {"cols": "nonsense"}))


def test_columns_are_remembered_for_the_person(as_viewer, as_operator):
    answer = as_viewer.post(
        reverse("inventory:choose_columns"), {"page": "board", "query": "q=wax&after=x", "cols": ["on_hand", "owner"]}
    )

    assert answer.url == f"{URL}?q=wax&cols=on_hand%2Cowner"
    assert titles(as_viewer.get(URL)) == ["Owner", "On hand"]
    assert "Available" in titles(as_operator.get(URL))
    as_viewer.post(reverse("inventory:choose_columns"), {"page": "board", "usual": "1", "cols": ["owner"]})
    assert "Available" in titles(as_viewer.get(URL))


def test_what_one_site_has_promised_and_not_is_not_taken_from_another(as_viewer):
    lacking, other = make_location(code="LACKING"), make_location(code="OTHER")
    item = make_item(sku="WAX", reorder_point=Decimal(8))
    low = make_item(sku="LOW", reorder_point=Decimal(12))
    for one in (item, low):
        put_on_hand(one, other, "10", value="10.00")
        reserve_stock(item=one, location=lacking, quantity=Decimal(6), demand_kind="order", demand_ref="1", actor=None)

    response = as_viewer.get(URL)

    row = rows_of(response)["WAX"]
    assert (row.available, row.shortage, row.after_demand, row.is_low) == (10, -6, 4, False)
    assert availability(items=[item.pk])[item.pk].from_sources(()).available == row.available
    assert "Promised at a place that does not have it" in response.content.decode()
    assert list(rows_of(as_viewer.get(URL, {"flag": "low"}))) == ["LOW"]
    found = exported(as_viewer, rows="items", cols="available")
    assert [(r["SKU"], r["Available"], r["Promised and not there"]) for r in found] == [
        ("LOW", "10", "-6"),
        ("WAX", "10", "-6"),
    ]


def test_the_page_of_the_item_says_the_same(as_viewer):
    lacking, other = make_location(), make_location()
    item = make_item(sku="WAX")
    put_on_hand(item, other, "10", value="10.00")
    reserve_stock(item=item, location=lacking, quantity=Decimal(6), demand_kind="order", demand_ref="1", actor=None)

    figures = {figure.label: figure for figure in as_viewer.get(f"/stock/items/{item.pk}/").context["figures"]}

    assert "10" in str(figures["Available"].value)
    assert figures["Available"].hint == "and 6 promised where they are not there"
