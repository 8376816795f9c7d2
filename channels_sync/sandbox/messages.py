"""A request and an answer as values, so that nothing but the server knows a socket."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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


def parsed(body: bytes) -> Any:
    """The JSON in a body, None when it is none."""
    try:
        return json.loads(body)
    except (ValueError, UnicodeDecodeError):
        return None


def json_answer(status: int, value: Any, *, headers: Mapping[str, str] | None = None) -> Response:
    """An answer nobody may keep a copy of."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Response(status, body, headers={"Cache-Control": "no-store", **(headers or {})})


def not_allowed(allowed: str) -> Response:
    """The answer to a method the address does not take."""
    return json_answer(405, {"errors": "Method Not Allowed"}, headers={"Allow": allowed})


def is_loopback(peer: str) -> bool:
    """Whether the request came from this very machine."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
