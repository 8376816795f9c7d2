"""How a batch is sent, and what becomes of its rows for every answer the shop can give."""

from __future__ import annotations

import json

import httpx
import pytest

from channels_sync.adapters.base import ChannelAccount, PushState, QuantityPush
from channels_sync.adapters.shopify import CALLS_PER_BATCH_MAX, KEYS_PER_BATCH_MAX, ShopifyAdapter
from channels_sync.adapters.shopify.client import ShopifyClient
from channels_sync.adapters.shopify.mapping import row_index
from channels_sync.errors import ChannelUnavailable

ACCOUNT = ChannelAccount(base_url="https://shop.example", api_version="2026-10", access_token="token-1")


def row(number, quantity=5, *, expected=1, key="", version=1, reference="gid://backflush/PublishRun/1", item=None):
    return QuantityPush(
        listing_ref=f"L{number}",
        sku=f"S{number}",
        external_item_id=f"gid://shopify/InventoryItem/{item or number}",
        external_location_id="gid://shopify/Location/1",
        quantity=quantity,
        expected_quantity=expected,
        version=version,
        idempotency_key=key or "key-1",
        reference_uri=reference,
    )


class Keys:
    """Gives out keys and remembers what for; `given` is what it gives out, None once it is at its end."""

    def __init__(self, *given):
        self.given = list(given)
        self.asked = []

    def next_key(self, used, listing_refs, *, is_spent):
        self.asked.append((used, list(listing_refs), is_spent))
        return self.given.pop(0)


class FakeShop:
    """Answers inventorySetQuantities as `refuse(rows, calls)` says: a list of user errors, empty for success."""

    def __init__(self, refuse=lambda rows, calls: []):
        self.refuse = refuse
        self.calls = []

    def __call__(self, request):
        variables = json.loads(request.content)["variables"]
        self.calls.append(variables)
        errors = self.refuse(variables["input"]["quantities"], len(self.calls))
        group = {"id": "gid://shopify/InventoryAdjustmentGroup/1", "changes": []} if not errors else None
        payload = {"inventoryAdjustmentGroup": group, "userErrors": errors}
        return httpx.Response(200, json={"data": {"inventorySetQuantities": payload}})

    @property
    def keys(self):
        return [call["key"] for call in self.calls]

    def rows_sent(self):
        return [[int(q["inventoryItemId"].rsplit("/")[-1]) for q in call["input"]["quantities"]] for call in self.calls]


def adapter_on(shop):
    return ShopifyAdapter(ACCOUNT, client=ShopifyClient(ACCOUNT, transport=httpx.MockTransport(shop)))


def error(code, index=None, field="changeFromQuantity"):
    path = None if index is None else ["input", "quantities", str(index), field]
    return {"code": code, "field": path, "message": "The shop's own words."}


def test_the_same_rows_in_another_order_are_the_same_call():
    shop, again = FakeShop(), FakeShop()
    rows = [row(number, key=f"key-{number % 2}") for number in range(1, 301)]

    adapter_on(shop).publish_quantities(rows)
    outcomes = adapter_on(again).publish_quantities(rows[::-1])

    assert sorted(shop.calls, key=lambda call: call["key"]) == sorted(again.calls, key=lambda call: call["key"])
    assert [o.listing_ref for o in outcomes] == [r.listing_ref for r in rows[::-1]]


def test_sends_the_expectation_the_reference_and_a_key():
    shop = FakeShop()

    adapter_on(shop).publish_quantities([row(1, 7, expected=9), row(2, 3, expected=None)])

    [call] = shop.calls
    assert call["input"]["name"] == "available"
    assert call["input"]["reason"] == "correction"
    assert call["input"]["referenceDocumentUri"] == "gid://backflush/PublishRun/1"
    assert [(q["quantity"], q["changeFromQuantity"]) for q in call["input"]["quantities"]] == [(7, 9), (3, None)]
    assert call["key"] == "key-1"


def test_a_bad_row_is_taken_out_and_the_rest_is_sent_with_a_new_key():
    shop = FakeShop(lambda rows, calls: [error("NON_MUTABLE_INVENTORY_ITEM", 1)] if len(rows) == 3 else [])

    keys = Keys("key-2")

    outcomes = adapter_on(shop).publish_quantities([row(1), row(2), row(3)], keys=keys)

    assert shop.rows_sent() == [[1, 2, 3], [1, 3]]
    assert (shop.keys, keys.asked) == (["key-1", "key-2"], [("key-1", ["L1", "L3"], False)])
    assert [(o.listing_ref, o.state, o.code, o.is_key_spent) for o in outcomes] == [
        ("L1", PushState.ACCEPTED, "", True),
        ("L2", PushState.REJECTED, "NON_MUTABLE_INVENTORY_ITEM", False),
        ("L3", PushState.ACCEPTED, "", True),
    ]
    assert outcomes[1].message == "S2: the shop refused 5: The shop's own words."


def test_rows_that_somebody_else_took_over_meanwhile_are_not_sent_again():
    shop = FakeShop(lambda rows, calls: [error("NON_MUTABLE_INVENTORY_ITEM", 1)])

    outcomes = adapter_on(shop).publish_quantities([row(1), row(2), row(3)], keys=Keys(None))

    assert shop.rows_sent() == [[1, 2, 3]]
    assert [(o.state, o.code) for o in outcomes] == [
        (PushState.RETRY_LATER, "TAKEN_OVER"),
        (PushState.REJECTED, "NON_MUTABLE_INVENTORY_ITEM"),
        (PushState.RETRY_LATER, "TAKEN_OVER"),
    ]


def test_a_shop_that_names_one_bad_row_at_a_time_is_asked_until_none_is_left():
    def refuse(rows, calls):
        bad = [i for i, q in enumerate(rows) if int(q["inventoryItemId"].rsplit("/")[-1]) % 2]
        return [error("INVALID_LOCATION", bad[0])] if bad else []

    shop = FakeShop(refuse)

    outcomes = adapter_on(shop).publish_quantities([row(number) for number in range(1, 11)])

    assert [o.state for o in outcomes] == [PushState.REJECTED, PushState.ACCEPTED] * 5
    assert len(shop.calls) == 6
    assert len(set(shop.keys)) == 6


def test_refusals_without_end_stop_at_the_bound_and_leave_the_rest_for_later():
    shop = FakeShop(lambda rows, calls: [error("INVALID_LOCATION", 0)])

    outcomes = adapter_on(shop).publish_quantities([row(number) for number in range(1, 101)])

    assert len(shop.calls) == CALLS_PER_BATCH_MAX
    refused = [o for o in outcomes if o.state is PushState.REJECTED]
    rest = [o for o in outcomes if o not in refused]
    assert (len(refused), len(rest)) == (CALLS_PER_BATCH_MAX, 100 - CALLS_PER_BATCH_MAX)
    assert {(o.state, o.code) for o in rest} == {(PushState.RETRY_LATER, "TOO_MANY_REFUSALS")}


def test_a_refusal_that_names_no_row_is_found_by_halving():
    def refuse(rows, calls):
        ids = {q["inventoryItemId"] for q in rows}
        return [error("INVALID_INVENTORY_ITEM")] if "gid://shopify/InventoryItem/77" in ids else []

    shop = FakeShop(refuse)

    outcomes = adapter_on(shop).publish_quantities([row(number) for number in range(1, 251)])

    assert [o.listing_ref for o in outcomes if o.state is PushState.REJECTED] == ["L77"]
    assert sum(o.state is PushState.ACCEPTED for o in outcomes) == 249
    assert len(shop.calls) <= 18


def test_a_refused_reference_refuses_every_row_of_its_call():
    shop = FakeShop(lambda rows, calls: [error("INVALID_REFERENCE_DOCUMENT")])

    outcomes = adapter_on(shop).publish_quantities([row(1), row(2)])

    assert [(o.state, o.code) for o in outcomes] == [(PushState.REJECTED, "INVALID_REFERENCE_DOCUMENT")] * 2
    assert len(shop.calls) == 1


def test_a_stale_row_is_stale_and_says_what_to_do():
    shop = FakeShop(lambda rows, calls: [error("CHANGE_FROM_QUANTITY_STALE", 0)] if len(rows) == 2 else [])

    stale, accepted = adapter_on(shop).publish_quantities([row(1, expected=9), row(2)])

    assert (stale.state, stale.code, stale.is_key_spent) == (PushState.STALE, "CHANGE_FROM_QUANTITY_STALE", False)
    assert "no longer shows 9" in stale.message
    assert accepted.state is PushState.ACCEPTED


def test_a_concurrent_call_is_left_for_later_under_the_same_key():
    shop = FakeShop(lambda rows, calls: [error("IDEMPOTENCY_CONCURRENT_REQUEST")] if calls == 1 else [])
    adapter = adapter_on(shop)

    first = adapter.publish_quantities([row(1), row(2)])
    second = adapter.publish_quantities([row(1), row(2)])

    assert {o.state for o in first} == {PushState.RETRY_LATER}
    assert {o.state for o in second} == {PushState.ACCEPTED}
    assert shop.keys[0] == shop.keys[1]


def test_a_key_whose_first_use_failed_is_replaced():
    shop = FakeShop(lambda rows, calls: [error("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")] if calls < 3 else [])

    keys = Keys("key-2", "key-3")

    [outcome] = adapter_on(shop).publish_quantities([row(1)], keys=keys)

    assert (outcome.state, shop.keys) == (PushState.ACCEPTED, ["key-1", "key-2", "key-3"])
    assert keys.asked == [("key-1", ["L1"], True), ("key-2", ["L1"], True)]


def test_keys_for_a_caller_that_keeps_nothing_are_new_each_time_and_repeat_with_the_calls():
    def refuse(rows, calls):
        return [error("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")] if calls < 4 else []

    shop, again = FakeShop(refuse), FakeShop(refuse)

    adapter_on(shop).publish_quantities([row(1), row(2)])
    adapter_on(again).publish_quantities([row(2), row(1)])

    assert shop.keys == again.keys
    assert len(set(shop.keys)) == 4


def test_a_chain_of_failed_keys_ends_in_a_fresh_start_for_the_caller():
    shop = FakeShop(lambda rows, calls: [error("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")])

    [outcome] = adapter_on(shop).publish_quantities([row(1)])

    assert (outcome.state, outcome.code, outcome.is_key_spent) == (
        PushState.STALE,
        "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
        True,
    )
    assert len(shop.calls) == KEYS_PER_BATCH_MAX


def test_a_key_used_for_another_figure_asks_for_a_new_one():
    shop = FakeShop(lambda rows, calls: [error("IDEMPOTENCY_KEY_PARAMETER_MISMATCH")])

    [outcome] = adapter_on(shop).publish_quantities([row(1)])

    assert (outcome.state, outcome.is_key_spent, len(shop.calls)) == (PushState.STALE, True, 1)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (row(1, -1), "INVALID_QUANTITY_NEGATIVE"),
        (row(1, 1_000_000_001), "INVALID_QUANTITY_TOO_HIGH"),
        (row(1, item="x"), "INVALID_INVENTORY_ITEM"),
        (row(1, item="1 OR 2"), "INVALID_INVENTORY_ITEM"),
    ],
)
def test_a_row_that_would_spoil_its_whole_call_is_not_sent(bad, code):
    shop = FakeShop()

    outcomes = adapter_on(shop).publish_quantities([bad, row(2)])

    assert [(o.state, o.code) for o in outcomes] == [(PushState.REJECTED, code), (PushState.ACCEPTED, "")]
    assert shop.rows_sent() == [[2]]


def test_two_rows_for_one_item_send_the_newer_version_only():
    shop = FakeShop()

    outcomes = adapter_on(shop).publish_quantities([row(1, 5, version=8, item=4), row(2, 6, version=7, item=4)])

    assert [(o.listing_ref, o.state, o.code) for o in outcomes] == [
        ("L1", PushState.ACCEPTED, ""),
        ("L2", PushState.REJECTED, "DUPLICATE_TARGET"),
    ]
    assert [q["quantity"] for q in shop.calls[0]["input"]["quantities"]] == [5]


def test_one_call_carries_one_key_and_one_reference():
    shop = FakeShop()
    one = [row(number, key="key-1", reference="gid://backflush/PublishRun/1") for number in range(1, 12)]
    two = [row(number, key="key-2", reference="gid://backflush/PublishRun/2") for number in range(300, 303)]

    outcomes = adapter_on(shop).publish_quantities([*one[:5], *two, *one[5:]])

    assert [
        (call["key"], call["input"]["referenceDocumentUri"][-1], len(call["input"]["quantities"]))
        for call in shop.calls
    ] == [("key-1", "1", 11), ("key-2", "2", 3)]
    assert {o.state for o in outcomes} == {PushState.ACCEPTED}


def test_more_rows_under_one_key_than_a_call_takes_are_refused_before_anything_is_sent():
    shop = FakeShop()

    with pytest.raises(ValueError, match="251 rows carry the key key-1; a call takes 250"):
        adapter_on(shop).publish_quantities([row(number) for number in range(1, 252)])

    assert shop.calls == []


def test_nothing_to_send_is_no_call():
    shop = FakeShop()

    assert adapter_on(shop).publish_quantities([]) == []
    assert shop.calls == []


def test_the_figure_after_the_change_is_taken_from_the_answer():
    def answer(request):
        change = {"name": "available", "quantityAfterChange": 6, "delta": 5}
        change |= {"item": {"id": "gid://shopify/InventoryItem/1"}, "location": {"id": "gid://shopify/Location/1"}}
        other = {**change, "name": "on_hand", "quantityAfterChange": 99}
        payload = {"inventoryAdjustmentGroup": {"id": "g", "changes": [change, other]}, "userErrors": []}
        return httpx.Response(200, json={"data": {"inventorySetQuantities": payload}})

    [outcome] = adapter_on(answer).publish_quantities([row(1, 5)])

    assert outcome.channel_quantity == 6


def test_an_answer_without_the_mutation_is_unknown():
    def silent(request):
        return httpx.Response(200, json={"data": {"inventorySetQuantities": None}})

    with pytest.raises(ChannelUnavailable) as failure:
        adapter_on(silent).publish_quantities([row(1)])

    assert failure.value.outcome_unknown


def test_a_failure_after_a_refused_row_hands_over_what_is_settled():
    def refuse(rows, calls):
        if calls == 2:
            raise httpx.ReadTimeout("silence")
        return [error("INVALID_LOCATION", 0)]

    with pytest.raises(ChannelUnavailable) as failure:
        adapter_on(FakeShop(refuse)).publish_quantities([row(1), row(2)])

    assert [(o.listing_ref, o.state) for o in failure.value.settled] == [("L1", PushState.REJECTED)]


@pytest.mark.parametrize(
    ("path", "index"),
    [
        (["input", "quantities", "71", "quantity"], 71),
        (["quantities", "0"], 0),
        (["input", "name"], None),
        (["input", "quantities"], None),
        ([], None),
        (None, None),
    ],
)
def test_reads_the_row_out_of_an_error_path(path, index):
    assert row_index(path) == index
