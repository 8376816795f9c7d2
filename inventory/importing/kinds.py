"""The tables of stock that can be imported and exported."""

from inventory.importing.categories import CATEGORIES
from inventory.importing.count_classes import COUNT_CLASSES
from inventory.importing.counts import COUNTS
from inventory.importing.exporting import register_export, register_without_export
from inventory.importing.exports import EXPORTS
from inventory.importing.exports_of_buying import EXPORTS_OF_BUYING
from inventory.importing.external_stock import EXTERNAL_STOCK
from inventory.importing.item_units import ITEM_UNITS
from inventory.importing.items import ITEMS
from inventory.importing.leaving import ISSUES, SHIPMENTS, STATUS_CHANGES
from inventory.importing.locations import LOCATIONS
from inventory.importing.lots import LOTS
from inventory.importing.movements import ADJUSTMENTS, RECEIPTS, SCRAPS, TRANSFERS
from inventory.importing.opening_stock import OPENING_STOCK
from inventory.importing.purchase_orders import PURCHASE_ORDERS
from inventory.importing.returns import CUSTOMER_RETURNS, SUPPLIER_RETURNS
from inventory.importing.running import register_kind
from inventory.importing.supplier_stock import SUPPLIER_STOCK
from inventory.importing.suppliers import SUPPLIER_ITEMS, SUPPLIERS

for kind in (LOCATIONS, CATEGORIES, ITEMS, ITEM_UNITS, LOTS, OPENING_STOCK, COUNT_CLASSES):
    register_kind(kind)
for kind in (SUPPLIERS, SUPPLIER_ITEMS, SUPPLIER_STOCK, PURCHASE_ORDERS):
    register_kind(kind)
MOVED = (
    RECEIPTS,
    TRANSFERS,
    ADJUSTMENTS,
    SCRAPS,
    ISSUES,
    SHIPMENTS,
    STATUS_CHANGES,
    CUSTOMER_RETURNS,
    SUPPLIER_RETURNS,
)
for kind in (*MOVED, EXTERNAL_STOCK):
    register_kind(kind)
    register_without_export(
        kind.name, "The rows are postings, made once; what was moved goes out with the ledger's own export."
    )
register_kind(COUNTS)
register_without_export(
    COUNTS.name, "What was counted stands on its sheets, each taken out on its own page, or over the API."
)
for export in (*EXPORTS, *EXPORTS_OF_BUYING):
    register_export(export)
