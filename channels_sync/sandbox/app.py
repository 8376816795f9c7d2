"""Which request goes where. Knows no socket: a request comes in as a value and an answer goes out as one."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from graphql import GraphQLError, OperationType, execute

from channels_sync.sandbox import page
from channels_sync.sandbox.allowance import QUERY_COST_MAX, Bucket, document_cost
from channels_sync.sandbox.context import Context, KeysInFlight, Shop
from channels_sync.sandbox.faults import FaultKind, Faults
from channels_sync.sandbox.graphql_api import VERSIONS, checked_document, operation_of, schema_for
from channels_sync.sandbox.messages import Request, Response, json_answer, not_allowed, parsed
from channels_sync.sandbox.staff import DATA_IMAGE, StaffEntrance
from channels_sync.sandbox.store import Item, Store

logger = logging.getLogger(__name__)

TOKEN_HEADER = "x-shopify-access-token"  # noqa: S105 - a header's name
DEFAULT_SHOP = Shop(name="Sandbox Shop", domain="sandbox-shop.myshopify.com", currency="USD")
_GRAPHQL_PATH = re.compile(r"/admin/api/([^/]+)/graphql\.json")
_STATIC_TYPES = {
    "icon.svg": "image/svg+xml",
    "shop.css": "text/css; charset=utf-8",
    "shop.js": "text/javascript; charset=utf-8",
}
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_IMAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "public, max-age=86400",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How the shop is run. Secrets stay out of `repr`."""

    access_token: str = field(repr=False)
    control_token: str = field(repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    token_life_seconds: int = 86_399
    app_title: str = "Backflush"
    shop: Shop = DEFAULT_SHOP
    bucket_points: int = 2_000
    refill_points_per_second: int = 100


class ShopApp:
    """The training shop without its socket. Safe to call from many threads."""

    def __init__(self, store: Store, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._settings = settings
        self._sleep = sleep
        self._faults = Faults()
        self._in_flight = KeysInFlight()
        self._buckets: dict[str, Bucket] = {}
        self._buckets_lock = threading.Lock()
        self._staff = StaffEntrance(
            store, self._faults, control_token=settings.control_token, forget_allowances=self._forget_allowances
        )

    def handle(self, request: Request) -> Response:
        """Answer one request. A bug becomes a logged 500."""
        try:
            return self._route(request)
        except Exception:
            logger.exception("sandbox.failed")
            return json_answer(500, {"errors": "Internal Server Error"})

    def _route(self, request: Request) -> Response:
        path = urlsplit(request.target).path
        if (found := _GRAPHQL_PATH.fullmatch(path)) is not None:
            return self._graphql(request, version=found[1]) if request.method == "POST" else not_allowed("POST")
        if path == "/admin/oauth/access_token":
            return self._grant(request) if request.method == "POST" else not_allowed("POST")
        if path.startswith("/sandbox/"):
            return self._staff.handle(request, path)
        if request.method not in {"GET", "HEAD"}:
            return not_allowed("GET, HEAD")
        return self._public(path, urlsplit(request.target).query)

    # --- what a shopper sees ---

    def _public(self, path: str, query: str) -> Response:
        if path == "/healthz":
            return json_answer(200, {"status": "ok", "products": self._store.items_count()})
        if path == "/":
            part = parse_qs(query).get("part", [""])[0]
            view = page.shop_view(self._store, shop=self._settings.shop, app_title=self._settings.app_title)
            html = page.render_grid(view) if part == "grid" else page.render_page(view)
            return Response(
                200, html.encode(), "text/html; charset=utf-8", {**_PAGE_HEADERS, "Cache-Control": "no-store"}
            )
        if path == "/shop.json":
            view = page.shop_view(self._store, shop=self._settings.shop, app_title=self._settings.app_title)
            return json_answer(200, page.as_json(view))
        if path.startswith("/static/") and (name := path.removeprefix("/static/")) in _STATIC_TYPES:
            body = files(__package__).joinpath("static", name).read_bytes()
            return Response(200, body, _STATIC_TYPES[name], {**_PAGE_HEADERS, "Cache-Control": "no-cache"})
        if (found := re.fullmatch(r"/images/(\d{1,12})", path)) is not None:
            item = self._store.item(int(found[1]))
            if item is not None:
                return _image(item)
        return Response(404, b"Nothing is sold here.\n", "text/plain; charset=utf-8")

    # --- Shopify's API ---

    def _app_of(self, request: Request) -> str | None:
        """The app behind the access token, None for a token nobody was given."""
        token = request.headers.get(TOKEN_HEADER, "")
        if token and hmac.compare_digest(token.encode(), self._settings.access_token.encode()):
            return self._settings.app_title
        return self._store.token_app(token, now=time.time()) if token else None

    def _grant(self, request: Request) -> Response:
        settings = self._settings
        if "json" in request.headers.get("content-type", ""):
            given = parsed(request.body)
        else:
            given = {name: values[0] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        if not isinstance(given, dict) or given.get("grant_type") != "client_credentials":
            return json_answer(400, {"error": "unsupported_grant_type"})
        is_known = bool(settings.client_id and settings.client_secret)
        fits = hmac.compare_digest(str(given.get("client_id", "")).encode(), settings.client_id.encode())
        fits &= hmac.compare_digest(str(given.get("client_secret", "")).encode(), settings.client_secret.encode())
        if not (is_known and fits):
            return json_answer(401, {"error": "invalid_client"})
        value = "shpat_" + secrets.token_hex(16)
        self._store.keep_token(value=value, app=settings.app_title, ends_at=time.time() + settings.token_life_seconds)
        scope = "read_inventory,write_inventory,read_locations,read_products"
        return json_answer(200, {"access_token": value, "scope": scope, "expires_in": settings.token_life_seconds})

    def _graphql(self, request: Request, *, version: str) -> Response:
        if version not in VERSIONS:
            return json_answer(404, {"errors": "Not Found"})
        app = self._app_of(request)
        if app is None:
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return json_answer(401, {"errors": message})
        given = parsed(request.body)
        if not isinstance(given, dict) or not isinstance(given.get("query"), str):
            return json_answer(400, {"errors": "Required parameter missing or invalid: query"})
        variables = given.get("variables") or {}
        if not isinstance(variables, dict):
            return json_answer(400, {"errors": "variables must be an object"})

        document, errors = checked_document(version, given["query"])
        operation = operation_of(document, given.get("operationName")) if document is not None else None
        if errors or document is None or operation is None:
            shown = errors or (GraphQLError("No operation named as asked for."),)
            return json_answer(200, {"errors": [error.formatted for error in shown]})

        is_mutation = operation.operation is OperationType.MUTATION
        bucket = self._bucket(app)
        cost = document_cost(schema_for(version), document, operation, variables)
        trouble = self._trouble_before(bucket, cost=cost, is_mutation=is_mutation)
        if trouble is not None:
            return trouble
        context = Context(self._store, self._settings.shop, app, version, self._faults, self._in_flight, self._sleep)

        def run() -> dict[str, Any]:
            result = execute(
                schema_for(version),
                document,
                context_value=context,
                variable_values=variables,
                operation_name=given.get("operationName"),
            )
            assert not hasattr(result, "__await__")
            return _result_json(result)

        answer = run()
        if self._faults.strike(FaultKind.DUPLICATE_REQUEST, is_mutation=is_mutation) is not None:
            answer = run()
        answer["extensions"] = _cost_extension(bucket, cost=cost, actual=cost)
        return self._trouble_after(json_answer(200, answer), is_mutation=is_mutation)

    def _bucket(self, app: str) -> Bucket:
        with self._buckets_lock:
            if app not in self._buckets:
                self._buckets[app] = Bucket(
                    points_max=self._settings.bucket_points,
                    refill_per_second=self._settings.refill_points_per_second,
                )
            return self._buckets[app]

    def _trouble_before(self, bucket: Bucket, *, cost: int, is_mutation: bool) -> Response | None:
        """Refusals for reasons of cost, and the faults that stop a request before anything is done."""
        strike = self._faults.strike
        if strike(FaultKind.DROP_CONNECTION, is_mutation=is_mutation) is not None:
            return Response(500, b"", is_dropped=True)
        if strike(FaultKind.SERVER_ERROR, is_mutation=is_mutation) is not None:
            return json_answer(500, {"errors": "Internal Server Error"})
        if (fault := strike(FaultKind.TOO_MANY_REQUESTS, is_mutation=is_mutation)) is not None:
            body = {"errors": "Exceeded 2 calls per second for api client."}
            return json_answer(429, body, headers={"Retry-After": f"{fault.seconds:.1f}"})
        if not is_mutation and (fault := strike(FaultKind.LATENCY, is_mutation=False)) is not None:
            self._sleep(fault.seconds)
        if cost > QUERY_COST_MAX:
            message = f"Query cost is {cost}, which exceeds the single query max cost limit ({QUERY_COST_MAX})."
            return json_answer(200, {"errors": [{"message": message, "extensions": {"code": "MAX_COST_EXCEEDED"}}]})
        if strike(FaultKind.THROTTLE, is_mutation=is_mutation) is not None or not bucket.take(cost):
            errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
            return json_answer(200, {"errors": errors, "extensions": _cost_extension(bucket, cost=cost, actual=None)})
        return None

    def _trouble_after(self, response: Response, *, is_mutation: bool) -> Response:
        """The faults that lose or delay an answer after the work was done."""
        strike = self._faults.strike
        if strike(FaultKind.DROP_AFTER_APPLY, is_mutation=is_mutation) is not None:
            return Response(response.status, response.body, is_dropped=True)
        if (fault := strike(FaultKind.TIMEOUT_AFTER_APPLY, is_mutation=is_mutation)) is not None:
            return Response(response.status, response.body, delay_seconds=fault.seconds)
        return response

    def _forget_allowances(self) -> None:
        with self._buckets_lock:
            self._buckets.clear()


def _image(item: Item) -> Response:
    """The product's own picture, or a drawn one."""
    found = DATA_IMAGE.fullmatch(item.image)
    if found is not None:
        try:
            return Response(200, base64.b64decode(found[2]), found[1], _IMAGE_HEADERS)
        except binascii.Error:
            logger.warning("sandbox.image_unreadable", extra={"sku": item.sku})
    return Response(200, page.artwork(item).encode(), "image/svg+xml", _IMAGE_HEADERS)


def _result_json(result: Any) -> dict[str, Any]:
    """An execution result as the API writes it. What is no GraphQLError of ours is a bug, told as such."""
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        shown = []
        for error in result.errors:
            if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
                logger.error("sandbox.resolver_failed", exc_info=error.original_error)
                error = GraphQLError(  # noqa: PLW2901
                    "Internal error. Looks like something went wrong on our end.",
                    extensions={"code": "INTERNAL_SERVER_ERROR"},
                )
            shown.append(error.formatted)
        answer["errors"] = shown
    return answer


def _cost_extension(bucket: Bucket, *, cost: int, actual: int | None) -> dict[str, Any]:
    return {
        "cost": {"requestedQueryCost": cost, "actualQueryCost": actual, "throttleStatus": bucket.as_json()},
    }
