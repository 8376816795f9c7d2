"""The tables of stock that can be imported."""

from inventory.importing.items import ITEMS
from inventory.importing.movements import ADJUSTMENTS, RECEIPTS, SCRAPS, TRANSFERS
from inventory.importing.opening_stock import OPENING_STOCK
from inventory.importing.running import register_kind

register_kind(ITEMS)
register_kind(OPENING_STOCK)
for kind in (RECEIPTS, TRANSFERS, ADJUSTMENTS, SCRAPS):
    register_kind(kind)
