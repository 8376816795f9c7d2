"""A bench with components to order from, and short words for what is done with an order."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import uuid4

from inventory.models import Item, Location, Reservation
from inventory.quantities import ZERO
from production.models import WorkOrder
from production.operations.issuing_components import IssueLine, issue_components, return_components
from production.operations.work_orders import open_work_order
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom


@dataclass
class Bench:
    site: Location
    shelf: Location
    floor: Location
    finished: Location
    wax: Item
    wick: Item
    candle: Item


def make_bench():
    """30 kg of wax on the shelf in two lots, the older one expiring later, and 100 wicks; a candle takes 2 kg and 1 wick."""
    site = make_location(code="SITE")
    shelf, finished = make_location(code="SHELF", parent=site), make_location(code="FINISHED", parent=site)
    floor = make_location(code="FLOOR", parent=site, is_sellable=False)
    wax = make_item(sku="WAX", unit="kg", step="0.001", tracking="lot")
    wick, candle = make_item(sku="WICK"), make_item(sku="CANDLE", kind="product")
    make_bom(item=candle, lines=[(wax, "2"), (wick, "1")])
    put_on_hand(wax, shelf, "20", value="100.00", lot="OLD", expires_on=date(2099, 12, 31))
    put_on_hand(wax, shelf, "10", value="60.00", lot="NEW", expires_on=date(2098, 12, 31))
    put_on_hand(wick, shelf, "100", value="10.00")
    return Bench(site, shelf, floor, finished, wax, wick, candle)


def order_for(bench, planned="10", **fields) -> WorkOrder:
    return open_work_order(
        item=fields.pop("item", bench.candle),
        planned=Decimal(planned),
        output_location=fields.pop("output_location", bench.finished),
        source_location=fields.pop("source_location", bench.shelf),
        actor=None,
        **fields,
    )


def issue(bench, order, *lines, key=None, floor=None):
    """Issue (component, quantity) to the floor of the bench."""
    return issue_components(
        key=key or uuid4(),
        work_order=order,
        lines=[IssueLine(component, Decimal(quantity)) for component, quantity in lines],
        floor=floor or bench.floor,
        actor=None,
    )


def give_back(bench, order, *lines, key=None, target=None):
    return return_components(
        key=key or uuid4(),
        work_order=order,
        lines=[IssueLine(component, Decimal(quantity)) for component, quantity in lines],
        target=target or bench.shelf,
        actor=None,
    )


def pinned(order, item, location=None):
    """What is pinned for an order, in the stock unit."""
    rows = Reservation.objects.filter(demand_kind="work_order", demand_ref=order.number, item=item)
    if location is not None:
        rows = rows.filter(location=location)
    return sum((row.quantity for row in rows), ZERO)
