"""The staff entrance: fill the shop, look into it, sell from it, make trouble. From this machine only."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qs, urlsplit

from channels_sync.sandbox.faults import Fault, Faults
from channels_sync.sandbox.messages import Request, Response, is_loopback, json_answer, parsed
from channels_sync.sandbox.sources import gid
from channels_sync.sandbox.stock import QUANTITY_MAX, SoldOut, sell
from channels_sync.sandbox.store import MAIN_LOCATION_ID, Change, Item, Store

CONTROL_HEADER = "x-sandbox-control-token"
DATA_IMAGE = re.compile(r"data:(image/(?:png|jpeg|webp|gif|svg\+xml));base64,([A-Za-z0-9+/=\s]+)")
_IMAGE_BYTES_MAX = 400_000
_PRODUCTS_PER_CALL_MAX = 5_000


class StaffEntrance:
    """Answers the `/sandbox/` addresses. `forget_allowances` is called when the shop is emptied."""

    def __init__(
        self, store: Store, faults: Faults, *, control_token: str, forget_allowances: Callable[[], None]
    ) -> None:
        self._store = store
        self._faults = faults
        self._control_token = control_token
        self._forget_allowances = forget_allowances

    def handle(self, request: Request, path: str) -> Response:
        """Answer one request, or say what is wrong with it."""
        if not is_loopback(request.peer):
            return json_answer(403, {"error": "Control is possible from this machine only."})
        token = request.headers.get(CONTROL_HEADER, "")
        if not hmac.compare_digest(token.encode(), self._control_token.encode()):
            return json_answer(401, {"error": "The header X-Sandbox-Control-Token is missing or wrong."})
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
            return json_answer(404, {"error": f"There is no {request.method} {path}."})
        try:
            return action(request)
        except ValueError as error:
            return json_answer(422, {"error": str(error)})

    def _put_products(self, request: Request) -> Response:
        given = parsed(request.body)
        if not isinstance(given, list) or len(given) > _PRODUCTS_PER_CALL_MAX:
            raise ValueError(f"A list of at most {_PRODUCTS_PER_CALL_MAX} products is needed.")
        products = [_checked_product(product, index=index) for index, product in enumerate(given)]
        with self._store.transaction():
            made = [self._store.put_product(product) for product in products]
        return json_answer(200, [{**self._product_json(item), "created": created} for item, created in made])

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
            return json_answer(200, {"products": [self._product_json(item) for item in self._store.items()]})
        item = self._store.item_by_sku(sku)
        if item is None:
            return json_answer(404, {"error": f"The shop sells no {sku}."})
        history = [_change_json(change) for change in self._store.changes_of(item.id)]
        return json_answer(200, {"products": [{**self._product_json(item), "history": history}]})

    def _show_faults(self, _request: Request) -> Response:
        return json_answer(200, {"faults": self._faults.as_json()})

    def _add_faults(self, request: Request) -> Response:
        given = parsed(request.body)
        listed = given if isinstance(given, list) else [given]
        if not all(isinstance(one, dict) for one in listed):
            raise ValueError("A fault or a list of faults is needed.")
        self._faults.add([Fault.parse(one) for one in listed])
        return json_answer(200, {"faults": self._faults.as_json()})

    def _clear_faults(self, _request: Request) -> Response:
        self._faults.clear()
        return json_answer(200, {"faults": []})

    def _sale(self, request: Request) -> Response:
        given = parsed(request.body)
        if not isinstance(given, dict) or not isinstance(given.get("sku"), str):
            raise ValueError("The sku is needed.")
        quantity = given.get("quantity", 1)
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
            raise ValueError(f"quantity is {quantity!r}; it must be a whole number from 1.")
        item = self._store.item_by_sku(given["sku"])
        if item is None:
            return json_answer(404, {"error": f"The shop sells no {given['sku']}."})
        try:
            level = sell(self._store, item_id=item.id, location_id=MAIN_LOCATION_ID, quantity=quantity)
        except SoldOut as refusal:
            return json_answer(409, {"error": str(refusal)})
        return json_answer(200, {"sku": item.sku, "available": level.available, "committed": level.committed})

    def _reset(self, _request: Request) -> Response:
        self._store.reset()
        self._faults.clear()
        self._forget_allowances()
        return json_answer(200, {"products": 0})


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
    if image and (len(image) > _IMAGE_BYTES_MAX or DATA_IMAGE.fullmatch(image) is None):
        raise ValueError(
            f"{where}: the image must be a base64 data: address of a png, jpeg, webp, gif or svg below "
            f"{_IMAGE_BYTES_MAX} bytes; leave it out to have one drawn."
        )
    return {**given, "price": str(price), "available": available, "image": image}


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
