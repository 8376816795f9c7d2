"""A small candle workshop to record completions in."""

from dataclasses import dataclass

import pytest

from inventory.models import Item, Location
from production.models import Bom
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom


@dataclass
class Workshop:
    place: Location
    finished: Location
    wax: Item
    wick: Item
    candle: Item
    bom: Bom


@pytest.fixture
def workshop(db):
    """10 kg of wax in two lots and 100 wicks; a candle takes 200 g and one."""
    place, finished = make_location(code="WORKSHOP"), make_location(code="FINISHED")
    wax = make_item(sku="WAX", unit="kg", step="0.001", tracking="lot")
    wick, candle = make_item(sku="WICK"), make_item(sku="CANDLE", barcode="4006381333931", kind="product")
    bom = make_bom(item=candle, lines=[(wax, "200", {"unit": "g"}), (wick, "1")])
    put_on_hand(wax, place, "4", value="18.00", lot="L-1")
    put_on_hand(wax, place, "6", value="27.00", lot="L-2")
    put_on_hand(wick, place, "100", value="10.00")
    return Workshop(place, finished, wax, wick, candle, bom)


@pytest.fixture
def as_operator(client, operator):
    client.force_login(operator)
    return client


@pytest.fixture
def as_planner(client, planner):
    client.force_login(planner)
    return client


@pytest.fixture
def as_viewer(client, viewer):
    client.force_login(viewer)
    return client
