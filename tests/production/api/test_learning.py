from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def used(db):
    """Eight completions of ten that took 1.27 kg of wax instead of 1.2."""
    place, candle = make_location(), make_item(sku="CANDLE")
    wax, wick = make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="WICK")
    make_bom(item=candle, lines=[(wax, "120", {"unit": "g"}), (wick, "1")], deviation_policy="free")
    put_on_hand(wax, place, "50", value="200")
    put_on_hand(wick, place, "500", value="50")
    for _ in range(8):
        complete(candle, "10", into=place, actuals=[(wax, Decimal("1.27"))])
    return place, wick


def test_lines_are_listed_with_what_they_learned(as_viewer, used):
    wax, wick = as_viewer.get("learned-usage/").json()["results"]

    assert (wax["component"], wax["verdict"], wax["quantity"], wax["proposed"]) == ("WAX", "propose", "120", "127")
    assert (wax["cost_effect"], wax["is_open"], wax["measured"]) == ("0.028", True, 8)
    assert wax["parts"] == {
        "rounding": "0", "substitute": "0", "spoiled": "0", "explained": "0", "unexplained": "0.56",
    }  # fmt: skip
    assert (wick["component"], wick["verdict"], wick["measured"], wick["median"]) == ("WICK", "few", 0, None)


def test_the_list_is_narrowed_to_a_verdict(as_viewer, used):
    rows = as_viewer.get("learned-usage/", verdict="propose").json()["results"]

    assert [row["component"] for row in rows] == ["WAX"]


def test_the_list_costs_the_same_for_one_and_twenty_versions(as_viewer, used):
    place, wick = used
    counts = []
    for size in (1, 20):
        for _ in range(size):
            item = make_item()
            make_bom(item=item, lines=[(wick, "1")], deviation_policy="free")
            complete(item, "1", into=place, actuals=[(wick, "2")])
        with CaptureQueriesContext(connection) as queries:
            as_viewer.get("learned-usage/")
        counts.append(len(queries))

    assert counts[0] == counts[1]
