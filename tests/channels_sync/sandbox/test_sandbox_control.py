"""The staff entrance and the page a shopper sees."""

from __future__ import annotations

import json
import re

import pytest

from channels_sync.sandbox.page import stock_text

CONTROL = {"x-sandbox-control-token": "control-token"}


@pytest.mark.parametrize(
    ("headers", "peer", "status"),
    [
        (CONTROL, "127.0.0.1", 200),
        (CONTROL, "::1", 200),
        (CONTROL, "::ffff:127.0.0.1", 200),
        (CONTROL, "192.0.2.7", 403),
        (CONTROL, "not an address", 403),
        ({}, "127.0.0.1", 401),
        ({"x-sandbox-control-token": "wrong"}, "127.0.0.1", 401),
        ({"x-shopify-access-token": "shop-token"}, "127.0.0.1", 401),
    ],
)
def test_control_needs_this_machine_and_the_token(shop, headers, peer, status):
    assert shop.request("GET", "/sandbox/state", headers=headers, peer=peer).status == status


def test_filling_the_catalogue_again_changes_words_but_not_stock(shop):
    [made] = shop.control("POST", "/sandbox/products", [{"sku": "A", "title": "Old", "price": "1", "available": 5}])
    shop.sell("A", 2)

    [again] = shop.control("POST", "/sandbox/products", [{"sku": "A", "title": "New", "price": "2.5", "available": 5}])

    assert (made["created"], again["created"]) == (True, False)
    assert (again["title"], again["price"], again["available"]) == ("New", "2.5", 3)
    assert again["inventory_item_id"] == made["inventory_item_id"]


@pytest.mark.parametrize(
    ("product", "told"),
    [
        ({"title": "T", "price": "1"}, "Product 2 needs a sku"),
        ({"sku": "B", "title": "T", "price": "much"}, "'much' is no number"),
        ({"sku": "B", "title": "T", "price": "NaN"}, "must be 0 or more"),
        ({"sku": "B", "title": "T", "price": "1", "available": 1.5}, "available is 1.5"),
        ({"sku": "B", "title": "T", "price": "1", "colour": "red"}, "unknown fields: colour"),
        ({"sku": "B", "title": "T", "price": "1", "image": "https://elsewhere.example/a.png"}, "data: address"),
    ],
)
def test_a_wrong_product_is_named_and_none_is_made(shop, product, told):
    body = json.dumps([{"sku": "A", "title": "T", "price": "1"}, product]).encode()

    response = shop.request("POST", "/sandbox/products", body=body, headers=CONTROL)

    assert response.status == 422
    assert told in json.loads(response.body)["error"]
    assert shop.control("GET", "/sandbox/state")["products"] == []


def test_a_sale_moves_units_from_available_to_committed(shop):
    shop.put(A=5)

    sold = shop.sell("A", 2)
    [level] = shop.control("GET", "/sandbox/state?sku=A")["products"][0]["levels"]

    assert sold == {"sku": "A", "available": 3, "committed": 2}
    assert (level["available"], level["committed"], level["on_hand"]) == (3, 2, 5)


def test_more_than_there_is_cannot_be_bought(shop):
    shop.put(A=5)
    body = json.dumps({"sku": "A", "quantity": 6}).encode()

    response = shop.request("POST", "/sandbox/sale", body=body, headers=CONTROL)

    assert response.status == 409
    assert shop.available("A") == 5


def test_the_history_tells_who_changed_what_and_why(shop):
    ids = shop.put(A=5)
    shop.set([shop.row(ids["A"], 9, changeFromQuantity=5)], referenceDocumentUri="gid://backflush/PublishRun/3")
    shop.sell("A", 1)

    history = shop.control("GET", "/sandbox/state?sku=A")["products"][0]["history"]

    told = [(h["app"], h["before"], h["after"], h["reference"]) for h in history if h["name"] == "available"]
    assert told == [("Online Store", 9, 8, None), ("Backflush", 5, 9, "gid://backflush/PublishRun/3")]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"kind": "fire"}, "kind is 'fire'"),
        ({"kind": "throttle", "probability": 0}, "probability"),
        ({"kind": "throttle", "count": 0}, "count"),
        ({"kind": "latency", "seconds": -1}, "seconds"),
        ({"kind": "reject_rows"}, "needs the skus"),
        ({"kind": "throttle", "often": True}, "often"),
    ],
)
def test_a_fault_that_makes_no_sense_is_explained(shop, fault, told):
    response = shop.request("POST", "/sandbox/faults", body=json.dumps(fault).encode(), headers=CONTROL)

    assert response.status == 422
    assert told in json.loads(response.body)["error"]


def test_a_seeded_fault_hits_the_same_calls_each_time(shop):
    shop.put(A=5)

    def hits():
        shop.control("DELETE", "/sandbox/faults")
        shop.control("POST", "/sandbox/faults", {"kind": "server_error", "probability": 0.5, "seed": 7, "reads": True})
        return ["errors" in shop.graphql("{ shop { name } }") for _ in range(20)]

    first = hits()

    assert first == hits()
    assert 0 < sum(first) < 20


def test_resetting_empties_the_shop_and_ends_the_trouble(shop):
    ids = shop.put(A=5)
    shop.set([shop.row(ids["A"], 9, changeFromQuantity=5)])
    shop.control("POST", "/sandbox/faults", {"kind": "throttle"})

    shop.control("POST", "/sandbox/reset")
    again = shop.put(A=5)

    assert shop.control("GET", "/sandbox/faults")["faults"] == []
    assert again["A"] != ids["A"]
    assert shop.set([shop.row(again["A"], 9, changeFromQuantity=5)])["userErrors"] == []


@pytest.mark.parametrize(
    ("available", "tracked", "words"),
    [
        (1240, True, ("1,240 in stock", "many")),
        (6, True, ("6 in stock", "many")),
        (5, True, ("Only 5 left", "few")),
        (1, True, ("Only 1 left", "few")),
        (0, True, ("Sold out", "none")),
        (-2, True, ("Sold out", "none")),
        (0, False, ("In stock", "unlimited")),
    ],
)
def test_says_the_stock_in_a_shoppers_words(available, tracked, words):
    assert stock_text(available, is_tracked=tracked) == words


def test_the_page_shows_what_is_sold_and_escapes_it(shop):
    nasty = {
        "sku": '<b>"x"',
        "title": "<script>alert(1)</script>",
        "price": "24",
        "available": 42,
        "description": "<i>",
    }
    shop.control("POST", "/sandbox/products", [nasty])

    response = shop.request("GET", "/")
    html = response.body.decode()

    assert response.status == 200
    assert "42 in stock" in html
    assert "$24.00" in html
    assert "Sandbox shop – training data" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    assert "<i>" not in html.replace('<i aria-hidden="true">', "")


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(shop):
    shop.put(A=1)

    response = shop.request("GET", "/")
    html = response.body.decode()

    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href)="(?!/|#)[^"]*"', html) == []
    assert re.findall(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=", html) == []
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', html):
        assert shop.request("GET", asset.replace("&amp;", "&")).status == 200


def test_the_strip_tells_the_last_change_of_the_app_not_of_a_shopper(shop):
    ids = shop.put(A=96)
    shop.set([shop.row(ids["A"], 128, changeFromQuantity=96)])
    shop.sell("A", 1)

    told = json.loads(shop.request("GET", "/shop.json").body)

    assert (told["last"]["before"], told["last"]["after"], told["last"]["app"]) == (96, 128, "Backflush")
    assert told["products"] == [{"id": told["products"][0]["id"], "stock": "127 in stock", "level": "many"}]
    assert "96 → 128" in shop.request("GET", "/").body.decode()


def test_a_given_picture_is_served_and_cannot_run_scripts(shop):
    image = "data:image/svg+xml;base64,PHN2Zy8+"
    product = {"sku": "A", "title": "A", "price": "1", "image": image}
    shop.control("POST", "/sandbox/products", [product])
    item = shop.store.item_by_sku("A")

    response = shop.request("GET", f"/images/{item.id}")

    assert (response.body, response.content_type) == (b"<svg/>", "image/svg+xml")
    assert "sandbox" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "target", ["/static/../store.py", "/static/admin.graphql", "/images/99", "/images/x", "/nothing"]
)
def test_nothing_else_is_served(shop, target):
    assert shop.request("GET", target).status == 404


def test_is_healthy(shop):
    assert json.loads(shop.request("GET", "/healthz").body) == {"status": "ok", "products": 0}
