"""The product's web server as it runs in production, over the bench's database, for measuring through HTTP."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from bench.database import ROOT

WORKERS, THREADS = 4, 2
START_SECONDS_MAX = 60


@contextmanager
def serve() -> Iterator[None]:
    """Run gunicorn on a free port of loopback; BENCH_PORT and BENCH_TOKEN tell the clients."""
    os.environ["BENCH_TOKEN"] = make_token()
    os.environ["BENCH_PORT"] = str(_free_port())
    words = ["--workers", str(WORKERS), "--worker-class", "gthread", "--threads", str(THREADS), "--keep-alive", "30"]
    words += ["--bind", f"127.0.0.1:{os.environ['BENCH_PORT']}", "--log-level", "error", "config.wsgi:application"]
    log = settings.VAR_DIR / "log" / "bench-web.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        server = subprocess.Popen([sys.executable, "-m", "gunicorn", *words], cwd=ROOT, stdout=file, stderr=file)
        try:
            _wait_for(server, log=log)
            yield
        finally:
            server.terminate()
            server.wait(20)


def make_token() -> str:
    """The token of a user with the role of an operator, who may record completions and no more."""
    from django.contrib.auth.models import Group, User
    from rest_framework.authtoken.models import Token

    user, made = User.objects.get_or_create(username="bench")
    if made:
        user.set_unusable_password()
        user.save()
        user.groups.add(Group.objects.get(name="operator"))
    return str(Token.objects.get_or_create(user=user)[0].key)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _workers(server: "subprocess.Popen[bytes]") -> int:
    """How many worker processes there are: clients that connect before the last one came would all sit in the first."""
    return len(Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split())


def _wait_for(server: "subprocess.Popen[bytes]", *, log: Path) -> None:
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["BENCH_PORT"]), timeout=10)
            connection.request("POST", "/bench/nothing/", "{}")
            if connection.getresponse().status == 201 and _workers(server) == WORKERS:
                time.sleep(1)  # the last of them is there, and loads
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"The web server did not answer within {START_SECONDS_MAX} s; see {log}.")
