from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.models import Location, LocationKind, Posting
from inventory.operations.reserving import reserve_stock
from inventory.operations.shipping import ShipmentLine, ship_stock
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def wax():
    item, shelf = make_item(sku="WAX", tracking="lot"), make_location(code="SHELF")
    put_on_hand(item, shelf, "5", lot="A", value="10.00")
    put_on_hand(item, shelf, "7", lot="B", value="14.00")
    return item


def test_the_genealogy_of_a_lot_names_where_it_came_from(as_viewer, wax):
    lot = lot_of(wax, "A")

    back = as_viewer.get(f"lots/{lot.pk}/genealogy/", direction="backward").json()
    forth = as_viewer.get(f"lots/{lot.pk}/genealogy/").json()

    assert [(one["lot"]["code"], one["level"], one["is_certain"]) for one in back["lots"]] == [("A", 0, True)]
    assert [(end["kind"], end["quantity"]) for end in back["ends"]] == [("receipt", "5")]
    assert (forth["direction"], forth["steps"], forth["ends"]) == ("forward", [], [])


def test_a_recall_begins_with_several_lots(as_viewer, wax):
    ids = f"{lot_of(wax, 'A').pk},{lot_of(wax, 'B').pk}"

    found = as_viewer.get("lots/recall/", lots=ids).json()

    assert [one["lot"]["code"] for one in found["lots"]] == ["A", "B"]
    assert [(cell["lot"], cell["quantity"]) for cell in found["stock"]] == [("A", "5"), ("B", "7")]


@pytest.mark.parametrize("lots", ["", "x", "1,", "999999999"])
def test_a_recall_of_nothing_is_refused(as_viewer, wax, lots):
    assert as_viewer.get("lots/recall/", lots=lots).status_code == 400


def test_quarantine_stops_all_stock_and_answers_twice_the_same(as_operator, wax):
    body = {"lots": [lot_of(wax, "A").pk], "reason": "Supplier recall"}
    key = "0b7e1f0e-6f0c-4b52-9d51-6a1d6f7f2f9e"

    first = as_operator.post("lots/quarantine/", body, key=key)
    again = as_operator.post("lots/quarantine/", body, key=key)

    assert (first.status_code, first.json()) == (201, again.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert on_hand(wax, status="quarantine") == 5


def test_promised_stock_is_reported_and_nothing_is_stopped(as_operator, wax):
    promise(wax)
    postings = Posting.objects.count()

    answer = as_operator.post("lots/quarantine/", {"lots": [lot_of(wax, "A").pk], "reason": "Supplier recall"})

    assert (answer.status_code, answer.json()["code"]) == (409, "RESERVED_BY_OTHER")
    assert answer.json()["context"]["reserved"][0]["demand_ref"] == "1042"
    assert Posting.objects.count() == postings


def test_letting_go_of_promises_needs_the_right_to(as_operator, as_administrator, wax):
    promise(wax)
    body = {"lots": [lot_of(wax, "A").pk], "reason": "Supplier recall", "release_reserved": True}

    assert as_operator.post("lots/quarantine/", body).status_code == 403
    assert as_administrator.post("lots/quarantine/", body).json()["released"] == "2"


def promise(item):
    reserve_stock(
        item=item,
        location=item.balances.first().location,
        quantity=Decimal(2),
        demand_kind="order",
        demand_ref="1042",
        actor=None,
        pinned=True,
    )


def test_a_report_of_a_place_we_do_not_run_is_taken(as_administrator):
    partner, item = make_location(code="3PL", kind=LocationKind.THIRD_PARTY), make_item(sku="JAR")
    put_on_hand(item, partner, "10")
    as_of = Posting.objects.get().effective_at.isoformat()

    body = {"location": "3pl", "as_of": as_of, "lines": [{"item": "JAR", "quantity": "8"}]}
    answer = as_administrator.post("external-stock/", body).json()
    same = as_administrator.post("external-stock/", body).json()

    assert answer["differences"] == [
        {"item": "JAR", "location": "3PL", "lot": "", "status": "available", "booked": "10", "reported": "8"}
    ]
    assert (answer["posting"]["reason"], answer["confirms"], on_hand(item)) == ("Reported by 3PL", True, 8)
    assert (same["posting"], same["differences"]) == (None, [])


def test_a_report_of_our_own_place_is_refused(as_administrator):
    make_location(code="OWN")

    answer = as_administrator.post(
        "external-stock/", {"location": "OWN", "as_of": "2026-01-01T00:00:00Z", "lines": [], "is_complete": True}
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "WRONG_STATE")


def test_recall_genealogy_and_posting_name_the_order_a_lot_went_to(as_viewer, wax):
    lot = lot_of(wax, "A")
    line = ShipmentLine(wax, Location.objects.get(code="SHELF"), Decimal(2), ((lot, Decimal(2)),))
    ship_stock(key=uuid4(), lines=[line], demand=("order", "1042"), actor=None)

    found = as_viewer.get("lots/recall/", lots=str(lot.pk)).json()
    family = as_viewer.get(f"lots/{lot.pk}/genealogy/").json()
    postings = as_viewer.get("postings/", demand_kind="order", demand_ref="1042").json()["results"]

    assert [one["demands"] for one in found["shipments"]] == [["order 1042"]]
    assert [one["demands"] for one in family["ends"]] == [["order 1042"]]
    assert [(one["kind"], one["demand_kind"], one["demand_ref"]) for one in postings] == [("shipment", "order", "1042")]
    assert as_viewer.get("postings/", demand_ref="1043").json()["results"] == []
