"""The tables of stock that can be imported."""

from inventory.importing.counts import COUNTS
from inventory.importing.items import ITEMS
from inventory.importing.opening_stock import OPENING_STOCK
from inventory.importing.running import register_kind

register_kind(ITEMS)
register_kind(OPENING_STOCK)
register_kind(COUNTS)
