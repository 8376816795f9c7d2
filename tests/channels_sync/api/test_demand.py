"""What channels sold, over REST: read only."""

from datetime import date
from decimal import Decimal

import pytest

from channels_sync.operations.demand import DaySold, record_demand
from tests.channels_sync.factories import make_channel
from tests.factories import make_item

pytestmark = pytest.mark.django_db


@pytest.fixture
def recorded():
    shop, market = make_channel(code="shop"), make_channel(code="market")
    candle, soap = make_item(sku="CANDLE"), make_item(sku="SOAP")
    record_demand(
        rows=[
            DaySold(shop, candle, date(2026, 11, 2), Decimal("2.5"), Decimal("4.5")),
            DaySold(shop, candle, date(2026, 11, 3), Decimal(0)),
            DaySold(market, candle, date(2026, 11, 3), Decimal(7)),
        ],
        source="orders.csv",
    )
    record_demand(rows=[DaySold(shop, soap, date(2026, 11, 4), Decimal(1))], source="feed")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [("SOAP", "shop"), ("CANDLE", "shop"), ("CANDLE", "shop"), ("CANDLE", "market")]),
        ({"channel": "market"}, [("CANDLE", "market")]),
        ({"item": "candle", "day_from": "2026-11-03"}, [("CANDLE", "shop"), ("CANDLE", "market")]),
        ({"day_before": "2026-11-03"}, [("CANDLE", "shop")]),
        ({"source": "feed"}, [("SOAP", "shop")]),
        ({"search": "oap"}, [("SOAP", "shop")]),
        ({"recorded_from": "2100-01-01T00:00:00Z"}, []),
    ],
)
def test_it_is_listed_and_narrowed(as_viewer, recorded, asked, found):
    rows = as_viewer.get("channel-demand/", **asked).json()["results"]

    assert sorted((one["item"], one["channel"]) for one in rows) == sorted(found)


def test_one_day_is_read_by_its_id(as_viewer, recorded):
    (row,) = as_viewer.get("channel-demand/", day_before="2026-11-03").json()["results"]

    one = as_viewer.get(f"channel-demand/{row['id']}/").json()

    assert one == row
    assert {name: one[name] for name in ("day", "quantity", "unit_price", "unit", "source")} == {
        "day": "2026-11-02",
        "quantity": "2.5",
        "unit_price": "4.5",
        "unit": "pcs",
        "source": "orders.csv",
    }


@pytest.mark.parametrize("asked", [{"day_from": "3.11.2026"}, {"days": "28"}])
def test_what_cannot_be_read_is_refused(as_viewer, asked):
    assert as_viewer.get("channel-demand/", **asked).status_code == 400


def test_nothing_is_written_there(as_administrator):
    assert as_administrator.post("channel-demand/", {"quantity": "1"}).status_code == 405
