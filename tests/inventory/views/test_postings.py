import csv
import io
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import Posting, PostingKind
from inventory.operations.issuing import issue_stock
from inventory.reads.item_ledger import name_of
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def undo(client, posting, **fields):
    return client.post(reverse("inventory:undo_posting", args=[posting.pk]), {"key": str(uuid4()), **fields})


def test_shows_what_moved_and_offers_undo_to_those_who_may(as_viewer, as_planner):
    posting = put_on_hand(make_item(sku="WAX"), make_location(code="BIN"), "5", value="10")
    url = reverse("inventory:posting", args=[posting.pk])

    seen, offered = as_viewer.get(url).content.decode(), as_planner.get(url).content.decode()

    assert "WAX" in seen
    assert "+5" in seen
    assert reverse("inventory:undo_posting", args=[posting.pk]) not in seen
    assert reverse("inventory:undo_posting", args=[posting.pk]) in offered


def test_undo_reverses_once_however_often_it_is_sent(as_planner):
    item = make_item()
    posting = put_on_hand(item, make_location(), "5", value="10")
    key = str(uuid4())

    first, second = undo(as_planner, posting, key=key), undo(as_planner, posting, key=key)

    assert (first.status_code, second.status_code) == (302, 302)
    assert on_hand(item) == 0
    assert Posting.objects.filter(kind=PostingKind.REVERSAL).count() == 1


def test_undo_of_a_reversed_posting_says_so(as_planner):
    posting = put_on_hand(make_item(), make_location(), "5")
    undo(as_planner, posting)

    response = undo(as_planner, posting)

    assert response.status_code == 409
    assert "was reversed before" in response.content.decode()


def test_what_stands_in_the_way_is_listed_in_words(as_planner):
    item, shelf = make_item(sku="WAX"), make_location(code="BIN")
    posting = put_on_hand(item, shelf, "5")
    user = issue_stock(key=uuid4(), item=item, location=shelf, quantity=Decimal(2), actor=None, reference="R-9").posting

    response = undo(as_planner, posting)

    text = response.content.decode()
    assert response.status_code == 409
    assert "cannot be taken back yet" in text
    assert "BIN holds 3 of WAX" in text
    assert reverse("inventory:posting", args=[user.pk]) in text
    assert on_hand(item) == 3


def test_an_operator_does_not_undo_a_receipt(as_operator):
    item = make_item()
    posting = put_on_hand(item, make_location(), "5")

    assert undo(as_operator, posting).status_code == 403
    assert on_hand(item) == 5


def test_undo_goes_back_where_it_was_pressed_but_never_to_another_site(as_planner):
    one = put_on_hand(make_item(), make_location(), "5")
    other = put_on_hand(make_item(), make_location(), "5")

    assert undo(as_planner, one, next="/stock/ledger/").url == "/stock/ledger/"
    assert undo(as_planner, other, next="https://example.com/").url == reverse("inventory:posting", args=[other.pk])


def test_a_movement_toast_offers_undo(as_planner):
    make_item(sku="WAX")
    make_location(code="BIN")

    response = as_planner.post(
        reverse("inventory:receive"), {"key": str(uuid4()), "item": "WAX", "location": "BIN", "quantity": "5"}
    )

    message = next(iter(get_messages(response.wsgi_request)))
    assert message.extra_tags == "undo:" + reverse("inventory:undo_posting", args=[Posting.objects.get().pk])
    page = as_planner.get(response.url).content.decode()
    assert reverse("inventory:undo_posting", args=[Posting.objects.get().pk]) in page


def test_the_ledger_narrows_by_item_kind_place_and_reference(as_viewer):
    wax, wick, bin_a, bin_b = make_item(sku="WAX"), make_item(sku="WICK"), make_location(), make_location()
    put_on_hand(wax, bin_a, "5")
    put_on_hand(wick, bin_b, "6")
    issue_stock(key=uuid4(), item=wax, location=bin_a, quantity=Decimal(2), actor=None, reference="R-9")

    def quantities(**query):
        return [row.movement.quantity for row in as_viewer.get("/stock/ledger/", query).context["rows"]]

    assert quantities() == [-2, 6, 5]
    assert quantities(item="wax") == [-2, 5]
    assert quantities(kind="receipt") == [6, 5]
    assert quantities(place=bin_b.pk) == [6]
    assert quantities(reference="r-9") == [-2]
    assert quantities(item="no such item") == []


def test_the_ledger_pages_from_where_one_is(as_viewer):
    item, shelf = make_item(), make_location()
    for _ in range(55):
        put_on_hand(item, shelf, "1")

    first = as_viewer.get("/stock/ledger/")
    second = as_viewer.get("/stock/ledger/", {"before": first.context["next_before"]})

    assert (len(first.context["rows"]), len(second.context["rows"])) == (50, 5)


def test_the_ledger_and_a_posting_cost_the_same_number_of_queries_with_many_rows(as_viewer):
    posting = put_on_hand(make_item(), make_location(), "5")

    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_viewer.get("/stock/ledger/").status_code == 200
            assert as_viewer.get(reverse("inventory:posting", args=[posting.pk])).status_code == 200
        return len(seen)

    queries()
    few = queries()
    for _ in range(20):
        put_on_hand(make_item(), make_location(), "5")

    assert queries() == few


def test_the_export_says_who_at_what_cost_and_with_which_note(as_viewer, operator):
    item, shelf = make_item(sku="WAX"), make_location(code="BIN")
    put_on_hand(item, shelf, "3", value="10.00")
    put_on_hand(make_item(sku="WICK"), shelf, "1")
    issue_stock(
        key=uuid4(),
        item=item,
        location=shelf,
        quantity=Decimal(3),
        actor=operator,
        demand=("order", "7"),
        note="By hand",
    )

    def exported():
        answer = as_viewer.get("/stock/ledger/", {"export": "csv"})
        return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))

    rows = [(row["SKU"], row["For"], row["Unit cost"], row["By"], row["Note"]) for row in exported()]

    assert rows == [
        ("WAX", "order 7", "3.333333", name_of(operator), "By hand"),
        ("WICK", "", "", "the system", ""),
        ("WAX", "", "3.333333", "the system", ""),
    ]


def test_the_export_costs_the_same_with_many_people(as_viewer):
    item, shelf = make_item(), make_location()

    def queries():
        with CaptureQueriesContext(connection) as seen:
            b"".join(as_viewer.get("/stock/ledger/", {"export": "csv"}).streaming_content)
        return len(seen)

    put_on_hand(item, shelf, "30")
    queries()
    few = queries()
    for _ in range(10):
        issue_stock(key=uuid4(), item=item, location=shelf, quantity=Decimal(1), actor=make_user())

    assert queries() == few
