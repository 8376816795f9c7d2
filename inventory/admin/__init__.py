"""Admin screens of stock, a module per subject. Importing the package registers them."""

from inventory.admin import buying, stock

__all__ = ["buying", "stock"]
