"""Addresses of the stock ledger's resources."""

from rest_framework.routers import BaseRouter

from inventory.api.board import StockBoardResource
from inventory.api.counts import CountSheetResource
from inventory.api.exceptions import ExceptionResource
from inventory.api.items import CategoryResource, ItemResource, ItemUnitResource
from inventory.api.landed_costs import LandedCostResource
from inventory.api.lots import TracedLotResource
from inventory.api.moving import (
    AdjustmentResource,
    CostCorrectionResource,
    IssueResource,
    ReceiptResource,
    ScrapResource,
    StatusChangeResource,
    TransferResource,
)
from inventory.api.purchasing import PurchaseOrderResource
from inventory.api.reporting import ExternalStockResource
from inventory.api.resources import Resource
from inventory.api.shipping import (
    CustomerReturnResource,
    LotChangeResource,
    ShipmentResource,
    SupplierReturnResource,
)
from inventory.api.stock import (
    LocationResource,
    MovementResource,
    PostingResource,
    ReservationResource,
    StockResource,
)
from inventory.api.suppliers import SupplierItemResource, SupplierResource, SupplierStockResource
from inventory.api.transit import StockTransferResource
from inventory.api.valuing import PeriodResource, StockAsOfResource, StockChangesResource, ValuationResource

RESOURCES: dict[str, type[Resource]] = {
    "items": ItemResource,
    "item-units": ItemUnitResource,
    "categories": CategoryResource,
    "locations": LocationResource,
    "lots": TracedLotResource,
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
    "stock-board": StockBoardResource,
    "transfers": TransferResource,
    "adjustments": AdjustmentResource,
    "scraps": ScrapResource,
    "status-changes": StatusChangeResource,
    "cost-corrections": CostCorrectionResource,
    "shipments": ShipmentResource,
    "customer-returns": CustomerReturnResource,
    "supplier-returns": SupplierReturnResource,
    "lot-changes": LotChangeResource,
    "stock-transfers": StockTransferResource,
    "external-stock": ExternalStockResource,
    "count-sheets": CountSheetResource,
    "suppliers": SupplierResource,
    "supplier-items": SupplierItemResource,
    "supplier-stock": SupplierStockResource,
    "purchase-orders": PurchaseOrderResource,
    "landed-costs": LandedCostResource,
    "exceptions": ExceptionResource,
}


def register(router: BaseRouter) -> None:
    """Add the resources to a router."""
    for address, resource in RESOURCES.items():
        router.register(address, resource, basename=address)
