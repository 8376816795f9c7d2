"""The page of what is below its reorder point."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.operations.transit import DispatchLine, dispatch_transfer
from production.models import WorkOrder
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")
PAGE = "/make/orders/low/"


@pytest.fixture
def low(workshop):
    """4 candles are finished; the point is 10 and 25 are worth making."""
    put_on_hand(workshop.candle, workshop.finished, "4", value="8.00")
    set_point(workshop.candle, "10", "25")
    return workshop


def set_point(item, point, quantity=None):
    item.reorder_point, item.reorder_quantity = Decimal(point), None if quantity is None else Decimal(quantity)
    item.save()


def body(*items, seen="4", **fields):
    data = {"location": "FINISHED", "source": "WORKSHOP", "row": [str(item.pk) for item in items], **fields}
    return data | {f"seen-{item.pk}": seen for item in items}


def text_of(response):
    return " ".join(response.content.decode().split())


def test_says_how_the_figure_comes_about_and_what_to_make(as_viewer, low):
    page = text_of(as_viewer.get(PAGE))

    assert "CANDLE" in page
    assert "available" in page
    assert "limited by WAX" in page
    assert "Plan work orders" not in page


def test_plans_what_is_ticked(as_planner, low):
    response = as_planner.post(PAGE, body(low.candle), follow=True)

    order = WorkOrder.objects.get()
    assert (order.planned, order.state) == (25, "planned")
    assert (order.output_location, order.source_location) == (low.finished, low.place)
    page = text_of(response)
    assert f"Planned {order.number} for 25 × CANDLE" in page
    assert "Nothing is below its reorder point" in page


def test_another_quantity_is_typed_in_any_unit_of_the_item(as_planner, low):
    low.candle.units.create(name="box", numerator=6, denominator=1)

    as_planner.post(PAGE, body(low.candle, **{f"quantity-{low.candle.pk}": "2 box"}))

    assert WorkOrder.objects.get().planned == 12


def test_sent_twice_it_is_planned_once(as_planner, low):
    as_planner.post(PAGE, body(low.candle))

    again = as_planner.post(PAGE, body(low.candle))

    assert again.status_code == 422
    assert "CANDLE: not below the reorder point any more. Nothing was planned" in text_of(again)
    assert WorkOrder.objects.count() == 1


def test_a_page_that_is_not_true_any_more_plans_nothing(as_planner, low):
    put_on_hand(low.candle, low.finished, "1", value="2.00")

    response = as_planner.post(PAGE, body(low.candle))

    assert response.status_code == 422
    assert "5 pcs projected now, 4 when you looked" in text_of(response)
    assert not WorkOrder.objects.exists()


@pytest.mark.parametrize("typed", ["many", "1.5", "0", "-3", "3 barrels", "9" * 60])
def test_a_senseless_quantity_is_refused_at_its_row_and_kept(as_planner, low, typed):
    response = as_planner.post(PAGE, body(low.candle, **{f"quantity-{low.candle.pk}": typed}))

    assert response.status_code == 422
    page = text_of(response)
    assert f'id="problem-{low.candle.pk}"' in page
    assert f'value="{typed}"' in page
    assert not WorkOrder.objects.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"row": []}, "No item is named"),
        ({"location": ""}, "This field is required"),
        ({"location": "NOWHERE"}, "No own place is called “NOWHERE”"),
        ({"row": ["999999999999999999999", "x", "\x00"]}, "No item is named"),
    ],
)
def test_what_is_missing_is_said(as_planner, low, data, words):
    response = as_planner.post(PAGE, {**body(low.candle), **data})

    assert response.status_code == 422
    assert words in text_of(response)
    assert not WorkOrder.objects.exists()


def test_without_what_was_seen_nothing_is_planned(as_planner, low):
    response = as_planner.post(PAGE, {"location": "FINISHED", "row": [str(low.candle.pk)]})

    assert response.status_code == 422
    assert not WorkOrder.objects.exists()


def test_what_is_bought_has_no_box_to_tick(as_planner, low):
    set_point(low.wick, "500", "1000")

    page = text_of(as_planner.get(PAGE))

    assert f'name="row" value="{low.candle.pk}"' in page
    assert f'name="row" value="{low.wick.pk}"' not in page
    assert "bought" in page


def test_only_who_plans_orders_may_plan(as_operator, low):
    assert as_operator.post(PAGE, body(low.candle)).status_code == 403

    assert not WorkOrder.objects.exists()


def test_the_search_narrows_and_empty_answers_teach(as_viewer, low):
    assert "CANDLE" in text_of(as_viewer.get(PAGE, {"q": "cand"}))
    assert "Nothing that matches is low" in text_of(as_viewer.get(PAGE, {"q": "lamp"}))
    part = as_viewer.get(PAGE, {"q": "cand"}, headers={"HX-Request": "true", "HX-Target": "low"})
    assert "<html" not in part.content.decode()


def test_the_places_of_the_last_time_are_offered_again(as_planner, low):
    as_planner.post(PAGE, body(low.candle))
    set_point(low.candle, "100", "25")

    page = text_of(as_planner.get(PAGE))

    assert '<option value="FINISHED" selected>' in page
    assert '<option value="WORKSHOP" selected>' in page


def test_is_exported_as_shown(as_viewer, low):
    lines = b"".join(as_viewer.get(PAGE, {"export": "csv"}).streaming_content).decode("utf-8-sig").splitlines()

    assert lines[0].startswith("SKU,Name,Unit,Reorder point,Available")
    assert lines[1].endswith(",pcs,10,4,0,0,0,0,0,4,made,25")


def test_one_row_costs_as_many_queries_as_twenty(as_planner, low):
    def queries():
        with CaptureQueriesContext(connection) as found:
            assert as_planner.get(PAGE).status_code == 200
        return len(found)

    queries()
    few = queries()
    for number in range(19):
        item = make_item(sku=f"P-{number:02}", kind="product", reorder_point=Decimal(5))
        make_bom(item=item, lines=[(low.wick, "1")])
        put_on_hand(item, low.finished, "1", value="1.00")

    assert queries() == few


def test_names_the_transfer_that_brings_some(as_viewer, low):
    put_on_hand(low.candle, low.finished, "2", value="4.00")
    shop = make_location(code="SHOP")
    lines = [DispatchLine(low.candle, Decimal(2))]
    sent = dispatch_transfer(key=uuid4(), source=low.finished, target=shop, lines=lines, actor=None).transfer

    page = text_of(as_viewer.get(PAGE))
    rows = b"".join(as_viewer.get(f"{PAGE}?export=csv").streaming_content).decode("utf-8-sig").splitlines()

    assert f'+ <span class="num">2</span> <a class="bf-link" href="/stock/transfers/{sent.number}/">' in page
    assert rows[0].split(",")[4:8] == ["Available", "Being made", "Ordered", "On the road"]
    assert rows[1].split(",")[4:8] == ["4", "0", "0", "2"]
