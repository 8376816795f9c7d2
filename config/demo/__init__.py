"""The demo company: a small maker of candles and of a garden robot kit, built through the operations of the product.

Every step looks first whether it was done, so loading again changes nothing and never touches what people changed since.
"""
