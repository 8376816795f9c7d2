"""Addresses of the stock ledger's resources."""

from rest_framework.routers import BaseRouter

from inventory.api.items import CategoryResource, ItemResource, ItemUnitResource
from inventory.api.moving import (
    AdjustmentResource,
    CostCorrectionResource,
    IssueResource,
    ReceiptResource,
    ScrapResource,
    StatusChangeResource,
    TransferResource,
)
from inventory.api.resources import Resource
from inventory.api.stock import (
    LocationResource,
    LotResource,
    MovementResource,
    PostingResource,
    ReservationResource,
    StockResource,
)
from inventory.api.valuing import PeriodResource, StockAsOfResource, StockChangesResource, ValuationResource

RESOURCES: dict[str, type[Resource]] = {
    "items": ItemResource,
    "item-units": ItemUnitResource,
    "categories": CategoryResource,
    "locations": LocationResource,
    "lots": LotResource,
    "stock": StockResource,
    "movements": MovementResource,
    "postings": PostingResource,
    "valuation": ValuationResource,
    "stock-as-of": StockAsOfResource,
    "stock-changes": StockChangesResource,
    "periods": PeriodResource,
    "reservations": ReservationResource,
    "receipts": ReceiptResource,
    "issues": IssueResource,
    "transfers": TransferResource,
    "adjustments": AdjustmentResource,
    "scraps": ScrapResource,
    "status-changes": StatusChangeResource,
    "cost-corrections": CostCorrectionResource,
}


def register(router: BaseRouter) -> None:
    """Add the resources to a router."""
    for address, resource in RESOURCES.items():
        router.register(address, resource, basename=address)
