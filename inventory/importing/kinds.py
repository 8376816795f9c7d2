"""The tables of stock that can be imported."""

from inventory.importing.items import ITEMS
from inventory.importing.opening_stock import OPENING_STOCK
from inventory.importing.purchase_orders import PURCHASE_ORDERS
from inventory.importing.running import register_kind
from inventory.importing.supplier_stock import SUPPLIER_STOCK
from inventory.importing.suppliers import SUPPLIER_ITEMS, SUPPLIERS

register_kind(ITEMS)
register_kind(OPENING_STOCK)
register_kind(SUPPLIERS)
register_kind(SUPPLIER_ITEMS)
register_kind(SUPPLIER_STOCK)
register_kind(PURCHASE_ORDERS)
