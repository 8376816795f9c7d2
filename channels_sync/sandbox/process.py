"""Start a training shop as a process of its own and stop it again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from channels_sync.sandbox.__main__ import ADDRESS_FILE
from channels_sync.sandbox.control import SandboxControl

_START_SECONDS_MAX = 30.0
_STOP_SECONDS_MAX = 5.0


class SandboxProcess:
    """One running shop. `with SandboxProcess(data=...) as shop:` starts it and stops it at the end."""

    def __init__(
        self,
        *,
        data: Path,
        port: int = 0,
        token: str = "training-token",  # noqa: S107 - of a training shop on this machine
        client_id: str = "training-app",
        client_secret: str = "training-secret",  # noqa: S107 - of a training shop on this machine
        options: Sequence[str] = (),
    ) -> None:
        self.data = data
        self.token = token
        self.client_id = client_id
        self.client_secret = client_secret
        self.url = ""
        self.control_token = ""
        self._port = port
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers. Raises RuntimeError with its last words when it does not."""
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / ADDRESS_FILE).unlink(missing_ok=True)
        root = str(Path(__file__).resolve().parents[2])
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", "")))),
            "SANDBOX_TOKEN": self.token,
            "SANDBOX_CLIENT_ID": self.client_id,
            "SANDBOX_CLIENT_SECRET": self.client_secret,
        }
        command = [sys.executable, "-m", "channels_sync.sandbox", "--port", str(self._port), "--data", str(self.data)]
        with (self.data / "sandbox.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [*command, *self._options], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it, gently at first. Harmless when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it without warning, as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def control(self) -> SandboxControl:
        return SandboxControl(url=self.url, control_token=self.control_token)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            if self._read_address() and self._answers():
                return
            time.sleep(0.05)
        self.stop()
        words = (self.data / "sandbox.log").read_text(errors="replace")[-2_000:]
        raise RuntimeError(f"The sandbox shop did not start. Its log ends with:\n{words}")

    def _read_address(self) -> bool:
        try:
            address = json.loads((self.data / ADDRESS_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return False
        self.url, self.control_token = address["url"], address["control_token"]
        return True

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False
