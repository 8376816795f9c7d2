"""Admin screens of stock, a module per subject. Importing the package registers them."""

from inventory.admin import counts, periods, stock

__all__ = ["counts", "periods", "stock"]
