"""The tables of stock that can be imported."""

from inventory.importing.external_stock import EXTERNAL_STOCK
from inventory.importing.items import ITEMS
from inventory.importing.opening_stock import OPENING_STOCK
from inventory.importing.running import register_kind

register_kind(ITEMS)
register_kind(OPENING_STOCK)
register_kind(EXTERNAL_STOCK)
