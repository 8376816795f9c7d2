from inventory.models.changes import (
    StockChange,
    StoredReply,
)
from inventory.models.checks import (
    InvariantResult,
    InvariantRun,
)
from inventory.models.count_ranks import CountDue, CountRank
from inventory.models.counts import (
    CountCause,
    CountClass,
    CountLine,
    CountLineState,
    CountSheet,
    CountSheetState,
)
from inventory.models.exceptions import ExceptionCase, ExceptionEvent, ExceptionState, ExceptionStep, Severity
from inventory.models.items import (
    UNSTOCKED_KINDS,
    CostMethod,
    CountGroup,
    Item,
    ItemCategory,
    ItemKind,
    ItemUnit,
    SupplyPolicy,
    Tracking,
)
from inventory.models.ledger import (
    NEUTRAL_KINDS,
    VALUE_KINDS,
    CostEntry,
    CostEntryKind,
    CostLayer,
    CostLayerChange,
    CostPool,
    Movement,
    Posting,
    PostingKind,
    StockBalance,
    StockStatus,
)
from inventory.models.locations import (
    Location,
    LocationKind,
)
from inventory.models.lots import (
    Lot,
)
from inventory.models.periods import (
    PeriodClose,
    PeriodSnapshot,
)
from inventory.models.purchasing import (
    LandedBasis,
    LandedCost,
    LandedCostKind,
    LandedCostShare,
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseOrderState,
    PurchaseReceiptLine,
    Supplier,
    SupplierItem,
    SupplierStock,
)
from inventory.models.reservations import (
    Reservation,
    ReservationChange,
)
from inventory.models.saved_views import (
    SavedView,
)
from inventory.models.task_runs import TaskRun
from inventory.models.transfers import (
    StockTransfer,
    StockTransferLine,
    StockTransferReceipt,
    TransferState,
)

__all__ = [
    "NEUTRAL_KINDS",
    "UNSTOCKED_KINDS",
    "VALUE_KINDS",
    "CostEntry",
    "CostEntryKind",
    "CostLayer",
    "CostLayerChange",
    "CostMethod",
    "CostPool",
    "CountCause",
    "CountClass",
    "CountDue",
    "CountGroup",
    "CountLine",
    "CountLineState",
    "CountRank",
    "CountSheet",
    "CountSheetState",
    "ExceptionCase",
    "ExceptionEvent",
    "ExceptionState",
    "ExceptionStep",
    "InvariantResult",
    "InvariantRun",
    "Item",
    "ItemCategory",
    "ItemKind",
    "ItemUnit",
    "LandedBasis",
    "LandedCost",
    "LandedCostKind",
    "LandedCostShare",
    "Location",
    "LocationKind",
    "Lot",
    "Movement",
    "PeriodClose",
    "PeriodSnapshot",
    "Posting",
    "PostingKind",
    "PurchaseOrder",
    "PurchaseOrderLine",
    "PurchaseOrderState",
    "PurchaseReceiptLine",
    "Reservation",
    "ReservationChange",
    "SavedView",
    "Severity",
    "StockBalance",
    "StockChange",
    "StockStatus",
    "StockTransfer",
    "StockTransferLine",
    "StockTransferReceipt",
    "StoredReply",
    "Supplier",
    "SupplierItem",
    "SupplierStock",
    "SupplyPolicy",
    "TaskRun",
    "Tracking",
    "TransferState",
]
