"""Valuation, changes and closed periods as pages: what they show, who may, what they cost."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from inventory.models import CostMethod, ItemCategory, PeriodClose
from inventory.operations.closing import close_period
from inventory.operations.issuing import issue_stock
from inventory.operations.transferring import transfer_stock
from tests.factories import make_item, make_location, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]
NOW = timezone.make_aware(datetime(2026, 5, 20, 12))


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def as_administrator(client, administrator):
    client.force_login(administrator)
    return client


def valuation(client, **query):
    return client.get(reverse("inventory:valuation"), query)


def totals(client, **query):
    return client.get(reverse("inventory:valuation_totals"), query, headers={"HX-Request": "true"}).context["totals"]


def changes(client, **query):
    return client.get(reverse("inventory:causes_of_change"), query)


def shown(response):
    return [(row.item.sku, row.worth.held, row.worth.held_value) for row in response.context["page"].rows]


def issue(item, place, quantity, **more):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, **more).posting


def days_ago(days):
    return NOW - timedelta(days=days)


def text(moment):
    return f"{timezone.localtime(moment):%Y-%m-%dT%H:%M}"


def test_lists_stock_by_sku_with_its_value(as_viewer):
    shelf = make_location()
    put_on_hand(make_item(sku="b"), shelf, "3", value="10.00")
    put_on_hand(make_item(sku="A"), shelf, "2", value="1.00")
    gone = make_item(sku="C")
    put_on_hand(gone, shelf, "1", value="5.00")
    issue(gone, shelf, "1")

    assert shown(valuation(as_viewer)) == [("A", 2, 1), ("b", 3, 10)]


def test_shows_how_it_was_and_what_was_believed(as_viewer, clock):
    item, shelf = make_item(sku="A"), make_location()
    put_on_hand(item, shelf, "10", value="20.00", effective_at=days_ago(9))
    clock.shift(timedelta(days=3))
    issue(item, shelf, "4")
    put_on_hand(item, shelf, "1", value="3.00", effective_at=NOW - timedelta(days=5))
    clock.shift(timedelta(days=1))

    was = valuation(as_viewer, at=text(NOW + timedelta(days=1)))
    believed = valuation(as_viewer, at=text(NOW + timedelta(days=1)), basis="known_then")
    before = valuation(as_viewer, at=text(days_ago(7)), basis="known_then")

    assert shown(was) == [("A", 11, 23)]
    assert shown(believed) == [("A", 10, 20)]
    assert shown(before) == []
    assert "There was no stock" in before.content.decode()


def test_a_part_at_a_place_is_worth_its_share(as_viewer):
    item, shelf, other = make_item(sku="A"), make_location(), make_location()
    put_on_hand(item, shelf, "3", value="10.00")
    transfer_stock(key=uuid4(), item=item, source=shelf, target=other, quantity=Decimal(1), actor=None)

    assert shown(valuation(as_viewer, place=other.pk)) == [("A", 1, Decimal("3.33"))]
    assert totals(as_viewer, place=other.pk).known_value == Decimal("3.33")
    by_place = totals(as_viewer, by="place")
    assert by_place.known_value == sum(row.known_value for row in by_place.rows) == 10


def test_sums_by_category_lead_to_their_items(as_viewer):
    shelf, wax = make_location(), ItemCategory.objects.create(name="Wax")
    soy = ItemCategory.objects.create(name="Soy", parent=wax)
    put_on_hand(make_item(sku="S", category=soy), shelf, "1", value="7.00")
    put_on_hand(make_item(sku="N"), shelf, "1", value="2.50")

    rows = {row.label: row.known_value for row in totals(as_viewer).rows}

    assert rows == {"Soy": 7, "No category": Decimal("2.5")}
    assert shown(valuation(as_viewer, category=wax.pk)) == [("S", 1, 7)]


def test_unknown_cost_is_listed_apart_and_is_never_nothing(as_viewer):
    item, shelf = make_item(sku="A"), make_location()
    put_on_hand(item, shelf, "4")
    put_on_hand(item, shelf, "6", value="12.00")

    apart = as_viewer.get(reverse("inventory:valuation_unknown"), headers={"HX-Request": "true"})
    page = valuation(as_viewer)

    assert [(row.item, row.worth.unknown_quantity, row.worth.known_value) for row in apart.context["unknown"]] == [
        (item, 4, 12)
    ]
    assert "Not all costs are known" in apart.content.decode()
    assert shown(page) == [("A", 10, None)]
    assert f'hx-get="{reverse("inventory:valuation_unknown")}?"' in page.content.decode()
    assert totals(as_viewer).unknown_items == 1


def test_pages_follow_each_other_by_sku(as_viewer):
    shelf = make_location()
    for number in range(60):
        put_on_hand(make_item(sku=f"S-{number:02}"), shelf, "1", value="1")

    first = valuation(as_viewer)
    second = valuation(as_viewer, after=first.context["page"].next_after)

    assert [row.item.sku for row in first.context["page"].rows] == [f"S-{n:02}" for n in range(50)]
    assert [row.item.sku for row in second.context["page"].rows] == [f"S-{n:02}" for n in range(50, 60)]
    assert second.context["page"].next_after is None


def test_an_export_has_every_row_and_says_of_when(as_viewer):
    shelf = make_location()
    for number in range(60):
        put_on_hand(make_item(sku=f"S-{number:02}"), shelf, "3", value="10", effective_at=days_ago(2))

    response = valuation(as_viewer, export="csv", at=text(days_ago(1)))
    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()

    assert len(lines) == 61
    assert lines[1] == "S-00,Item " + lines[1].split("Item ")[1].split(",")[0] + (
        ",,Moving average,3,pcs,3.333333,10,10,0,2026-05-19 12:00"
    )
    assert valuation(as_viewer, export="xlsx").status_code == 200


def test_pools_and_ledger_agree(as_viewer):
    put_on_hand(make_item(), make_location(), "3", value="10.00", effective_at=days_ago(9))
    close_period(through=timezone.localdate(days_ago(4)), actor=None)

    response = as_viewer.get(reverse("inventory:valuation_totals"))

    assert (response.context["tie_out"].pools, response.context["tie_out"].ledger) == (10, 10)
    assert "Pools and ledger agree" in response.content.decode()


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("valuation", {}),
        ("valuation", {"at": "2026-05-20T11:00"}),
        ("valuation", {"at": "2026-05-20T11:00", "basis": "known_then"}),
        ("valuation_totals", {}),
        ("valuation_unknown", {}),
        ("valuation_unknown", {"at": "2026-05-20T11:00"}),
        ("valuation_totals", {"at": "2026-05-20T11:00", "by": "place"}),
        ("changes", {"first": "2026-05-01T00:00"}),
        ("causes_of_change", {"first": "2026-05-01T00:00"}),
        ("periods", {}),
    ],
)
def test_costs_the_same_number_of_queries_with_many_rows(as_viewer, name, query):
    def one_more(number):
        item, place = make_item(), make_location()
        put_on_hand(item, place, "3", value="2", effective_at=days_ago(4))
        put_on_hand(item, place, "1", effective_at=days_ago(3))
        PeriodClose.objects.create(
            through=timezone.localdate(days_ago(1000 + number)),
            ends_at=days_ago(1000 + number),
            closed_at=NOW,
            reopened_at=NOW,
        )

    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_viewer.get(reverse(f"inventory:{name}"), query).status_code == 200
        return len(seen)

    one_more(0)
    queries()
    few = queries()
    for number in range(1, 21):
        one_more(number)

    assert queries() == few


def test_changes_of_an_item_tell_what_was_recorded_later(as_viewer, clock):
    item, shelf = make_item(sku="A"), make_location()
    put_on_hand(item, shelf, "10", value="20.00", effective_at=days_ago(9))
    clock.shift(timedelta(days=2))
    put_on_hand(item, shelf, "5", value="10.00", effective_at=days_ago(1))
    clock.shift(timedelta(days=1))

    was = changes(as_viewer, item="A", first=text(NOW + timedelta(days=1)))
    believed = changes(as_viewer, item="A", first=text(NOW + timedelta(days=1)), basis="known_then")

    assert [c.quantity for c in was.context["found"].late] == [5]
    assert (was.context["found"].opening.quantity, was.context["found"].causes) == (15, ())
    assert believed.context["found"].opening.quantity == 10
    assert [(c.label, c.quantity, c.is_late) for c in believed.context["found"].late] == [("Receipts", 5, True)]
    assert believed.context["found"].closing.quantity == 15
    for response in (was, believed):
        ((cause, url),) = response.context["late"]
        assert [row.movement.quantity for row in as_viewer.get(url).context["rows"]] == [cause.quantity]


def test_the_page_of_changes_comes_at_once_and_leads_to_its_causes(as_viewer):
    item, shelf = make_item(sku="A"), make_location()
    put_on_hand(item, shelf, "10", value="20.00", effective_at=days_ago(2))

    whole = as_viewer.get(reverse("inventory:changes"), {"item": "A", "first": text(days_ago(5))}).content.decode()
    causes = as_viewer.get(reverse("inventory:causes_of_change"), {"item": "A", "first": text(days_ago(5))})

    assert f'href="{reverse("inventory:causes_of_change")}?item=A&amp;first=2026-05-15T12%3A00"' in whole
    assert "Receipts" not in whole
    assert "Receipts" in causes.content.decode()
    assert (
        f'href="{reverse("inventory:changes")}?item=A&amp;first=2026-05-15T12%3A00&amp;export=csv"'
        in causes.content.decode()
    )


def test_changes_are_exported_with_both_ends(as_viewer):
    item, shelf = make_item(sku="A"), make_location()
    put_on_hand(item, shelf, "10", value="20.00", effective_at=days_ago(2))

    moments = {"first": text(days_ago(5)), "second": text(days_ago(1))}
    response = as_viewer.get(reverse("inventory:changes"), {"item": "A", "export": "csv", **moments})

    assert b"".join(response.streaming_content).decode("utf-8-sig").splitlines()[1:] == [
        '"Stock on 2026-05-15 12:00, as it was",,0,0,',
        "Receipts,1,10,20,0",
        '"Stock on 2026-05-19 12:00, as it was",,10,20,',
    ]


def test_changes_of_no_item_say_so(as_viewer):
    response = changes(as_viewer, item="NONE")

    assert "There is no such item" in response.content.decode()
    assert as_viewer.get(reverse("inventory:changes"), {"item": "NONE", "export": "csv"}).status_code == 200


def test_an_item_is_seen_as_it_was(as_viewer, clock):
    item, shelf, other = make_item(sku="A"), make_location(code="SHELF"), make_location(code="OTHER")
    put_on_hand(item, shelf, "10", value="20.00", effective_at=days_ago(9))
    clock.shift(timedelta(days=2))
    transfer_stock(key=uuid4(), item=item, source=shelf, target=other, quantity=Decimal(4), actor=None)
    page = reverse("inventory:item", args=[item.pk])

    then = as_viewer.get(page, {"at": text(NOW)}).context["as_of"]
    believed = as_viewer.get(page, {"at": text(days_ago(5)), "basis": "known_then"}).context["as_of"]
    dragged = as_viewer.get(page, {"back": "4"}).context["as_of"]

    assert [(row.location_code, row.quantity, row.since, row.value) for row in then["rows"]] == [
        ("SHELF", 10, -4, 20),
        ("OTHER", 0, 4, 0),
    ]
    assert believed["worth"].quantity == 0
    assert (dragged["worth"].quantity, dragged["worth"].value) == (10, 20)
    assert as_viewer.get(page).context["as_of"] is None


@pytest.mark.parametrize("query", [{}, {"at": "2026-05-20T11:00"}, {"at": "nonsense", "back": "-1", "basis": "x"}])
def test_looking_back_costs_the_same_with_many_places(as_viewer, query):
    item = make_item()
    put_on_hand(item, make_location(), "1", value="2", effective_at=days_ago(4))

    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_viewer.get(reverse("inventory:item", args=[item.pk]), query).status_code == 200
        return len(seen)

    queries()
    few = queries()
    for _ in range(20):
        put_on_hand(item, make_location(), "1", value="2", effective_at=days_ago(4))

    assert queries() == few


def test_layers_and_lots_are_shown_with_their_cost(as_viewer):
    shelf = make_location()
    fifo = make_item(cost_method=CostMethod.FIFO)
    put_on_hand(fifo, shelf, "4", value="10.00")
    put_on_hand(fifo, shelf, "6", value="18.00")
    issue(fifo, shelf, "5")
    by_lot = make_item(tracking="lot", cost_method=CostMethod.LOT)
    put_on_hand(by_lot, shelf, "4", value="10.00", lot="L-1")

    layers = as_viewer.get(reverse("inventory:item", args=[fifo.pk]), {"tab": "cost"}).context["layers"]
    pools = as_viewer.get(reverse("inventory:item", args=[by_lot.pk]), {"tab": "cost"}).context["lot_pools"]

    assert [(layer.quantity, layer.value, layer.unit_cost) for layer in layers] == [(5, 15, 3)]
    assert [(pool.lot.code, pool.quantity, pool.value) for pool in pools] == [("L-1", 4, 10)]


def test_a_period_is_closed_and_opened_again_on_its_page(as_administrator):
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "3", value="10.00", effective_at=days_ago(9))
    put_on_hand(make_item(), shelf, "3", effective_at=days_ago(9))
    form = as_administrator.get(reverse("inventory:close_period"), {"through": "2026-05-15"})

    assert (form.context["outlook"].known_value, form.context["outlook"].unknown_items) == (10, 1)
    as_administrator.post(reverse("inventory:close_period"), {"through": "2026-05-15", "note": "May, first half"})
    (period,) = PeriodClose.objects.all()
    assert (period.known_value, period.items, period.unknown_items, period.note) == (10, 2, 1, "May, first half")
    assert "May, first half" in as_administrator.get(reverse("inventory:periods")).content.decode()

    refused = as_administrator.post(reverse("inventory:reopen_period", args=[period.pk]), {"reason": " "})
    assert refused.status_code == 409
    as_administrator.post(reverse("inventory:reopen_period", args=[period.pk]), {"reason": "late invoice"})
    period.refresh_from_db()
    assert (period.reopened_at is not None, period.reopen_reason) == (True, "late invoice")


@pytest.mark.parametrize(("through", "status"), [("2026-05-20", 422), ("", 422), ("2026-05-01", 409)])
def test_a_close_that_cannot_be_is_told_on_its_form(as_administrator, through, status):
    close_period(through=timezone.localdate(days_ago(5)), actor=None)

    response = as_administrator.post(reverse("inventory:close_period"), {"through": through})

    assert response.status_code == status
    assert PeriodClose.objects.count() == 1


def test_only_an_administrator_closes(as_planner, as_viewer):
    assert as_viewer.get(reverse("inventory:periods")).status_code == 200
    for name, arguments in (("close_period", []), ("reopen_period", [1])):
        assert (
            as_planner.post(reverse(f"inventory:{name}", args=arguments), {"through": "2026-05-01"}).status_code == 403
        )
