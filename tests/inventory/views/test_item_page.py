from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from inventory.models import LocationKind, Supplier, SupplierItem, SupplierStock
from inventory.operations.issuing import issue_stock
from inventory.operations.landing_costs import ReceiptPrice, correct_prices
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import transfer_stock
from inventory.operations.transit import DispatchLine, dispatch_transfer
from inventory.views import as_of, items
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


def page(client, item, **query):
    return client.get(reverse("inventory:item", args=[item.pk]), query)


def ledger(client, item, **query):
    return page(client, item, tab="ledger", **query).context["ledger"]


def take(item, place, quantity, actor=None):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=actor).posting


def test_the_ledger_runs_a_balance_back_from_what_is_there(as_viewer):
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "10")
    take(item, shelf, "3")
    put_on_hand(item, shelf, "5")

    rows = ledger(as_viewer, item).rows

    assert [(row.movement.quantity, row.balance) for row in rows] == [(5, 12), (-3, 7), (10, 10)]


def test_older_pages_go_on_with_the_balance(as_viewer):
    item, shelf = make_item(), make_location()
    for _ in range(60):
        put_on_hand(item, shelf, "1")

    first = ledger(as_viewer, item)
    second = ledger(as_viewer, item, before=first.next_before)

    assert [row.balance for row in first.rows] == list(range(60, 10, -1))
    assert [row.balance for row in second.rows] == list(range(10, 0, -1))
    assert second.next_before is None


def test_up_to_a_movement_the_ledger_ends_there_whatever_page_and_place_is_chosen(as_viewer):
    item, shelf = make_item(), make_location()
    for _ in range(60):
        put_on_hand(item, shelf, "1")
    upto = item.movements.order_by("pk")[54].pk

    answer = page(as_viewer, item, tab="ledger", upto=upto, place=shelf.pk)
    first = answer.context["ledger"]
    second = ledger(as_viewer, item, upto=upto, before=first.next_before)

    assert [row.balance for row in (*first.rows, *second.rows)] == list(range(55, 0, -1))
    assert ledger(as_viewer, item, upto=upto, before=upto + 100).rows[0].balance == 55
    words = " ".join(strip_tags(answer.content.decode()).split())
    assert f"Movements up to number {upto} only" in words
    assert "together they come to 55" in words
    assert f'name="upto" value="{upto}"' in answer.content.decode()
    assert "Movements up to" not in page(as_viewer, item, tab="ledger").content.decode()


def test_the_balance_of_one_place_counts_only_that_place(as_viewer):
    item, shelf, other = make_item(), make_location(), make_location()
    put_on_hand(item, shelf, "10")
    transfer_stock(key=uuid4(), item=item, source=shelf, target=other, quantity=Decimal(4), actor=None)

    rows = ledger(as_viewer, item, place=other.pk).rows

    assert [(row.movement.quantity, row.balance) for row in rows] == [(4, 4)]


def test_reversed_movements_are_struck_through_and_their_reversal_is_not(as_viewer):
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "10")
    reverse_posting(key=uuid4(), posting=take(item, shelf, "3"), actor=None)

    response = page(as_viewer, item, tab="ledger")

    assert [row.is_reversed for row in response.context["ledger"].rows] == [False, True, False]
    assert response.content.decode().count('class="bf-reversed"') == 1


def test_where_lists_lots_with_status_and_expiry(as_viewer):
    item, shelf = make_item(tracking="lot"), make_location(code="BIN-7")
    put_on_hand(item, shelf, "4", lot="L-1", expires_on=timezone.localdate() - timedelta(days=1))
    put_on_hand(item, shelf, "2", lot="L-2", status="qc_hold")

    text = page(as_viewer, item).content.decode()

    assert "L-1" in text
    assert "expired" in text
    assert "QC hold" in text
    assert "BIN-7" in text


def test_unknown_cost_is_listed_with_where_it_came_in(as_viewer):
    item, shelf = make_item(), make_location()
    posting = put_on_hand(item, shelf, "4")
    put_on_hand(item, shelf, "6", value="12")

    response = page(as_viewer, item, tab="cost")

    assert response.context["worth"].value is None
    assert response.context["worth"].known_value == Decimal("12")
    assert [movement.posting for movement in response.context["unknown"]] == [posting]


def test_goods_that_got_their_price_later_and_goods_that_only_moved_are_not_listed_as_unknown(as_viewer):
    item, shelf = make_item(cost_method="fifo"), make_location()
    priced, unpriced = put_on_hand(item, shelf, "4"), put_on_hand(item, shelf, "5")
    transfer_stock(key=uuid4(), item=item, source=shelf, target=make_location(), quantity=Decimal(2), actor=None)
    prices = [ReceiptPrice(priced.movements.get(), Decimal("8.00"))]
    correct_prices(key=uuid4(), prices=prices, actor=None)

    unknown = page(as_viewer, item, tab="cost").context["unknown"]

    assert [(movement.posting, movement.quantity) for movement in unknown] == [(unpriced, 5)]


@pytest.mark.parametrize("tab", ["where", "ledger", "lots", "cost"])
def test_each_tab_costs_the_same_number_of_queries_with_many_rows(as_viewer, tab):
    item, shelf = make_item(tracking="lot"), make_location()
    put_on_hand(item, shelf, "1", lot="first", value="1")

    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert page(as_viewer, item, tab=tab).status_code == 200
        return len(seen)

    queries()
    few = queries()
    for number in range(20):
        put_on_hand(item, make_location(), "1", lot=f"L{number}", value="1")

    assert queries() == few


def test_htmx_gets_the_tab_without_the_head(as_viewer):
    item = make_item()

    url = reverse("inventory:item", args=[item.pk])
    response = as_viewer.get(url, {"tab": "cost"}, headers={"HX-Request": "true", "HX-Target": "tab"})

    assert "<html" not in response.content.decode()
    assert "What the stock is worth" in response.content.decode()


def test_quantities_of_twelve_digits_are_shown_whole(as_viewer):
    item = make_item(step="0.000001", unit="kg")
    put_on_hand(item, make_location(), "123456789012.123456")

    assert "123,456,789,012.123456" in page(as_viewer, item).content.decode()


def figures(client, item):
    return {figure.label: figure.value for figure in page(client, item).context["figures"]}


def test_on_hand_leaves_out_the_road_and_what_is_below_zero_elsewhere(as_viewer, administrator):
    item, shelf, other = make_item(negative_allowed=True), make_location(), make_location()
    road = make_location(kind=LocationKind.IN_TRANSIT, is_sellable=False)
    put_on_hand(item, shelf, "10")
    dispatch_transfer(
        key=uuid4(),
        source=shelf,
        target=make_location(),
        transit=road,
        lines=[DispatchLine(item, Decimal(2))],
        actor=None,
    )
    issue_stock(
        key=uuid4(),
        item=item,
        location=other,
        quantity=Decimal(5),
        reason="not booked yet",
        actor=administrator,
        may_go_below=True,
    )

    found = {figure.label: figure for figure in page(as_viewer, item).context["figures"]}

    assert found["On hand"].value.startswith('<span class="num">8')
    assert found["On hand"].hint == "and \u22125 where the book is below zero"


def test_what_suppliers_have_is_a_figure_and_a_table_of_its_own(as_viewer):
    item = make_item()
    offer = SupplierItem.objects.create(supplier=Supplier.objects.create(code="ACME", name="Acme"), item=item)
    SupplierStock.objects.create(supplier_item=offer, quantity=500, confirmed_at=timezone.now() - timedelta(hours=5))

    text = page(as_viewer, item).content.decode()

    assert "At suppliers" in figures(as_viewer, item)
    assert "fresh, 5 h ago" in text


def test_where_says_whose_goods_they_are(as_viewer):
    item, site = make_item(), make_location(owner="Northwind")
    put_on_hand(item, make_location(parent=site), "4")

    assert [row.owner for row in page(as_viewer, item).context["cells"]] == ["Northwind"]


def test_the_line_of_what_was_on_hand_is_told_in_words(as_viewer):
    item, shelf = make_item(), make_location()
    assert page(as_viewer, item).context["trend"] is None
    put_on_hand(item, shelf, "10")
    take(item, shelf, "3")

    trend = page(as_viewer, item).context["trend"]

    assert "0 then, 7 now, lowest 0, highest 7 pcs" in trend.words


def test_lots_are_listed_with_their_age(as_viewer):
    item, shelf = make_item(tracking="lot"), make_location()
    put_on_hand(item, shelf, "4", lot="NEW")
    put_on_hand(item, shelf, "6", lot="OLD", effective_at=timezone.now() - timedelta(days=40))

    context = page(as_viewer, item, tab="lots").context

    assert [row.lot.code for row in context["lot_rows"]] == ["OLD", "NEW"]
    assert [(bucket.words, bucket.quantity) for bucket in context["ageing"]] == [
        ("up to 30 days", 4),
        ("31–90 days", 6),
    ]


def test_a_promise_is_named_in_words(as_viewer):
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "5", value="10")
    reserve_stock(
        item=item,
        location=shelf,
        quantity=Decimal(2),
        demand_kind="work_order",
        demand_ref="WO-000042",
        actor=None,
        pinned=True,
    )

    assert "Work order WO-000042" in as_viewer.get(reverse("inventory:item", args=[item.pk])).content.decode()


def test_an_item_of_many_serials_is_listed_page_by_page_and_summed_whole(as_viewer, monkeypatch):
    monkeypatch.setattr(items, "CELLS_PER_PAGE", 2)
    monkeypatch.setattr(as_of, "CELLS_PER_PAGE", 2)
    item, shelf = make_item(tracking="serial"), make_location()
    for number in range(5):
        put_on_hand(item, shelf, "1", lot=f"SN-{number}", effective_at=timezone.now() - timedelta(days=3))

    last = page(as_viewer, item, page="3")
    past = page(as_viewer, item, page="2", back="1").context["as_of"]

    assert [row.cell.lot.code for row in last.context["cells"]] == ["SN-4"]
    assert last.context["total"] == 5
    assert "5–5 of 5 cells" in strip_tags(last.content.decode())
    assert "In all, on every page" in last.content.decode()
    assert [row.lot_code for row in past["rows"]] == ["SN-2", "SN-3"]
    assert past["worth"].quantity == 5


def reserved(item, shelf, *, pinned=True):
    return reserve_stock(
        item=item,
        location=shelf,
        quantity=Decimal(2),
        demand_kind="order",
        demand_ref="SO-1",
        actor=None,
        pinned=pinned,
    ).reservations[0]


@pytest.mark.parametrize("pinned", [True, False])
def test_a_promise_is_let_go_of_with_a_reason(as_planner, ledger_stays_true, pinned):
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "5", value="10")
    promise = reserved(item, shelf, pinned=pinned)
    address = reverse("inventory:release_reservation", args=[promise.pk])
    assert address in page(as_planner, item).content.decode()

    as_planner.post(address, {"reason": " "})
    promise.refresh_from_db()
    assert promise.quantity == 2
    response = as_planner.post(address, {"reason": "Customer gone"}, follow=True)
    again = as_planner.post(address, {"reason": "Customer gone"}, follow=True)

    promise.refresh_from_db()
    assert promise.quantity == 0
    assert list(promise.changes.values_list("quantity", "reason")) == [(-2, "Customer gone"), (2, "reserved")]
    assert item.balances.get().reserved == 0
    assert f"Freed 2 pcs of {item.sku} that order SO-1 held" in response.content.decode()
    assert "holds nothing of it any more" in again.content.decode()


def test_who_may_not_change_promises_sees_no_way_to(as_viewer):
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "5", value="10")
    promise = reserved(item, shelf)
    address = reverse("inventory:release_reservation", args=[promise.pk])

    assert address not in page(as_viewer, item).content.decode()
    assert as_viewer.post(address, {"reason": "no"}).status_code == 403

    promise.refresh_from_db()
    assert promise.quantity == 2
