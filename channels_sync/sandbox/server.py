"""The socket side: HTTP/1.1 with keep-alive, one thread per connection, bounded bodies and waits."""

from __future__ import annotations

import logging
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from channels_sync.sandbox.app import ShopApp
from channels_sync.sandbox.messages import Request, Response

logger = logging.getLogger(__name__)

BODY_BYTES_MAX = 16 * 1024 * 1024
_IDLE_SECONDS_MAX = 75


class ShopServer(ThreadingHTTPServer):
    """Serves one ShopApp."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], app: ShopApp) -> None:
        super().__init__(address, _Handler)
        self.app = app

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """A client that leaves in the middle is its own affair; the log is for the rest."""
        logger.debug("sandbox.connection_ended", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Sandbox"
    sys_version = ""
    timeout = _IDLE_SECONDS_MAX
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together

    server: ShopServer

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self._read_body()
        if body is None:
            return
        request = Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            peer=str(self.client_address[0]),
        )
        response = self.server.app.handle(request)
        if response.delay_seconds:
            time.sleep(response.delay_seconds)
        if response.is_dropped:
            self.close_connection = True
            return
        self._answer(response)

    def _read_body(self) -> bytes | None:
        """The body; None when it was refused, which has been answered then."""
        if self.headers.get("Transfer-Encoding"):
            self._refuse(411)
            return None
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            self._refuse(400)
            return None
        if length < 0 or length > BODY_BYTES_MAX:
            self._refuse(413)
            return None
        return self.rfile.read(length)

    def _refuse(self, status: int) -> None:
        self.close_connection = True
        self._answer(Response(status, b'{"errors":"The request cannot be read."}', headers={"Connection": "close"}))

    def _answer(self, response: Response) -> None:
        try:
            self.send_response(response.status)
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True  # the client did not wait for the answer

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug("sandbox.request " + format, *args)
