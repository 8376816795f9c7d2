"""Which request goes where. Knows no socket: a request comes in as a value and an answer goes out as one."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from graphql import GraphQLError, OperationType, execute

from channels_sync.sandbox import page
from channels_sync.sandbox.allowance import QUERY_COST_MAX, Bucket, document_cost
from channels_sync.sandbox.faults import Fault, FaultKind, Faults
from channels_sync.sandbox.graphql_api import (
    VERSIONS,
    Context,
    KeysInFlight,
    Shop,
    checked_document,
    gid,
    operation_of,
    schema_for,
)
from channels_sync.sandbox.stock import QUANTITY_MAX, SoldOut, sell
from channels_sync.sandbox.store import MAIN_LOCATION_ID, Change, Item, Store

logger = logging.getLogger(__name__)

CONTROL_HEADER = "x-sandbox-control-token"
TOKEN_HEADER = "x-shopify-access-token"  # noqa: S105 - a header's name
DEFAULT_SHOP = Shop(name="Sandbox Shop", domain="sandbox-shop.myshopify.com", currency="USD")
_IMAGE_BYTES_MAX = 400_000
_PRODUCTS_PER_CALL_MAX = 5_000
_GRAPHQL_PATH = re.compile(r"/admin/api/([^/]+)/graphql\.json")
_STATIC_TYPES = {
    "icon.svg": "image/svg+xml",
    "shop.css": "text/css; charset=utf-8",
    "shop.js": "text/javascript; charset=utf-8",
}
_DATA_IMAGE = re.compile(r"data:(image/(?:png|jpeg|webp|gif|svg\+xml));base64,([A-Za-z0-9+/=\s]+)")
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
class Request:
    """One HTTP request. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    peer: str


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. It leaves after `delay_seconds`; a dropped one never does: the connection closes instead."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    is_dropped: bool = False


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

    def handle(self, request: Request) -> Response:
        """Answer one request. A bug becomes a logged 500."""
        try:
            return self._route(request)
        except Exception:
            logger.exception("sandbox.failed")
            return _json(500, {"errors": "Internal Server Error"})

    def _route(self, request: Request) -> Response:
        path = urlsplit(request.target).path
        if (found := _GRAPHQL_PATH.fullmatch(path)) is not None:
            return self._graphql(request, version=found[1]) if request.method == "POST" else _not_allowed("POST")
        if path == "/admin/oauth/access_token":
            return self._grant(request) if request.method == "POST" else _not_allowed("POST")
        if path.startswith("/sandbox/"):
            return self._control(request, path)
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, HEAD")
        return self._public(path, urlsplit(request.target).query)

    # --- what a shopper sees ---

    def _public(self, path: str, query: str) -> Response:
        if path == "/healthz":
            return _json(200, {"status": "ok", "products": self._store.items_count()})
        if path == "/":
            part = parse_qs(query).get("part", [""])[0]
            view = page.shop_view(self._store, shop=self._settings.shop, app_title=self._settings.app_title)
            html = page.render_grid(view) if part == "grid" else page.render_page(view)
            return Response(
                200, html.encode(), "text/html; charset=utf-8", {**_PAGE_HEADERS, "Cache-Control": "no-store"}
            )
        if path == "/shop.json":
            view = page.shop_view(self._store, shop=self._settings.shop, app_title=self._settings.app_title)
            return _json(200, page.as_json(view))
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
            given = _parsed(request.body)
        else:
            given = {name: values[0] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        if not isinstance(given, dict) or given.get("grant_type") != "client_credentials":
            return _json(400, {"error": "unsupported_grant_type"})
        is_known = bool(settings.client_id and settings.client_secret)
        fits = hmac.compare_digest(str(given.get("client_id", "")).encode(), settings.client_id.encode())
        fits &= hmac.compare_digest(str(given.get("client_secret", "")).encode(), settings.client_secret.encode())
        if not (is_known and fits):
            return _json(401, {"error": "invalid_client"})
        value = "shpat_" + secrets.token_hex(16)
        self._store.keep_token(value=value, app=settings.app_title, ends_at=time.time() + settings.token_life_seconds)
        scope = "read_inventory,write_inventory,read_locations,read_products"
        return _json(200, {"access_token": value, "scope": scope, "expires_in": settings.token_life_seconds})

    def _graphql(self, request: Request, *, version: str) -> Response:
        if version not in VERSIONS:
            return _json(404, {"errors": "Not Found"})
        app = self._app_of(request)
        if app is None:
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return _json(401, {"errors": message})
        given = _parsed(request.body)
        if not isinstance(given, dict) or not isinstance(given.get("query"), str):
            return _json(400, {"errors": "Required parameter missing or invalid: query"})
        variables = given.get("variables") or {}
        if not isinstance(variables, dict):
            return _json(400, {"errors": "variables must be an object"})

        document, errors = checked_document(version, given["query"])
        operation = operation_of(document, given.get("operationName")) if document is not None else None
        if errors or document is None or operation is None:
            shown = errors or (GraphQLError("No operation named as asked for."),)
            return _json(200, {"errors": [error.formatted for error in shown]})

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
        return self._trouble_after(_json(200, answer), is_mutation=is_mutation)

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
            return _json(500, {"errors": "Internal Server Error"})
        if (fault := strike(FaultKind.TOO_MANY_REQUESTS, is_mutation=is_mutation)) is not None:
            body = {"errors": "Exceeded 2 calls per second for api client."}
            return _json(429, body, headers={"Retry-After": f"{fault.seconds:.1f}"})
        if not is_mutation and (fault := strike(FaultKind.LATENCY, is_mutation=False)) is not None:
            self._sleep(fault.seconds)
        if cost > QUERY_COST_MAX:
            message = f"Query cost is {cost}, which exceeds the single query max cost limit ({QUERY_COST_MAX})."
            return _json(200, {"errors": [{"message": message, "extensions": {"code": "MAX_COST_EXCEEDED"}}]})
        if strike(FaultKind.THROTTLE, is_mutation=is_mutation) is not None or not bucket.take(cost):
            errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
            return _json(200, {"errors": errors, "extensions": _cost_extension(bucket, cost=cost, actual=None)})
        return None

    def _trouble_after(self, response: Response, *, is_mutation: bool) -> Response:
        """The faults that lose or delay an answer after the work was done."""
        strike = self._faults.strike
        if strike(FaultKind.DROP_AFTER_APPLY, is_mutation=is_mutation) is not None:
            return Response(response.status, response.body, is_dropped=True)
        if (fault := strike(FaultKind.TIMEOUT_AFTER_APPLY, is_mutation=is_mutation)) is not None:
            return Response(response.status, response.body, delay_seconds=fault.seconds)
        return response

    # --- control ---

    def _control(self, request: Request, path: str) -> Response:
        if not _is_loopback(request.peer):
            return _json(403, {"error": "Control is possible from this machine only."})
        token = request.headers.get(CONTROL_HEADER, "")
        if not hmac.compare_digest(token.encode(), self._settings.control_token.encode()):
            return _json(401, {"error": "The header X-Sandbox-Control-Token is missing or wrong."})
        routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("POST", "/sandbox/products"): self._put_products,
            ("GET", "/sandbox/state"): self._state,
            ("GET", "/sandbox/faults"): self._show_faults,
            ("POST", "/sandbox/faults"): self._add_faults,
            ("DELETE", "/sandbox/faults"): self._clear_faults,
            ("POST", "/sandbox/sale"): self._sale,
            ("POST", "/sandbox/reset"): self._reset,
        }
        action = routes.get((request.method, path))
        if action is None:
            return _json(404, {"error": f"There is no {request.method} {path}."})
        try:
            return action(request)
        except ValueError as error:
            return _json(422, {"error": str(error)})

    def _put_products(self, request: Request) -> Response:
        given = _parsed(request.body)
        if not isinstance(given, list) or len(given) > _PRODUCTS_PER_CALL_MAX:
            raise ValueError(f"A list of at most {_PRODUCTS_PER_CALL_MAX} products is needed.")
        products = [_checked_product(product, index=index) for index, product in enumerate(given)]
        with self._store.transaction():
            made = [self._store.put_product(product) for product in products]
        return _json(200, [{**self._product_json(item), "created": created} for item, created in made])

    def _product_json(self, item: Item) -> dict[str, Any]:
        levels = self._store.levels("WHERE item_id = ? ORDER BY location_id", (item.id,))
        return {
            "sku": item.sku,
            "title": item.title,
            "price": str(item.price),
            "product_id": gid("Product", item.id),
            "variant_id": gid("ProductVariant", item.id),
            "inventory_item_id": gid("InventoryItem", item.id),
            "location_id": gid("Location", MAIN_LOCATION_ID),
            "available": sum(level.available for level in levels if level.is_active),
            "levels": [
                {
                    "location_id": gid("Location", level.location_id),
                    "is_active": level.is_active,
                    "available": level.available,
                    "committed": level.committed,
                    "on_hand": level.on_hand,
                    "updated_at": level.updated_at,
                }
                for level in levels
            ],
        }

    def _state(self, request: Request) -> Response:
        """Figures and history, of one SKU or of all (then without history)."""
        sku = parse_qs(urlsplit(request.target).query).get("sku", [None])[0]
        if sku is None:
            return _json(200, {"products": [self._product_json(item) for item in self._store.items()]})
        item = self._store.item_by_sku(sku)
        if item is None:
            return _json(404, {"error": f"The shop sells no {sku}."})
        history = [_change_json(change) for change in self._store.changes_of(item.id)]
        return _json(200, {"products": [{**self._product_json(item), "history": history}]})

    def _show_faults(self, _request: Request) -> Response:
        return _json(200, {"faults": self._faults.as_json()})

    def _add_faults(self, request: Request) -> Response:
        given = _parsed(request.body)
        listed = given if isinstance(given, list) else [given]
        if not all(isinstance(one, dict) for one in listed):
            raise ValueError("A fault or a list of faults is needed.")
        self._faults.add([Fault.parse(one) for one in listed])
        return _json(200, {"faults": self._faults.as_json()})

    def _clear_faults(self, _request: Request) -> Response:
        self._faults.clear()
        return _json(200, {"faults": []})

    def _sale(self, request: Request) -> Response:
        given = _parsed(request.body)
        if not isinstance(given, dict) or not isinstance(given.get("sku"), str):
            raise ValueError("The sku is needed.")
        quantity = given.get("quantity", 1)
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
            raise ValueError(f"quantity is {quantity!r}; it must be a whole number from 1.")
        item = self._store.item_by_sku(given["sku"])
        if item is None:
            return _json(404, {"error": f"The shop sells no {given['sku']}."})
        try:
            level = sell(self._store, item_id=item.id, location_id=MAIN_LOCATION_ID, quantity=quantity)
        except SoldOut as refusal:
            return _json(409, {"error": str(refusal)})
        return _json(200, {"sku": item.sku, "available": level.available, "committed": level.committed})

    def _reset(self, _request: Request) -> Response:
        self._store.reset()
        self._faults.clear()
        with self._buckets_lock:
            self._buckets.clear()
        return _json(200, {"products": 0})


def _checked_product(given: Any, *, index: int) -> dict[str, Any]:
    """One product of the control call. Raises ValueError naming the row and what is wrong."""
    where = f"Product {index + 1}"
    if not isinstance(given, dict):
        raise ValueError(f"{where} must be an object.")
    known = {"sku", "title", "price", "image", "description", "available", "tracked", "mutable", "allow_duplicate"}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"{where} has unknown fields: {', '.join(unknown)}.")
    for name in ("sku", "title"):
        if not isinstance(given.get(name), str) or not given[name].strip():
            raise ValueError(f"{where} needs a {name}.")
    try:
        price = Decimal(str(given.get("price")))
    except InvalidOperation:
        raise ValueError(f"{where}: the price {given.get('price')!r} is no number.") from None
    if not price.is_finite() or price < 0:
        raise ValueError(f"{where}: the price {given.get('price')!r} must be 0 or more.")
    available = given.get("available", 0)
    if not isinstance(available, int) or isinstance(available, bool) or not 0 <= available <= QUANTITY_MAX:
        raise ValueError(f"{where}: available is {available!r}; it must be a whole number from 0.")
    image = given.get("image") or ""
    if image and (len(image) > _IMAGE_BYTES_MAX or _DATA_IMAGE.fullmatch(image) is None):
        raise ValueError(
            f"{where}: the image must be a base64 data: address of a png, jpeg, webp, gif or svg below "
            f"{_IMAGE_BYTES_MAX} bytes; leave it out to have one drawn."
        )
    return {**given, "price": str(price), "available": available, "image": image}


def _image(item: Item) -> Response:
    """The product's own picture, or a drawn one."""
    found = _DATA_IMAGE.fullmatch(item.image)
    if found is not None:
        try:
            return Response(200, base64.b64decode(found[2]), found[1], _IMAGE_HEADERS)
        except binascii.Error:
            logger.warning("sandbox.image_unreadable", extra={"sku": item.sku})
    return Response(200, page.artwork(item).encode(), "image/svg+xml", _IMAGE_HEADERS)


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "at": change.at,
        "name": change.name,
        "before": change.before,
        "after": change.after,
        "location_id": gid("Location", change.location_id),
        "app": change.app,
        "reason": change.reason,
        "reference": change.reference,
    }


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


def _parsed(body: bytes) -> Any:
    """The JSON in a body, None when it is none."""
    try:
        return json.loads(body)
    except (ValueError, UnicodeDecodeError):
        return None


def _json(status: int, value: Any, *, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(value, separators=(",", ":")).encode()
    return Response(status, body, headers={"Cache-Control": "no-store", **(headers or {})})


def _not_allowed(allowed: str) -> Response:
    return _json(405, {"errors": "Method Not Allowed"}, headers={"Allow": allowed})


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
