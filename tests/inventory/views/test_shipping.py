from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import Posting, Reservation
from inventory.operations.reserving import reserve_stock
from tests.factories import lot_of, make_item, make_location, make_unit, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]

HTMX = {"HX-Request": "true", "HX-Target": "lines-form"}


@pytest.fixture
def site(db):
    return make_location(code="SITE")


@pytest.fixture
def as_administrator(administrator):
    client = Client()
    client.force_login(administrator)
    return client


def fields(*lines, **head):
    """A posted form; each line is (item, quantity) with more fields in a third place."""
    posted = {"key": str(uuid4()), "location": "SITE", **head}
    for number, (item, quantity, *more) in enumerate(lines):
        values = {"item": item, "quantity": quantity, **(more[0] if more else {})}
        posted |= {f"line-{number}-{name}": value for name, value in values.items()}
    return posted


def send(client, *lines, headers=None, **head):
    return client.post(reverse("inventory:ship"), fields(*lines, **head), headers=headers or {})


def test_ships_several_lines_and_offers_the_next_shipment(as_operator, site):
    jar, wax = make_item(sku="JAR"), make_item(sku="WAX", tracking="lot")
    make_unit(item=jar, name="carton", numerator="12")
    put_on_hand(jar, site, "30", value="30.00")
    put_on_hand(wax, site, "5", lot="A", value="5.00")

    response = send(as_operator, ("jar", "2", {"unit": "carton"}), ("WAX", "3"), ("", ""), reference="SO-1")

    assert response.status_code == 302, response.context["form"].errors
    assert response.url == reverse("inventory:ship") + "?location=SITE"
    assert (on_hand(jar), on_hand(wax)) == (6, 2)
    assert "Shipped 2 lines from SITE" in next(iter(get_messages(response.wsgi_request))).message
    assert Posting.objects.get(kind="shipment").reference == "SO-1"


def test_every_shortage_is_told_and_nothing_typed_is_lost(as_operator, site):
    make_item(sku="JAR")
    wax = make_item(sku="WAX")
    put_on_hand(wax, site, "1")

    response = send(as_operator, ("JAR", "2"), ("WAX", "3"), headers=HTMX, note="urgent")

    assert response.status_code == 422
    text = response.content.decode()
    assert "<html" not in text
    assert "SITE holds 0 pcs of JAR; 2 are needed" in text
    assert "SITE holds 1 pcs of WAX; 3 are needed" in text
    assert 'value="urgent"' in text
    assert [line.typed("quantity") for line in response.context["form"].lines] == ["2", "3"]
    assert on_hand(wax) == 1


def test_wrong_lines_are_named(as_operator, site):
    make_item(sku="JAR")

    nothing = send(as_operator)
    wrong = send(as_operator, ("NOPE", "1"), ("JAR", "x"))

    assert "There is no line yet" in nothing.content.decode()
    text = wrong.content.decode()
    assert "NOPE, item: There is no item with SKU or barcode “NOPE”" in text
    assert "JAR, quantity: “x” is not a number" in text
    assert not Posting.objects.exists()


def test_a_scan_refreshes_the_form_with_units_lots_and_a_new_line(as_operator, site):
    wax = make_item(sku="WAX", tracking="lot", barcode="4006381333931")
    put_on_hand(wax, site, "5", lot="A")
    posted = fields(("4006381333931", ""), ("JAR-GONE", "1"))

    response = as_operator.post(reverse("inventory:ship"), {**posted, "refresh": "1", "remove": "1"}, headers=HTMX)

    assert response.status_code == 200
    form = response.context["form"]
    assert [line.known_item for line in form.lines] == [wax]
    assert len(form.shown_lines) == 2
    text = response.content.decode()
    assert posted["key"] in text
    assert "A · 5 pcs free" in text
    assert not Posting.objects.filter(kind="shipment").exists()


def test_what_is_promised_fills_the_lines_and_is_used_up(as_operator, site):
    jar = make_item(sku="JAR")
    put_on_hand(jar, site, "30")
    reserve_stock(item=jar, location=site, quantity=Decimal(7), demand_kind="order", demand_ref="12", actor=None)
    demand = {"demand_kind": "order", "demand_ref": "12"}

    filled = as_operator.post(reverse("inventory:ship"), {**fields(**demand), "fill": "1"}, headers=HTMX)
    assert [(line.typed("item"), Decimal(line.typed("quantity"))) for line in filled.context["form"].lines] == [
        ("JAR", Decimal(7))
    ]
    send(as_operator, ("JAR", "7"), **demand)

    assert Reservation.objects.get().quantity == 0
    assert "neither" in send(as_operator, ("JAR", "1"), demand_kind="order").content.decode()


def test_lots_out_of_order_need_a_reason(as_operator, site):
    wax = make_item(sku="WAX", tracking="lot")
    put_on_hand(wax, site, "5", lot="A")
    put_on_hand(wax, site, "5", lot="B")
    line = ("WAX", "2", {"lot": str(lot_of(wax, "B").pk)})

    refused = send(as_operator, line)
    taken = send(as_operator, line, reason="asked for")

    assert "Other lots need a reason" in refused.content.decode()
    assert taken.status_code == 302
    assert on_hand(wax, lot="B") == 3


def test_below_zero_is_offered_to_the_privileged_alone(as_operator, as_administrator, site):
    glue = make_item(sku="GLUE", negative_allowed=True)
    head = {"may_go_below": "on", "reason": "not booked yet"}

    assert "may_go_below" not in as_operator.get(reverse("inventory:ship")).context["form"].fields
    assert send(as_operator, ("GLUE", "1"), **head).status_code == 422
    assert send(as_administrator, ("GLUE", "1"), **head).status_code == 302
    issue = {"key": str(uuid4()), "item": "GLUE", "location": "SITE", "quantity": "2", **head}
    assert as_operator.post(reverse("inventory:issue"), issue).status_code == 422
    assert as_administrator.post(reverse("inventory:issue"), issue).status_code == 302

    assert on_hand(glue) == -3


def test_a_double_submit_ships_once(as_operator, site):
    jar = make_item(sku="JAR")
    put_on_hand(jar, site, "9")
    posted = fields(("JAR", "4"))

    answers = [as_operator.post(reverse("inventory:ship"), posted) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert on_hand(jar) == 5


def test_recent_shipments_cost_the_same_with_many(as_operator, site):
    jar = make_item(sku="JAR")
    put_on_hand(jar, site, "99")

    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_operator.get(reverse("inventory:ship")).status_code == 200
        return len(seen)

    send(as_operator, ("JAR", "1"))
    queries()
    few = queries()
    for _ in range(19):
        send(as_operator, ("JAR", "1"))

    assert queries() == few
