"""One child process: how it is started, when it counts as ready, how it is stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.embedded.accounts import Account
from config.embedded.processes import dies_with_parent, is_alive, kill_group, started_ticks

LOG_BYTES_MAX = 20_000_000


def always_ready(_: "Child") -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What a child is. Supervisor and stack know children by this only."""

    name: str
    command: Callable[[], tuple[str, ...]]  # asked before each start, so that it may prepare files first
    environment: Mapping[str, str]  # complete, not an addition
    working_directory: Path
    account: Account | None = None
    is_ready: "Callable[[Child], bool]" = always_ready
    ready_timeout_seconds: float = 60
    retry_seconds: float = 0  # during the first start: how long a child that ends at once is tried again
    stop_signal: signal.Signals = signal.SIGTERM
    quick_stop_signal: signal.Signals = signal.SIGKILL  # when it does not follow the first
    stop_timeout_seconds: float = 10
    death_signal: signal.Signals = signal.SIGTERM  # sent by the kernel when the supervisor is gone
    pass_descriptors: tuple[int, ...] = ()


@dataclass(slots=True, eq=False)
class Child:
    """A child and what became of it. `state` is stopped, starting, ready or waiting (to be started again)."""

    spec: ChildSpec
    log_file: Path
    state: str = "stopped"
    process: "subprocess.Popen[bytes] | None" = None
    restarts: int = 0
    quick_ends: int = 0  # in a row
    started_at: float = 0.0  # monotonic
    next_start_at: float = 0.0  # monotonic
    log_offset: int = 0  # where the output of this start begins
    last_end: str = field(default="")

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone."""
        command = self.spec.command()
        account = self.spec.account
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES_MAX:
            self.log_file.replace(self.log_file.with_name(f"{self.log_file.name}.1"))
        with self.log_file.open("ab") as log:
            moment = time.strftime("%Y-%m-%d %H:%M:%S")
            log.write(f"--- {moment} {self.spec.name} starts\n".encode())
            log.flush()
            self.log_offset = log.tell()
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.spec.working_directory,
                env=dict(self.spec.environment),
                pass_fds=self.spec.pass_descriptors,
                start_new_session=True,
                preexec_fn=dies_with_parent(self.spec.death_signal),  # noqa: PLW1509 - there are no threads
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        self.started_at = time.monotonic()
        self.state = "starting"

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def has_ended(self) -> bool:
        """Whether the process is over. What it left of its group is killed then: no worker without its master."""
        if self.process is None:
            return False
        code = self.process.poll()
        if code is None:
            return False
        kill_group(self.process.pid)
        self.last_end = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self.process = None
        return True

    def stop(self) -> None:
        """Ask it to end, insist after its time, and kill what is left of its group."""
        process = self.process
        self.state = "stopped"
        if process is None:
            return
        steps = (
            (self.spec.stop_signal, self.spec.stop_timeout_seconds),
            (self.spec.quick_stop_signal, 5.0),
            (signal.SIGKILL, 5.0),
        )
        for step, seconds in steps:
            process.send_signal(step)
            try:
                process.wait(timeout=seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        kill_group(process.pid)
        self.process = None

    def output(self) -> str:
        """What the process has written since its last start, at most the last 200 kB."""
        try:
            with self.log_file.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self.log_offset, size - 200_000))
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def tail(self, *, lines: int) -> str:
        return "\n".join(self.output().splitlines()[-lines:])

    def as_state(self) -> dict[str, Any]:
        pid = self.pid
        return {
            "pid": pid,
            "started_ticks": started_ticks(pid) if pid is not None else None,
            "state": self.state,
            "restarts": self.restarts,
            "log": str(self.log_file),
        }


def end_leftovers(children: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """End the children that a killed supervisor left behind, where the kernel did not. Returns their names."""
    found = []
    for name, child in children.items():
        pid = child.get("pid")
        if not isinstance(pid, int) or child.get("started_ticks") is None:
            continue
        if not is_alive(pid) or started_ticks(pid) != child["started_ticks"]:
            continue
        found.append(name)
        if name == "postgres":
            os.kill(pid, signal.SIGQUIT)
        else:
            kill_group(pid)
    return found
