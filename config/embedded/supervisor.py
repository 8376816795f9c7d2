"""One process that starts, watches and stops every other one."""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from config.embedded.children import Child, ChildSpec, end_leftovers
from config.embedded.errors import AlreadyRunning, EmbeddedError, StartFailed
from config.embedded.places import Places
from config.embedded.processes import dies_with_parent, is_alive, kill_group, started_ticks

QUICK_END_SECONDS = 5.0  # a process that ends sooner is started again after a growing pause
PAUSE_FIRST_SECONDS, PAUSE_MAX_SECONDS = 0.2, 5.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):
    """A signal asked the supervisor to stop."""


class Supervisor:
    """Owns the children of one checkout. Make it in the main thread and use it as a context manager.

    Leaving the context stops every child in reverse order. While the context lasts, a lock in `var` is held: a second
    supervisor of the same checkout raises AlreadyRunning.
    """

    def __init__(self, *, places: Places, mode: str, say: Callable[[str], None]) -> None:
        self.places = places
        self.mode = mode
        self.state: dict[str, Any] = {}
        self._write_line = say
        self._children: list[Child] = []
        self._lock: int | None = None
        self._stops = 0
        self._earlier_handlers: dict[int, Any] = {}
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> "Supervisor":
        self.places.prepare()
        self._lock = take_lock(supervisor_lock(self.places), exclusive=True, seconds=2)
        if self._lock is None:
            raise AlreadyRunning(f"Backflush already runs for {self.places.var}.")
        self.state = self.places.state()
        leftovers = end_leftovers(self.state.get("children", {}))
        if leftovers:
            self.say(f"ended what an earlier start left behind: {', '.join(leftovers)}")
        self.state["supervisor"] = {
            "pid": os.getpid(),
            "started_ticks": started_ticks(os.getpid()),
            "mode": self.mode,
            "servers_ready": False,
            "ready": False,
        }
        self.state["children"] = {}
        self.write_state()
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            self._earlier_handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children):
            if child.process is not None:
                self._write_line(f"stops {child.spec.name}")
            child.stop()
        self.state.pop("supervisor", None)
        self._children.clear()
        self.write_state()
        for number, handler in self._earlier_handlers.items():
            signal.signal(number, handler)
        if self._lock is not None:
            os.close(self._lock)
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def say(self, text: str) -> None:
        """Tell the person at the console, and the log."""
        self._write_line(text)

    def note(self, **facts: object) -> None:
        """Write facts about this supervisor, such as `ready=True`, where others can read them."""
        self.state["supervisor"].update(facts)
        self.write_state()

    def write_state(self) -> None:
        self.state["var"] = str(self.places.var)
        self.state["children"] = {child.spec.name: child.as_state() for child in self._children}
        self.places.write_state(self.state)

    def start(self, *specs: ChildSpec) -> None:
        """Start children side by side and wait until all are ready; those started before are watched meanwhile.

        Raises StartFailed, with the end of its log, when one ends or is not ready in time.
        """
        began = time.monotonic()
        fresh = [Child(spec=spec, log_file=self.places.log_directory / f"{spec.name}.log") for spec in specs]
        for child in fresh:
            child.start()
            self._children.append(child)
            self.write_state()
        while any(child.state != "ready" for child in fresh):
            if self._stops:
                raise StopRequested
            for child in fresh:
                self._first_start(child, spent_seconds=time.monotonic() - began)
            self._look_after_children(leave_out=fresh)
            self._rest(0.05)

    def _first_start(self, child: Child, *, spent_seconds: float) -> None:
        """Move a child one step on in its first start, where a fault ends the whole start."""
        spec = child.spec
        if child.state == "ready":
            return
        if child.has_ended():
            if spent_seconds >= spec.retry_seconds:
                end = child.tail(lines=25)
                raise StartFailed(f"{spec.name} {child.last_end}. The end of {child.log_file}:\n{end}")
            time.sleep(0.3)
            child.start()
            self.write_state()
        elif spec.is_ready(child):
            child.state = "ready"
            self.write_state()
            self.say(f"{spec.name} is ready (pid {child.pid}, {spent_seconds:.1f} s)")
        elif spent_seconds >= spec.ready_timeout_seconds:
            end = child.tail(lines=25)
            raise StartFailed(
                f"{spec.name} is not ready after {spent_seconds:.0f} s. The end of {child.log_file}:\n{end}"
            )

    def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        working_directory: Path,
        output: int | None = None,
    ) -> int:
        """Run a command to its end in the foreground, watching the children. Returns its exit code.

        Raises StopRequested, after ending the command, when a signal asked us to stop.
        """
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=working_directory,
            stdout=output,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 - there are no threads
        )
        while process.poll() is None:
            if self._stops:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)
                kill_group(process.pid)
                process.wait()
                raise StopRequested
            self._rest(0.5)
            self._look_after_children()
        kill_group(process.pid)
        return process.returncode if process.returncode >= 0 else 128 - process.returncode

    def watch(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Look after the children until a signal comes or `until`, asked twice a second, is true."""
        while not self._stops and not until():
            self._rest(0.5)
            self._look_after_children()

    def _look_after_children(self, *, leave_out: Sequence[Child] = ()) -> None:
        changed = False
        for child in self._children:
            if child not in leave_out:
                changed |= self._look_after(child)
        if changed:
            self.write_state()

    def _look_after(self, child: Child) -> bool:
        """Move one child on by one step. Returns whether its state changed."""
        now = time.monotonic()
        if child.has_ended():
            child.quick_ends = child.quick_ends + 1 if now - child.started_at < QUICK_END_SECONDS else 0
            pause = min(PAUSE_FIRST_SECONDS * 2**child.quick_ends, PAUSE_MAX_SECONDS)
            child.next_start_at, child.state = now + pause, "waiting"
            self.say(f"{child.spec.name} {child.last_end}; it is started again in {pause:.1f} s")
            return True
        if child.state == "waiting" and now >= child.next_start_at:
            child.restarts += 1
            try:
                child.start()
            except (OSError, EmbeddedError) as error:
                child.quick_ends += 1
                child.next_start_at = now + PAUSE_MAX_SECONDS
                self.say(f"{child.spec.name} could not be started: {error}")
            return True
        if child.state == "starting" and child.spec.is_ready(child):
            child.state = "ready"
            self.say(f"{child.spec.name} is ready again (pid {child.pid}, {now - child.started_at:.1f} s)")
            return True
        if child.state == "starting" and now - child.started_at > child.spec.ready_timeout_seconds:
            self.say(
                f"{child.spec.name} is not ready after {child.spec.ready_timeout_seconds:.0f} s and is started anew"
            )
            child.stop()
            child.next_start_at, child.state = now, "waiting"
            return True
        return False

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if number in STOP_SIGNALS:
            self._stops += 1
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes it up anyway
            os.write(self._wake_writer, b"x")

    def _rest(self, seconds: float) -> None:
        """Sleep until a child ends, a signal comes or the time is over; less while a child is being started again."""
        now = time.monotonic()
        for child in self._children:
            if child.state == "starting":
                seconds = min(seconds, 0.1)
            elif child.state == "waiting":
                seconds = min(seconds, max(0.01, child.next_start_at - now))
        if select.select([self._wake_reader], [], [], seconds)[0]:
            os.read(self._wake_reader, 4096)


def supervisor_lock(places: Places) -> Path:
    """Held, exclusively, by the supervisor of a checkout as long as it lives."""
    return places.run_directory / "supervisor.lock"


def users_lock(places: Places) -> Path:
    """Held, shared, by each command that uses the servers of a checkout."""
    return places.run_directory / "users.lock"


def take_lock(path: Path, *, exclusive: bool, seconds: float) -> int | None:
    """A descriptor that holds the lock until it is closed; None when others still hold it after `seconds`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.05)


def running_supervisor(places: Places) -> dict[str, Any] | None:
    """What is known of the supervisor that runs now for this checkout; None when there is none."""
    if not supervisor_lock(places).exists():
        return None
    probe = take_lock(supervisor_lock(places), exclusive=False, seconds=0)
    if probe is not None:
        os.close(probe)
        return None
    known = places.state().get("supervisor")
    if not isinstance(known, dict) or not is_alive(known["pid"]):
        return {"pid": None, "mode": "starting", "servers_ready": False, "ready": False}
    return known
