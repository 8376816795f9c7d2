"""Checkouts for the tests of the platform: each has a `var` of its own and is driven through the command line."""

import json
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from config.embedded.places import ROOT, Places
from config.embedded.supervisor import running_supervisor

SERVER_VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "BACKFLUSH_VAR")


@dataclass(frozen=True)
class Checkout:
    """One `var` directory. `python` and `uid` let another user work with it."""

    var: Path
    python: str = sys.executable
    uid: int | None = None
    library: str | None = None

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in SERVER_VARIABLES}
        library = {"PYTHONPATH": self.library} if self.library else {}
        return {**kept, **library, "BACKFLUSH_VAR": str(self.var), "PYTHONDONTWRITEBYTECODE": "1"}

    def popen(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.python, "-m", "config.embedded", *words],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=self.uid,
            group=self.uid and _group_of(self.uid),
            extra_groups=[] if self.uid else None,
        )

    def call(self, *words: str) -> tuple[int, str]:
        """Exit code and output of one command."""
        process = self.popen(*words)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def do(self, *words: str) -> str:
        code, output = self.call(*words)
        assert code == 0, output
        return output

    def status(self) -> dict[str, Any]:
        return json.loads(self.do("status"))

    def state(self) -> dict[str, Any]:
        """What the supervisor wrote last; quicker than `status`."""
        return Places(var=self.var).state()

    def supervisor(self) -> dict[str, Any] | None:
        return running_supervisor(Places(var=self.var))

    def servers_are_ready(self) -> bool:
        known = self.supervisor()
        return known is not None and known["servers_ready"]

    def addresses(self) -> dict[str, str]:
        lines = [line.removeprefix("export ") for line in self.do("env").splitlines()]
        return {name: value.strip("'") for name, value in (line.split("=", 1) for line in lines)}

    def connect(self, variable: str = "DATABASE_OWNER_URL") -> psycopg.Connection:
        return psycopg.connect(self.addresses()[variable], autocommit=True, connect_timeout=5)

    def remove(self) -> None:
        self.do("stop")
        self.do("destroy", "--yes")


def _group_of(uid: int) -> int:
    return pwd.getpwuid(uid).pw_gid


def wait_until(question: Callable[[], bool], *, seconds: float = 30) -> None:
    """Return when the answer is yes; fail when it still is no after a generous time."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "the awaited state was not reached"
        time.sleep(0.05)
