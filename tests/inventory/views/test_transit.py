from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from inventory.models import StockTransfer
from inventory.operations.transit import DispatchLine, dispatch_transfer
from tests.factories import make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def places(db):
    return make_location(code="WORKSHOP"), make_location(code="SHOP")


@pytest.fixture
def jar(places):
    item = make_item(sku="JAR")
    put_on_hand(item, places[0], "90", value="90.00", effective_at=timezone.now() - timedelta(days=20))
    return item


def dispatch(places, item, quantity, **rest):
    line = DispatchLine(item, Decimal(quantity))
    return dispatch_transfer(key=uuid4(), source=places[0], target=places[1], lines=[line], actor=None, **rest).transfer


def receive(client, transfer, *, received="", lost="", **rest):
    line = transfer.lines.get()
    fields = {"key": str(uuid4()), f"received-{line.pk}": received, f"lost-{line.pk}": lost, **rest}
    return client.post(reverse("inventory:receive_transfer", args=[transfer.number]), fields)


def test_sends_goods_from_the_form_and_opens_the_transfer(as_operator, places, jar):
    fields = {
        "key": str(uuid4()),
        "source": "workshop",
        "target": "SHOP",
        "line-0-item": "JAR",
        "line-0-quantity": "6",
        "line-0-status": "available",
        "expected_on": "2040-01-01",
        "reference": "WB-1",
    }

    response = as_operator.post(reverse("inventory:new_transfer"), fields)

    transfer = StockTransfer.objects.get()
    assert response.url == reverse("inventory:transfer_page", args=[transfer.number])
    assert transfer.lines.get().quantity == 6
    page = as_operator.get(response.url).content.decode()
    assert "Receive at SHOP" in page
    assert "WB-1" in page


def test_receives_in_parts_and_tells_what_cannot_be(as_operator, places, jar):
    transfer = dispatch(places, jar, 6)

    wordless = receive(as_operator, transfer, received="3", lost="1")
    much = receive(as_operator, transfer, received="7")
    part = receive(as_operator, transfer, received="3", lost="1", loss_reason="fell off")
    rest = receive(as_operator, transfer, received="2")

    assert "needs a reason" in wordless.content.decode()
    assert "6 pcs of JAR are on the road" in much.content.decode()
    assert 'value="7"' in much.content.decode()
    assert (wordless.status_code, much.status_code, part.status_code, rest.status_code) == (422, 422, 302, 302)
    assert on_hand(jar, location=places[1]) == 5
    assert StockTransfer.objects.get().state == "received"


def test_brings_the_rest_back(as_operator, places, jar):
    transfer = dispatch(places, jar, 6)
    address = reverse("inventory:bring_back", args=[transfer.number])

    done = as_operator.post(address, {"key": str(uuid4())})
    again = as_operator.post(address, {"key": str(uuid4())})

    assert (done.status_code, again.status_code) == (302, 409)
    assert "is cancelled" in again.content.decode()
    assert on_hand(jar, location=places[0]) == 90


def test_the_list_shows_ages_and_points_out_what_is_too_long_under_way(as_viewer, places, jar):
    dispatch(places, jar, 1, effective_at=timezone.now() - timedelta(days=9))
    fresh = dispatch(places, jar, 1)

    page = as_viewer.get(reverse("inventory:transfers"))

    assert [row.is_old for row in page.context["rows"]] == [True, False]
    text = page.content.decode()
    assert "1 transfer is on the road for more than 7 days" in text
    assert "Too long" in text
    assert "Send goods" not in text
    assert fresh.number in as_viewer.get(reverse("inventory:transfers"), {"show": "all"}).content.decode()


def test_a_step_is_undone_on_its_posting_which_names_the_transfer(as_planner, places, jar):
    transfer = dispatch(places, jar, 6)
    receive(as_planner, transfer, received="6")
    posting = transfer.receipts.get().posting

    assert transfer.number in as_planner.get(reverse("inventory:posting", args=[posting.pk])).content.decode()
    as_planner.post(reverse("inventory:undo_posting", args=[posting.pk]))
    early = as_planner.get(reverse("inventory:transfer_page", args=[transfer.number])).content.decode()

    assert "Reversed" in early
    assert "Receive at SHOP" in early
    assert StockTransfer.objects.get().state == "in_transit"


def test_the_empty_list_says_what_it_is_for(as_operator):
    assert "Nothing is on the road" in as_operator.get(reverse("inventory:transfers")).content.decode()


@pytest.mark.parametrize("query", [{}, {"show": "all"}])
def test_the_list_costs_the_same_with_many(as_viewer, places, jar, query):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_viewer.get(reverse("inventory:transfers"), query).status_code == 200
        return len(seen)

    dispatch(places, jar, 1)
    queries()
    few = queries()
    for _ in range(19):
        dispatch(places, jar, 1)

    assert queries() == few


def test_what_arrived_broken_is_received_as_that(as_operator, places, jar):
    transfer = dispatch(places, jar, 6)
    line = transfer.lines.get()
    stopped = {f"stopped-{line.pk}": "2", f"status-{line.pk}": "damaged"}

    form = as_operator.get(reverse("inventory:transfer_page", args=[transfer.number])).content.decode()
    odd = receive(as_operator, transfer, received="3", **{**stopped, f"status-{line.pk}": "available"})
    much = receive(as_operator, transfer, received="5", **stopped)
    done = receive(as_operator, transfer, received="3", **stopped)

    assert "Arrived, stopped" in form
    assert (odd.status_code, much.status_code, done.status_code) == (422, 422, 302)
    assert "7 arrived and 0 lost is more" in much.content.decode()
    assert [on_hand(jar, location=places[1], status=status) for status in ("available", "damaged")] == [3, 2]
    assert StockTransfer.objects.get().state == "in_transit"


def test_what_is_on_the_road_is_exported_line_by_line(as_viewer, places, jar):
    dispatch(places, jar, "6", reference="WB-1", expected_on=timezone.localdate())
    arrived = dispatch(places, jar, "2")

    def rows(**query):
        answer = as_viewer.get(reverse("inventory:transfers"), {"export": "csv", **query})
        return b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()

    head, *lines = rows()
    assert head.startswith("Transfer,Reference,From,To,Left,Expected,State,Days,SKU,Lot,Unit,Sent")
    assert [line.split(",")[1:4] + line.split(",")[8:] for line in lines] == [
        ["WB-1", "WORKSHOP", "SHOP", "JAR", "", "pcs", "6", "0", "0"],
        ["", "WORKSHOP", "SHOP", "JAR", "", "pcs", "2", "0", "0"],
    ]
    assert [line.split(",")[0] for line in rows(show="all")[1:]] == [arrived.number, lines[0].split(",")[0]]
