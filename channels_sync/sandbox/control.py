"""The staff entrance of a running training shop: fill it, look into it, sell from it, and make trouble."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx


class SandboxRefused(Exception):
    """The shop did not do what it was asked; the message says why."""


class SandboxControl:
    """Calls the control addresses of one shop. Only works on the shop's own machine."""

    def __init__(self, *, url: str, control_token: str, timeout_seconds: float = 20.0) -> None:
        self._http = httpx.Client(
            base_url=url,
            timeout=timeout_seconds,
            trust_env=False,
            headers={"X-Sandbox-Control-Token": control_token},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def put_products(self, products: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Make or bring up to date, by SKU: `{sku, title, price, image?, description?, available?}` each.

        `available` counts only for new ones. Returns the ids the API knows them by, in the order given.
        """
        answer: list[dict[str, Any]] = self._call("POST", "/sandbox/products", json=list(products))
        return answer

    def state(self, *, sku: str) -> dict[str, Any]:
        """Figures and history (newest first) of one SKU."""
        answer: dict[str, Any] = self._call("GET", "/sandbox/state", params={"sku": sku})["products"][0]
        return answer

    def available(self, *, sku: str) -> int:
        """Units a shopper could buy."""
        return int(self.state(sku=sku)["available"])

    def products(self) -> list[dict[str, Any]]:
        """Every product with its figures, without history."""
        answer: list[dict[str, Any]] = self._call("GET", "/sandbox/state")["products"]
        return answer

    def sell(self, *, sku: str, quantity: int) -> int:
        """A shopper buys. Returns the units left to buy. Raises SandboxRefused when there are fewer than wanted."""
        return int(self._call("POST", "/sandbox/sale", json={"sku": sku, "quantity": quantity})["available"])

    def add_fault(self, kind: str, **details: Any) -> None:
        """Switch trouble on: kinds and details stand in faults.py."""
        self._call("POST", "/sandbox/faults", json={"kind": kind, **details})

    def faults(self) -> list[dict[str, Any]]:
        """The trouble that is switched on, with its hits so far."""
        answer: list[dict[str, Any]] = self._call("GET", "/sandbox/faults")["faults"]
        return answer

    def clear_faults(self) -> None:
        self._call("DELETE", "/sandbox/faults")

    def reset(self) -> None:
        """Empty the shop."""
        self._call("POST", "/sandbox/reset")

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        response = self._http.request(method, path, **arguments)
        if response.status_code != 200:
            raise SandboxRefused(f"{method} {path} was refused (HTTP {response.status_code}): {response.text[:300]}")
        return response.json()
