"""Rows of the store as GraphQL sources: ids, pages, filters, fields."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Any

from channels_sync.sandbox.context import api_error
from channels_sync.sandbox.store import Item, Level, Location

ROWS_MAX = 250

Source = dict[str, Any]

ID_OFFSETS = {"Product": 7_000_000, "ProductVariant": 8_000_000, "InventoryItem": 9_000_000, "Location": 1_000}


def gid(kind: str, row_id: int) -> str:
    return f"gid://shopify/{kind}/{row_id + ID_OFFSETS.get(kind, 0)}"


def row_id_of(kind: str, text: str) -> int | None:
    """The row behind a global id; None when it is the id of something else."""
    found = re.fullmatch(rf"gid://shopify/{kind}/(\d{{1,15}})", text)
    return int(found[1]) - ID_OFFSETS.get(kind, 0) if found else None


def level_gid(level: Level) -> str:
    return f"{gid('InventoryLevel', level.location_id)}?inventory_item_id={level.item_id + ID_OFFSETS['InventoryItem']}"


def page_of(first: int | None, after: str | None) -> tuple[int, int]:
    """(how many, after which row id). Raises GraphQLError for sizes and cursors the API does not take."""
    if first is None:
        raise api_error("BAD_REQUEST", "you must provide one of first or last")
    if not 0 < first <= ROWS_MAX:
        raise api_error("MAX_INPUT_SIZE_EXCEEDED", f"first is {first}; it must be from 1 to {ROWS_MAX}.")
    if after is None:
        return first, -1
    try:
        return first, int(base64.b64decode(after, validate=True))
    except (binascii.Error, ValueError):
        raise api_error("BAD_REQUEST", "Invalid cursor for current pagination sort.") from None


def connection(rows: Sequence[tuple[int, Source]], *, first: int, after: int) -> Source:
    """One page of (row id, node); `rows` may hold one more than asked, which proves a next page."""
    page = rows[:first]
    cursors = [base64.b64encode(str(row_id).encode()).decode() for row_id, _ in page]
    return {
        "nodes": [node for _, node in page],
        "pageInfo": {
            "hasNextPage": len(rows) > first,
            "hasPreviousPage": after >= 0,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def sku_filter(query: str | None) -> Callable[[str], bool]:
    """Shopify's loose search for `sku:'…'`, several joined by OR: without regard to case, and by leading words."""
    if not query:
        return lambda _sku: True
    terms = re.findall(r"sku:(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s()]+))", query)
    rest = re.sub(r"sku:(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s()]+)|\bOR\b|[()\s]", "", query)
    if rest or not terms:
        raise api_error("BAD_REQUEST", f"The sandbox searches by sku only, joined by OR; it does not know {query!r}.")
    wanted = [_words(re.sub(r"\\(.)", r"\1", next(filter(None, term), ""))) for term in terms]
    return lambda sku: any(_words(sku)[: len(words)] == words for words in wanted)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def updated_filter(query: str | None) -> tuple[str, str]:
    """(operator, moment) of `updated_at:>'…'`; everything when there is no query."""
    if not query:
        return ">=", ""
    found = re.fullmatch(r"\s*updated_at:(>=?)\s*['\"]?([0-9T:.Z+-]+)['\"]?\s*", query)
    if found is None:
        raise api_error(
            "BAD_REQUEST", f"The sandbox filters levels by updated_at:> or >= only; it does not know {query!r}."
        )
    return found[1], found[2]


def item_source(item: Item) -> Source:
    return {
        "__typename": "InventoryItem",
        "row": item,
        "id": gid("InventoryItem", item.id),
        "sku": item.sku,
        "tracked": item.is_tracked,
        "createdAt": item.created_at,
        "updatedAt": item.created_at,
    }


def variant_source(item: Item) -> Source:
    return {
        "__typename": "ProductVariant",
        "row": item,
        "id": gid("ProductVariant", item.id),
        "title": "Default Title",
        "displayName": item.title,
        "sku": item.sku,
        "price": f"{item.price:.2f}",
        "product": product_source(item),
        "inventoryItem": item_source(item),
    }


def product_source(item: Item) -> Source:
    return {
        "__typename": "Product",
        "id": gid("Product", item.id),
        "title": item.title,
        "description": lambda _info, truncateAt=None: item.description[:truncateAt],  # noqa: N803 - the API's word
    }


def location_source(location: Location) -> Source:
    return {
        "__typename": "Location",
        "row": location,
        "id": gid("Location", location.id),
        "name": location.name,
        "isActive": location.is_active,
        "fulfillsOnlineOrders": location.is_active,
        "shipsInventory": location.is_active,
        "isFulfillmentService": False,
        "address": {
            "countryCode": location.country_code,
            "provinceCode": location.province_code,
            "zip": location.zip,
        },
    }


def level_source(level: Level) -> Source:
    return {
        "__typename": "InventoryLevel",
        "row": level,
        "id": level_gid(level),
        "isActive": level.is_active,
        "createdAt": level.created_at,
        "updatedAt": level.updated_at,
    }
