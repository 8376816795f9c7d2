"""Resolvers of the questions an app may ask."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from graphql import GraphQLResolveInfo

from channels_sync.sandbox.context import api_error, context_of
from channels_sync.sandbox.sources import (
    ID_OFFSETS,
    ROWS_MAX,
    Source,
    connection,
    item_source,
    level_source,
    location_source,
    page_of,
    product_source,
    row_id_of,
    sku_filter,
    updated_filter,
    variant_source,
)
from channels_sync.sandbox.store import Item, Level

_QUANTITY_NAMES = frozenset(
    {"available", "committed", "on_hand", "incoming", "reserved", "damaged", "safety_stock", "quality_control"}
)


def resolve_shop(_source: Any, info: GraphQLResolveInfo) -> Source:
    shop = context_of(info).shop
    return {
        "__typename": "Shop",
        "id": "gid://shopify/Shop/1",
        "name": shop.name,
        "myshopifyDomain": shop.domain,
        "currencyCode": shop.currency,
    }


def resolve_node(_source: Any, info: GraphQLResolveInfo, *, id: str) -> Source | None:
    store = context_of(info).store
    if not id.startswith("gid://shopify/"):
        raise api_error("RESOURCE_NOT_FOUND", f"Invalid global id '{id}'")
    if (location_id := row_id_of("Location", id)) is not None:
        location = store.location(location_id)
        return location_source(location) if location else None
    makers = {"InventoryItem": item_source, "ProductVariant": variant_source, "Product": product_source}
    for kind, make in makers.items():
        if (row_id := row_id_of(kind, id)) is not None:
            item = store.item(row_id)
            return make(item) if item else None
    return resolve_level(None, info, id=id)


def resolve_nodes(_source: Any, info: GraphQLResolveInfo, *, ids: list[str]) -> list[Source | None]:
    if len(ids) > ROWS_MAX:
        raise api_error(
            "MAX_INPUT_SIZE_EXCEEDED", f"The input array size of {len(ids)} is greater than the maximum allowed of 250."
        )
    return [resolve_node(None, info, id=one) for one in ids]


def resolve_level(_source: Any, info: GraphQLResolveInfo, *, id: str) -> Source | None:
    found = re.fullmatch(r"(gid://shopify/InventoryLevel/\d{1,15})\?inventory_item_id=(\d{1,15})", id)
    location_id = row_id_of("InventoryLevel", found[1]) if found else None
    if found is None or location_id is None:
        return None
    level = context_of(info).store.level(int(found[2]) - ID_OFFSETS["InventoryItem"], location_id)
    return level_source(level) if level else None


def resolve_inventory_item(_source: Any, info: GraphQLResolveInfo, *, id: str) -> Source | None:
    row_id = row_id_of("InventoryItem", id)
    item = context_of(info).store.item(row_id) if row_id is not None else None
    return item_source(item) if item else None


def resolve_location(_source: Any, info: GraphQLResolveInfo, *, id: str | None = None) -> Source | None:
    store = context_of(info).store
    row_id = row_id_of("Location", id) if id is not None else store.locations()[0].id
    location = store.location(row_id) if row_id is not None else None
    return location_source(location) if location else None


def resolve_locations(
    _source: Any,
    info: GraphQLResolveInfo,
    *,
    first: int | None = None,
    after: str | None = None,
    query: str | None = None,
    includeInactive: bool = False,  # noqa: N803 - the API's word
) -> Source:
    if query:
        raise api_error("BAD_REQUEST", "The sandbox lists locations without a query only.")
    size, after_id = page_of(first, after)
    rows = [
        (location.id, location_source(location))
        for location in context_of(info).store.locations()
        if location.id > after_id and (location.is_active or includeInactive)
    ]
    return connection(rows, first=size, after=after_id)


def _items_page(
    info: GraphQLResolveInfo,
    make: Callable[[Item], Source],
    *,
    first: int | None,
    after: str | None,
    query: str | None,
) -> Source:
    size, after_id = page_of(first, after)
    fits = sku_filter(query)
    items = context_of(info).store.items(after_id=after_id, rows_max=None if query else size + 1)
    rows = [(item.id, make(item)) for item in items if fits(item.sku)]
    return connection(rows[: size + 1], first=size, after=after_id)


def resolve_inventory_items(
    _source: Any,
    info: GraphQLResolveInfo,
    *,
    first: int | None = None,
    after: str | None = None,
    query: str | None = None,
) -> Source:
    return _items_page(info, item_source, first=first, after=after, query=query)


def resolve_product_variants(
    _source: Any,
    info: GraphQLResolveInfo,
    *,
    first: int | None = None,
    after: str | None = None,
    query: str | None = None,
) -> Source:
    return _items_page(info, variant_source, first=first, after=after, query=query)


def resolve_variants_of_item(
    source: Source, _info: GraphQLResolveInfo, *, first: int | None = None, after: str | None = None
) -> Source:
    size, after_id = page_of(first, after)
    item: Item = source["row"]
    rows = [(item.id, variant_source(item))] if item.id > after_id else []
    return connection(rows, first=size, after=after_id)


def resolve_duplicates(source: Source, info: GraphQLResolveInfo) -> int:
    return context_of(info).store.duplicates_of(source["row"])


def resolve_variant_quantity(source: Source, info: GraphQLResolveInfo) -> int:
    levels = context_of(info).store.levels("WHERE item_id = ? AND is_active", (source["row"].id,))
    return sum(level.available for level in levels)


def resolve_level_of_item(
    source: Source,
    info: GraphQLResolveInfo,
    *,
    locationId: str,  # noqa: N803 - the API's word
    includeInactive: bool = False,  # noqa: N803 - the API's word
) -> Source | None:
    location_id = row_id_of("Location", locationId)
    level = context_of(info).store.level(source["row"].id, location_id) if location_id is not None else None
    return level_source(level) if level and (level.is_active or includeInactive) else None


def _levels_page(
    info: GraphQLResolveInfo,
    *,
    by: str,
    row_id: int,
    first: int | None,
    after: str | None,
    query: str | None,
    is_inactive_included: bool,
) -> Source:
    size, after_id = page_of(first, after)
    operator, moment = updated_filter(query)
    other = "location_id" if by == "item_id" else "item_id"
    levels = context_of(info).store.levels(
        f"WHERE {by} = ? AND {other} > ? AND (is_active OR ?) AND updated_at {operator} ? ORDER BY {other} LIMIT ?",
        (row_id, after_id, is_inactive_included, moment, size + 1),
    )
    rows = [(getattr(level, other), level_source(level)) for level in levels]
    return connection(rows, first=size, after=after_id)


def resolve_levels_of_item(
    source: Source,
    info: GraphQLResolveInfo,
    *,
    first: int | None = None,
    after: str | None = None,
    query: str | None = None,
    includeInactive: bool = False,  # noqa: N803 - the API's word
) -> Source:
    return _levels_page(
        info,
        by="item_id",
        row_id=source["row"].id,
        first=first,
        after=after,
        query=query,
        is_inactive_included=includeInactive,
    )


def resolve_levels_of_location(
    source: Source,
    info: GraphQLResolveInfo,
    *,
    first: int | None = None,
    after: str | None = None,
    query: str | None = None,
    includeInactive: bool = False,  # noqa: N803 - the API's word
) -> Source:
    return _levels_page(
        info,
        by="location_id",
        row_id=source["row"].id,
        first=first,
        after=after,
        query=query,
        is_inactive_included=includeInactive,
    )


def resolve_item_of_level(source: Source, info: GraphQLResolveInfo) -> Source | None:
    item = context_of(info).store.item(source["row"].item_id)
    return item_source(item) if item else None


def resolve_location_of_level(source: Source, info: GraphQLResolveInfo) -> Source | None:
    location = context_of(info).store.location(source["row"].location_id)
    return location_source(location) if location else None


def resolve_quantities(source: Source, _info: GraphQLResolveInfo, *, names: list[str]) -> list[Source]:
    if unknown := [name for name in names if name not in _QUANTITY_NAMES]:
        raise api_error("BAD_REQUEST", f"Unknown quantity names: {', '.join(unknown)}.")
    level: Level = source["row"]
    figures = {"available": level.available, "committed": level.committed, "on_hand": level.on_hand}
    return [
        {
            "__typename": "InventoryQuantity",
            "id": f"gid://shopify/InventoryQuantity/{level.location_id}-{level.item_id}?name={name}",
            "name": name,
            "quantity": figures.get(name, 0),
            "updatedAt": level.updated_at if name in figures else None,
        }
        for name in dict.fromkeys(names)
    ]
