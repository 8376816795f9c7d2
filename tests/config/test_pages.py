"""The start page, the search, the menu and the refusals of the shell."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from inventory.operations.reversing import reverse_posting
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_administrator(administrator):
    client = Client()
    client.force_login(administrator)
    return client


@pytest.fixture
def as_viewer(viewer):
    client = Client()
    client.force_login(viewer)
    return client


def test_a_stranger_is_sent_to_the_log_in(client):
    assert client.get("/").url == "/admin/login/?next=/"


def test_the_log_in_page_needs_no_log_in(client):
    assert client.get("/admin/login/").status_code == 200


def test_a_new_company_sees_the_way_to_its_first_completion(as_administrator):
    page = as_administrator.get("/").content.decode()

    assert "From here to the first completion" in page
    assert reverse("admin:inventory_item_add") in page
    assert "Nothing needs you" in page


def test_the_start_page_names_what_waits_and_where(as_viewer):
    site = make_location()
    put_on_hand(make_item(inspection_required=True), site, "5")
    put_on_hand(
        make_item(tracking="lot"), site, "5", lot="L", expires_on=timezone.localdate() - timedelta(days=1), value="1"
    )

    waiting = {one.text: one.url for one in as_viewer.get("/").context["attention"]}

    assert waiting["1 item on QC hold, waiting for inspection"] == "/quality/"
    assert waiting["1 item with lots past their last day, still marked available"] == "/stock/?flag=expired"
    assert waiting["1 item in stock with a part whose cost is not known"] == "/stock/?flag=unknown&rows=items"


def test_the_start_page_shows_a_reversed_posting_as_such(as_viewer):
    posting = put_on_hand(make_item(), make_location(), "5")
    reverse_posting(key=uuid4(), posting=posting, actor=None)

    shown = {one["posting"].pk: one["is_reversed"] for one in as_viewer.get("/").context["postings"]}

    assert shown[posting.pk] is True


def test_the_start_page_costs_the_same_number_of_queries_with_many_rows(as_viewer):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_viewer.get("/").status_code == 200
        return len(seen)

    put_on_hand(make_item(inspection_required=True), make_location(), "5")
    queries()
    few = queries()
    for _ in range(20):
        put_on_hand(make_item(inspection_required=True), make_location(), "5")

    assert queries() == few


def test_a_scanned_barcode_goes_straight_to_its_item(as_viewer):
    item = make_item(sku="JAR-8", barcode="4006381333931")
    make_item(sku="JAR-8-LID")

    assert as_viewer.get("/search/", {"q": "4006381333931"}).url == reverse("inventory:item", args=[item.pk])
    assert as_viewer.get("/search/", {"q": "jar-8"}).url == reverse("inventory:item", args=[item.pk])


def test_search_lists_what_matches_while_one_types(as_viewer):
    make_item(sku="JAR-8")
    make_item(sku="JAR-12")

    text = as_viewer.get("/search/", {"q": "jar"}, headers={"HX-Request": "true"}).content.decode()

    assert "JAR-8" in text
    assert "JAR-12" in text
    assert "<html" not in text


def test_search_finds_pages_the_person_may_open(as_viewer, as_administrator):
    headers = {"HX-Request": "true"}

    assert (
        reverse("inventory:receive")
        not in as_viewer.get("/search/", {"q": "receive"}, headers=headers).content.decode()
    )
    assert (
        reverse("inventory:receive")
        in as_administrator.get("/search/", {"q": "receive"}, headers=headers).content.decode()
    )


def test_the_menu_offers_only_what_the_person_may_do_and_marks_where_one_is(as_viewer):
    page = as_viewer.get("/stock/")

    entries = {item["title"]: item for group in page.context["sidebar_navigation"] for item in group["items"]}
    assert "Stock board" in entries
    assert "Receive" not in entries
    assert [title for title, item in entries.items() if item["active"]] == ["Stock board"]


def test_the_page_of_an_item_belongs_to_the_stock_board(as_viewer):
    page = as_viewer.get(reverse("inventory:item", args=[make_item().pk]))

    active = [i["title"] for group in page.context["sidebar_navigation"] for i in group["items"] if i["active"]]
    assert active == ["Stock board"]


def test_a_missing_page_says_so_in_the_shell(as_viewer):
    response = as_viewer.get("/no/such/page/")

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()
    assert "Stock board" in response.content.decode()


def test_a_stranger_does_not_learn_which_pages_exist(client):
    assert client.get("/no/such/page/").status_code == 404
    assert client.get("/stock/items/1/").status_code == 302


def test_every_page_is_behind_the_log_in(client):
    """Default deny: a view that nobody marked as open asks for a log-in."""
    for name in (
        "today",
        "search",
        "inventory:board",
        "channels_sync:channels",
        "production:completions",
        "admin:index",
    ):
        assert client.get(reverse(name)).status_code == 302, name


def test_somebody_without_a_role_is_told_so(client):
    client.force_login(make_user())

    page = client.get("/stock/").content.decode()

    assert "without a role" in page
