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

from inventory.models import Lot, Posting, Reservation, StockBalance
from inventory.operations.reserving import reserve_stock
from inventory.operations.shipping import ShipmentLine, ship_stock
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = pytest.mark.django_db
URL = "/stock/lots/"


def codes(response):
    return [row.lot.code for row in response.context["rows"]]


@pytest.fixture
def wax():
    today = timezone.localdate()
    item, shelf = make_item(sku="WAX", tracking="lot"), make_location(code="SHELF")
    put_on_hand(item, shelf, "5", lot="A-1", expires_on=today + timedelta(days=3))
    put_on_hand(item, shelf, "7", lot="A-2", expires_on=today + timedelta(days=90), status="qc_hold")
    put_on_hand(make_item(sku="JAR", tracking="lot"), shelf, "1", lot="J-1")
    put_on_hand(make_item(sku="WICK"), shelf, "1")
    Lot.objects.filter(code="J-1").update(supplier_lot="KX-88")
    Lot.objects.create(item=item, code="A-0", received_on=today)
    return item


def test_lists_named_lots_newest_first_with_what_is_on_hand(as_viewer, wax):
    response = as_viewer.get(URL)

    assert codes(response) == ["A-0", "J-1", "A-2", "A-1"]
    assert [row.on_hand for row in response.context["rows"]] == [0, 1, 7, 5]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"item": "wax"}, ["A-0", "A-2", "A-1"]),
        ({"item": "nothing"}, []),
        ({"q": "a-"}, ["A-0", "A-2", "A-1"]),
        ({"q": "kx"}, ["J-1"]),
        ({"q": "1"}, []),
        ({"status": "qc_hold"}, ["A-2"]),
        ({"stocked": "1"}, ["J-1", "A-2", "A-1"]),
        ({"expires_before": (timezone.localdate() + timedelta(days=30)).isoformat()}, ["A-1"]),
    ],
)
def test_filters_narrow(as_viewer, wax, query, found):
    assert codes(as_viewer.get(URL, query)) == found


def test_pages_go_on_and_cost_the_same_number_of_queries(as_viewer, wax):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            as_viewer.get(URL)
        return len(seen)

    queries()
    few = queries()
    shelf = make_location()
    for number in range(60):
        put_on_hand(wax, shelf, "1", lot=f"N{number}")

    assert queries() == few
    first = as_viewer.get(URL)
    second = as_viewer.get(URL, {"before": first.context["next_before"]})
    assert len(codes(first)) == 50
    assert len(codes(second)) == 14


def test_the_page_of_a_lot_says_where_it_is(as_viewer, wax):
    page = as_viewer.get(f"{URL}{lot_of(wax, 'A-2').pk}/").content.decode()

    assert "SHELF" in page
    assert "QC hold" in page


@pytest.mark.parametrize("tab", ["where", "became", "from", "moved"])
def test_every_tab_is_shown_whole_and_as_a_part(as_viewer, wax, tab):
    url = f"{URL}{lot_of(wax, 'A-1').pk}/"

    whole = as_viewer.get(url, {"tab": tab})
    part = as_viewer.get(url, {"tab": tab}, headers={"HX-Request": "true", "HX-Target": "tab"})

    assert (whole.status_code, part.status_code) == (200, 200)
    assert "<html" not in part.content.decode()


def test_where_a_lot_came_from_names_its_receipt(as_viewer, wax):
    page = as_viewer.get(f"{URL}{lot_of(wax, 'A-1').pk}/", {"tab": "from"})

    assert [(end.kind, end.quantity) for end, _ in page.context["ends"]] == [("receipt", 5)]


# --- Recall -------------------------------------------------------------------------------------------------------


def recall_url(*lots):
    return f"{reverse('inventory:recall')}?{'&'.join(f'lot={lot.pk}' for lot in lots)}"


def stop(client, *lots, **fields):
    data = {
        "key": str(uuid4()),
        "root": [lot.pk for lot in lots],
        "lot": [lot.pk for lot in lots],
        "reason": "Smells of smoke",
        **fields,
    }
    return client.post(reverse("inventory:recall"), data)


def test_without_lots_the_recall_says_where_to_choose_them(as_viewer):
    assert "Which lots?" in as_viewer.get(reverse("inventory:recall")).content.decode()


def test_the_export_has_the_lots_and_their_stock(as_viewer, wax):
    answer = as_viewer.get(f"{recall_url(lot_of(wax, 'A-1'), lot_of(wax, 'A-2'))}&export=csv")

    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert [(row["What"], row["Lot"], row["Place"], row["Quantity"]) for row in rows] == [
        ("Affected lot", "A-1", "", "5"),
        ("Affected lot", "A-2", "", "7"),
        ("On hand", "A-1", "SHELF", "5"),
        ("On hand", "A-2", "SHELF", "7"),
    ]


def test_stops_the_marked_lots_and_leads_back(as_operator, wax):
    answer = stop(as_operator, lot_of(wax, "A-1"), lot_of(wax, "A-2"))

    assert answer.url == recall_url(lot_of(wax, "A-1"), lot_of(wax, "A-2"))
    assert on_hand(wax, status="quarantine") == 12
    assert Posting.objects.latest("pk").reason == "Smells of smoke"


def test_lots_that_are_not_affected_are_not_stopped_though_named(as_operator, wax):
    jar = Lot.objects.get(code="J-1")

    stop(as_operator, lot_of(wax, "A-1"), lot=[lot_of(wax, "A-1").pk, jar.pk])

    assert StockBalance.objects.get(lot=jar, quantity__gt=0).status == "available"


def test_promises_are_named_and_what_was_typed_is_kept(as_operator, wax):
    lot = lot_of(wax, "A-1")
    shelf = StockBalance.objects.get(lot=lot).location
    reserve_stock(
        item=wax, location=shelf, quantity=Decimal(2), demand_kind="order", demand_ref="1042", actor=None, pinned=True
    )
    postings = Posting.objects.count()

    answer = stop(as_operator, lot)

    page = answer.content.decode()
    assert answer.status_code == 409
    assert "order 1042" in page
    assert 'value="Smells of smoke"' in page
    assert Posting.objects.count() == postings


def test_letting_go_of_promises_needs_the_right_to(as_operator, as_planner, wax):
    lot = lot_of(wax, "A-1")
    shelf = StockBalance.objects.get(lot=lot).location
    reserve_stock(
        item=wax, location=shelf, quantity=Decimal(2), demand_kind="order", demand_ref="1042", actor=None, pinned=True
    )

    assert stop(as_operator, lot, release_reserved="1").status_code == 403
    assert Reservation.objects.get().quantity == 2
    assert stop(as_planner, lot, release_reserved="1").status_code == 302
    assert (Reservation.objects.get().quantity, on_hand(wax, status="quarantine")) == (0, 5)


def test_stopping_needs_the_permission(as_viewer, wax):
    assert stop(as_viewer, lot_of(wax, "A-1")).status_code == 403
    assert on_hand(wax, status="quarantine") == 0


def test_pages_and_export_name_the_order_a_lot_went_to_though_nothing_was_promised(as_viewer, wax):
    lot = lot_of(wax, "A-1")
    shelf = StockBalance.objects.get(lot=lot).location
    line = ShipmentLine(wax, shelf, Decimal(2), ((lot, Decimal(2)),))
    posting = ship_stock(key=uuid4(), lines=[line], demand=("order", "1042"), actor=None).posting

    answer = as_viewer.get(f"{recall_url(lot)}&export=csv")
    pages = [
        as_viewer.get(url).content.decode()
        for url in (
            recall_url(lot),
            f"{URL}{lot.pk}/?tab=became",
            reverse("inventory:posting", args=[posting.pk]),
            f"{reverse('inventory:ledger')}?reference=1042",
        )
    ]

    rows = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig")))
    shipped = [row for row in rows if row["What"] == "Shipped or issued"]
    assert [(row["Demand"], row["Quantity"], row["Posting"]) for row in shipped] == [
        ("order 1042", "2", str(posting.pk))
    ]
    assert all("order 1042" in page for page in pages)
