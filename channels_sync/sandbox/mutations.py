"""Resolvers of what an app may do, each at most once per idempotency key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import GraphQLResolveInfo, get_directive_values

from channels_sync.sandbox.context import Context, api_error, context_of
from channels_sync.sandbox.faults import FaultKind
from channels_sync.sandbox.sources import ROWS_MAX, Source, gid, level_source, row_id_of
from channels_sync.sandbox.stock import BatchRefused, Row, RowError, Rules, activate, set_quantities
from channels_sync.sandbox.store import Change

_KEYS_REQUIRED_FROM = "2026-04"
_UNSTOCKED_REFUSED_TO = "2026-07"


def _idempotency_key(info: GraphQLResolveInfo) -> str | None:
    """The key of `@idempotent`, None where the version lets it be missing."""
    directive = info.schema.get_directive("idempotent")
    assert directive is not None
    given = get_directive_values(directive, info.field_nodes[0], info.variable_values)
    if given is None:
        if context_of(info).version >= _KEYS_REQUIRED_FROM:
            raise api_error(
                "BAD_REQUEST", "The @idempotent directive is required for this mutation but was not provided."
            )
        return None
    key = str(given["key"])
    if not key.strip() or len(key) > 255:
        raise api_error("BAD_REQUEST", "The idempotency key must not be blank nor longer than 255 characters.")
    return key


def _refused(errors: Sequence[RowError]) -> dict[str, Any]:
    return {"errors": [{"code": e.code, "field": list(e.path) or None, "message": e.message} for e in errors]}


def _once(info: GraphQLResolveInfo, arguments: Mapping[str, Any], run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a mutation, or answer for an earlier run under the same key. A result with `errors` changed nothing."""
    context = context_of(info)
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


def resolve_set_quantities(_source: Any, info: GraphQLResolveInfo, *, input: dict[str, Any]) -> Source:
    context = context_of(info)
    given: list[dict[str, Any]] = input["quantities"]
    if len(given) > ROWS_MAX:
        message = f"The input array size of {len(given)} is greater than the maximum allowed of {ROWS_MAX}."
        raise api_error("MAX_INPUT_SIZE_EXCEEDED", message)
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
        raise api_error(
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


def resolve_changes(
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
        for change in context_of(info).store.changes_in(source["row"])
        if wanted(change)
    ]


def resolve_activate(
    _source: Any,
    info: GraphQLResolveInfo,
    *,
    inventoryItemId: str,  # noqa: N803 - the API's word
    locationId: str,  # noqa: N803 - the API's word
    available: int | None = None,
    onHand: int | None = None,  # noqa: N803 - the API's word
    stockAtLegacyLocation: bool = False,  # noqa: N803, ARG001 - the API's word
) -> Source:
    context = context_of(info)
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
        "inventoryLevel": level_source(level) if level else None,
        "userErrors": [{"field": e["field"], "message": e["message"]} for e in result.get("errors", [])],
    }
