"""The training shop without a socket: its answers reach the client through a transport of httpx."""

from __future__ import annotations

import json

import httpx
import pytest

from channels_sync.adapters.base import ChannelAccount
from channels_sync.adapters.shopify import ShopifyAdapter
from channels_sync.adapters.shopify.client import ShopifyClient
from channels_sync.adapters.shopify.tokens import TokenCache
from channels_sync.sandbox.app import Settings, ShopApp
from channels_sync.sandbox.messages import Request
from channels_sync.sandbox.store import Store

TOKEN, CONTROL = "shop-token", "control-token"

SET = """mutation($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason referenceDocumentUri app { title }
      changes { name delta quantityAfterChange item { sku } location { id } } }
    userErrors { code field message } } }"""


class InProcessShop:
    def __init__(self, **settings):
        self.pauses = []
        options = {"access_token": TOKEN, "control_token": CONTROL, "client_id": "app", "client_secret": "word"}
        self.store = Store(None)
        self.app = ShopApp(self.store, Settings(**{**options, **settings}), sleep=self.pauses.append)

    def request(self, method, target, *, body=b"", headers=None, peer="127.0.0.1"):
        return self.app.handle(Request(method, target, headers or {}, body, peer))

    def control(self, method, target, value=None):
        body = json.dumps(value).encode() if value is not None else b""
        response = self.request(method, target, body=body, headers={"x-sandbox-control-token": CONTROL})
        assert response.status == 200, response.body
        return json.loads(response.body)

    def graphql(self, query, variables=None, *, version="2026-10", token=TOKEN):
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        target = f"/admin/api/{version}/graphql.json"
        response = self.request("POST", target, body=body, headers={"x-shopify-access-token": token})
        return json.loads(response.body)

    def put(self, **figures):
        """Products by SKU; returns the id of each inventory item."""
        rows = [{"sku": sku, "title": f"{sku} candle", "price": "9.50", "available": n} for sku, n in figures.items()]
        return {row["sku"]: row["inventory_item_id"] for row in self.control("POST", "/sandbox/products", rows)}

    def row(self, item_id, quantity, location="gid://shopify/Location/1001", **compare):
        return {"inventoryItemId": item_id, "locationId": location, "quantity": quantity, **compare}

    def set(self, rows, *, key="key-1", query=SET, version="2026-10", **changes):
        """The answer of inventorySetQuantities: the payload, or the whole answer when it has errors."""
        given = {"name": "available", "reason": "correction", "quantities": rows, **changes}
        answer = self.graphql(query, {"input": given, "key": key}, version=version)
        return answer if "errors" in answer else answer["data"]["inventorySetQuantities"]

    def available(self, sku):
        return self.control("GET", f"/sandbox/state?sku={sku}")["products"][0]["available"]

    def sell(self, sku, quantity):
        return self.control("POST", "/sandbox/sale", {"sku": sku, "quantity": quantity})

    def adapter(self, **changes):
        options = {"base_url": "http://127.0.0.1", "api_version": "2026-10", "access_token": TOKEN, **changes}
        account = ChannelAccount(**options)

        def carry(request):
            headers = {name.lower(): value for name, value in request.headers.items()}
            response = self.request(request.method, request.url.raw_path.decode(), body=request.read(), headers=headers)
            if response.is_dropped:
                raise httpx.RemoteProtocolError("closed without a word", request=request)
            if response.delay_seconds > account.timeout_seconds:
                raise httpx.ReadTimeout("no answer in time", request=request)
            answer_headers = {"Content-Type": response.content_type, **response.headers}
            return httpx.Response(response.status, content=response.body, headers=answer_headers)

        client = ShopifyClient(
            account, transport=httpx.MockTransport(carry), tokens=TokenCache(), sleep=lambda seconds: None
        )
        return ShopifyAdapter(account, client=client)


@pytest.fixture
def shop():
    made = InProcessShop()
    yield made
    made.store.close()
