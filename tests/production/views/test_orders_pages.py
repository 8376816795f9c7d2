"""The pages of work orders beyond opening and closing: release, pick list, return, traveller, shortages, calendar, demands."""

import re
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from barcode.charsets.code128 import CODES as CODE_128
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from production.models import Demand, WorkOrder
from production.operations.issuing_components import IssueLine, issue_components
from production.operations.releasing import release_work_order
from production.reads.shortages import shortages_of
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom
from tests.production.operations.ordering import pinned
from tests.production.views.test_work_orders import make_order

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def floor(workshop):
    return make_location(code="FLOOR", is_sellable=False)


def address(order, verb=""):
    return f"/make/orders/{order.number}/{verb}"


def queries(client, path):
    with CaptureQueriesContext(connection) as found:
        assert client.get(path).status_code == 200
    return len(found)


def test_an_order_is_planned_on_the_form(as_planner, workshop):
    data = {"key": str(uuid4()), "item": "CANDLE", "planned": "12", "output_location": "FINISHED"}

    as_planner.post("/make/orders/new/", {**data, "is_planned": "planned", "rank": "-10", "start_on": "2031-01-02"})

    order = WorkOrder.objects.get()
    assert (order.state, order.rank, order.start_on.isoformat()) == ("planned", -10, "2031-01-02")


def test_is_released_and_tells_what_is_missing(as_planner, workshop):
    order = make_order(workshop, "60", is_planned=True)

    response = as_planner.post(address(order, "release/"), {"reserves": "1"}, follow=True)

    order.refresh_from_db()
    assert (order.state, pinned(order, workshop.wax)) == ("open", 10)
    assert "missing 2 kg of WAX" in response.content.decode()


def test_a_refused_release_says_why_and_changes_nothing(as_planner, workshop):
    order = make_order(workshop, "60", is_planned=True)

    response = as_planner.post(address(order, "release/"), {"reserves": "1", "needs_everything": "1"})

    order.refresh_from_db()
    assert response.status_code == 422
    assert "is short of 2 kg of WAX" in response.content.decode()
    assert (order.state, pinned(order, workshop.wax)) == ("planned", 0)


@pytest.mark.parametrize("verb", ["release", "reserve", "cancel", "dates", "split", "merge", "bom", "sub-orders"])
def test_planning_is_closed_to_an_operator(as_operator, workshop, verb):
    order = make_order(workshop, is_planned=True)

    assert as_operator.post(address(order, f"{verb}/"), {"quantity": "1"}).status_code == 403
    order.refresh_from_db()
    assert (order.state, WorkOrder.objects.count()) == ("planned", 1)


def test_the_pick_list_goes_from_place_to_place_earliest_lot_first(as_viewer, workshop):
    order = make_order(workshop, "30")

    response = as_viewer.get(address(order, "pick/"))

    rows = [(row.place.code, row.component.sku, row.lot_code, row.quantity) for row, *_ in response.context["rows"]]
    assert rows == [
        ("WORKSHOP", "WAX", "L-1", 4),
        ("WORKSHOP", "WAX", "L-2", 2),
        ("WORKSHOP", "WICK", "", 30),
    ]


def test_ticked_rows_are_issued_to_the_floor(as_operator, workshop, floor):
    order = make_order(workshop, "30")
    rows = {row.lot_code: row.key for row, *_ in as_operator.get(address(order, "pick/")).context["rows"]}
    data = {"key": str(uuid4()), "floor": "FLOOR", "row": [rows["L-1"], rows[""]], f"quantity-{rows['L-1']}": "500 g"}

    first = as_operator.post(address(order, "pick/"), data)
    again = as_operator.post(address(order, "pick/"), data)

    assert (first.status_code, again.status_code) == (302, 302)
    assert on_hand(workshop.wax, location=floor) == Decimal("0.5")
    assert on_hand(workshop.wick, location=floor) == 30
    assert pinned(order, workshop.wax, floor) == Decimal("0.5")


def test_a_wrong_quantity_is_explained_beside_its_row(as_operator, workshop, floor):
    order = make_order(workshop, "30")
    key = as_operator.get(address(order, "pick/")).context["rows"][0][0].key

    response = as_operator.post(
        address(order, "pick/"), {"key": str(uuid4()), "floor": "FLOOR", "row": key, f"quantity-{key}": "1 litre"}
    )

    assert response.status_code == 422
    assert "1 litre" in response.content.decode()
    assert on_hand(workshop.wax, location=floor) == 0


def test_nothing_ticked_is_refused(as_operator, workshop, floor):
    order = make_order(workshop, "30")

    response = as_operator.post(address(order, "pick/"), {"key": str(uuid4()), "floor": "FLOOR"})

    assert response.status_code == 422
    assert "No component was chosen" in response.content.decode()


def test_seeing_the_list_is_not_issuing_from_it(as_viewer, workshop, floor):
    order = make_order(workshop, "30")
    key = as_viewer.get(address(order, "pick/")).context["rows"][0][0].key

    response = as_viewer.post(address(order, "pick/"), {"key": str(uuid4()), "floor": "FLOOR", "row": key})

    assert response.status_code == 403
    assert on_hand(workshop.wax, location=floor) == 0


def test_what_was_issued_goes_back(as_operator, workshop, floor):
    order = make_order(workshop, "30")
    issue_components(
        key=uuid4(), work_order=order, lines=[IssueLine(workshop.wax, Decimal(5))], floor=floor, actor=None
    )
    rows = as_operator.get(address(order, "return/")).context["rows"]

    as_operator.post(
        address(order, "return/"), {"key": str(uuid4()), "target": "WORKSHOP", f"quantity-{rows[0][0].pk}": "4"}
    )

    assert (on_hand(workshop.wax, location=floor), pinned(order, workshop.wax)) == (1, 1)


def test_the_bars_of_the_traveller_read_as_the_number_of_the_order(as_viewer, workshop):
    """Decoded by the widths of bars and gaps: start B, the letters, the check symbol, stop."""
    order = make_order(workshop, "30")
    page = as_viewer.get(address(order, "traveller/")).content.decode()
    width = int(re.search(r'class="order-bars" viewBox="0 0 (\d+) 40"', page)[1])
    modules = ["0"] * width
    for start, bar in re.findall(r"M(\d+) 0h(\d+)v40h-\d+z", page):
        modules[int(start) : int(start) + int(bar)] = "1" * int(bar)
    drawn = "".join(modules)
    assert (drawn[:10], drawn[-10:], drawn[10]) == ("0" * 10, "0" * 10, "1")
    symbols = [drawn[place : place + 11] for place in range(10, width - 10 - 13, 11)]
    values = [CODE_128.index(symbol) for symbol in symbols]
    start, *letters, check = values
    assert check == (start + sum(place * value for place, value in enumerate(letters, start=1))) % 103
    assert letters_of(start, letters) == order.number


def letters_of(start, values):
    """What Code 128 says, in sets B (start 104) and C (start 105, two digits a symbol)."""
    said, pairs = "", start == 105
    for value in values:
        if value == 99 and not pairs:
            pairs = True
        elif value == 100 and pairs:
            pairs = False
        else:
            said += f"{value:02d}" if pairs else chr(value + 32)
    return said


def test_the_traveller_shows_components_and_a_code_that_leads_to_the_completion(as_viewer, workshop):
    by_product = workshop.wick
    bom = make_bom(
        item=workshop.candle,
        lines=[(workshop.wax, "200", {"unit": "g"})],
        outputs=[(by_product, "2", 0)],
        operations=[{"name": "Pour", "instructions": "At 60 degrees", "minutes": 1, "rate_per_hour": 1}],
        instructions="Let it cool.",
        state="draft",
    )
    workshop.bom.state, workshop.bom.effective_to = "retired", "2020-01-02"
    workshop.bom.save()
    bom.state, bom.effective_from = "active", "2020-01-02"
    bom.save()
    order = make_order(workshop, "30")

    response = as_viewer.get(address(order, "traveller/"))

    page = response.content.decode()
    for words in (order.number, "6<", "Pour", "At 60 degrees", "Let it cool.", "60<", "<svg"):
        assert words in page
    assert response.context["outputs"] == [(bom.outputs.get(), 60)]


def test_the_code_scanned_on_the_floor_page_finds_its_order(as_operator, workshop):
    order = make_order(workshop)

    for scanned in (order.number, f"https://backflush.example/make/orders/{order.number}/complete/"):
        response = as_operator.get("/make/complete/", {"what": scanned})

        assert response.context["subject"].work_order == order


def test_shortages_are_listed_by_order_and_by_component(as_viewer, workshop):
    order = make_order(workshop, "60")

    by_order = as_viewer.get("/make/orders/shortages/")
    by_component = as_viewer.get("/make/orders/shortages/?by=component")
    none = as_viewer.get("/make/orders/shortages/?q=zzz")

    assert [short.order for short in by_order.context["page_object"]] == [order]
    assert [(row.component, row.short) for row in by_component.context["page_object"]] == [(workshop.wax, 2)]
    assert "2<" in by_order.content.decode()
    assert "No shortage matches" in none.content.decode()


def test_shortages_are_exported(as_viewer, workshop):
    order = make_order(workshop, "60")

    text = b"".join(as_viewer.get("/make/orders/shortages/?export=csv").streaming_content).decode()

    assert f"{order.number},,CANDLE,WAX,kg,12,0,10,2,0," in text


@pytest.mark.parametrize("path", ["/make/orders/shortages/", "/make/orders/calendar/", "/make/orders/"])
def test_pages_cost_the_same_number_of_queries_with_1_and_20_orders(as_planner, workshop, path):
    make_order(workshop, "60", due_on=timezone.localdate())
    as_planner.get(path)
    one = queries(as_planner, path)
    for _ in range(19):
        make_order(workshop, "60", due_on=timezone.localdate())

    assert queries(as_planner, path) == one


def test_the_page_of_an_order_costs_the_same_with_1_and_20_orders_before_it(as_planner, workshop):
    order = make_order(workshop, "60")
    as_planner.get(address(order))
    one = queries(as_planner, address(order))
    for _ in range(19):
        make_order(workshop, "60", due_on=timezone.localdate())

    assert queries(as_planner, address(order)) == one


def test_the_calendar_shows_orders_on_their_day_and_moves_them(as_planner, workshop):
    today = timezone.localdate()
    order, undated = make_order(workshop, due_on=today), make_order(workshop)

    response = as_planner.get("/make/orders/calendar/")
    placed = [day.on for week in response.context["weeks"] for day in week if order in day.orders]
    moved = as_planner.post(
        address(order, "dates/"),
        {"due_on": (today + timedelta(days=3)).isoformat(), "next": "/make/orders/calendar/?month=2031-02"},
    )

    assert (placed, response.context["undated"]) == ([today], [undated])
    assert moved["Location"] == "/make/orders/calendar/?month=2031-02"
    order.refresh_from_db()
    assert (order.due_on, order.rank) == (today + timedelta(days=3), 0)


@pytest.mark.parametrize("month", ["", "2031-13", "nonsense", "0001-01", "9999-12"])
def test_a_month_that_is_none_shows_this_one(as_viewer, workshop, month):
    response = as_viewer.get("/make/orders/calendar/", {"month": month})

    assert response.context["month"] == timezone.localdate().replace(day=1)


def test_dates_out_of_order_are_explained(as_planner, workshop):
    order = make_order(workshop)

    response = as_planner.post(
        address(order, "dates/"), {"start_on": "2031-02-02", "due_on": "2031-02-01", "rank": "0"}
    )

    assert response.status_code == 422
    assert "The start is after the due date" in response.content.decode()


def test_priority_narrows_the_board(as_viewer, workshop):
    make_order(workshop)
    urgent = make_order(workshop, rank=-100)

    response = as_viewer.get("/make/orders/?priority=-100")

    assert [order for column in response.context["columns"] for order in column.orders] == [urgent]


def test_issued_to_makes_it_in_progress(as_viewer, workshop, floor):
    order = make_order(workshop)
    issue_components(
        key=uuid4(), work_order=order, lines=[IssueLine(workshop.wax, Decimal(1))], floor=floor, actor=None
    )

    response = as_viewer.get("/make/orders/?state=started")

    assert list(response.context["page_object"]) == [order]


def test_is_split_merged_and_cancelled(as_planner, workshop):
    order = make_order(workshop, "10")

    as_planner.post(address(order, "split/"), {"quantity": "4"})
    new = WorkOrder.objects.get(split_from=order)
    too_much = as_planner.post(address(order, "split/"), {"quantity": "6"})
    as_planner.post(address(order, "merge/"), {"order": [new.number]})
    nothing = as_planner.post(address(order, "merge/"), {})
    as_planner.post(address(order, "cancel/"))

    order.refresh_from_db()
    new.refresh_from_db()
    assert (too_much.status_code, nothing.status_code) == (422, 422)
    assert (order.planned, order.state) == (10, "cancelled")
    assert (new.planned, new.state, new.merged_into) == (4, "cancelled", order)


def test_the_rest_is_split_evenly(as_planner, workshop):
    order = make_order(workshop, "10")

    page = as_planner.get(address(order, "split/"))
    nothing = as_planner.post(address(order, "split/"), {"way": "parts", "parts": "1"})
    too_many = as_planner.post(address(order, "split/"), {"way": "parts", "parts": "11"})
    done = as_planner.post(address(order, "split/"), {"way": "parts", "parts": "3"}, follow=True)

    assert "Split evenly" in page.content.decode()
    assert (nothing.status_code, too_many.status_code) == (422, 422)
    assert "too few for 11 parts" in too_many.content.decode()
    planned = WorkOrder.objects.order_by("pk").values_list("planned", flat=True)
    assert list(planned) == [3, 3, 4]
    first, second = WorkOrder.objects.filter(split_from=order).order_by("pk")
    message = f"Split {order.number} into 3 orders: {first.number} makes 3 pcs, {second.number} makes 4 pcs"
    assert [str(told) for told in done.context["messages"]] == [message]


def test_the_newest_bom_is_compared_and_taken(as_planner, workshop):
    order = make_order(workshop, "10")
    workshop.bom.state, workshop.bom.effective_to = "retired", "2020-01-02"
    workshop.bom.save()
    newest = make_bom(item=workshop.candle, lines=[(workshop.wax, "300", {"unit": "g"}), (workshop.wick, "1")])

    page = as_planner.get(address(order, "bom/"))
    as_planner.post(address(order, "bom/"), {"bom": str(newest.pk)})

    assert [(line.sku, line.before, line.after) for line in page.context["change"].lines] == [("WAX", 2, 3)]
    order.refresh_from_db()
    assert order.bom == newest


def test_a_finished_order_offers_no_such_thing(as_planner, workshop):
    order = make_order(workshop, "10")
    complete(order=order, good="10")

    assert as_planner.get(address(order, "merge/")).context["others"] == []
    assert as_planner.post(address(order, "release/")).status_code == 422
    assert as_planner.get(address(order)).status_code == 200


def test_a_demand_is_met_once_and_withdrawn(as_planner, workshop):
    data = {"reference": "SO-7", "item": "CANDLE", "quantity": "5", "location": "FINISHED", "mode": "shortage"}

    as_planner.post("/make/orders/demands/", data)
    again = as_planner.post("/make/orders/demands/", data, follow=True)
    demand = Demand.objects.get()
    order = WorkOrder.objects.get()
    as_planner.post(f"/make/orders/demands/{demand.pk}/withdraw/")

    assert "Nothing new: SO-7" in again.content.decode()
    assert (order.planned, order.state, order.demand_ref) == (5, "planned", "SO-7")
    order.refresh_from_db()
    assert order.state == "cancelled"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"item": "NO-SUCH"}, "item"), ({"quantity": "1.5"}, "quantity"), ({"location": ""}, "location"),
     ({"item": "WICK", "mode": "always"}, "item")],
)  # fmt: skip
def test_a_wrong_demand_is_explained_at_its_field(as_planner, workshop, change, field):
    data = {"reference": "SO-7", "item": "CANDLE", "quantity": "5", "location": "FINISHED", "mode": "shortage"}

    response = as_planner.post("/make/orders/demands/", {**data, **change})

    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert (Demand.objects.count(), WorkOrder.objects.count()) == (0, 0)


def test_reserving_again_after_goods_came_in(as_planner, workshop):
    order = make_order(workshop, "20", is_planned=True)
    release_work_order(work_order=order, reserves=False, actor=None)

    as_planner.post(address(order, "reserve/"))

    assert (pinned(order, workshop.wax), pinned(order, workshop.wick)) == (4, 20)


def test_demands_cost_the_same_number_of_queries_with_1_and_20(as_planner, workshop):
    def ask(number):
        data = {
            "reference": f"SO-{number}",
            "item": "CANDLE",
            "quantity": "5",
            "location": "FINISHED",
            "mode": "always",
        }
        assert as_planner.post("/make/orders/demands/", data).status_code == 302

    ask(0)
    as_planner.get("/make/orders/demands/")
    one = queries(as_planner, "/make/orders/demands/")
    for number in range(1, 20):
        ask(number)

    assert queries(as_planner, "/make/orders/demands/") == one


@pytest.mark.parametrize("verb", ["", "pick/", "traveller/", "bom/"])
def test_an_order_with_20_components_costs_what_one_with_1_does(as_planner, workshop, verb):
    parts = [make_item() for _ in range(20)]
    for part in parts:
        put_on_hand(part, workshop.place, "50")
    small, large = make_item(), make_item()
    make_bom(item=small, lines=[(parts[0], "1")])
    make_bom(item=large, lines=[(part, "1") for part in parts])
    orders = [make_order(workshop, item=item) for item in (small, large)]
    as_planner.get(address(orders[0], verb))

    few, many = (queries(as_planner, address(order, verb)) for order in orders)

    assert few == many


def test_demands_are_seen_by_who_may_see_orders_and_asked_by_who_may_plan(as_viewer, workshop):
    data = {"reference": "SO-7", "item": "CANDLE", "quantity": "5", "location": "FINISHED", "mode": "shortage"}

    response = as_viewer.get("/make/orders/demands/")

    assert response.status_code == 200
    assert "Meet the demand" not in response.content.decode()
    assert as_viewer.post("/make/orders/demands/", data).status_code == 403
    assert Demand.objects.count() == 0


def test_demands_say_what_is_reserved_and_what_is_missing(as_planner, workshop):
    data = {"reference": "SO-7", "item": "CANDLE", "quantity": "5", "location": "FINISHED", "mode": "shortage"}
    as_planner.post("/make/orders/demands/", data)
    order = WorkOrder.objects.get()
    release_work_order(work_order=order, actor=None)
    complete(order=order, good="3", scrapped="2", scrap_reason="bent")

    (row,) = as_planner.get("/make/orders/demands/").context["rows"]

    assert (row.promised, row.coming, row.missing, row.surplus) == (3, 0, 2, 0)


def test_more_orders_than_are_shown_are_found_and_merged_by_number(as_planner, workshop, monkeypatch):
    monkeypatch.setattr("production.views.orders_states.MERGEABLE_MAX", 2)
    order, *others = (make_order(workshop, "1", is_planned=True) for _ in range(4))
    last = others[-1].number

    first = as_planner.get(address(order, "merge/"))
    searched = as_planner.get(address(order, "merge/"), {"q": last})
    as_planner.post(address(order, "merge/"), {"order": [last]})

    assert ([one.number for one in first.context["others"]], first.context["has_more"]) == (
        [one.number for one in others[:2]],
        True,
    )
    assert [one.number for one in searched.context["others"]] == [last]
    order.refresh_from_db()
    assert order.planned == 2


def test_an_order_beyond_those_that_are_looked_at_still_says_what_it_is_short_of(as_planner, workshop, monkeypatch):
    monkeypatch.setattr("production.reads.shortages.ORDERS_MAX", 1)
    monkeypatch.setattr("production.views.orders_shortages.ORDERS_MAX", 1)
    make_order(workshop, "60")
    last = make_order(workshop, "60")

    page = as_planner.get("/make/orders/shortages/")

    assert [line.component.sku for line in shortages_of(last)] == ["WAX", "WICK"]
    assert page.context["left_out"] == 1
    assert "most urgent orders are looked at" in page.content.decode()
