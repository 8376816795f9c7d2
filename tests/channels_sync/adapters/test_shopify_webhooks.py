"""Only what the shop signed is believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from channels_sync.adapters.base import ChannelAccount
from channels_sync.adapters.shopify import ShopifyAdapter
from channels_sync.errors import WebhookNotGenuine

BODY = b'{"id": 820982911946154508, "note": "caf\xc3\xa9"}'


def signature(secret, body=BODY):
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def headers(signed, prefix="X-Shopify-"):
    return {
        f"{prefix}Hmac-Sha256": signed,
        f"{prefix}Topic": "orders/create",
        f"{prefix}Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        f"{prefix}Event-Id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
        f"{prefix}Shop-Domain": "shop.example",
        f"{prefix}Triggered-At": "2026-11-20T18:00:27.877041743Z",
    }


def adapter_with(*secrets, client_secret="app-secret"):
    account = ChannelAccount(
        base_url="https://shop.example",
        api_version="2026-10",
        client_id="app",
        client_secret=client_secret,
        webhook_secrets=secrets,
    )
    return ShopifyAdapter(account)


def test_the_signature_is_that_of_the_published_recipe():
    assert signature("hush", b"hello") == "zvT9tMFR8adPsBeM6dkn8QqflvWemcuCShl3MgGBDKI="


def test_reads_the_envelope_of_a_genuine_delivery():
    delivery = adapter_with("hook").verify_webhook(headers=headers(signature("hook")), body=BODY)

    assert delivery.topic == "orders/create"
    assert delivery.delivery_id == "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"
    assert delivery.event_id == "98880550-7158-44d4-b7cd-2c97c8a091b5"
    assert delivery.shop_domain == "shop.example"
    assert delivery.triggered_at == datetime(2026, 11, 20, 18, 0, 27, 877041, tzinfo=UTC)


def test_takes_the_header_names_of_the_newer_events():
    given = headers(signature("hook"), prefix="shopify-")

    assert adapter_with("hook").verify_webhook(headers=given, body=BODY).topic == "orders/create"


def test_takes_the_old_secret_while_they_rotate():
    delivery = adapter_with("new", "old").verify_webhook(headers=headers(signature("old")), body=BODY)

    assert delivery.topic == "orders/create"


def test_the_apps_own_secret_signs_when_no_other_is_given():
    delivery = adapter_with().verify_webhook(headers=headers(signature("app-secret")), body=BODY)

    assert delivery.topic == "orders/create"


@pytest.mark.parametrize(
    ("signed", "body"),
    [
        (signature("hook"), BODY + b" "),
        (signature("hook"), BODY.replace(b"\xc3\xa9", b"e")),
        (signature("other"), BODY),
        (signature("hook")[:-2], BODY),
        ("", BODY),
        ("é", BODY),
    ],
)
def test_refuses_what_the_shop_did_not_sign(signed, body):
    with pytest.raises(WebhookNotGenuine):
        adapter_with("hook").verify_webhook(headers=headers(signed), body=body)


def test_refuses_everything_without_a_secret():
    account = ChannelAccount(base_url="https://shop.example", api_version="2026-10", access_token="t")

    with pytest.raises(WebhookNotGenuine):
        ShopifyAdapter(account).verify_webhook(headers=headers(signature("")), body=BODY)


def test_refuses_a_delivery_without_a_signature():
    given = headers(signature("hook"))
    del given["X-Shopify-Hmac-Sha256"]

    with pytest.raises(WebhookNotGenuine):
        adapter_with("hook").verify_webhook(headers=given, body=BODY)
