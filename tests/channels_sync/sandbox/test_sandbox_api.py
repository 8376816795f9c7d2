"""The training shop keeps Shopify's rules: comparison, keys, whole batches, versions, allowance."""

from __future__ import annotations

import json

import pytest

from tests.channels_sync.sandbox.conftest import SET, InProcessShop

WITHOUT_KEY = SET.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")


def codes(payload):
    return [error["code"] for error in payload["userErrors"]]


def test_sets_when_the_figure_is_the_expected_one(shop):
    ids = shop.put(A=5)

    payload = shop.set([shop.row(ids["A"], 8, changeFromQuantity=5)], referenceDocumentUri="gid://backflush/Run/7")

    group = payload["inventoryAdjustmentGroup"]
    assert payload["userErrors"] == []
    assert (group["reason"], group["referenceDocumentUri"]) == ("correction", "gid://backflush/Run/7")
    assert group["app"] == {"title": "Backflush"}
    assert [(c["name"], c["delta"], c["quantityAfterChange"]) for c in group["changes"]] == [
        ("available", 3, 8),
        ("on_hand", 3, 8),
    ]
    assert shop.available("A") == 8


def test_one_bad_row_changes_nothing_and_every_bad_row_is_named(shop):
    ids = shop.put(A=5, B=5, C=5)
    rows = [
        shop.row(ids["A"], 8, changeFromQuantity=5),
        shop.row(ids["B"], 8, changeFromQuantity=4),
        shop.row(ids["C"], -1, changeFromQuantity=5),
    ]

    payload = shop.set(rows)

    assert [(e["code"], e["field"]) for e in payload["userErrors"]] == [
        ("CHANGE_FROM_QUANTITY_STALE", ["input", "quantities", "1", "changeFromQuantity"]),
        ("INVALID_QUANTITY_NEGATIVE", ["input", "quantities", "2", "quantity"]),
    ]
    assert payload["inventoryAdjustmentGroup"] is None
    assert [shop.available(sku) for sku in "ABC"] == [5, 5, 5]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "incoming"}, "INVALID_NAME"),
        ({"reason": "because"}, "INVALID_REASON"),
        ({"referenceDocumentUri": "no uri"}, "INVALID_REFERENCE_DOCUMENT"),
    ],
)
def test_refuses_a_wrong_call_as_a_whole(shop, changes, code):
    ids = shop.put(A=5)

    payload = shop.set([shop.row(ids["A"], 8, changeFromQuantity=5)], **changes)

    assert codes(payload) == [code]
    assert shop.available("A") == 5


def test_refuses_unknown_items_locations_and_pairs_that_come_twice(shop):
    ids = shop.put(A=5)
    rows = [
        shop.row("gid://shopify/InventoryItem/1", 8, changeFromQuantity=None),
        shop.row(ids["A"], 8, "gid://shopify/Location/9", changeFromQuantity=None),
        shop.row(ids["A"], 8, changeFromQuantity=None),
        shop.row(ids["A"], 9, changeFromQuantity=None),
    ]

    payload = shop.set(rows)

    assert codes(payload) == [
        "INVALID_INVENTORY_ITEM",
        "INVALID_LOCATION",
        "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
    ]


def test_the_parent_of_a_bundle_cannot_be_set(shop):
    product = {"sku": "BOX", "title": "Box", "price": "1", "available": 2, "mutable": False}
    [made] = shop.control("POST", "/sandbox/products", [product])

    payload = shop.set([shop.row(made["inventory_item_id"], 8, changeFromQuantity=None)])

    assert codes(payload) == ["NON_MUTABLE_INVENTORY_ITEM"]


def test_on_hand_leaves_out_what_is_sold_and_not_shipped(shop):
    ids = shop.put(A=10)
    shop.sell("A", 3)

    shop.set([shop.row(ids["A"], 12, changeFromQuantity=10)], name="on_hand")

    assert shop.available("A") == 9


def test_the_same_key_and_call_answers_the_first_result_and_changes_nothing(shop):
    ids = shop.put(A=5)
    rows = [shop.row(ids["A"], 8, changeFromQuantity=None)]
    first = shop.set(rows)
    shop.sell("A", 2)

    again = shop.set(rows)

    assert again == first
    assert shop.available("A") == 6


def test_the_same_key_with_other_figures_is_a_mismatch(shop):
    ids = shop.put(A=5)
    shop.set([shop.row(ids["A"], 8, changeFromQuantity=None)])

    payload = shop.set([shop.row(ids["A"], 9, changeFromQuantity=None)])

    assert codes(payload) == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]
    assert shop.available("A") == 8


def test_a_key_whose_call_was_refused_is_used_up(shop):
    ids = shop.put(A=5)
    rows = [shop.row(ids["A"], 8, changeFromQuantity=4)]
    shop.set(rows)

    assert codes(shop.set(rows)) == ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"]


def test_a_call_that_is_still_running_holds_its_key(shop):
    ids = shop.put(A=5)
    rows = [shop.row(ids["A"], 8, changeFromQuantity=5)]
    seen = []
    shop.control("POST", "/sandbox/faults", {"kind": "latency", "seconds": 1})
    shop.app._sleep = lambda seconds: seen.append(shop.set(rows))  # the repeat comes while the first one waits

    first = shop.set(rows)

    assert codes(seen[0]) == ["IDEMPOTENCY_CONCURRENT_REQUEST"]
    assert first["userErrors"] == []


@pytest.mark.parametrize("version", ["2026-04", "2026-07", "2026-10"])
def test_newer_versions_demand_a_key_and_an_explicit_expectation(shop, version):
    ids = shop.put(A=5)

    keyless = shop.set([shop.row(ids["A"], 8, changeFromQuantity=5)], query=WITHOUT_KEY, version=version)
    silent = shop.set([shop.row(ids["A"], 8)], version=version)

    assert "@idempotent directive is required" in keyless["errors"][0]["message"]
    assert "changeFromQuantity must be present" in silent["errors"][0]["message"]
    assert shop.available("A") == 5


def test_the_oldest_version_takes_calls_without_a_key_and_the_older_comparison(shop):
    ids = shop.put(A=5)
    old = {"query": WITHOUT_KEY, "version": "2026-01"}

    required = shop.set([shop.row(ids["A"], 8)], **old)
    stale = shop.set([shop.row(ids["A"], 8, compareQuantity=4)], **old)
    done = shop.set([shop.row(ids["A"], 8, compareQuantity=5)], **old)
    ignored = shop.set([shop.row(ids["A"], 9)], ignoreCompareQuantity=True, **old)

    assert codes(required) == ["COMPARE_QUANTITY_REQUIRED"]
    assert codes(stale) == ["COMPARE_QUANTITY_STALE"]
    assert (codes(done), codes(ignored)) == ([], [])
    assert shop.available("A") == 9


def test_newer_versions_do_not_know_the_older_comparison(shop):
    ids = shop.put(A=5)

    answer = shop.set([shop.row(ids["A"], 8, compareQuantity=5)], version="2026-04")

    assert "compareQuantity" in answer["errors"][0]["message"]


def test_an_unstocked_location_is_refused_up_to_2026_07_and_written_unseen_after(shop):
    ids = shop.put(A=5)
    rows = [shop.row(ids["A"], 8, "gid://shopify/Location/1002", changeFromQuantity=None)]

    older = shop.set(rows, version="2026-07")
    newer = shop.set(rows, key="key-2", version="2026-10")
    query = "query($i: ID!, $l: ID!) { inventoryItem(id: $i) { inventoryLevel(locationId: $l) { isActive } } }"
    level = shop.graphql(query, {"i": ids["A"], "l": "gid://shopify/Location/1002"})

    assert codes(older) == ["ITEM_NOT_STOCKED_AT_LOCATION"]
    assert codes(newer) == []
    assert level["data"]["inventoryItem"]["inventoryLevel"] is None


def test_more_than_250_rows_are_refused(shop):
    ids = shop.put(A=5)

    answer = shop.set([shop.row(ids["A"], 8, changeFromQuantity=None)] * 251)

    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


@pytest.mark.parametrize(
    ("target", "status"), [("/admin/api/2025-10/graphql.json", 404), ("/admin/api/2026-10/graphql.json", 401)]
)
def test_unknown_versions_and_tokens_are_turned_away(shop, target, status):
    headers = {"x-shopify-access-token": "wrong" if status == 401 else "shop-token"}

    response = shop.request("POST", target, body=b'{"query":"{ shop { name } }"}', headers=headers)

    assert response.status == status


def test_a_field_shopify_does_not_have_is_an_error(shop):
    answer = shop.graphql("{ shop { nickname } }")

    assert "nickname" in answer["errors"][0]["message"]


def test_each_answer_tells_its_cost_and_an_empty_bucket_throttles():
    shop = InProcessShop(bucket_points=15, refill_points_per_second=1)
    ids = shop.put(A=5)

    first = shop.set([shop.row(ids["A"], 6, changeFromQuantity=5)])
    second = shop.set([shop.row(ids["A"], 7, changeFromQuantity=6)], key="key-2")

    assert first["userErrors"] == []
    assert second["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert second["extensions"]["cost"]["requestedQueryCost"] == 10
    assert second["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 5
    assert shop.available("A") == 6


def test_a_query_of_more_than_1000_points_is_refused(shop):
    levels = "inventoryLevels(first: 250) { nodes { item { id variants(first: 5) { nodes { id product { id } } } } } }"

    answer = shop.graphql(f"{{ location {{ {levels} }} }}")

    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_a_token_fetched_with_the_client_id_works_until_it_ends():
    shop = InProcessShop(token_life_seconds=60)
    body = {"client_id": "app", "client_secret": "word", "grant_type": "client_credentials"}
    headers = {"content-type": "application/json"}

    granted = shop.request("POST", "/admin/oauth/access_token", body=json.dumps(body).encode(), headers=headers)
    wrong = {**body, "client_secret": "no"}
    refused = shop.request("POST", "/admin/oauth/access_token", body=json.dumps(wrong).encode(), headers=headers)
    token = json.loads(granted.body)["access_token"]

    assert json.loads(granted.body)["expires_in"] == 60
    assert refused.status == 401
    assert shop.graphql("{ shop { name } }", token=token)["data"]["shop"]["name"] == "Sandbox Shop"
    assert shop.store.token_app(token, now=10_000_000_000) is None


def test_the_adapter_works_with_a_client_id_alone(shop):
    adapter = shop.adapter(access_token=None, client_id="app", client_secret="word")

    assert adapter.check_connection().name == "Sandbox Shop"


@pytest.mark.parametrize("version", ["2026-01", "2026-04", "2026-07", "2026-10"])
def test_the_adapter_speaks_every_version(shop, version):
    ids = shop.put(A=5)
    adapter = shop.adapter(api_version=version)

    reading = adapter.connect_listing(
        external_item_id=ids["A"],
        external_location_id="gid://shopify/Location/1002",
        available=4,
        idempotency_key="connect-1",
    )
    [match] = adapter.discover_listings(["A"])

    assert (reading.available, reading.sku) == (4, "A")
    assert match.listing.external_item_id == ids["A"]
    assert sorted(r.available for r in adapter.read_location("gid://shopify/Location/1002")) == [4]


def test_activating_what_is_active_changes_nothing(shop):
    ids = shop.put(A=5)

    reading = shop.adapter().connect_listing(
        external_item_id=ids["A"],
        external_location_id="gid://shopify/Location/1001",
        available=99,
        idempotency_key="connect-1",
    )

    assert reading.available == 5


def test_two_items_with_one_sku_are_ambiguous(shop):
    twin = {"sku": "A", "title": "Twin", "price": "1", "allow_duplicate": True}
    shop.put(A=5)
    shop.control("POST", "/sandbox/products", [twin])

    [match] = shop.adapter().discover_listings(["A"])

    assert (match.state, len(match.candidates), match.listing) == ("ambiguous", 2, None)
