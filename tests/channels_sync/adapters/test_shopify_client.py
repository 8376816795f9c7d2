"""Tokens, allowance, and every way a call can fail."""

from __future__ import annotations

import json

import httpx
import pytest
import respx

from channels_sync.adapters.base import ChannelAccount
from channels_sync.adapters.registry import ADAPTERS, adapter_for
from channels_sync.adapters.shopify.client import THROTTLED_TRIES_MAX, ShopifyClient
from channels_sync.adapters.shopify.tokens import TokenCache
from channels_sync.errors import (
    ChannelAuthFailed,
    ChannelRejected,
    ChannelThrottled,
    ChannelUnavailable,
)

BASE = "https://shop.example"
GRAPHQL = f"{BASE}/admin/api/2026-10/graphql.json"
GRANT = f"{BASE}/admin/oauth/access_token"
DONE = httpx.Response(200, json={"data": {"shop": {"name": "S"}}})
SECRET = "very-secret-value"


def account(**changes):
    return ChannelAccount(**{"base_url": BASE, "api_version": "2026-10", "access_token": SECRET, **changes})


def app_account(**changes):
    return account(access_token=None, client_id="app-1", client_secret=SECRET, **changes)


def client_for(an_account, *, pauses=None, tokens=None):
    sleep = pauses.append if pauses is not None else lambda seconds: None
    return ShopifyClient(an_account, sleep=sleep, jitter=lambda: 0.0, tokens=tokens or TokenCache())


def throttled(requested, available, rate=100):
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": rate}
    cost = {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": status}
    errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
    return httpx.Response(200, json={"errors": errors, "extensions": {"cost": cost}})


@respx.mock
def test_sends_the_token_and_returns_the_data():
    route = respx.post(GRAPHQL).mock(return_value=DONE)

    data = client_for(account()).execute("query { shop { name } }", {"a": 1})

    request = route.calls.last.request
    assert data == {"shop": {"name": "S"}}
    assert request.headers["X-Shopify-Access-Token"] == SECRET
    assert json.loads(request.content) == {"query": "query { shop { name } }", "variables": {"a": 1}}


@respx.mock
def test_waits_as_long_as_the_bucket_needs_then_tries_again():
    respx.post(GRAPHQL).mock(side_effect=[throttled(510, 10), DONE])
    pauses = []

    data = client_for(account(throttle_wait_seconds_max=5.0), pauses=pauses).execute("q")

    assert data == {"shop": {"name": "S"}}
    assert pauses == [5.0]


@respx.mock
def test_a_longer_wait_than_allowed_is_handed_to_the_caller():
    route = respx.post(GRAPHQL).mock(return_value=throttled(1000, 0))

    with pytest.raises(ChannelThrottled) as refusal:
        client_for(account(throttle_wait_seconds_max=5.0)).execute("q")

    assert refusal.value.retry_after_seconds == 10.0
    assert route.call_count == 1


@respx.mock
def test_a_shop_that_never_stops_throttling_is_tried_a_bounded_number_of_times():
    route = respx.post(GRAPHQL).mock(return_value=throttled(10, 9))

    with pytest.raises(ChannelThrottled):
        client_for(account()).execute("q")

    assert route.call_count == THROTTLED_TRIES_MAX


@respx.mock
def test_honours_retry_after_of_a_429():
    respx.post(GRAPHQL).mock(side_effect=[httpx.Response(429, headers={"Retry-After": "1.5"}), DONE])
    pauses = []

    client_for(account(), pauses=pauses).execute("q")

    assert pauses == [1.5]


@respx.mock
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_failing_shop_is_unavailable_and_the_outcome_unknown(status):
    respx.post(GRAPHQL).mock(return_value=httpx.Response(status, text="<html>"))

    with pytest.raises(ChannelUnavailable) as failure:
        client_for(account()).execute("q")

    assert failure.value.outcome_unknown


@respx.mock
@pytest.mark.parametrize(
    ("trouble", "unknown"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("slow"), False),
        (httpx.ReadTimeout("slow"), True),
        (httpx.WriteError("broken"), True),
        (httpx.RemoteProtocolError("closed"), True),
    ],
)
def test_a_broken_line_tells_whether_the_request_had_left(trouble, unknown):
    respx.post(GRAPHQL).mock(side_effect=trouble)

    with pytest.raises(ChannelUnavailable) as failure:
        client_for(account()).execute("q")

    assert failure.value.outcome_unknown is unknown
    assert ("utcome unknown" in failure.value.message) is unknown


@respx.mock
@pytest.mark.parametrize("body", ["<html>captive portal</html>", "[]", '{"extensions": {}}', '{"data": null}'])
def test_an_answer_that_is_not_the_shops_is_unknown(body):
    respx.post(GRAPHQL).mock(return_value=httpx.Response(200, text=body))

    with pytest.raises(ChannelUnavailable) as failure:
        client_for(account()).execute("q")

    assert failure.value.outcome_unknown


@respx.mock
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401), ChannelAuthFailed),
        (httpx.Response(403), ChannelAuthFailed),
        (httpx.Response(402), ChannelRejected),
        (httpx.Response(423), ChannelRejected),
        (httpx.Response(404), ChannelRejected),
        (httpx.Response(301, headers={"Location": "https://elsewhere.example/"}), ChannelRejected),
        (
            httpx.Response(200, json={"errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}]}),
            ChannelAuthFailed,
        ),
        (httpx.Response(200, json={"errors": [{"message": "Field 'x' doesn't exist"}]}), ChannelRejected),
        (httpx.Response(200, json={"errors": "Not Found"}), ChannelRejected),
    ],
)
def test_a_refusal_of_the_whole_call_is_shown_not_repeated(answer, kind):
    route = respx.post(GRAPHQL).mock(return_value=answer)

    with pytest.raises(ChannelRejected) as refusal:
        client_for(account()).execute("q")

    assert type(refusal.value) is kind
    assert route.call_count == 1


@respx.mock
def test_an_internal_error_beside_http_200_is_unknown():
    errors = [{"message": "oops", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]
    respx.post(GRAPHQL).mock(return_value=httpx.Response(200, json={"errors": errors}))

    with pytest.raises(ChannelUnavailable) as failure:
        client_for(account()).execute("q")

    assert failure.value.outcome_unknown


@respx.mock
def test_a_secret_the_shop_echoes_is_not_in_the_message():
    respx.post(GRAPHQL).mock(return_value=httpx.Response(400, text=f"bad token {SECRET} given"))

    with pytest.raises(ChannelRejected) as refusal:
        client_for(account()).execute("q")

    assert SECRET not in str(refusal.value)
    assert "bad token" in str(refusal.value)


@respx.mock
def test_a_token_is_fetched_once_and_shared_until_it_is_nearly_over():
    now = [0.0]
    tokens = TokenCache(clock=lambda: now[0])
    grants = respx.post(GRANT).mock(
        side_effect=[
            httpx.Response(200, json={"access_token": "first", "expires_in": 86399}),
            httpx.Response(200, json={"access_token": "second", "expires_in": 86399}),
        ]
    )
    calls = respx.post(GRAPHQL).mock(return_value=DONE)

    client_for(app_account(), tokens=tokens).execute("q")
    client_for(app_account(), tokens=tokens).execute("q")
    now[0] = 86_399 - 299
    client_for(app_account(), tokens=tokens).execute("q")

    assert [call.request.headers["X-Shopify-Access-Token"] for call in calls.calls] == ["first", "first", "second"]
    assert json.loads(grants.calls[0].request.content) == {
        "client_id": "app-1",
        "client_secret": SECRET,
        "grant_type": "client_credentials",
    }


@respx.mock
def test_a_withdrawn_token_is_replaced_once():
    respx.post(GRANT).mock(
        side_effect=[
            httpx.Response(200, json={"access_token": "first", "expires_in": 86399}),
            httpx.Response(200, json={"access_token": "second", "expires_in": 86399}),
        ]
    )
    calls = respx.post(GRAPHQL).mock(side_effect=[httpx.Response(401), DONE])

    data = client_for(app_account()).execute("q")

    assert data == {"shop": {"name": "S"}}
    assert calls.calls.last.request.headers["X-Shopify-Access-Token"] == "second"


@respx.mock
def test_an_app_that_is_shut_out_is_told_after_one_fresh_token():
    grants = respx.post(GRANT).mock(return_value=httpx.Response(200, json={"access_token": "t", "expires_in": 86399}))
    respx.post(GRAPHQL).mock(return_value=httpx.Response(401))

    with pytest.raises(ChannelAuthFailed):
        client_for(app_account()).execute("q")

    assert grants.call_count == 2


@respx.mock
def test_a_refused_client_secret_is_told_without_showing_it():
    respx.post(GRANT).mock(return_value=httpx.Response(401, json={"error": SECRET}))

    with pytest.raises(ChannelAuthFailed) as refusal:
        client_for(app_account()).execute("q")

    assert SECRET not in str(refusal.value)
    assert "client id" in str(refusal.value)


def test_an_account_shows_no_secret():
    shown = repr(app_account(webhook_secrets=("hook-secret",)))

    assert SECRET not in shown
    assert "hook-secret" not in shown


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://shop.example"},
        {"base_url": "ftp://shop.example"},
        {"base_url": "https://name:word@shop.example"},
        {"base_url": "shop.example"},
        {"access_token": None},
        {"access_token": None, "client_id": "x"},
        {"timeout_seconds": 0},
    ],
)
def test_refuses_an_account_that_cannot_work_or_would_show_its_token(changes):
    with pytest.raises(ValueError, match=r"\w"):
        account(**changes)


@pytest.mark.parametrize(
    "changes", [{"base_url": "http://127.0.0.1:1"}, {"allow_plain_http": True, "base_url": "http://x"}]
)
def test_takes_plain_http_on_this_machine_or_when_told(changes):
    assert account(**changes).base_url == changes["base_url"]


def test_the_registry_names_real_fields_of_the_account():
    fields = set(ChannelAccount.__dataclass_fields__)

    for entry in ADAPTERS.values():
        assert {field.name for field in entry.fields} <= fields
        assert {name for group in entry.one_of for name in group} <= {field.name for field in entry.fields}
        assert adapter_for(name=entry.name, account=account()).capabilities == entry.capabilities


def test_an_unknown_channel_is_named_with_those_that_exist():
    with pytest.raises(ValueError, match=r"'shopfy'.*shopify"):
        adapter_for(name="shopfy", account=account())
