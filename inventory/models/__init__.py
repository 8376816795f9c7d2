from inventory.models.changes import StockChange, StoredReply
from inventory.models.items import (
    UNSTOCKED_KINDS,
    CostMethod,
    Item,
    ItemCategory,
    ItemKind,
    ItemUnit,
    SupplyPolicy,
    Tracking,
)
from inventory.models.ledger import (
    NEUTRAL_KINDS,
    CostEntry,
    CostEntryKind,
    CostPool,
    Movement,
    Posting,
    PostingKind,
    StockBalance,
    StockStatus,
)
from inventory.models.locations import Location, LocationKind
from inventory.models.lots import Lot
from inventory.models.reservations import Reservation, ReservationChange

__all__ = [
    "NEUTRAL_KINDS",
    "UNSTOCKED_KINDS",
    "CostEntry",
    "CostEntryKind",
    "CostMethod",
    "CostPool",
    "Item",
    "ItemCategory",
    "ItemKind",
    "ItemUnit",
    "Location",
    "LocationKind",
    "Lot",
    "Movement",
    "Posting",
    "PostingKind",
    "Reservation",
    "ReservationChange",
    "StockBalance",
    "StockChange",
    "StockStatus",
    "StoredReply",
    "SupplyPolicy",
    "Tracking",
]
