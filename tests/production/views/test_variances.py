"""The page of what production used beyond or below its standards."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_item, make_user
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def test_who_may_not_see_costs_is_refused(client, db):
    client.force_login(make_user(role="counter"))

    assert client.get("/make/variances/").status_code == 403


def test_the_page_shows_sums_causes_yield_and_products(as_viewer, workshop):
    complete(workshop.candle, "8", into=workshop.finished, scrapped="2", scrap_reason="cracked")
    complete(workshop.candle, "10", into=workshop.finished, actuals=[(workshop.wick, "14", "knots")])

    response = as_viewer.get("/make/variances/")

    page, (row,) = response.content.decode(), response.context["rows"]
    assert (row.item, row.yield_percent, row.used.variance) == (workshop.candle, 90, row.used.over)
    assert response.context["in_all"].variance > 0
    assert [one.words for one in response.context["causes"]] == ["No cause given"]
    assert "cracked" in page
    assert "18" in page


def test_components_of_one_cause_are_shown_and_taken_away(as_viewer, workshop):
    complete(workshop.candle, "10", into=workshop.finished, actuals=[(workshop.wick, "14", "knots")])

    shown = as_viewer.get("/make/variances/?by=component&cause=none")
    taken = as_viewer.get("/make/variances/?by=component&cause=none&export=csv").getvalue().decode("utf-8-sig")

    (row,) = shown.context["rows"]
    assert (row.item, row.difference) == (workshop.wick, 4)
    (line,) = csv.DictReader(io.StringIO(taken))
    assert (line["SKU"], line["Standard quantity"], line["Actual quantity"]) == (workshop.wick.sku, "10", "14")


@pytest.mark.parametrize(
    "query",
    ["?since=2020-01-01&until=2020-02-01", "?q=" + "x" * 600, "?cause=" + "x" * 600, "?since=soon&skip=abc&by=" + "y" * 600,
     "?since=0001-01-01&until=9999-12-31", "?skip=-5", "?skip=99999999999999999999"],
)  # fmt: skip
def test_nothing_and_nonsense_are_told_kindly(as_viewer, workshop, query):
    response = as_viewer.get(f"/make/variances/{query}")

    assert response.status_code == 200


def test_an_empty_period_teaches(as_viewer, workshop):
    assert "Nothing was completed in this period" in as_viewer.get("/make/variances/").content.decode()


def test_the_page_costs_the_same_with_one_product_and_with_many(as_viewer, workshop):
    complete(workshop.candle, "2", into=workshop.finished, actuals=[(workshop.wick, "3", "knots")])
    counts = []
    for many in (0, 6):
        for number in range(many):
            other = make_item(sku=f"OTHER-{number}", kind="product")
            make_bom(item=other, lines=[(workshop.wick, "1")], deviation_policy="free")
            complete(other, "1", into=workshop.finished, actuals=[(workshop.wick, "2", "knots")])
        as_viewer.get("/make/variances/")
        with CaptureQueriesContext(connection) as queries:
            assert as_viewer.get("/make/variances/").status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]
