"""One GraphQL call to a shop: token, version, allowance, and every way it can fail turned into a ChannelError."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from channels_sync.adapters.base import ChannelAccount
from channels_sync.adapters.shopify.tokens import SHARED_TOKENS, TokenCache
from channels_sync.errors import ChannelAuthFailed, ChannelRejected, ChannelThrottled, ChannelUnavailable

logger = logging.getLogger(__name__)

THROTTLED_TRIES_MAX = 4
_PAUSE_SECONDS_DEFAULT = 2.0
_PAUSE_SECONDS_MIN = 0.1
_TEXT_SHOWN_MAX = 300
_ACCESS_CODES = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE"})
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

JsonObject = dict[str, Any]

COST_UNKNOWN = 10.0
"""Points paid for a document whose cost no answer has told yet."""
_COSTS: dict[str, float] = {}
"""What documents cost when they were last sent, in this process."""


class ShopifyClient:
    """Speaks the GraphQL Admin API of one shop in one version."""

    def __init__(
        self,
        account: ChannelAccount,
        *,
        transport: httpx.BaseTransport | None = None,
        tokens: TokenCache = SHARED_TOKENS,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._account = account
        self._tokens = tokens
        self._sleep = sleep
        self._jitter = jitter
        self._http = httpx.Client(
            base_url=account.base_url.rstrip("/"),
            timeout=account.timeout_seconds,
            transport=transport,
            follow_redirects=False,  # a redirect would carry the token to another host
            trust_env=False,
            headers={"Accept": "application/json", "User-Agent": "Backflush"},
        )

    def close(self) -> None:
        self._http.close()

    def execute(self, document: str, variables: Mapping[str, Any] | None = None) -> JsonObject:
        """Run one document and return its `data`, waiting a bounded time where the shop asks for patience.

        Raises ChannelThrottled when the wait would be longer, ChannelUnavailable when the shop fails or is silent,
        ChannelRejected when it refuses the call as a whole. Refusals of single rows are in the data: `userErrors`.
        """
        waited_seconds = 0.0
        for attempt in range(1, THROTTLED_TRIES_MAX + 1):
            try:
                return self._execute_once(document, variables or {})
            except ChannelThrottled as throttled:
                asked = throttled.retry_after_seconds
                pause = _PAUSE_SECONDS_DEFAULT if asked is None else max(_PAUSE_SECONDS_MIN, asked)
                pause += self._jitter() * min(1.0, pause / 4)
                if attempt == THROTTLED_TRIES_MAX or waited_seconds + pause > self._account.throttle_wait_seconds_max:
                    raise
                logger.info("channel.throttled", extra={"channel": "shopify", "pause_seconds": round(pause, 3)})
                self._sleep(pause)
                waited_seconds += pause
        raise AssertionError("the loop above returns or raises")

    def _execute_once(self, document: str, variables: Mapping[str, Any]) -> JsonObject:
        body = {"query": document, "variables": dict(variables)}
        token = self._token()
        self._account.meter.pay(_COSTS.get(document, COST_UNKNOWN))
        response = self._post(self._graphql_path, body, token=token)
        if response.status_code == 401 and self._has_grant:
            # A token can be withdrawn before its time; one fresh one settles whether the app itself is shut out.
            self._tokens.forget(self._token_key, value=token)
            token = self._token()
            response = self._post(self._graphql_path, body, token=token)
        self._check_status(response)
        return self._data_of(response, document)

    # --- tokens ---

    @property
    def _has_grant(self) -> bool:
        return self._account.access_token is None or self._account.access_token == ""

    @property
    def _token_key(self) -> str:
        account = self._account
        return TokenCache.key_for(
            base_url=account.base_url, client_id=account.client_id or "", client_secret=account.client_secret or ""
        )

    def _token(self) -> str:
        if not self._has_grant:
            return self._account.access_token or ""
        return self._tokens.get(self._token_key, fetch=self._fetch_token)

    def _fetch_token(self) -> tuple[str, float]:
        response = self._post(
            "/admin/oauth/access_token",
            {
                "client_id": self._account.client_id,
                "client_secret": self._account.client_secret,
                "grant_type": "client_credentials",
            },
            token=None,
        )
        if response.status_code in {400, 401, 403}:
            raise ChannelAuthFailed(
                f"The shop refused the client id or its secret (HTTP {response.status_code}). "
                "Check both, and that the app is installed in this shop."
            )
        self._check_status(response)
        answer = self._json_of(response)
        value, lifetime = answer.get("access_token"), answer.get("expires_in", 3600)
        if not isinstance(value, str) or not value or not isinstance(lifetime, int | float) or lifetime <= 0:
            raise ChannelUnavailable("The shop answered the request for a token without one. Try again later.")
        return value, float(lifetime)

    # --- one request ---

    @property
    def _graphql_path(self) -> str:
        return f"/admin/api/{self._account.api_version}/graphql.json"

    def _post(self, path: str, body: Mapping[str, Any], *, token: str | None) -> httpx.Response:
        headers = {"X-Shopify-Access-Token": token} if token else {}
        try:
            return self._http.post(path, json=body, headers=headers)
        except _UNSENT as error:
            raise ChannelUnavailable(
                f"The shop cannot be reached ({type(error).__name__}). Nothing was sent; try again later."
            ) from None
        except httpx.TimeoutException:
            raise ChannelUnavailable(
                f"The shop did not answer within {self._account.timeout_seconds:g} s. Outcome unknown; "
                "repeat with the same key.",
                outcome_unknown=True,
            ) from None
        except httpx.TransportError as error:
            raise ChannelUnavailable(
                f"The connection broke ({type(error).__name__}). Outcome unknown; repeat with the same key.",
                outcome_unknown=True,
            ) from None

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        if status == 429:
            asked = _retry_after(response)
            self._account.meter.rest(_PAUSE_SECONDS_DEFAULT if asked is None else asked)
            raise ChannelThrottled("The shop wants a pause (HTTP 429). Try again later.", retry_after_seconds=asked)
        if status >= 500 or status == 408:
            raise ChannelUnavailable(
                f"The shop failed with HTTP {status}. Outcome unknown; repeat with the same key.",
                retry_after_seconds=_retry_after(response),
                outcome_unknown=True,
            )
        if status in {401, 403}:
            raise ChannelAuthFailed(
                f"The shop does not accept the access token (HTTP {status}). Enter a valid one, with the rights "
                "read_inventory, write_inventory, read_locations and read_products."
            )
        if status in {402, 423}:
            raise ChannelRejected(f"The shop is frozen or locked (HTTP {status}). Its owner has to unlock it.")
        if status == 404:
            raise ChannelRejected(
                f"The shop knows no API version {self._account.api_version} at this address (HTTP 404). "
                "Check the shop address and choose a version it serves."
            )
        raise ChannelRejected(f"The shop refused the call (HTTP {status}). {self._scrub(response.text)}".strip())

    def _json_of(self, response: httpx.Response) -> JsonObject:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ChannelUnavailable(
                "The answer is not from the shop's API: JSON was expected. Outcome unknown; repeat with the same key.",
                outcome_unknown=True,
            )
        return answer

    def _data_of(self, response: httpx.Response, document: str) -> JsonObject:
        answer = self._json_of(response)
        self._heed((answer.get("extensions") or {}).get("cost"), document)
        errors = answer.get("errors")
        if errors:
            self._raise_for(errors, cost=(answer.get("extensions") or {}).get("cost"))
        data = answer.get("data")
        if not isinstance(data, dict):
            raise ChannelUnavailable(
                "The shop's answer holds neither data nor errors. Outcome unknown; repeat with the same key.",
                outcome_unknown=True,
            )
        return data

    def _heed(self, cost: Any, document: str) -> None:
        """Remember what a document costs, and tell the meter what the shop says is left."""
        try:
            _COSTS[document] = float(cost["requestedQueryCost"])
            status = cost["throttleStatus"]
            self._account.meter.heed(
                available=float(status["currentlyAvailable"]),
                points_max=float(status["maximumAvailable"]),
                refill=float(status["restoreRate"]),
            )
        except (KeyError, TypeError, ValueError):
            return  # an answer without it, such as one of a gateway

    def _raise_for(self, errors: Any, *, cost: Any) -> None:
        """Errors beside the data concern the whole call; HTTP 200 says nothing about them."""
        entries = errors if isinstance(errors, list) else [errors]
        listed: list[JsonObject] = [entry if isinstance(entry, dict) else {"message": str(entry)} for entry in entries]
        codes = {str((error.get("extensions") or {}).get("code", "")) for error in listed}
        shown = self._scrub("; ".join(str(error.get("message", error)) for error in listed))
        if "THROTTLED" in codes:
            raise ChannelThrottled(
                "The shop's allowance for this app is used up. Try again later.",
                retry_after_seconds=_seconds_until_affordable(cost),
            )
        if "INTERNAL_SERVER_ERROR" in codes:
            raise ChannelUnavailable(
                f"The shop failed: {shown}. Outcome unknown; repeat with the same key.", outcome_unknown=True
            )
        if codes & _ACCESS_CODES:
            raise ChannelAuthFailed(f"The shop denies access: {shown}. Give the app the missing right.")
        raise ChannelRejected(f"The shop refused the call: {shown}", code=next(iter(sorted(codes - {""})), None))

    def _scrub(self, text: str) -> str:
        """Text from outside, short and without any secret of ours it may echo."""
        for secret in (self._account.access_token, self._account.client_secret):
            if secret:
                text = text.replace(secret, "•••")
        return " ".join(text.split())[:_TEXT_SHOWN_MAX]


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds from the Retry-After header. Shopify sends a number; a date is treated as not said."""
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def _seconds_until_affordable(cost: Any) -> float | None:
    """How long the bucket needs to refill for the refused call; None when the answer does not tell."""
    try:
        status = cost["throttleStatus"]
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(0.0, missing / float(status["restoreRate"]))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
