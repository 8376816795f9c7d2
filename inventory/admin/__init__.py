"""Admin screens of stock, a module per subject. Importing the package registers them."""

from inventory.admin import counts, stock

__all__ = ["counts", "stock"]
