import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_item, make_user
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def test_the_page_asks_a_stranger_to_log_in(client, db):
    assert client.get("/make/costs/").status_code == 302


def test_who_may_not_see_costs_is_refused(client, db):
    client.force_login(make_user(role="counter"))

    assert client.get("/make/costs/").status_code == 403


def test_items_made_in_the_period_are_listed_planned_and_actual(as_viewer, workshop):
    complete(workshop.candle, "10", into=workshop.finished)

    (row,) = as_viewer.get("/make/costs/").context["rows"]

    assert (row.item.sku, row.planned, row.actual, row.difference) == ("CANDLE", row.actual, row.actual, 0)
    assert row.actual == 1  # 0.2 kg at 4.50 and a wick at 0.10


def test_another_period_is_empty_and_teaches(as_viewer, workshop):
    complete(workshop.candle, "10", into=workshop.finished)

    response = as_viewer.get("/make/costs/?since=2020-01-01&until=2020-02-01")

    assert "Nothing was completed in this period" in response.content.decode()


def test_the_table_can_be_taken_away(as_viewer, workshop):
    complete(workshop.candle, "10", into=workshop.finished)

    lines = b"".join(as_viewer.get("/make/costs/?export=csv").streaming_content).decode("utf-8-sig").splitlines()

    assert lines[0].startswith("SKU,Name,Unit,Good,Scrapped,Completions,Left out as undone,")
    assert lines[1].split(",")[:6] == ["CANDLE", workshop.candle.name, "pcs", "10", "0", "1"]
    assert lines[1].split(",")[-7:] == ["1", "1", "0", "0", "0", "0", "0"]


def test_the_page_costs_the_same_for_one_and_twenty_items(as_viewer, workshop):
    counts = []
    for size in (1, 20):
        for _ in range(size):
            item = make_item()
            make_bom(item=item, lines=[(workshop.wick, "1")])
            complete(item, "1", into=workshop.finished)
        with CaptureQueriesContext(connection) as queries:
            as_viewer.get("/make/costs/")
        counts.append(len(queries))

    assert counts[0] == counts[1]
