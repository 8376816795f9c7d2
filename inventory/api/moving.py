"""Stock operations: each address does one business verb and answers with its posting."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from inventory.api.fields import Body
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, in_stock_units
from inventory.api.resources import Endpoint, Resource
from inventory.api.serializers import (
    AdjustmentSerializer,
    CostCorrectionSerializer,
    IssueSerializer,
    PostingSerializer,
    ReceiptSerializer,
    ScrapSerializer,
    StatusChangeSerializer,
    TransferSerializer,
)
from inventory.api.stock import POSTINGS, picked_lots, posting_reply
from inventory.operations.adjusting import adjust_stock, correct_cost
from inventory.operations.issuing import issue_stock, scrap_stock
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.transferring import change_status, transfer_stock


def posts(permission: str, body: type[Body]) -> dict[str, Endpoint]:
    """The table of a resource that only posts."""
    return {"create": Endpoint(permission, PostingSerializer, body, status=201, is_keyed=True)}


class OperationResource(Resource):
    """One business verb."""

    queryset = POSTINGS

    def create(self, request: Request) -> HttpResponse:
        def work(key: UUID) -> Reply:
            result = self.post_it(key, request, self.values())
            return posting_reply(self, result.posting, replayed=result.replayed)

        return self.answer_once(request, work)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        raise NotImplementedError


class ReceiptResource(OperationResource):
    """Take goods into stock, all lines or none."""

    endpoints = posts("inventory.receive_stock", ReceiptSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        lines = values.pop("lines")
        items = find_items([(("lines", n, "item"), line["item"]) for n, line in enumerate(lines)])
        places = find_locations([(("lines", n, "location"), line["location"]) for n, line in enumerate(lines)])
        quantities = in_stock_units(
            [(item, line["quantity"], line["unit"]) for item, line in zip(items, lines, strict=True)]
        )
        receipt = [
            ReceiptLine(
                item=item,
                location=place,
                quantity=quantity,
                value=line["value"],
                lot_code=line["lot"],
                expires_on=line["expires_on"],
                supplier_lot=line["supplier_lot"],
                status=line["status"],
            )
            for line, item, place, quantity in zip(lines, items, places, quantities, strict=True)
        ]
        return receive_stock(key=key, lines=receipt, actor=request.user, **values)


def _one_item(values: dict[str, Any], *places: str) -> dict[str, Any]:
    """Names of one item, its places and lots replaced by objects, quantities by stock units."""
    (item,) = find_items([(("item",), values.pop("item"))])
    found = find_locations([((name,), values.pop(name)) for name in places])
    unit = values.pop("unit")
    (quantity,) = in_stock_units([(item, values.pop("quantity"), unit)])
    lots = picked_lots(item, values.pop("lots"), unit)
    return {
        **values,
        **dict(zip(places, found, strict=True)),
        "item": item,
        "quantity": quantity,
        "lots": lots,
    }


class IssueResource(OperationResource):
    """Take available stock out of a place for a use."""

    endpoints = posts("inventory.issue_stock", IssueSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        kind, reference = values.pop("demand_kind"), values.pop("demand_ref")
        demand = (kind, reference) if kind and reference else None
        return issue_stock(key=key, actor=request.user, demand=demand, **_one_item(values, "location"))


class TransferResource(OperationResource):
    """Carry stock from one place to another."""

    endpoints = posts("inventory.transfer_stock", TransferSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        return transfer_stock(key=key, actor=request.user, **_one_item(values, "source", "target"))


class AdjustmentResource(OperationResource):
    """Raise or lower the book with a reason."""

    endpoints = posts("inventory.adjust_stock", AdjustmentSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        lot_code = values.pop("lot")
        return adjust_stock(key=key, actor=request.user, lot_code=lot_code, **_one_item(values, "location"))


class ScrapResource(OperationResource):
    """Write stock off at its present cost."""

    endpoints = posts("inventory.scrap_stock", ScrapSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        return scrap_stock(key=key, actor=request.user, **_one_item(values, "location"))


class StatusChangeResource(OperationResource):
    """Hold stock, put it in quarantine, or release it."""

    endpoints = posts("inventory.change_stock_status", StatusChangeSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        return change_status(key=key, actor=request.user, **_one_item(values, "location"))


class CostCorrectionResource(OperationResource):
    """Give what is on hand another unit cost."""

    endpoints = posts("inventory.correct_cost", CostCorrectionSerializer)

    def post_it(self, key: UUID, request: Request, values: dict[str, Any]) -> Any:
        (item,) = find_items([(("item",), values.pop("item"))])
        return correct_cost(key=key, item=item, actor=request.user, **values)
