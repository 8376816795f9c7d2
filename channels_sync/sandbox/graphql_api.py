"""Shopify's Admin API by executing the incoming document on our own small schema, one schema per version."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)

from channels_sync.sandbox import mutations, queries

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")
_LINE_RANGE = re.compile(r"#\s*(from|to)\s+(\d{4}-\d{2})\s*$")


def schema_text(version: str) -> str:
    """The SDL of one version: the lines of admin.graphql that exist in it."""
    kept = []
    for line in files(__package__).joinpath("admin.graphql").read_text(encoding="utf-8").splitlines():
        bound = _LINE_RANGE.search(line) if not line.lstrip().startswith("#") else None
        if bound is None or (version >= bound[2] if bound[1] == "from" else version <= bound[2]):
            kept.append(line)
    return "\n".join(kept)


@lru_cache(maxsize=len(VERSIONS))
def schema_for(version: str) -> GraphQLSchema:
    schema = build_schema(schema_text(version))
    for (type_name, field_name), resolver in _RESOLVERS.items():
        graphql_type = schema.type_map[type_name]
        assert isinstance(graphql_type, GraphQLObjectType)
        graphql_type.fields[field_name].resolve = resolver
    return schema


@lru_cache(maxsize=256)
def checked_document(version: str, text: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    """The parsed document and what is wrong with it; None when it is not even GraphQL."""
    try:
        document = parse(text, no_location=False, max_tokens=5_000)
    except GraphQLError as error:
        return None, (error,)
    return document, tuple(validate(schema_for(version), document))


def operation_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    """The operation asked for, None when the name fits none or not exactly one."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name:
        operations = [node for node in operations if node.name is not None and node.name.value == name]
    return operations[0] if len(operations) == 1 else None


_RESOLVERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("QueryRoot", "shop"): queries.resolve_shop,
    ("QueryRoot", "node"): queries.resolve_node,
    ("QueryRoot", "nodes"): queries.resolve_nodes,
    ("QueryRoot", "location"): queries.resolve_location,
    ("QueryRoot", "locations"): queries.resolve_locations,
    ("QueryRoot", "inventoryItem"): queries.resolve_inventory_item,
    ("QueryRoot", "inventoryItems"): queries.resolve_inventory_items,
    ("QueryRoot", "inventoryLevel"): queries.resolve_level,
    ("QueryRoot", "productVariants"): queries.resolve_product_variants,
    ("Mutation", "inventorySetQuantities"): mutations.resolve_set_quantities,
    ("Mutation", "inventoryActivate"): mutations.resolve_activate,
    ("Location", "inventoryLevels"): queries.resolve_levels_of_location,
    ("ProductVariant", "inventoryQuantity"): queries.resolve_variant_quantity,
    ("InventoryItem", "variants"): queries.resolve_variants_of_item,
    ("InventoryItem", "duplicateSkuCount"): queries.resolve_duplicates,
    ("InventoryItem", "inventoryLevel"): queries.resolve_level_of_item,
    ("InventoryItem", "inventoryLevels"): queries.resolve_levels_of_item,
    ("InventoryLevel", "item"): queries.resolve_item_of_level,
    ("InventoryLevel", "location"): queries.resolve_location_of_level,
    ("InventoryLevel", "quantities"): queries.resolve_quantities,
    ("InventoryAdjustmentGroup", "changes"): mutations.resolve_changes,
    ("InventoryChange", "item"): queries.resolve_item_of_level,
    ("InventoryChange", "location"): queries.resolve_location_of_level,
}
