"""A training shop: a process of its own that speaks Shopify's GraphQL Admin API and shows a small shop page.

It knows nothing of the product and imports none of it; see README.md. `process` and `control` are the two modules
others use: to start one, and to fill and upset it.
"""
