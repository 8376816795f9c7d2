"""Where this checkout keeps what changes: files, sockets, ports and passwords.

Every name derives from the `var` directory, so that several checkouts, and the throw-away databases of one checkout
(`var/test`, `var/smoke`), stand side by side.
"""

import hashlib
import json
import os
import secrets
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import environ

from config.embedded.errors import EmbeddedError
from config.embedded.files import keep_once, read_json, write_atomically

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "backflush"
OWNER_ROLE = "backflush_owner"
APP_ROLE = "backflush_app"
WEB_PORT_FIRST = 8000
PORT_RANGE_START, PORT_RANGE_SIZE = 20000, 12000  # below the range from which Linux takes outgoing ports


def read_dotenv() -> None:
    """Take over the values of `.env` at the root of the checkout; the environment itself wins."""
    file = ROOT / ".env"
    if file.is_file():
        environ.Env.read_env(file)


@dataclass(frozen=True)
class Places:
    """The files and directories of one checkout. `var` is absolute and holds everything that changes."""

    var: Path

    @classmethod
    def here(cls) -> "Places":
        """The places named by BACKFLUSH_VAR (relative to the checkout), else `var` in the checkout."""
        named = os.environ.get("BACKFLUSH_VAR") or "var"
        return cls(var=(ROOT / named).resolve())

    @property
    def is_default(self) -> bool:
        return self.var == (ROOT / "var").resolve()

    @cached_property
    def key(self) -> str:
        """Ten hexadecimal digits that tell this `var` from every other on the machine."""
        return hashlib.sha256(os.fsencode(self.var)).hexdigest()[:10]

    @property
    def log_directory(self) -> Path:
        return self.var / "log"

    @property
    def run_directory(self) -> Path:
        return self.var / "run"

    @property
    def state_file(self) -> Path:
        return self.var / "embedded.json"

    def prepare(self) -> None:
        """Make the directories. Raises EmbeddedError when `var` belongs to somebody else."""
        try:
            for directory in (self.var, self.log_directory, self.run_directory):
                directory.mkdir(parents=True, exist_ok=True)
            self.log_directory.chmod(0o700)
            probe = self.run_directory / f".probe.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except PermissionError as error:
            raise EmbeddedError(
                f"{error.filename} cannot be written by this user ({os.getuid()}); another one made it. "
                f"Work as that user, or remove {self.var}, or name another directory in BACKFLUSH_VAR."
            ) from error

    def state(self) -> dict[str, Any]:
        return read_json(self.state_file)

    def write_state(self, state: dict[str, Any]) -> None:
        write_atomically(path=self.state_file, text=json.dumps(state, indent=2) + "\n")

    @cached_property
    def passwords(self) -> dict[str, str]:
        """Random passwords by use, made on first need and kept readable by the owner of the checkout only."""
        fresh = {name: secrets.token_urlsafe(24) for name in (OWNER_ROLE, APP_ROLE, "valkey")}
        content = json.loads(
            keep_once(path=self.var / "embedded_secrets.json", text=json.dumps(fresh, indent=2) + "\n")
        )
        return {name: str(content[name]) for name in fresh}

    def socket_directory(self, *, server_uid: int) -> Path:
        """Short on purpose: the path of a unix socket may have 107 characters at most."""
        return Path(f"/tmp/backflush-{server_uid}-{self.key}")


def database_url(*, role: str, password: str, socket_directory: Path) -> str:
    """The address of the embedded database in the form that libpq, psycopg and django-environ read alike."""
    return f"postgresql://{role}:{quote(password, safe='')}@/{DATABASE}?host={quote(str(socket_directory))}"


def redis_url(*, password: str, port: int) -> str:
    return f"redis://:{quote(password, safe='')}@127.0.0.1:{port}/0"


def without_password(url: str) -> str:
    """The same address with stars for the password, for logs and for the screen."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(*, places: Places, name: str, remembered: int | None, taken: set[int]) -> int:
    """A free loopback port: the remembered one if free, else one from a series that depends on checkout and name."""
    digits = int(hashlib.sha256(f"{places.key}:{name}".encode()).hexdigest()[:8], 16)
    series = [PORT_RANGE_START + (digits + step * 7) % PORT_RANGE_SIZE for step in range(500)]
    if name == "web" and places.is_default:
        series[:0] = range(WEB_PORT_FIRST, WEB_PORT_FIRST + 20)
    if remembered is not None:
        series.insert(0, remembered)
    for port in series:
        if port not in taken and is_free(port):
            return port
    raise EmbeddedError(
        f"No free port was found for {name} among {len(series)} tried. Stop other servers and try again."
    )
