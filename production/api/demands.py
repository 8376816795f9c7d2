"""What was asked for by plain references, met from stock or by work orders."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Body,
    Choice,
    ChoiceOut,
    Day,
    DayOut,
    DecimalOut,
    IdOut,
    MomentOut,
    Nothing,
    Quantity,
    Text,
    TextOut,
    Whole,
    item_reference,
    location_reference,
    optional_text,
)
from inventory.api.filters import Filters, IdFilter, TextFilter
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, in_stock_units
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.api.serializers import UNIT_HELP
from production.models import Demand, DemandMode
from production.operations.demands import WINDOW_HOURS, make_for_demand, withdraw_demand
from production.reads.demands import DemandStanding, standings

WINDOW_HOURS_MAX = 24 * 31


class PegSerializer(serializers.Serializer[Any]):
    """A part of an order's plan that is made for the demand."""

    work_order = TextOut(source="work_order.number")
    state = TextOut(source="work_order.state")
    quantity = DecimalOut()
    served = DecimalOut(help_text="Made and handed to the demand.")


class DemandSerializer(serializers.Serializer[Any]):
    """What was asked for by a reference, and what is done about it. Quantities in the item's stock unit."""

    id = IdOut(source="demand.pk")
    demand_kind = TextOut(source="demand.demand_kind")
    demand_ref = TextOut(source="demand.demand_ref")
    item = TextOut(source="demand.item.sku")
    item_id = IdOut(source="demand.item_id")
    unit = TextOut(source="demand.item.stock_unit")
    quantity = DecimalOut(source="demand.quantity", help_text="0: withdrawn.")
    reserved = DecimalOut(source="promised", help_text="Promised to it now, from stock and from what was made.")
    taken = DecimalOut(help_text="Shipped out of what was promised to it.")
    coming = DecimalOut(help_text="Still made for it, or made and waiting for inspection.")
    missing = DecimalOut(help_text="Neither reserved nor taken nor coming.")
    surplus = DecimalOut(help_text="Reserved or coming beyond what is asked for.")
    mode = ChoiceOut(DemandMode.choices, source="demand.mode")
    location = TextOut(source="demand.location.code")
    needed_on = DayOut(source="demand.needed_on", allow_null=True)
    created_at = MomentOut(source="demand.created_at")
    pegs = PegSerializer(many=True, read_only=True)


class DemandInputSerializer(Body):
    demand_kind = Text(length_max=24)
    demand_ref = Text(length_max=64)
    item = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    location = location_reference(help_text="Where it is to be ready.")
    source_location = location_reference(required=False, allow_null=True, default=None)
    mode = Choice(
        DemandMode.choices, required=False, allow_null=True, default=None, help_text="Left out: by the item's policy."
    )
    needed_on = Day(required=False, allow_null=True, default=None)
    window_hours = Whole(
        maximum=WINDOW_HOURS_MAX,
        required=False,
        default=WINDOW_HOURS,
        help_text="Join a planned order that is not older than this; at most a month.",
    )


class DemandFilter(Filters):
    demand_kind = TextFilter(field_name="demand_kind", lookup_expr="exact")
    demand_ref = TextFilter(field_name="demand_ref", lookup_expr="exact")
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")

    class Meta:
        model = Demand
        fields: list[str] = []


class DemandResource(ListOne, Resource):
    """Demands that are only a reference and a quantity: met from stock, by planned work orders, or by both."""

    queryset: QuerySet[Demand] = Demand.objects.select_related("item", "location")
    filterset_class = DemandFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("production.view_workorder", DemandSerializer),
        "retrieve": Endpoint("production.view_workorder", DemandSerializer),
        "create": Endpoint(
            "production.add_workorder", DemandSerializer, DemandInputSerializer, status=201, is_keyed=True
        ),
        "withdraw": Endpoint("production.add_workorder", DemandSerializer, Nothing),
    }

    def list(self, request: Request) -> Response:  # noqa: ARG002
        """Page by page; `next` and `previous` are the addresses of the pages around this one."""
        rows = standings(self.page())
        answer: Response = self.get_paginated_response(self.get_serializer(rows, many=True).data)
        return answer

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One of them by its id."""
        return self.answer(self._shown(self.get_object().pk))

    def _shown(self, pk: int) -> DemandStanding:
        return standings([self.get_queryset().get(pk=pk)])[0]

    def create(self, request: Request) -> HttpResponse:
        """Meet a demand. The same kind, reference and item again changes what was asked for, and meets what is missing."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the reference is what makes it repeatable
            values = self.values()
            (item,) = find_items([(("item",), values.pop("item"))])
            named = [place for place in ("location", "source_location") if values[place] is not None]
            places = dict(zip(named, find_locations([((place,), values[place]) for place in named]), strict=True))
            (quantity,) = in_stock_units([(item, values.pop("quantity"), values.pop("unit"))])
            result = make_for_demand(
                item=item,
                quantity=quantity,
                actor=request.user,
                **{**values, **places, "mode": values["mode"] or ""},
            )
            return self.reply(self._shown(result.demand.pk), replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Nobody asks for it any more: stock is freed, planned orders lose its part, released orders stay."""
        demand: Demand = self.get_object()
        self.values()
        withdraw_demand(
            demand_kind=demand.demand_kind, demand_ref=demand.demand_ref, item=demand.item, actor=request.user
        )
        return self.answer(self._shown(demand.pk))
