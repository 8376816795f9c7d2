"""Shopify's Admin API by executing the incoming document on our own small schema, one schema per version."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    get_directive_values,
    parse,
    validate,
)

from channels_sync.sandbox.faults import FaultKind, Faults
from channels_sync.sandbox.stock import BatchRefused, Row, RowError, Rules, activate, set_quantities
from channels_sync.sandbox.store import Change, Item, Level, Location, Store

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")
_KEYS_REQUIRED_FROM = "2026-04"
_UNSTOCKED_REFUSED_TO = "2026-07"
_ROWS_MAX = 250
_LINE_RANGE = re.compile(r"#\s*(from|to)\s+(\d{4}-\d{2})\s*$")
_QUANTITY_NAMES = frozenset(
    {"available", "committed", "on_hand", "incoming", "reserved", "damaged", "safety_stock", "quality_control"}
)

Source = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shop:
    """Who the shop is."""

    name: str
    domain: str
    currency: str


class KeysInFlight:
    """Idempotency keys that are being worked on right now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[tuple[str, str]] = set()

    def claim(self, key: tuple[str, str]) -> bool:
        with self._lock:
            if key in self._keys:
                return False
            self._keys.add(key)
            return True

    def release(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._keys.discard(key)


@dataclass(frozen=True, slots=True)
class Context:
    """What the resolvers of one request need."""

    store: Store
    shop: Shop
    app: str
    version: str
    faults: Faults
    in_flight: KeysInFlight
    sleep: Callable[[float], None] = time.sleep


# --- schema and documents ---


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


# --- ids, moments, pages ---

_OFFSETS = {"Product": 7_000_000, "ProductVariant": 8_000_000, "InventoryItem": 9_000_000, "Location": 1_000}


def gid(kind: str, row_id: int) -> str:
    return f"gid://shopify/{kind}/{row_id + _OFFSETS.get(kind, 0)}"


def row_id_of(kind: str, text: str) -> int | None:
    """The row behind a global id; None when it is the id of something else."""
    found = re.fullmatch(rf"gid://shopify/{kind}/(\d{{1,15}})", text)
    return int(found[1]) - _OFFSETS.get(kind, 0) if found else None


def _level_gid(level: Level) -> str:
    return f"{gid('InventoryLevel', level.location_id)}?inventory_item_id={level.item_id + _OFFSETS['InventoryItem']}"


def _error(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


def _page(first: int | None, after: str | None) -> tuple[int, int]:
    """(how many, after which row id). Raises GraphQLError for sizes and cursors the API does not take."""
    if first is None:
        raise _error("BAD_REQUEST", "you must provide one of first or last")
    if not 0 < first <= _ROWS_MAX:
        raise _error("MAX_INPUT_SIZE_EXCEEDED", f"first is {first}; it must be from 1 to {_ROWS_MAX}.")
    if after is None:
        return first, -1
    try:
        return first, int(base64.b64decode(after, validate=True))
    except (binascii.Error, ValueError):
        raise _error("BAD_REQUEST", "Invalid cursor for current pagination sort.") from None


def _connection(rows: Sequence[tuple[int, Source]], *, first: int, after: int) -> Source:
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


def _sku_filter(query: str | None) -> Callable[[str], bool]:
    """Shopify's loose search for `sku:'…'`, several joined by OR: without regard to case, and by leading words."""
    if not query:
        return lambda _sku: True
    terms = re.findall(r"sku:(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s()]+))", query)
    rest = re.sub(r"sku:(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s()]+)|\bOR\b|[()\s]", "", query)
    if rest or not terms:
        raise _error("BAD_REQUEST", f"The sandbox searches by sku only, joined by OR; it does not know {query!r}.")
    wanted = [_words(re.sub(r"\\(.)", r"\1", next(filter(None, term), ""))) for term in terms]
    return lambda sku: any(_words(sku)[: len(words)] == words for words in wanted)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _updated_filter(query: str | None) -> tuple[str, str]:
    """(operator, moment) of `updated_at:>'…'`; everything when there is no query."""
    if not query:
        return ">=", ""
    found = re.fullmatch(r"\s*updated_at:(>=?)\s*['\"]?([0-9T:.Z+-]+)['\"]?\s*", query)
    if found is None:
        raise _error(
            "BAD_REQUEST", f"The sandbox filters levels by updated_at:> or >= only; it does not know {query!r}."
        )
    return found[1], found[2]


# --- rows as GraphQL sources ---


def _item_source(item: Item) -> Source:
    return {
        "__typename": "InventoryItem",
        "row": item,
        "id": gid("InventoryItem", item.id),
        "sku": item.sku,
        "tracked": item.is_tracked,
        "createdAt": item.created_at,
        "updatedAt": item.created_at,
    }


def _variant_source(item: Item) -> Source:
    return {
        "__typename": "ProductVariant",
        "row": item,
        "id": gid("ProductVariant", item.id),
        "title": "Default Title",
        "displayName": item.title,
        "sku": item.sku,
        "price": f"{item.price:.2f}",
        "product": _product_source(item),
        "inventoryItem": _item_source(item),
    }


def _product_source(item: Item) -> Source:
    return {
        "__typename": "Product",
        "id": gid("Product", item.id),
        "title": item.title,
        "description": lambda _info, truncateAt=None: item.description[:truncateAt],  # noqa: N803 - the API's word
    }


def _location_source(location: Location) -> Source:
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


def _level_source(level: Level) -> Source:
    return {
        "__typename": "InventoryLevel",
        "row": level,
        "id": _level_gid(level),
        "isActive": level.is_active,
        "createdAt": level.created_at,
        "updatedAt": level.updated_at,
    }


# --- queries ---


def _context(info: GraphQLResolveInfo) -> Context:
    context = info.context
    assert isinstance(context, Context)
    return context


def _shop(_source: Any, info: GraphQLResolveInfo) -> Source:
    shop = _context(info).shop
    return {
        "__typename": "Shop",
        "id": "gid://shopify/Shop/1",
        "name": shop.name,
        "myshopifyDomain": shop.domain,
        "currencyCode": shop.currency,
    }


def _node(_source: Any, info: GraphQLResolveInfo, *, id: str) -> Source | None:
    store = _context(info).store
    if not id.startswith("gid://shopify/"):
        raise _error("RESOURCE_NOT_FOUND", f"Invalid global id '{id}'")
    if (location_id := row_id_of("Location", id)) is not None:
        location = store.location(location_id)
        return _location_source(location) if location else None
    makers = {"InventoryItem": _item_source, "ProductVariant": _variant_source, "Product": _product_source}
    for kind, make in makers.items():
        if (row_id := row_id_of(kind, id)) is not None:
            item = store.item(row_id)
            return make(item) if item else None
    return _level(None, info, id=id)


def _nodes(_source: Any, info: GraphQLResolveInfo, *, ids: list[str]) -> list[Source | None]:
    if len(ids) > _ROWS_MAX:
        raise _error(
            "MAX_INPUT_SIZE_EXCEEDED", f"The input array size of {len(ids)} is greater than the maximum allowed of 250."
        )
    return [_node(None, info, id=one) for one in ids]


def _level(_source: Any, info: GraphQLResolveInfo, *, id: str) -> Source | None:
    found = re.fullmatch(r"(gid://shopify/InventoryLevel/\d{1,15})\?inventory_item_id=(\d{1,15})", id)
    location_id = row_id_of("InventoryLevel", found[1]) if found else None
    if found is None or location_id is None:
        return None
    level = _context(info).store.level(int(found[2]) - _OFFSETS["InventoryItem"], location_id)
    return _level_source(level) if level else None


def _inventory_item(_source: Any, info: GraphQLResolveInfo, *, id: str) -> Source | None:
    row_id = row_id_of("InventoryItem", id)
    item = _context(info).store.item(row_id) if row_id is not None else None
    return _item_source(item) if item else None


def _location(_source: Any, info: GraphQLResolveInfo, *, id: str | None = None) -> Source | None:
    store = _context(info).store
    row_id = row_id_of("Location", id) if id is not None else store.locations()[0].id
    location = store.location(row_id) if row_id is not None else None
    return _location_source(location) if location else None


def _locations(
    _source: Any,
    info: GraphQLResolveInfo,
    *,
    first: int | None = None,
    after: str | None = None,
    query: str | None = None,
    includeInactive: bool = False,  # noqa: N803 - the API's word
) -> Source:
    if query:
        raise _error("BAD_REQUEST", "The sandbox lists locations without a query only.")
    size, after_id = _page(first, after)
    rows = [
        (location.id, _location_source(location))
        for location in _context(info).store.locations()
        if location.id > after_id and (location.is_active or includeInactive)
    ]
    return _connection(rows, first=size, after=after_id)


def _items_page(
    info: GraphQLResolveInfo,
    make: Callable[[Item], Source],
    *,
    first: int | None,
    after: str | None,
    query: str | None,
) -> Source:
    size, after_id = _page(first, after)
    fits = _sku_filter(query)
    items = _context(info).store.items(after_id=after_id, rows_max=None if query else size + 1)
    rows = [(item.id, make(item)) for item in items if fits(item.sku)]
    return _connection(rows[: size + 1], first=size, after=after_id)


def _inventory_items(
    _source: Any,
    info: GraphQLResolveInfo,
    *,
    first: int | None = None,
    after: str | None = None,
    query: str | None = None,
) -> Source:
    return _items_page(info, _item_source, first=first, after=after, query=query)


def _product_variants(
    _source: Any,
    info: GraphQLResolveInfo,
    *,
    first: int | None = None,
    after: str | None = None,
    query: str | None = None,
) -> Source:
    return _items_page(info, _variant_source, first=first, after=after, query=query)


def _variants_of_item(
    source: Source, _info: GraphQLResolveInfo, *, first: int | None = None, after: str | None = None
) -> Source:
    size, after_id = _page(first, after)
    item: Item = source["row"]
    rows = [(item.id, _variant_source(item))] if item.id > after_id else []
    return _connection(rows, first=size, after=after_id)


def _duplicates(source: Source, info: GraphQLResolveInfo) -> int:
    return _context(info).store.duplicates_of(source["row"])


def _variant_quantity(source: Source, info: GraphQLResolveInfo) -> int:
    levels = _context(info).store.levels("WHERE item_id = ? AND is_active", (source["row"].id,))
    return sum(level.available for level in levels)


def _level_of_item(
    source: Source,
    info: GraphQLResolveInfo,
    *,
    locationId: str,  # noqa: N803 - the API's word
    includeInactive: bool = False,  # noqa: N803 - the API's word
) -> Source | None:
    location_id = row_id_of("Location", locationId)
    level = _context(info).store.level(source["row"].id, location_id) if location_id is not None else None
    return _level_source(level) if level and (level.is_active or includeInactive) else None


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
    size, after_id = _page(first, after)
    operator, moment = _updated_filter(query)
    other = "location_id" if by == "item_id" else "item_id"
    levels = _context(info).store.levels(
        f"WHERE {by} = ? AND {other} > ? AND (is_active OR ?) AND updated_at {operator} ? ORDER BY {other} LIMIT ?",
        (row_id, after_id, is_inactive_included, moment, size + 1),
    )
    rows = [(getattr(level, other), _level_source(level)) for level in levels]
    return _connection(rows, first=size, after=after_id)


def _levels_of_item(
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


def _levels_of_location(
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


def _item_of_level(source: Source, info: GraphQLResolveInfo) -> Source | None:
    item = _context(info).store.item(source["row"].item_id)
    return _item_source(item) if item else None


def _location_of_level(source: Source, info: GraphQLResolveInfo) -> Source | None:
    location = _context(info).store.location(source["row"].location_id)
    return _location_source(location) if location else None


def _quantities(source: Source, _info: GraphQLResolveInfo, *, names: list[str]) -> list[Source]:
    if unknown := [name for name in names if name not in _QUANTITY_NAMES]:
        raise _error("BAD_REQUEST", f"Unknown quantity names: {', '.join(unknown)}.")
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


# --- mutations ---


def _idempotency_key(info: GraphQLResolveInfo) -> str | None:
    """The key of `@idempotent`, None where the version lets it be missing."""
    directive = info.schema.get_directive("idempotent")
    assert directive is not None
    given = get_directive_values(directive, info.field_nodes[0], info.variable_values)
    if given is None:
        if _context(info).version >= _KEYS_REQUIRED_FROM:
            raise _error("BAD_REQUEST", "The @idempotent directive is required for this mutation but was not provided.")
        return None
    key = str(given["key"])
    if not key.strip() or len(key) > 255:
        raise _error("BAD_REQUEST", "The idempotency key must not be blank nor longer than 255 characters.")
    return key


def _refused(errors: Sequence[RowError]) -> dict[str, Any]:
    return {"errors": [{"code": e.code, "field": list(e.path) or None, "message": e.message} for e in errors]}


def _once(info: GraphQLResolveInfo, arguments: Mapping[str, Any], run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a mutation, or answer for an earlier run under the same key. A result with `errors` changed nothing."""
    context = _context(info)
    key = _idempotency_key(info)
    if key is None:
        _delay(context)
        return run()
    if not context.in_flight.claim((context.app, key)):
        message = "This request is currently in progress, please try again."
        return _refused([RowError("IDEMPOTENCY_CONCURRENT_REQUEST", (), message)])
    try:
        _delay(context)
        return _run_under_key(context, key, _hash(info.field_name, arguments), run)
    finally:
        context.in_flight.release((context.app, key))


def _run_under_key(context: Context, key: str, request_hash: str, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    with context.store.transaction():  # the change and its key reach the disk together
        earlier = context.store.key_result(app=context.app, key=key)
        if earlier is None:
            result = run()
            is_done = not result.get("errors")
            context.store.keep_key(app=context.app, key=key, request_hash=request_hash, is_done=is_done, result=result)
            return result
    earlier_hash, was_done, result = earlier
    if earlier_hash != request_hash:
        message = "The same idempotency key cannot be used with different operation parameters."
        return _refused([RowError("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", (), message)])
    if not was_done:
        message = "A previous request with this idempotency key failed. Retry with a new idempotency key."
        return _refused([RowError("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", (), message)])
    return result


def _delay(context: Context) -> None:
    if (fault := context.faults.strike(FaultKind.LATENCY, is_mutation=True)) is not None:
        context.sleep(fault.seconds)


def _hash(operation: str, arguments: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([operation, arguments], sort_keys=True).encode()).hexdigest()


def _set_quantities(_source: Any, info: GraphQLResolveInfo, *, input: dict[str, Any]) -> Source:
    context = _context(info)
    given: list[dict[str, Any]] = input["quantities"]
    if len(given) > _ROWS_MAX:
        message = f"The input array size of {len(given)} is greater than the maximum allowed of {_ROWS_MAX}."
        raise _error("MAX_INPUT_SIZE_EXCEEDED", message)
    rows = [_row(context.version, row, is_ignored=bool(input.get("ignoreCompareQuantity"))) for row in given]

    def run() -> dict[str, Any]:
        skus = [item.sku for row in rows if row.item_id and (item := context.store.item(row.item_id))]
        rules = Rules(
            refuses_unstocked=context.version <= _UNSTOCKED_REFUSED_TO,
            failing_skus=context.faults.failing_skus(skus),
        )
        try:
            adjustment_id, _ = set_quantities(
                context.store,
                name=input["name"],
                reason=input["reason"],
                reference=input.get("referenceDocumentUri"),
                rows=rows,
                app=context.app,
                rules=rules,
            )
        except BatchRefused as refused:
            return _refused(refused.errors)
        return {"adjustment": adjustment_id}

    result = _once(info, input, run)
    adjustment_id = result.get("adjustment")
    return {
        "inventoryAdjustmentGroup": _group_source(context, adjustment_id) if adjustment_id else None,
        "userErrors": result.get("errors", []),
    }


def _row(version: str, given: Mapping[str, Any], *, is_ignored: bool) -> Row:
    """One input row; what it says about the expected figure differs by version."""
    item_id = row_id_of("InventoryItem", given["inventoryItemId"])
    location_id = row_id_of("Location", given["locationId"])
    if "changeFromQuantity" in given:
        expected = given["changeFromQuantity"]
        return Row(item_id, location_id, given["quantity"], expected is not None, expected)
    if version >= _KEYS_REQUIRED_FROM:
        raise _error(
            "BAD_REQUEST", "changeFromQuantity must be present for each quantity; pass null to skip the comparison."
        )
    return Row(
        item_id,
        location_id,
        given["quantity"],
        is_compared=not is_ignored,
        compare=given.get("compareQuantity"),
        compare_field="compareQuantity",
    )


def _group_source(context: Context, adjustment_id: int) -> Source | None:
    adjustment = context.store.adjustment(adjustment_id)
    if adjustment is None:
        return None
    _, at, app, reason, reference = adjustment
    return {
        "__typename": "InventoryAdjustmentGroup",
        "row": adjustment_id,
        "id": gid("InventoryAdjustmentGroup", adjustment_id),
        "createdAt": at,
        "reason": reason,
        "referenceDocumentUri": reference,
        "app": {"__typename": "App", "id": "gid://shopify/App/1", "title": app},
    }


def _changes(
    source: Source,
    info: GraphQLResolveInfo,
    *,
    inventoryItemIds: list[str] | None = None,  # noqa: N803 - the API's word
    locationIds: list[str] | None = None,  # noqa: N803 - the API's word
    quantityNames: list[str] | None = None,  # noqa: N803 - the API's word
) -> list[Source]:
    def wanted(change: Change) -> bool:
        return (
            (quantityNames is None or change.name in quantityNames)
            and (inventoryItemIds is None or gid("InventoryItem", change.item_id) in inventoryItemIds)
            and (locationIds is None or gid("Location", change.location_id) in locationIds)
        )

    return [
        {
            "row": change,
            "name": change.name,
            "delta": change.after - change.before,
            "quantityAfterChange": change.after,
        }
        for change in _context(info).store.changes_in(source["row"])
        if wanted(change)
    ]


def _activate(
    _source: Any,
    info: GraphQLResolveInfo,
    *,
    inventoryItemId: str,  # noqa: N803 - the API's word
    locationId: str,  # noqa: N803 - the API's word
    available: int | None = None,
    onHand: int | None = None,  # noqa: N803 - the API's word
    stockAtLegacyLocation: bool = False,  # noqa: N803, ARG001 - the API's word
) -> Source:
    context = _context(info)
    item_id, location_id = row_id_of("InventoryItem", inventoryItemId), row_id_of("Location", locationId)

    def run() -> dict[str, Any]:
        if item_id is None or context.store.item(item_id) is None:
            return _refused([RowError("", ("inventoryItemId",), "The product couldn't be stocked: no such item.")])
        if location_id is None or context.store.location(location_id) is None:
            return _refused([RowError("", ("locationId",), "The product couldn't be stocked: no such location.")])
        activate(
            context.store,
            item_id=item_id,
            location_id=location_id,
            available=available if available is not None else onHand,
            keeps_old=context.version >= _KEYS_REQUIRED_FROM,
            app=context.app,
        )
        return {"level": [item_id, location_id]}

    arguments = {"item": inventoryItemId, "location": locationId, "available": available, "onHand": onHand}
    result = _once(info, arguments, run)
    level = context.store.level(*result["level"]) if "level" in result else None
    return {
        "inventoryLevel": _level_source(level) if level else None,
        "userErrors": [{"field": e["field"], "message": e["message"]} for e in result.get("errors", [])],
    }


_RESOLVERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("QueryRoot", "shop"): _shop,
    ("QueryRoot", "node"): _node,
    ("QueryRoot", "nodes"): _nodes,
    ("QueryRoot", "location"): _location,
    ("QueryRoot", "locations"): _locations,
    ("QueryRoot", "inventoryItem"): _inventory_item,
    ("QueryRoot", "inventoryItems"): _inventory_items,
    ("QueryRoot", "inventoryLevel"): _level,
    ("QueryRoot", "productVariants"): _product_variants,
    ("Mutation", "inventorySetQuantities"): _set_quantities,
    ("Mutation", "inventoryActivate"): _activate,
    ("Location", "inventoryLevels"): _levels_of_location,
    ("ProductVariant", "inventoryQuantity"): _variant_quantity,
    ("InventoryItem", "variants"): _variants_of_item,
    ("InventoryItem", "duplicateSkuCount"): _duplicates,
    ("InventoryItem", "inventoryLevel"): _level_of_item,
    ("InventoryItem", "inventoryLevels"): _levels_of_item,
    ("InventoryLevel", "item"): _item_of_level,
    ("InventoryLevel", "location"): _location_of_level,
    ("InventoryLevel", "quantities"): _quantities,
    ("InventoryAdjustmentGroup", "changes"): _changes,
    ("InventoryChange", "item"): _item_of_level,
    ("InventoryChange", "location"): _location_of_level,
}
