"""Our rows to Shopify's variables, and Shopify's answers to our outcomes. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from itertools import pairwise
from typing import Any

from channels_sync.adapters.base import (
    ChannelLocation,
    DiscoveredListing,
    ListingMatch,
    ListingMatchState,
    PushOutcome,
    PushState,
    QuantityPush,
    QuantityReading,
    WebhookDelivery,
)
from channels_sync.errors import WebhookNotGenuine
from inventory.whole_numbers import whole_number

QUANTITY_MAX = 1_000_000_000
_ITEM_ID = re.compile(r"gid://shopify/InventoryItem/\d+")
_LOCATION_ID = re.compile(r"gid://shopify/Location/\d+")

_STALE = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
_CONCURRENT = "IDEMPOTENCY_CONCURRENT_REQUEST"
_PREVIOUS_FAILED = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
_KEY_MISMATCH = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
_WHOLE_CALL = frozenset({"INVALID_NAME", "INVALID_REASON", "INVALID_REFERENCE_DOCUMENT"})

JsonObject = Mapping[str, Any]


# --- before sending ---


def refuse_unsendable(push: QuantityPush) -> PushOutcome | None:
    """The refusal of a row that would fail the whole call it is in, None when it can be sent.

    Wrong ids and figures beyond GraphQL's Int are errors of the whole document, not of a row.
    """
    if not _ITEM_ID.fullmatch(push.external_item_id):
        code, message = "INVALID_INVENTORY_ITEM", f"{push.external_item_id!r} is not the id of an inventory item."
    elif not _LOCATION_ID.fullmatch(push.external_location_id):
        code, message = "INVALID_LOCATION", f"{push.external_location_id!r} is not the id of a location."
    elif push.quantity < 0:
        code, message = "INVALID_QUANTITY_NEGATIVE", f"{push.quantity} is below zero; the shop takes 0 and more."
    elif push.quantity > QUANTITY_MAX:
        code, message = "INVALID_QUANTITY_TOO_HIGH", f"{push.quantity} is above the {QUANTITY_MAX} the shop takes."
    else:
        return None
    return PushOutcome(push.listing_ref, PushState.REJECTED, code, f"{push.sku}: {message} Correct the listing.")


def split_duplicates(
    pushes: Iterable[tuple[int, QuantityPush]],
) -> tuple[list[tuple[int, QuantityPush]], dict[int, PushOutcome]]:
    """The rows to send, one per item and location, and the refusals of the others; the newest version is sent."""
    newest: dict[tuple[str, str], tuple[int, QuantityPush]] = {}
    refused: dict[int, PushOutcome] = {}
    for position, push in pushes:
        target = (push.external_item_id, push.external_location_id)
        known = newest.get(target)
        if known is None:
            newest[target] = (position, push)
            continue
        older, newer = sorted((known, (position, push)), key=lambda row: row[1].version)
        newest[target] = newer
        refused[older[0]] = PushOutcome(
            older[1].listing_ref,
            PushState.REJECTED,
            "DUPLICATE_TARGET",
            f"{older[1].sku}: listing {newer[1].listing_ref} sets the same item at the same location with the newer "
            f"version {newer[1].version}; this one was not sent. Let one listing keep the item.",
        )
    return sorted(newest.values(), key=lambda row: row[0]), refused


def calls_for(pushes: Sequence[tuple[int, QuantityPush]], *, rows_max: int) -> list[list[tuple[int, QuantityPush]]]:
    """Rows parted into calls, one per idempotency key.

    Rows go by item, whatever order they came in: a repeat has to be the same call to the last comma, or the shop does not
    recognise it. Raises ValueError for more rows under one key than a call takes.
    """
    by_key: dict[str, list[tuple[int, QuantityPush]]] = {}
    for row in sorted(pushes, key=lambda row: (row[1].external_item_id, row[1].external_location_id)):
        by_key.setdefault(row[1].idempotency_key, []).append(row)
    for key, rows in by_key.items():
        if len(rows) > rows_max:
            raise ValueError(
                f"{len(rows)} rows carry the key {key}; a call takes {rows_max}. Give each call its own key."
            )
    return list(by_key.values())


def set_quantities_variables(rows: Sequence[QuantityPush], *, key: str) -> dict[str, Any]:
    """Variables of inventorySetQuantities. `changeFromQuantity` is always there: null means no check (from 2026-04)."""
    return {
        "key": key,
        "input": {
            "name": "available",
            "reason": "correction",
            "referenceDocumentUri": rows[0].reference_uri or None,
            "quantities": [
                {
                    "inventoryItemId": row.external_item_id,
                    "locationId": row.external_location_id,
                    "quantity": row.quantity,
                    "changeFromQuantity": row.expected_quantity,
                }
                for row in rows
            ],
        },
    }


# --- the answer ---


class Next(Enum):
    """What to do with the rows a call did not settle."""

    NOTHING = auto()  # none are left
    RESEND = auto()  # the bad rows are out: the rest in a call of its own
    NEW_KEY = auto()  # the key is used up: the same rows under a new one
    SPLIT = auto()  # a refusal names no row: halve and try each half


@dataclass(frozen=True, slots=True)
class SetAnswer:
    """One answer read: outcomes by position in the call, the positions left over, and what to do with those."""

    outcomes: Mapping[int, PushOutcome] = field(default_factory=dict)
    left: tuple[int, ...] = ()
    next: Next = Next.NOTHING


def read_set_answer(rows: Sequence[QuantityPush], *, key: str, payload: JsonObject) -> SetAnswer:
    """What an inventorySetQuantities payload says about each row.

    One bad row fails the whole call, so with any user error nothing was changed.
    """
    errors: Sequence[JsonObject] = payload.get("userErrors") or ()
    everything = range(len(rows))
    if not errors:
        return SetAnswer(outcomes=_accepted(rows, key=key, payload=payload))

    codes = {str(error.get("code") or "") for error in errors}
    if _CONCURRENT in codes:
        message = "The shop is still working on the same call. Repeat with the same key."
        return SetAnswer(_all(rows, PushState.RETRY_LATER, _CONCURRENT, message, key=key))
    if _PREVIOUS_FAILED in codes:
        return SetAnswer(left=tuple(everything), next=Next.NEW_KEY)
    if _KEY_MISMATCH in codes:
        message = "The key was used for another figure. Read the shop's figure, compute again, take a new key."
        return SetAnswer(_all(rows, PushState.STALE, _KEY_MISMATCH, message, key=key, is_key_spent=True))

    refused: dict[int, PushOutcome] = {}
    for error in errors:
        position = row_index(error.get("field"))
        if position is not None and position < len(rows) and position not in refused:
            refused[position] = _refusal(rows[position], error, key=key)
    left = tuple(position for position in everything if position not in refused)
    if refused:
        return SetAnswer(refused, left, Next.RESEND if left else Next.NOTHING)
    if len(rows) == 1 or codes <= _WHOLE_CALL:
        return SetAnswer({position: _refusal(rows[position], errors[0], key=key) for position in everything})
    return SetAnswer(left=left, next=Next.SPLIT)


def row_index(path: Sequence[str] | None) -> int | None:
    """The row a user error is about: `["input", "quantities", "71", "quantity"]` is 71, None when it names none."""
    steps = list(path or ())
    for before, step in pairwise(steps):
        if before == "quantities" and (number := whole_number(str(step))) is not None:
            return number
    return None


def all_rows(
    rows: Sequence[QuantityPush], state: PushState, code: str, message: str, *, is_key_spent: bool = False
) -> dict[int, PushOutcome]:
    """The same outcome for every row of a call that was not made, or not answered for good."""
    return _all(rows, state, code, message, key="", is_key_spent=is_key_spent)


def _all(
    rows: Sequence[QuantityPush], state: PushState, code: str, message: str, *, key: str, is_key_spent: bool = False
) -> dict[int, PushOutcome]:
    return {
        position: PushOutcome(row.listing_ref, state, code, message, request_key=key, is_key_spent=is_key_spent)
        for position, row in enumerate(rows)
    }


def _accepted(rows: Sequence[QuantityPush], *, key: str, payload: JsonObject) -> dict[int, PushOutcome]:
    """Accepted rows with the figure after the change; the shop leaves out rows that changed nothing."""
    group: JsonObject = payload.get("inventoryAdjustmentGroup") or {}
    after: dict[tuple[str, str], int] = {}
    for change in group.get("changes") or ():
        figure = change.get("quantityAfterChange")
        if change.get("name") == "available" and figure is not None:
            item, location = change.get("item") or {}, change.get("location") or {}
            after[(item.get("id", ""), location.get("id", ""))] = int(figure)
    return {
        position: PushOutcome(
            row.listing_ref,
            PushState.ACCEPTED,
            channel_quantity=after.get((row.external_item_id, row.external_location_id), row.quantity),
            request_key=key,
            is_key_spent=True,
        )
        for position, row in enumerate(rows)
    }


def _refusal(row: QuantityPush, error: JsonObject, *, key: str) -> PushOutcome:
    code = str(error.get("code") or "REFUSED")
    said = " ".join(str(error.get("message") or "no reason given").split())[:300]
    if code in _STALE:
        message = (
            f"{row.sku}: the shop no longer shows {row.expected_quantity}. "
            "Import its orders, read its figure, compute again."
        )
        return PushOutcome(row.listing_ref, PushState.STALE, code, message, request_key=key)
    message = f"{row.sku}: the shop refused {row.quantity}: {said}"
    return PushOutcome(row.listing_ref, PushState.REJECTED, code, message, request_key=key)


# --- reading ---


def read_level(
    level: JsonObject | None, *, listing_ref: str, item_id: str, location_id: str, sku: str, read_at: datetime
) -> QuantityReading:
    """One inventory level as a reading; figures are None when the item is not stocked there."""
    figures: dict[str, int] = {}
    for quantity in (level or {}).get("quantities") or ():
        figures[str(quantity["name"])] = int(quantity["quantity"])
    return QuantityReading(
        listing_ref=listing_ref,
        external_item_id=item_id,
        external_location_id=location_id,
        sku=sku,
        available=figures.get("available"),
        on_hand=figures.get("on_hand"),
        committed=figures.get("committed"),
        read_at=read_at,
    )


def sku_search(skus: Sequence[str]) -> str:
    """A search for several SKUs. The shop compares loosely: take the exact ones out of the answer."""
    return " OR ".join("sku:'" + sku.replace("\\", "\\\\").replace("'", "\\'") + "'" for sku in skus)


def read_found_item(node: JsonObject) -> DiscoveredListing:
    """One inventory item of a search. Variants may share it; the first one lends its title."""
    variants: Sequence[JsonObject] = ((node.get("variants") or {}).get("nodes")) or ()
    first: JsonObject = variants[0] if variants else {}
    product: JsonObject = first.get("product") or {}
    return DiscoveredListing(
        sku=str(node.get("sku") or ""),
        title=str(first.get("displayName") or product.get("title") or ""),
        external_item_id=str(node["id"]),
        external_variant_id=str(first.get("id") or ""),
        external_product_id=str(product.get("id") or ""),
        is_tracked=bool(node.get("tracked")),
    )


def match_sku(sku: str, nodes: Iterable[JsonObject]) -> ListingMatch:
    """What the nodes of a search hold for exactly this SKU."""
    exact = {str(node["id"]): node for node in nodes if sku and node.get("sku") == sku}
    candidates = tuple(read_found_item(node) for node in exact.values())
    if not candidates:
        return ListingMatch(sku, ListingMatchState.MISSING)
    if len(candidates) > 1 or any(int(node.get("duplicateSkuCount") or 0) > 0 for node in exact.values()):
        return ListingMatch(sku, ListingMatchState.AMBIGUOUS, candidates)
    return ListingMatch(sku, ListingMatchState.FOUND, candidates)


def read_channel_location(node: JsonObject) -> ChannelLocation:
    address: JsonObject = node.get("address") or {}
    return ChannelLocation(
        external_id=str(node["id"]),
        name=str(node.get("name") or ""),
        is_active=bool(node.get("isActive")),
        fulfills_online_orders=bool(node.get("fulfillsOnlineOrders")),
        is_fulfillment_service=bool(node.get("isFulfillmentService")),
        country_code=str(address.get("countryCode") or ""),
        postal_code=str(address.get("zip") or ""),
    )


# --- webhooks ---


def verify_webhook(*, secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> WebhookDelivery:
    """Check base64(HMAC-SHA256(secret, raw body)) against each secret, in constant time; newest secret first."""
    given = {name.lower(): value for name, value in headers.items()}

    def header(name: str) -> str:
        """Classic deliveries say X-Shopify-…, the newer events say shopify-…"""
        return given.get(f"x-shopify-{name}") or given.get(f"shopify-{name}") or ""

    signature = header("hmac-sha256").strip().encode()
    if not secrets:
        raise WebhookNotGenuine("A webhook came, but there is no secret to check it with. Enter the app's secret.")
    expected = [base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()) for secret in secrets]
    # Every secret is compared, so that the time taken does not tell which one fits.
    fitting = [one for one in expected if hmac.compare_digest(signature, one)]
    if not fitting:
        raise WebhookNotGenuine("The webhook's signature does not fit its body. It was not taken.")
    return WebhookDelivery(
        topic=header("topic"),
        delivery_id=header("webhook-id"),
        event_id=header("event-id"),
        shop_domain=header("shop-domain"),
        triggered_at=_moment(header("triggered-at")),
    )


def _moment(text: str) -> datetime | None:
    """An aware moment, None when the text is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
