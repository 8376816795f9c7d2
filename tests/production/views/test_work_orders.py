from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from production.models import WorkOrder
from production.operations.work_orders import cancel_work_order, close_work_order, open_work_order
from tests.factories import make_item
from tests.production.factories import complete

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def make_order(workshop, planned="10", **fields):
    return open_work_order(
        item=fields.pop("item", workshop.candle),
        planned=Decimal(planned),
        output_location=workshop.finished,
        actor=None,
        **fields,
    )


def form(**fields):
    return {"key": str(uuid4()), "item": "CANDLE", "planned": "12", "output_location": "FINISHED", **fields}


def test_the_board_asks_a_stranger_to_log_in(client, db):
    assert client.get("/make/orders/").status_code == 302


def test_the_board_sorts_orders_by_how_far_they_are(as_viewer, workshop):
    waiting, started, done, closed = (make_order(workshop) for _ in range(4))
    complete(order=started, good="3")
    complete(order=done, good="10")
    close_work_order(work_order=closed, actor=None)
    planned, cancelled = make_order(workshop, is_planned=True), make_order(workshop)
    cancel_work_order(work_order=cancelled, actor=None)

    response = as_viewer.get("/make/orders/")

    columns = {column.key: [order.number for order in column.orders] for column in response.context["columns"]}
    assert columns == {
        "planned": [planned.number],
        "released": [waiting.number],
        "started": [started.number],
        "done": [done.number],
        "short": [closed.number],
        "cancelled": [cancelled.number],
    }


def test_the_board_shows_what_is_due_first(as_viewer, workshop):
    today = timezone.localdate()
    undated, later, sooner = (
        make_order(workshop, due_on=due) for due in (None, today + timedelta(days=9), today - timedelta(days=1))
    )

    response = as_viewer.get("/make/orders/")

    assert [order.number for order in response.context["columns"][1].orders] == [
        sooner.number,
        later.number,
        undated.number,
    ]
    assert "overdue" in response.content.decode()


@pytest.mark.parametrize(("query", "count"), [("state=released", 2), ("state=done", 0), ("state=released&due=overdue", 1),
                                              ("state=released&q=CANDLE", 2), ("state=released&q=zzz", 0)])  # fmt: skip
def test_a_state_is_listed_and_filtered(as_viewer, workshop, query, count):
    make_order(workshop)
    make_order(workshop, due_on=timezone.localdate() - timedelta(days=1))

    response = as_viewer.get(f"/make/orders/?{query}")

    assert response.context["page_object"].paginator.count == count


def test_the_board_costs_the_same_number_of_queries_with_1_and_20_orders(as_viewer, workshop):
    make_order(workshop)
    as_viewer.get("/make/orders/")
    with CaptureQueriesContext(connection) as one:
        as_viewer.get("/make/orders/")
    for _ in range(19):
        make_order(workshop)

    with CaptureQueriesContext(connection) as twenty:
        as_viewer.get("/make/orders/")

    assert len(one) == len(twenty)


def test_an_order_is_opened(as_planner, workshop):
    response = as_planner.post("/make/orders/new/", form(due_on="2030-01-31", note="Rush"), follow=True)

    order = WorkOrder.objects.get()
    assert (order.item, order.planned, order.note) == (workshop.candle, Decimal(12), "Rush")
    assert response.redirect_chain == [(f"/make/orders/{order.number}/", 302)]


def test_a_form_sent_twice_opens_one_order(as_planner, workshop):
    data = form()

    as_planner.post("/make/orders/new/", data)
    again = as_planner.post("/make/orders/new/", data)

    assert again["Location"] == f"/make/orders/{WorkOrder.objects.get().number}/"


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"item": "NOTHING"}, "item", "Nothing is called “NOTHING”"),
        ({"item": "WICK"}, "item", "WICK has no BOM in force"),
        ({"planned": "1.5"}, "planned", "not a multiple of its step"),
        ({"planned": ""}, "planned", "required"),
        ({"output_location": ""}, "output_location", "required"),
    ],
)
def test_a_wrong_field_is_explained_and_nothing_typed_is_lost(as_planner, workshop, fields, field, words):
    response = as_planner.post("/make/orders/new/", form(note="Keep me", **fields))

    assert response.status_code == 422
    assert words in response.context["form"].errors[field][0]
    assert "Keep me" in response.content.decode()
    assert WorkOrder.objects.count() == 0


def test_opening_is_closed_to_an_operator(as_operator, workshop):
    assert as_operator.get("/make/orders/new/").status_code == 403
    assert as_operator.post("/make/orders/new/", form()).status_code == 403
    assert WorkOrder.objects.count() == 0


def test_a_page_shows_what_is_needed_booked_and_short(as_viewer, workshop):
    order = make_order(workshop, "60")
    complete(order=order, good="10", actuals=[(workshop.wax, "2.5", "Spilled")])

    response = as_viewer.get(f"/make/orders/{order.number}/")

    wax = response.context["lines"][0]
    assert (wax.need, wax.line.booked, wax.line.used, wax.open) == (12, 2, Decimal("2.5"), 10)
    assert (wax.free, wax.short) == (Decimal("7.5"), Decimal("2.5"))
    assert response.context["completable"] == 37
    assert len(response.context["completions"]) == 1


def test_a_closed_order_shows_no_outlook(as_viewer, workshop):
    order = make_order(workshop)
    close_work_order(work_order=order, actor=None)

    response = as_viewer.get(f"/make/orders/{order.number}/")

    assert response.status_code == 200
    assert response.context["rest"] is None


def test_is_closed_short_and_opened_again(as_planner, workshop):
    order = make_order(workshop)

    as_planner.post(f"/make/orders/{order.number}/close/")
    order.refresh_from_db()
    closed = order.state
    as_planner.post(f"/make/orders/{order.number}/reopen/")

    order.refresh_from_db()
    assert (closed, order.state) == ("closed", "open")


def test_closing_twice_says_so(as_planner, workshop):
    order = make_order(workshop)
    as_planner.post(f"/make/orders/{order.number}/close/")

    response = as_planner.post(f"/make/orders/{order.number}/close/")

    assert response.status_code == 422
    assert f"{order.number} is closed short already." in response.content.decode()


@pytest.mark.parametrize("verb", ["close", "reopen", "plan"])
def test_changes_are_closed_to_an_operator(as_operator, workshop, verb):
    order = make_order(workshop)

    assert as_operator.post(f"/make/orders/{order.number}/{verb}/", {"planned": "20"}).status_code == 403
    order.refresh_from_db()
    assert (order.state, order.planned) == ("open", 10)


def test_the_plan_is_changed_but_not_below_what_is_done(as_planner, workshop):
    order = make_order(workshop)
    complete(order=order, good="4")

    as_planner.post(f"/make/orders/{order.number}/plan/", {"planned": "6"})
    refused = as_planner.post(f"/make/orders/{order.number}/plan/", {"planned": "3"})

    order.refresh_from_db()
    assert order.planned == 6
    assert refused.status_code == 422
    assert "cannot be lowered to 3" in refused.context["plan_form"].errors["planned"][0]


def test_complete_leads_to_the_floor_page_with_the_order_filled_in(as_operator, workshop):
    order = make_order(workshop)

    response = as_operator.get(f"/make/orders/{order.number}/complete/", follow=True)

    assert response.redirect_chain == [(f"/make/complete/?what={order.number}", 302)]
    assert response.context["subject"].work_order == order


def test_an_unknown_order_is_not_found(as_viewer, workshop):
    make_item()

    assert as_viewer.get("/make/orders/WO-999999/").status_code == 404
