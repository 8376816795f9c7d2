"""Admin screens of stock, a module per subject. Importing the package registers them."""

from inventory.admin import buying, counts, periods, stock

__all__ = ["buying", "counts", "periods", "stock"]
