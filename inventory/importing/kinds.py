"""The tables of stock that can be imported and exported."""

from inventory.importing.categories import CATEGORIES
from inventory.importing.count_classes import COUNT_CLASSES
from inventory.importing.exporting import register_export
from inventory.importing.exports import EXPORTS
from inventory.importing.item_units import ITEM_UNITS
from inventory.importing.items import ITEMS
from inventory.importing.locations import LOCATIONS
from inventory.importing.lots import LOTS
from inventory.importing.movements import ADJUSTMENTS, RECEIPTS, SCRAPS, TRANSFERS
from inventory.importing.opening_stock import OPENING_STOCK
from inventory.importing.running import register_kind

for kind in (
    LOCATIONS,
    CATEGORIES,
    ITEMS,
    ITEM_UNITS,
    LOTS,
    OPENING_STOCK,
    COUNT_CLASSES,
    RECEIPTS,
    TRANSFERS,
    ADJUSTMENTS,
    SCRAPS,
):
    register_kind(kind)
for export in EXPORTS:
    register_export(export)
