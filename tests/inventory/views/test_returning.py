from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from inventory.models import Posting
from inventory.operations.shipping import ShipmentLine, ship_stock
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def site(db):
    return make_location(code="SITE")


def send(client, name, **fields):
    return client.post(reverse(f"inventory:{name}"), {"key": str(uuid4()), "location": "SITE", **fields})


def ship(item, place, quantity, reference="SO-1"):
    line = ShipmentLine(item=item, location=place, quantity=Decimal(quantity))
    return ship_stock(key=uuid4(), lines=[line], actor=None, reference=reference).posting


def said(response):
    return next(iter(get_messages(response.wsgi_request))).message


def test_takes_back_of_a_shipment_named_by_its_reference(as_operator, site):
    jar = make_item(sku="JAR")
    put_on_hand(jar, site, "9", value="18.00")
    shipment = ship(jar, site, 4)

    response = send(
        as_operator, "take_back", item="JAR", quantity="3", status="quarantine", shipment="so-1", reason="Did not fit"
    )

    assert response.status_code == 302, response.context["form"].errors
    assert "Took back 3 pcs of JAR into SITE · worth" in said(response)
    assert Posting.objects.get(kind="customer_return").related == shipment
    assert on_hand(jar, status="quarantine") == 3
    again = send(as_operator, "take_back", item="JAR", quantity="3", status="quarantine", shipment=str(shipment.pk))
    assert again.status_code == 422
    assert "of which 1 are not returned yet" in again.content.decode()


def test_a_shipment_that_is_unknown_or_not_the_only_one_is_told(as_operator, site):
    jar = make_item(sku="JAR")
    put_on_hand(jar, site, "9")
    ship(jar, site, 1)
    ship(jar, site, 1)

    for given, words in (("NOPE", "There is no shipment"), ("SO-1", "Several shipments have the reference")):
        response = send(as_operator, "take_back", item="JAR", quantity="1", status="quarantine", shipment=given)
        assert words in response.content.decode()
    assert on_hand(jar) == 7


def test_takes_back_without_an_origin_at_a_given_worth(as_operator, site):
    jar = make_item(sku="JAR")

    response = send(as_operator, "take_back", item="JAR", quantity="2", status="available", value="1.50")

    assert response.status_code == 302
    assert Posting.objects.get(kind="customer_return").movements.get().value == Decimal("1.50")
    assert on_hand(jar, status="available") == 2


def test_sends_a_named_lot_back_and_tells_the_variance(as_operator, site):
    wax = make_item(sku="WAX", tracking="lot")
    receipt = put_on_hand(wax, site, "4", value="8.00", lot="A", status="damaged")
    lot = str(lot_of(wax, "A").pk)
    fields = {"item": "WAX", "quantity": "3", "status": "damaged", "receipt": str(receipt.pk), "credit": "5.00"}

    nameless = send(as_operator, "send_back", **fields)
    named = send(as_operator, "send_back", **fields, lot=lot)

    assert "name the lot" in nameless.content.decode()
    assert named.status_code == 302, named.context["form"].errors
    assert "+1.00" in said(named)
    assert on_hand(wax) == 1


def test_the_page_of_a_shipment_offers_what_is_not_back(as_operator, as_viewer, site):
    jar = make_item(sku="JAR")
    put_on_hand(jar, site, "9")
    shipment = ship(jar, site, 4)
    send(as_operator, "take_back", item="JAR", quantity="1", status="quarantine", shipment=str(shipment.pk))

    page = as_operator.get(reverse("inventory:posting", args=[shipment.pk]))

    assert [(rest.total, rest.quantity) for rest in page.context["returnable"]] == [(4, 3)]
    assert f"shipment={shipment.pk}&amp;item=JAR" in page.content.decode()
    assert "Take back" not in as_viewer.get(reverse("inventory:posting", args=[shipment.pk])).content.decode()
