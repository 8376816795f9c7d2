"""One entry per channel: how to start its sandbox, and the few things the contract does to the shop behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Protocol

import pytest

from channels_sync.adapters.base import ChannelAccount, QuantityPush, QuantityTarget
from channels_sync.adapters.registry import ADAPTERS, adapter_for
from channels_sync.sandbox.process import SandboxProcess


class Rig(Protocol):
    """A shop to test an adapter against. `fault` takes: throttle, lose_answer, refuse, deliver_twice, fail."""

    adapter_name: str
    has_compare_and_set: bool

    def account(self, **changes: Any) -> ChannelAccount: ...
    def wrong_account(self) -> ChannelAccount: ...
    def make_items(self, figures: dict[str, int]) -> dict[str, tuple[str, str]]: ...
    def sell(self, sku: str, quantity: int) -> None: ...
    def available(self, sku: str) -> int: ...
    def times_changed(self, sku: str) -> int: ...
    def fault(self, kind: str, *, skus: Sequence[str] = (), skip: int = 0) -> None: ...


class ShopifyRig:
    adapter_name = "shopify"
    has_compare_and_set = True

    def __init__(self, process: SandboxProcess) -> None:
        self._process = process
        self._control = process.control()

    def account(self, **changes: Any) -> ChannelAccount:
        account = ChannelAccount(
            base_url=self._process.url,
            api_version="2026-10",
            access_token=self._process.token,
            throttle_wait_seconds_max=0.0,
        )
        return replace(account, **changes)

    def wrong_account(self) -> ChannelAccount:
        return self.account(access_token="not-a-token-of-this-shop")

    def make_items(self, figures):
        products = [{"sku": s, "title": s, "price": "1.00", "available": n} for s, n in figures.items()]
        made = self._control.put_products(products)
        return {row["sku"]: (row["inventory_item_id"], row["location_id"]) for row in made}

    def sell(self, sku, quantity):
        self._control.sell(sku=sku, quantity=quantity)

    def available(self, sku):
        return self._control.available(sku=sku)

    def times_changed(self, sku):
        history = self._control.state(sku=sku)["history"]
        return sum(row["name"] == "available" and row["app"] == "Backflush" for row in history)

    def fault(self, kind, *, skus=(), skip=0):
        match kind:
            case "throttle":
                self._control.add_fault("throttle", skip=skip)
            case "lose_answer":
                self._control.add_fault("timeout_after_apply", skip=skip, seconds=4)
            case "refuse":
                self._control.add_fault("reject_rows", skus=list(skus), skip=skip)
            case "deliver_twice":
                self._control.add_fault("duplicate_request", skip=skip)
            case "fail":
                self._control.add_fault("server_error", skip=skip)
            case _:
                raise AssertionError(kind)

    def reset(self):
        self._control.reset()


def _shopify(tmp_path_factory) -> Iterator[ShopifyRig]:
    with SandboxProcess(data=tmp_path_factory.mktemp("shopify")) as process:
        yield ShopifyRig(process)


RIGS: dict[str, Callable[[Any], Iterator[Any]]] = {"shopify": _shopify}


@pytest.fixture(scope="module", params=sorted(RIGS))
def running_rig(request, tmp_path_factory):
    yield from RIGS[request.param](tmp_path_factory)


@pytest.fixture
def rig(running_rig):
    running_rig.reset()
    return running_rig


@pytest.fixture
def adapter(rig):
    adapter = adapter_for(name=rig.adapter_name, account=rig.account())
    yield adapter
    adapter.close()


@dataclass
class Pushes:
    """Makes rows for items of the rig: rows share a key, and so a call, until one of them comes again or the call is full."""

    ids: dict[str, tuple[str, str]]
    keys: Any
    rows_max: int
    key: str = ""
    under_key: set[str] = field(default_factory=set)

    def row(self, sku: str, quantity: int, *, expected: int | None, version: int = 1) -> QuantityPush:
        item, location = self.ids[sku]
        if not self.key or sku in self.under_key or len(self.under_key) == self.rows_max:
            self.key = f"key-{next(self.keys)}"
            self.under_key.clear()
        self.under_key.add(sku)
        key = self.key
        return QuantityPush(sku, sku, item, location, quantity, expected, version, key, "gid://backflush/PublishRun/1")

    def target(self, sku: str) -> QuantityTarget:
        item, location = self.ids[sku]
        return QuantityTarget(sku, item, location)


@pytest.fixture
def stock(rig):
    """`stock({"A": 5})` puts items into the shop and returns the maker of rows for them."""
    keys = count(1)
    rows_max = ADAPTERS[rig.adapter_name].limits.publish_rows_max
    return lambda figures: Pushes(rig.make_items(figures), keys, rows_max)
