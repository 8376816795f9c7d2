"""Shopify through its GraphQL Admin API. The quirks stand in README.md."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx

from channels_sync.adapters.base import (
    DERIVED_KEYS,
    CallKeys,
    Capability,
    ChannelAccount,
    ChannelLimits,
    ChannelLocation,
    ListingMatch,
    PushOutcome,
    PushState,
    QuantityMeaning,
    QuantityPush,
    QuantityReading,
    QuantityTarget,
    ShopIdentity,
    WebhookDelivery,
)
from channels_sync.adapters.shopify import documents, mapping
from channels_sync.adapters.shopify.client import ShopifyClient
from channels_sync.errors import ChannelError, ChannelRejected, ChannelUnavailable

logger = logging.getLogger(__name__)

# Enough for one bad row that the shop does not name (halving 250 rows takes 16) and for a score of named ones.
CALLS_PER_BATCH_MAX = 40
KEYS_PER_BATCH_MAX = 5
_SKUS_PER_SEARCH = 20
_ITEMS_PER_PAGE = 50
_SEARCH_PAGES_MAX = 10
_LOCATION_PAGES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class _Call:
    """Rows with their positions, to be sent under `key`, or, once a call was `used` for them, under the next one."""

    batch: Sequence[tuple[int, QuantityPush]]
    key: str = ""
    used: str = ""
    is_spent: bool = False
    attempt: int = 0
    """Keys that were found used up."""


class ShopifyAdapter:
    """One shop. Safe to use from one thread at a time; close it after use."""

    API_VERSIONS: ClassVar[tuple[str, ...]] = ("2026-10", "2026-07", "2026-04", "2026-01")
    API_VERSION_DEFAULT: ClassVar[str] = "2026-10"

    name: ClassVar[str] = "shopify"
    quantity_meaning: ClassVar[QuantityMeaning] = QuantityMeaning.AVAILABLE
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.CHECK_CONNECTION,
            Capability.PUBLISH_QUANTITIES,
            Capability.READ_QUANTITIES,
            Capability.DISCOVER_LISTINGS,
            Capability.CONNECT_LISTINGS,
            Capability.VERIFY_WEBHOOKS,
        }
    )
    limits: ClassVar[ChannelLimits] = ChannelLimits(
        publish_rows_max=250,
        read_rows_max=250,
        quantity_max=mapping.QUANTITY_MAX,
        bucket_points=2_000,
        refill_points_per_second=100,
        publish_points=10,
    )

    def __init__(
        self,
        account: ChannelAccount,
        *,
        client: ShopifyClient | None = None,
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._account = account
        self._client = client or ShopifyClient(account, transport=transport)
        self._now = now

    def close(self) -> None:
        self._client.close()

    # --- connection ---

    def check_connection(self) -> ShopIdentity:
        shop = self._client.execute(documents.SHOP)["shop"]
        return ShopIdentity(name=shop["name"], domain=shop["myshopifyDomain"], currency=shop["currencyCode"])

    # --- publishing ---

    def publish_quantities(self, pushes: Sequence[QuantityPush], *, keys: CallKeys = DERIVED_KEYS) -> list[PushOutcome]:
        outcomes: dict[int, PushOutcome] = {}
        sendable: list[tuple[int, QuantityPush]] = []
        for position, push in enumerate(pushes):
            refusal = mapping.refuse_unsendable(push)
            if refusal is None:
                sendable.append((position, push))
            else:
                outcomes[position] = refusal
        to_send, duplicates = mapping.split_duplicates(sendable)
        outcomes.update(duplicates)

        for call in mapping.calls_for(to_send, rows_max=self.limits.publish_rows_max):
            try:
                self._settle(call, outcomes, keys)
            except ChannelError as error:
                error.settled = tuple(outcomes[position] for position in sorted(outcomes))
                raise
        return [outcomes[position] for position in range(len(pushes))]

    def _settle(
        self, call: Sequence[tuple[int, QuantityPush]], outcomes: dict[int, PushOutcome], keys: CallKeys
    ) -> None:
        """Send one batch until each row has its outcome, in a bounded number of calls.

        The shop refuses a batch as a whole, so a refusal takes the named rows out and sends the others again.
        """
        waiting = deque([_Call(call, call[0][1].idempotency_key)])
        for _ in range(CALLS_PER_BATCH_MAX):
            if not waiting:
                return
            now = waiting.popleft()
            if now.used:
                refs = [push.listing_ref for _, push in now.batch]
                key = keys.next_key(now.used, refs, is_spent=now.is_spent)
                if key is None:
                    self._give_up(
                        now.batch, outcomes, PushState.RETRY_LATER, "TAKEN_OVER", "Another sender has it now."
                    )
                    continue
                now = replace(now, key=key)
            answer = self._send([push for _, push in now.batch], key=now.key)
            for index, outcome in answer.outcomes.items():
                outcomes[now.batch[index][0]] = outcome
            left = [now.batch[index] for index in answer.left]
            match answer.next:
                case mapping.Next.NOTHING:
                    pass
                case mapping.Next.RESEND:
                    waiting.appendleft(_Call(left, used=now.key))
                case mapping.Next.SPLIT:
                    middle = len(left) // 2
                    waiting.extendleft([_Call(left[middle:], used=now.key), _Call(left[:middle], used=now.key)])
                case mapping.Next.NEW_KEY if now.attempt + 1 < KEYS_PER_BATCH_MAX:
                    waiting.appendleft(_Call(left, used=now.key, is_spent=True, attempt=now.attempt + 1))
                case mapping.Next.NEW_KEY:
                    message = "Earlier calls with these keys failed. Read the shop's figure, compute again, new key."
                    code = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
                    self._give_up(left, outcomes, PushState.STALE, code, message, is_key_spent=True)
        for call_left in waiting:
            message = f"Not changed: refusals in the same batch took all of its {CALLS_PER_BATCH_MAX} calls."
            self._give_up(call_left.batch, outcomes, PushState.RETRY_LATER, "TOO_MANY_REFUSALS", message)

    def _send(self, rows: Sequence[QuantityPush], *, key: str) -> mapping.SetAnswer:
        data = self._client.execute(documents.SET_QUANTITIES, mapping.set_quantities_variables(rows, key=key))
        payload = data.get("inventorySetQuantities")
        if not isinstance(payload, dict):
            raise ChannelUnavailable(
                "The shop's answer says nothing about the figures. Outcome unknown; repeat with the same key.",
                outcome_unknown=True,
            )
        answer = mapping.read_set_answer(rows, key=key, payload=payload)
        logger.info(
            "channel.quantities_sent",
            extra={"channel": self.name, "rows": len(rows), "left": len(answer.left), "request_key": key},
        )
        return answer

    @staticmethod
    def _give_up(
        batch: Sequence[tuple[int, QuantityPush]],
        outcomes: dict[int, PushOutcome],
        state: PushState,
        code: str,
        message: str,
        *,
        is_key_spent: bool = False,
    ) -> None:
        rows = [push for _, push in batch]
        for index, outcome in mapping.all_rows(rows, state, code, message, is_key_spent=is_key_spent).items():
            outcomes[batch[index][0]] = outcome

    # --- reading ---

    def read_quantities(self, targets: Sequence[QuantityTarget]) -> list[QuantityReading]:
        by_location: dict[str, list[str]] = {}
        for target in targets:
            by_location.setdefault(target.external_location_id, []).append(target.external_item_id)

        nodes: dict[tuple[str, str], Mapping[str, Any]] = {}
        for location, items in by_location.items():
            distinct = list(dict.fromkeys(items))
            for start in range(0, len(distinct), self.limits.read_rows_max):
                ids = distinct[start : start + self.limits.read_rows_max]
                data = self._client.execute(documents.READ_ITEMS, {"ids": ids, "location": location})
                nodes.update({(node["id"], location): node for node in data["nodes"] if node})
        read_at = self._now()

        readings = []
        for target in targets:
            node = nodes.get((target.external_item_id, target.external_location_id), {})
            readings.append(
                mapping.read_level(
                    node.get("inventoryLevel"),
                    listing_ref=target.listing_ref,
                    item_id=target.external_item_id,
                    location_id=target.external_location_id,
                    sku=str(node.get("sku") or ""),
                    read_at=read_at,
                )
            )
        return readings

    def read_location(self, external_location_id: str) -> Iterator[QuantityReading]:
        after: str | None = None
        for _ in range(_LOCATION_PAGES_MAX):
            variables = {"location": external_location_id, "first": self.limits.read_rows_max, "after": after}
            location = self._client.execute(documents.READ_LOCATION, variables)["location"]
            if location is None:
                raise ChannelRejected(
                    f"The shop has no location {external_location_id}. Choose one of its locations.",
                    code="INVALID_LOCATION",
                )
            read_at, levels = self._now(), location["inventoryLevels"]
            for level in levels["nodes"]:
                yield mapping.read_level(
                    level,
                    listing_ref="",
                    item_id=level["item"]["id"],
                    location_id=external_location_id,
                    sku=str(level["item"]["sku"] or ""),
                    read_at=read_at,
                )
            after = levels["pageInfo"]["endCursor"]
            if not levels["pageInfo"]["hasNextPage"]:
                return
        raise ChannelRejected(
            f"Location {external_location_id} has more than {_LOCATION_PAGES_MAX * self.limits.read_rows_max} items; "
            "reading stopped there.",
            code="TOO_MANY_ITEMS",
        )

    # --- listings ---

    def locations(self) -> list[ChannelLocation]:
        nodes = self._pages(documents.LOCATIONS, {}, connection="locations")
        return [mapping.read_channel_location(node) for node in nodes]

    def discover_listings(self, skus: Sequence[str]) -> list[ListingMatch]:
        asked = [sku for sku in dict.fromkeys(skus) if sku]
        found: dict[str, ListingMatch] = {}
        for start in range(0, len(asked), _SKUS_PER_SEARCH):
            some = asked[start : start + _SKUS_PER_SEARCH]
            nodes = self._pages(documents.FIND_ITEMS, {"search": mapping.sku_search(some)}, connection="inventoryItems")
            found.update({sku: mapping.match_sku(sku, nodes) for sku in some})
        return [found.get(sku) or mapping.match_sku(sku, ()) for sku in skus]

    def connect_listing(
        self, *, external_item_id: str, external_location_id: str, available: int | None, idempotency_key: str
    ) -> QuantityReading:
        data = self._client.execute(
            documents.ACTIVATE,
            {
                "item": external_item_id,
                "location": external_location_id,
                "available": available,
                "key": idempotency_key,
            },
        )
        payload = data["inventoryActivate"]
        if payload["userErrors"] or not payload["inventoryLevel"]:
            said = "; ".join(str(error["message"]) for error in payload["userErrors"]) or "no reason given"
            raise ChannelRejected(f"The shop does not stock {external_item_id} at {external_location_id}: {said}")
        level = payload["inventoryLevel"]
        return mapping.read_level(
            level,
            listing_ref="",
            item_id=external_item_id,
            location_id=external_location_id,
            sku=str(level["item"]["sku"] or ""),
            read_at=self._now(),
        )

    def _pages(self, document: str, variables: Mapping[str, Any], *, connection: str) -> list[Mapping[str, Any]]:
        nodes: list[Mapping[str, Any]] = []
        after: str | None = None
        for _ in range(_SEARCH_PAGES_MAX):
            data = self._client.execute(document, {**variables, "first": _ITEMS_PER_PAGE, "after": after})
            page = data[connection]
            nodes.extend(page["nodes"])
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return nodes
        raise ChannelRejected(
            f"The shop has more than {_SEARCH_PAGES_MAX * _ITEMS_PER_PAGE} {connection} for this search. "
            "Ask for fewer at a time.",
            code="TOO_MANY_RESULTS",
        )

    # --- webhooks ---

    def verify_webhook(self, *, headers: Mapping[str, str], body: bytes) -> WebhookDelivery:
        secrets = self._account.webhook_secrets or tuple(filter(None, (self._account.client_secret,)))
        return mapping.verify_webhook(secrets=secrets, headers=headers, body=body)
