from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from inventory.operations.issuing import issue_stock
from inventory.operations.reserving import reserve_stock
from inventory.operations.transit import DispatchLine, dispatch_transfer
from inventory.reads.availability import availability
from inventory.reads.availability_terms import availability_terms
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def as_viewer(client):
    client.force_login(make_user(role="viewer"))
    return client


def tab(client, item):
    return client.get(reverse("inventory:item", args=[item.pk]), {"tab": "available"})


def promise(item, place, quantity, reference, *, pinned=False):
    reserve_stock(
        item=item,
        location=place,
        quantity=Decimal(quantity),
        demand_kind="order",
        demand_ref=reference,
        actor=None,
        pinned=pinned,
    )


def test_each_term_of_what_is_available_stands_by_its_site(as_viewer):
    wax, today = make_item(tracking="lot"), timezone.localdate()
    main, other = make_location(code="MAIN"), make_location(code="OTHER")
    shelf, cellar = (
        make_location(code="SHELF", parent=main),
        make_location(code="CELLAR", parent=main, is_sellable=False),
    )
    put_on_hand(wax, shelf, "20", lot="A", value="20.00")
    put_on_hand(wax, shelf, "3", lot="B", value="3.00", expires_on=today - timedelta(days=1))
    put_on_hand(wax, shelf, "2", lot="A", value="2.00", status="quarantine")
    put_on_hand(wax, cellar, "5", lot="A", value="5.00")
    put_on_hand(wax, other, "4", lot="A", value="4.00")
    promise(wax, shelf, 6, "1", pinned=True)
    promise(wax, main, 1, "2")

    page = tab(as_viewer, wax)

    terms = page.context["terms"]
    assert [
        (
            row.site.code,
            row.figures.on_hand,
            row.figures.reserved_pinned,
            row.figures.reserved_soft,
            row.figures.available,
        )
        for row in terms
    ] == [("MAIN", 20, 6, 1, 13), ("OTHER", 4, 0, 0, 4)]
    assert sorted((part.why, part.quantity, part.place_id, part.status) for part in terms[0].not_counted) == [
        ("Quarantine", 2, shelf.pk, "quarantine"),
        ("at a place not for sale", 5, cellar.pk, "available"),
        ("lots past their day", 3, shelf.pk, "available"),
    ]
    assert (page.context["terms_available"], availability(items=[wax.pk])[wax.pk].available) == (17, 17)
    words = page.content.decode()
    assert f"?tab=ledger&amp;place={shelf.pk}&amp;status=quarantine" in words
    assert f"?tab=ledger&amp;place={main.pk}&amp;status=available" in words
    assert "Order 1" in words


def test_what_is_not_counted_adds_up_to_the_figures_of_availability():
    jar = make_item()
    main, other = make_location(), make_location()
    bins = [make_location(parent=main) for _ in range(2)]
    for place in bins:
        put_on_hand(jar, place, "2", value="2.00", status="damaged")
    put_on_hand(jar, other, "2", value="2.00")
    line = DispatchLine(jar, Decimal(2))
    sent = dispatch_transfer(key=uuid4(), source=other, target=main, lines=[line], actor=None).transfer

    terms = availability_terms(item=jar)

    assert [(part.why, part.quantity, part.place_id) for row in terms for part in row.not_counted] == [
        ("Damaged", 4, main.pk),
        ("on the road", 2, sent.transit_id),
    ]
    assert all(
        sum(part.quantity for part in row.not_counted) == row.figures.withheld + row.figures.expired for row in terms
    )


def test_what_a_site_owes_is_not_taken_from_another(as_viewer):
    jar = make_item()
    empty, full = make_location(), make_location()
    put_on_hand(jar, empty, "5", value="5.00")
    put_on_hand(jar, full, "5", value="5.00")
    promise(jar, empty, 5, "1")
    promise(jar, full, 2, "2")
    issue_stock(key=uuid4(), item=jar, location=empty, quantity=Decimal(4), actor=None)

    page = tab(as_viewer, jar)

    assert (page.context["terms_available"], page.context["terms_shortage"]) == (3, -4)


def test_the_board_leads_to_it_and_an_empty_item_says_what_would_stand_there(as_viewer):
    jar = make_item()

    board = as_viewer.get(reverse("inventory:board")).content.decode()

    assert f"{reverse('inventory:item', args=[jar.pk])}?tab=available" in board
    assert "Nothing is available" in tab(as_viewer, jar).content.decode()


def test_the_tab_costs_the_same_number_of_queries_with_1_and_20_rows(as_viewer):
    jar = make_item()

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert tab(as_viewer, jar).status_code == 200
        return len(captured)

    def fill():
        place = make_location()
        put_on_hand(jar, place, "4", value="4.00")
        put_on_hand(jar, place, "1", value="1.00", status="damaged")
        promise(jar, place, 1, f"of {place.code}", pinned=True)

    fill()
    one = queries()
    for _ in range(19):
        fill()

    assert queries() == one
