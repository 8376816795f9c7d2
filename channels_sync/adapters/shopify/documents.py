"""The GraphQL documents the adapter sends. Each is valid for every version in API_VERSIONS."""

from __future__ import annotations

SET_QUANTITIES = """
mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup {
      id
      changes(quantityNames: ["available"]) { name delta quantityAfterChange item { id } location { id } }
    }
    userErrors { code field message }
  }
}
"""

# `isActive` is left out: 2026-01 does not know it, and an inactive level is answered as null anyway.
_LEVEL_FIELDS = 'updatedAt quantities(names: ["available", "on_hand", "committed"]) { name quantity }'

ACTIVATE = f"""
mutation Activate($item: ID!, $location: ID!, $available: Int, $key: String!) {{
  inventoryActivate(inventoryItemId: $item, locationId: $location, available: $available) @idempotent(key: $key) {{
    inventoryLevel {{ id item {{ id sku }} {_LEVEL_FIELDS} }}
    userErrors {{ field message }}
  }}
}}
"""

READ_ITEMS = f"""
query ReadItems($ids: [ID!]!, $location: ID!) {{
  nodes(ids: $ids) {{
    ... on InventoryItem {{ id sku tracked inventoryLevel(locationId: $location) {{ id {_LEVEL_FIELDS} }} }}
  }}
}}
"""

READ_LOCATION = f"""
query ReadLocation($location: ID!, $first: Int!, $after: String) {{
  location(id: $location) {{
    id
    inventoryLevels(first: $first, after: $after) {{
      nodes {{ id item {{ id sku }} {_LEVEL_FIELDS} }}
      pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}
"""

FIND_ITEMS = """
query FindItems($search: String!, $first: Int!, $after: String) {
  inventoryItems(first: $first, after: $after, query: $search) {
    nodes {
      id sku tracked duplicateSkuCount
      variants(first: 3) { nodes { id displayName product { id title } } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

LOCATIONS = """
query Locations($first: Int!, $after: String) {
  locations(first: $first, after: $after) {
    nodes {
      id name isActive fulfillsOnlineOrders isFulfillmentService
      address { countryCode zip }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SHOP = "query Shop { shop { name myshopifyDomain currencyCode } }"

ALL_DOCUMENTS = {
    "SET_QUANTITIES": SET_QUANTITIES,
    "ACTIVATE": ACTIVATE,
    "READ_ITEMS": READ_ITEMS,
    "READ_LOCATION": READ_LOCATION,
    "FIND_ITEMS": FIND_ITEMS,
    "LOCATIONS": LOCATIONS,
    "SHOP": SHOP,
}
