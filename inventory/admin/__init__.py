"""Admin screens of stock, a module per subject. Importing the package registers them."""

from inventory.admin import periods, stock

__all__ = ["periods", "stock"]
