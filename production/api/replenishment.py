"""Items at or below their reorder point, and planning work orders for them."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Body,
    DayOut,
    DecimalIn,
    DecimalOut,
    FlagOut,
    IdOut,
    Quantity,
    TextOut,
    item_reference,
    lines_of,
    location_reference,
    optional_text,
)
from inventory.api.filters import Filters, Rows, SearchFilter, TextFilter
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, in_stock_units
from inventory.api.resources import Endpoint, Resource
from inventory.api.serializers import UNIT_HELP
from inventory.models import Item
from production.operations.replenishing import LINES_MAX, ReplenishLine, replenish_items
from production.reads.replenishment import items_low, levels


class ReplenishmentFilter(Filters):
    item = TextFilter(field_name="sku")
    search = SearchFilter(method="find", help_text="Part of SKU or name, or a whole barcode.")

    class Meta:
        model = Item
        fields: list[str] = []

    def find(self, rows: Any, name: str, value: str) -> Rows:  # noqa: ARG002
        found: Rows = rows.matching(value)
        return found


class LevelSerializer(serializers.Serializer[Any]):
    """An item that reached its reorder point. Quantities in its stock unit.

    projected = available + making + buying + moving - missing - components.
    """

    id = IdOut(source="item.pk")
    item = TextOut(source="item.sku")
    unit = TextOut(source="item.stock_unit")
    reorder_point = DecimalOut(source="item.reorder_point")
    reorder_quantity = DecimalOut(source="item.reorder_quantity", allow_null=True)
    until = DayOut(allow_null=True, help_text="Arrivals up to this day count; null: all of them.")
    available = DecimalOut(source="projection.available")
    making = DecimalOut(source="projection.making", help_text="By unfinished work orders, for nobody else.")
    buying = DecimalOut(source="projection.buying", help_text="Open on purchase orders.")
    moving = DecimalOut(source="projection.moving", help_text="On the road between our places.")
    missing = DecimalOut(source="projection.missing", help_text="Asked for, neither promised nor on its way.")
    components = DecimalOut(source="projection.components", help_text="Needed by released orders and not reserved.")
    projected = DecimalOut()
    later = DecimalOut(help_text="On its way for a later day; not in `projected`.")
    held = DecimalOut(help_text="On QC hold; not in `projected`.")
    is_made = FlagOut(help_text="It has a BOM in force; else it is bought.")
    to_replenish = DecimalOut(help_text="0: exactly at the point, and no reorder quantity is set.")


class ReplenishLineSerializer(Body):
    item = item_reference()
    quantity = Quantity(required=False, allow_null=True, default=None, help_text="Left out: what is proposed.")
    unit = optional_text(32, help_text=UNIT_HELP)
    projected = DecimalIn(
        signed=True,
        required=False,
        allow_null=True,
        default=None,
        help_text="The figure the decision was made on; refused when it is another one now.",
    )


class ReplenishSerializer(Body):
    lines = lines_of(ReplenishLineSerializer, length_max=LINES_MAX)
    location = location_reference(help_text="Where what is made goes.")
    source_location = location_reference(required=False, allow_null=True, default=None)


class PlannedSerializer(serializers.Serializer[Any]):
    id = IdOut(source="pk")
    number = TextOut()
    item = TextOut(source="item.sku")
    planned = DecimalOut(help_text="Stock unit.")
    due_on = DayOut(allow_null=True)


class ReplenishedSerializer(serializers.Serializer[Any]):
    """The planned work orders, in the order of the lines."""

    work_orders = PlannedSerializer(many=True, read_only=True)


class ReplenishmentResource(Resource):
    """Items at or below their reorder point, and what is to be made or bought of each."""

    queryset = Item.objects.all()
    filterset_class = ReplenishmentFilter
    endpoints = {
        "list": Endpoint("production.view_workorder", LevelSerializer),
        "create": Endpoint(
            "production.add_workorder", ReplenishedSerializer, ReplenishSerializer, status=201, is_keyed=True
        ),
    }

    def get_queryset(self) -> Any:
        found, _ = items_low()
        return Item.objects.filter(pk__in=[level.item.pk for level in found])

    def list(self, request: Request) -> Response:  # noqa: ARG002
        """Active items that reached their point, with the arithmetic of each."""
        rows = levels(self.page())
        answer: Response = self.get_paginated_response(self.get_serializer(rows, many=True).data)
        return answer

    def create(self, request: Request) -> HttpResponse:
        """Plan a work order for each item; what is planned counts as on its way. All of them, or none."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            values = self.values()
            given = values["lines"]
            items = find_items([(("lines", number, "item"), line["item"]) for number, line in enumerate(given)])
            named = [place for place in ("location", "source_location") if values[place] is not None]
            places = dict(zip(named, find_locations([((place,), values[place]) for place in named]), strict=True))
            quantities = iter(
                in_stock_units(
                    (item, line["quantity"], line["unit"])
                    for item, line in zip(items, given, strict=True)
                    if line["quantity"] is not None
                )
            )
            lines = [
                ReplenishLine(item, None if line["quantity"] is None else next(quantities), line["projected"])
                for item, line in zip(items, given, strict=True)
            ]
            orders = replenish_items(lines=lines, actor=request.user, **places)
            return self.reply({"work_orders": orders})

        return self.answer_once(request, work)
