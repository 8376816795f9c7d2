"""The ways to record a completion that are measured beside each other. Each is one connection in a process of its own."""

import hashlib
import json
import os
import socket
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import psycopg

from bench.dataset import QUANTITY, Shop


class Driver(Protocol):
    """One client. `complete` records one completion of QUANTITY units in a transaction of its own and waits for its end."""

    def __init__(self, shop: Shop) -> None: ...

    def backends(self) -> Sequence[int]:
        """Process numbers of the database's side, so far as they run on this machine."""

    def complete(self, key: UUID, assembly: int) -> None: ...

    def close(self) -> None: ...


class Service:
    """The product: `complete_production` over Django's own connection."""

    def __init__(self, shop: Shop) -> None:
        import django

        django.setup()
        from django.db import connection

        from inventory.models import Item, Location

        connection.ensure_connection()
        self.connection = connection
        self.items = Item.objects.in_bulk(list(shop.assemblies))
        self.place = Location.objects.get(pk=shop.location_id)

    def backends(self) -> Sequence[int]:
        return [self.connection.connection.info.backend_pid]

    def complete(self, key: UUID, assembly: int) -> None:
        from production.operations.completing import CompletionRequest, complete_production

        request = CompletionRequest(
            item=self.items[assembly], good=QUANTITY, source_location=self.place, output_location=self.place
        )
        complete_production(key=key, request=request, actor=None)

    def close(self) -> None:
        self.connection.close()


class Floor:
    """The same writes on the same tables by one function: writable CTEs."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.connection = psycopg.connect(
            os.environ["DATABASE_URL"],
            autocommit=True,
            prepare_threshold=1,
            options="-c plan_cache_mode=force_generic_plan",  # planning the function's statements anew would slow it by half
        )
        self.sql = (
            "SELECT bench_complete(%s::uuid, %s::bytea, %s::bigint, %s::numeric, %s::bigint, %s::text, %s::bigint)"
        )

    def backends(self) -> Sequence[int]:
        return [self.connection.info.backend_pid]

    def complete(self, key: UUID, assembly: int) -> None:
        place = self.shop.location_id
        text = f"completion {assembly} {QUANTITY} {place}"
        fingerprint = hashlib.sha256(text.encode()).digest()
        self.connection.execute(
            self.sql, (key, fingerprint, assembly, QUANTITY, place, self.shop.path, place)
        ).fetchone()

    def close(self) -> None:
        self.connection.close()


class MinimalFloor(Floor):
    """A completion on a schema of seven narrow tables: no values, no statuses, no standard and actual, nothing but stock."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop)
        self.sql = "SELECT minimal.complete_assembly(%s::uuid, %s::bigint, %s::numeric, %s::bigint)"

    def complete(self, key: UUID, assembly: int) -> None:
        self.connection.execute(self.sql, (key, assembly, QUANTITY, self.shop.location_id)).fetchone()


class OverHttp:
    """The product through its REST API with a token; see `web.py` for the server.

    The clients share the machine with what they measure, so they write and read bytes themselves: Python's own client takes
    three times as long, about as much as the database takes to claim a key.
    """

    METHOD_PATH = "/api/v1/completions/"
    STATUS = 201

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        port = int(os.environ["BENCH_PORT"])
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = (
            f"POST {self.METHOD_PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Authorization: Token {os.environ['BENCH_TOKEN']}\r\n"
        )

    def backends(self) -> Sequence[int]:
        return []

    def body(self, assembly: int) -> dict[str, Any]:
        place = self.shop.location_id
        return {"item": assembly, "good": str(Decimal(QUANTITY)), "source_location": place, "output_location": place}

    def complete(self, key: UUID, assembly: int) -> None:
        body = json.dumps(self.body(assembly)).encode()
        head = f"{self.head}Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.connection.sendall(head.encode() + body)
        status, text = self._answer()
        if status != self.STATUS:
            raise RuntimeError(f"{self.METHOD_PATH} answered {status}: {text[:500]!r}")

    def _answer(self) -> tuple[int, bytes]:
        """Status and body of an answer that says its length, as all of the API do."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        while len(body) < length:
            body += self._more()
        return int(head.split(b" ", 2)[1]), body

    def _more(self) -> bytes:
        found = self.connection.recv(65_536)
        if not found:
            raise RuntimeError(f"{self.METHOD_PATH}: the server hung up before its answer was whole")
        return found

    def close(self) -> None:
        self.connection.close()


class NothingOverHttp(OverHttp):
    """A view that does nothing, through the same server: what a request costs before any work."""

    METHOD_PATH = "/bench/nothing/"


DRIVERS: dict[str, type[Driver]] = {
    "ours": Service,
    "floor": Floor,
    "floor_minimal": MinimalFloor,
    "http": OverHttp,
    "http_nothing": NothingOverHttp,
}
