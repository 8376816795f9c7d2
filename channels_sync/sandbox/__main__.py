"""`python -m channels_sync.sandbox --data DIR [--port N]`: run the training shop until it is told to stop."""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from channels_sync.sandbox.app import Settings, ShopApp
from channels_sync.sandbox.context import Shop
from channels_sync.sandbox.graphql_api import VERSIONS
from channels_sync.sandbox.server import ShopServer
from channels_sync.sandbox.store import Store

ADDRESS_FILE = "address.json"


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Writes `address.json` (readable by its owner only) once the port is open."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING, stream=sys.stderr)
    data = Path(options.data)
    data.mkdir(parents=True, exist_ok=True)
    settings = _settings(options, data)
    store = Store(data / "shop.sqlite3")
    server = ShopServer((options.host, options.port), ShopApp(store, settings))

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()  # shutdown waits for the loop that runs here

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    port = int(server.server_address[1])
    host = f"[{options.host}]" if ":" in options.host else options.host
    url = f"http://{host}:{port}"
    _write_private(
        data / ADDRESS_FILE, json.dumps({"url": url, "pid": os.getpid(), "control_token": settings.control_token})
    )
    sys.stdout.write(f"Sandbox shop at {url}/ (training data; API versions {', '.join(VERSIONS)})\n")
    sys.stdout.flush()
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        (data / ADDRESS_FILE).unlink(missing_ok=True)
        server.server_close()
        store.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="channels_sync.sandbox", description="A training shop that speaks Shopify.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; address.json in DIR tells which")
    parser.add_argument("--data", required=True, metavar="DIR", help="where the shop keeps its file")
    parser.add_argument("--token", default=os.environ.get("SANDBOX_TOKEN", ""), help="access token apps use")
    parser.add_argument("--control-token", default=os.environ.get("SANDBOX_CONTROL_TOKEN", ""))
    parser.add_argument("--client-id", default=os.environ.get("SANDBOX_CLIENT_ID", ""))
    parser.add_argument("--client-secret", default=os.environ.get("SANDBOX_CLIENT_SECRET", ""))
    parser.add_argument("--token-life-seconds", type=int, default=86_399, help="of tokens fetched with the client id")
    parser.add_argument("--shop-name", default="Sandbox Shop")
    parser.add_argument("--app-title", default="Backflush", help="who changed a figure, as the shop shows it")
    parser.add_argument("--currency", default="USD")
    parser.add_argument("--bucket-points", type=int, default=2_000)
    parser.add_argument("--refill-points-per-second", type=int, default=100)
    parser.add_argument("--verbose", action="store_true", help="log every request")
    return parser


def _settings(options: argparse.Namespace, data: Path) -> Settings:
    return Settings(
        access_token=options.token or _kept_secret(data / "access-token"),
        control_token=options.control_token or _kept_secret(data / "control-token"),
        client_id=options.client_id,
        client_secret=options.client_secret,
        token_life_seconds=options.token_life_seconds,
        app_title=options.app_title,
        shop=Shop(name=options.shop_name, domain="sandbox-shop.myshopify.com", currency=options.currency),
        bucket_points=options.bucket_points,
        refill_points_per_second=options.refill_points_per_second,
    )


def _kept_secret(path: Path) -> str:
    """The secret in the file, made at the first start so that it is the same after the next one."""
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(24))
    return path.read_text(encoding="ascii").strip()


def _write_private(path: Path, text: str) -> None:
    """Write a file for its owner's eyes only; readers see the old one or the whole new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
