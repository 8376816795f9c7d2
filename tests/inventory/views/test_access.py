"""Who may open which page of stock."""

import pytest
from django.urls import reverse

from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db

READABLE = ["board", "ledger", "transfers"]
MOVING = ["receive", "issue", "transfer", "scrap", "change_status", "ship", "take_back", "send_back", "new_transfer"]
PLANNING = ["adjust", "change_lots"]


@pytest.mark.parametrize("name", [*READABLE, *MOVING, *PLANNING, "suggest_items", "suggest_locations"])
def test_a_stranger_is_sent_to_the_log_in(client, name):
    response = client.get(reverse(f"inventory:{name}"))

    assert response.status_code == 302
    assert response.url.startswith("/admin/login/?next=")


@pytest.mark.parametrize("name", READABLE)
def test_a_viewer_reads(as_viewer, name):
    assert as_viewer.get(reverse(f"inventory:{name}")).status_code == 200


@pytest.mark.parametrize("name", [*MOVING, *PLANNING, "correct_cost"])
def test_a_viewer_moves_nothing_and_is_told_why(as_viewer, name):
    response = as_viewer.get(reverse(f"inventory:{name}"))

    assert response.status_code == 403
    assert "with the role" in response.content.decode()
    assert "viewer" in response.content.decode()


@pytest.mark.parametrize("name", MOVING)
def test_an_operator_moves_stock(as_operator, name):
    assert as_operator.get(reverse(f"inventory:{name}")).status_code == 200


def test_an_operator_does_not_adjust(as_operator):
    assert as_operator.get(reverse("inventory:adjust")).status_code == 403


def test_a_planner_adjusts(as_planner):
    assert as_planner.get(reverse("inventory:adjust")).status_code == 200


def test_somebody_without_a_role_sees_nothing(client):
    client.force_login(make_user())

    assert client.get(reverse("inventory:board")).status_code == 403


@pytest.mark.parametrize("tab", ["where", "ledger", "cost", "nonsense"])
def test_each_tab_of_an_item_opens(as_viewer, tab):
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "5", value="10")

    response = as_viewer.get(reverse("inventory:item", args=[item.pk]), {"tab": tab})

    assert response.status_code == 200
    assert item.sku in response.content.decode()


def test_an_item_that_does_not_exist_is_not_found_in_words(as_viewer):
    response = as_viewer.get(reverse("inventory:item_by_code", args=["NO-SUCH/THING"]))

    assert response.status_code == 404
    assert "NO-SUCH/THING" in response.content.decode()


def test_a_barcode_leads_to_its_item(as_viewer):
    item = make_item(barcode="4006381333931")

    response = as_viewer.get(reverse("inventory:item_by_code", args=["4006381333931"]))

    assert response.url == reverse("inventory:item", args=[item.pk])
