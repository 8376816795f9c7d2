from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import make_item, make_order, put_on_hand
from tests.production.factories import make_bom
from tests.production.reads.structures import make_wide_and_deep

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def tin(workshop):
    """Takes 100 g of the wax that candles are made of."""
    tin = make_item(sku="TIN", kind="product")
    make_bom(item=tin, lines=[(workshop.wax, "100", {"unit": "g"})])
    return tin


def test_the_list_asks_a_stranger_to_log_in(client, db):
    assert client.get("/make/buildable/").status_code == 302


def test_the_list_names_what_limits_each_item_and_what_more_brings(as_viewer, workshop):
    response = as_viewer.get("/make/buildable/")

    (row,) = response.context["rows"]
    assert (row.item.sku, row.found.quantity, row.found.gain) == ("CANDLE", 50, 5)
    assert [(one.component.sku, one.free, one.limit.quantity) for one in row.limits] == [
        ("WAX", Decimal(10), 50),
        ("WICK", Decimal(100), 100),
    ]


def test_the_list_is_searched_and_htmx_gets_the_part_alone(as_viewer, workshop, tin):
    response = as_viewer.get("/make/buildable/?q=tin", headers={"HX-Request": "true", "HX-Target": "buildable"})

    assert [row.item.sku for row in response.context["rows"]] == ["TIN"]
    assert "<html" not in response.content.decode()


def test_without_boms_the_list_teaches(as_viewer, db):
    assert "Nothing can be made yet" in as_viewer.get("/make/buildable/").content.decode()


def test_the_list_can_be_taken_away(as_viewer, workshop):
    response = as_viewer.get("/make/buildable/?export=csv")

    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[1].split(",")[:7] == ["CANDLE", workshop.candle.name, "50", "pcs", "WAX", "10", "5"]


def test_groups_show_what_is_safe_together(as_viewer, workshop, tin):
    response = as_viewer.get("/make/buildable/groups/")

    (group,) = response.context["groups"]
    assert [(member.item.sku, member.alone, member.safe) for member in group.members] == [
        ("CANDLE", 50, 25),
        ("TIN", 100, 50),
    ]
    assert [(one.component.sku, one.free, one.wanted) for one in group.shared] == [("WAX", 10, 20)]


def test_groups_say_when_nothing_competes(as_viewer, workshop):
    assert "Nothing competes" in as_viewer.get("/make/buildable/groups/").content.decode()


def test_an_item_tells_the_day_of_a_quantity_with_the_order_it_waits_for(as_viewer, workshop):
    day = timezone.localdate() + timedelta(days=3)
    order = make_order([(workshop.wax, "5", "20")], location=workshop.place, expected_on=day)

    response = as_viewer.get(f"/make/buildable/{workshop.candle.pk}/?quantity=60")

    assert response.context["promise"].ready_on == day
    assert order.number in response.content.decode()


def test_a_quantity_that_is_none_is_told_so(as_viewer, workshop):
    response = as_viewer.get(
        f"/make/buildable/{workshop.candle.pk}/?quantity=1.5", headers={"HX-Request": "true", "HX-Target": "promise"}
    )

    assert "1.5 pcs of CANDLE is not a multiple of its step 1 pcs" in response.content.decode()


def test_the_item_page_has_the_same_as_a_tab(as_viewer, workshop, tin):
    response = as_viewer.get(f"/stock/items/{tin.pk}/?tab=buildable")

    assert response.context["row"].found.quantity == 100
    assert [member.item.sku for member in response.context["group"].members] == ["CANDLE", "TIN"]


def test_pages_cost_the_same_for_one_and_twenty_items(as_viewer, workshop):
    put_on_hand(workshop.wick, workshop.place, "1")
    counts = []
    for size in (1, 20):
        for _ in range(size):
            make_wide_and_deep(2)
        with CaptureQueriesContext(connection) as queries:
            as_viewer.get("/make/buildable/")
            as_viewer.get("/make/buildable/groups/")
            as_viewer.get(f"/make/buildable/{workshop.candle.pk}/?quantity=3")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_says_what_more_of_a_component_brings_and_what_limits_then(as_viewer, workshop):
    page = f"/make/buildable/{workshop.candle.pk}/"

    more = as_viewer.get(page, {"more": "wax", "extra": "500 g"}).context["gained"]
    plenty = as_viewer.get(page, {"more": "WAX", "extra": "100"}).context["gained"]
    none = as_viewer.get(page, {"more": "WICK", "extra": "7"}).context["gained"]

    assert (more.extra, more.before, more.after, more.more, more.bottleneck.sku) == (Decimal("0.5"), 50, 52, 2, "WAX")
    assert (plenty.after, plenty.more, plenty.bottleneck.sku) == (100, 50, "WICK")
    assert (none.after, none.more, none.bottleneck.sku) == (50, 0, "WAX")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"more": "LAMP", "extra": "1"}, "“LAMP” is nothing that CANDLE is made of"),
        ({"more": "CANDLE", "extra": "1"}, "“CANDLE” is nothing that CANDLE is made of"),
        ({"more": "WAX"}, "How much more of WAX?"),
        ({"more": "WAX", "extra": "much"}, "“much” is not a quantity"),
        ({"more": "WAX", "extra": "0"}, "quantity"),
        ({"more": "WICK", "extra": "0.5"}, "multiple of its step"),
        ({"more": "WICK", "extra": "1 barrel"}, "barrel"),
    ],
)
def test_a_senseless_question_about_more_is_answered_in_words(as_viewer, workshop, question, words):
    response = as_viewer.get(
        f"/make/buildable/{workshop.candle.pk}/", question, headers={"HX-Request": "true", "HX-Target": "gain"}
    )

    assert words in response.content.decode()
    assert response.context["gained"] is None
