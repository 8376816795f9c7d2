"""Work orders: opened, closed, opened again, and their plan changed."""

from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import Nothing
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, find_one, in_stock_units
from inventory.api.resources import Endpoint, ListOne
from production.api.filters import WorkOrderFilter
from production.api.ordering import ORDER_ENDPOINTS, OrderActions
from production.api.serializers import (
    CloseSerializer,
    PlanChangeSerializer,
    WorkOrderInputSerializer,
    WorkOrderSerializer,
    WorkOrderSummarySerializer,
)
from production.models import Bom, WorkOrder, WorkOrderLine
from production.operations.work_orders import change_planned, close_work_order, open_work_order, reopen_work_order

WITHOUT_LINES = WorkOrder.objects.select_related(
    "item", "source_location", "output_location", "floor_location", "parent", "split_from", "merged_into"
)
WITH_LINES = WITHOUT_LINES.prefetch_related(
    Prefetch("lines", WorkOrderLine.objects.select_related("component").order_by("id"))
)


class WorkOrderResource(ListOne, OrderActions):
    """Orders to make a quantity from a frozen BOM."""

    queryset = WITHOUT_LINES
    filterset_class = WorkOrderFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("production.view_workorder", WorkOrderSummarySerializer),
        "retrieve": Endpoint("production.view_workorder", WorkOrderSerializer),
        "create": Endpoint(
            "production.add_workorder", WorkOrderSerializer, WorkOrderInputSerializer, status=201, is_keyed=True
        ),
        "close": Endpoint("production.close_workorder", WorkOrderSerializer, CloseSerializer),
        "reopen": Endpoint("production.close_workorder", WorkOrderSerializer, Nothing),
        "plan": Endpoint("production.change_workorder", WorkOrderSerializer, PlanChangeSerializer),
        **ORDER_ENDPOINTS,
    }

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One of them by its id, with its components."""
        return self._with_lines(self.get_object())

    def create(self, request: Request) -> HttpResponse:
        """Open an order and freeze its BOM: the version in force today, or the given one."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            order = open_work_order(actor=request.user, **self._opening())
            return self.reply(_shown(WITH_LINES.get(pk=order.pk)))

        return self.answer_once(request, work)

    def _opening(self) -> dict[str, Any]:
        values = self.values()
        (item,) = find_items([(("item",), values.pop("item"))])
        places = ["output_location", "source_location", "floor_location"]
        named = [place for place in places if values[place] is not None]
        found = dict(zip(named, find_locations([((place,), values[place]) for place in named]), strict=True))
        bom_id = values.pop("bom_id")
        (planned,) = in_stock_units([(item, values.pop("planned"), values.pop("unit"))])
        bom = None if bom_id is None else find_one(Bom, "id", where=("bom_id",), name=bom_id, what="BOM version")
        return {**values, **found, "item": item, "planned": planned, "bom": bom}

    @action(detail=True, methods=["post"])
    def close(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Close an order short: what is left of it is not made."""
        order = close_work_order(work_order=self.get_object(), actor=request.user, **self.values())
        return self._with_lines(order)

    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Open a closed order again."""
        order: WorkOrder = self.get_object()
        self.values()
        return self._with_lines(reopen_work_order(work_order=order, actor=request.user))

    @action(detail=True, methods=["post"])
    def plan(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Plan more or fewer, not fewer than are done."""
        order: WorkOrder = self.get_object()
        values = self.values()
        (planned,) = in_stock_units([(order.item, values["planned"], values["unit"])])
        return self._with_lines(change_planned(work_order=order, planned=planned, actor=request.user))

    def _with_lines(self, order: WorkOrder) -> Response:
        return self.answer(_shown(WITH_LINES.get(pk=order.pk)))


def _shown(order: WorkOrder) -> WorkOrder:
    for line in order.lines.all():
        line.per_unit = Fraction(int(line.rate_numerator), int(line.rate_denominator))  # type: ignore[attr-defined]
    return order
