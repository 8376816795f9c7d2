from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import Movement
from inventory.operations.landing_costs import ReceiptPrice, correct_prices
from production.models import CompletionReversal
from production.operations.work_orders import open_work_order
from tests.factories import lot_of, make_item, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def undo(client, done, **fields):
    return client.post(f"/make/completions/{done.posting_id}/undo/", {"key": str(uuid4()), **fields}, follow=True)


@pytest.fixture
def done(workshop):
    return complete(
        workshop.candle, "10", into=workshop.finished, actuals=[(workshop.wax, "2.1", "Spilled")], scrapped="0"
    ).completion


def test_the_list_asks_a_stranger_to_log_in(client, db):
    assert client.get("/make/completions/").status_code == 302


def test_the_list_shows_what_was_made(as_viewer, done):
    response = as_viewer.get("/make/completions/")

    assert response.status_code == 200
    assert [one.posting_id for one in response.context["completions"]] == [done.posting_id]
    assert "/undo/" not in response.content.decode()


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("q=CAND", 1),
        ("q=NOTHING", 0),
        ("state=undone", 0),
        ("state=standing", 1),
        ("until=2000-01-01", 0),
        ("since=2000-01-01", 1),
        ("since=nonsense", 1),
    ],
)
def test_the_list_is_filtered(as_viewer, done, query, count):
    response = as_viewer.get(f"/make/completions/?{query}")

    assert len(response.context["completions"]) == count


def test_the_list_is_exported_as_filtered(as_viewer, done):
    response = as_viewer.get("/make/completions/?export=csv")

    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[1].split(",")[2:7] == ["CANDLE", done.item.name, "10", "0", "pcs"]


def test_a_page_shows_lines_lots_and_cost(as_viewer, workshop, done):
    response = as_viewer.get(f"/make/completions/{done.posting_id}/")

    wax, wick = response.context["lines"]
    assert (wax.line.expected, wax.line.actual, wax.variance) == (Decimal(2), Decimal("2.1"), Decimal("0.1"))
    assert [(pick.lot_code, pick.quantity) for pick in wax.taken] == [("L-1", Decimal("2.1"))]
    assert wick.variance == 0
    assert "Spilled" in response.content.decode()
    assert "Take back" not in response.content.decode()


def test_an_unknown_completion_is_not_found(as_viewer, workshop):
    assert as_viewer.get("/make/completions/999999/").status_code == 404


def test_a_page_costs_the_same_number_of_queries_whatever_the_number_of_lines(as_operator, workshop):
    def queries(count):
        item = make_item()
        parts = [make_item() for n in range(count)]
        for part in parts:
            put_on_hand(part, workshop.place, "9", value="9.00")
        make_bom(item=item, lines=[(part, "1") for part in parts])
        made = complete(item, "1", into=workshop.finished).completion
        with CaptureQueriesContext(connection) as captured:
            assert as_operator.get(f"/make/completions/{made.posting_id}/").status_code == 200
        return len(captured)

    queries(1)

    assert queries(1) == queries(20)


def test_the_output_lot_is_followed_one_level_on(as_viewer, workshop):
    base = make_item(sku="BASE", tracking="lot")
    make_bom(item=base, lines=[(workshop.wick, "1")])
    made = complete(base, "4", into=workshop.place, output_lot_code="B-1").completion
    top = make_item(sku="TOP")
    make_bom(item=top, lines=[(base, "1")])
    user = complete(top, "3", into=workshop.finished).completion

    response = as_viewer.get(f"/make/completions/{made.posting_id}/")

    assert [(move.posting_id, move.quantity) for move in response.context["uses"]] == [(user.posting_id, Decimal(-3))]


def test_a_price_that_comes_later_is_no_use_of_the_output(as_viewer, workshop):
    bare, base = make_item(sku="BARE"), make_item(sku="BASE", tracking="lot")
    make_bom(item=base, lines=[(bare, "1")])
    put_on_hand(bare, workshop.place, "9")
    made = complete(base, "4", into=workshop.place, output_lot_code="B-1").completion
    output = made.posting.movements.get(quantity__gt=0)
    correct_prices(key=uuid4(), prices=[ReceiptPrice(output, Decimal("12.00"))], actor=None)

    response = as_viewer.get(f"/make/completions/{made.posting_id}/")

    assert Movement.objects.filter(lot=made.output_lot, quantity__lt=0).exists()
    assert response.context["uses"] == []


def test_is_taken_back_whole(as_operator, workshop, done):
    response = undo(as_operator, done)

    done.refresh_from_db()
    assert done.is_reversed
    assert (on_hand(workshop.candle), on_hand(workshop.wax)) == (0, 10)
    assert [str(m) for m in response.context["messages"]] == ["Took back 10 × CANDLE · components returned"]
    assert response.redirect_chain == [(f"/make/completions/{done.posting_id}/", 302)]


def test_returns_to_where_the_person_was(as_operator, done):
    response = undo(as_operator, done, next="/make/complete/")

    assert response.redirect_chain == [("/make/complete/", 302)]


def test_never_returns_to_a_foreign_address(as_operator, done):
    response = undo(as_operator, done, next="https://example.com/")

    assert response.redirect_chain == [(f"/make/completions/{done.posting_id}/", 302)]


def test_is_taken_back_by_quantity(as_operator, workshop, done):
    undo(as_operator, done, good="4", reason="Miscounted")

    done.refresh_from_db()
    assert done.reversed_good == 4
    assert on_hand(workshop.candle) == 6
    assert CompletionReversal.objects.get().posting.reason == "Miscounted"


def test_a_double_click_takes_back_once(as_operator, workshop, done):
    key = str(uuid4())

    undo(as_operator, done, key=key, good="4")
    undo(as_operator, done, key=key, good="4")

    assert on_hand(workshop.candle) == 6


@pytest.mark.parametrize(("typed", "words"), [("11", "10 pcs of CANDLE are left"), ("x", "is not a quantity"),
                                              ("1.5", "not a multiple of its step")])  # fmt: skip
def test_a_wrong_quantity_is_explained_at_the_field(as_operator, workshop, done, typed, words):
    response = undo(as_operator, done, good=typed)

    assert response.status_code == 422
    assert words in response.context["form"].errors["good"][0]
    assert f'value="{typed}"' in response.content.decode()
    assert on_hand(workshop.candle) == 10


def test_what_stands_in_the_way_is_shown_in_words(as_operator, workshop, done):
    box = make_item(sku="BOX")
    make_bom(item=box, lines=[(workshop.candle, "2")])
    user = complete(box, "3", into=workshop.finished).completion

    response = undo(as_operator, done)

    content = response.content.decode()
    assert response.status_code == 422
    assert "FINISHED holds 4 pcs of CANDLE; 10 must be taken back." in content
    assert f'href="/stock/postings/{user.posting_id}/"' in content
    assert on_hand(workshop.candle) == 4


def test_a_second_undo_says_that_nothing_is_left(as_operator, done):
    undo(as_operator, done)

    response = undo(as_operator, done)

    assert response.status_code == 422
    assert "There is nothing left to undo" in response.content.decode()


def test_undo_is_closed_to_a_viewer(as_viewer, workshop, done):
    assert undo(as_viewer, done).status_code == 403
    assert on_hand(workshop.candle) == 10


def test_undo_of_an_order_opens_it_again(as_operator, workshop):
    order = open_work_order(item=workshop.candle, planned=Decimal(5), output_location=workshop.place, actor=None)
    made = complete(order=order, good="5").completion

    undo(as_operator, made)

    order.refresh_from_db()
    assert (order.good, order.state) == (0, "open")
    assert lot_of(workshop.wax, "L-1").movements.count() == 3
