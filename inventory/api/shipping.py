"""Shipments, returns and changes of lots: each address does one business verb and answers with its posting."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request

from inventory.api.fields import (
    Body,
    Choice,
    Day,
    Flag,
    Money,
    Quantity,
    Text,
    Whole,
    item_reference,
    lines_of,
    location_reference,
    lot_reference,
    optional_text,
)
from inventory.api.moving import OperationResource, posts
from inventory.api.references import find_items, find_locations, find_lots, in_stock_units, refuse
from inventory.api.serializers import SHELF_LIFE_DAYS_MAX, UNIT_HELP, LotQuantitySerializer, Timed
from inventory.api.stock import picked_lots
from inventory.models import Item, Location, Posting, StockStatus
from inventory.operations.relabelling import NewLot, change_lots
from inventory.operations.returning import (
    CustomerReturnLine,
    SupplierReturnLine,
    return_from_customer,
    return_to_supplier,
)
from inventory.operations.shipping import ShipmentLine, ship_stock


class ShipmentLineSerializer(Body):
    """A quantity of one item out of a place; without `lots` the earliest expiry goes first, then the oldest."""

    item = item_reference()
    location = location_reference(help_text="Everything below it counts too.")
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    lots = lines_of(LotQuantitySerializer, required=False, default=list)


class ShipmentSerializer(Timed):
    """Goods leave to a customer, all lines or none."""

    lines = lines_of(ShipmentLineSerializer, allow_empty=False)
    reference = optional_text(100, help_text="Number of the order or the delivery note.")
    reason = optional_text(100, help_text="Required for lots out of order and for stock below zero.")
    demand_kind = optional_text(24, help_text="With `demand_ref`: use up what is promised to this demand.")
    demand_ref = optional_text(64)
    shelf_life_days_min = Whole(
        maximum=SHELF_LIFE_DAYS_MAX, required=False, default=0, help_text="Lots must be good for so many days more."
    )
    may_go_below = Flag(
        required=False,
        default=False,
        help_text="Items that allow it may go below zero; needs a privilege and a reason.",
    )


class CustomerReturnLineSerializer(Body):
    """A quantity that came back. Of a known shipment it is worth what it left with."""

    item = item_reference()
    location = location_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    status = Choice(StockStatus.choices, required=False, default=StockStatus.QUARANTINE.value)
    lot = optional_text(64, help_text="Of a shipment: the lot it was shipped from, if several were.")
    expires_on = Day(required=False, allow_null=True, default=None)
    value = Money(
        required=False, allow_null=True, default=None, help_text="Without a shipment; the average when left out."
    )


class CustomerReturnSerializer(Timed):
    """Goods come back from a customer, all lines or none."""

    shipment_id = Whole(
        minimum=1, required=False, allow_null=True, default=None, help_text="The posting of the shipment."
    )
    lines = lines_of(CustomerReturnLineSerializer, allow_empty=False)
    reference = optional_text(100)
    reason = optional_text(100)


class SupplierReturnLineSerializer(ShipmentLineSerializer):
    """A quantity that goes back. Tracked items name their lots, expired ones too."""

    status = Choice(StockStatus.choices, required=False, default=StockStatus.AVAILABLE.value)
    credit = Money(required=False, allow_null=True, default=None, help_text="What the supplier gives for all of it.")


class SupplierReturnSerializer(Timed):
    """Goods go back to their supplier, all lines or none."""

    receipt_id = Whole(
        minimum=1, required=False, allow_null=True, default=None, help_text="The posting of the receipt."
    )
    lines = lines_of(SupplierReturnLineSerializer, allow_empty=False)
    reference = optional_text(100)
    reason = optional_text(100)


class LotSourceSerializer(Body):
    """A lot and how much of it changes."""

    lot = lot_reference(
        required=False, allow_null=True, default=None, help_text="Left out: stock without a lot, from before tracking."
    )
    quantity = Quantity()


class LotTargetSerializer(Body):
    """A lot that stock gets, made when it is new."""

    lot = Text(length_max=64)
    quantity = Quantity(required=False, allow_null=True, default=None, help_text="All, when it is the only one.")
    expires_on = Day(required=False, allow_null=True, default=None, help_text="Left out: inherited, the earliest one.")


class LotChangeSerializer(Timed):
    """Stock gets other lots: one source into several targets, or any number into one."""

    item = item_reference()
    location = location_reference(help_text="Everything below it counts too.")
    status = Choice(StockStatus.choices, required=False, default=StockStatus.AVAILABLE.value)
    unit = optional_text(32, help_text=UNIT_HELP)
    sources = lines_of(LotSourceSerializer, allow_empty=False)
    targets = lines_of(LotTargetSerializer, allow_empty=False)
    reason = Text(length_max=100)


def found_lines(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines with items, places, lots and stock quantities instead of their names."""
    items = find_items([(("lines", n, "item"), line["item"]) for n, line in enumerate(lines)])
    places: list[Location] | list[None] = [None] * len(lines)
    if lines and "location" in lines[0]:
        places = find_locations([(("lines", n, "location"), line["location"]) for n, line in enumerate(lines)])
    units = [(item, line["quantity"], line["unit"]) for item, line in zip(items, lines, strict=True)]
    return [
        {
            **{name: value for name, value in line.items() if name not in ("unit", "lots")},
            "item": item,
            **({} if place is None else {"location": place}),
            "quantity": quantity,
            **({"lots": picked_lots(item, line["lots"], line["unit"], at=("lines", n))} if "lots" in line else {}),
        }
        for n, (line, item, place, quantity) in enumerate(zip(lines, items, places, in_stock_units(units), strict=True))
    ]


def origin(values: dict[str, Any], name: str) -> Posting | None:
    """The posting named by id, taken out of the values. Raises ValidationError when there is none."""
    wanted = values.pop(name)
    if wanted is None:
        return None
    found = Posting.objects.filter(pk=wanted).first()
    if found is None:
        refuse([((name,), f"There is no posting with id {wanted}. Check it.")])
    return found


class ShipmentResource(OperationResource):
    """Ship available stock, all lines or none; what was promised to the demand is used up."""

    endpoints = posts("inventory.ship_stock", ShipmentSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        kind, reference = values.pop("demand_kind"), values.pop("demand_ref")
        lines = [ShipmentLine(**line) for line in found_lines(values.pop("lines"))]
        demand = (kind, reference) if kind and reference else None
        return ship_stock(key=key, lines=lines, demand=demand, actor=request.user, **values)


class CustomerReturnResource(OperationResource):
    """Take back what a customer sends, at the value it was shipped with where that is known."""

    endpoints = posts("inventory.return_stock", CustomerReturnSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        shipment = origin(values, "shipment_id")
        lines = [
            CustomerReturnLine(**line, lot_code=code)
            for line in found_lines(values.pop("lines"))
            for code in [line.pop("lot")]
        ]
        return return_from_customer(key=key, lines=lines, shipment=shipment, actor=request.user, **values)


class SupplierReturnResource(OperationResource):
    """Send goods back to their supplier; what the credit does not cover is purchase variance."""

    endpoints = posts("inventory.return_stock", SupplierReturnSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        receipt = origin(values, "receipt_id")
        lines = [SupplierReturnLine(**line) for line in found_lines(values.pop("lines"))]
        return return_to_supplier(key=key, lines=lines, receipt=receipt, actor=request.user, **values)


class LotChangeResource(OperationResource):
    """Split a lot, merge lots, or give stock another lot."""

    endpoints = posts("inventory.change_lots", LotChangeSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        (item,) = find_items([(("item",), values.pop("item"))])
        (location,) = find_locations([(("location",), values.pop("location"))])
        unit, sources, targets = values.pop("unit"), values.pop("sources"), values.pop("targets")
        lots = find_lots([(("sources", n, "lot"), item, one["lot"] or "") for n, one in enumerate(sources)])
        taken = in_stock_units([(item, one["quantity"], unit) for one in sources])
        new = [NewLot(one["lot"], _in_stock_unit(item, one["quantity"], unit), one["expires_on"]) for one in targets]
        return change_lots(
            key=key,
            item=item,
            location=location,
            sources=list(zip(lots, taken, strict=True)),
            targets=new,
            actor=request.user,
            **values,
        )


def _in_stock_unit(item: Item, quantity: Any, unit: str) -> Any:
    return None if quantity is None else in_stock_units([(item, quantity, unit)])[0]
